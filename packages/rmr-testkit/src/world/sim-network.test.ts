import { AssertionError } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import type { SimNetwork } from "./sim-network.js"
import { simNetwork } from "./sim-network.js"
import type { LinkOptions } from "./sim-network-link.js"
import { CALM_LINK } from "./sim-network-link.js"
import type { World } from "./world.js"

interface Stage {
  readonly world: World
  readonly network: SimNetwork
  /** What has arrived, with the time. */
  readonly arrived: [name: string, atMs: number][]
  send(from: string, to: string, name: string, bytes?: number): void
  names(): string[]
}

function stage(links: Partial<LinkOptions> = {}, seed: string | number = 1): Stage {
  const world = nodeWorld({ seed })
  const network = simNetwork({ world, links: { ...CALM_LINK, ...links } })
  const arrived: [string, number][] = []
  return {
    world,
    network,
    arrived,
    send: (from, to, name, bytes = 0) =>
      network.send(from, to, bytes, () => arrived.push([name, world.nowMs])),
    names: () => arrived.map(([name]) => name),
  }
}

function manyNames(count: number): string[] {
  return Array.from({ length: count }, (_, nth) => String(nth))
}

describe("SimNetwork: links", () => {
  it("delivers within its delays, never at once", async () => {
    const { world, send, arrived } = stage({ delayMsMin: 2, delayMsMax: 5 })
    for (const name of manyNames(200)) send("a", "b", name)
    await world.settle()
    expect(arrived).toHaveLength(200)
    for (const [, atMs] of arrived) {
      expect(atMs).toBeGreaterThanOrEqual(2)
      expect(atMs).toBeLessThanOrEqual(5)
    }
  })

  it("keeps the order where nothing may overtake, and not where it may", async () => {
    const calm = stage({ delayMsMax: 5 })
    const wild = stage({ delayMsMax: 5, overtakeChance: 1 })
    for (const { send } of [calm, wild]) for (const name of manyNames(50)) send("a", "b", name)
    await calm.world.settle()
    await wild.world.settle()
    expect(calm.names()).toEqual(manyNames(50))
    expect(wild.names()).not.toEqual(manyNames(50))
    expect(new Set(wild.names())).toEqual(new Set(manyNames(50)))
  })

  it("has mostly short delays where they are tailed", async () => {
    const { world, send, arrived } = stage({
      delayMsMin: 0,
      delayMsMax: 100,
      delaySpread: "tailed",
      overtakeChance: 1,
    })
    for (const name of manyNames(1000)) send("a", "b", name)
    await world.settle()
    const times = arrived.map(([, atMs]) => atMs).sort((a, b) => a - b)
    expect(times[500]).toBeLessThan(15)
    expect(times[999]).toBeGreaterThan(80)
  })

  it("lets messages share its bandwidth, one after the other", async () => {
    const { world, send, arrived } = stage({ delayMsMin: 1, delayMsMax: 1, bytesPerMs: 1000 })
    for (const name of ["first", "second"]) send("a", "b", name, 10_000)
    send("b", "a", "other way", 1000)
    await world.settle()
    expect(Object.fromEntries(arrived)).toEqual({ "other way": 2, first: 11, second: 21 })
  })

  it("delays the next message and no other", async () => {
    const { world, network, send, arrived } = stage({
      delayMsMin: 1,
      delayMsMax: 1,
      overtakeChance: 1,
    })
    network.delayNext("a", "b", 100)
    for (const name of ["first", "second"]) send("a", "b", name)
    await world.settle()
    expect(arrived).toEqual([
      ["second", 1],
      ["first", 101],
    ])
  })

  it("clogs by chance, and unclogs by itself", async () => {
    const { world, send, arrived } = stage({ clogChance: 1, clogMsMax: 1000 })
    send("a", "b", "late")
    await world.settle()
    expect(arrived).toHaveLength(1)
    expect(arrived[0]![1]).toBeGreaterThan(1)
  })

  it("refuses options that make no sense", () => {
    for (const links of [
      { overtakeChance: 1.5 },
      { delayMsMin: 5, delayMsMax: 1 },
      { delayMsMax: Number.POSITIVE_INFINITY },
      { bytesPerMs: 0 },
    ]) {
      expect(() => stage(links)).toThrow(AssertionError)
      expect(() => stage().network.tune(links)).toThrow(AssertionError)
    }
  })
})

