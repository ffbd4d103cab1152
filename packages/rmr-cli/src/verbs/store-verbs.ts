/** `rmr store …`: making, looking at and erasing stores while no daemon has them. */
import { existsSync } from "node:fs"
import { createStore, eraseStore, inspectStore, type StoreShape } from "@rmr/brmr-store"
import { buddyMemory, CHUNK_BYTES_DEFAULT, type Memory, RmrError } from "@rmr/core"
import { fileSource, pageArenas, realEnv } from "@rmr/io"
import type { Command } from "commander"
import { parseSize, sizeText } from "../config/sizes.js"
import { makeStoreFile } from "../daemon/store-file.js"
import { servedStoreVerbs } from "./admin-verbs.js"
import { JSON_OPTION, print, type Shown } from "./print.js"
import { scrubVerb } from "./scrub-verb.js"
import { shownStore, storeText } from "./shown-store.js"

interface CreateOptions extends Shown {
  readonly size: string
  readonly maxSize?: string
  readonly chunk?: string
  readonly extent?: string
  readonly hotExtents?: string
  readonly dataSums?: boolean
  readonly force?: boolean
}

interface DeleteOptions extends Shown {
  readonly data?: boolean
}

export function storeVerbs(rmr: Command): void {
  const store = rmr.command("store").description("stores in files and block devices")
  servedStoreVerbs(store)
  scrubVerb(store)
  store
    .command("create <path>")
    .description("make a store for a volume of this size; a file is made where there is none")
    .requiredOption("--size <size>", "of the volume, as 10 GiB")
    .option("--chunk <size>", "smallest chunk of a pool that will live here", "128 KiB")
    .option("--max-size <size>", "how large the volume may ever grow; default its size")
    .option("--extent <size>", "what the intent log tracks at once", "4 MiB")
    .option("--hot-extents <count>", "of them may be hot before a flush is asked for", "512")
    .option("--data-sums", "keep checksums of data: what rots is told, and repaired from a peer")
    .option("--force", "overwrite whatever is there")
    .option(...JSON_OPTION)
    .action(create)
  store
    .command("inspect <path>")
    .description("what lies where, which copies are good, what is wrong; 1 where something is")
    .option(...JSON_OPTION)
    .action(async (path: string, options: Shown) => {
      const report = await inspectStore({ env: realEnv(), memory: smallMemory(), source: at(path) })
      const shown = shownStore(path, report)
      print(options, shown, () => storeText(shown))
      if (shown.problems.length > 0) process.exitCode = 1
    })
  store
    .command("delete <path>")
    .description("the place holds no store any more: its metadata is wiped")
    .requiredOption("--yes", "say that this is meant")
    .option("--data", "wipe the data of the volume, too")
    .option(...JSON_OPTION)
    .action(async (path: string, options: DeleteOptions) => {
      const withData = options.data === true
      await eraseStore({ env: realEnv(), memory: smallMemory(), source: at(path), withData })
      print(options, { store: path }, () => `${path} holds no store any more`)
    })
}

async function create(path: string, options: CreateOptions): Promise<void> {
  const env = realEnv()
  const shape = shapeOf(options)
  const { sizeBytes, chunkSizeBytes } = shape
  if (!existsSync(path)) await makeStoreFile(env, path, shape)
  else {
    const isForced = options.force === true
    const memory = smallMemory()
    const source = fileSource(path)
    await createStore({ env, memory, source, isForced, ...shape })
  }
  const made = { store: path, sizeBytes, chunkSizeBytes }
  print(options, made, () => `${path} has a store for a volume of ${sizeText(sizeBytes)}`)
}

function shapeOf(options: CreateOptions): StoreShape & { readonly chunkSizeBytes: number } {
  const { size, maxSize, chunk, extent, hotExtents, dataSums = false } = options
  return {
    sizeBytes: parseSize(size),
    chunkSizeBytes: chunk === undefined ? CHUNK_BYTES_DEFAULT : parseSize(chunk),
    dataSums,
    ...(maxSize === undefined ? {} : { sizeBytesMax: parseSize(maxSize) }),
    ...(extent === undefined ? {} : { extentBytes: parseSize(extent) }),
    ...(hotExtents === undefined ? {} : { hotExtentsSoft: Number(hotExtents) }),
  }
}

function at(path: string): ReturnType<typeof fileSource> {
  if (!existsSync(path)) throw new RmrError("not-found", `${path} does not exist`)
  return fileSource(path)
}

function smallMemory(): Memory {
  return buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 64 })
}
