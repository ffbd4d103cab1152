/**
 * `npx pnpm test:native`: everything that stands on the native addon, over its sanitized build, in
 * several rounds. `--rounds N` says how many; the last line is `N passed, N failed`.
 */
import { parseArgs } from "node:util"
import { countsLine, type StageOutcome, sum } from "../test/stage.js"
import { runLong } from "./suites.js"

const ROUNDS_DEFAULT = "3"

const { values } = parseArgs({ options: { rounds: { type: "string", default: ROUNDS_DEFAULT } } })
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds ${values.rounds}: it is a whole number from 1`)
  process.exitCode = 2
} else process.exitCode = await runRounds()

async function runRounds(): Promise<number> {
  const outcomes: StageOutcome[] = []
  for (let round = 1; round <= rounds; round++) {
    const outcome = await runLong()
    if (outcome.text !== "") console.log(outcome.text)
    for (const { title, reason } of outcome.skips) console.log(`skipped: ${title}\n  ${reason}`)
    console.log(`round ${round} of ${rounds}: ${countsLine(outcome)}`)
    outcomes.push(outcome)
  }
  const total = sum(outcomes)
  console.log(countsLine(total))
  return total.failed === 0 ? 0 : 1
}
