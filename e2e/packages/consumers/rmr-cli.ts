/** Uses @rmr/cli as a library: a daemon of one storage pool is started, asked, and ended. */
import { askDaemon, Daemon, type DaemonStatus, parseConfig } from "@rmr/cli"

const control = "control.sock"
const text = `
name = "storage-1"
control = "${control}"
log = "error"
[storage]
listen = ["tcp://127.0.0.1:0"]
[[storage.pool]]
name = "vault"
member = 1
store = "store.img"
size = "1 MiB"
`
const daemon = await Daemon.start(parseConfig(text, "inline"))
const { storage } = (await askDaemon(control, "status")) as DaemonStatus
await daemon.close()
const [pool] = storage?.pools ?? []
if (pool?.state !== "registered" || pool.sizeBytes !== 2 ** 20) {
  throw new Error(`the pool is ${pool?.state} with ${pool?.sizeBytes} bytes`)
}
