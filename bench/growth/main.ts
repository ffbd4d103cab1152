/**
 * `pnpm bench:growth`: how memory and CPU grow with pools, volumes, dirty chunks and time.
 *
 *   pnpm bench:growth                       everything; `--only pools,volumes,dirty,endurance`
 *   pnpm bench:growth --quick               fewer and shorter, in some minutes
 *   pnpm bench:growth --seconds 3 --rounds 3 --folder /dev/shm
 *   pnpm bench:growth --only endurance --ios 100000000
 *   pnpm bench:growth --json                the rows for a program
 *
 * Daemons as users run them, with sparse stores on tmpfs, and fio where there is a load. A ratio is
 * to the smallest of its kind. It runs the packages as they were built last. Exit code 1: something
 * could not be measured, or is more than was promised.
 */
import { parseArgs } from "node:util"
import { missingTools } from "../device/tools.js"
import { measureDirty } from "./dirty.js"
import { measureEndurance } from "./endurance.js"
import { type Row, tableOf, verdictOf } from "./figures.js"
import type { Options } from "./fleet.js"
import { measurePools } from "./pools.js"
import { measureVolumes } from "./volumes.js"

const PARTS = {
  pools: measurePools,
  volumes: measureVolumes,
  dirty: measureDirty,
  endurance: measureEndurance,
} as const

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(PARTS).join(",") },
    quick: { type: "boolean", default: false },
    seconds: { type: "string" },
    rounds: { type: "string" },
    ios: { type: "string", default: "1000000" },
    folder: { type: "string", default: "/dev/shm" },
    json: { type: "boolean", default: false },
  },
})

const wanted = values.only.split(",")
const unknown = wanted.find((name) => !(name in PARTS))
if (unknown !== undefined) throw new Error(`no part ${unknown}; there are ${Object.keys(PARTS)}`)
const missing = missingTools()
if (missing !== undefined) throw new Error(missing)

const options: Options = {
  folder: values.folder,
  isQuick: values.quick,
  seconds: Number(values.seconds ?? (values.quick ? 1 : 3)),
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
  ios: Number(values.ios),
  say: (line) => process.stderr.write(`${line}\n`),
}
const rows: Row[] = []
for (const [name, measure] of Object.entries(PARTS)) {
  if (wanted.includes(name)) rows.push(...(await measure(options)))
}
console.log(values.json ? JSON.stringify(rows, null, 2) : tableOf(rows))
if (rows.some((row) => verdictOf(row) === "short")) process.exitCode = 1
