/**
 * The life of a pool of three, in seven chapters. Every decision in it is made by the rules of
 * @rmr/core and every number is counted; only the events are invented.
 */
import {
  allowedNormal,
  ChunkGeometry,
  decideExpulsion,
  decideGrow,
  decideMutation,
  decideOpen,
  decideShrink,
  decideStart,
  explain,
  groupIdOfName,
  growRecipients,
  isEffective,
  isMarkValid,
  LEG_MACHINE,
  type LegEvent,
  type LegState,
  type MemberSet,
  StateCell,
  setOf,
  slotsOf,
  type View,
  type ViewChain,
  without,
} from "@rmr/core"
import { createWorld } from "@rmr/testkit/world"
import {
  apply,
  differences,
  EVERYBODY,
  expel,
  memberAt,
  type PaperPool,
  paperPool,
} from "./paper-pool.js"
import { drain } from "./paper-sync.js"

export type Say = (line: string) => void
type Leg = StateCell<LegState, LegEvent>

const POOL_NAME = "vm-disks"
const MIN_NORMAL = 2
const KIB = 1024
const MIB = 1024 * KIB
const FIRST_TWO = setOf(0, 1)
const THIRD = setOf(2)

/** Tells it line by line, and returns what has become of the pool. */
export function tellStory(say: Say): PaperPool {
  const world = createWorld({ seed: 3 })
  const pool = meetThePool(say)
  const leg = new StateCell(LEG_MACHINE, 0)
  leg.transition("normal", "started", 0)
  writeToAll(pool, say)
  loseTheThird(pool, leg, say)
  writeWithoutIt(pool, say)
  bringItBack(pool, leg, say)
  say("\n6. Sync: member 3 is normal, serves IO, and fetches what it lacks from its peers")
  drain(pool, memberAt(pool, 2), world, say)
  startAgain(pool, say)
  return pool
}

function meetThePool(say: Say): PaperPool {
  const geometry = new ChunkGeometry({ chunkSizeBytes: 128 * KIB, mappedSizeBytes: 1024 * MIB })
  const pool = paperPool(geometry)
  const group = groupIdOfName(POOL_NAME).toString(16).padStart(8, "0")
  say(`1. A pool "${POOL_NAME}" on three storage nodes`)
  fact(say, "group id", `0x${group}: the Linux kernel's jhash of the name, in every message`)
  fact(say, "volume", `1 GiB, ${geometry.chunkCount} chunks of 128 KiB`)
  fact(say, "view", `${viewText(pool.view)}: ${effectText(pool.view, EVERYBODY)}`)
  return pool
}

function writeToAll(pool: PaperPool, say: Say): void {
  const offset = MIB + 64 * KIB
  const length = 300 * KIB
  const { geometry } = pool
  const first = geometry.chunkOf(offset)
  const last = first + geometry.chunkSpan(offset, length) - 1
  const covered = geometry.coveredSpan(offset, length)
  apply(pool, offset, length, EVERYBODY)
  say("\n2. A write of 300 KiB goes to all members, in one hop")
  fact(say, "chunks", `${first} to ${last}; ${covered} of them it covers wholly`)
  fact(say, "answers", `${setText(EVERYBODY)} did it: ${mutationText(EVERYBODY, pool.view)}`)
}

function loseTheThird(pool: PaperPool, leg: Leg, say: Say): void {
  const offset = 512 * MIB
  const length = 64 * KIB
  say("\n3. Member 3 falls silent during the next write")
  fact(say, "answers", `${setText(FIRST_TWO)} did it: ${mutationText(FIRST_TWO, pool.view)}`)
  const late = decideExpulsion(
    pool.members.map(({ slot, memberId }) =>
      slot === 2
        ? { slot, memberId, isLate: true, isAnswering: false, oldestMs: 1000 }
        : { slot, memberId, isLate: false, isAnswering: true, oldestMs: 2 },
    ),
  )
  fact(
    say,
    "deadline",
    `passed by ${setText(late)}; a view without it lists the write's range (V7, V2)`,
  )
  const base = pool.view
  const proposal: View = { epoch: 1, version: 2, normal: base.normal & ~late }
  const chain: ViewChain = { base, limit: base.normal, proposals: [proposal] }
  const allowed = setText(allowedNormal(chain))
  const swap = decideShrink(chain, setOf(1, 2), MIN_NORMAL)
  fact(
    say,
    "proposed",
    `${viewText(proposal)}, on the disk of {1}: ${effectText(proposal, setOf(0))}`,
  )
  const swapped = `${swap.decide}: only ${allowed} may be named (V3)`
  fact(say, "meanwhile", `may {2,3} go on if 1 dies now? ${swapped}`)
  const then = effectText(proposal, FIRST_TWO)
  fact(say, "then", `on the disks of {1,2}: ${then}; acknowledge the write`)
  apply(pool, offset, length, FIRST_TWO)
  expel(pool, proposal, [[offset, length]])
  leg.transition("failed", "expelled", 1000, "silent for 1 s")
  const { state, why, next, help } = explain(leg)
  for (const text of [`${state}. ${why}`, next, help]) fact(say, "leg 3", `${text}`)
}

