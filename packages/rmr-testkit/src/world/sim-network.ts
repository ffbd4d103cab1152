/**
 * SimNetwork: which host reaches which, how fast, and what goes wrong on the way.
 *
 * Hosts are names; between each ordered pair of them is a link (sim-network-link.ts). Links behave
 * by their options, drawn from the world's seed, and by verbs that a story calls: `cut`, `clog`,
 * `crash`, `heal`. The network carries messages without looking at them; only a story may, to hold
 * the one back that it is about (`holdMessages`). Sessions are the business of the transport on it
 * (sim-transport.ts), which is told nothing that a real one could not notice.
 */
import { assert } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { LinkOptions } from "./sim-network-link.js"
import { assertLinkOptions, Link, WEAK_LINK } from "./sim-network-link.js"
import type { World } from "./world.js"

export interface SimNetworkOptions {
  readonly world: World
  /** What differs from WEAK_LINK, for all links. */
  readonly links?: Partial<LinkOptions>
}

/** How a host ends: its peers are told by the system that outlives the process, or by silence. */
export type CrashKind = "process" | "machine"

/** Answers whoever calls an address. A caller may be anybody, so it looks at what it is handed. */
export type Answer = (call: unknown) => void

/** Messages that a story has kept back. What was sent after them goes on. */
export interface HeldMessages {
  readonly count: number
  /** They travel on, and nothing more is kept back. */
  release(): void
}

export interface SimNetwork {
  readonly world: World
  /** The parent of the streams of everything on this network. */
  readonly random: SeededRandom

  /** Changes what all links do from now on, or one of them. */
  tune(options: Partial<LinkOptions>): void
  tuneLink(from: string, to: string, options: Partial<LinkOptions>): void
  optionsOf(from: string, to: string): LinkOptions

  /** Nothing passes in either direction until `heal`. */
  cut(a: string, b: string): void
  /** Half-open: the other direction still works. */
  cutOneWay(from: string, to: string): void
  /** Cuts every link between hosts of different groups. */
  partition(...groups: readonly (readonly string[])[]): void
  /** Data in this direction waits until `heal`, but signs of life pass. */
  clog(from: string, to: string): void
  /** Ends cuts and clogs between two hosts, or everywhere. What waited goes on. */
  heal(a?: string, b?: string): void
  /** Keeps back messages in this direction that are meant, by their headers, until `release`. */
  holdMessages(from: string, to: string, isMeant: (header: Uint8Array) => boolean): HeldMessages
  /** The next message in this direction takes this much longer. Calls add up, one message each. */
  delayNext(from: string, to: string, extraMs: number): void
  /**
   * Ends the life of a host. Its peers are told if a process died, and hear nothing if a machine
   * did.
   */
  crash(host: string, kind?: CrashKind): void

  /** Whether signs of life pass. */
  passes(from: string, to: string): boolean
  /** Carries a message, late perhaps, but as long as a link exists. */
  send(from: string, to: string, bytes: number, arrive: () => void, header?: Uint8Array): void
  /** Carries what nobody repeats: it is lost when the link is cut. */
  sendOnce(from: string, to: string, arrive: () => void): void
  /** How the current life of this host ended, or will; drawn where nobody said. */
  crashKindOf(host: string): CrashKind

  /** Names a host that refuses calls where nobody listens; calls to others stay unanswered. */
  attach(host: string): void
  detach(host: string): void
  isAttached(host: string): boolean
  /** False when somebody answers there already. */
  bind(address: string, answer: Answer): boolean
  unbind(address: string): void
  answerAt(address: string): Answer | undefined
  /** A stranger's call: bytes that nobody here has made. */
  callAs(from: string, address: string, call: unknown): void
  /** Addresses somebody answers at. */
  boundAddresses(): string[]
}

export function simNetwork(options: SimNetworkOptions): SimNetwork {
  return new LinkedHosts(options)
}

/** What a message without payload weighs on a link with a bandwidth. */
const SMALL_BYTES = 64

class Hold implements HeldMessages {
  readonly from: string
  readonly to: string
  readonly isMeant: (header: Uint8Array) => boolean
  readonly sends: (() => void)[] = []
  private readonly end: (hold: Hold) => void

  constructor(
    from: string,
    to: string,
    isMeant: (header: Uint8Array) => boolean,
    end: (hold: Hold) => void,
  ) {
    this.from = from
    this.to = to
    this.isMeant = isMeant
    this.end = end
  }

  get count(): number {
    return this.sends.length
  }

  release(): void {
    this.end(this)
    for (const send of this.sends.splice(0)) send()
  }
}

class LinkedHosts implements SimNetwork {
  readonly world: World
  readonly random: SeededRandom
  private defaults: LinkOptions
  private readonly linksByEnds = new Map<string, Map<string, Link>>()
  private readonly answersByAddress = new Map<string, Answer>()
  private readonly attached = new Set<string>()
  private readonly crashKindsByLife = new Map<string, CrashKind>()
  private readonly holds = new Set<Hold>()

