/**
 * The demo does what it prints and what the README says of it: lines that are pasted work, and the
 * data is there the next time, with all that was known of who lacks what.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DemoProcess } from "./demo-process.js"
import { itWhere, missing, nbdsh } from "./nbd-tools.js"

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
