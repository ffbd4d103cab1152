/**
 * Overlapping operations in flight: any order, but every atomic unit is one of them, never a
 * mixture.
 */
import { check } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { isSame, stamped } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"

const ROUNDS = 16

export function overlapClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "of overlapping writes in flight together every atomic unit is one, wholly",
      run: async (rig) => {
        for (let round = 0; round < ROUNDS; round++) await overlap(rig, round, false)
      },
    },
    {
      promise,
      title: "a zero among overlapping writes is one of them",
      run: async (rig) => {
        for (let round = 0; round < ROUNDS; round++) await overlap(rig, round, true)
      },
    },
  ]
}

/** Four operations of eight blocks, each a block further, over a ground that all of them cover. */
async function overlap(
  rig: BlockRig<BlockSubject>,
  round: number,
  withZero: boolean,
): Promise<void> {
  const { blockBytes } = rig.io
  const span = 8 * blockBytes
  const ground = stamped(0, span + 3 * blockBytes, 1000)
  await rig.write(0, ground)
  const offsets = [0, 1, 2, 3].map((nth) => nth * blockBytes)
  const contents = offsets.map((offset, nth) => stamped(offset, span, 4 * round + nth))
  const all = offsets.map((offset, nth) => rig.startWrite(offset, contents[nth]!))
  if (withZero) {
    all.push(rig.startZero(0, span))
    offsets.push(0)
    contents.push(new Uint8Array(span))
  }
  await rig.done(...all)
  const found = await rig.read(0, ground.length)
  for (let at = 0; at < ground.length; at += rig.io.atomicBytes) {
    const unit = found.subarray(at, at + rig.io.atomicBytes)
    const isWhole = contents.some((content, nth) => {
      const from = at - offsets[nth]!
      return from >= 0 && from < span && isSame(unit, content.subarray(from, from + unit.length))
    })
    check(isWhole, `the unit at ${at} to be one of the overlapping operations, round ${round}`)
  }
}
