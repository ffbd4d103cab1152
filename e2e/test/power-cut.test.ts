/**
 * Power that goes while a real storage node works: its disk is a log of writes (recorded-disk.ts),
 * which is replayed up to its flushes and FUA writes and a little beyond, with what was not flushed
 * lost, kept, kept in part, or torn. Each image is opened as a store and checked.
 *
 * The machine stays up, so a store would say `process`: what another boot finds is another boot id,
 * given to the store here, and to real storage nodes by a mount over the kernel's file.
 *
 * By default some flushes of each log are looked at; `RMR_LONG=1` looks at all of them.
 */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { storeBytes } from "@rmr/brmr-store"
import { type SeededRandom, seededRandom } from "@rmr/testkit"
import { DiskImage } from "./disk-image.js"
import { Generations } from "./generations.js"
import { checkImage, type Floor, type ImageFound, restartOf } from "./image-check.js"
import { expectSameStores, isLong, itWhere, MIB, missing } from "./nbd-tools.js"
import { type PoolProcesses, startPool, until, untilTakenOver } from "./pool-processes.js"
import { cutAt, imageAfter, LOSSES, type Loss, type PowerCut, powerCuts } from "./power-cuts.js"
import { RecordedDisk, whyNoRecording } from "./recorded-disk.js"
import { endOf } from "./refusals.js"
import { rmr } from "./rmr-program.js"
import { expectBlocks, SwornLoad } from "./sworn-load.js"

const SHARED_MEMORY = "/dev/shm"
const SIZE_BYTES = 32 * MIB
const RECORDED_REQUESTS = isLong() ? 1200 : 400
/** Of the power cuts of a log, unless there is time for all: where its data is known, and else. */
const CUTS_MAX = 16
const CUTS_WITHOUT_DATA_MAX = 6
/** Of images, one is looked at by `rmr` as well. */
const INSPECTED = 10
const REPLAYS = isLong() ? LOSSES.length : 2

const seed = Number(process.env["RMR_SEED"])
const why = whyNoRecording() || missing("unshare", "mount")

jest.setTimeout(isLong() ? 3_600_000 : 240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(placeInMemory(), "rmr-power-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Nothing has to survive this machine, and hundreds of images are flushed. */
function placeInMemory(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK)
    return SHARED_MEMORY
  } catch {
    return tmpdir()
  }
}

/** A disk with room for a store, not made yet. */
function emptyDisk(): DiskImage {
  return new DiskImage(Math.ceil(storeBytes({ sizeBytes: SIZE_BYTES }) / MIB) * MIB)
}

async function makeStore(path: string): Promise<void> {
  const made = await endOf("store", "create", path, "--size", `${SIZE_BYTES / MIB} MiB`)
  expect([made.code, made.words]).toEqual([0, expect.stringContaining("has a store")])
}

/** What makes a program behind it believe that the machine was started anew. */
function anotherBoot(nth: number): readonly string[] {
  const file = join(folder, `boot-${nth}`)
  writeFileSync(file, `00000000-0000-4000-8000-${String(nth).padStart(12, "0")}\n`)
  const script = `mount --bind ${file} /proc/sys/kernel/random/boot_id && exec "$@"`
  return ["unshare", "--mount", "sh", "-c", script, "sh"]
}

/** The machine with the client and member 1 is without power, between two instructions. */
async function cutPower(pool: PoolProcesses, disk: RecordedDisk): Promise<void> {
  const gone = [pool.client, pool.storage[0]!].filter(({ isRunning }) => isRunning)
  for (const daemon of gone) daemon.freeze()
  await disk.cut()
  for (const daemon of gone) await daemon.kill()
}

async function endAll(pool: PoolProcesses | undefined, disk: RecordedDisk): Promise<void> {
  for (const daemon of pool === undefined ? [] : [pool.client, ...pool.storage]) await daemon.kill()
  await disk.cut()
}

