/**
 * The demo does what it prints and what the README says of it: lines that are pasted work, and the
 * data is there the next time, with all that was known of who lacks what.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { failureText } from "../../tools/setup/run.js"
import { DemoProcess, isThere } from "./demo-process.js"
import { whyNoFileSystem } from "./file-system.js"
import { itWhere, missing, nbdsh, pasted, tool, tried } from "./nbd-tools.js"

jest.setTimeout(180_000)

let folder: string
let demo: DemoProcess | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-demo-"))
})

afterEach(async () => {
  await demo?.kill()
  demo = undefined
  rmSync(folder, { recursive: true, force: true })
})

describe("a demo that is started again", () => {
  itWhere("copies what was not copied when it ended", missing("nbdsh"), async () => {
    demo = await DemoProcess.start(folder, "--size", "64 MiB")
    await nbdsh(folder, demo.uri, `h.pwrite(b"a" * (8 << 20), 0)`)
    for (const name of ["storage-2", "storage-3"]) {
      process.kill((await demo.status(name)).pid, "SIGKILL")
    }
    await demo.interrupt()

    demo = await DemoProcess.start(folder, "--size", "64 MiB")
    const again = demo
    await again.until("every member that is normal is clean", async () => {
      const names = ["storage-1", "storage-2", "storage-3"]
      const pools = await Promise.all(
        names.map(async (name) => (await again.status(name)).storage?.pools[0]),
      )
      return pools.every((pool) => pool?.state !== "normal" || pool.dirtyChunks === 0)
    })
    const script = `
h.pwrite(b"b" * 4096, 4096)
h.flush()
assert h.pread(8 << 20, 0) == b"a" * 4096 + b"b" * 4096 + b"a" * ((8 << 20) - 8192)
`
    expect((await nbdsh(folder, again.uri, script)).trim()).toBe("")
    expect(await again.interrupt()).toBe(0)
  })
})

/** All that a demo leaves: the data, and where each node has to be found again. */
const LEFT = [
  "client.toml",
  ...["storage-1.store", "storage-1.toml", "storage-2.store", "storage-2.toml"],
  ...["storage-3.store", "storage-3.toml"],
]

describe("a demo on a terminal", () => {
  const why = missing("script", "nbdsh")

  itWhere(
    "kills and restarts a node by its key, and ends by q with only data left",
    why,
    async () => {
      demo = await DemoProcess.startOnTerminal(folder, "--size", "64 MiB")
      const shown = demo
      const has = (row: RegExp) => () => row.test(shown.screen)
      await shown.until("all are normal", has(/storage-1 +normal +normal .*\n.*2 +normal +normal /))
      const [, killed = 0] = await shown.pids()
      shown.press("1")
      await shown.until("the first node is down", has(/^ {2}storage-1 +down +failed /m))
      expect(isThere(killed)).toBe(false)
      await nbdsh(folder, shown.uri, `h.pwrite(b"a" * 4096, 0)\nh.flush()`)

      shown.press("1")
      await shown.until("the first node is there", has(/^ {2}storage-1 +(?!down|no answer)\S/m))
      const pids = await shown.pids()
      expect(pids).not.toContain(killed)
      expect(shown.screen).toMatch(/^Keys: 1 2 3 kill or restart that storage node, q ends\.$/m)
      // Its lines to paste are not drawn over.
      expect(shown.output.split("nbdinfo")).toHaveLength(2)

      shown.press("q")
      expect(await shown.end()).toBe(0)
      expect(pids.filter(isThere)).toEqual([])
      expect(readdirSync(folder).sort()).toEqual(LEFT)
    },
  )

  itWhere("goes on without a node that says nothing", why, async () => {
    demo = await DemoProcess.startOnTerminal(folder, "--size", "64 MiB")
    const shown = demo
    const [, stopped = 0] = await shown.pids()
    process.kill(stopped, "SIGSTOP")
    const silent = /^ {2}storage-1 +no answer +failed /m
    await shown.until("the first node does not answer", () => silent.test(shown.screen))
    await nbdsh(folder, shown.uri, `h.pwrite(b"a" * 4096, 0)\nh.flush()`)
    process.kill(stopped, "SIGCONT")
    await shown.until("the first node answers", () => !silent.test(shown.screen))
    shown.press("\x03")
    expect(await shown.end()).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(LEFT)
  })
})

