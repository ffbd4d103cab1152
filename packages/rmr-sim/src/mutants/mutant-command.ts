/**
 * `sim mutants`: hunts in the product without one of its rules, rule by rule, until a hunt notices.
 *
 * The table says which seed was the first to notice, and by which promise. A mutant that no seed
 * within the bound notices is a failure: hunts do not look where that rule protects.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { FAULT_NAMES, type HuntOptions } from "../hunt/hunt.js"
import { progressLine } from "../hunt/hunt-command.js"
import { huntInParallel, huntOnce, type SeedReport } from "../hunt/hunt-workers.js"
import { MutantTree } from "./mutant-tree.js"
import { PRODUCT_MUTANTS, type ProductMutant } from "./product-mutants.js"

const USAGE = `usage: pnpm sim mutants [OPTIONS]

  --only TEXT     mutants whose name has this in it
  --seeds-max N   gives up, and fails, after so many seeds (default 200)
  --from M        the first seed (default 1)
  --faults a,b    hunts with only these, and nothing else that a seed would draw; all: with all,
                  also where a mutant names a plot of its own
  --jobs J        processes (default: one per processor)
  --list          only says which there are
  --json          one line of JSON for each
`

interface Caught {
  /** Seeds that were played until one noticed, that one included. */
  readonly seedsToCatch: number
  readonly report: SeedReport
}

type Print = (line: string) => void

/** Exit status. */
export async function runMutants(args: readonly string[], print: Print): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      "seeds-max": { type: "string", default: "200" },
      from: { type: "string", default: "1" },
      faults: { type: "string" },
      jobs: { type: "string", default: String(availableParallelism()) },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  const mutants = PRODUCT_MUTANTS.filter(({ name }) => name.includes(values.only))
  if (values.help || values.list) {
    print(values.help ? USAGE : mutants.map(({ name }) => name).join("\n"))
    return 0
  }
  const range = {
    from: Number(values.from),
    seedsMax: Number(values["seeds-max"]),
    jobs: Number(values.jobs),
  }
  const tree = await MutantTree.make()
  let missed = 0
  try {
    for (const mutant of mutants) {
      const faults = faultsOf(values.faults ?? mutant.plot)
      const caught = await hunted(tree, mutant, { ...range, hunt: { faults } })
      if (caught === undefined) missed++
      print(values.json ? jsonOf(mutant, caught) : lineOf(mutant, caught))
    }
  } finally {
    await tree.remove()
  }
  if (!values.json) print(`${mutants.length - missed} passed, ${missed} failed`)
  return missed === 0 && mutants.length > 0 ? 0 : 1
}

interface Bound {
  readonly from: number
  readonly seedsMax: number
  readonly jobs: number
  readonly hunt: HuntOptions
}

function faultsOf(words: string | undefined): readonly string[] | undefined {
  const faults = words === "all" ? undefined : words?.split(",")
  const unknown = faults?.find((name) => !FAULT_NAMES.includes(name))
  if (unknown !== undefined) throw new Error(`no fault is called ${unknown}`)
  return faults
}

/**
 * The first seed that notices. One that fails in the product as it is has noticed something else,
 * and counts for nothing.
 */
async function hunted(
  tree: MutantTree,
  mutant: ProductMutant,
  { from, seedsMax, jobs, hunt }: Bound,
): Promise<Caught | undefined> {
  for (let next = from; next < from + seedsMax; ) {
    const report = await firstToFail(tree, mutant, {
      from: next,
      seedsMax: from + seedsMax - next,
      jobs,
      hunt,
    })
    if (report === undefined) return undefined
    const { breach } = await huntOnce(report.seed, hunt)
    if (breach === undefined) return { seedsToCatch: Number(report.seed) - from + 1, report }
    process.stderr.write(`seed ${report.seed} fails without any mutant: ${breach.words}\n`)
    next = Number(report.seed) + 1
  }
  return undefined
}

/** The failing seed with the lowest number, among those that were begun before any failed. */
async function firstToFail(
  tree: MutantTree,
  mutant: ProductMutant,
  { from, seedsMax, jobs, hunt }: Bound,
): Promise<SeedReport | undefined> {
  const say = progressLine()
  const failed: SeedReport[] = []
  let seedCount = 0
  await tree.without(mutant, () =>
    huntInParallel({
      seeds: Array.from({ length: seedsMax }, (_, nth) => from + nth),
      jobs,
      hunt,
      isEnough: () => failed.length > 0,
      program: { main: tree.main, env: tree.environment, cwd: tree.root },
      onReport: (report) => {
        seedCount++
        if (report.breach !== undefined) failed.push(report)
        say(`${mutant.name}: ${seedCount} seeds`)
      },
    }),
  )
  say("")
  return failed.sort((a, b) => Number(a.seed) - Number(b.seed))[0]
}

function lineOf({ name, plot }: ProductMutant, caught: Caught | undefined): string {
  if (caught === undefined) return `MISS ${name}${plot === undefined ? "" : `, by ${plot}`}`
  const { breach, seed } = caught.report
  const words = (breach?.words ?? "").split("\n")[0]!.slice(0, 110)
  return `ok   ${name} (${caught.seedsToCatch} seeds: ${seed} ${breach?.kind}, ${words})`
}

function jsonOf({ name }: ProductMutant, caught: Caught | undefined): string {
  const { seedsToCatch, report } = caught ?? {}
  return JSON.stringify({ name, seedsToCatch, breach: report?.breach })
}
