import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { startPool } from "../device/pool.js"
const folder = mkdtempSync("/dev/shm/hold-")
const t = await startPool({ folder, volumeBytes: 256 * 2 ** 20 })
writeFileSync("/tmp/n/hold.json", JSON.stringify({ uri: t.uri, pids: t.pids, self: process.pid }))
process.on("SIGTERM", async () => { await t.stop(); rmSync(folder, { recursive: true, force: true }); process.exit(0) })
setInterval(() => {}, 1000)
