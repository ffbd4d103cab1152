/** Uses @rmr/client alone: a pool whose only member is not there cannot be opened, and says so. */
import { LinkRegistry, openPool, TIMES_DEFAULT } from "@rmr/client"
import { buddyMemory, memberId, RmrError } from "@rmr/core"
import { pageArenas, realEnv } from "@rmr/io"
import { tcp } from "@rmr/transport-tcp"

const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 64 })
const registry = new LinkRegistry({
  env: realEnv(),
  memory,
  transport: tcp(),
  hostName: "consumer",
  software: "consumer",
})
const members = [{ memberId: memberId(1), address: "tcp://127.0.0.1:1" }]
let code = "none"
try {
  await openPool({
    registry,
    poolName: "vault",
    members,
    times: { ...TIMES_DEFAULT, commandMs: 500 },
  })
} catch (thrown) {
  code = RmrError.from(thrown).code
}
await registry.close()
if (code !== "unreachable") throw new Error(`the pool is ${code}`)
