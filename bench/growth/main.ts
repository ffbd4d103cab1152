/**
 * `pnpm bench:growth`: how memory and CPU grow with pools, volumes, dirty chunks and time.
 *
 * Daemons as users run them, with sparse stores on tmpfs, and fio where there is a load. A ratio is
 * to the smallest of its kind. A part that cannot be measured is said and loses no other part.
 */
import { parseArgs } from "node:util"
import { missingTools } from "../device/tools.js"
import { measureDirty } from "./dirty.js"
import { measureEndurance } from "./endurance.js"
import { type Row, tableOf, verdictOf } from "./figures.js"
import type { Options } from "./fleet.js"
import { measureLoops } from "./loops.js"
import { measurePools } from "./pools.js"
import { measureVolumes } from "./volumes.js"

const PARTS = {
  pools: measurePools,
  loops: measureLoops,
  volumes: measureVolumes,
  dirty: measureDirty,
  endurance: measureEndurance,
} as const

const HELP = `How memory and CPU of daemons grow: pnpm bench:growth [options]

  --only LIST      of ${Object.keys(PARTS).join(",")}; all of them where it is not said
  --quick          fewer and shorter, in some minutes
  --seconds N      of each load, by default 3 (--quick: 1)
  --rounds N       of each load, by default 3 (--quick: 1); medians count
  --ios N          of endurance, by default 1000000
  --folder FOLDER  where stores lie, by default /dev/shm
  --json           the rows for a program
  --help           this

The packages are run as they were built last. Exit code 1: something could not be measured, or is
more than was promised; 2: the words mean nothing.
`

const EXIT_WORDS = 2

interface Asked {
  readonly parts: readonly (keyof typeof PARTS)[]
  readonly isJson: boolean
  readonly options: Options
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Undefined where somebody only wants help. Fails with what is wrong with the words. */
function askedBy(words: readonly string[]): Asked | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: "string", default: Object.keys(PARTS).join(",") },
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      rounds: { type: "string" },
      ios: { type: "string", default: "1000000" },
      folder: { type: "string", default: "/dev/shm" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return undefined
  const shortly = values.quick ? "1" : "3"
  return {
    parts: values.only.split(",").map(partNamed),
    isJson: values.json,
    options: {
      folder: values.folder,
      isQuick: values.quick,
      seconds: countIn("--seconds", values.seconds ?? shortly),
      rounds: countIn("--rounds", values.rounds ?? shortly),
      ios: countIn("--ios", values.ios),
      say,
    },
  }
}

function partNamed(name: string): keyof typeof PARTS {
  if (name in PARTS) return name as keyof typeof PARTS
  throw new Error(`--only ${name}: there are ${Object.keys(PARTS).join(", ")}`)
}

function countIn(option: string, text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new Error(`${option} ${text}: it is a whole number above 0`)
}

async function measure({ parts, options }: Asked): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const part of parts) {
    try {
      rows.push(...(await PARTS[part](options)))
    } catch (thrown) {
      say(`${part} could not be measured: ${thrown instanceof Error ? thrown.stack : thrown}`)
      process.exitCode = 1
    }
  }
  return rows
}

async function run(): Promise<void> {
  let asked: Asked | undefined
  try {
    asked = askedBy(process.argv.slice(2))
  } catch (thrown) {
    say(`${(thrown as Error).message}; --help tells more`)
    process.exitCode = EXIT_WORDS
    return
  }
  if (asked === undefined) {
    process.stdout.write(HELP)
    return
  }
  const missing = missingTools()
  if (missing !== undefined) throw new Error(missing)
  const rows = await measure(asked)
  process.stdout.write(`${asked.isJson ? JSON.stringify(rows, null, 2) : tableOf(rows)}\n`)
  if (rows.some((row) => verdictOf(row) === "short")) process.exitCode = 1
}

await run()
