/**
 * The model is worth what it catches: each mutant is the table of rules with one rule taken out,
 * and the smallest bound in which its absence shows. A mutant that survives means that the model
 * does not look where the rule protects.
 */
import { compareViews, RANK_CACHE_LOST, type Rank, slotsOf } from "@rmr/core"
import {
  type Bound,
  boundOf,
  cutPool,
  freshPool,
  lostPool,
  returnedPool,
  suspectPool,
} from "./bounds.js"
import { RULES, type RuleTable } from "./rule-table.js"
import { ALL } from "./state.js"

export interface Mutant {
  /** The rule that is taken out, first; then what is done instead. */
  readonly name: string
  readonly rules: RuleTable
  readonly bound: Bound
}

const fresh = (): Uint8Array => freshPool(ALL)

export const MUTANTS: readonly Mutant[] = [
  {
    name: "V3: a proposal may name anybody, whatever was proposed before",
    rules: {
      ...RULES,
      decideShrink: (_, wanted) => ({ decide: "propose", normal: wanted }),
    },
    bound: boundOf({ name: "V3", furtherViews: 3, initial: fresh }),
  },
  {
    name: "V2: a view change lists no ranges",
    rules: { ...RULES, listsRanges: false },
    bound: boundOf({ name: "V2", furtherViews: 3, initial: fresh }),
  },
  {
    name: "V5: any present member may start the pool",
    rules: {
      ...RULES,
      decideStart: (answers, minNormal) => {
        const present = answers.reduce((set, answer) => set | (1 << answer.slot), 0)
        const known = answers.map((answer) => ({
          ...answer,
          seen: { ...answer.seen, normal: answer.seen.normal & present },
        }))
        return RULES.decideStart(known, minNormal)
      },
    },
    bound: boundOf({ name: "V5", furtherViews: 2, initial: fresh }),
  },
  {
    name: "V5, third clause: an opening view may name whoever V* names",
    rules: {
      ...RULES,
      decideStart: (answers, minNormal) => {
        const decision = RULES.decideStart(answers, minNormal)
        if (decision.decide !== "start") return decision
        const present = answers.reduce((set, answer) => set | (1 << answer.slot), 0)
        const { star } = decision
        return { decide: "start", star, normal: star.normal & present, limit: star.normal }
      },
    },
    bound: boundOf({ name: "V5c", furtherViews: 4, clients: 3, initial: () => freshPool(0b001) }),
  },
  {
    name: "F1: OPEN is answered before the epoch is durable",
    rules: { ...RULES, adoptsBeforeReading: false },
    bound: boundOf({ name: "F1", furtherViews: 2, initial: fresh }),
  },
  {
    name: "F3: a store persists a view change of an epoch below its own",
    rules: {
      ...RULES,
      judgeProposal: (member, proposal) =>
        RULES.judgeProposal({ ...member, epoch: proposal.epoch, nonce: proposal.nonce }, proposal),
    },
    bound: boundOf({ name: "F3", furtherViews: 2, initial: fresh }),
  },
  {
    name: "F4: fenced is taken for a leg that missed the write",
    rules: {
      ...RULES,
      meaningOfAnswer: (status) => (status === "fenced" ? "missed" : RULES.meaningOfAnswer(status)),
    },
    bound: boundOf({ name: "F4", furtherViews: 2, initial: fresh }),
  },
  {
    name: "F7: one member's word is enough for a read when two may start the pool",
    rules: { ...RULES, readsAreConfirmed: false },
    bound: boundOf({ name: "F7", furtherViews: 2, minNormal: 2, initial: fresh }),
  },
  {
    name: "W3: acknowledged when one member has done it",
    rules: {
      ...RULES,
      decideMutation: (progress, effective, absent) =>
        progress.done & effective.normal
          ? { decide: "acknowledge" }
          : RULES.decideMutation(progress, effective, absent),
    },
    bound: boundOf({ name: "W3", furtherViews: 1, initial: fresh }),
  },
  {
    name: "W3: acknowledged though who missed it cannot speak for the absent",
    rules: {
      ...RULES,
      decideMutation: (progress, effective) => RULES.decideMutation(progress, effective, 0),
    },
    bound: boundOf({ name: "W3m", furtherViews: 2, misses: 1, initial: fresh }),
  },
  {
    name: "W5: a member carries out requests of views before it joined",
    rules: {
      ...RULES,
      judgeRequest: (member, request) =>
        RULES.judgeRequest({ ...member, joinedView: { epoch: 0, version: 0 } }, request),
    },
    bound: boundOf({ name: "W5", furtherViews: 3, writes: 2, initial: fresh }),
  },
  {
    name: "W5: resuming leaves the sessions before it alive",
    rules: { ...RULES, resumeEndsOldSessions: false },
    bound: boundOf({ name: "W5r", furtherViews: 1, writes: 2, blips: 1, initial: fresh }),
  },
  {
    name: "M2: marks of an earlier absence are still valid",
    rules: { ...RULES, isMarkValid: () => true, decideMarksAtViewChange: () => "keep" },
    bound: boundOf({ name: "M2", clients: 1, furtherViews: 4, initial: returnedPool }),
  },
  {
    name: "M3: REJOIN does not tell the view in force",
    rules: { ...RULES, rejoinTellsView: false },
    bound: boundOf({ name: "M3", furtherViews: 3, initial: fresh }),
  },
  {
    name: "R3: an unclean open accuses the others instead of itself",
    rules: { ...RULES, suspectsItself: false },
    bound: boundOf({ name: "R3", furtherViews: 2, cacheLosses: 1, initial: fresh }),
  },
  {
    name: "R4: what not everybody recorded is suspected by nobody",
    rules: { ...RULES, decideUnit: (...of) => ({ ...RULES.decideUnit(...of), suspects: 0 }) },
    bound: boundOf({ name: "R4", furtherViews: 1, initial: fresh }),
  },
  {
    name: "R4: an opening view lists only what its members disagree on",
    rules: {
      ...RULES,
      decideUnit: (records, normal) => RULES.decideUnit(records, normal, 0),
    },
    bound: boundOf({ name: "R4l", furtherViews: 3, minNormal: 2, initial: fresh }),
  },
  {
    name: "R4: an opening view forgets what V* listed",
    rules: { ...RULES, openingCarriesRanges: false },
    bound: boundOf({ name: "R4c", furtherViews: 2, misses: 1, restarts: 1, initial: fresh }),
  },
  {
    name: "R6: the lowest member is elected, whatever it lost",
    rules: {
      ...RULES,
      decideElection: (bytes, normal) => {
        const decision = RULES.decideElection(bytes, normal)
        if (decision.decide !== "elect") return decision
        const worst = slotsOf(normal).find((slot) => bytes[slot] === 5)
        const rank: Rank = RANK_CACHE_LOST
        return worst === undefined ? decision : { decide: "elect", slot: worst, rank }
      },
    },
    bound: boundOf({ name: "R6", furtherViews: 2, restarts: 1, cacheLosses: 1, initial: fresh }),
  },
  {
    name: "R6: an election does not mark the chunk for the absent",
    rules: { ...RULES, electionMarksAbsent: false },
    bound: boundOf({ name: "R6m", furtherViews: 2, restarts: 1, initial: fresh }),
  },
  {
    name: "RT-29: a listed range is marked as really missed",
    rules: { ...RULES, markByteWhenListed: () => 1 },
    bound: boundOf({ name: "RT-29", furtherViews: 2, misses: 1, initial: fresh }),
  },
  {
    name: "S2: a copy survives OPEN, REJOIN and view changes",
    rules: { ...RULES, copyEndsWithView: false },
    bound: boundOf({ name: "S2", furtherViews: 3, initial: fresh }),
  },
  {
    name: "S9: a copy does not bring the last io of its source",
    rules: { ...RULES, copyCarriesLastIo: false },
    bound: boundOf({ name: "S9", furtherViews: 2, writes: 2, initial: fresh }),
  },
  {
    name: "S10: a member copies from who has not done what it missed",
    rules: { ...RULES, holdsWhatWasMissed: () => true },
    bound: boundOf({ name: "S10", furtherViews: 1, misses: 1, initial: fresh }),
  },
  {
    name: "RT-44: a flush succeeds though nobody in the view has the bytes",
    rules: { ...RULES, decideFlush: () => "callers" },
    bound: boundOf({ name: "I5", clients: 1, cacheLosses: 1, flushes: true, initial: lostPool }),
  },
  {
    name: "RT-45: who lost its cache stays a suspect beside a clean joiner",
    rules: { ...RULES, decideRankOfJoiner: () => "keep" },
    bound: boundOf({ name: "R5", clients: 1, furtherViews: 2, flushes: true, initial: lostPool }),
  },
  {
    name: "RT-45: who lost its cache joins before who was normal later",
    rules: {
      ...RULES,
      decideRankOfJoiner: (byte, isClean) => RULES.decideRankOfJoiner(byte, isClean, false),
    },
    bound: boundOf({
      name: "R5l",
      clients: 1,
      flushes: true,
      initial: lostPool,
    }),
  },
  {
    name: "RT-45: a flush succeeds while somebody suspects beside a clean copy",
    rules: {
      ...RULES,
      decideFlush: (bytes, normal) =>
        slotsOf(normal).some((slot) => bytes[slot] === 0) ? "callers" : "nobody",
    },
    bound: boundOf({ name: "R6y", furtherViews: 2, flushes: true, initial: cutPool }),
  },
  {
    name: "RT-46: who only suspects the chunk counts as having missed the write",
    rules: { ...RULES, answerWithoutCopy: () => "no-clean-copy" },
    bound: boundOf({ name: "W2", clients: 1, furtherViews: 1, misses: 1, initial: suspectPool }),
  },
  {
    name: "RT-47: what was missed must be in the last io of a source that joined later, too",
    rules: {
      ...RULES,
      holdsWhatWasMissed: (missed, source) =>
        RULES.holdsWhatWasMissed(
          missed,
          source,
          { epoch: 0, version: 0 },
          { epoch: 0, version: 0 },
        ),
    },
    bound: boundOf({ name: "S10j", clients: 1, misses: 1, initial: fresh }),
  },
  {
    name: "RT-48: done counts although a read error has taken the bytes since",
    rules: {
      ...RULES,
      progressAfterView: (progress, effective, carriesRange) =>
        RULES.progressAfterView(progress, effective, carriesRange, 0),
    },
    bound: boundOf({ name: "W3r", furtherViews: 2, misses: 1, initial: fresh }),
  },
  {
    name: "RT-51: a view that is only known by hearsay is answered as if it were on disk",
    rules: {
      ...RULES,
      judgeProposal: (member, proposal) => {
        const verdict = RULES.judgeProposal(member, proposal)
        const isKnown = compareViews(proposal, member.seen) <= 0
        return verdict === "persist" && isKnown ? "have" : verdict
      },
    },
    bound: boundOf({ name: "V4", furtherViews: 2, gossips: true, initial: fresh }),
  },
  {
    name: "RT-53: a mutation that was given up is still carried out",
    rules: { ...RULES, givenUpIsRefused: false },
    bound: boundOf({ name: "W6", furtherViews: 1, giveUps: true, initial: fresh }),
  },
  {
    name: "Q15: who flushed before a view change is not asked again",
    rules: { ...RULES, flushEndsWithView: false },
    bound: boundOf({
      name: "Q15",
      clients: 1,
      cacheLosses: 1,
      flushes: true,
      initial: () => freshPool(0b011),
    }),
  },
]