describe("SimNetwork: faults", () => {
  it("holds what is sent over a cut link until the heal, signs of life included", async () => {
    const { world, network, send, names } = stage()
    network.cut("a", "b")
    send("a", "b", "there")
    send("b", "a", "back")
    await world.runFor(1000)
    expect(names()).toEqual([])
    expect([network.passes("a", "b"), network.passes("b", "a")]).toEqual([false, false])
    network.heal()
    await world.settle()
    expect(names().sort()).toEqual(["back", "there"])
    expect(network.passes("a", "b")).toBe(true)
  })

  it("holds what was on its way when the link was cut", async () => {
    const { world, network, send, names } = stage({ delayMsMin: 10, delayMsMax: 10 })
    send("a", "b", "on its way")
    await world.runFor(5)
    network.cut("a", "b")
    await world.runFor(1000)
    expect(names()).toEqual([])
    network.heal("b", "a")
    await world.settle()
    expect(names()).toEqual(["on its way"])
  })

  it("cuts one direction and leaves the other", async () => {
    const { world, network, send, names } = stage()
    network.cutOneWay("a", "b")
    send("a", "b", "there")
    send("b", "a", "back")
    await world.runFor(1000)
    expect(names()).toEqual(["back"])
    expect([network.passes("a", "b"), network.passes("b", "a")]).toEqual([false, true])
  })

  it("clogs data while signs of life pass", async () => {
    const { world, network, send, names } = stage()
    network.clog("a", "b")
    send("a", "b", "data")
    await world.runFor(1000)
    expect(names()).toEqual([])
    expect(network.passes("a", "b")).toBe(true)
    network.heal("a", "b")
    await world.settle()
    expect(names()).toEqual(["data"])
  })

  it("holds one message back by its header, while what was sent after it goes on", async () => {
    const { world, network, arrived, names } = stage()
    const send = (from: string, name: string, header?: Uint8Array): void =>
      network.send(from, "b", 0, () => arrived.push([name, world.nowMs]), header)
    const held = network.holdMessages("a", "b", ([first]) => first === 7)
    send("a", "meant", Uint8Array.of(7))
    send("a", "another", Uint8Array.of(8))
    send("a", "without a header")
    send("c", "of somebody else", Uint8Array.of(7))
    await world.runFor(1000)
    expect(names().sort()).toEqual(["another", "of somebody else", "without a header"])
    expect(held.count).toBe(1)
    held.release()
    send("a", "after the release", Uint8Array.of(7))
    await world.settle()
    expect(names().slice(3)).toEqual(["meant", "after the release"])
    expect(held.count).toBe(0)
  })

  it("parts groups, and nobody inside them", async () => {
    const { world, network, send, names } = stage()
    network.partition(["a", "b"], ["c"], ["d"])
    for (const [from, to] of [
      ["a", "b"],
      ["a", "c"],
      ["d", "b"],
      ["c", "d"],
      ["b", "e"],
    ] as const) {
      send(from, to, from + to)
    }
    await world.runFor(10)
    expect(names().sort()).toEqual(["ab", "be"])
    network.heal("a", "c")
    await world.runFor(10)
    expect(names().sort()).toEqual(["ab", "ac", "be"])
    network.heal()
    await world.settle()
    expect(names().sort()).toEqual(["ab", "ac", "be", "cd", "db"])
  })

  it("loses over a cut link what nobody repeats, and holds it over a clogged one", async () => {
    const { world, network, arrived } = stage()
    const sendOnce = (name: string): void =>
      network.sendOnce("a", "b", () => arrived.push([name, world.nowMs]))
    network.cut("a", "b")
    sendOnce("lost")
    network.heal()
    network.clog("a", "b")
    sendOnce("held")
    await world.runFor(10)
    expect(arrived).toEqual([])
    network.heal()
    await world.settle()
    expect(arrived.map(([name]) => name)).toEqual(["held"])
  })

  it("ends the life of a host that it crashes, and remembers how", () => {
    const { world, network } = stage()
    const kinds: string[] = []
    const host = world.host("a")
    for (const kind of ["process", "machine"] as const) {
      host.onDeath(() => kinds.push(network.crashKindOf("a")))
      network.crash("a", kind)
      expect(host.isAlive).toBe(false)
      host.restart()
    }
    expect(kinds).toEqual(["process", "machine"])
  })

  it("tells its verbs to the log, in the order of the story", () => {
    const { world, network } = stage()
    network.cut("a", "b")
    network.clog("b", "c")
    network.heal("a", "b")
    const told = world.log.records.map(
      ({ event, fields }) => `${event} ${fields["from"]}>${fields["to"]}`,
    )
    expect(told).toEqual([
      "network.cut a>b",
      "network.cut b>a",
      "network.clogged b>c",
      "network.healed a>b",
      "network.healed b>a",
    ])
  })
})

describe("SimNetwork: a seed", () => {
  it("gives the same arrivals each time, whoever else talks", async () => {
    const run = async (others: boolean): Promise<[string, number][]> => {
      const { world, send, arrived } = stage({ delayMsMax: 9, overtakeChance: 0.5 }, "same")
      for (const name of manyNames(40)) {
        send("a", "b", name)
        if (others) send("a", "c", "noise")
      }
      await world.settle()
      return arrived.filter(([name]) => name !== "noise")
    }
    expect(await run(true)).toEqual(await run(false))
  })
})
