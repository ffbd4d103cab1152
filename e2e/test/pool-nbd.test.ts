/**
 * Every command of NBD on the device of a pool, what nbdinfo says of it, and every way to ask for
 * too much: a refusal is a number that the client knows, and whoever comes next is served.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { nativeStatus } from "@rmr/io"
import { optionBytes, RawClient } from "../../packages/brmr-client/test/raw-client.js"
import {
  expectSameStores,
  itWhere,
  MIB,
  missing,
  nbdsh,
  seededFile,
  tool,
  tried,
  withVictim,
} from "./nbd-tools.js"
import { type PoolProcesses, startPool, untilMapped } from "./pool-processes.js"

const SIZE_BYTES = 64 * MIB
const OPT_UNKNOWN = 99
const OPT_GO = 7
const REP_ACK = 1
const REP_ERR_UNSUP = 0x8000_0001
const REP_ERR_UNKNOWN = 0x8000_0006

jest.setTimeout(120_000)

let folder: string
let pool: PoolProcesses

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-nbd-"))
  pool = await startPool(folder, 3, SIZE_BYTES)
})

afterAll(async () => {
  await pool.stop()
  await expectSameStores(pool.stores)
  rmSync(folder, { recursive: true, force: true })
})

const sh = (script: string): Promise<string> => nbdsh(folder, pool.uri, script)

describe("nbdinfo", () => {
  const why = missing("nbdinfo")

  for (const flag of [
    ...["connect", "read", "write", "flush", "fua", "trim", "zero", "fast-zero", "cache", "df"],
    ...["multi-conn", "structured-reply"],
  ]) {
    itWhere(`finds that the device can ${flag}`, why, async () => {
      const result = await tried(folder, "nbdinfo", "--can", flag, pool.uri)
      expect([result.code, result.output.trim()]).toEqual([0, ""])
    })
  }

  for (const flag of ["read-only", "rotational"]) {
    itWhere(`finds that the device is not ${flag}`, why, async () => {
      expect((await tried(folder, "nbdinfo", "--is", flag, pool.uri)).code).toBe(2)
    })
  }

  itWhere("finds size, block sizes and contexts, on the port too", why, async () => {
    const text = await tool(folder, "nbdinfo", "--json", pool.tcpUri)
    const { protocol, TLS, exports } = JSON.parse(text)
    expect([protocol, TLS]).toEqual(["newstyle-fixed", false])
    expect(exports).toHaveLength(1)
    expect(exports[0]).toMatchObject({
      "export-name": "vault",
      description: "pool vault",
      "export-size": SIZE_BYTES,
      contexts: ["base:allocation", "rmr:dirty"],
      block_size_minimum: 4096,
      block_size_preferred: 128 * 1024,
      block_size_maximum: 32 * MIB,
    })
  })

  itWhere("lists the export without its name, and knows no other", why, async () => {
    const text = await tool(
      folder,
      "nbdinfo",
      "--json",
      "--list",
      `nbd://127.0.0.1:${pool.tcpPort}`,
    )
    const names = JSON.parse(text).exports.map(
      (each: Record<string, unknown>) => each["export-name"],
    )
    expect(names).toEqual(["vault"])
    const other = pool.uri.replace("vault", "another")
    const refused = await tried(folder, "nbdinfo", other)
    expect([refused.ok, refused.output.includes("export")]).toEqual([false, true])
  })

  for (const context of ["base:allocation", "rmr:dirty"]) {
    itWhere(`maps ${context}: all is data, and clean`, why, async () => {
      const text = await tool(folder, "nbdinfo", "--json", `--map=${context}`, pool.uri)
      const extents = JSON.parse(text) as { offset: number; length: number; type: number }[]
      expect(extents.every(({ type }) => type === 0)).toBe(true)
      expect(extents.reduce((sum, { length }) => sum + length, 0)).toBe(SIZE_BYTES)
    })
  }
})

/** Scripts whose assertions are their own. */
const SCRIPTS: readonly (readonly [title: string, script: string])[] = [
  [
    "READ and WRITE: blocks, less than a block, and 32 MiB",
    `
h.pwrite(b"a" * 8192, 0)
h.pwrite(b"b" * 100, 4090)
assert h.pread(8192, 0) == b"a" * 4090 + b"b" * 100 + b"a" * (8192 - 4190)
assert h.pread(1, 4090) == b"b"
big = bytes(range(256)) * (1 << 17)
h.pwrite(big, 1 << 20)
assert h.pread(32 << 20, 1 << 20) == big
assert h.pread_structured(4096, 1 << 20, lambda *args: 0, nbd.CMD_FLAG_DF) == big[:4096]
`,
  ],
  [
    "FUA goes with all that changes bytes, and FLUSH comes behind",
    `
h.pwrite(b"f" * 4096, 0, nbd.CMD_FLAG_FUA)
h.zero(4096, 4096, nbd.CMD_FLAG_FUA)
h.trim(4096, 8192, nbd.CMD_FLAG_FUA)
h.flush()
assert h.pread(8192, 0) == b"f" * 4096 + bytes(4096)
`,
  ],
  [
    "WRITE_ZEROES with and without holes, TRIM, CACHE",
    `
h.pwrite(b"z" * (1 << 20), 0)
h.zero(65536, 0, nbd.CMD_FLAG_NO_HOLE)
h.zero(65536, 65536)
h.zero(1000, 200000)
h.trim(65536, 262144)
h.cache(1 << 20, 0)
got = h.pread(1 << 20, 0)
assert got[:131072] == bytes(131072)
assert got[131072:200000] == b"z" * (200000 - 131072)
assert got[200000:201000] == bytes(1000)
assert got[201000:262144] == b"z" * (262144 - 201000)
assert got[327680:] == b"z" * ((1 << 20) - 327680)
`,
  ],
  [
    "WRITE_ZEROES, TRIM, CACHE and BLOCK_STATUS of the whole device at once",
    `
h.pwrite(b"w" * 4096, size // 2)
h.zero(size, 0)
assert h.pread(4096, size // 2) == bytes(4096)
h.trim(size, 0)
h.cache(size, 0)
found = []
h.block_status(size, 0, lambda context, offset, entries, err: found.extend(entries))
assert sum(found[::2]) == size and set(found[1::2]) == {0}, found
`,
  ],
  [
    "BLOCK_STATUS of one extent, and of less than a block",
    `
found = []
def seen(context, offset, entries, err):
    found.append((context, offset, entries))
h.block_status(1 << 20, 4096, seen, nbd.CMD_FLAG_REQ_ONE)
assert found == [("base:allocation", 4096, [1 << 20, 0])], found
h.block_status(100, 50, seen)
`,
  ],
  [
    "beyond the end: ENOSPC for what adds bytes, EINVAL for all others",
    `
for at in (size, size - 2048, 1 << 62):
    fails("EINVAL", lambda: h.pread(4096, at))
    fails("ENOSPC", lambda: h.pwrite(bytes(4096), at))
    fails("ENOSPC", lambda: h.zero(4096, at))
    fails("EINVAL", lambda: h.trim(4096, at))
    fails("EINVAL", lambda: h.cache(4096, at))
    fails("EINVAL", lambda: h.block_status(4096, at, lambda *args: 0))
`,
  ],
  [
    "nothing at all, unknown flags, and flags of other commands: EINVAL",
    `
fails("EINVAL", lambda: h.pread(0, 0))
fails("EINVAL", lambda: h.pwrite(b"", 0))
fails("EINVAL", lambda: h.zero(0, 0))
fails("EINVAL", lambda: h.trim(0, 0))
fails("EINVAL", lambda: h.pread(4096, 0, 1 << 15))
fails("EINVAL", lambda: h.pwrite(bytes(4096), 0, nbd.CMD_FLAG_NO_HOLE))
fails("EINVAL", lambda: h.trim(4096, 0, nbd.CMD_FLAG_REQ_ONE))
fails("EINVAL", lambda: h.flush(nbd.CMD_FLAG_DF))
`,
  ],
  [
    "FAST_ZERO where it would not be fast: ENOTSUP",
    `
h.zero(1 << 20, 0, nbd.CMD_FLAG_FAST_ZERO)
fails("ENOTSUP", lambda: h.zero(1 << 20, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE))
fails("ENOTSUP", lambda: h.zero(100, 10, nbd.CMD_FLAG_FAST_ZERO))
`,
  ],
  [
    "a READ over 32 MiB: EINVAL, and the connection goes on",
    `
fails("EINVAL", lambda: h.pread((32 << 20) + 512, 0))
assert len(h.pread(32 << 20, 0)) == 32 << 20
`,
  ],
  [
    "without structured replies: DF and BLOCK_STATUS are refused, reads are served",
    `
h.shutdown()
h = nbd.NBD()
h.set_strict_mode(0)
h.set_request_structured_replies(False)
h.connect_uri("URI")
h.pwrite(b"p" * 4096, 0)
assert h.pread(4096, 0) == b"p" * 4096
fails("EINVAL", lambda: h.pread(4096, 0, nbd.CMD_FLAG_DF))
fails("EINVAL", lambda: h.pread(4096, size))
`,
  ],
]

