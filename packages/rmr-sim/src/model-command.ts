/**
 * `pnpm model`: explores the pool model to the last state of every bound, then takes out one rule
 * after another and demands that each absence is caught. The last line is `N passed, N failed`.
 */
import {
  type Bound,
  explore,
  LARGE_BOUNDS,
  MUTANTS,
  PoolMachine,
  RULES,
  TEST_BOUNDS,
} from "./model/index.js"

const USAGE = `usage: model [--bound test|large] [--only NAME] [--states-max N] [--json]

  --bound test     the bounds that every test run explores (default)
  --bound large    wider ones: tens of minutes and several GiB of memory
  --only NAME      bounds and mutants whose name begins with NAME
  --states-max N   gives up, and fails, beyond N states in one bound (default 60000000)
  --json           one line of JSON for each exploration instead of a table
`

interface Options {
  readonly bounds: readonly Bound[]
  readonly only: string
  readonly statesMax: number
  readonly isJson: boolean
}

class UsageError extends Error {}

function parse(args: readonly string[]): Options | undefined {
  let bounds = TEST_BOUNDS
  let only = ""
  let statesMax = 60_000_000
  let isJson = false
  for (let i = 0; i < args.length; i++) {
    const option = args[i]
    if (option === "--help" || option === "-h") return undefined
    if (option === "--json") {
      isJson = true
      continue
    }
    const value = args[++i]
    if (value === undefined) throw new UsageError(`${option} needs a value`)
    if (option === "--only") only = value
    else if (option === "--bound" && value === "test") bounds = TEST_BOUNDS
    else if (option === "--bound" && value === "large") bounds = LARGE_BOUNDS
    else if (option === "--states-max" && Number(value) > 0) statesMax = Number(value)
    else throw new UsageError(`${option} ${value} is not known`)
  }
  return { bounds, only, statesMax, isJson }
}

interface Tally {
  passed: number
  failed: number
  states: number
}

function exploreBounds(options: Options, tally: Tally): void {
  for (const bound of options.bounds) {
    if (!bound.name.startsWith(options.only)) continue
    const result = explore(new PoolMachine(RULES, bound), {
      statesMax: options.statesMax,
      onProgress: (states, depth) => progress(`${bound.name}: ${states} states, depth ${depth}`),
    })
    tally.states += result.states
    const isGood = result.isComplete && result.violation === undefined
    tally[isGood ? "passed" : "failed"]++
    const figures = { states: result.states, transitions: result.transitions, depth: result.depth }
    report(options, { bound: bound.name, isGood, ...figures, message: result.violation?.message })
    if (result.violation !== undefined) tell(result.violation.trace)
    else if (!result.isComplete)
      console.log(`    not explored to the end: over ${options.statesMax}`)
  }
}

function exploreMutants(options: Options, tally: Tally): void {
  for (const mutant of MUTANTS) {
    if (!mutant.name.startsWith(options.only)) continue
    const result = explore(new PoolMachine(mutant.rules, mutant.bound), {
      statesMax: options.statesMax,
    })
    tally.states += result.states
    const isGood = result.violation !== undefined
    tally[isGood ? "passed" : "failed"]++
    report(options, {
      without: mutant.name,
      isGood,
      states: result.states,
      steps: result.violation?.trace.length,
      message: result.violation?.message ?? "nothing is broken without this rule",
    })
  }
}

type Line = Readonly<Record<string, string | number | boolean | undefined>>

function report(options: Options, line: Line): void {
  progress("")
  if (options.isJson) {
    console.log(JSON.stringify(line))
    return
  }
  const mark = line["isGood"] === true ? "ok  " : "FAIL"
  const what = line["bound"] === undefined ? `without ${line["without"]}` : `${line["bound"]}`
  const count = `${line["states"]} states`
  const how = line["message"] === undefined ? "" : `: ${line["message"]}`
  console.log(`${mark} ${what} (${count})${how}`)
}

function tell(trace: readonly string[]): void {
  for (const [i, step] of trace.entries()) console.log(`    ${i + 1}. ${step}`)
}

/** One line that overwrites itself, only where somebody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

/** Exit status. */
export function runModel(args: readonly string[]): number {
  let options: Options | undefined
  try {
    options = parse(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`model: ${error.message}\n\n${USAGE}`)
    return 2
  }
  if (options === undefined) {
    console.log(USAGE)
    return 0
  }
  const tally: Tally = { passed: 0, failed: 0, states: 0 }
  exploreBounds(options, tally)
  exploreMutants(options, tally)
  if (!options.isJson) console.log(`${tally.states} states explored`)
  console.log(`${tally.passed} passed, ${tally.failed} failed`)
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1
}
