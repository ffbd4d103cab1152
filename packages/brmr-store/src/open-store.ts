/**
 * Opening a store: what its superblock and log say, and what became of its last life (S10, S17).
 */
import type {
  BlockBatch,
  BlockFile,
  BlockFileSource,
  RestartClass,
  Store,
  StoreOpen,
  StoreSource,
} from "@rmr/core"
import { RmrError, restartClassOf, STATUS_OK } from "@rmr/core"
import { CommitLog } from "./commit-log.js"
import { FileStore } from "./file-store.js"
import { MetaIo } from "./meta-io.js"
import { Metadata, worse } from "./metadata.js"
import {
  decodeSuperblock,
  encodeSuperblock,
  newestSuperblock,
  SUPERBLOCK_BYTES,
  type Superblock,
  type SuperblockCopy,
} from "./superblock.js"

export interface FileStoreOptions {
  readonly source: BlockFileSource
  /** For messages; default the file's. */
  readonly name?: string
}

/**
 * A store that was created there. Opening fails with `not-found` where there is none, `busy` where
 * it is open, `corrupt` where it cannot be read, `bad-version`, and with what the file says.
 */
export function fileStore(options: FileStoreOptions): StoreSource {
  const { source, name = source.name } = options
  return { name, open: (opening) => openStore(name, source, opening) }
}

async function openStore(
  name: string,
  source: BlockFileSource,
  opening: StoreOpen,
): Promise<Store> {
  const io = new MetaIo(opening.memory)
  const opened: { store: FileStore | undefined } = { store: undefined }
  const onCompletions = (batch: BlockBatch): void => {
    if (opened.store !== undefined) opened.store.onCompletions(batch)
    else completeAll(io, batch)
  }
  let file: BlockFile | undefined
  try {
    const { env, memory } = opening
    file = await source.open({ env, memory, events: { onCompletions } })
    io.attach(file)
    const metadata = await readMetadata(name, source, opening, io, file)
    const store = new FileStore(opening, file, metadata)
    opened.store = store
    return store
  } catch (thrown) {
    await file?.close()
    io.release()
    throw thrown
  }
}

/** Completions of metadata, before there is a store. */
export function completeAll(io: MetaIo, { words, count }: BlockBatch): void {
  for (let row = 0; row < count; row++) io.onCompletion(words[row * 4]!, words[row * 4 + 1]!)
}

/** The superblock that counts; fails with what is wrong with it. */
export async function readSuperblock(name: string, io: MetaIo): Promise<Superblock> {
  const copies: SuperblockCopy[] = []
  for (const copy of [0, 1]) {
    try {
      copies.push(decodeSuperblock(await io.read(copy * SUPERBLOCK_BYTES, SUPERBLOCK_BYTES)))
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code === "invalid-range") copies.push("none")
      else if (error.code === "media-error") copies.push("damaged")
      else throw error
    }
  }
  const block = newestSuperblock(copies)
  if (block instanceof RmrError) throw block
  if (typeof block === "object") return block
  if (block === "none") throw new RmrError("not-found", `${name} holds no store; create one there`)
  throw new RmrError("corrupt", `${name} held a store; both copies of its superblock are damaged`)
}

async function readMetadata(
  name: string,
  source: BlockFileSource,
  opening: StoreOpen,
  io: MetaIo,
  file: BlockFile,
): Promise<Metadata> {
  const block = await readSuperblock(name, io)
  if (file.sizeBytes < block.dataStart + block.sizeBytes) {
    const needs = `its store needs ${block.dataStart + block.sizeBytes}`
    throw new RmrError("too-small", `${name} has ${file.sizeBytes} bytes, ${needs}`)
  }
  // What a dead process wrote can be read without being durable; nothing of it counts before.
  const status = await io.flush()
  if (status !== STATUS_OK) {
    await writeBoth(name, io, { ...block, ...CACHE_LOST, sequence: block.sequence + 1 })
    throw RmrError.ofStatus(status, `what ${name} holds cannot be flushed`)
  }
  const { area, areaStart, areaBytes, generation } = block
  const place = { start: areaStart + area * areaBytes, bytes: areaBytes, generation }
  const log = new CommitLog(io, place, file.blockBytes)
  await log.replay(block.isClean ? block.logFrames : undefined)
  const bootId = await source.bootId()
  const next: Superblock = {
    ...block,
    sequence: block.sequence + 1,
    isClean: false,
    pending: classOf(block, bootId),
    isHotUnreadable: block.isHotUnreadable || log.isHotDamaged,
    bootId,
  }
  await writeBoth(name, io, next)
  return new Metadata(opening, io, log, next)
}

const CACHE_LOST = { pending: "cache-lost" } as const

async function writeBoth(name: string, io: MetaIo, block: Superblock): Promise<void> {
  const bytes = encodeSuperblock(block)
  for (const copy of [0, 1]) {
    assertWritten(name, await io.writeDurably(copy * SUPERBLOCK_BYTES, bytes))
  }
}

/** R2: what this opening finds, and what an earlier one found and nobody dealt with. */
function classOf(block: Superblock, bootId: string): RestartClass {
  const now = restartClassOf({
    closedCleanly: block.isClean,
    sameBoot: block.bootId === bootId,
    flushFailed: false,
  })
  return worse(block.pending, now)
}

export function assertWritten(name: string, status: number): void {
  if (status !== 0) throw RmrError.ofStatus(status, `the superblock of ${name} cannot be written`)
}
