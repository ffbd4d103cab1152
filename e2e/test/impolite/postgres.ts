/**
 * A PostgreSQL server of its own, with checksums of its pages, on a folder; as the user that its
 * package made, because it refuses root.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { failureText, type RunResult, run } from "../../../tools/setup/run.js"

const USER = "postgres"
const HOME = "/usr/lib/postgresql"
const READY_MS_MAX = 120_000
const TOOL_MS_MAX = 600_000
const LOOK_MS = 100
const PROGRAMS = ["initdb", "pg_amcheck", "pg_checksums", "pgbench", "postgres", "psql"] as const
type Program = (typeof PROGRAMS)[number]

/** Small, so that checkpoints and files that are used again come often. */
const SETTINGS = {
  listen_addresses: "",
  shared_buffers: "16MB",
  min_wal_size: "32MB",
  max_wal_size: "48MB",
  checkpoint_timeout: "30s",
  autovacuum_naptime: "5s",
  // In its folder: what is in shared memory would outlive a server that is killed.
  dynamic_shared_memory_type: "mmap",
} as const

/** Why there is none here; empty where there is. */
export function whyNoPostgres(): string {
  const lacking = PROGRAMS.filter((program) => programOf(program) === undefined)
  if (lacking.length > 0) {
    return `${lacking.join(", ")} not installed (packages postgresql, postgresql-contrib)`
  }
  return idOf("-u") === undefined ? `there is no user ${USER}` : ""
}

export class Postgres {
  private readonly data: string
  private readonly sockets: string
  private child: ChildProcess | undefined
  /** Of System V, which the kernel keeps when its server is killed. */
  private sharedMemoryId = ""
  private said = ""

  /** `sockets`: a folder that is made where it is not there; `data`: another one. */
  constructor(data: string, sockets: string) {
    this.data = data
    this.sockets = sockets
    if (!existsSync(sockets)) ownFolder(sockets)
  }

  /** An empty database with checksums. */
  async make(): Promise<void> {
    ownFolder(this.data)
    const words = ["-k", "-A", "trust", "-U", USER, "--wal-segsize=4", "-D", this.data]
    expectOk(await this.asUser("initdb", ...words))
  }

  /** Until it answers: after a crash it recovers first. */
  async start(): Promise<void> {
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const words = ["-D", this.data, "-k", this.sockets, ...settings]
    const limit = performance.now() + READY_MS_MAX
    for (;;) {
      const child = spawn(programOf("postgres") ?? "", words, {
        cwd: this.sockets,
        uid: idOf("-u") ?? 0,
        gid: idOf("-g") ?? 0,
        stdio: ["ignore", "ignore", "pipe"],
      })
      child.stderr.on("data", (text: Buffer) => {
        this.said = (this.said + text.toString()).slice(-6000)
      })
      this.child = child
      if (await this.isReadyBy(limit)) {
        this.sharedMemoryId = sharedMemoryIdIn(this.data)
        return
      }
      if (performance.now() > limit) throw new Error(`postgres does not start:\n${this.said}`)
    }
  }

  /** In order. */
  async stop(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined) return
    const gone = once(child, "exit")
    child.kill("SIGINT")
    const [code] = await gone
    if (code !== 0) throw new Error(`postgres ended with ${code}:\n${this.said}`)
  }

  /** It and everything that it started, at once. */
  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    // Nobody is started any more while it is looked who there is.
    child.kill("SIGSTOP")
    const pids = childrenOf(child.pid)
    child.kill("SIGKILL")
    for (const pid of pids) killed(pid)
    await gone
    const limit = performance.now() + READY_MS_MAX
    while (pids.some(isAlive)) {
      if (performance.now() > limit) throw new Error(`postgres does not die: ${pids.join(", ")}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    if (this.sharedMemoryId !== "") spawnSync("ipcrm", ["-m", this.sharedMemoryId])
  }

  /** What the statement answers: lines of fields between `|`. */
  async ask(statement: string): Promise<readonly (readonly string[])[]> {
    const result = await this.with("psql", "-X", "-q", "-A", "-t", "-c", statement)
    expectOk(result, this.said)
    const lines = result.stdout.split("\n").filter((line) => line !== "")
    return lines.map((line) => line.split("|"))
  }

  /** A client program of it; what it says of itself is not looked at. */
  with(program: Program, ...args: string[]): Promise<RunResult> {
    const who = ["-h", this.sockets, "-U", USER]
    return run(programOf(program) ?? "", [...who, ...args], { timeoutMs: TOOL_MS_MAX })
  }

  /** Every table and index, row by row; then, after its end, every page. */
  async expectWhole(): Promise<void> {
    const all = ["--install-missing", "--heapallindexed", "--parent-check", "--rootdescend"]
    expectOk(await this.with("pg_amcheck", ...all, "postgres"), this.said)
    await this.stop()
    expectOk(await this.asUser("pg_checksums", "--check", "-D", this.data))
  }

  get lastWords(): string {
    return this.said
  }

  /** Whether it answers; false where it ended or the time is over. */
  private async isReadyBy(limit: number): Promise<boolean> {
    while (performance.now() < limit) {
      const { child } = this
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return false
      if ((await this.with("psql", "-X", "-q", "-c", "SELECT 1")).ok) return true
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    return false
  }

  private asUser(program: Program, ...args: string[]): Promise<RunResult> {
    const who = [`--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"]
    const words = [...who, programOf(program) ?? "", ...args]
    return run("setpriv", words, { timeoutMs: TOOL_MS_MAX, cwd: this.sockets })
  }
}

export function expectOk(result: RunResult, said = ""): void {
  if (!result.ok) throw new Error(`${failureText(result)}\n${said}`)
}

function ownFolder(path: string): void {
  mkdirSync(path)
  chownSync(path, idOf("-u") ?? 0, idOf("-g") ?? 0)
  chmodSync(path, 0o700)
}

/** Of the newest version that there is. */
function programOf(program: Program): string | undefined {
  if (!existsSync(HOME)) return undefined
  const versions = readdirSync(HOME).sort((a, b) => Number(b) - Number(a))
  const paths = versions.map((version) => join(HOME, version, "bin", program))
  return paths.find((path) => existsSync(path))
}

/** The second word of the seventh line of its lock file. */
function sharedMemoryIdIn(data: string): string {
  const line = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[6] ?? ""
  return line.trim().split(/\s+/)[1] ?? ""
}

function idOf(flag: "-u" | "-g"): number | undefined {
  const { status, stdout } = spawnSync("id", [flag, USER], { encoding: "utf8" })
  return status === 0 ? Number(stdout) : undefined
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map(Number)
}

function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}
