/** `rmr store scrub`: reads a store that no daemon has, and says what of its data has rotted. */
import { existsSync } from "node:fs"
import { fileStore, type Scrub, type ScrubProgress, scrubStore } from "@rmr/brmr-store"
import { buddyMemory, RmrError } from "@rmr/core"
import { fastBlockChecksums, fastChecksum, fileSource, pageArenas, realEnv } from "@rmr/io"
import type { Command } from "commander"
import { parseSize, sizeText } from "../config/sizes.js"
import { JSON_OPTION, print, type Shown } from "./print.js"
import { foundLines } from "./shown-text.js"

interface ScrubOptions extends Shown {
  readonly rate?: string
}

/** How often a person reads how far it is. */
const PROGRESS_MS = 2000

export function scrubVerb(store: Command): void {
  store
    .command("scrub <path>")
    .description("hold all data against its checksums; 1 where something is damaged")
    .option("--rate <size>", "bytes that are read in a second, as 50 MiB; default all it can")
    .option(...JSON_OPTION)
    .action(scrub)
}

async function scrub(path: string, options: ScrubOptions): Promise<void> {
  if (!existsSync(path)) throw new RmrError("not-found", `${path} does not exist`)
  const bytesPerSecond = options.rate === undefined ? undefined : parseSize(options.rate)
  const env = realEnv()
  const memory = buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 64 })
  const sums = { checksum: fastChecksum(), blockChecksums: fastBlockChecksums() }
  const source = fileStore({ source: fileSource(path), ...sums })
  const events = { onCompletions: (): void => undefined }
  const store = await source.open({ env, memory, events })
  try {
    const rate = bytesPerSecond === undefined ? {} : { bytesPerSecond }
    const running = scrubStore({ env, store, ...rate })
    const found = await watched(running, options)
    print(options, { store: path, ...found }, () => scrubText(path, found))
    if (found.damagedBytes > 0) process.exitCode = 1
  } finally {
    await store.close()
  }
}

async function watched(running: Scrub, { json }: Shown): Promise<ScrubProgress> {
  const timer = setInterval(() => {
    const { doneBytes, totalBytes } = running.progress
    if (json !== true) console.error(`${sizeText(doneBytes)} of ${sizeText(totalBytes)}`)
  }, PROGRESS_MS)
  try {
    return await running.done
  } finally {
    clearInterval(timer)
  }
}

function scrubText(path: string, found: ScrubProgress): string {
  const lines = foundLines(found)
  if (found.damagedBytes > 0) lines.push("a member that is served repairs what is read from a peer")
  return [`${path}: ${lines[0]}`, ...lines.slice(1)].join("\n")
}
