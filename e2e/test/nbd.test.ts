/**
 * Real NBD clients use the server as they would any other: libnbd's tools, QEMU, fio and nbdkit
 * against a process of its own, over a socket file.
 *
 * A tool that is not installed is said in the output, with the package that has it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import { at } from "../../tools/setup/paths.js"
import { failureText, run } from "../../tools/setup/run.js"

const MIB = 1024 * 1024
const SIZE_BYTES = 64 * MIB
const CLIENT_MS_MAX = 60_000
const PACKAGES = {
  nbdinfo: "libnbd-bin",
  nbdcopy: "libnbd-bin",
  nbdsh: "python3-libnbd",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  fio: "fio",
  nbdkit: "nbdkit",
} as const
type Tool = keyof typeof PACKAGES

jest.setTimeout(2 * CLIENT_MS_MAX)

let folder: string
let server: ChildProcess
let ended: Promise<number | null>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nbd-e2e-"))
  const args = ["--tsconfig", at("tsconfig.run.json"), at("e2e/test/nbd-server.ts")]
  const tsx = at("node_modules/.bin/tsx")
  server = spawn(tsx, [...args, socketPath(), String(SIZE_BYTES)], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  ended = new Promise((resolve) => server.on("exit", resolve))
  const lines = createInterface({ input: server.stdout! })
  await new Promise<void>((resolve, reject) => {
    lines.once("line", () => resolve())
    void ended.then((code) => reject(new Error(`the server ended with ${code}`)))
  })
})

afterAll(async () => {
  server.stdin?.end()
  const code = await ended
  rmSync(folder, { recursive: true })
  // It fails where a lease was left behind.
  expect(code).toBe(0)
})

function socketPath(): string {
  return join(folder, "socket")
}

function uri(name = "disk"): string {
  return `nbd+unix:///${name}?socket=${socketPath()}`
}

/** What the tool printed; `undefined` where it is not installed. Fails where it fails. */
async function output(tool: Tool, ...args: string[]): Promise<string | undefined> {
  if (!isInstalled(tool)) {
    process.stdout.write(`nbd: ${tool} is not installed (package ${PACKAGES[tool]})\n`)
    return undefined
  }
  // The system's own Python comes first: nbdsh is a module of that one.
  const env = { ...process.env, PATH: `/usr/bin${delimiter}${process.env["PATH"] ?? ""}` }
  const result = await run(tool, args, { timeoutMs: CLIENT_MS_MAX, cwd: folder, env })
  if (!result.ok) throw new Error(failureText(result))
  return result.stdout
}

