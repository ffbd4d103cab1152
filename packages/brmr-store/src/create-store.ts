/**
 * Creating and erasing stores.
 *
 * A place that holds something is refused: whoever formats the wrong device by accident has lost
 * more than a store. The superblocks are written last, so that what was interrupted is no store.
 */
import type { BlockFile, BlockFileSource, Env, Memory } from "@rmr/core"
import { RmrError, randomUuid, STATUS_OK } from "@rmr/core"
import { ENTRY_SNAPSHOT, encodeFrame, hotEntry } from "./frame.js"
import { MetaIo } from "./meta-io.js"
import { assertWritten, completeAll } from "./open-store.js"
import { foreignContent } from "./signatures.js"
import { type StoreShape, superblockFor } from "./store-shape.js"
import { SUPERBLOCK_BYTES, type Superblock } from "./superblock.js"
import { writeSuperblock } from "./superblock-file.js"
import { readSuperblock, SUPERBLOCKS_AT } from "./superblock-reader.js"
import { readOldSuperblock } from "./upgrade.js"
import { zeroRange } from "./zero-range.js"

export interface CreateStoreOptions extends StoreShape {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
  /** Overwrites whatever is there. */
  readonly isForced?: boolean
  /** The file was made just now and reads zero: nothing has to be zeroed. */
  readonly isKnownZero?: boolean
}

/** Fails with `exists`, `too-small`, `busy`, and with what the file says. */
export async function createStore(options: CreateStoreOptions): Promise<void> {
  const { source, isForced = false, isKnownZero = false } = options
  const block = superblockFor(options, randomUuid(options.env))
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
    await wipeSuperblocks(source.name, io)
    // S2: bytes that were never written read zero.
    if (!isKnownZero) await zeroRange(file, io, SUPERBLOCK_BYTES, needs)
    await beginLog(source.name, io, block)
    assertWritten(source.name, await writeSuperblock(io, { block, goodAt: block.secondAt }))
  })
}

/** The first frame of a log: nothing is hot. */
export async function beginLog(name: string, io: MetaIo, block: Superblock): Promise<void> {
  const { uuid, tailSequence, tailAt } = block
  const first = encodeFrame({ uuid, sequence: tailSequence, attempt: 0 }, [
    hotEntry(ENTRY_SNAPSHOT, []),
  ])
  const status = await io.log.writeDurably(tailAt, first)
  if (status !== STATUS_OK) {
    throw RmrError.ofStatus(status, `the commit log of ${name} cannot be written`)
  }
}

/**
 * The place holds no store afterwards, a damaged one included. Its metadata is gone; what data it
 * has is touched only where that is asked.
 */
export async function eraseStore(options: {
  readonly env: Env
  readonly memory: Memory
  readonly source: BlockFileSource
  /** Zeroes the volume too. */
  readonly withData?: boolean
}): Promise<void> {
  const { name } = options.source
  await withFile(options, async (file, io) => {
    const block = await blockToErase(name, io)
    await wipeSuperblocks(name, io)
    if (block === undefined) return
    const { dataStart, sizeBytes } = block
    const end = options.withData === true ? dataStart + sizeBytes : dataStart
    await zeroRange(file, io, SUPERBLOCK_BYTES, Math.min(end, file.sizeBytes))
  })
}

/** Undefined where it is of an earlier format or damaged: then only superblocks are wiped. */
async function blockToErase(name: string, io: MetaIo): Promise<Superblock | undefined> {
  try {
    return (await readSuperblock(name, io)).block
  } catch (thrown) {
    const isOld = (await readOldSuperblock(io)) !== undefined
    if (!isOld && RmrError.from(thrown).code !== "corrupt") throw thrown
    return undefined
  }
}

async function wipeSuperblocks(name: string, io: MetaIo): Promise<void> {
  const nothing = new Uint8Array(SUPERBLOCK_BYTES)
  for (const at of SUPERBLOCKS_AT) assertWritten(name, await io.log.writeDurably(at, nothing))
}

/** The place, open for as long as `run` takes. */
export async function withFile<T>(
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
