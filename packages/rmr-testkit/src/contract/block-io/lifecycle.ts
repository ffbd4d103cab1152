/**
 * The states a subject can be in, and what becomes of each operation there.
 */
import { STATUS_OK } from "@rmr/core"
import type { Lifecycle, Trait } from "../traits.js"
import { CLAUSE_SHAPE, type MakeRig, type Numbered } from "./clause.js"
import { stamped } from "./content.js"
import type { BlockHarness, BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import type { Started } from "./started.js"

export const BLOCK_STATES = ["open", "reopened", "closing", "closed"] as const
export type BlockState = (typeof BLOCK_STATES)[number]

export type BlockTrait<Subject extends BlockSubject, Rig> = Trait<
  BlockHarness<Subject>,
  BlockState,
  Rig
>

/** What every operation but `close` owes. */
export const UNTIL_CLOSED: BlockTrait<BlockSubject, unknown>["results"] = {
  open: "done",
  reopened: "done",
  closing: "closed",
  closed: "closed",
}

const ALWAYS: BlockTrait<BlockSubject, unknown>["results"] = {
  open: "done",
  reopened: "done",
  closing: "done",
  closed: "done",
}

export function blockLifecycle<Subject extends BlockSubject, Rig extends BlockRig<Subject>>(
  makeRig: MakeRig<Subject, Rig>,
): Lifecycle<BlockHarness<Subject>, BlockState, Rig> {
  return {
    states: BLOCK_STATES,
    enter: async (harness, state) => {
      const rig = makeRig(harness, await harness.fresh(CLAUSE_SHAPE), CLAUSE_SHAPE)
      await rig.open()
      if (state === "reopened") await rig.reopen()
      await rig.prepare(0, rig.io.blockBytes)
      if (state === "closing") {
        rig.startFlush()
        void rig.io.close()
      }
      if (state === "closed") await rig.settled(rig.io.close(), "end of closing")
      return rig
    },
  }
}

export function blockTraits<Subject extends BlockSubject, Rig extends BlockRig<Subject>>({
  promise,
}: Numbered): BlockTrait<Subject, Rig>[] {
  const results = UNTIL_CLOSED
  return [
    { promise, results, operation: "reading", run: (rig) => endRead(rig) },
    {
      promise,
      results,
      operation: "writing",
      run: (rig) => end(rig, rig.startWrite(0, stamped(0, rig.io.blockBytes, 1))),
    },
    {
      promise,
      results,
      operation: "zeroing",
      run: (rig) => end(rig, rig.startZero(0, rig.io.blockBytes)),
    },
    { promise, results, operation: "flushing", run: (rig) => end(rig, rig.startFlush()) },
    {
      promise,
      results,
      operation: "growing",
      run: (rig) => rig.settled(rig.io.grow(rig.io.sizeBytes), "end of growing"),
    },
    {
      promise,
      results: ALWAYS,
      operation: "closing",
      run: (rig) => rig.settled(rig.io.close(), "end of closing"),
    },
  ]
}

/** Ends with what became of the operation. */
export async function end(rig: BlockRig<BlockSubject>, started: Started): Promise<void> {
  const { status } = await rig.outcome(started)
  if (status !== STATUS_OK) throw await rig.failure(started)
}

async function endRead(rig: BlockRig<BlockSubject>): Promise<void> {
  const read = rig.startRead(0, rig.io.blockBytes)
  await rig.outcome(read)
  rig.current.memory.release(read.lease)
  await end(rig, read)
}
