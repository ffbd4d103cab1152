/**
 * A failed operation says what failed and where; everything else goes on.
 */
import { STATUS_OK } from "@rmr/core"
import { check, checkBytes, checkEqual } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import type { Outcome } from "./started.js"

export function errorClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "a read over a bad block fails with media-error and names that block",
      needs: ["failReads"],
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 16 * blockBytes, 1))
        await rig.power("failReads")(5 * blockBytes, blockBytes)
        for (const [first, count] of [
          [5, 1],
          [4, 3],
          [0, 16],
          [2, 4],
        ] as const) {
          const outcome = await readOutcome(rig, first * blockBytes, count * blockBytes)
          rig.checkStatus(outcome, "media-error", `a read of ${count} blocks from block ${first}`)
          checkBadRange(outcome, (5 - first) * blockBytes, blockBytes)
        }
        for (const block of [4, 6]) {
          const beside = await rig.read(block * blockBytes, blockBytes)
          checkBytes(beside, stamped(block * blockBytes, blockBytes, 1), `block ${block} beside it`)
        }
      },
    },
    {
      promise,
      title: "of two bad ranges the first is named, as long as it is",
      needs: ["failReads"],
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 16 * blockBytes, 1))
        await rig.power("failReads")(3 * blockBytes, 2 * blockBytes)
        await rig.power("failReads")(9 * blockBytes, blockBytes)
        checkBadRange(await readOutcome(rig, 0, 16 * blockBytes), 3 * blockBytes, 2 * blockBytes)
        checkBadRange(
          await readOutcome(rig, 5 * blockBytes, 8 * blockBytes),
          4 * blockBytes,
          blockBytes,
        )
      },
    },
    {
      promise,
      title: "a bad block that is written anew reads again",
      needs: ["failReads"],
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 2 * blockBytes, 1))
        await rig.power("failReads")(blockBytes, blockBytes)
        check((await readOutcome(rig, 0, 2 * blockBytes)).status !== STATUS_OK, "a bad read")
        await rig.write(blockBytes, stamped(blockBytes, blockBytes, 2))
        const healed = await rig.read(blockBytes, blockBytes)
        checkBytes(healed, stamped(blockBytes, blockBytes, 2), "the block after writing it anew")
      },
    },
    {
      promise,
      title: "a write that the medium refuses fails with media-error, and its neighbours are done",
      needs: ["failWrites"],
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.write(0, stamped(0, 8 * blockBytes, 1))
        await rig.power("failWrites")(2 * blockBytes, blockBytes)
        const writes = [0, 1, 2, 3].map((nth) =>
          rig.startWrite(2 * nth * blockBytes, stamped(2 * nth * blockBytes, 2 * blockBytes, 2)),
        )
        const outcome = await rig.outcome(writes[1]!)
        rig.checkStatus(outcome, "media-error", "a write over a bad block")
        checkBadRange(outcome, 0, blockBytes)
        await rig.done(writes[0]!, writes[2]!, writes[3]!)
        const after = await rig.read(4 * blockBytes, 4 * blockBytes)
        checkBytes(after, stamped(4 * blockBytes, 4 * blockBytes, 2), "the other writes")
      },
    },
    {
      promise,
      title: "a flush that fails says so, and reads and writes go on",
      needs: ["failNextFlush"],
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.writeDurably(0, stamped(0, blockBytes, 1))
        await rig.power("failNextFlush")()
        rig.checkStatus(await rig.outcome(rig.startFlush()), "io-error", "a flush that fails")
        checkBytes(await rig.read(0, blockBytes), stamped(0, blockBytes, 1), "a durable block")
        await rig.write(blockBytes, stamped(blockBytes, blockBytes, 1))
        await rig.flush()
        const content = await rig.read(0, 2 * blockBytes)
        checkBytes(content, stamped(0, 2 * blockBytes, 1), "what was written afterwards")
      },
    },
  ]
}

async function readOutcome(
  rig: BlockRig<BlockSubject>,
  offset: number,
  bytes: number,
): Promise<Outcome> {
  const read = rig.startRead(offset, bytes)
  const outcome = await rig.outcome(read)
  rig.current.memory.release(read.lease)
  return outcome
}

/** Whole blocks were made bad, so there is no rounding in which the range could differ. */
function checkBadRange(outcome: Outcome, at: number, bytes: number): void {
  checkEqual(outcome.badAt, at, "where the bad range begins, relative to the operation")
  checkEqual(outcome.badBytes, bytes, "how long the bad range is")
}
