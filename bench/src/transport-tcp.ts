/**
 * The transport over TCP: 4 KiB requests with replies of 64 bytes, between two processes on
 * loopback, and what a message costs each of them.
 *
 * The server is a process of its own (`transport-tcp-server`), so CPU of both is told apart. Each
 * completion makes the next request, so the depth stays what it is.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Batch, EndpointEvents, Lease, Session } from "@rmr/core"
import { buddyMemory, LANE_IO, NO_SLOT, PAYLOAD_OUT } from "@rmr/core"
import { pageArenas, realEnv } from "@rmr/io"
import { tcp } from "@rmr/transport-tcp"
import { type Bench, times } from "./bench.js"

const HEADER_BYTES = 100
const PAYLOAD_BYTES = 4096
const ARENA_BYTES = 16 * 1024 * 1024
const CREDITS = [64, 4, 4] as const

interface Used {
  readonly wallMs: number
  readonly clientUs: number
  readonly serverUs: number
  readonly allocatedBytes: number
}

/** Keeps `depth` requests in flight until `total` have completed. */
class Load implements EndpointEvents {
  readonly memory = buddyMemory({ arenas: pageArenas([ARENA_BYTES]), leaseCountMax: 256 })
  session!: Session
  private readonly lease: Lease = this.memory.lease(PAYLOAD_BYTES)
  private left = 0
  private inFlight = 0
  private done: () => void = () => undefined

  run(total: number, depth: number): Promise<void> {
    this.left = total
    return new Promise((resolve) => {
      this.done = resolve
      for (let nth = 0; nth < depth; nth++) this.submit()
    })
  }

  onCompletions({ count }: Batch): void {
    this.inFlight -= count
    for (let nth = 0; nth < count; nth++) this.submit()
    if (this.inFlight === 0) this.done()
  }

  onRequests(): void {
    throw new Error("nobody asks a client")
  }

  onSessionUp(): void {
    throw new Error("nobody dials a client")
  }

  onSessionDown(): void {
    if (this.inFlight > 0) throw new Error("the session went down under load")
  }

  private submit(): void {
    if (this.left === 0) return
    const slot = this.session.reserve(LANE_IO)
    if (slot === NO_SLOT) throw new Error("no credit")
    this.left--
    this.inFlight++
    this.session.submit(slot, HEADER_BYTES, 7, PAYLOAD_OUT, this.lease, 0, PAYLOAD_BYTES)
  }
}

async function measure(total: number, depth: number, isChecked: boolean): Promise<Used> {
  const path = fileURLToPath(new URL("../transport-tcp-server.ts", import.meta.url))
  const server = fork(path, [String(isChecked)], { execArgv: process.execArgv })
  const [address] = (await once(server, "message")) as [string]
  const load = new Load()
  const transport = tcp({ payloadChecked: isChecked })
  const { memory } = load
  const endpoint = transport.open({ env: realEnv(), memory, events: load, hostName: "client" })
  load.session = await endpoint.dial(address, { deadlineMs: 10_000, credits: CREDITS })
  await load.run(Math.min(total, 10_000), depth)
  const usedByServer = async (): Promise<number> => {
    server.send("usage")
    const [usage] = (await once(server, "message")) as [NodeJS.CpuUsage]
    return usage.user + usage.system
  }
  globalThis.gc?.()
  const serverBefore = await usedByServer()
  const before = process.cpuUsage()
  const heapBefore = process.memoryUsage().heapUsed
  const startMs = performance.now()
  await load.run(total, depth)
  const wallMs = performance.now() - startMs
  const heapBytes = process.memoryUsage().heapUsed - heapBefore
  const { user, system } = process.cpuUsage(before)
  const serverUs = (await usedByServer()) - serverBefore
  await endpoint.close()
  server.kill()
  await once(server, "exit")
  return { wallMs, clientUs: user + system, serverUs, allocatedBytes: Math.max(0, heapBytes) }
}

type Figure = (used: Used, total: number) => number

function bench(name: string, unit: string, full: number, figure: Figure): Bench {
  const depth = name.includes("depth 32") ? 32 : 1
  const isChecked = !name.includes("unchecked")
  const better = unit === "k/s" ? "more" : "less"
  return {
    name,
    unit,
    better,
    run: async (scale) => {
      const total = times(full, scale)
      return figure(await measure(total, depth, isChecked), total)
    },
  }
}

const perSecond: Figure = ({ wallMs }, total) => total / wallMs
const clientCpu: Figure = ({ clientUs }, total) => clientUs / total
const serverCpu: Figure = ({ serverUs }, total) => serverUs / total
const allocated: Figure = ({ allocatedBytes }, total) => allocatedBytes / total

export const benches: readonly Bench[] = [
  bench("messages at depth 32", "k/s", 100_000, perSecond),
  bench("messages at depth 32, unchecked payload", "k/s", 100_000, perSecond),
  bench("messages at depth 1", "k/s", 10_000, perSecond),
  bench("client CPU at depth 32", "us", 100_000, clientCpu),
  bench("server CPU at depth 32", "us", 100_000, serverCpu),
  bench("client CPU at depth 32, unchecked payload", "us", 100_000, clientCpu),
  bench("server CPU at depth 32, unchecked payload", "us", 100_000, serverCpu),
  bench("client heap at depth 32", "bytes", 10_000, allocated),
]
