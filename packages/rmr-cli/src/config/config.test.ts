/** What a configuration may say, and how one with mistakes is refused: with the place of each. */
import { RmrError } from "@rmr/core"
import { LINGER_US_DEFAULT } from "@rmr/io"
import { parseConfig } from "./config.js"
import { parseSize, sizeText } from "./sizes.js"

const STORAGE = `
name = "storage-1"
[storage]
listen = ["tcp://0.0.0.0:4710"]
[[storage.pool]]
name = "vault"
member = 1
store = "/srv/rmr/vault"
size = "10 GiB"
`

const CLIENT = `
name = "compute-1"
[client]
nbd = ["unix:/run/rmr/nbd.sock", "[::1]:10809"]
[[client.pool]]
name = "vault"
members = ["1@tcp://10.0.0.1:4710", "2@tcp://10.0.0.2:4710"]
`

function refusal(text: string): RmrError {
  try {
    parseConfig(text, "rmr.toml")
  } catch (thrown) {
    return RmrError.from(thrown)
  }
  throw new Error("it was taken")
}

describe("a configuration", () => {
  it("of a storage node has defaults for what it does not say", () => {
    const { storage, linger_us } = parseConfig(STORAGE, "rmr.toml")
    expect(linger_us).toBe(LINGER_US_DEFAULT)
    expect(storage?.pool[0]).toMatchObject({
      member: 1,
      size: 10 * 2 ** 30,
      chunk: 128 * 1024,
      queue_depth: 128,
      direct: "auto",
    })
  })

  it("of a compute client may name several paths to a member over RDMA, and how to choose", () => {
    const address = "rdma://10.0.0.9@10.0.0.1:4710,10.0.1.1:4710"
    const text = CLIENT.replace("tcp://10.0.0.1:4710", address)
    const chosen = text.replace("[client]", '[client]\npath_policy = "min-latency"')
    const { client } = parseConfig(chosen, "rmr.toml")
    expect(client?.pool[0]?.members[0]).toEqual({ memberId: 1, address })
    expect(client?.path_policy).toBe("min-latency")
  })

  it("of a compute client names members and places for NBD", () => {
    const { client } = parseConfig(CLIENT, "rmr.toml")
    expect(client?.nbd).toEqual([{ path: "/run/rmr/nbd.sock" }, { host: "::1", port: 10_809 }])
    expect(client?.pool[0]?.members[1]).toEqual({ memberId: 2, address: "tcp://10.0.0.2:4710" })
  })

  it.each([
    [
      "a key that is misspelled",
      `${STORAGE}sise = 4\n`,
      "line 10: storage.pool.0.sise: there is no such key here; there are: name, member, store",
    ],
    ["no loops", STORAGE.replace("[[", "loops = 0\n[["), "storage.loops: "],
    ["more loops than shards", CLIENT.replace("[[", "loops = 17\n[["), "client.loops: "],
    ["lingering for hours", `linger_us = 3600000\n${STORAGE}`, "linger_us: "],
    ["no role at all", 'name = "x"', "neither [storage] nor [client]"],
    ["a size that is none", STORAGE.replace("10 GiB", "10 apples"), "storage.pool.0.size"],
    ["a size in odd bytes", STORAGE.replace("10 GiB", "4097"), "multiple of 4096"],
    [
      "a path to nowhere",
      CLIENT.replace("1@tcp://10.0.0.1:4710", "1@rdma://10.0.0.1:4710,10.0.1.1"),
      "client.pool.0.members.0",
    ],
    [
      "two paths over TCP",
      CLIENT.replace(":4710", ":4710,10.0.1.1:4710"),
      "client.pool.0.members.0",
    ],
    [
      "a path policy that nobody knows",
      CLIENT.replace("[client]", '[client]\npath_policy = "best"'),
      "client.path_policy",
    ],
    ["a member without a number", CLIENT.replace("1@tcp", "tcp"), "client.pool.0.members.0"],
    ["a member id that cannot be", STORAGE.replace("member = 1", "member = 0"), "member"],
    ["a pool name with a slash", STORAGE.replaceAll("vault", "va/ult"), "storage.pool.0.name"],
    ["a place for NBD that is none", CLIENT.replace("[::1]:10809", "nowhere"), "client.nbd.1"],
    ["what is no TOML", "name = ", "line 1: it is no TOML"],
    ["an address that is none", STORAGE.replace("tcp://", "rcp://"), "write tcp://10.0.0.1:4710"],
    [
      "a deadline that no disk can keep",
      `${CLIENT}io_deadline_ms = 199\n`,
      "client.pool.0.io_deadline_ms: ",
    ],
    ["a factor of nothing", `${CLIENT}slow_factor = 1\n`, "client.pool.0.slow_factor: "],
    ["a port that cannot be", CLIENT.replace(":4710", ":99999"), "client.pool.0.members.0"],
    [
      "a device whose name nobody can be told",
      `${CLIENT}export = "a\\u0000b"\n`,
      "client.pool.0.export: a device has a name of 1 to 255",
    ],
    [
      "less room than size",
      STORAGE.replace("size =", "max_size = 4096\nsize ="),
      "pool.0.max_size: ",
    ],
    [
      "room for no size",
      STORAGE.replace("size =", "max_size ="),
      "say size, and no less than that",
    ],
    [
      "a least rate of copies above the most",
      STORAGE.replace("size =", 'sync_max = "1 MiB"\nsize ='),
      "pool.0.sync_min: the most that a sync does is no less than the least",
    ],
    ["copies at no rate", STORAGE.replace("size =", "sync_min = 0\nsize ="), "pool.0.sync_min: "],
    [
      "a share of more than all",
      STORAGE.replace("size =", "sync_min_share = 2\nsize ="),
      "pool.0.sync_min_share: ",
    ],
    ["a chunk of three", STORAGE.replace("size =", "chunk = 3\nsize ="), "power of two"],
  ])("with %s is refused, and says where", (_what, text, words) => {
    const error = refusal(text)
    expect(error.code).toBe("invalid-argument")
    expect(error.message).toContain("rmr.toml")
    expect(error.message).toContain(words)
  })

  it("names every mistake at once", () => {
    const { message } = refusal(STORAGE.replace("member = 1", "member = 0\ncolour = 1"))
    expect(message).toContain("storage.pool.0.member")
    expect(message).toContain("colour")
  })

  it("with two pools or two devices of one name is refused", () => {
    const pool = CLIENT.slice(CLIENT.indexOf("[[client"))
    expect(refusal(CLIENT + pool).code).toBe("name-clash")
    const other = pool.replace('"vault"', '"other"').replace("members", 'export = "vault"\nmembers')
    expect(refusal(CLIENT + other).message).toContain("two devices with the name vault")
  })
})

describe("a size", () => {
  it.each([
    ["10 GiB", 10 * 2 ** 30],
    ["128KiB", 131_072],
    ["4096", 4096],
    ["1.5 T", 1.5 * 2 ** 40],
  ])("%s is read", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it("that is none says what one looks like", () => {
    for (const text of ["", "GiB", "-1", "1 parsec", "0"]) {
      expect(() => parseSize(text)).toThrow("write 10 GiB")
    }
  })

  it("is shown in the largest unit that fits", () => {
    expect([sizeText(512), sizeText(65_536), sizeText(1.5 * 2 ** 30)]).toEqual([
      "512 bytes",
      "64 KiB",
      "1.5 GiB",
    ])
  })
})
