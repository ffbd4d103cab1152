/**
 * Daemons of one round of a bench, as users run them, and what their logs say; ended by pid
 * whatever happens.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const PROGRAM = fileURLToPath(new URL("../../packages/rmr-cli/dist/main.js", import.meta.url))

/** One line of a log. */
export interface Said {
  readonly time: string
  readonly event: string
  readonly [name: string]: unknown
}

export class Daemons {
  private readonly folder: string
  private readonly hear: (said: Said) => void
  private readonly children = new Map<string, ChildProcess>()
  private readonly within = new Map<string, readonly string[]>()

  constructor(folder: string, hear: (said: Said) => void) {
    this.folder = folder
    this.hear = hear
  }

  /** `within`: what runs the command behind it in its own process, as `env` does. */
  start(name: string, text: string, within: readonly string[] = []): void {
    const control = `control = "${this.folder}/${name}.control"`
    writeFileSync(this.configOf(name), `name = "${name}"\n${control}\n${text}`)
    this.within.set(name, within)
    this.startAgain(name)
  }

  startAgain(name: string): void {
    const words = [process.execPath, PROGRAM, "daemon", "--config", this.configOf(name)]
    const [program = "", ...args] = [...(this.within.get(name) ?? []), ...words]
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] })
    let rest = ""
    child.stderr.on("data", (text: Buffer) => {
      const lines = (rest + text.toString()).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) if (line.startsWith("{")) this.hear(JSON.parse(line) as Said)
    })
    this.children.set(name, child)
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.children.get(name)?.kill(signal)
  }

  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.children.get(name)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await gone
  }

  async endAll(): Promise<void> {
    for (const name of this.children.keys()) await this.end(name, "SIGKILL")
  }

  private configOf(name: string): string {
    return join(this.folder, `${name}.toml`)
  }
}

/** Of a member with a sparse store in the folder. */
export function storageText(folder: string, id: number, url: string, sizeBytes: number): string {
  const shape = `store = "${folder}/${id}.store"\nsize = ${sizeBytes}\ndirect = "off"`
  const pool = `[[storage.pool]]\nname = "vault"\nmember = ${id}\n${shape}`
  return `[storage]\nlisten = ["${url}"]\n${pool}\n`
}

/** Of the client of members 1 and up. */
export function clientText(socket: string, urls: readonly string[], sizeBytes: number): string {
  const members = urls.map((url, nth) => `"${nth + 1}@${url}"`).join(", ")
  const pool = `[[client.pool]]\nname = "vault"\nmembers = [${members}]\ncreate = ${sizeBytes}`
  return `[client]\nnbd = ["unix:${socket}"]\n${pool}\n`
}

/** Whether an export is there. */
export function isExported(uri: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("nbdinfo", ["--size", uri], { stdio: "ignore" })
    child.once("error", () => resolve(false))
    child.once("exit", (code) => resolve(code === 0))
  })
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
