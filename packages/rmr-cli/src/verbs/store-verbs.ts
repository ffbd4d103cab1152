/** `rmr store …`: making, looking at and erasing stores while no daemon has them. */
import { existsSync } from "node:fs"
import { createStore, eraseStore, inspectStore } from "@rmr/brmr-store"
import { buddyMemory, CHUNK_BYTES_DEFAULT, type Memory, RmrError } from "@rmr/core"
import { fileSource, pageArenas, realEnv } from "@rmr/io"
import type { Command } from "commander"
import { parseSize, sizeText } from "../config/sizes.js"
import { makeStoreFile } from "../daemon/store-file.js"
import { servedStoreVerbs } from "./admin-verbs.js"
import { JSON_OPTION, print, type Shown } from "./print.js"
import { shownStore, storeText } from "./shown-store.js"

interface CreateOptions extends Shown {
  readonly size: string
  readonly chunk?: string
  readonly force?: boolean
}

export function storeVerbs(rmr: Command): void {
  const store = rmr.command("store").description("stores in files and block devices")
  servedStoreVerbs(store)
  store
    .command("create <path>")
    .description("make a store for a volume of this size; a file is made where there is none")
    .requiredOption("--size <size>", "of the volume, as 10 GiB")
    .option("--chunk <size>", "smallest chunk of a pool that will live here", "128 KiB")
    .option("--force", "overwrite whatever is there")
    .option(...JSON_OPTION)
    .action(create)
  store
    .command("inspect <path>")
    .description("what the place says about its store")
    .option(...JSON_OPTION)
    .action(async (path: string, options: Shown) => {
      const report = await inspectStore({ env: realEnv(), memory: smallMemory(), source: at(path) })
      const shown = shownStore(path, report)
      print(options, shown, () => storeText(shown))
    })
  store
    .command("erase <path>")
    .description("the place holds no store any more; its data cannot be found again")
    .requiredOption("--yes", "say that this is meant")
    .option(...JSON_OPTION)
    .action(async (path: string, options: Shown) => {
      await eraseStore({ env: realEnv(), memory: smallMemory(), source: at(path) })
      print(options, { store: path }, () => `${path} holds no store any more`)
    })
}

async function create(path: string, options: CreateOptions): Promise<void> {
  const env = realEnv()
  const sizeBytes = parseSize(options.size)
  const chunkSizeBytes =
    options.chunk === undefined ? CHUNK_BYTES_DEFAULT : parseSize(options.chunk)
  if (!existsSync(path)) await makeStoreFile(env, path, sizeBytes, chunkSizeBytes)
  else {
    const isForced = options.force === true
    const memory = smallMemory()
    const source = fileSource(path)
    await createStore({ env, memory, source, isForced, sizeBytes, chunkSizeBytes })
  }
  const made = { store: path, sizeBytes, chunkSizeBytes }
  print(options, made, () => `${path} has a store for a volume of ${sizeText(sizeBytes)}`)
}

function at(path: string): ReturnType<typeof fileSource> {
  if (!existsSync(path)) throw new RmrError("not-found", `${path} does not exist`)
  return fileSource(path)
}

function smallMemory(): Memory {
  return buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 64 })
}
