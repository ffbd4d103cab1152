/**
 * Creating, looking at and erasing stores.
 *
 * A place that holds something is refused: whoever formats the wrong device by accident has lost
 * more than a store. The superblocks are written last, so that what was interrupted is no store.
 */
import type { BlockFile, BlockFileSource, Env, Memory } from "@rmr/core"
import {
  BLOCK_UNMAP,
  CELL_BYTES_MAX,
  CHUNK_BYTES_DEFAULT,
  COMMIT_BYTES_MAX,
  EXTENT_BYTES_DEFAULT,
  MAP_PAGE_CHUNKS,
  MEMBERS_MAX,
  RmrError,
  STATUS_OK,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import { CommitLog } from "./commit-log.js"
import { alignUp, ENTRY_BYTES, ENTRY_SNAPSHOT, hotEntry } from "./frame.js"
import { MetaIo } from "./meta-io.js"
import { assertWritten, completeAll, readSuperblock } from "./open-store.js"
import { foreignContent } from "./signatures.js"
import { encodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from "./superblock.js"

export interface StoreShape {
  /** Room for a volume of this size; a multiple of 4096. */
  readonly sizeBytes: number
  /** How large it may ever grow; default `sizeBytes`. */
  readonly sizeBytesMax?: number
  /** Default 4 MiB. */
  readonly extentBytes?: number
  /** Hot extents, spare ones included; default 4096. */
  readonly hotExtentsMax?: number
  /** The smallest chunk of a pool that will live here; default 128 KiB. */
  readonly chunkSizeBytes?: number
}

export interface CreateStoreOptions extends StoreShape {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
  /** Overwrites whatever is there. */
  readonly isForced?: boolean
  /** The file was made just now and reads zero: nothing has to be zeroed. */
  readonly isKnownZero?: boolean
}

const HOT_EXTENTS = 4096
const DATA_ALIGN = 1024 * 1024

/** How many bytes a place needs for a store of this shape. */
export function storeBytes(shape: StoreShape): number {
  return layoutOf(shape).dataStart + shape.sizeBytes
}

/** Fails with `exists`, `too-small`, `busy`, and with what the file says. */
export async function createStore(options: CreateStoreOptions): Promise<void> {
  const { source, isForced = false, isKnownZero = false } = options
  const block = layoutOf(options)
  await withFile(options, async (file, io) => {
    const needs = block.dataStart + block.sizeBytes
    if (file.sizeBytes < needs) {
      const has = `${source.name} has ${file.sizeBytes} bytes`
      throw new RmrError("too-small", `${has}, a store of this size needs ${needs}`)
    }
    if (!isForced && !isKnownZero) {
      const found = await foreignContent(io, file.sizeBytes)
      if (found !== undefined) {
        const words = `${source.name} holds ${found}; say --force to overwrite it`
        throw new RmrError("exists", words)
      }
    }
    const nothing = new Uint8Array(SUPERBLOCK_BYTES)
    for (const copy of [0, 1]) {
      assertWritten(source.name, await io.writeDurably(copy * SUPERBLOCK_BYTES, nothing))
    }
    if (!isKnownZero) await zeroAll(file, io, block)
    const area = { start: block.areaStart, bytes: block.areaBytes, generation: block.generation }
    const log = new CommitLog(io, area, file.blockBytes)
    assertWritten(source.name, await log.append([hotEntry(ENTRY_SNAPSHOT, [])]))
    const bytes = encodeSuperblock({ ...block, logFrames: log.frames })
    for (const copy of [0, 1]) {
      assertWritten(source.name, await io.writeDurably(copy * SUPERBLOCK_BYTES, bytes))
    }
  })
}

/** What a place says about its store, without taking it into use. */
export function inspectStore(options: {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
}): Promise<Superblock> {
  return withFile(options, (_file, io) => readSuperblock(options.source.name, io))
}

/**
 * The place holds no store afterwards, a damaged one included; what data it has is not touched.
 */
export async function eraseStore(options: {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
}): Promise<void> {
  await withFile(options, async (_file, io) => {
    try {
      await readSuperblock(options.source.name, io)
    } catch (thrown) {
      if (RmrError.from(thrown).code !== "corrupt") throw thrown
    }
    const nothing = new Uint8Array(SUPERBLOCK_BYTES)
    for (const copy of [0, 1]) {
      assertWritten(options.source.name, await io.writeDurably(copy * SUPERBLOCK_BYTES, nothing))
    }
  })
}

function layoutOf(shape: StoreShape): Superblock {
  const { sizeBytes, sizeBytesMax = sizeBytes } = shape
  const extentBytes = shape.extentBytes ?? EXTENT_BYTES_DEFAULT
  if (sizeBytes <= 0 || sizeBytes % VOLUME_BLOCK_BYTES !== 0 || sizeBytesMax < sizeBytes) {
    const words = `a store has a size that is a multiple of ${VOLUME_BLOCK_BYTES}, not ${sizeBytes}`
    throw new RmrError("invalid-argument", words)
  }
  const pageBytes = MAP_PAGE_CHUNKS * (shape.chunkSizeBytes ?? CHUNK_BYTES_DEFAULT)
  const mapPagesMax = Math.ceil(sizeBytesMax / pageBytes)
  const areaBytes = areaBytesOf(mapPagesMax)
  const areaStart = 2 * SUPERBLOCK_BYTES
  const align = Math.max(DATA_ALIGN, Math.min(extentBytes, 4 * DATA_ALIGN))
  return {
    sequence: 1,
    extentBytes,
    hotExtentsMax: shape.hotExtentsMax ?? HOT_EXTENTS,
    mapPagesMax,
    areaBytes,
    areaStart,
    dataStart: alignUp(areaStart + 2 * areaBytes, align),
    sizeBytes,
    area: 0,
    generation: 1,
    isClean: true,
    logFrames: 0,
    pending: "none",
    isHotUnreadable: false,
    bootId: "",
  }
}

/** Room for every cell there can be, a snapshot's rest, two commits, and some history. */
function areaBytesOf(mapPagesMax: number): number {
  const pages = MEMBERS_MAX * mapPagesMax * (CELL_BYTES_MAX["map-page"] + ENTRY_BYTES)
  const others =
    CELL_BYTES_MAX.identity +
    CELL_BYTES_MAX.state +
    CELL_BYTES_MAX["pool-metadata"] +
    CELL_BYTES_MAX["last-io"] +
    MEMBERS_MAX * CELL_BYTES_MAX.map
  return alignUp(pages + others + 4 * COMMIT_BYTES_MAX, DATA_ALIGN)
}

/** S2: bytes that were never written read zero. */
async function zeroAll(file: BlockFile, io: MetaIo, block: Superblock): Promise<void> {
  const end = block.dataStart + block.sizeBytes
  const flags = file.supports.unmap ? BLOCK_UNMAP : 0
  for (let at = block.areaStart; at < end; at += file.ioBytesMax) {
    const bytes = Math.min(file.ioBytesMax, end - at)
    const status = await io.run((token) => file.zero(token, at, bytes, flags))
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the place cannot be zeroed")
  }
  const status = await io.flush()
  if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the place cannot be flushed")
}

async function withFile<T>(
  { env, memory, source }: { env: Env; memory: Memory; source: BlockFileSource },
  run: (file: BlockFile, io: MetaIo) => Promise<T>,
): Promise<T> {
  const io = new MetaIo(memory)
  let file: BlockFile | undefined
  try {
    file = await source.open({
      env,
      memory,
      events: { onCompletions: (batch) => completeAll(io, batch) },
    })
    io.attach(file)
    return await run(file, io)
  } finally {
    await file?.close()
    io.release()
  }
}
