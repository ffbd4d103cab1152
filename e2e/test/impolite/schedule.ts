/**
 * What goes wrong, when and for how long: made up from a seed and nothing else, so that a seed
 * plays the same schedule again. What the pool does in it depends on the machine as well.
 *
 * Host 0 is the client, the others are storage nodes. Faults of one step come together or one
 * after the other; most steps wait afterwards until the pool has healed, some do not. With three
 * members a pool goes on without one of them, and with IO that waits it survives any of it: no
 * disk is lost, and no power.
 */
import type { SeededRandom } from "../../../packages/rmr-testkit/src/world/seeded-random.js"

export const CLIENT = 0

/** What is done to hosts or to ways between them; each has an end, and then all is as before. */
export type Fault =
  | { readonly what: "kill" | "freeze" | "pull"; readonly host: number }
  /** Ends in order, as an administrator would have it, and is started again at the end. */
  | { readonly what: "stop"; readonly host: number }
  | { readonly what: "cut"; readonly from: number; readonly to: number }

export interface Timed {
  readonly fault: Fault
  readonly atMs: number
  readonly forMs: number
}

export interface Step {
  readonly name: string
  /** Undisturbed before it. */
  readonly calmMs: number
  readonly faults: readonly Timed[]
  /** Whether nothing else happens until the pool has healed. */
  readonly isAwaited: boolean
  /** A client that is started again waits until its last life is forgotten; else it need not. */
  readonly isPatient: boolean
}

/** Milliseconds, from and to. */
type Span = readonly [number, number]
type Draw = (random: SeededRandom, nodes: readonly number[]) => readonly Timed[]

const NOW = 0
/** Below and above the deadlines of the pool, and above that of a session (5 s). */
const SHORT: Span = [50, 700]
const LONG: Span = [1300, 6500]
/** What a process that died has sent its kernel tries again, for less than this (wires.ts). */
const ORPHANED_MS = 1900

function shortOrLong(random: SeededRandom): number {
  return random.between(...(random.chance(0.5) ? SHORT : LONG))
}

function timed(fault: Fault, forMs: number, atMs = NOW): Timed {
  return { fault, atMs, forMs }
}

function ways(random: SeededRandom, one: number, other: number): readonly Timed[] {
  const forMs = shortOrLong(random)
  return [
    timed({ what: "cut", from: one, to: other }, forMs),
    timed({ what: "cut", from: other, to: one }, forMs),
  ]
}

function oneOfAny(random: SeededRandom, host: number, atMs = NOW): Timed {
  const what = random.pick(["kill", "freeze", "pull", "stop"] as const)
  return timed({ what, host }, shortOrLong(random), atMs)
}

/** Two of these, in any order. */
function pair(random: SeededRandom, hosts: readonly number[]): readonly [number, number] {
  const one = random.pick(hosts)
  return [one, random.pick(hosts.filter((host) => host !== one))]
}

const one = (what: "kill" | "freeze" | "pull" | "stop", ms: Span): Draw => {
  return (random, nodes) => [timed({ what, host: random.pick(nodes) }, random.between(...ms))]
}

/** All storage nodes at once; none of them comes back at the same time as another. */
const all = (what: "kill" | "freeze" | "pull", withClient: boolean): Draw => {
  return (random, nodes) => {
    const hosts = withClient ? [CLIENT, ...nodes] : nodes
    return hosts.map((host) => timed({ what, host }, random.between(300, 4000)))
  }
}