function isInstalled(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((place) => {
    try {
      accessSync(join(place, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function file(name: string, bytes: number): string {
  const made = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 4) made.writeUInt32LE((at * 2654435761) >>> 0, at)
  writeFileSync(join(folder, name), made)
  return join(folder, name)
}

it("nbdinfo sees what an export can do, and every export", async () => {
  const text = await output("nbdinfo", "--json", "--list", uri(""))
  if (text === undefined) return
  const { exports, structured } = JSON.parse(text)
  expect(structured).toBe(true)
  const byName = Object.fromEntries(
    exports.map((each: Record<string, unknown>) => [each["export-name"], each]),
  )
  expect(byName["disk"]).toMatchObject({
    description: "a disk in memory",
    "export-size": SIZE_BYTES,
    can_multi_conn: true,
    can_fua: true,
    can_flush: true,
    can_trim: true,
    can_zero: true,
    can_fast_zero: true,
    can_df: true,
    can_cache: true,
    is_read_only: false,
    contexts: ["base:allocation", "rmr:dirty"],
    block_size_minimum: 4096,
    block_size_maximum: 32 * MIB,
  })
  expect(byName["frozen"]).toMatchObject({ is_read_only: true })
})

it("nbdinfo maps what some member lacks", async () => {
  const text = await output("nbdinfo", "--json", "--map=rmr:dirty", uri())
  if (text === undefined) return
  const extents = JSON.parse(text) as { offset: number; length: number; type: number }[]
  expect(extents.map(({ offset, length, type }) => [offset, length, type])).toEqual([
    [0, MIB, 0],
    [MIB, MIB, 1],
    [2 * MIB, SIZE_BYTES - 2 * MIB, 0],
  ])
})

it("nbdcopy copies there and back over several connections", async () => {
  const source = file("source", SIZE_BYTES)
  const target = join(folder, "target")
  const first = await output("nbdcopy", "--connections=4", "--requests=32", source, uri())
  if (first === undefined) return
  await output("nbdcopy", "--connections=4", uri(), target)
  expect(Buffer.compare(readFileSync(source), readFileSync(target))).toBe(0)
})

it("nbdsh: unaligned, refused and zeroed as the specification says", async () => {
  const script = `
h.set_strict_mode(0)
h.add_meta_context("base:allocation")
h.connect_uri("${uri()}")
h.pwrite(b"a" * 8192, 0, nbd.CMD_FLAG_FUA)
h.pwrite(b"b" * 100, 4090)
got = h.pread(8192, 0)
assert got == b"a" * 4090 + b"b" * 100 + b"a" * (8192 - 4190), "unaligned write"
assert h.pread(100, 4090) == b"b" * 100, "unaligned read"
h.zero(4096, 0, nbd.CMD_FLAG_NO_HOLE)
assert h.pread(4096, 0) == bytes(4096), "zero"
h.zero(4096, 4096, nbd.CMD_FLAG_FAST_ZERO)
h.trim(4096, 0)
h.flush()
h.cache(4096, 0)
def fails(errno, f):
    try:
        f()
    except nbd.Error as e:
        assert e.errno == errno, (e.errno, errno)
        return
    assert False, "it was not refused"
size = h.get_size()
fails("EINVAL", lambda: h.pread(4096, size))
fails("ENOSPC", lambda: h.pwrite(bytes(4096), size))
fails("EINVAL", lambda: h.trim(4096, size))
fails("ENOTSUP", lambda: h.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE))
found = []
h.block_status(size, 0, lambda context, offset, entries, err: found.extend(entries))
assert found == [size, 0], found
h.pwrite(b"x" * (32 << 20), 0)
assert h.pread(32 << 20, 0) == b"x" * (32 << 20), "32 MiB"
h.shutdown()
`
  await output("nbdsh", "-c", script)
})

it("nbdsh: what is read only stays as it is", async () => {
  const refused = `
h.set_strict_mode(0)
h.connect_uri("${uri("frozen")}")
try:
    h.pwrite(bytes(4096), 0)
    assert False, "it was not refused"
except nbd.Error as e:
    assert e.errno == "EPERM", e.errno
h.shutdown()
`
  await output("nbdsh", "-c", refused)
})

it("qemu-img converts to an export, and finds it equal", async () => {
  const source = file("image", SIZE_BYTES)
  const converted = await output(
    "qemu-img",
    "convert",
    "-n",
    "-f",
    "raw",
    "-O",
    "raw",
    source,
    uri(),
  )
  if (converted === undefined) return
  expect(await output("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri())).toContain(
    "identical",
  )
})

it("qemu-io writes, zeroes, discards and verifies", async () => {
  const commands = [
    ...["write -P 0x11 0 1M", "write -f -P 0x22 1M 64k", "write -z 512k 64k", "flush"],
    ...["read -P 0x11 0 512k", "read -P 0 512k 64k", "read -P 0x22 1M 64k"],
    // Less than a block: QEMU reads what is around it by itself.
    ...["write -P 0x33 1536 512", "read -P 0x33 1536 512", "read -P 0x11 0 1536"],
    ...["discard 2M 1M", "read -P 0 2M 1M"],
  ]
  const args = commands.flatMap((command) => ["-c", command])
  const text = await output("qemu-io", "-f", "raw", ...args, uri())
  expect(text ?? "").not.toMatch(/failed|Pattern verification/i)
})

it("fio verifies what it wrote at random, with a checksum in every block", async () => {
  const load = ["--rw=randrw", "--bsrange=4k-128k", "--iodepth=16", "--size=64m", "--io_size=64m"]
  const verify = ["--verify=crc32c", "--verify_fatal=1", "--randrepeat=0"]
  const engine = ["--name=verify", "--ioengine=nbd", `--uri=${uri()}`, "--output-format=terse"]
  await output("fio", ...engine, ...load, ...verify)
})

it("nbdkit in between asks block by block, and everything is right all the same", async () => {
  if (!isInstalled("nbdinfo") || !isInstalled("nbdcopy")) return
  const source = file("small", 4 * MIB)
  const back = join(folder, "back")
  const there = `nbdcopy ${source} "$uri" && nbdcopy "$uri" ${back}.whole`
  const copies = `${there} && head -c ${4 * MIB} ${back}.whole > ${back}`
  const filters = ["--filter=blocksize", "--filter=fua", "nbd", `uri=${uri()}`]
  const options = ["maxdata=64K", "fuamode=emulate", "--run", copies]
  const text = await output("nbdkit", "-U", "-", ...filters, ...options)
  if (text === undefined) return
  expect(Buffer.compare(readFileSync(source), readFileSync(back))).toBe(0)
})

it("a client that is killed under load leaves nothing behind, and the next is served", async () => {
  const engine = ["--name=killed", "--ioengine=nbd", `--uri=${uri()}`, "--rw=randrw"]
  const load = ["--bs=64k", "--iodepth=32", "--size=64m", "--time_based", "--runtime=60"]
  if (!isInstalled("fio")) return
  const killed = spawn("fio", [...engine, ...load], { stdio: ["ignore", "pipe", "ignore"] })
  await new Promise((resolve) => killed.stdout.once("data", resolve))
  killed.kill("SIGKILL")
  await new Promise((resolve) => killed.once("close", resolve))
  // That no lease is left, the server says at its end.
  const text = await output("nbdinfo", "--size", uri())
  expect(text?.trim() ?? `${SIZE_BYTES}`).toBe(`${SIZE_BYTES}`)
})