  constructor(options: SimNetworkOptions) {
    this.world = options.world
    this.random = options.world.random.fork("network")
    this.defaults = { ...WEAK_LINK, ...options.links }
    assertLinkOptions(this.defaults)
  }

  tune(options: Partial<LinkOptions>): void {
    this.defaults = { ...this.defaults, ...options }
    assertLinkOptions(this.defaults)
    for (const [, , link] of this.links()) link.options = { ...link.options, ...options }
  }

  tuneLink(from: string, to: string, options: Partial<LinkOptions>): void {
    const link = this.link(from, to)
    link.options = { ...link.options, ...options }
    assertLinkOptions(link.options)
  }

  optionsOf(from: string, to: string): LinkOptions {
    return this.link(from, to).options
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b)
    this.cutOneWay(b, a)
  }

  cutOneWay(from: string, to: string): void {
    this.link(from, to).isCut = true
    this.tell("network.cut", from, to)
  }

  partition(...groups: readonly (readonly string[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue
        for (const from of group) for (const to of other) this.cutOneWay(from, to)
      }
    }
  }

  clog(from: string, to: string): void {
    this.link(from, to).isClogged = true
    this.tell("network.clogged", from, to)
  }

  heal(a?: string, b?: string): void {
    assert((a === undefined) === (b === undefined), "heal two hosts, or all")
    for (const [from, to, link] of this.links()) {
      const isMeant = a === undefined || (from === a && to === b) || (from === b && to === a)
      if (!isMeant || !link.isStuck) continue
      this.tell("network.healed", from, to)
      link.heal()
    }
  }

  holdMessages(from: string, to: string, isMeant: (header: Uint8Array) => boolean): HeldMessages {
    const hold = new Hold(from, to, isMeant, () => this.holds.delete(hold))
    this.holds.add(hold)
    return hold
  }

  delayNext(from: string, to: string, extraMs: number): void {
    this.link(from, to).extraDelaysMs.push(extraMs)
  }

  crash(host: string, kind: CrashKind = this.random.pick(["process", "machine"])): void {
    this.crashKindsByLife.set(this.lifeOf(host), kind)
    this.world.log.write("info", "network.crash", { host, kind })
    this.world.host(host).kill()
  }

  passes(from: string, to: string): boolean {
    return !this.link(from, to).isCut
  }

  send(from: string, to: string, bytes: number, arrive: () => void, header?: Uint8Array): void {
    const go = (): void => this.link(from, to).send(bytes, arrive)
    for (const hold of this.holds) {
      if (header === undefined || hold.from !== from || hold.to !== to) continue
      if (!hold.isMeant(header)) continue
      hold.sends.push(go)
      return
    }
    go()
  }

  sendOnce(from: string, to: string, arrive: () => void): void {
    const link = this.link(from, to)
    if (!link.isCut) link.send(SMALL_BYTES, arrive)
  }

  crashKindOf(host: string): CrashKind {
    const life = this.lifeOf(host)
    const kind = this.crashKindsByLife.get(life) ?? this.random.pick(["process", "machine"])
    this.crashKindsByLife.set(life, kind)
    return kind
  }

  attach(host: string): void {
    this.attached.add(host)
  }

  detach(host: string): void {
    this.attached.delete(host)
  }

  isAttached(host: string): boolean {
    return this.attached.has(host)
  }

  bind(address: string, answer: Answer): boolean {
    if (this.answersByAddress.has(address)) return false
    this.answersByAddress.set(address, answer)
    return true
  }

  unbind(address: string): void {
    this.answersByAddress.delete(address)
  }

  answerAt(address: string): Answer | undefined {
    return this.answersByAddress.get(address)
  }

  callAs(from: string, address: string, call: unknown): void {
    const to = address.split(":")[1] ?? ""
    this.send(from, to, SMALL_BYTES, () => this.answerAt(address)?.(call))
  }

  boundAddresses(): string[] {
    return [...this.answersByAddress.keys()]
  }

  private link(from: string, to: string): Link {
    let linksByTo = this.linksByEnds.get(from)
    if (linksByTo === undefined) {
      linksByTo = new Map()
      this.linksByEnds.set(from, linksByTo)
    }
    let link = linksByTo.get(to)
    if (link === undefined) {
      const random = this.random.fork(`${from}>${to}`)
      link = new Link(this.world.env.clock, random, this.defaults)
      linksByTo.set(to, link)
    }
    return link
  }

  private *links(): IterableIterator<[from: string, to: string, link: Link]> {
    for (const [from, linksByTo] of this.linksByEnds) {
      for (const [to, link] of linksByTo) yield [from, to, link]
    }
  }

  private lifeOf(host: string): string {
    return `${host}/${this.world.host(host).life}`
  }

  private tell(event: string, from: string, to: string): void {
    this.world.log.write("info", event, { from, to })
  }
}