const DRAWS = {
  "a node is killed": one("kill", [100, 5000]),
  "a node is stopped in order": one("stop", [100, 3000]),
  "a node is frozen for a moment": one("freeze", SHORT),
  "a node is frozen for longer than the deadlines": one("freeze", LONG),
  "a node's cable is pulled": one("pull", [100, 7000]),
  "the client and a node do not see each other": (random, nodes) =>
    ways(random, CLIENT, random.pick(nodes)),
  "two nodes do not see each other": (random, nodes) => ways(random, ...pair(random, nodes)),
  "one way is cut, and not back": (random, nodes) => {
    const [from, to] = pair(random, [CLIENT, ...nodes])
    return [timed({ what: "cut", from, to }, shortOrLong(random))]
  },
  "a node comes and goes": (random, nodes) => {
    const host = random.pick(nodes)
    const what = random.pick(["kill", "freeze", "pull"] as const)
    const each = random.between(200, 1800)
    return [0, 1, 2].map((nth) => timed({ what, host }, each / 2, nth * each))
  },
  "the client is killed": (random) => {
    return [timed({ what: "kill", host: CLIENT }, random.between(10, 2000))]
  },
  "the client is stopped in order": (random) => {
    return [timed({ what: "stop", host: CLIENT }, random.between(10, 1000))]
  },
  "the client is frozen": (random) => {
    return [timed({ what: "freeze", host: CLIENT }, shortOrLong(random))]
  },
  "the client and a node are killed": (random, nodes) => {
    return [CLIENT, random.pick(nodes)].map((host) => {
      return timed({ what: "kill", host }, random.between(10, 3000))
    })
  },
  "the client is killed while a node is away": (random, nodes) => {
    const away = oneOfAny(random, random.pick(nodes))
    const atMs = random.between(0, away.forMs)
    return [away, timed({ what: "kill", host: CLIENT }, random.between(10, 1500), atMs)]
  },
  // What it has sent to some reaches nobody any more, also when it is started again.
  "the client's host loses power": (random, nodes) => {
    const spared = random.pick(nodes)
    const others = nodes.filter((node) => node !== spared)
    const unreached = random.chance(0.5) ? others : [random.pick(others)]
    const cuts = unreached.map((to) => timed({ what: "cut", from: CLIENT, to }, ORPHANED_MS))
    const atMs = random.between(20, 200)
    return [...cuts, timed({ what: "kill", host: CLIENT }, ORPHANED_MS, atMs)]
  },
  "all are killed": all("kill", true),
  "all nodes are killed": all("kill", false),
  "all nodes are frozen": all("freeze", false),
  "all cables of nodes are pulled": all("pull", false),
  "the client's cable is pulled": (random) => {
    return [timed({ what: "pull", host: CLIENT }, random.between(100, 6000))]
  },
  "two nodes are away at once": (random, nodes) => {
    const [first, second] = pair(random, nodes)
    const begun = oneOfAny(random, first)
    return [begun, oneOfAny(random, second, random.between(0, begun.forMs))]
  },
} as const satisfies Readonly<Record<string, Draw>>

type Name = keyof typeof DRAWS

/** A short run has one of each, in any order. */
const GROUPS: readonly (readonly Name[])[] = [
  [
    "a node is killed",
    "a node is stopped in order",
    "a node is frozen for longer than the deadlines",
    "a node's cable is pulled",
    "a node comes and goes",
  ],
  [
    "the client and a node do not see each other",
    "two nodes do not see each other",
    "one way is cut, and not back",
    "a node is frozen for a moment",
  ],
  [
    "the client is killed",
    "the client is stopped in order",
    "the client and a node are killed",
    "the client is killed while a node is away",
    "the client's host loses power",
    "all are killed",
  ],
  [
    "the client is frozen",
    "all nodes are killed",
    "all nodes are frozen",
    "all cables of nodes are pulled",
    "the client's cable is pulled",
    "two nodes are away at once",
  ],
]

/** A short run has not more time than this for a fault: still longer than the deadline. */
const FOR_MS_MAX = 2000

/** All of it in proportion, so that what was at once is at once. */
function hurried(faults: readonly Timed[]): readonly Timed[] {
  const times = Math.min(1, FOR_MS_MAX / Math.max(...faults.map(({ forMs }) => forMs)))
  return faults.map(({ fault, atMs, forMs }) => timed(fault, forMs * times, atMs * times))
}

/** Without end; `isShort`: one of each group. */
export function* schedule(random: SeededRandom, count: number, isShort: boolean): Iterable<Step> {
  const nodes = Array.from({ length: count }, (_, nth) => nth + 1)
  if (isShort) {
    const groups = [...GROUPS]
    while (groups.length > 0) {
      const [group] = groups.splice(random.below(groups.length), 1)
      const name = random.pick(group!)
      const faults = hurried(DRAWS[name](random, nodes))
      yield { name, calmMs: random.between(100, 600), faults, isAwaited: true, isPatient: false }
    }
    return
  }
  for (;;) {
    const name = random.pick(random.pick(GROUPS))
    const calmMs = random.between(100, 3000)
    const faults = DRAWS[name](random, nodes)
    yield { name, calmMs, faults, isAwaited: random.chance(0.7), isPatient: random.chance(0.2) }
  }
}

export function wordsOf({ name, faults }: Step): string {
  const each = faults.map(({ fault, atMs, forMs }) => {
    const whom = fault.what === "cut" ? `${fault.from} > ${fault.to}` : `${fault.host}`
    return `${fault.what} ${whom} at ${Math.round(atMs)} for ${Math.round(forMs)} ms`
  })
  return `${name}: ${each.join(", ")}`
}
