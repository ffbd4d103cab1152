/**
 * @rmr/testkit/contract/memory: the promises A1…A5 of the memory port, as tests.
 *
 * ```ts
 * memoryContract("buddy memory", (shape) => buddyMemory({ ...shape, arenas: shape.arenaBytes }))
 * ```
 */
import type { Memory } from "@rmr/core"
import type { Clause } from "../clause.js"
import type { Runner } from "../runner.js"
import { runClauses } from "../runner.js"
import { handleClauses } from "./handles.js"
import type { MemoryHarness, MemoryShape } from "./harness.js"
import { leaseClauses } from "./leases.js"
import { oracleClauses } from "./oracle.js"
import { roomClauses } from "./room.js"
import { waiterClauses } from "./waiters.js"

export type { MemoryHarness, MemoryShape } from "./harness.js"

export const memoryClauses: readonly Clause<MemoryHarness>[] = [
  ...leaseClauses,
  ...handleClauses,
  ...roomClauses,
  ...waiterClauses,
  ...oracleClauses,
]

/** Declares the suite for one implementation. `create` makes a fresh memory with nothing leased. */
export function memoryContract(
  name: string,
  create: (shape: MemoryShape) => Memory,
  runner?: Runner,
): void {
  runClauses(`${name}: memory contract`, memoryClauses, { open: () => ({ create }) }, runner)
}