describe("nbdsh", () => {
  const why = missing("nbdsh")

  // Whatever was refused before: the export works, over either way in.
  afterEach(async () => {
    if (why !== "") return
    for (const uri of [pool.uri, pool.tcpUri]) {
      const script = `
h.pwrite(b"s" * 4096, size - 4096, nbd.CMD_FLAG_FUA)
assert h.pread(4096, size - 4096) == b"s" * 4096, "it is not served any more"
`
      await nbdsh(folder, uri, script)
    }
  })

  for (const [title, script] of SCRIPTS) {
    itWhere(title, why, async () => {
      // What it printed would be a complaint.
      expect((await sh(script.replaceAll("URI", pool.uri))).trim()).toBe("")
    })
  }

  itWhere("a WRITE over 32 MiB ends its own connection and no other", why, async () => {
    const script = `
other = nbd.NBD()
other.connect_uri("${pool.tcpUri}")
other.pwrite(b"o" * 4096, 0)
try:
    h.pwrite(bytes((32 << 20) + 512), 0)
    assert False, "it was not refused"
except nbd.Error as e:
    print(e.errno)
assert other.pread(4096, 0) == b"o" * 4096, "another client was disturbed"
other.shutdown()
h = nbd.NBD()
h.connect_uri("${pool.uri}")
`
    expect((await sh(script)).trim()).toMatch(/^(ENOTCONN|EINVAL|ECONNRESET|EPIPE)$/)
  })
})

