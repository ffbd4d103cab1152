/**
 * Processes with and without the native addon, on one file: the same answers, and one lock.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { buddyMemory, crc32c } from "@rmr/core"
import { NODE_CALLS } from "../src/files/file-calls.js"
import { fileSource, pageArenas, realEnv } from "../src/index.js"
import { nativeAddon, nativeStatus } from "../src/native-addon.js"
import type { Opening } from "./file-opener.js"

jest.setTimeout(60_000)

const BYTES = 64 * 1024
const PROGRAM = join(__dirname, "file-opener.ts")
const SEVENS = crc32c(new DataView(new Uint8Array(4096).fill(7).buffer), 0, 4096)
const addon = nativeAddon()
const children: ChildProcess[] = []
let folder = ""
let path = ""

type Mode = "off" | "on"
/** What is handed on to a program. */
interface Asked {
  readonly native: string
  readonly preload?: string
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-modes-"))
  path = join(folder, "file")
  writeFileSync(path, new Uint8Array(BYTES).fill(1))
})

afterEach(async () => {
  for (const child of children.splice(0)) await end(child)
  rmSync(folder, { recursive: true, force: true })
})

/** Which of the builds is on is said from outside. */
function open(mode: Mode): Promise<{ child: ChildProcess; opening: Opening }> {
  return openAs({ native: mode === "off" ? mode : (process.env["RMR_NATIVE"] ?? mode) })
}

async function openAs({ native, preload }: Asked) {
  const env = { ...process.env, RMR_NATIVE: native, TSX_TSCONFIG_PATH: "tsconfig.run.json" }
  if (preload !== undefined) Object.assign(env, { LD_PRELOAD: preload })
  const args = ["--import", "tsx", PROGRAM, path]
  const child = spawn(process.execPath, args, { env, stdio: ["pipe", "pipe", "inherit"] })
  children.push(child)
  const lines = createInterface({ input: child.stdout! })
  const line = await Promise.race([once(lines, "line"), once(child, "exit")])
  return { child, opening: JSON.parse(String(line[0])) as Opening }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

it("RMR_NATIVE=off: the twins are used, with the same results", async () => {
  const { opening } = await open("off")
  expect(opening).toEqual({
    isLoaded: false,
    reason: "RMR_NATIVE=off",
    checksum: "javascript",
    sum: SEVENS,
    refusal: "",
    unmap: false,
    zeroStatus: 0,
  })
  expect(readFileSync(path).every((byte) => byte === 0)).toBe(true)
})

it("the addon counts where it was built, and says so; where not, it says why", async () => {
  const { opening } = await open("on")
  const { isLoaded, reason, checksum } = nativeStatus()
  expect(opening).toMatchObject({ isLoaded, reason, checksum, sum: SEVENS, zeroStatus: 0 })
  expect(reason).toMatch(/native\/build/)
  expect(readFileSync(path).every((byte) => byte === 0)).toBe(true)
})

it("RMR_NATIVE=sanitize: where nothing watches, it says so, and the twins are used", async () => {
  const { opening } = await openAs({ native: "sanitize", preload: "" })
  const reason = "RMR_NATIVE=sanitize, and LD_PRELOAD names no AddressSanitizer"
  expect(opening).toMatchObject({ isLoaded: false, reason, checksum: "javascript", sum: SEVENS })
})

const pairs: [Mode, Mode][] = [
  ["off", "off"],
  ["off", "on"],
  ["on", "off"],
  ["on", "on"],
]
it.each(pairs)("B9: native %s keeps native %s out, until it is killed", async (first, second) => {
  const holder = await open(first)
  expect(holder.opening.refusal).toBe("")
  expect((await open(second)).opening.refusal).toBe("busy")
  await end(holder.child)
  expect((await open(second)).opening.refusal).toBe("")
})

if (addon !== undefined) {
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 16 })
  const opening = { env: realEnv(), memory, events: { onCompletions: (): void => undefined } }

  it("B9: a program beyond our network that holds the file is seen with the addon", async () => {
    const fd = openSync(path, "r+")
    expect(addon.lockFile(fd)).toBe(0)
    const busy = { code: "busy" }
    await expect(fileSource(path).open(opening)).rejects.toMatchObject(busy)
    await (await fileSource(path, { calls: NODE_CALLS }).open(opening)).close()
    closeSync(fd)
    await (await fileSource(path).open(opening)).close()
  })

  it("B9: where the file system knows no such lock, the file opens all the same", async () => {
    const failing = (code: string) => ({ ...NODE_CALLS, lock: () => ({ code, message: code }) })
    const open = (code: string) => fileSource(path, { calls: failing(code) }).open(opening)
    for (const code of ["ENOTSUP", "ENOSYS", "ENOLCK"]) await (await open(code)).close()
    await expect(open("EAGAIN")).rejects.toMatchObject({ code: "busy" })
    await expect(open("EIO")).rejects.toMatchObject({ code: "io-error" })
    expect(memory.stats().leaseCount).toBe(0)
  })
}
