/** One daemon of the demo, as a process that can be killed and started again. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { RmrError } from "@rmr/core"
import type { DaemonPlace } from "./demo-folder.js"

const STOP_MS = 10_000

export class NodeProcess {
  readonly place: DaemonPlace
  private child: ChildProcess | undefined
  private isKilledByKey = false

  constructor(place: DaemonPlace) {
    this.place = place
  }

  get isRunning(): boolean {
    return (
      this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
    )
  }

  start(): void {
    const log = openSync(this.place.log, "a")
    const [program = ""] = process.argv.slice(1)
    const args = [
      ...process.execArgv,
      program,
      "daemon",
      "--config",
      this.place.config,
      "--end-with-stdin",
    ]
    // A group of its own: Ctrl-C is for the demo, which then ends them in order. Its stdin is ours,
    // so that it ends even where the demo is killed.
    this.child = spawn(process.execPath, args, { stdio: ["pipe", log, log], detached: true })
    this.isKilledByKey = false
    closeSync(log)
  }

  /** Fails where the process has ended by itself, with the last it said. */
  requireAlive(): void {
    if (this.isRunning) return
    const last = readFileSync(this.place.log, "utf8").trim().split("\n").at(-1) ?? ""
    throw new RmrError("closed", `${this.place.name} has ended: ${last}`)
  }

  toggle(): void {
    if (this.isRunning) {
      this.isKilledByKey = true
      this.child?.kill("SIGKILL")
    } else this.start()
  }

  /** Asks it to end, and does not wait for ever. Answers what went wrong with it, if anything. */
  async stop(): Promise<string | undefined> {
    const { child } = this
    if (child === undefined) return undefined
    const wasRunning = this.isRunning
    if (wasRunning) await ended(child)
    if (this.isKilledByKey || (wasRunning && child.exitCode === 0)) return undefined
    const { name, log } = this.place
    const what = wasRunning ? "did not end in order" : "ended by itself"
    return `${name} ${what} (${endingOf(child)}): ${log}`
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill("SIGTERM")
  })
}

function endingOf({ exitCode, signalCode }: ChildProcess): string {
  return exitCode === null ? `${signalCode}` : `exit code ${exitCode}`
}
