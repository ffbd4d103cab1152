/**
 * What the device bench measures: something that speaks NBD, made of processes that were started
 * for it.
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
  /** As fio's nbd engine takes it. */
  readonly uri: string
  readonly pids: readonly number[]
  /** The target beside which it is judged; without one, nothing is promised for it. */
  readonly judgedBeside?: string
  stop(): Promise<void>
}

const READY_MS_MAX = 15_000
const LOOK_MS = 50
const END_MS_MAX = 5_000

/** Processes of one target, in the order of their start. */
export class Processes {
  private readonly children: ChildProcess[] = []
  private readonly output = new Map<ChildProcess, string>()

  get pids(): readonly number[] {
    return this.children.map((child) => child.pid as number)
  }

  start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(command, args, {
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
    for (const child of [...this.children].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue
      const gone = once(child, "exit")
      child.kill("SIGTERM")
      const forced = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX)
      await gone
      clearTimeout(forced)
    }
    this.children.length = 0
  }
}

export async function untilSocket(path: string): Promise<void> {
  await until(`socket ${path}`, () => Promise.resolve(existsSync(path)))
}

export async function untilPort(port: number): Promise<void> {
  await until(`port ${port}`, () => canConnect(port))
}

export async function until(what: string, isReady: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + READY_MS_MAX
  while (!(await isReady())) {
    if (performance.now() > end) throw new Error(`${what} is not there after ${READY_MS_MAX} ms`)
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
