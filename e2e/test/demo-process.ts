/**
 * `rmr demo` as a process: what it prints, what its daemons say, and how a person ends it.
 *
 * On a terminal it is another program than in a pipe; `script` gives it one.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { askDaemon } from "../../packages/rmr-cli/src/control/control-client.js"
import type { DaemonStatus } from "../../packages/rmr-cli/src/control/status.js"
import { at } from "../../tools/setup/paths.js"
import { rmrEnv, rmrWords } from "./rmr-program.js"

const WAIT_MS_MAX = 60_000
const LOOK_MS = 50
const ARRIVED = /^nbd\+unix:\S+(?=\s)/m
/** The last line of what it prints before it runs; lines may come one by one. */
const HEAD_END = /^ {2}umount "\$disk\/nbd"\r?\n/m

export class DemoProcess {
  readonly folder: string
  private readonly child: ChildProcess
  private readonly ended: Promise<number | string>
  private said = ""

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder
    this.child = child
    const hear = (text: Buffer): void => {
      this.said += text.toString()
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => resolve(code ?? signal ?? "nothing"))
    })
  }

  /** Its device is there when this is fulfilled, and all is printed that may be tried with it. */
  static async start(folder: string, ...options: string[]): Promise<DemoProcess> {
    const words = wordsOf(folder, options)
    const demo = new DemoProcess(folder, spawnAs(process.execPath, words))
    await demo.untilArrived()
    return demo
  }

  /** The same on a terminal, which obeys keys. */
  static async startOnTerminal(folder: string, ...options: string[]): Promise<DemoProcess> {
    const command = [process.execPath, ...wordsOf(folder, options)].map(quoted).join(" ")
    const demo = new DemoProcess(folder, spawnAs("script", ["-qec", command, "/dev/null"]))
    await demo.untilArrived()
    return demo
  }

  /** All that it printed so far. */
  get output(): string {
    return this.said
  }

  /** What its live part shows now; empty in a pipe. */
  get screen(): string {
    return this.said.split("\x1b[J").slice(1).at(-1)?.replaceAll("\r", "") ?? ""
  }

  get uri(): string {
    return ARRIVED.exec(this.said)?.[0] ?? ""
  }

  press(key: string): void {
    this.child.stdin?.write(key)
  }

  async status(name: string): Promise<DaemonStatus> {
    return (await askDaemon(join(this.folder, `${name}.sock`), "status")) as DaemonStatus
  }

  log(name: string): string {
    const path = join(this.folder, `${name}.log`)
    return existsSync(path) ? readFileSync(path, "utf8") : ""
  }

  /** Fails with all that was printed where it is not so within a minute. */
  async until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
    const limit = performance.now() + WAIT_MS_MAX
    while (!(await isSo())) {
      const isOver = this.child.exitCode !== null || performance.now() > limit
      if (isOver) throw new Error(`it never came: ${what}\n${this.said}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  /** What Ctrl-C in a pipe does. Answers how it ended. */
  interrupt(): Promise<number | string> {
    return this.signal("SIGINT")
  }

  /** Answers how it ended. */
  signal(name: NodeJS.Signals): Promise<number | string> {
    this.child.kill(name)
    return this.ended
  }

  /** The processes of its four daemons. */
  async pids(): Promise<number[]> {
    const names = ["client", "storage-1", "storage-2", "storage-3"]
    const all = await Promise.all(names.map((name) => this.status(name)))
    return all.map(({ pid }) => pid)
  }

  /** Waits until it has ended by itself, and answers how. */
  async end(): Promise<number | string> {
    return this.ended
  }

  /** Whatever of it is there goes, also where a test failed. Idempotent. */
  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL")
    await this.ended
  }

  private untilArrived(): Promise<void> {
    return this.until("its device, and what may be tried with it", () => {
      return ARRIVED.test(this.said) && HEAD_END.test(this.said)
    })
  }
}

export function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false
    throw thrown
  }
}

function wordsOf(folder: string, options: readonly string[]): string[] {
  return [...rmrWords(), "demo", "--folder", folder, ...options]
}

function spawnAs(program: string, words: readonly string[]): ChildProcess {
  return spawn(program, words, { cwd: at(), env: rmrEnv(), stdio: "pipe" })
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
