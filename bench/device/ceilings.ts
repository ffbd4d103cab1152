/**
 * Ceilings: programs that do no more than copy a volume twice, with no check, no dirty map and no
 * recovery, to see how near a pool comes. They are no part of this repository; the bench takes a
 * folder of them, builds in a folder of its own what it finds, and runs it beside the others.
 *
 * `fast.cc` is a program, and `xapp.cjs` one of Node with the addon `xport.cc`. Both take the same
 * words: `store PORT` keeps the file that FILE names, and `front SOCKET PORT PORT` writes to two of
 * them and exports the result by NBD. They export 1 GiB, to one at a time.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Row, ratioOf } from "./compare.js"
import { fileOfRandomBytes } from "./files.js"
import { POOL } from "./pool.js"
import {
  fioByNbd,
  freePorts,
  LeftOut,
  Processes,
  type Target,
  type TargetOptions,
  untilPort,
  untilSocket,
} from "./target.js"

export const CPP_CEILING = "C++ ceiling, two copies"
const JS_CEILING = "JavaScript ceiling, two copies"
const BYTES_MAX = 2 ** 30
/** The job, and how much of the ceiling a pool must have there. */
const MUST = { job: "4k randwrite, depth 32", share: 0.8 } as const

interface Ceiling {
  readonly name: string
  readonly prefix: string
  /** The sources that it is made of. */
  readonly sources: readonly string[]
  /** The program of g++ and its words, in the folder. */
  readonly build: readonly string[]
  /** What runs, in the folder. */
  readonly run: readonly string[]
}

const CPP: Ceiling = {
  ...{ name: CPP_CEILING, prefix: "cpp", sources: ["fast.cc", "core.h"] },
  ...{ build: ["-O2", "-o", "fast", "fast.cc"], run: ["./fast"] },
}
const JS: Ceiling = {
  ...{ name: JS_CEILING, prefix: "js", sources: ["xapp.cjs", "xport.cc", "core.h"] },
  build: ["-O2", "-shared", "-fPIC", `-I${nodeHeaders()}`, "-o", "xport.node", "xport.cc"],
  run: [process.execPath, "xapp.cjs"],
}

function nodeHeaders(): string {
  return join(dirname(process.execPath), "..", "include", "node")
}

export function startCppCeiling(from: string, options: TargetOptions): Promise<Target> {
  return startCeiling(CPP, from, options)
}

export function startJsCeiling(from: string, options: TargetOptions): Promise<Target> {
  return startCeiling(JS, from, options)
}

async function startCeiling(ceiling: Ceiling, from: string, options: TargetOptions) {
  const { volumeBytes, isDirect } = options
  if (isDirect) throw new LeftOut("it does not go past the kernel's cache")
  if (volumeBytes > BYTES_MAX) throw new LeftOut("it exports 1 GiB; say --mib 1024 or less")
  const folder = join(options.folder, `ceiling-${ceiling.prefix}`)
  build(ceiling, from, folder)
  const processes = new Processes()
  const [program = "", ...words] = ceiling.run
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}): void => {
    processes.start(program, [...words, ...args], env, folder)
  }
  try {
    const ports = await freePorts(2)
    for (const [copy, port] of ports.entries()) {
      const file = fileOfRandomBytes(join(folder, `${copy}.img`), volumeBytes)
      start(["store", String(port)], { FILE: file })
      await untilPort(port)
    }
    const socket = join(folder, "front.sock")
    start(["front", socket, ...ports.map(String)])
    await untilSocket(socket)
    return {
      ...{ name: ceiling.name, fio: fioByNbd(`nbd+unix:///x?socket=${socket}`), isOurs: false },
      ...{ pids: processes.pids, connectionsMax: 1, stop: () => processes.stop() },
    }
  } catch (error) {
    await processes.stop()
    throw error
  }
}

function build({ sources, build: args }: Ceiling, from: string, folder: string): void {
  const missing = sources.filter((name) => !existsSync(join(from, name)))
  if (missing.length > 0) throw new LeftOut(`${from} has no ${missing.join(", ")}`)
  for (const name of sources) cpSync(join(from, name), join(folder, name))
  const built = spawnSync("g++", args, { cwd: folder, encoding: "utf8" })
  if (built.error !== undefined) throw new LeftOut("this machine has no g++; apt-get install g++")
  if (built.status !== 0) throw new LeftOut(`g++ does not build it: ${built.stderr.slice(0, 500)}`)
}

/** What part of the C++ ceiling a pool of two has, job by job, in words, and where it is short. */
export function sharesOf(rows: readonly Row[]): readonly { words: string; isShort: boolean }[] {
  return rows.flatMap((row) => {
    const ceiling = rows.find(({ job, target }) => target === CPP_CEILING && job === row.job)
    if (row.target !== POOL || ceiling === undefined) return []
    const share = ratioOf(row, ceiling)
    const must = row.job.name === MUST.job ? MUST.share : undefined
    const isShort = must !== undefined && share < must
    const verdict = must === undefined ? "" : `, must be ≥ ${must}: ${isShort ? "short" : "ok"}`
    return [{ words: `${row.job.name}: ${share.toFixed(2)} of the C++ ceiling${verdict}`, isShort }]
  })
}
