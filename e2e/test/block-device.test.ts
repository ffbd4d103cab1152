/**
 * Stores on block devices: size, sectors and discard are those of the device, nobody opens one that
 * is in use, and a pool with a member on a disk and another in a file is one pool.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BlockFile, Memory } from "@rmr/core"
import { BLOCK_FUA, BLOCK_UNMAP, buddyMemory, leaseBytes } from "@rmr/core"
import { fileSource, nativeStatus, pageArenas, realEnv } from "@rmr/io"
import { AwaitedIo } from "./awaited-io.js"
import { SECTOR_BYTES, whyNoLoop, withDisk } from "./loops.js"
import {
  expectSameStores,
  itWhere,
  MIB,
  missing,
  nbdsh,
  seededBytes,
  seededFile,
  tool,
} from "./nbd-tools.js"
import { startPool } from "./pool-processes.js"
import { endOf } from "./refusals.js"

const DISK_BYTES = 96 * MIB
const SIZE_BYTES = 32 * MIB

jest.setTimeout(120_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-disk-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** An open device. */
class Disk {
  readonly file: BlockFile
  private readonly memory: Memory
  private readonly io: AwaitedIo

  private constructor(file: BlockFile, memory: Memory, io: AwaitedIo) {
    this.file = file
    this.memory = memory
    this.io = io
  }

  static async open(path: string): Promise<Disk> {
    const memory = buddyMemory({ arenas: pageArenas([4 * MIB]), leaseCountMax: 64 })
    const io = new AwaitedIo()
    const file = await fileSource(path).open({ env: realEnv(), memory, events: io.events })
    return new Disk(file, memory, io)
  }

  async write(offset: number, bytes: Uint8Array, flags: number): Promise<void> {
    const lease = this.memory.lease(bytes.length)
    leaseBytes(this.memory, lease, 0, bytes.length).set(bytes)
    await this.ask((token) => this.file.write(token, offset, lease, 0, bytes.length, flags))
    this.memory.release(lease)
  }

  async read(offset: number, count: number): Promise<Buffer> {
    const lease = this.memory.lease(count)
    await this.ask((token) => this.file.read(token, offset, lease, 0, count))
    const bytes = Buffer.from(leaseBytes(this.memory, lease, 0, count))
    this.memory.release(lease)
    return bytes
  }

  discard(offset: number, count: number): Promise<void> {
    return this.ask((token) => this.file.zero(token, offset, count, BLOCK_UNMAP))
  }

  flush(): Promise<void> {
    return this.ask((token) => this.file.flush(token))
  }

  private ask(submit: (token: number) => void): Promise<void> {
    return this.io.ask(this.file, submit)
  }
}

const usedBytes = (path: string): number => statSync(path).blocks * 512

describe("a block device", () => {
  const why = whyNoLoop()
  const whyNoHoles = nativeStatus().isLoaded ? "" : nativeStatus().reason

  itWhere("B1: has the size and the sectors that the kernel says", why, async () => {
    await withDisk(folder, join(folder, "backing"), DISK_BYTES, async (device) => {
      const disk = await Disk.open(device)
      expect([disk.file.sizeBytes, disk.file.blockBytes]).toEqual([DISK_BYTES, SECTOR_BYTES])
      await disk.file.close()
    })
  })

  itWhere("B2: keeps what was written, with FUA and with a flush", why, async () => {
    await withDisk(folder, join(folder, "backing"), DISK_BYTES, async (device) => {
      const disk = await Disk.open(device)
      const [one, other] = [seededBytes(1, MIB), seededBytes(2, SECTOR_BYTES)]
      await disk.write(MIB, one, 0)
      await disk.write(DISK_BYTES - SECTOR_BYTES, other, BLOCK_FUA)
      await disk.flush()
      await disk.file.close()
      const again = await Disk.open(device)
      expect((await again.read(MIB, MIB)).equals(one)).toBe(true)
      expect((await again.read(DISK_BYTES - SECTOR_BYTES, SECTOR_BYTES)).equals(other)).toBe(true)
      await again.file.close()
    })
  })

  itWhere("B7: gives back the space of what is discarded", why || whyNoHoles, async () => {
    const backing = join(folder, "backing")
    await withDisk(folder, backing, DISK_BYTES, async (device) => {
      const disk = await Disk.open(device)
      expect(disk.file.supports.unmap).toBe(true)
      for (let nth = 0; nth < 8; nth++) await disk.write(nth * MIB, seededBytes(nth, MIB), 0)
      await disk.flush()
      const before = usedBytes(backing)
      expect(before).toBeGreaterThanOrEqual(8 * MIB)
      await disk.discard(2 * MIB, 4 * MIB)
      await disk.flush()
      expect(before - usedBytes(backing)).toBeGreaterThan(3 * MIB)
      expect((await disk.read(3 * MIB, MIB)).equals(Buffer.alloc(MIB))).toBe(true)
      expect((await disk.read(MIB, MIB)).equals(seededBytes(1, MIB))).toBe(true)
      await disk.file.close()
    })
  })

  itWhere("B9: is opened by one at a time", why, async () => {
    await withDisk(folder, join(folder, "backing"), DISK_BYTES, async (device) => {
      const disk = await Disk.open(device)
      const said = await endOf("store", "create", device, "--size", "32 MiB")
      expect([said.code, said.words]).toEqual([4, expect.stringContaining("rmr: busy: ")])
      await disk.file.close()
      await (await Disk.open(device)).file.close()
    })
  })

  itWhere("B9: is refused while it is mounted", why || missing("mkfs.ext4"), async () => {
    await withDisk(folder, join(folder, "backing"), DISK_BYTES, async (device) => {
      await tool(folder, "mkfs.ext4", "-q", "-F", device)
      const place = join(folder, "mounted")
      mkdirSync(place)
      await tool(folder, "mount", "-t", "ext4", device, place)
      try {
        const words = `${device} is in use by the kernel: it is mounted, or part of another device`
        await expect(Disk.open(device)).rejects.toThrow(`busy: ${words}`)
      } finally {
        await tool(folder, "umount", place)
      }
      await (await Disk.open(device)).file.close()
    })
  })
})

describe("a pool with a member on a block device", () => {
  const why = whyNoLoop() || missing("nbdcopy", "nbdsh")

  itWhere("P1: is a pool like others, and its stores are the same", why, async () => {
    const backing = join(folder, "backing")
    await withDisk(folder, backing, DISK_BYTES, async (device) => {
      const made = await endOf("store", "create", device, "--size", "32 MiB")
      expect([made.code, made.words]).toEqual([0, `${device} has a store for a volume of 32 MiB`])
      const storeOf = (id: number): string => (id === 1 ? device : join(folder, `${id}.store`))
      const pool = await startPool(folder, 2, SIZE_BYTES, { storeOf })
      try {
        const source = seededFile(folder, "source.img", SIZE_BYTES)
        const back = join(folder, "back.img")
        await tool(folder, "nbdcopy", "--connections=4", source, pool.uri)
        await tool(folder, "nbdcopy", "--connections=4", pool.uri, back)
        expect(readFileSync(back).equals(readFileSync(source))).toBe(true)
        await nbdsh(folder, pool.uri, "h.pwrite(b'f' * 4096, 0, nbd.CMD_FLAG_FUA)\nh.flush()")
      } finally {
        await pool.stop()
      }
      await expectSameStores(pool.stores)
    })
  })
})
