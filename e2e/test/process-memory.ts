/**
 * How much memory processes have resident, over time: what belongs to them alone is what counts, so
 * files that they map and that the kernel may drop are told apart.
 */
import { readFileSync } from "node:fs"

export interface Resident {
  /** Everything, as `ps` shows it. */
  readonly bytes: number
  /** Without mapped files: the heap, buffers and stacks. */
  readonly ownBytes: number
}

export function residentOf(pid: number): Resident {
  const text = readFileSync(`/proc/${pid}/status`, "utf8")
  const kibOf = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? Number.NaN)
  return { bytes: kibOf("VmRSS") * 1024, ownBytes: kibOf("RssAnon") * 1024 }
}

/** Looks at processes again and again until it is told to end. */
export class MemoryWatch {
  private readonly samples = new Map<string, number[]>()
  private readonly timer: NodeJS.Timeout

  constructor(pidsByName: ReadonlyMap<string, number>, everyMs: number) {
    for (const name of pidsByName.keys()) this.samples.set(name, [])
    this.timer = setInterval(() => {
      for (const [name, pid] of pidsByName) this.samples.get(name)?.push(residentOf(pid).bytes)
    }, everyMs)
  }

  /** For each process the medians of its first and its last third. */
  end(): ReadonlyMap<string, { readonly firstBytes: number; readonly lastBytes: number }> {
    clearInterval(this.timer)
    const thirds = new Map<string, { firstBytes: number; lastBytes: number }>()
    for (const [name, samples] of this.samples) {
      const third = Math.max(1, Math.floor(samples.length / 3))
      const firstBytes = median(samples.slice(0, third))
      thirds.set(name, { firstBytes, lastBytes: median(samples.slice(-third)) })
    }
    return thirds
  }
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
