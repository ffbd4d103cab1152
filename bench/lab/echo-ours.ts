/**
 * A program for a guest of the lab: the echo of echo.c through a transport of ours, with sessions,
 * credits, leases and headers.
 *
 * ```
 * echo-ours server ADDRESS
 * echo-ours client ADDRESS DEPTH SECONDS
 * ```
 *
 * The client says "MESSAGES SECONDS CPU", the server "CPU", in seconds. What is measured is the
 * second session of both: in the first one, of WARM_SECONDS, the JavaScript of both is compiled,
 * which takes an emulated processor some ten seconds, and C none.
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
const SESSIONS = 2
const WARM_DEPTH = 24
const { WARM_SECONDS = "15" } = process.env

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
  let over = 0
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
        if (++over === SESSIONS) void endpoint.close()
      },
    },
    "server",
  )
  await endpoint.listen(address, { creditsMax: CREDITS })
  process.stdout.write("ready\n")
}

class Asker {
  private readonly endpoint: Endpoint
  private readonly lease = memory.lease(MESSAGE_BYTES)
  private session: Session | undefined
  private completed = 0
  private inFlight = 0
  private isOver = false
  private drained: () => void = nothing

  constructor() {
    const onCompletions = ({ count }: Batch): void => {
      this.completed += count
      this.inFlight -= count
      if (!this.isOver) for (let nth = 0; nth < count; nth++) this.submit()
      else if (this.inFlight === 0) this.drained()
    }
    const told = { onRequests: nothing, onSessionUp: nothing, onSessionDown: nothing }
    this.endpoint = open({ onCompletions, ...told }, "client")
  }

  /** Messages, seconds, and seconds of a processor. */
  async run(address: string, depth: number, seconds: number): Promise<number[]> {
    const session = await this.endpoint.dial(address, { deadlineMs: 10_000, credits: CREDITS })
    this.session = session
    this.completed = 0
    this.isOver = false
    const before = cpuSeconds()
    const began = performance.now()
    for (let nth = 0; nth < depth; nth++) this.submit()
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const measured = [this.completed, (performance.now() - began) / 1000, cpuSeconds() - before]
    this.isOver = true
    await new Promise<void>((resolve) => {
      this.drained = resolve
    })
    await session.close()
    return measured
  }

  close(): Promise<void> {
    return this.endpoint.close()
  }

  private submit(): void {
    const slot = this.session?.reserve(LANE_IO) ?? NO_SLOT
    if (slot === NO_SLOT) throw new Error("no credit")
    this.inFlight++
    this.session?.submit(slot, REQUEST_BYTES, 7, PAYLOAD_OUT, this.lease, 0, MESSAGE_BYTES)
  }
}

async function ask(address: string, depth: number, seconds: number): Promise<void> {
  const asker = new Asker()
  await asker.run(address, WARM_DEPTH, Number(WARM_SECONDS))
  const [messages, took, cpu] = await asker.run(address, depth, seconds)
  process.stdout.write(`${messages} ${took!.toFixed(6)} ${cpu!.toFixed(6)}\n`)
  await asker.close()
}

const [role, address = "", depth = "1", seconds = "1"] = process.argv.slice(2)
if (role === "server") await serve(address)
else await ask(address, Number(depth), Number(seconds))
