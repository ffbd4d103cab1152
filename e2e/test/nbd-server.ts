/**
 * A process that exports a volume in memory by NBD: `nbd-server.ts SOCKET BYTES`. It says when it
 * listens, closes when its input ends, and fails if anything was left behind.
 */
import { nbdServer } from "@rmr/brmr-client"
import { buddyMemory } from "@rmr/core"
import { pageArenas, plainStreamEngine, realEnv } from "@rmr/io"
import { MemoryVolumes } from "../../packages/brmr-client/test/memory-volume.js"

const [path, bytes] = process.argv.slice(2)
if (path === undefined || bytes === undefined) throw new Error("usage: nbd-server.ts SOCKET BYTES")
const env = realEnv()
const memory = buddyMemory({ arenas: pageArenas([256 * 1024 * 1024]), leaseCountMax: 8192 })
const volumes = new MemoryVolumes({ clock: env.clock, memory, sizeBytes: Number(bytes) })
volumes.dirty = [[1024 * 1024, 2 * 1024 * 1024]]
const server = nbdServer({ env, memory, engine: plainStreamEngine })
server.addExport("disk", volumes, { description: "a disk in memory" })
server.addExport("frozen", volumes, { isReadOnly: true })
await server.listen({ path })
console.log("listening")

process.stdin.resume()
process.stdin.on("end", () => {
  void server.close().then(() => {
    console.log(JSON.stringify({ ...server.stats(), cpu: process.cpuUsage() }))
    process.exitCode = memory.stats().leaseCount === 0 ? 0 : 1
  })
})