function writeWithoutIt(pool: PaperPool, say: Say): void {
  for (let at = 0; at < 40; at++) apply(pool, (at * 23 + 5) * MIB, 200 * KIB, FIRST_TWO)
  const [first, second, third] = pool.members
  const marked = [first, second].map((member) => member.marksBySlot.get(2)?.count ?? 0)
  say("\n4. Forty more writes; each carries who is absent, so that marking costs no round trip")
  fact(
    say,
    "marks",
    `members 1 and 2 both know what member 3 misses: ${marked.join(" and ")} chunks`,
  )
  fact(say, "in fact", `${differences(first, third)} chunks of member 3 differ from member 1`)
}

function bringItBack(pool: PaperPool, leg: Leg, say: Say): void {
  const third = memberAt(pool, 2)
  const marks = memberAt(pool, 0).marksBySlot.get(2)
  if (marks === undefined) return
  leg.transition("reconnecting", "answered", 60_000)
  say("\n5. Member 3 comes back a minute later, and first learns what it missed")
  const normalThrough = { epoch: 1, version: 1 }
  const validity = isMarkValid(marks.stamp, normalThrough) ? "valid" : "void"
  fact(say, "marks", `stamped view 1.2, member normal through 1.1: ${validity} (M2)`)
  third.own.merge(marks, normalThrough)
  fact(say, "map update", `its own map now has ${third.own.count} dirty chunks`)
  const chain: ViewChain = { base: pool.view, limit: pool.view.normal, proposals: [] }
  const whileWriting = decideGrow(chain, THIRD, 1).decide
  const atRest = decideGrow(chain, THIRD, 0).decide
  fact(say, "grow", `with a write in flight: ${whileWriting}; with none: ${atRest}`)
  const grown: View = { epoch: 1, version: 3, normal: EVERYBODY }
  const firstTo = setText(growRecipients(FIRST_TWO, EVERYBODY, 0))
  const thenTo = setText(growRecipients(FIRST_TWO, EVERYBODY, THIRD))
  fact(say, "order", `${viewText(grown)} goes to ${firstTo}, then to ${thenTo} (V3)`)
  pool.view = grown
  for (const { marksBySlot } of pool.members) marksBySlot.clear()
  leg.transition("normal", "rejoined", 60_040)
  fact(say, "leg 3", `${leg.state}. ${explain(leg).why}`)
}

function startAgain(pool: PaperPool, say: Say): void {
  const answer = (slot: number) => ({
    slot,
    view: pool.view,
    seen: pool.view,
    normalThrough: [pool.view, pool.view, pool.view],
  })
  const alone = decideStart([answer(2)], MIN_NORMAL)
  const two = decideStart([answer(1), answer(2)], MIN_NORMAL)
  const old = { epoch: 1, nonce: "old client" }
  const taken = { epoch: 2, nonce: "new client" }
  say("\n7. All power is lost, the client included; a new client opens the pool")
  fact(say, "there is", `{3}: ${startText(alone)}`)
  fact(say, "there is", `{2,3}: ${startText(two)} (V5, at least ${MIN_NORMAL} normal members)`)
  fact(say, "epochs", `the new client with epoch 2: ${decideOpen(old, taken)}`)
  fact(say, "", `the old one, when it wakes up: ${decideOpen(taken, old)} (F1)`)
}

function mutationText(done: MemberSet, view: View): string {
  const progress = { sentTo: view.normal, done, missed: 0, carriedOut: 0, missedMarked: 0 }
  const decision = decideMutation(progress, view, without(EVERYBODY, view.normal))
  if (decision.decide !== "wait") return decision.decide
  return `wait for ${setText(decision.forAnswers)}`
}

function effectText(view: View, durableOn: MemberSet): string {
  return isEffective(view, durableOn) ? "effective" : "not effective"
}

function startText(decision: ReturnType<typeof decideStart>): string {
  if (decision.decide === "start") return `start with ${setText(decision.normal)}`
  const { needCount, missing } = decision
  return `wait for ${needCount} of ${setText(missing)}, who may know more`
}

function viewText({ epoch, version, normal }: View): string {
  return `${epoch}.${version} ${setText(normal)}`
}

/** One line of a chapter: what it is about, and what is the case. */
function fact(say: Say, label: string, text: string): void {
  say(`   ${label.padEnd(11)}${text}`)
}

/** Members by the ids that people gave them. */
function setText(set: MemberSet): string {
  return `{${slotsOf(set)
    .map((slot) => slot + 1)
    .join(",")}}`
}