describe("a demo in a pipe", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "leaves no process and no file behind at %s",
    async (by) => {
      demo = await DemoProcess.start(folder, "--size", "64 MiB")
      const pids = await demo.pids()
      expect(await demo.signal(by)).toBe(0)
      expect(pids.filter(isThere)).toEqual([])
      expect(readdirSync(folder).sort()).toEqual(LEFT)
    },
  )

  it("keeps the logs where a daemon ended by itself, and says so", async () => {
    demo = await DemoProcess.start(folder, "--size", "64 MiB")
    const [, storage = 0] = await demo.pids()
    process.kill(storage, "SIGKILL")
    await demo.until("it is down", () => /storage-1 down\/failed/.test(demo?.output ?? ""))
    expect(await demo.interrupt()).toBe(0)
    const words = `storage-1 ended by itself (SIGKILL): ${join(folder, "storage-1.log")}`
    expect(demo.output).toContain(`\n${words}\n`)
    const logs = ["client.log", "storage-1.log", "storage-2.log", "storage-3.log"]
    expect(readdirSync(folder).sort()).toEqual([...LEFT, ...logs].sort())
  })
})

describe("the lines that a demo prints", () => {
  itWhere("show its device and load it", missing("nbdinfo", "qemu-img"), async () => {
    demo = await DemoProcess.start(folder, "--size", "128 MiB")
    const output = await paste(...printedUnder(demo, "Try, in another terminal:"))
    expect(output).toContain("export-size: 134217728 (128M)")
    expect(output).toMatch(/^Run completed in [\d.]+ seconds\.$/m)
  })

  itWhere("mount a file system on it and take it away again", whyNoFileSystem(), async () => {
    demo = await DemoProcess.start(folder, "--size", "64 MiB")
    try {
      const output = await paste(
        ...printedUnder(demo, "A file system on it, as root:"),
        `echo "it holds this" > "$disk/files/note"`,
        `sync && cat "$disk/files/note"`,
        ...printedUnder(demo, "And away with it, before the demo ends:"),
      )
      expect(output.trim()).toBe("it holds this")
      expect(readdirSync(join(folder, "disk"))).toEqual(["files", "nbd"])
      expect(readdirSync(join(folder, "disk", "nbd"))).toEqual([])
      expect(readdirSync(join(folder, "disk", "files"))).toEqual([])
    } finally {
      await dismount(join(folder, "disk"))
    }
    expect(await demo.interrupt()).toBe(0)
  })
})

/** In a folder of their own, which they leave alone. Answers what they printed. */
async function paste(...lines: string[]): Promise<string> {
  const place = join(folder, "elsewhere")
  mkdirSync(place)
  const result = await pasted(place, lines)
  if (!result.ok) throw new Error(failureText(result))
  expect(readdirSync(place)).toEqual([])
  return result.output
}

function printedUnder({ output }: DemoProcess, title: string): string[] {
  const lines = output.split("\n")
  const start = lines.indexOf(title) + 1
  const end = lines.indexOf("", start)
  expect([start > 0, end > start]).toEqual([true, true])
  return lines.slice(start, end)
}

/** What lines that failed half way have left. */
async function dismount(disk: string): Promise<void> {
  await tried(folder, "umount", join(disk, "files"))
  const image = join(disk, "nbd", "image")
  const listing = ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]
  for (const line of (await tool(folder, "losetup", ...listing)).split("\n")) {
    const [loop = "", file] = line.trim().split(/\s+/)
    if (file === image) await tried(folder, "losetup", "--detach", loop)
  }
  await tried(folder, "umount", join(disk, "nbd"))
}
