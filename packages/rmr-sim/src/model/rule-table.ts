/**
 * The rules the model runs: the very functions of @rmr/core, in a table, so that a mutant is the
 * same table with one entry replaced. What is not a decision of its own in core (the order of steps
 * inside an OPEN, say) is a switch here, whose production value is the rule's.
 */
import {
  answerWithoutCopy,
  decideElection,
  decideExpulsion,
  decideFlush,
  decideGrow,
  decideMarksAtViewChange,
  decideMutation,
  decideOpen,
  decideRankOfJoiner,
  decideShrink,
  decideStart,
  decideUnit,
  decideYield,
  holdsWhatWasMissed,
  isEffective,
  isFlushed,
  isMarkValid,
  judgeProposal,
  judgeRequest,
  markByteAfterRestart,
  markByteWhenListed,
  meaningOfAnswer,
  openingNormalThrough,
  ownByteAfterRestart,
  ownByteOfJoiner,
  progressAfterView,
} from "@rmr/core"

export interface RuleTable {
  readonly decideShrink: typeof decideShrink
  readonly decideGrow: typeof decideGrow
  readonly isEffective: typeof isEffective
  readonly decideStart: typeof decideStart
  readonly openingNormalThrough: typeof openingNormalThrough
  readonly decideOpen: typeof decideOpen
  readonly judgeRequest: typeof judgeRequest
  readonly judgeProposal: typeof judgeProposal
  readonly decideMutation: typeof decideMutation
  readonly meaningOfAnswer: typeof meaningOfAnswer
  readonly decideUnit: typeof decideUnit
  readonly decideElection: typeof decideElection
  readonly ownByteAfterRestart: typeof ownByteAfterRestart
  readonly ownByteOfJoiner: typeof ownByteOfJoiner
  readonly markByteAfterRestart: typeof markByteAfterRestart
  readonly markByteWhenListed: typeof markByteWhenListed
  readonly isMarkValid: typeof isMarkValid
  readonly decideMarksAtViewChange: typeof decideMarksAtViewChange
  readonly decideExpulsion: typeof decideExpulsion
  readonly answerWithoutCopy: typeof answerWithoutCopy
  readonly progressAfterView: typeof progressAfterView
  readonly holdsWhatWasMissed: typeof holdsWhatWasMissed
  readonly decideYield: typeof decideYield
  readonly decideFlush: typeof decideFlush
  readonly isFlushed: typeof isFlushed
  readonly decideRankOfJoiner: typeof decideRankOfJoiner
  /** V2: a view change lists the ranges of unresolved mutations. */
  readonly listsRanges: boolean
  /** F1: OPEN makes the epoch durable before it reads what it answers. */
  readonly adoptsBeforeReading: boolean
  /** R3: an unclean open marks the member itself; the mutant accuses the others instead. */
  readonly suspectsItself: boolean
  /** W5: resuming gives up the sessions before it. */
  readonly resumeEndsOldSessions: boolean
  /** S9: a copy brings the source's last io of the chunk, and heats the extent. */
  readonly copyCarriesLastIo: boolean
  /** S2: OPEN and REJOIN drop running copies; one is written only in the view it was read in. */
  readonly copyEndsWithView: boolean
  /** R6: an election marks the chunk for everybody absent before it clears. */
  readonly electionMarksAbsent: boolean
  /** M3: REJOIN tells the joiner the view in force. */
  readonly rejoinTellsView: boolean
  /** R4: an opening view lists what V* listed. */
  readonly openingCarriesRanges: boolean
  /** F7: a read counts when minNormal members still know the client as the holder. */
  readonly readsAreConfirmed: boolean
  /** W6: who persists a view with an uncertain range refuses that mutation, and forgets it. */
  readonly givenUpIsRefused: boolean
  /** Q15: who flushed in an earlier view flushes again. */
  readonly flushEndsWithView: boolean
}

export const RULES: RuleTable = {
  decideShrink,
  decideGrow,
  isEffective,
  decideStart,
  openingNormalThrough,
  decideOpen,
  judgeRequest,
  judgeProposal,
  decideMutation,
  markByteAfterRestart,
  markByteWhenListed,
  meaningOfAnswer,
  decideUnit,
  decideElection,
  ownByteAfterRestart,
  ownByteOfJoiner,
  isMarkValid,
  decideMarksAtViewChange,
  decideExpulsion,
  answerWithoutCopy,
  progressAfterView,
  holdsWhatWasMissed,
  decideYield,
  decideFlush,
  isFlushed,
  decideRankOfJoiner,
  listsRanges: true,
  adoptsBeforeReading: true,
  suspectsItself: true,
  resumeEndsOldSessions: true,
  copyCarriesLastIo: true,
  copyEndsWithView: true,
  electionMarksAbsent: true,
  rejoinTellsView: true,
  openingCarriesRanges: true,
  readsAreConfirmed: true,
  givenUpIsRefused: true,
  flushEndsWithView: true,
}
