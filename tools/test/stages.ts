/**
 * What each stage of `npm test` does. Order and titles are in stage-list.js; limits of time are
 * here, several times what a stage takes on two busy cores.
 */
import { runShort } from "../sanitize/suites.js"
import { commandStage, countingStage, source } from "./command-stage.js"
import { jestStage } from "./jest-stage.js"
import type { Stage } from "./stage.js"

const MINUTE_MS = 60_000
const TSC = "node_modules/typescript/bin/tsc"

export const STAGES_BY_NAME: Readonly<Record<string, Stage>> = {
  lint: commandStage(2 * MINUTE_MS, [["biome", "check", "--error-on-warnings", "."]]),
  tidy: countingStage(MINUTE_MS, source("tools/tidy/main.ts")),
  typecheck: commandStage(5 * MINUTE_MS, [
    ["node", TSC, "-b"],
    ["node", TSC, "-p", "tsconfig.test.json"],
  ]),
  unit: jestStage("unit", 15 * MINUTE_MS),
  contract: jestStage("contract", 10 * MINUTE_MS),
  native: { run: runShort },
  bench: commandStage(5 * MINUTE_MS, [source("bench/src/main.ts", "--smoke")]),
  packages: jestStage("packages", 15 * MINUTE_MS),
  e2e: jestStage("e2e", 20 * MINUTE_MS),
  sim: countingStage(
    15 * MINUTE_MS,
    source("packages/rmr-sim/src/main.ts", "--seeds", "80", "--twice", "8"),
  ),
  model: countingStage(
    20 * MINUTE_MS,
    source("packages/rmr-sim/src/main.ts", "model", "--bound", "test"),
  ),
}
