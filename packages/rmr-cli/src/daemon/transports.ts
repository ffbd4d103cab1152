/** The transports of this program, as one: each address goes to that of its scheme. */
import { type Transport, transportsByScheme } from "@rmr/core"
import { fastSocketEngine, type SocketEngineSource } from "@rmr/io"
import { type RdmaOptions, rdma } from "@rmr/transport-rdma"
import { tcp } from "@rmr/transport-tcp"
import { SOFTWARE } from "../version.js"

/** Payloads have checksums of the caller's already. */
const SHARED = { payloadChecked: false, software: SOFTWARE } as const

export function ourTransports(
  engine: SocketEngineSource = fastSocketEngine,
  options: RdmaOptions = {},
): Transport {
  return transportsByScheme([tcp({ ...SHARED, engine }), rdma({ ...SHARED, ...options })])
}

export function isRdma(address: string): boolean {
  return address.startsWith("rdma:")
}
