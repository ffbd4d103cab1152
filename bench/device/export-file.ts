/**
 * A program for the device bench: exports one file by NBD on a unix socket, until it is ended.
 *
 *   export-file.ts FILE SOCKET on|off      whether past the cache of the kernel
 */
import { nbdServer } from "@rmr/brmr-client"
import type { BlockFile, Volume, VolumeOpen } from "@rmr/core"
import { assert, buddyMemory } from "@rmr/core"
import { fastStreamEngine, fileSource, pageArenas, realEnv } from "@rmr/io"

const [path, socket, direct] = process.argv.slice(2)
assert(path !== undefined && socket !== undefined, "a file and a socket are named")
assert(direct === "on" || direct === "off", "it is said whether to go past the cache")

const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([256 * 1024 * 1024]), leaseCountMax: 8192 })
const source = fileSource(path, { direct, inFlightMax: 257 })
let user: VolumeOpen["events"] | undefined
const events: VolumeOpen["events"] = { onCompletions: (batch) => user?.onCompletions(batch) }
const file: BlockFile = await source.open({ env, memory, events })

/** The file as a volume with one user. */
const volume: Volume = {
  name: path,
  sizeBytes: file.sizeBytes,
  blockBytes: file.blockBytes,
  atomicBytes: file.atomicBytes,
  ioBytesMax: file.ioBytesMax,
  inFlightMax: file.inFlightMax,
  optimalIoBytes: 4096,
  canUnmap: file.supports.unmap,
  read: (token, offset, lease, at, bytes) => file.read(token, offset, lease, at, bytes),
  write: (token, offset, lease, at, bytes, flags) =>
    file.write(token, offset, lease, at, bytes, flags),
  zero: (token, offset, bytes, flags) => file.zero(token, offset, bytes, flags),
  flush: (token) => file.flush(token),
  submit: () => file.submit(),
  ranges: (_offset, bytes) => [{ bytes, isDirty: false }],
  close: () => file.close(),
}

const server = nbdServer({ env, memory, engine: fastStreamEngine })
server.addExport("x", {
  name: path,
  open(options) {
    user = options.events
    return volume
  },
})
await server.listen({ path: socket })
process.on("SIGTERM", () => void server.close().then(() => process.exit(0)))
