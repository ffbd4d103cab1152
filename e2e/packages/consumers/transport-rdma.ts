/**
 * Uses @rmr/transport-rdma: on a machine without RDMA it installs, says what it supports, and tells
 * whoever asks for more what is missing.
 */
import type { EndpointEvents } from "@rmr/core"
import { buddyMemory, RmrError } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { rdma, rdmaStatus } from "@rmr/transport-rdma"

const transport = rdma({ software: "consumer 1" })
if (transport.name !== "rdma") throw new Error(`${transport.name} is another transport`)
if (!Object.isFrozen(transport.supports)) throw new Error("what it supports can change")

const { isLoaded, reason } = rdmaStatus()
if (isLoaded || !reason.includes("not built")) throw new Error(`it is loaded: ${reason}`)

const nothing = (): void => undefined
const events: EndpointEvents = {
  onCompletions: nothing,
  onRequests: nothing,
  onSessionUp: nothing,
  onSessionDown: nothing,
}
const memory = buddyMemory({ arenas: [64 * 1024], leaseCountMax: 4 })
let refusal: unknown
try {
  transport.open({ env: realEnv(), memory, events, hostName: "end" })
} catch (thrown) {
  refusal = thrown
}
if (!(refusal instanceof RmrError) || refusal.code !== "unsupported") {
  throw new Error(`opened, or failed otherwise: ${String(refusal)}`)
}
if (!refusal.detail.includes(reason)) throw new Error(`it does not say why: ${refusal.detail}`)
