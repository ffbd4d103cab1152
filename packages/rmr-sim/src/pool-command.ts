/**
 * `sim pool`: hunts for broken promises in pools of real clients and nodes, seed after seed.
 *
 * A seed that fails is printed with what was broken and which faults there were; the same seed
 * fails again. The last line is `N passed, N failed`.
 */
import { hunt } from "./pool/hunt.js"

export const POOL_USAGE = `usage: sim pool [OPTIONS]

  --seeds N     how many seeds (default 20)
  --from M      the first of them (default 1)
  --rounds N    faults and calm so many times (default 1 to 3, by the seed)
  --faults a,b  only these faults
  --log N       of a seed that fails, the last N records of its log
`

interface PoolOptions {
  readonly seeds: number
  readonly from: number
  readonly rounds: number | undefined
  readonly faults: readonly string[] | undefined
  readonly log: number
}

/** Exit status. */
export async function runPool(
  args: readonly string[],
  print: (line: string) => void,
): Promise<number> {
  const options = parse(args)
  if (options === undefined) {
    print(POOL_USAGE)
    return args.includes("--help") ? 0 : 2
  }
  let stray: string | undefined
  process.on("unhandledRejection", (thrown) => {
    stray ??= thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  })
  const { seeds, from, rounds, faults, log } = options
  let failed = 0
  for (let seed = from; seed < from + seeds; seed++) {
    stray = undefined
    const result = await hunt(seed, {
      ...(rounds === undefined ? {} : { rounds }),
      ...(faults === undefined ? {} : { faults }),
    })
    const broken = result.broken ?? stray
    if (broken === undefined) continue
    failed++
    print(`FAIL seed ${seed} at ${Math.round(result.virtualMs)} ms: ${broken}`)
    print(`     faults: ${result.faults.join(", ")}`)
    const { records } = result.pool.sim.world.log
    for (const { atMs, event, fields } of records.slice(Math.max(0, records.length - log))) {
      print(`     ${atMs.toFixed(2)} ${event} ${JSON.stringify(fields)}`)
    }
  }
  print(`${seeds - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

function parse(args: readonly string[]): PoolOptions | undefined {
  const given = new Map<string, string>()
  for (let at = 0; at < args.length; at += 2) {
    const name = args[at]
    const value = args[at + 1]
    if (name === undefined || value === undefined || !KNOWN.includes(name)) return undefined
    given.set(name, value)
  }
  const rounds = given.get("--rounds")
  return {
    seeds: Number(given.get("--seeds") ?? 20),
    from: Number(given.get("--from") ?? 1),
    rounds: rounds === undefined ? undefined : Number(rounds),
    faults: given.get("--faults")?.split(","),
    log: Number(given.get("--log") ?? 0),
  }
}

const KNOWN = ["--seeds", "--from", "--rounds", "--faults", "--log"]
