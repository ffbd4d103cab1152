/**
 * The jobs of the device bench, and what a pool of two members must have beside QEMU's quorum.
 */

export interface Job {
  readonly name: string
  /** `mix`: seven reads to three writes, at random. */
  readonly rw: "randread" | "randwrite" | "mix" | "read" | "write"
  readonly blockSize: string
  /** Of all connections together. */
  readonly depth: number
  /** One, where nothing is said. */
  readonly connections?: number
  /** So many times the IOPS. */
  readonly must?: number
  /** So much of the CPU per IO, at most. */
  readonly mustCpu?: number
  /** System calls per IO of all processes, at most. */
  readonly mustCalls?: number
}

const SMALL = { blockSize: "4k" } as const

export const JOBS: readonly Job[] = [
  {
    ...{ ...SMALL, name: "4k randwrite, depth 32", rw: "randwrite", depth: 32 },
    ...{ must: 2.8, mustCpu: 0.35, mustCalls: 2 },
  },
  { ...SMALL, name: "4k randread, depth 32", rw: "randread", depth: 32, must: 6 },
  { ...SMALL, name: "4k randwrite, depth 1", rw: "randwrite", depth: 1, must: 1.6 },
  { ...SMALL, name: "4k randread, depth 1", rw: "randread", depth: 1, must: 2.2 },
  { name: "64k write, depth 8", rw: "write", blockSize: "64k", depth: 8, must: 1.5 },
  { name: "64k read, depth 8", rw: "read", blockSize: "64k", depth: 8, must: 1.7 },
  { name: "1m write, depth 8", rw: "write", blockSize: "1m", depth: 8, must: 1.8 },
  { name: "1m read, depth 8", rw: "read", blockSize: "1m", depth: 8, must: 1.2 },
  { ...SMALL, name: "4k 70/30 mix, depth 32", rw: "mix", depth: 32 },
  { ...SMALL, name: "4k 70/30 mix, depth 1", rw: "mix", depth: 1 },
  { ...SMALL, name: "4k randwrite, depth 128", rw: "randwrite", depth: 128 },
  { ...SMALL, name: "4k randread, depth 128", rw: "randread", depth: 128 },
  { ...SMALL, name: "4k 70/30 mix, depth 128", rw: "mix", depth: 128 },
]

/** Those that are measured where time is short. */
export const QUICK_JOBS: readonly Job[] = JOBS.filter(({ must }) => must !== undefined)

/** On a disk, past the cache of the kernel. */
const ON_DISK: ReadonlyMap<string, number> = new Map([
  ["4k randwrite, depth 32", 1.4],
  ["4k randread, depth 32", 4],
])

/** The same where the stores lie on a disk: other bounds, since the disk has its own. */
export function jobsOnDisk(jobs: readonly Job[]): readonly Job[] {
  return jobs.map(({ name, rw, blockSize, depth }) => {
    const must = ON_DISK.get(name)
    return { name, rw, blockSize, depth, ...(must === undefined ? {} : { must }) }
  })
}