describe("TRIM", () => {
  const why = missing("nbdsh") || (nativeStatus().isLoaded ? "" : nativeStatus().reason)

  itWhere("gives the space of what it drops back, on every member", why, async () => {
    const usedBytes = (): number[] => pool.stores.map((path) => statSync(path).blocks * 512)
    const write = `
h.pwrite(bytes(range(1, 256)) * (1 << 16), 8 << 20)
h.pwrite(bytes(range(1, 256)) * (1 << 16), 24 << 20)
h.flush()
`
    await sh("h.trim(size, 0)\nh.flush()")
    const before = usedBytes()
    await sh(write)
    const written = usedBytes()
    await sh("h.trim(32 << 20, 8 << 20)\nh.flush()\nassert h.pread(4096, 8 << 20) == bytes(4096)")
    const trimmed = usedBytes()
    for (const [nth, used] of before.entries()) {
      expect(written[nth]! - used).toBeGreaterThan(31 * MIB)
      expect(written[nth]! - trimmed[nth]!).toBeGreaterThan(31 * MIB)
    }
  })
})

describe("options", () => {
  it("an unknown one is refused, and the next is answered", async () => {
    const client = await RawClient.greeted({ path: pool.socket })
    try {
      const unknown = await client.option(OPT_UNKNOWN, Buffer.from("whatever"))
      expect(unknown.map(({ type }) => type)).toEqual([REP_ERR_UNSUP])
      const nobody = await client.option(OPT_GO, Buffer.from([0, 0, 0, 1, 0x78, 0, 0]))
      expect(nobody.map(({ type }) => type)).toEqual([REP_ERR_UNKNOWN])
      client.write(optionBytes(OPT_GO, Buffer.from([0, 0, 0, 0, 0, 0])))
      expect((await client.optionReplies(OPT_GO)).at(-1)?.type).toBe(REP_ACK)
    } finally {
      client.close()
    }
  })
})

describe("requests of 32 MiB over four connections at once", () => {
  itWhere("wait for memory, and all are served", missing("nbdcopy"), async () => {
    const source = seededFile(folder, "source.img", SIZE_BYTES)
    const large = ["--connections=4", "--requests=4", `--request-size=${32 * MIB}`]
    await tool(folder, "nbdcopy", ...large, source, pool.uri)
    const back = join(folder, "back.img")
    await tool(folder, "nbdcopy", ...large, pool.uri, back)
    expect(readFileSync(back).equals(readFileSync(source))).toBe(true)
  })
})

describe("P2: a storage node that is killed costs no command of NBD anything:", () => {
  itWhere("all scripts over and over", missing("nbdsh"), async () => {
    const own = mkdtempSync(join(tmpdir(), "rmr-nbd-victim-"))
    const thin = await startPool(own, 3, SIZE_BYTES)
    try {
      const stores = await withVictim(thin, 1, async () => {
        for (const [title, script] of SCRIPTS) {
          const said = await nbdsh(own, thin.uri, script.replaceAll("URI", thin.uri))
          expect([title, said.trim()]).toEqual([title, ""])
        }
      })
      await thin.stop()
      await expectSameStores(stores)
    } finally {
      await thin.stop()
      rmSync(own, { recursive: true, force: true })
    }
  })
})

describe("rmr:dirty", () => {
  itWhere("shows what a member that is away lacks", missing("nbdinfo", "nbdsh"), async () => {
    const own = mkdtempSync(join(tmpdir(), "rmr-nbd-dirty-"))
    const thin = await startPool(own, 3, SIZE_BYTES)
    try {
      await thin.storage[2]!.kill()
      await nbdsh(own, thin.uri, "h.pwrite(bytes(1 << 20), 2 << 20)\nh.flush()")
      const missed = [
        [0, 2 * MIB, 0],
        [2 * MIB, MIB, 1],
        [3 * MIB, SIZE_BYTES - 3 * MIB, 0],
      ]
      expect(await dirtyOf(own, thin.uri)).toEqual(missed)
      // The next client was not there, and hears of it from the members that were.
      await thin.client.stop()
      thin.client.start()
      await untilMapped(thin.client)
      expect(await dirtyOf(own, thin.uri)).toEqual(missed)
    } finally {
      await thin.stop()
      rmSync(own, { recursive: true, force: true })
    }
  })
})

/** Offset, length and flags of each extent. */
async function dirtyOf(inFolder: string, uri: string): Promise<number[][]> {
  const text = await tool(inFolder, "nbdinfo", "--json", "--map=rmr:dirty", uri)
  const extents = JSON.parse(text) as { offset: number; length: number; type: number }[]
  return extents.map(({ offset, length, type }) => [offset, length, type])
}
