/**
 * A program with a fault on purpose: `faulty.mjs ADDON FAULT [child|thread]`.
 *
 * The fault is one that faults.c exports. It happens here, in a thread, or in a child whose end
 * nobody looks at: then this program itself says that all is well.
 */
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { isMainThread, Worker, workerData } from "node:worker_threads"

const BYTES = 24
const HERE = import.meta.filename

const [addon = "", fault = "", where] = isMainThread ? process.argv.slice(2) : workerData
if (where === "child") spawnSync(process.execPath, [HERE, addon, fault], { stdio: "ignore" })
else if (where === "thread") {
  await once(new Worker(HERE, { workerData: [addon, fault] }), "exit")
} else {
  const loading = { exports: /** @type {Record<string, (bytes: ArrayBuffer) => number>} */ ({}) }
  process.dlopen(loading, addon)
  loading.exports[fault]?.(new ArrayBuffer(BYTES))
}
if (isMainThread) process.stdout.write("all is well\n")
