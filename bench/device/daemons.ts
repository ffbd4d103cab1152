/**
 * Daemons of one round of a bench, as users run them, and what their logs say; ended by pid
 * whatever happens.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { freePorts } from "./target.js"

/** What was built last, or, to compare with it, another `main.js`. */
const BUILT = fileURLToPath(new URL("../../packages/rmr-cli/dist/main.js", import.meta.url))
const PROGRAM = process.env["RMR_PROGRAM"] ?? BUILT
const ASK_MS = 10_000

/** One line of a log. */
export interface Said {
  readonly time: string
  readonly event: string
  readonly [name: string]: unknown
}

export class Daemons {
  readonly folder: string
  private readonly hear: (said: Said) => void
  private readonly children = new Map<string, ChildProcess>()
  private readonly within = new Map<string, readonly string[]>()

  constructor(folder: string, hear: (said: Said) => void = () => undefined) {
    this.folder = folder
    this.hear = hear
  }

  /** `within`: what runs the command behind it in its own process, as `env` does. */
  start(name: string, text: string, within: readonly string[] = []): void {
    const control = `control = "${this.controlOf(name)}"`
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

  /** Of those that are alive now. */
  get pids(): readonly number[] {
    return [...this.children.values()]
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .flatMap(({ pid }) => pid ?? [])
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

  /** What an admin asks a daemon, without a process for it. */
  ask(name: string, verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const socket = connect(this.controlOf(name))
    socket.setTimeout(ASK_MS, () => socket.destroy(new Error(`${name} does not answer ${verb}`)))
    return new Promise((resolve, reject) => {
      let text = ""
      socket.once("error", reject)
      socket.once("connect", () => socket.write(`${JSON.stringify({ id: 1, verb, args })}\n`))
      socket.on("data", (bytes: Buffer) => {
        text += bytes.toString()
        if (!text.includes("\n")) return
        socket.destroy()
        const reply = JSON.parse(text) as { readonly ok: boolean; readonly result: unknown }
        if (reply.ok) resolve(reply.result)
        else reject(new Error(`${name} refuses ${verb}: ${text}`))
      })
    })
  }

  private configOf(name: string): string {
    return join(this.folder, `${name}.toml`)
  }

  private controlOf(name: string): string {
    return join(this.folder, `${name}.control`)
  }
}

/** `storage-1`, `storage-2` and `client`; answers where the volume is exported. */
export async function startPair(daemons: Daemons, sizeBytes: number, more = ""): Promise<string> {
  const { folder } = daemons
  const socket = join(folder, "pool.sock")
  const urls = (await freePorts(2)).map((port) => `tcp://127.0.0.1:${port}`)
  for (const [nth, url] of urls.entries()) {
    daemons.start(`storage-${nth + 1}`, storageText(folder, nth + 1, url, sizeBytes) + more)
  }
  daemons.start("client", clientText(socket, urls, sizeBytes))
  return `nbd+unix:///vault?socket=${socket}`
}

/** Of a member with a sparse store in the folder. */
export function storageText(
  folder: string,
  id: number,
  url: string,
  sizeBytes: number,
  direct: "on" | "off" = "off",
): string {
  const shape = `store = "${folder}/${id}.store"\nsize = ${sizeBytes}\ndirect = "${direct}"`
  const pool = `[[storage.pool]]\nname = "vault"\nmember = ${id}\n${shape}`
  return `[storage]\nlisten = ["${url}"]\n${pool}\n`
}

/** Of the client of members 1 and up. */
export function clientText(socket: string, urls: readonly string[], sizeBytes: number): string {
  const members = urls.map((url, nth) => `"${nth + 1}@${url}"`).join(", ")
  const pool = `[[client.pool]]\nname = "vault"\nmembers = [${members}]\ncreate = ${sizeBytes}`
  return `[client]\nnbd = ["unix:${socket}"]\n${pool}\n`
}

/** A load on a device; what fio reports, and how it ended. */
export function runLoad(
  name: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly report: unknown }> {
  const rest = ["--randrepeat=0", "--eta=never", "--output-format=json"]
  const child = spawn("fio", [`--name=${name}`, "--ioengine=nbd", ...args, ...rest], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let said = ""
  child.stdout.on("data", (text: Buffer) => {
    said += text.toString()
  })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => {
      const at = said.indexOf("{")
      if (at < 0) reject(new Error(`fio ended with ${code}: ${said}`))
      else resolve({ code, report: JSON.parse(said.slice(at)) })
    })
  })
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
