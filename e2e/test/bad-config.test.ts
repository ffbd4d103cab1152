/**
 * Configurations with mistakes, and places that somebody else has: the daemon says where the
 * mistake is and what helps, ends with the exit code that is documented, and has touched nothing.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RmrDaemon } from "./pool-processes.js"
import { client, configFile, endOf, refusalOf, storage } from "./refusals.js"
import { rmr } from "./rmr-program.js"

jest.setTimeout(120_000)

let folder: string
let server: Server | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-config-"))
})

afterEach(async () => {
  await new Promise<void>((resolve) =>
    server === undefined ? resolve() : server.close(() => resolve()),
  )
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function listening(at: string | number): Promise<number> {
  const made = createServer()
  server = made
  await new Promise<void>((resolve) => made.listen(at, () => resolve()))
  return typeof at === "string" ? 0 : (made.address() as { port: number }).port
}

/** A daemon that runs meanwhile, and still answers afterwards. */
async function withDaemon(text: string, run: (daemon: RmrDaemon) => Promise<void>): Promise<void> {
  const daemon = new RmrDaemon(folder, "first", text)
  daemon.start()
  try {
    while (
      !(await daemon.status().then(
        () => true,
        () => false,
      ))
    ) {
      expect(daemon.isRunning).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await run(daemon)
    expect((await daemon.status()).name).toBe("first")
  } finally {
    await daemon.stop()
  }
}

describe("a configuration", () => {
  it.each([
    [
      "a key that is misspelled",
      `${storage("/nowhere")}sise = "1 GiB"\n`,
      "line 9: storage.pool.0.sise: there is no such key here; there are: name, member, store",
    ],
    [
      "a table that is misspelled",
      "[storrage]\nlisten = []\n",
      "line 3: storrage: there is no such key here; there are: name, control, log, linger_us, ",
    ],
    [
      "a wrong value",
      storage("/nowhere", "tcp://x", "size = 4097\n"),
      "line 9: storage.pool.0.size",
    ],
    [
      "a value of another kind",
      storage("/nowhere").replace("= 1", '= "one"'),
      "line 7: storage.pool.0.member",
    ],
    ["a missing key", "[storage]\n[[storage.pool]]\n", "line 3: storage.listen"],
    ["a second error as well", "[storage]\nlissten = []\n", "storage.listen"],
    ["what is no TOML", "[storage\n", "line 3: it is no TOML"],
    ["a size that is none", storage("/nowhere", "tcp://x", 'size = "10 apples"\n'), "write 10 GiB"],
    [
      "a place for NBD that is none",
      client("nowhere"),
      "write unix:/run/rmr/nbd.sock or 127.0.0.1:10809",
    ],
    [
      "storage memory that is no power of two",
      storage("/nowhere").replace("[[", 'memory = "100 MiB"\n[['),
      "line 5: storage.memory: payload memory is a power of two from 32 MiB to 2 GiB",
    ],
    [
      "client memory that is no power of two",
      client("unix:/x").replace("[[", 'memory = "100 MiB"\n[['),
      "line 5: client.memory: payload memory is a power of two from 1 MiB to 2 GiB",
    ],
    [
      "more memory than can be had",
      client("unix:/x").replace("[[", 'memory = "4 GiB"\n[['),
      "line 5: client.memory: payload memory is a power of two from 1 MiB to 2 GiB",
    ],
    [
      "a member twice",
      client("unix:/x").replace(':9"', ':9", "1@tcp://127.0.0.1:10"'),
      "line 7: client.pool.0.members.1: member 1 is there twice",
    ],
    [
      "one store for two pools",
      `${storage("/nowhere")}[[storage.pool]]\nname = "b"\nmember = 1\nstore = "/x/../nowhere"\n`,
      "line 12: storage.pool.1.store: pool vault has its store there",
    ],
  ])("with %s is refused with its place, and 2", async (_what, text, words) => {
    const { code, words: said } = await refusalOf(folder, "typo", text)
    expect(said).toContain(join(folder, "typo.toml"))
    expect(said).toContain(words)
    expect(code).toBe(2)
  })

  it("that is right is called right, and nothing is begun", async () => {
    const path = configFile(folder, "right", storage("/nowhere"))
    const { code, stdout } = await rmr("daemon", "--config", path, "--check")
    expect([code, stdout.trim()]).toEqual([0, `${path} is right`])
    const told = await rmr("daemon", "--config", path, "--check", "--json")
    expect([told.code, JSON.parse(told.stdout)]).toEqual([0, { config: path }])
  })

  it("that is not there, or is a folder, is refused with 2", async () => {
    for (const path of [join(folder, "missing.toml"), folder]) {
      const { code, words } = await endOf("daemon", "--config", path)
      expect(words).toContain(`${path} cannot be read`)
      expect(code).toBe(2)
    }
  })

  it("with two devices of one name is refused with 2", async () => {
    const first = client(`unix:${join(folder, "nbd")}`)
    const other = first.slice(first.indexOf("[[")).replace('"vault"', '"other"\nexport = "vault"')
    const { code, words } = await refusalOf(folder, "twins", first + other)
    expect(words).toContain("two devices with the name vault")
    expect(code).toBe(2)
  })

  it("with an address that is none is refused with 2", async () => {
    const store = join(folder, "store")
    const { code, words } = await refusalOf(
      folder,
      "a",
      storage(store, "nowhere", "size = 4194304\n"),
    )
    expect(words).toContain("nowhere")
    expect(code).toBe(2)
  })

  it("an unknown verb, and none, are refused with 2", async () => {
    expect((await endOf("stattus")).code).toBe(2)
    expect((await endOf("daemon")).code).toBe(2)
  })
})

describe("a place that somebody else has:", () => {
  it("a port for storage, and one for NBD: 4, and which", async () => {
    const port = await listening(0)
    const store = join(folder, "store")
    const at = `127.0.0.1:${port}`
    const text = storage(store, `tcp://${at}`, "size = 4194304\n")
    for (const each of [text, client(at)]) {
      const { code, words } = await refusalOf(folder, "second", each)
      expect(words).toMatch(new RegExp(`^rmr: busy: .*${port}`))
      expect(code).toBe(4)
    }
  })

  it("the control socket of another daemon: 4, and that one goes on", async () => {
    await withDaemon(client(`unix:${join(folder, "a")}`), async ({ control }) => {
      const text = `control = "${control}"\n${client(`unix:${join(folder, "b")}`)}`
      const { code, words } = await refusalOf(folder, "second", text)
      expect(words).toMatch(/^rmr: busy: .*stop it, or name another/)
      expect(code).toBe(4)
    })
  })

  it("the NBD socket of another daemon: 4, and that one still listens", async () => {
    const nbd = join(folder, "nbd.sock")
    await withDaemon(client(`unix:${nbd}`), async (daemon) => {
      const before = (await daemon.status()).client?.nbd
      const { code, words } = await refusalOf(folder, "second", client(`unix:${nbd}`))
      expect(words).toMatch(/^rmr: busy: .*nbd\.sock/)
      expect([code, before?.clientCount]).toEqual([4, 0])
      const { code: third } = await refusalOf(folder, "third", client(`unix:${nbd}`))
      expect(third).toBe(4)
    })
  })

  it("a file where a socket should be: it stays as it is, and 2", async () => {
    const precious = join(folder, "precious")
    writeFileSync(precious, "do not lose this")
    const nbd = client(`unix:${precious}`)
    const control = `control = "${precious}"\n${client(`unix:${join(folder, "nbd")}`)}`
    for (const text of [nbd, control]) {
      const { code, words } = await refusalOf(folder, "greedy", text)
      expect(readFileSync(precious, "utf8")).toBe("do not lose this")
      expect(words).toMatch(/^rmr: .*precious.* is there and is no socket; name another/)
      expect(code).toBe(2)
    }
  })

  it("a socket that a killed daemon left: it is taken over", async () => {
    const nbd = `unix:${join(folder, "nbd.sock")}`
    const dead = new RmrDaemon(folder, "first", client(nbd))
    dead.start()
    while (
      !(await dead.status().then(
        () => true,
        () => false,
      ))
    ) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await dead.kill()
    await withDaemon(client(nbd), async (daemon) => {
      expect((await daemon.status()).client?.pools).toHaveLength(1)
    })
  })

  it("a control socket in a folder that is not there: 2, and what to do", async () => {
    const text = `control = "${join(folder, "no", "control")}"\n${storage("/nowhere")}`
    const { code, words } = await refusalOf(folder, "a", text)
    expect(words).toMatch(/no\/control .*make its folder, or name another/)
    expect(code).toBe(2)
  })

  it("an admin without a daemon: 3", async () => {
    mkdirSync(join(folder, "place"))
    for (const place of ["nobody", "place"]) {
      const { code, words } = await endOf("status", "--socket", join(folder, place))
      expect(words).toContain("no daemon answers")
      expect(code).toBe(3)
    }
  })
})
