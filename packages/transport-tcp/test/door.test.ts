/**
 * The door of a node with several threads: who comes is received where it belongs, as if it had
 * come there; and who says nothing, nonsense or too much harms nobody.
 */
import net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import type { Endpoint, EndpointEvents, LaneCredits, Session } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { type Guest, GuestRoom, guestSocketEngine, nativeStatus, realEnv } from "@rmr/io"
import { tcp, tcpDoor } from "../src/index.js"

jest.setTimeout(60_000)

const CREDITS: LaneCredits = [4, 2, 2]
const env = realEnv()
const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })

function native(title: string, run: () => Promise<void>): void {
  const { isLoaded, reason } = nativeStatus()
  if (isLoaded) it(title, run)
  else it.skip(`${title} (skipped: ${reason})`, run)
}

class Thread implements EndpointEvents {
  readonly room = new GuestRoom()
  readonly up = new Set<Session>()
  readonly endpoint: Endpoint

  constructor(name: string) {
    const transport = tcp({ engine: guestSocketEngine(this.room) })
    this.endpoint = transport.open({ env, memory, events: this, hostName: name })
  }

  onCompletions(): void {
    throw new Error("nothing was asked")
  }

  onRequests(): void {
    throw new Error("nothing was asked")
  }

  onSessionUp(session: Session): void {
    this.up.add(session)
  }

  onSessionDown(session: Session): void {
    this.up.delete(session)
  }
}

async function eventually(what: string, isSo: () => boolean): Promise<void> {
  for (let looks = 0; !isSo(); looks++) {
    if (looks === 500) throw new Error(`never: ${what}`)
    await sleep(10)
  }
}

async function withDoor(
  run: (address: string, threads: readonly Thread[], guests: Guest[]) => Promise<void>,
): Promise<void> {
  const threads = [new Thread("thread-0"), new Thread("thread-1")]
  for (const { endpoint } of threads) {
    await endpoint.listen("tcp://127.0.0.1:4710", { creditsMax: CREDITS })
  }
  const guests: Guest[] = []
  const door = await tcpDoor("tcp://127.0.0.1:0", {
    clock: env.clock,
    onGuest: (shard, guest) => {
      guests.push(guest)
      threads[shard % 2]!.room.take(guest)
    },
  })
  try {
    await run(door.address, threads, guests)
  } finally {
    door.close()
    for (const { endpoint } of threads) await endpoint.close()
  }
}

describe("a door", () => {
  native("hands each session to the thread of its shard, with all of its connections", async () => {
    await withDoor(async (address, threads, guests) => {
      const client = new Thread("client")
      const sessions = await Promise.all(
        [0, 1, 15, 2].map((shard) =>
          client.endpoint.dial(address, { deadlineMs: 10_000, credits: CREDITS, shard }),
        ),
      )
      await eventually("all are up", () => threads.every(({ up }) => up.size === 2))
      expect(sessions.map(({ peerName }) => peerName)).toEqual([
        "thread-0",
        "thread-1",
        "thread-1",
        "thread-0",
      ])
      expect(guests).toHaveLength(4 * 4)
      await client.endpoint.close()
      await eventually("all are down", () => threads.every(({ up }) => up.size === 0))
    })
  })

  native("sends away who says too much, and lets nonsense be judged where it goes", async () => {
    await withDoor(async (address, threads, guests) => {
      const port = Number(new URL(address).port)
      const ends = [Buffer.alloc(32, 0x5a), Buffer.alloc(65_536, 0x5a)].map((bytes) => {
        const socket = net.connect({ host: "127.0.0.1", port }, () => socket.write(bytes))
        socket.on("error", () => undefined)
        return new Promise((resolve) => socket.once("close", resolve))
      })
      await Promise.all(ends)
      expect(guests).toHaveLength(1)
      expect(threads.every(({ up }) => up.size === 0)).toBe(true)
    })
  })

  native("hears a head that comes in pieces, and is closed in the middle of another", async () => {
    await withDoor(async (address, threads, guests) => {
      const port = Number(new URL(address).port)
      const socket = net.connect({ host: "127.0.0.1", port, noDelay: true })
      socket.on("error", () => undefined)
      for (let sent = 0; sent < 32; sent += 8) {
        socket.write(Buffer.alloc(8, 1))
        await sleep(5)
      }
      await eventually("it is handed over", () => guests.length === 1)
      expect(guests[0]!.bytes).toHaveLength(32)
      const silent = net.connect({ host: "127.0.0.1", port })
      silent.on("error", () => undefined)
      await new Promise((resolve) => silent.once("connect", resolve))
      expect(threads[0]!.up.size).toBe(0)
    })
  })

  native("closes the connection of a guest that nobody listens for", async () => {
    await withDoor(async (address, threads) => {
      for (const { endpoint } of threads) await endpoint.close()
      const client = new Thread("client")
      const dialed = client.endpoint.dial(address, { deadlineMs: 5000, credits: CREDITS })
      await expect(dialed).rejects.toMatchObject({ code: "unreachable" })
      await client.endpoint.close()
    })
  })
})
