/**
 * A program for a guest of the lab: the echo of echo.c through a transport of ours, with sessions,
 * credits, leases and headers.
 *
 * ```
 * echo-ours server ADDRESS
 * echo-ours client ADDRESS DEPTH SECONDS
 * ```
 *
 * The client says "MESSAGES SECONDS CPU", the server "CPU", in seconds.
 */
import type { Batch, Endpoint, EndpointEvents, Lease, Session } from "@rmr/core"
import {
  buddyMemory,
  LANE_IO,
  NO_LEASE,
  NO_SLOT,
  PAYLOAD_OUT,
  REQUEST_LEASE,
  REQUEST_STRIDE,
  REQUEST_TICKET,
  transportsByScheme,
} from "@rmr/core"
import { pageArenas, realEnv } from "@rmr/io"
import { rdma } from "@rmr/transport-rdma"
import { tcp } from "@rmr/transport-tcp"

const MESSAGE_BYTES = 4096
const REQUEST_BYTES = 100
const REPLY_BYTES = 64
const CREDITS = [64, 4, 4] as const
const ARENA_BYTES = 16 * 1024 * 1024

const memory = buddyMemory({ arenas: pageArenas([ARENA_BYTES]), leaseCountMax: 1024 })
const nothing = (): void => undefined

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** As a pool's transports are: the caller has checksums of its own. */
function open(events: EndpointEvents, hostName: string): Endpoint {
  const shared = { payloadChecked: false }
  const transport = transportsByScheme([tcp(shared), rdma(shared)])
  return transport.open({ env: realEnv(), memory, events, hostName })
}

async function serve(address: string): Promise<void> {
  let session: Session
  let before = 0
  const endpoint = open(
    {
      onCompletions: nothing,
      onSessionUp: (up) => {
        session = up
        before = cpuSeconds()
      },
      onRequests: ({ count, words }: Batch) => {
        for (let row = 0; row < count * REQUEST_STRIDE; row += REQUEST_STRIDE) {
          memory.release(words[row + REQUEST_LEASE]! as Lease)
          const ticket = words[row + REQUEST_TICKET]!
          const slot = session.reserveReply(ticket)
          if (slot !== NO_SLOT) session.reply(slot, REPLY_BYTES, ticket, NO_LEASE, 0, 0)
        }
      },
      onSessionDown: () => {
        process.stdout.write(`${(cpuSeconds() - before).toFixed(6)}\n`)
        void endpoint.close()
      },
    },
    "server",
  )
  await endpoint.listen(address, { creditsMax: CREDITS })
  process.stdout.write("ready\n")
}

async function ask(address: string, depth: number, seconds: number): Promise<void> {
  let session: Session | undefined
  let completed = 0
  let inFlight = 0
  let isOver = false
  let drained: () => void = nothing
  const lease = memory.lease(MESSAGE_BYTES)
  const submit = (): void => {
    const slot = session?.reserve(LANE_IO) ?? NO_SLOT
    if (slot === NO_SLOT) throw new Error("no credit")
    inFlight++
    session?.submit(slot, REQUEST_BYTES, 7, PAYLOAD_OUT, lease, 0, MESSAGE_BYTES)
  }
  const endpoint = open(
    {
      onCompletions: ({ count }: Batch) => {
        completed += count
        inFlight -= count
        if (!isOver) for (let nth = 0; nth < count; nth++) submit()
        else if (inFlight === 0) drained()
      },
      onRequests: nothing,
      onSessionUp: nothing,
      onSessionDown: nothing,
    },
    "client",
  )
  session = await endpoint.dial(address, { deadlineMs: 10_000, credits: CREDITS })
  const before = cpuSeconds()
  const began = performance.now()
  for (let nth = 0; nth < depth; nth++) submit()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const tookMs = performance.now() - began
  const said = `${completed} ${(tookMs / 1000).toFixed(6)} ${(cpuSeconds() - before).toFixed(6)}`
  isOver = true
  await new Promise<void>((resolve) => {
    drained = resolve
  })
  process.stdout.write(`${said}\n`)
  await endpoint.close()
}

const [role, address = "", depth = "1", seconds = "1"] = process.argv.slice(2)
if (role === "server") await serve(address)
else await ask(address, Number(depth), Number(seconds))
