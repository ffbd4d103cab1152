/**
 * What the device bench measures: something that fio can visit, mostly by NBD, made of processes
 * that were started for it.
 *
 * A target knows the pids of everything that works for it, because the cost of a replicated write
 * is what all of its processes spend. It ends exactly those when it is stopped, by pid.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import net from "node:net"

export interface Target {
  readonly name: string
  /** The engine of fio, and where it finds the device. */
  readonly fio: readonly string[]
  /** In front of fio, where it has to run elsewhere. */
  readonly within?: readonly string[]
  /** Those that are alive now; none where all of the work is fio's. */
  readonly pids: readonly number[]
  /** Whether a loss of it is ours. */
  readonly isOurs: boolean
  /** The target beside which it is judged; without one, nothing is promised for it. */
  readonly judgedBeside?: string
  /** Where it has not any number of them. */
  readonly connectionsMax?: number
  /** Before each run. */
  prepare?(): Promise<void>
  /** After each run: what must be known about it, if something must. */
  noteOf?(): Promise<string | undefined>
  stop(): Promise<void>
}

/** What every target is told. */
export interface TargetOptions {
  /** Where its files and sockets are; on tmpfs for the figures that are promised. */
  readonly folder: string
  readonly volumeBytes: number
  /** Past the kernel's cache. */
  readonly isDirect: boolean
  /** So many copies, of those that have as many as one likes. */
  readonly members: number
  readonly state: State
}

/** All copies are there; one is away; one has come back and copies what it has missed. */
export const STATES = ["healthy", "degraded", "resyncing"] as const
export type State = (typeof STATES)[number]

/** A target that this machine cannot have, or not in this shape: the bench says why and goes on. */
export class LeftOut extends Error {}

export function fioByNbd(uri: string): readonly string[] {
  return ["--ioengine=nbd", `--uri=${uri}`]
}

export function copiesInWords(count: number): string {
  return ["no copy", "one copy", "two copies", "three copies"][count] ?? `${count} copies`
}

const READY_MS_MAX = 15_000
const LOOK_MS = 50
const END_MS_MAX = 5_000

/** Processes of one target, in the order of their start. */
export class Processes {
  private readonly children: ChildProcess[] = []
  private readonly output = new Map<ChildProcess, string>()

  get pids(): readonly number[] {
    return this.children.filter(isAlive).map((child) => child.pid as number)
  }

  start(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    cwd: string = process.cwd(),
  ): ChildProcess {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    })
    this.children.push(child)
    const keep = (text: Buffer): void => {
      const all = (this.output.get(child) ?? "") + text.toString()
      this.output.set(child, all.slice(-4000))
    }
    child.stdout?.on("data", keep)
    child.stderr?.on("data", keep)
    child.on("error", (error) => keep(Buffer.from(error.message)))
    return child
  }

  /** What the process said, for when it does not do what it should. */
  said(child: ChildProcess): string {
    return this.output.get(child) ?? ""
  }

  /** Ends what was started, last first, and waits until it is gone. */
  async stop(): Promise<void> {
    for (const child of [...this.children].reverse()) await this.end(child)
    this.children.length = 0
  }

  async end(child: ChildProcess): Promise<void> {
    if (!isAlive(child)) return
    const gone = once(child, "exit")
    child.kill("SIGTERM")
    const forced = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX)
    await gone
    clearTimeout(forced)
  }
}

function isAlive({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode === null && signalCode === null && pid !== undefined
}

export async function untilSocket(path: string): Promise<void> {
  await until(`socket ${path}`, () => Promise.resolve(existsSync(path)))
}

export async function untilPort(port: number): Promise<void> {
  await until(`port ${port}`, () => canConnect(port))
}

export async function until(
  what: string,
  isReady: () => Promise<boolean>,
  maxMs: number = READY_MS_MAX,
): Promise<void> {
  const end = performance.now() + maxMs
  while (!(await isReady())) {
    if (performance.now() > end) throw new Error(`${what} is not there after ${maxMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port })
    const answer = (isUp: boolean): void => {
      socket.destroy()
      resolve(isUp)
    }
    socket.once("connect", () => answer(true))
    socket.once("error", () => answer(false))
  })
}

export { freePorts } from "../../packages/rmr-cli/src/demo/ports.js"
