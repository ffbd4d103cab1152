/**
 * Opening a store: what its superblock and log say, and what became of its last life (S10, S17).
 */
import type {
  BlockBatch,
  BlockChecksums,
  BlockFile,
  BlockFileSource,
  Checksum,
  RestartClass,
  Store,
  StoreOpen,
  StoreSource,
} from "@rmr/core"
import {
  blockChecksumsBy,
  crc32c,
  RESTART_CLASSES,
  RmrError,
  restartClassOf,
  STATUS_OK,
} from "@rmr/core"
import { Checkpoint } from "./checkpoint.js"
import { FileStore } from "./file-store.js"
import { MetaIo } from "./meta-io.js"
import { Metadata } from "./metadata.js"
import { openSums, sumsWhileOpen } from "./open-sums.js"
import { readContent } from "./store-content.js"
import type { Superblock } from "./superblock.js"
import { type GoodSuperblock, SuperblockFile, writeSuperblock } from "./superblock-file.js"
import { readSuperblock } from "./superblock-reader.js"
import { noteOldCacheLost, readOldSuperblock, upgrade } from "./upgrade.js"

export interface FileStoreOptions {
  readonly source: BlockFileSource
  /** For messages; default the file's. */
  readonly name?: string
  /** For metadata that is read; default is that of core, in JavaScript. */
  readonly checksum?: Checksum
  /** For sums of data; default is `checksum`, block by block. */
  readonly blockChecksums?: BlockChecksums
}

/**
 * A store that was created there. Opening fails with `not-found` where there is none, `busy` where
 * it is open, `corrupt` where it cannot be read, `bad-version`, and with what the file says.
 */
export function fileStore(options: FileStoreOptions): StoreSource {
  const { source, name = source.name, checksum = crc32c } = options
  const { blockChecksums = blockChecksumsBy(checksum) } = options
  const sums = { checksum, blockChecksums }
  return { name, open: (opening) => openStore(name, source, sums, opening) }
}

async function openStore(
  name: string,
  source: BlockFileSource,
  { checksum, blockChecksums }: Required<Pick<FileStoreOptions, "checksum" | "blockChecksums">>,
  opening: StoreOpen,
): Promise<Store> {
  const io = new MetaIo(opening.memory, checksum)
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
    const store = new FileStore(opening, file, metadata, blockChecksums)
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

async function readMetadata(
  name: string,
  source: BlockFileSource,
  opening: StoreOpen,
  io: MetaIo,
  file: BlockFile,
): Promise<Metadata> {
  const good = await readNow(name, opening, io, file)
  const { block } = good
  const content = await readContent(io, block)
  const bootId = await source.bootId()
  const blocks = new SuperblockFile(io, good)
  const isWritten = await blocks.write({
    isClean: false,
    pending: classOf(block, bootId),
    isHotUnreadable: block.isHotUnreadable || content.isHotDamaged,
    bootId,
    ...sumsWhileOpen(block, content),
  })
  if (!isWritten) throw new RmrError("io-error", `the superblock of ${name} cannot be written`)
  const { homes, table, log } = content
  const checkpoint = new Checkpoint(homes, table, log, blocks)
  const sums = await openSums(io, block, blocks.superblock, content)
  return new Metadata({ opening, io, blocks, checkpoint, sums, ...content })
}

/**
 * The superblock, of today's format. What a dead process wrote can be read without being durable;
 * nothing of it counts before it is flushed.
 */
async function readNow(
  name: string,
  { env }: StoreOpen,
  io: MetaIo,
  file: BlockFile,
): Promise<GoodSuperblock> {
  const old = await readOldSuperblock(io)
  const good = old === undefined ? await readSuperblock(name, io) : undefined
  requireRoom(name, file, old?.block ?? good!.block)
  const status = await io.flush()
  if (status !== STATUS_OK) {
    if (old !== undefined) await noteOldCacheLost(io, old)
    if (good !== undefined) await writeSuperblock(io, cacheLost(good))
    throw RmrError.ofStatus(status, `what ${name} holds cannot be flushed`)
  }
  return old === undefined ? good! : upgrade(env, io, file, old)
}

/** S17: nobody flushes what this flush should have, so it is said before anybody hears of it. */
function cacheLost({ block, goodAt }: GoodSuperblock): GoodSuperblock {
  return { block: { ...block, pending: "cache-lost", sequence: block.sequence + 1 }, goodAt }
}

/** A file that was cut off, or another one in its place, is not taken into use. */
function requireRoom(
  name: string,
  file: BlockFile,
  block: { readonly dataStart: number; readonly sizeBytes: number },
): void {
  const needs = block.dataStart + block.sizeBytes
  if (file.sizeBytes >= needs) return
  throw new RmrError("too-small", `${name} has ${file.sizeBytes} bytes, its store needs ${needs}`)
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

/** The worse of two classes. */
function worse(a: RestartClass, b: RestartClass): RestartClass {
  return RESTART_CLASSES.indexOf(a) >= RESTART_CLASSES.indexOf(b) ? a : b
}

export function assertWritten(name: string, status: number): void {
  if (status !== 0) throw RmrError.ofStatus(status, `the superblock of ${name} cannot be written`)
}