function beginLoad(
  pool: PoolProcesses,
  generations: Generations,
  random: SeededRandom,
): Promise<SwornLoad> {
  return SwornLoad.begin({ socket: pool.socket, sizeBytes: SIZE_BYTES, generations, random })
}

/**
 * Those that are looked at: all, or as many as there is time for, the first and last among them.
 */
function chosen(cuts: number, max: number, random: SeededRandom): ReadonlySet<number> {
  const picked = new Set([0, cuts - 1])
  while (picked.size < Math.min(cuts, max)) picked.add(random.below(cuts))
  return isLong() ? new Set(Array.from({ length: cuts }, (_, nth) => nth)) : picked
}

/** Checks every chosen power cut of a log, in every way, and says how many there were. */
async function checkImages(
  disk: RecordedDisk,
  generations: Generations | undefined,
  random: SeededRandom,
): Promise<string> {
  const { entries } = disk.recorded()
  const cuts = (): Generator<PowerCut> => powerCuts(entries, disk.start, random.fork("cuts"))
  const max = generations === undefined ? CUTS_WITHOUT_DATA_MAX : CUTS_MAX
  const wanted = chosen([...cuts()].length, max, random.fork("chosen"))
  let floor: Floor = { isCreated: false, state: undefined }
  const restarts: Record<string, number> = {}
  let [nth, images] = [-1, 0]
  for (const cut of cuts()) {
    if (!wanted.has(++nth)) continue
    for (const loss of cut.unflushed.length === 0 ? (["lost"] as const) : LOSSES) {
      const image = imageAfter(cut, loss, random.fork(`${nth} ${loss}`))
      const { restart, state } = await withImage(image, loss, cut, (path) =>
        checkImage(path, cut, floor, generations).then(async (found) => {
          if (images % INSPECTED === 0) await checkAgain(path, found)
          return found
        }),
      )
      restarts[restart] = (restarts[restart] ?? 0) + 1
      images++
      if (loss === "lost" && restart !== "no store") floor = { isCreated: true, state }
    }
  }
  const looked = `${wanted.size} of ${nth + 1} cuts, ${images} images`
  return `${entries.length} entries, ${looked}: ${JSON.stringify(restarts)}`
}

async function withImage<T>(
  image: DiskImage,
  loss: Loss,
  cut: PowerCut,
  run: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(folder, "image")
  image.toFile(path)
  try {
    return await run(path)
  } catch (thrown) {
    const place = `unflushed writes ${loss}, at entry ${cut.position}, RMR_SEED=${seed}`
    throw new Error(`${place}: ${thrown instanceof Error ? thrown.stack : thrown}`)
  } finally {
    rmSync(path, { force: true })
  }
}

/** S17: what nobody has dealt with is said again after a clean close. And `rmr` says that it is. */
async function checkAgain(path: string, { restart, isClean }: ImageFound): Promise<void> {
  if (restart === "no store") return
  const said = await rmr("store", "inspect", path, "--json")
  const { superblock, problems } = JSON.parse(said.stdout)
  expect([said.code, superblock?.isClean, problems]).toEqual([0, true, []])
  if (!isClean) expect(await restartOf(path)).toBe(restart)
}

/** The machine is on again, with this on its disk. */
async function powerOn(pool: PoolProcesses, nth: number): Promise<void> {
  const [node] = pool.storage
  node!.start({}, anotherBoot(nth))
  pool.client.start()
  await untilTakenOver(pool.client)
  const said = await until("member 1 is normal", node!, ({ storage }) => {
    return storage?.pools[0]?.state === "normal"
  })
  expect(said.storage?.pools[0]?.restart).toBe("cache-lost")
}

