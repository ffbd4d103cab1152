/**
 * Every operation completes exactly once, with its own token, and never inside the submitting call.
 */
import { STATUS_OK } from "@rmr/core"
import { check, checkEqual } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import { Started } from "./started.js"

/** Longer than any operation of a subject under a contract takes. */
const QUIET_MS = 200

export function completionClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "every operation completes exactly once, whatever becomes of it",
      run: async (rig) => {
        const all = await startMixture(rig)
        for (const started of all) await rig.outcome(started)
        await rig.harness.waiting.pass(QUIET_MS)
        checkOnce(rig, all)
      },
    },
    {
      promise,
      title: "close completes what is pending once, and nothing comes after it",
      run: async (rig) => {
        const { completed, subject } = rig.current
        const all = await startMixture(rig)
        await rig.settled(subject.close(), "end of closing")
        checkOnce(rig, all)
        await rig.harness.waiting.pass(QUIET_MS)
        checkOnce(rig, all)
        const { batchCount } = completed
        await rig.close()
        checkEqual(completed.batchCount, batchCount, "batches after close")
      },
    },
    {
      promise,
      title: "no operation completes inside the call that submits it, not even a refused one",
      run: async (rig) => {
        const all = await startMixture(rig)
        rig.start(() => rig.io.submit())
        for (const started of all) await rig.outcome(started)
        await rig.flush()
        checkEqual(rig.current.completed.insideCallCount, 0, "completions inside a call")
      },
    },
    {
      promise,
      title: "any int32 is a token, and two operations may have the same",
      run: async (rig) => {
        const { completed, subject } = rig.current
        for (const token of [0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
          const started = new Started(token)
          completed.expect(started)
          subject.flush(token)
          subject.flush(token)
          const { until } = rig.harness.waiting
          await until(() => started.outcomes.length === 2, `two completions of ${token}`)
        }
      },
    },
    {
      promise,
      title: "what was submitted inside a completion is an operation like any other",
      run: async (rig) => {
        const { completed } = rig.current
        const chain: Started[] = []
        const onCompletions = completed.onCompletions.bind(completed)
        completed.onCompletions = (batch) => {
          onCompletions(batch)
          if (chain.length < 5) chain.push(rig.startFlush(), rig.startFlush())
        }
        await rig.flush()
        await rig.harness.waiting.until(() => chain.length >= 5, "a chain of five")
        completed.onCompletions = onCompletions
        await rig.done(...chain)
      },
    },
  ]
}

/** Good and bad operations of every kind that block io has, in one turn. */
async function startMixture(rig: BlockRig<BlockSubject>): Promise<Started[]> {
  const { blockBytes, sizeBytes } = rig.io
  const span = 4 * blockBytes
  await rig.prepare(0, 8 * span)
  const all: Started[] = []
  for (let nth = 0; nth < 8; nth++) {
    all.push(rig.startWrite(nth * span, stamped(nth * span, span, nth)))
    all.push(startReleased(rig, nth * span, span))
    all.push(rig.startZero(nth * span, blockBytes))
    all.push(startReleased(rig, sizeBytes, span))
    all.push(rig.startZero(1, blockBytes))
    all.push(rig.startFlush())
  }
  return all
}

/** A read whose content nobody wants. */
function startReleased(rig: BlockRig<BlockSubject>, offset: number, bytes: number): Started {
  const read = rig.startRead(offset, bytes)
  rig.current.memory.release(read.lease)
  return read
}

function checkOnce(rig: BlockRig<BlockSubject>, all: readonly Started[]): void {
  for (const [nth, { outcomes }] of all.entries()) {
    checkEqual(outcomes.length, 1, `completions of operation ${nth}`)
    const isGood = nth % 6 !== 3 && nth % 6 !== 4
    check((outcomes[0]!.status === STATUS_OK) === isGood, `operation ${nth} to end as it should`)
  }
  checkEqual(rig.current.completed.strayTokens.length, 0, "completions nobody asked for")
}
