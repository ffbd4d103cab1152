/**
 * Who hears of a batch: those whose completions are in it, and those that lack credits, which may
 * have come back with it. Of a thousand pools of a process nearly all are neither.
 */
import type { Batch, Endpoint, EndpointOptions, Memory, Transport } from "@rmr/core"
import { buddyMemory, COMPLETION_STRIDE, COMPLETION_TOKEN, NO_SLOT, SHARD_COUNT } from "@rmr/core"
import { type IoOwner, LinkRegistry } from "./link-registry.js"

class Owner implements IoOwner {
  readonly heard: string[] = []
  isHungry = false
  onCompletion = (): void => void this.heard.push("completion")
  onBatchEnd = (): void => void this.heard.push("end")
  onRoom = (): void => void this.heard.push("room")
  wantsRoom = (): boolean => this.isHungry
}

interface Rig {
  readonly registry: LinkRegistry
  readonly memory: Memory
  readonly complete: (token: number) => void
}

/** Sessions come up at once and have no credit for anything. */
function rig(): Rig {
  let events: EndpointOptions["events"] | undefined
  const session = {
    ...{ isUp: true, limits: { payloadBytesMax: 65_536 }, reserve: () => NO_SLOT },
    close: () => Promise.resolve(),
  }
  const transport = {
    supports: { payloadChecked: true },
    open: (options: EndpointOptions) => {
      events = options.events
      return { dial: () => Promise.resolve(session) } as unknown as Endpoint
    },
  } as Partial<Transport> as Transport
  const memory = buddyMemory({ arenas: [65_536], leaseCountMax: 4 })
  const options = { transport, memory, hostName: "here", software: "test" }
  const clock = { nowMs: () => 0, schedule: () => ({ cancel: () => undefined }) }
  const registry = new LinkRegistry({ ...options, env: { clock } as never })
  const complete = (token: number): void => {
    const words = new Int32Array(COMPLETION_STRIDE)
    words[COMPLETION_TOKEN] = token
    events?.onCompletions({ count: 1, words, headers: new DataView(new ArrayBuffer(0)) } as Batch)
  }
  return { registry, memory, complete }
}

it("calls nobody who has no completion and lacks nothing", () => {
  const { registry, complete } = rig()
  const [busy, idle] = [new Owner(), new Owner()]
  const token = registry.addOwner(busy)
  registry.addOwner(idle)
  complete(token)
  expect(busy.heard).toEqual(["completion", "end"])
  expect(idle.heard).toEqual([])
})

it("tells who lacks credits of every batch, until it lacks none", () => {
  const { registry, complete } = rig()
  const [busy, hungry] = [new Owner(), new Owner()]
  const token = registry.addOwner(busy)
  registry.addOwner(hungry)
  hungry.isHungry = true
  registry.noteShort(hungry)
  complete(token)
  complete(token)
  expect(hungry.heard).toEqual(["room", "room"])
  hungry.isHungry = false
  complete(token)
  complete(token)
  expect(hungry.heard).toEqual(["room", "room", "room"])
})

it("keeps who lacks credits and has a completion of its own, and forgets who is gone", () => {
  const { registry, complete } = rig()
  const [first, second] = [new Owner(), new Owner()]
  const tokens = [registry.addOwner(first), registry.addOwner(second)]
  first.isHungry = true
  registry.noteShort(first)
  complete(tokens[0]!)
  expect(first.heard).toEqual(["completion", "end"])
  complete(tokens[1]!)
  expect(first.heard).toEqual(["completion", "end", "room"])
  registry.removeOwner(first)
  complete(tokens[1]!)
  expect(first.heard).toHaveLength(3)
})

it("W8: keeps one lease to spare for each address, however many shards there are", async () => {
  const { registry, memory } = rig()
  for (let shard = 0; shard < SHARD_COUNT; shard++) {
    for (const address of ["one", "two"]) void registry.link(address, shard).connect(1000)
  }
  // Dials are fulfilled already, so that what follows them is a few promises deep.
  for (let depth = 0; depth < 10; depth++) await Promise.resolve()
  expect(memory.stats().leaseCount).toBe(2)
})
