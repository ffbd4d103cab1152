/**
 * The targets that the device bench knows, by the names that people give them, and which of them
 * can be had in which shape.
 */
import { startCppCeiling, startJsCeiling } from "./ceilings.js"
import { startGluster } from "./gluster.js"
import { startExport } from "./ours.js"
import { startPlainPool, startPool } from "./pool.js"
import { startQuorum, startSingle } from "./qemu.js"
import type { Site } from "./shapes.js"
import { startNbdkit, startRaw } from "./single-copies.js"
import { LeftOut, type State, type Target, type TargetOptions } from "./target.js"

interface Kind {
  readonly name: string
  /** So many, or as many as are asked for. */
  readonly copies: 1 | 2 | "any"
  /** What takes part where a pool is in that state. */
  readonly states: readonly State[]
  /** `from`: the folder of ceilings. */
  start(options: TargetOptions, from: string): Promise<Target>
}

const HEALTHY: readonly State[] = ["healthy"]
const ALL: readonly State[] = ["healthy", "degraded", "resyncing"]

/** In the order in which they are started; others are compared with the first that is there. */
const KINDS: readonly Kind[] = [
  { name: "single", copies: 1, states: HEALTHY, start: startSingle },
  { name: "nbdkit", copies: 1, states: HEALTHY, start: startNbdkit },
  { name: "raw", copies: 1, states: HEALTHY, start: startRaw },
  { name: "quorum", copies: "any", states: ALL, start: startQuorum },
  { name: "gluster", copies: 2, states: HEALTHY, start: startGluster },
  { name: "export", copies: 1, states: HEALTHY, start: startExport },
  { name: "pool", copies: "any", states: ALL, start: startPool },
  { name: "plain", copies: "any", states: ALL, start: startPlainPool },
  {
    ...{ name: "ceiling-cpp", copies: 2, states: HEALTHY },
    start: (options, from) => startCppCeiling(from, options),
  },
  {
    ...{ name: "ceiling-js", copies: 2, states: HEALTHY },
    start: (options, from) => startJsCeiling(from, options),
  },
]

export const CEILING_NAMES: readonly string[] = ["ceiling-cpp", "ceiling-js"]

/** Fails where a name is nobody's. */
export function kindsNamed(names: readonly string[]): readonly Kind[] {
  const unknown = names.filter((name) => !KINDS.some((kind) => kind.name === name))
  const all = KINDS.map(({ name }) => name).join(", ")
  if (unknown.length > 0) throw new Error(`there is no target ${unknown.join(", ")}, but ${all}`)
  return KINDS.filter(({ name }) => names.includes(name))
}

/** Why a target is not one of a site; undefined where it is. */
export function whyNotAt({ copies, states }: Kind, { members, state }: Site): string | undefined {
  if (copies === 2 && members !== 2) return "it has two copies"
  return states.includes(state) ? undefined : `it is never ${state}`
}

export interface Started {
  readonly options: Omit<TargetOptions, "members" | "state">
  readonly kinds: readonly Kind[]
  /** Of the ceilings. */
  readonly from: string
  say(line: string): void
}

/** Adds to `targets` one after the other, so that those can be stopped of which the next fails. */
export async function startAt(site: Site, started: Started, targets: Target[]): Promise<void> {
  for (const kind of started.kinds) {
    const why = whyNotAt(kind, site)
    if (why !== undefined) {
      started.say(`${kind.name} is left out: ${why}`)
      continue
    }
    try {
      targets.push(await kind.start({ ...started.options, ...site }, started.from))
    } catch (error) {
      if (!(error instanceof LeftOut)) throw error
      started.say(`${kind.name} is left out: ${error.message}`)
    }
  }
}
