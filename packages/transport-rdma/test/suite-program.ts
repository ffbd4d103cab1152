/**
 * A program for a guest of the lab: runs the transport suite over a device, one line per clause.
 *
 * ```
 * suite-program HOST[,HOST] placed|exposed|send [PATTERN]
 * ```
 */

import { clauseTitle, runAll } from "@rmr/testkit"
import { transportClauses } from "@rmr/testkit/contract/transport"
import type { RdmaOptions } from "../src/index.js"
import { rdmaHarness } from "./rdma-harness.js"

const VARIANTS: Readonly<Record<string, RdmaOptions>> = {
  placed: {},
  exposed: { placedBytesMax: 0 },
  send: { tellBySend: true },
}
const NOTHING_BETWEEN = "nothing lies between the two ends"

const [host = "10.71.1.1", variant = "placed", pattern = ""] = process.argv.slice(2)
const options = VARIANTS[variant]
if (options === undefined) throw new Error(`${variant} is none of ${Object.keys(VARIANTS).join()}`)
const absent = { silence: NOTHING_BETWEEN, changeNext: NOTHING_BETWEEN }
const clauses = transportClauses(absent).filter((clause) => clauseTitle(clause).match(pattern))
let failed = 0
for (const clause of clauses) {
  const began = performance.now()
  const [outcome] = await runAll([clause], {
    open: () => rdmaHarness(host, options),
    close: (harness) => (harness as Awaited<ReturnType<typeof rdmaHarness>>).close(),
  })
  const ms = Math.round(performance.now() - began)
  const error = outcome?.error
  if (error !== undefined) failed++
  const end = error === undefined ? "ok" : "FAILED"
  process.stdout.write(`${end} ${ms} ms ${clauseTitle(clause)}\n`)
  if (error !== undefined) process.stdout.write(`${error.stack}\n`)
}
process.stdout.write(`${clauses.length - failed} kept, ${failed} broken\n`)
process.exitCode = failed === 0 ? 0 : 1