describe(`power that goes, RMR_SEED=${seed}`, () => {
  itWhere("S6, S7: what a lone member was asked to flush is in every image", why, async () => {
    const random = seededRandom(`a lone member, ${seed}`)
    const path = join(folder, "member.disk")
    const disk = await RecordedDisk.start(path, emptyDisk())
    const generations = new Generations(() => disk.position)
    let pool: PoolProcesses | undefined
    try {
      await makeStore(path)
      pool = await startPool(folder, 1, SIZE_BYTES, { storeOf: () => path })
      let load = await beginLoad(pool, generations, random.fork("first"))
      await load.goOn(RECORDED_REQUESTS / 2)
      // How a store is opened after a crash of its process is in the log, too.
      await Promise.all([pool.client.kill(), pool.storage[0]!.kill()])
      await load.abandon()
      pool.storage[0]!.start()
      pool.client.start()
      await untilTakenOver(pool.client)
      const begun = disk.position
      load = await beginLoad(pool, generations, random.fork("second"))
      await load.goOn(RECORDED_REQUESTS / 2)
      await cutPower(pool, disk)
      await load.abandon()
      const counts = await checkImages(disk, generations, random)
      process.stdout.write(`power-cut: a lone member: ${counts}\n`)
      await expectServed(pool, disk, generations, begun, random)
    } finally {
      await endAll(pool, disk)
    }
  })

  itWhere("P1: a pool whose other member was not there heals, each time", why, async () => {
    const random = seededRandom(`one of two, ${seed}`)
    const path = join(folder, "member.disk")
    const storeOf = (id: number): string => (id === 1 ? path : join(folder, `${id}.store`))
    const generations = new Generations()
    const disks = [await RecordedDisk.start(path, emptyDisk())]
    let pool: PoolProcesses | undefined
    try {
      await makeStore(path)
      pool = await startPool(folder, 2, SIZE_BYTES, { storeOf })
      let load = await beginLoad(pool, generations, random.fork("load 0"))
      for (const [nth, loss] of LOSSES.slice(0, REPLAYS).entries()) {
        await load.goOn(RECORDED_REQUESTS / 2)
        await cutPower(pool, disks[nth]!)
        await load.abandon()
        const image = imageOfEnd(disks[nth]!, loss, random.fork(loss))
        disks.push(await RecordedDisk.start(path, image, nth + 1))
        await powerOn(pool, nth + 1)
        const { blocks } = generations
        await expectBlocks(pool.socket, blocks, (at, found) => generations.judgeAnswered(at, found))
        load = await beginLoad(pool, generations, random.fork(`load ${nth + 1}`))
      }
      await load.goOn(RECORDED_REQUESTS / 2)
      await load.stop()
      load.close()
      await until("member 1 lacks nothing", pool.storage[0]!, ({ storage }) => {
        return storage?.pools[0]?.dirtyChunks === 0
      })
      await pool.stop()
      await expectSameStores(pool.stores)
      for (const [nth, disk] of disks.entries()) {
        await disk.cut()
        const counts = await checkImages(disk, undefined, random.fork(`images ${nth}`))
        process.stdout.write(`power-cut: one of two, boot ${nth}: ${counts}\n`)
      }
    } finally {
      await endAll(pool, disks.at(-1)!)
    }
  })
})

function imageOfEnd(disk: RecordedDisk, loss: Loss, random: SeededRandom): DiskImage {
  const { entries } = disk.recorded()
  return imageAfter(cutAt(entries, disk.start, entries.length), loss, random)
}

/** A client of a real storage node reads what was durable, from images of a few moments. */
async function expectServed(
  pool: PoolProcesses,
  disk: RecordedDisk,
  generations: Generations,
  begun: number,
  random: SeededRandom,
): Promise<void> {
  const { entries } = disk.recorded()
  for (const [nth, loss] of LOSSES.slice(0, REPLAYS).entries()) {
    const position = random.between(begun, entries.length)
    imageAfter(cutAt(entries, disk.start, position), loss, random).toFile(disk.path)
    await powerOn(pool, nth + 1)
    const { blocks } = generations
    await expectBlocks(pool.socket, blocks, (at, bytes) => {
      return generations.judgeAt(position, at, bytes).wrong
    })
    await pool.client.kill()
    await pool.storage[0]!.kill()
    rmSync(disk.path)
  }
}
