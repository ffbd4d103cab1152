/** One daemon of the demo, as a process that can be killed and started again. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { RmrError } from "@rmr/core"
import type { DaemonPlace } from "./demo-folder.js"

const STOP_MS = 10_000

export class NodeProcess {
  readonly name: string
  readonly socket: string
  private readonly config: string
  private readonly log: string
  private child: ChildProcess | undefined

  constructor({ name, config, socket, log }: DaemonPlace) {
    this.name = name
    this.config = config
    this.socket = socket
    this.log = log
  }

  get isRunning(): boolean {
    return (
      this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
    )
  }

  start(): void {
    const log = openSync(this.log, "a")
    const [program = ""] = process.argv.slice(1)
    const args = [
      ...process.execArgv,
      program,
      "daemon",
      "--config",
      this.config,
      "--end-with-stdin",
    ]
    // A group of its own: Ctrl-C is for the demo, which then ends them in order. Its stdin is ours,
    // so that it ends even where the demo is killed.
    this.child = spawn(process.execPath, args, { stdio: ["pipe", log, log], detached: true })
    closeSync(log)
  }

  /** Fails where the process has ended by itself, with the last it said. */
  requireAlive(): void {
    if (this.isRunning) return
    const last = readFileSync(this.log, "utf8").trim().split("\n").at(-1) ?? ""
    throw new RmrError("closed", `${this.name} has ended: ${last}`)
  }

  toggle(): void {
    if (this.isRunning) this.child?.kill("SIGKILL")
    else this.start()
  }

  /** Asks it to end, and does not wait for ever. */
  async stop(): Promise<void> {
    const { child } = this
    if (child === undefined || !this.isRunning) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS)
      child.once("exit", () => {
        clearTimeout(timer)
        resolve()
      })
      child.kill("SIGTERM")
    })
  }
}
