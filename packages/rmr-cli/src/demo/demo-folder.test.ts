import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readConfig } from "../config/config.js"
import { clearFolder, type DemoFolder, prepareFolder } from "./demo-folder.js"

const SIZE_BYTES = 64 * 1024 * 1024

let folder: string
let server: Server | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-demo-folder-"))
})

afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)))
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

describe("the folder of a demo", () => {
  it("gives every storage node the port it had, which the pool's record names", async () => {
    const first = addressesOf(await prepareFolder(folder, SIZE_BYTES, 3))
    const second = await prepareFolder(folder, SIZE_BYTES, 3)
    expect(addressesOf(second)).toEqual(first)
    const members = readConfig(second.client.config).client?.pool[0]?.members
    expect(members?.map(({ address }) => address)).toEqual(first)
    expect(new Set(first).size).toBe(3)
  })

  it("keeps the ports of the nodes that were there where one is new", async () => {
    const first = addressesOf(await prepareFolder(folder, SIZE_BYTES, 2))
    const second = addressesOf(await prepareFolder(folder, SIZE_BYTES, 3))
    expect(second.slice(0, 2)).toEqual(first)
    expect(first).not.toContain(second[2])
  })

  it("keeps the port of NBD, and gives another where somebody took it meanwhile", async () => {
    const first = nbdOf(await prepareFolder(folder, SIZE_BYTES, 1))
    expect(nbdOf(await prepareFolder(folder, SIZE_BYTES, 1))).toBe(first)
    await occupy(first)
    expect(nbdOf(await prepareFolder(folder, SIZE_BYTES, 1))).not.toBe(first)
  })

  it("is refused, and left as it is, where somebody listens at a storage node's port", async () => {
    const [address = ""] = addressesOf(await prepareFolder(folder, SIZE_BYTES, 1))
    const port = Number(address.split(":").at(-1))
    await occupy(port)
    await expect(prepareFolder(folder, 2 * SIZE_BYTES, 2)).rejects.toMatchObject({
      code: "busy",
      detail:
        `port ${port} is taken, and a storage node of ${folder} has it: ` +
        "end that demo or program, or name another folder",
    })
    const config = readConfig(join(folder, "client.toml"))
    expect(config.client?.pool).toMatchObject([{ create: SIZE_BYTES, members: [{ address }] }])
  })

  it("keeps stores and configurations, and logs where somebody wants them", async () => {
    const made = await prepareFolder(folder, SIZE_BYTES, 1)
    for (const kind of ["sock", "log", "store"])
      writeFileSync(join(folder, `storage-1.${kind}`), "")
    for (const name of ["client.sock", "client.log", "nbd.sock"]) {
      writeFileSync(join(folder, name), "")
    }
    const kept = ["client.toml", "storage-1.store", "storage-1.toml"]
    clearFolder(made, true)
    expect(readdirSync(folder).sort()).toEqual([...kept, "client.log", "storage-1.log"].sort())
    clearFolder(made, false)
    expect(readdirSync(folder).sort()).toEqual(kept)
  })

  it("may have any name that a file may have", async () => {
    const odd = join(folder, `a "quoted" \\ name`)
    const { storage } = await prepareFolder(odd, SIZE_BYTES, 1)
    const [pool] = readConfig(storage[0]?.config ?? "").storage?.pool ?? []
    expect(pool?.store).toBe(join(odd, "storage-1.store"))
  })
})

function addressesOf({ storage }: DemoFolder): string[] {
  return storage.flatMap(({ config }) => readConfig(config).storage?.listen ?? [])
}

function nbdOf({ client }: DemoFolder): number {
  const nbd = readConfig(client.config).client?.nbd ?? []
  return nbd.flatMap((at) => ("port" in at ? [at.port] : []))[0] ?? 0
}

function occupy(port: number): Promise<void> {
  const occupying = createServer()
  server = occupying
  return new Promise((resolve) => occupying.listen(port, "127.0.0.1", () => resolve()))
}
