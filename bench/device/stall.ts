/**
 * `pnpm bench:stall`: for how long IO stands still when one of three storage nodes is gone without
 * a word (promise P6), and how fast it goes on.
 *
 *   pnpm bench:stall                       both deadlines, faults, depths and mixes, three rounds
 *   pnpm bench:stall --deadlines 200 --faults freeze --depths 1 --mixes randwrite --rounds 1
 *
 * Three storage nodes and a client, daemons as users run them, each in a network namespace of its
 * own. fio reads or writes 4 KiB at random; the cable of one node is pulled, or the node is stopped
 * (SIGSTOP), and stays so. Times are fio's, from its log of every request; when a node was put out
 * says the client's log. Root is needed for the namespaces.
 * Exit code 1: a median misses what must be, or fio saw an error.
 */
import { parseArgs } from "node:util"
import { median } from "./daemons.js"
import { type StallRound, type StallShape, stallRound } from "./stall-round.js"
import { whyNoWires } from "./wires.js"

const MIB = 2 ** 20
const OVER_MS = 500
const TIMES = 2

const { values: options } = parseArgs({
  options: {
    deadlines: { type: "string", default: "3000,200" },
    faults: { type: "string", default: "pull,freeze" },
    depths: { type: "string", default: "1,16" },
    mixes: { type: "string", default: "randwrite,randrw" },
    rounds: { type: "string", default: "3" },
    folder: { type: "string", default: "/dev/shm" },
    mib: { type: "string", default: "256" },
  },
})

const words = (text: string): string[] => text.split(",")

function* shapes(): Iterable<StallShape> {
  const { folder } = options
  const sizeBytes = Number(options.mib) * MIB
  for (const deadlineMs of words(options.deadlines).map(Number)) {
    for (const fault of words(options.faults) as StallShape["fault"][]) {
      for (const rw of words(options.mixes) as StallShape["rw"][]) {
        for (const depth of words(options.depths).map(Number)) {
          yield { fault, deadlineMs, depth, rw, folder, sizeBytes }
        }
      }
    }
  }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US")
}

/** One row of a table; whether everything is as it must be. */
function judge(shape: StallShape, rounds: readonly StallRound[]): boolean {
  const of = (key: keyof StallRound): number => median(rounds.map((round) => round[key]))
  const spread = (key: keyof StallRound): string => {
    const all = rounds.map((round) => round[key])
    return `${whole(of(key))} (${whole(Math.min(...all))} … ${whole(Math.max(...all))})`
  }
  const errors = rounds.reduce((sum, round) => sum + round.errors, 0)
  const ratio = median(rounds.map((round) => round.laterP99Us / round.healthyP99Us))
  const mustMs = shape.deadlineMs + OVER_MS
  const isGood = of("stallMs") <= mustMs && ratio <= TIMES && errors === 0
  const cells = [
    `${shape.fault}, ${shape.deadlineMs} ms`,
    `${shape.rw}, depth ${shape.depth}`,
    spread("stallMs"),
    `≤ ${whole(mustMs)}`,
    `${errors}`,
    spread("healthyP99Us"),
    spread("firstP99Us"),
    spread("laterP99Us"),
    ratio.toFixed(2),
    `${whole(of("healthyIops"))}, ${whole(of("laterIops"))}`,
    isGood ? "ok" : "short",
  ]
  console.log(`| ${cells.join(" | ")} |`)
  return isGood
}

const why = whyNoWires()
if (why !== "") throw new Error(why)
const columns = [
  ...["Fault, deadline", "Load", "Longest stall, ms", "Must", "Errors", "p99 µs before"],
  ...["in the first second", "after it", "Ratio", "IOPS before, after", "Verdict"],
]
console.log(`| ${columns.join(" | ")} |`)
console.log(`| --- | --- |${" ---: |".repeat(columns.length - 3)} --- |`)
for (const shape of shapes()) {
  const rounds: StallRound[] = []
  for (let nth = 0; nth < Number(options.rounds); nth++) rounds.push(await stallRound(shape))
  if (!judge(shape, rounds)) process.exitCode = 1
}
