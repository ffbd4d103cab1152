/**
 * `npm test` after set-up: runs the stages in order and counts.
 *
 * The last line is always `N passed, N failed`, with `, N skipped` where something was skipped;
 * then every skip was printed with its reason above. A program may rely on that line and on the
 * exit code.
 */
import { performance } from "node:perf_hooks"
import { parseOptions } from "./options.js"
import { broken, countsLine, type StageOutcome, sum } from "./stage.js"
import { STAGES } from "./stage-list.js"
import { STAGES_BY_NAME } from "./stages.js"

const options = parseOptions(process.argv.slice(2))
if ("problem" in options) {
  console.error(options.problem)
  process.exitCode = 2
} else {
  process.exitCode = await runStages(options.only, options.bail, options.failedSteps)
}

async function runStages(
  only: readonly string[],
  bail: boolean,
  failedSteps: readonly string[],
): Promise<number> {
  const startMs = performance.now()
  const outcomes: StageOutcome[] = failedSteps.map((step) => {
    console.log(`\nset-up: ${step} failed, see above; it counts as one failure`)
    return broken("")
  })
  for (const { name, title } of STAGES) {
    if (only.length > 0 && !only.includes(name)) continue
    console.log(`\n${name}: ${title}`)
    const outcome = await runStage(name)
    outcomes.push(outcome)
    if (bail && outcome.failed > 0) break
  }
  const total = sum(outcomes)
  if (total.skips.length > 0) console.log("\nskipped:")
  for (const { title, reason } of total.skips) console.log(`  ${title}\n    ${reason}`)
  console.log(`\ntotal, in ${secondsSince(startMs)} s`)
  console.log(countsLine(total))
  return total.failed === 0 ? 0 : 1
}

async function runStage(name: string): Promise<StageOutcome> {
  const startMs = performance.now()
  const stage = STAGES_BY_NAME[name]
  const say = (line: string): void => console.log(`  | ${line}`)
  const outcome =
    stage === undefined
      ? broken(`  no stage of this name in stages.ts`)
      : await stage.run({ say }).catch((thrown: unknown) => broken(`  crashed: ${details(thrown)}`))
  if (outcome.text !== "") console.log(outcome.text)
  console.log(`  ${countsLine(outcome)}, in ${secondsSince(startMs)} s`)
  return outcome
}

function details(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}

function secondsSince(startMs: number): string {
  return ((performance.now() - startMs) / 1000).toFixed(1)
}
