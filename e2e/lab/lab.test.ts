/** The parts of the lab that need no guest. Guests themselves are for guest.test.ts. */
import { mkdtempSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { archiveOf, FOLDER, PLAIN_FILE } from "./cpio.js"
import { labOptions } from "./options.js"
import { checkRoom, isWithMore, PEER_KINDS, rdmaOf } from "./peers.js"
import { LabError, runOrFail } from "./runs.js"
import { quoted } from "./shell.js"
import { type Wire, wireIn } from "./wire.js"

describe("an archive for the kernel", () => {
  it("has names and bytes on multiples of four, and an end", () => {
    const bytes = Buffer.from("12345")
    const archive = archiveOf([
      { name: "a", mode: FOLDER },
      { name: "a/file", mode: PLAIN_FILE, bytes },
    ])
    expect(archive.length % 4).toBe(0)
    // 110 of a head, and the name with a zero behind it.
    const second = 112
    expect(archive.toString("latin1", 0, 6)).toBe("070701")
    expect(archive.toString("latin1", 110, 112)).toBe("a\0")
    expect(archive.toString("latin1", second, second + 6)).toBe("070701")
    expect(archive.toString("latin1", second + 14, second + 22)).toBe("000081a4")
    expect(archive.toString("latin1", second + 54, second + 62)).toBe("00000005")
    expect(archive.toString("latin1", second + 110, second + 117)).toBe("a/file\0")
    expect(archive.toString("latin1", second + 120, second + 125)).toBe("12345")
    expect(archive.toString("latin1")).toContain("TRAILER!!!\0")
  })
})

describe("its command line", () => {
  it("takes what is behind the first word that is no option as the command", () => {
    const options = labOptions(["--", "--guests", "2", "--rdma", "3", "fio", "--help", "--rdma"])
    expect(options).toMatchObject({ guests: 2, rdmaCount: 3, rdmaKind: "rxe", isHelp: false })
    expect(options.command).toEqual(["fio", "--help", "--rdma"])
    expect(labOptions(["--siw", "--", "--odd"]).command).toEqual(["--odd"])
  })

  it("counts instructions of one processor alone", () => {
    expect(labOptions(["--counted", "true"])).toMatchObject({ isCounted: true, processors: 1 })
    expect(labOptions(["true"])).toMatchObject({ isCounted: false, processors: 2 })
    for (const more of ["--guests", "--processors"]) {
      expect(() => labOptions(["--counted", more, "2", "true"])).toThrow(/--counted: /)
    }
  })

  it("puts devices on a wire where there is one, and no others with them", () => {
    const options = labOptions(["--guests", "2", "--rdma-wire", "--siw", "true"])
    expect(options).toMatchObject({ isRdmaOnWire: true, rdmaKind: "siw", rdmaCount: 0 })
    expect(labOptions(["--siw", "true"])).toMatchObject({ isRdmaOnWire: false, rdmaCount: 1 })
  })

  it("takes every peer by its name, and none where none is named", () => {
    for (const peerKind of PEER_KINDS) {
      const options = labOptions(["--peer", peerKind, "--peer-mib", "64", "--", "true"])
      expect(options).toMatchObject({ peerKind, peerMib: 64, command: ["true"] })
    }
    expect(labOptions(["true"])).toMatchObject({ peerKind: undefined, peerMib: 256 })
  })

  it.each([
    [[], /which command/],
    [["--guests", "two", "true"], /--guests two: it takes a whole number from 1 to 8/],
    [["--guests", "9", "true"], /from 1 to 8/],
    [["--guests"], /--guests : it takes/],
    [["--gests", "2", "true"], /there is no option --gests/],
    [["--peer", "md", "true"], /--peer md: it is md-nbd, md-nvme-tcp, .*drbd/],
    [["--peer"], /--peer : it is/],
    [["--rdma-wire", "true"], /--rdma-wire: a wire takes --guests 2 or more/],
    [["--peer", "drbd", "--peer-mib", "8", "true"], /from 16 to 16384/],
  ])("refuses %j and says why", (words, why) => {
    expect(() => labOptions(words)).toThrow(LabError)
    expect(() => labOptions(words)).toThrow(why)
  })
})

describe("a peer", () => {
  const peer = (kind: (typeof PEER_KINDS)[number]) => ({ kind, mib: 256 })

  it("over RDMA has soft-RoCE for each copy, and others what was asked for", () => {
    const some = { count: 1, kind: "siw" } as const
    expect(rdmaOf(peer("md-rnbd"), undefined)).toEqual({ count: 2, kind: "rxe" })
    expect(rdmaOf(peer("md-nvme-rdma"), { count: 3, kind: "rxe" })?.count).toBe(3)
    expect(() => rdmaOf(peer("md-rnbd"), some)).toThrow("md-rnbd takes soft-RoCE, and not iWARP")
    expect(rdmaOf(peer("drbd"), some)).toBe(some)
    expect(rdmaOf(undefined, undefined)).toBeUndefined()
  })

  it("takes modules that Debian leaves out only where it is RNBD", () => {
    expect(PEER_KINDS.filter((kind) => isWithMore(kind, "rxe"))).toEqual(["md-rnbd"])
    expect([isWithMore(undefined, "rxe"), isWithMore(undefined, "siw")]).toEqual([false, true])
  })

  it("has room in half of its guest's memory", () => {
    expect(() => checkRoom(peer("drbd"), 1024)).not.toThrow()
    expect(() => checkRoom(peer("drbd"), 1023)).toThrow(
      new LabError("drbd of 256 MiB takes a guest of 1024 MiB, not of 1023"),
    )
  })
})

it("a word reaches a shell as it is", async () => {
  for (const word of ["plain", "it's", '$HOME `x` "y" \\', "two\nlines", ""]) {
    const { output } = await runOrFail("sh", ["-c", `printf %s ${quoted(word)}`], { seconds: 10 })
    expect(output).toBe(word)
  }
})

it("a program that fails says what it said, and one that is not there is named", async () => {
  const failing = runOrFail("sh", ["-c", "echo why; exit 3"], { seconds: 10 })
  await expect(failing).rejects.toThrow(/why[\s\S]*exit code 3/)
  await expect(runOrFail("no-such-program", [], { seconds: 10 })).rejects.toThrow(
    "there is no no-such-program",
  )
  await expect(runOrFail("sleep", ["60"], { seconds: 0.1 })).rejects.toThrow(
    /ended after 0.1 s, its time limit/,
  )
})

describe("a wire", () => {
  let folder: string
  let wire: Wire
  const guests: Socket[] = []

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "wire-"))
    wire = await wireIn(folder, 3)
  })

  afterEach(async () => {
    for (const guest of guests.splice(0)) guest.destroy()
    await wire.close()
    rmSync(folder, { recursive: true })
  })

  async function guest(): Promise<{ socket: Socket; heard: () => string }> {
    const socket = connect(wire.pathFor(guests.length + 1))
    let heard = ""
    socket.on("data", (bytes: Buffer) => {
      heard += bytes.toString("latin1")
    })
    await new Promise((resolve) => socket.once("connect", resolve))
    guests.push(socket)
    return { socket, heard: () => heard }
  }

  const frame = (text: string): Buffer => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(text.length)
    return Buffer.concat([head, Buffer.from(text)])
  }
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
  }

  it("brings what one guest says to all others, whole frames at a time", async () => {
    const [one, two, three] = [await guest(), await guest(), await guest()]
    const bytes = Buffer.concat([frame("hello"), frame("world")])
    one.socket.write(bytes.subarray(0, 6))
    await new Promise((resolve) => setImmediate(resolve))
    one.socket.write(bytes.subarray(6))
    await until(() => two.heard().length === bytes.length && three.heard().length === bytes.length)
    expect(two.heard()).toBe(bytes.toString("latin1"))
    expect(one.heard()).toBe("")
  })

  it("brings nothing from or to who is cut off, until it is mended", async () => {
    const [one, two, three] = [await guest(), await guest(), await guest()]
    wire.cut(2)
    one.socket.write(frame("a"))
    await until(() => three.heard() !== "")
    two.socket.write(frame("b"))
    three.socket.write(frame("c"))
    await until(() => one.heard() !== "")
    expect(one.heard()).toBe(frame("c").toString("latin1"))
    expect(two.heard()).toBe("")
    wire.mend(2)
    one.socket.write(frame("d"))
    await until(() => two.heard() !== "")
    expect(two.heard()).toBe(frame("d").toString("latin1"))
  })

  it("drops who sends a frame that no card has, and the others go on", async () => {
    const [one, two, three] = [await guest(), await guest(), await guest()]
    const gone = new Promise((resolve) => one.socket.once("close", resolve))
    one.socket.write(Buffer.from([0xff, 0, 0, 0]))
    await gone
    two.socket.write(frame("on"))
    await until(() => three.heard() !== "")
    expect(three.heard()).toBe(frame("on").toString("latin1"))
  })
})
