/**
 * One set-up at a time in one working tree: two installs into one node_modules destroy each other.
 *
 * The lock is a listening socket with an abstract name, because the kernel gives it back at the
 * very moment its holder is gone, however it died; a lock file would have to be judged stale, and
 * two judges can err together. Where there are no abstract sockets (not Linux), there is no lock.
 */
import { createHash } from "node:crypto"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { ROOT } from "./paths.js"

const LOOK_AGAIN_MS = 250
/** Longer than a set-up can take. */
const WAIT_MS_MAX = 30 * 60_000

/**
 * @param {(line: string) => void} say
 * @param {{ name?: string, waitMsMax?: number }} [options]
 * @returns {Promise<() => Promise<void>>} gives the lock back
 */
export async function takeLock(say, { name = ROOT, waitMsMax = WAIT_MS_MAX } = {}) {
  if (process.platform !== "linux") return async () => undefined
  const address = `\0rmr-setup-${createHash("sha256").update(name).digest("hex")}`
  const endMs = Date.now() + waitMsMax
  let release = await tryListen(address)
  if (release === undefined) say("waiting for another set-up of this working tree to end …")
  while (release === undefined) {
    if (Date.now() > endMs) throw new Error(`another set-up holds ${name} for too long`)
    await sleep(LOOK_AGAIN_MS)
    release = await tryListen(address)
  }
  return release
}

/**
 * @param {string} address
 * @returns {Promise<(() => Promise<void>) | undefined>} undefined where somebody else listens
 */
function tryListen(address) {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === "EADDRINUSE") resolve(undefined)
      else reject(error)
    })
    server.listen(address, () => {
      server.unref()
      resolve(() => new Promise((closed) => server.close(() => closed())))
    })
  })
}
