/**
 * `pnpm bench:device`: replicated devices and their peers side by side, by the same fio, in turns.
 * `--help` says what it can be asked for (options.ts).
 *
 * A pool is compared with QEMU's quorum, if that is there, and others with the first target. Each
 * has some seconds of a load before anything counts, since code that is compiled while it runs is
 * slower at first. It runs the packages as they were built last: `pnpm build` comes first, and the
 * script does it. Targets of one shape run at a time; nothing of them is left when it ends.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Bench } from "./bench.js"
import { HELP, type Options, optionsOf } from "./options.js"
import { missingTools } from "./tools.js"

const options = optionsOf(process.argv.slice(2))
if (options === undefined) process.stdout.write(HELP)
else await main(options)

async function main(asked: Options): Promise<void> {
  const missing = missingTools()
  if (missing !== undefined) throw new Error(missing)
  const bench = new Bench(asked)
  const folder = mkdtempSync(join(asked.folder, "rmr-bench-"))
  try {
    for (const site of asked.sites) await bench.measureAt(site, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  bench.conclude()
}
