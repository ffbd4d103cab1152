/**
 * Random histories of A1, A2 and A4 against a model that is nothing but a table of what is live.
 */
import type { Lease, Memory } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import { seededRandom } from "../../world/seeded-random.js"
import { check, checkEqual } from "../check.js"
import type { Clause } from "../clause.js"
import type { MemoryHarness } from "./harness.js"
import { bytesOf, holdsOnly, leaseOf, SMALL_SHAPE } from "./harness.js"

const SEEDS = 10
const STEPS = 400

interface Held {
  readonly lease: Lease
  references: number
  /** What all its bytes hold. */
  readonly mark: number
}

/** One history. Each lease is filled with a mark, and must still hold it when it goes. */
function live(memory: Memory, seed: number): void {
  const random = seededRandom(`memory-${seed}`)
  const held: Held[] = []
  const where = (step: number): string => `(seed ${seed}, step ${step})`
  for (let step = 0; step < STEPS; step++) {
    const choice = random.below(10)
    if (choice < 5) {
      const bytes = random.between(1, random.pick([4096, 16_384, memory.leaseBytesMax]))
      const lease = memory.lease(bytes)
      if (lease === NO_LEASE) check(held.length > 0, `room in an empty memory ${where(step)}`)
      else {
        const mark = random.below(256)
        bytesOf(memory, lease).fill(mark)
        held.push({ lease, references: 1, mark })
      }
    } else if (held.length > 0) {
      const one = random.pick(held)
      const isIntact = holdsOnly(memory, one.lease, one.mark)
      check(isIntact, `lease ${one.lease} to hold its own bytes ${where(step)}`)
      if (choice < 6) {
        memory.retain(one.lease)
        one.references++
      } else {
        memory.release(one.lease)
        if (--one.references === 0) held.splice(held.indexOf(one), 1)
      }
    }
    checkEqual(memory.stats().leaseCount, held.length, `count of leases ${where(step)}`)
  }
  for (const { lease, references } of held) {
    for (let at = 0; at < references; at++) memory.release(lease)
  }
  checkEqual(memory.stats().leasedBytes, 0, `leased bytes at the end (seed ${seed})`)
}

export const oracleClauses: readonly Clause<MemoryHarness>[] = [
  {
    promise: "A2",
    title: "random histories match a table of what is live, and end with everything free",
    run: ({ create }) => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const memory = create(SMALL_SHAPE)
        live(memory, seed)
        memory.release(leaseOf(memory, memory.leaseBytesMax))
      }
    },
  },
]
