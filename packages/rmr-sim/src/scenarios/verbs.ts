/**
 * The verbs of the scenarios: one told pool, its members by letter, and what happens to them.
 *
 * A scenario is a schedule of faults that somebody thought of. It says in verbs what happens, looks
 * in the middle at what is on the members' disks, so that the surprise did happen, and ends with
 * `whole`: every member normal and clean, all of them with the same bytes, and these are bytes that
 * the volume may hold. Every read is held to the same on its way (P2).
 */
import {
  assert,
  type ChunkNumber,
  type MemberSet,
  RmrError,
  STATUS_OK,
  type ViewNumber,
} from "@rmr/core"
import { type HeldMessages, severSession } from "@rmr/testkit"
import type { SimClient, SimNode, SimPool, SimPoolOptions } from "../pool/sim-pool.js"
import { openSoon, pause, tell } from "../pool/story.js"
import { VolumeUser } from "../pool/volume-user.js"
import { isMessage, type MessageName } from "./messages.js"
import { BLOCK, blocksOf, type Found, Oracle } from "./oracle.js"
import { SlowStores, type StoreStep } from "./slow-stores.js"

export type Letter = "A" | "B" | "C" | "D"

const LETTERS = "ABCD"
const SIZE_BYTES = 2 * 1024 * 1024
const UNTIL_MS = 60_000
/** What one operation of a user may cover here. */
const IO_BLOCKS_MAX = 32
const STEP_MS = 10

/** Tells a scenario in a world of its own; two chunks of each 16 blocks make an extent. */
export async function scenario(
  seed: number,
  options: Partial<SimPoolOptions>,
  run: (pool: Scenario) => Promise<void>,
): Promise<void> {
  const slow = new SlowStores()
  const shape = { nodes: 2, minNormal: 1, sizeBytes: SIZE_BYTES, extentBytes: 128 * 1024 }
  const wrapStore = options.wrapStore ?? ((store, slot) => slow.wrap(store, slot))
  await tell(seed, { ...shape, ...options, wrapStore }, (sim) => run(new Scenario(sim, slow)))
}

/** A client process that has the pool open, or had. */
export class Party {
  readonly client: SimClient
  private readonly user: VolumeUser
  private readonly oracle: Oracle

  constructor(client: SimClient, oracle: Oracle) {
    this.client = client
    this.user = new VolumeUser(client.pool, client.memory)
    this.oracle = oracle
  }

  /** Another handle of the same process. */
  beside(): Party {
    return new Party(this.client, this.oracle)
  }

  /** The handle is closed, and the pool goes on. */
  closeHandle(withinMs?: number): Promise<void> {
    return this.user.volume.close(withinMs)
  }

  /** What the write ends with: `ok`, or why not. */
  async begin(block: number, value: number, count = 1): Promise<string> {
    const acknowledged = this.oracle.begin(block, count, value)
    const bytes = blocksOf(value, count)
    return this.told(await this.user.write(block * BLOCK, bytes), acknowledged)
  }

  async beginZero(block: number, count: number, flags = 0): Promise<string> {
    const acknowledged = this.oracle.begin(block, count, 0)
    return this.told(await this.user.zero(block * BLOCK, count * BLOCK, flags), acknowledged)
  }

  /** The value of a block, or why there is none. */
  async read(block: number): Promise<Found | string> {
    const bytes = await this.user.read(block * BLOCK, BLOCK)
    if (bytes instanceof RmrError) return bytes.code
    const found = this.oracle.found(bytes)
    const may = this.oracle.mayHold(block)
    assert(may.has(found as number), `P2: block ${block} reads ${found}, not ${[...may]}`)
    return found
  }

  async flush(): Promise<string> {
    return this.told(await this.user.flush(), () => undefined)
  }

  /** The view that this client works in. */
  get view(): string {
    const { mapVersion, normal } = this.client.pool.record
    return wordsOf(mapVersion, normal)
  }

  private told(status: number, acknowledged: () => void): string {
    if (status !== STATUS_OK) return RmrError.ofStatus(status, "it failed").code
    acknowledged()
    return "ok"
  }
}

export class Scenario {
  readonly sim: SimPool
  readonly oracle: Oracle = new Oracle()
  private readonly slow: SlowStores
  private partyNow: Party | undefined

  constructor(sim: SimPool, slow: SlowStores = new SlowStores()) {
    this.sim = sim
    this.slow = slow
  }

  // --- who is there -----------------------------------------------------------------------------

  /** All members are started and the pool is made. */
  async create(): Promise<Party> {
    await this.sim.startAll()
    return this.adopt(await this.sim.create())
  }

  /** The next client: it opens the pool as soon as the last one counts as gone. */
  async open(): Promise<Party> {
    return this.adopt(await openSoon(this.sim))
  }

  /** Why the pool cannot be opened now. */
  async refusal(isTakeover = true): Promise<string> {
    try {
      await this.sim.open(isTakeover)
    } catch (thrown) {
      return RmrError.from(thrown).message
    }
    return "none: it was opened"
  }

  /** Another client has the pool from now on; the verbs below are its own. */
  adopt(client: SimClient): Party {
    this.partyNow = new Party(client, this.oracle)
    return this.partyNow
  }

  get party(): Party {
    assert(this.partyNow !== undefined, "somebody has opened the pool")
    return this.partyNow
  }

  node(letter: Letter): SimNode {
    const node = this.sim.nodes[LETTERS.indexOf(letter)]
    assert(node !== undefined, `the pool has a member ${letter}`)
    return node
  }

  // --- what happens to them ---------------------------------------------------------------------

  async start(...letters: Letter[]): Promise<void> {
    for (const letter of letters) await this.node(letter).start()
  }

  /** The process is closed in good order. */
  async stop(letter: Letter): Promise<void> {
    await this.node(letter).stop()
    this.sim.network.crash(this.node(letter).host.name, "process")
  }

  kill(...letters: Letter[]): void {
    for (const letter of letters) this.node(letter).kill()
  }

  cutPower(...letters: Letter[]): void {
    for (const letter of letters) this.node(letter).cutPower()
  }

  killClient(party: Party = this.party): void {
    this.sim.killClient(party.client)
  }

  /** The process hangs: its links stay, and nothing is carried out. */
  hang(...letters: Letter[]): void {
    for (const letter of letters) this.node(letter).host.pause()
  }

  wake(...letters: Letter[]): void {
    for (const letter of letters) this.node(letter).host.resume()
  }

  /** Between the client and these members nothing passes. */
  cut(...letters: Letter[]): void {
    const { host } = this.party.client
    for (const letter of letters) this.sim.network.cut(host.name, this.node(letter).host.name)
  }

  /** Between these two members nothing passes: neither copies from the other. */
  cutPeers(one: Letter, other: Letter): void {
    this.sim.network.cut(this.node(one).host.name, this.node(other).host.name)
  }

  cutOneWay(from: Letter | Party, to: Letter | Party): void {
    this.sim.network.cutOneWay(this.hostOf(from), this.hostOf(to))
  }

  heal(): void {
    this.sim.network.heal()
  }

  healBetween(one: Letter | Party, other: Letter | Party): void {
    this.sim.network.heal(this.hostOf(one), this.hostOf(other))
  }

  /** The session to this member breaks, and is dialed anew. */
  sever(letter: Letter): void {
    const leg = this.party.client.pool.legs[LETTERS.indexOf(letter)]
    if (leg?.link.session !== undefined) severSession(leg.link.session)
  }

  /** Keeps such messages back, whatever comes behind them. */
  hold(
    from: Letter | Party,
    to: Letter | Party,
    name: MessageName,
    atBlock?: number,
  ): HeldMessages {
    const offset = atBlock === undefined ? undefined : atBlock * BLOCK
    const isMeant = isMessage(name, offset)
    return this.sim.network.holdMessages(this.hostOf(from), this.hostOf(to), isMeant)
  }

  /** Keeps the next such message back, and no other. */
  holdOne(
    from: Letter | Party,
    to: Letter | Party,
    name: MessageName,
    atBlock?: number,
  ): HeldMessages {
    const offset = atBlock === undefined ? undefined : atBlock * BLOCK
    const isMeant = isMessage(name, offset)
    let isHeld = false
    return this.sim.network.holdMessages(this.hostOf(from), this.hostOf(to), (header) => {
      if (isHeld || !isMeant(header)) return false
      isHeld = true
      return true
    })
  }

  /** From now on, the end of such a step of the member's store is heard so much later. */
  slowDown(letter: Letter, step: StoreStep, ms: number): void {
    this.slow.set(LETTERS.indexOf(letter), step, ms)
  }

  /** Bytes of this block cannot be read there any more. */
  spoil(letter: Letter, block: number): void {
    this.node(letter).store.failReads(block * BLOCK, BLOCK)
  }

  // --- what users do ----------------------------------------------------------------------------

  /** Writes that have to be acknowledged, as few as may be. */
  async write(block: number, value: number, count = 1): Promise<void> {
    for (let at = block; at < block + count; at += IO_BLOCKS_MAX) {
      const end = await this.party.begin(at, value, Math.min(IO_BLOCKS_MAX, block + count - at))
      assert(end === "ok", `a write of block ${at} ends with ${end}`)
    }
  }

  begin(block: number, value: number, count = 1): Promise<string> {
    return this.party.begin(block, value, count)
  }

  async zero(block: number, count: number, flags = 0): Promise<void> {
    for (let at = block; at < block + count; at += IO_BLOCKS_MAX) {
      const part = Math.min(IO_BLOCKS_MAX, block + count - at)
      const end = await this.party.beginZero(at, part, flags)
      assert(end === "ok", `zeroes at block ${at} end with ${end}`)
    }
  }

  read(block: number): Promise<Found | string> {
    return this.party.read(block)
  }

  /** Every answer that a block gives when every member of the view is asked, and asked again. */
  async readAll(block: number): Promise<(Found | string)[]> {
    const answers = new Set<Found | string>()
    for (let nth = 0; nth < 3 * this.sim.nodes.length; nth++) answers.add(await this.read(block))
    return [...answers]
  }

  flush(): Promise<string> {
    return this.party.flush()
  }

  pause(ms: number): Promise<void> {
    return pause(this.sim, ms)
  }

  // --- what is true -----------------------------------------------------------------------------

  get nowMs(): number {
    return this.sim.world.env.clock.nowMs()
  }

  get view(): string {
    return this.party.view
  }

  /** The view on the disk of a member, as `v2{AB}`; v2 is the one a pool begins in. */
  viewOf(letter: Letter): string {
    const record = this.memberOf(letter).record
    return record === undefined ? "none" : wordsOf(record.mapVersion, record.normal)
  }

  /** The highest view that a member has heard of (V4). */
  seenBy(letter: Letter): string {
    const { seen, seenNormal } = this.memberOf(letter).state
    return wordsOf(seen, seenNormal)
  }

  /** How a member has the chunk of this block in its own map: clean, real, or a suspicion. */
  ownOf(letter: Letter, block: number): string {
    return rankWords(this.volumeOf(letter).maps.own.byteOf(this.chunkOf(block)))
  }

  /** What a member says of another one that is absent. */
  markOf(letter: Letter, about: Letter, block: number): string {
    const map = this.volumeOf(letter).maps.about(LETTERS.indexOf(about))
    return map === undefined ? "none" : rankWords(map.byteOf(this.chunkOf(block)))
  }

  /** Chunks that this process has fetched. */
  copiedBy(letter: Letter): number {
    return this.node(letter).pool?.copiedChunks ?? 0
  }

  /** What a block holds in the store of a member, read past the pool. */
  async valueAt(letter: Letter, block: number): Promise<Found> {
    const content = await this.node(letter).content()
    return this.oracle.found(content.subarray(block * BLOCK, (block + 1) * BLOCK))
  }

  /** Requests of users that this process has not admitted: of another view, client or session. */
  refusedBy(letter: Letter): number {
    return this.node(letter).pool?.dataPath?.counts.refusals ?? 0
  }

  async until(what: string, isSo: () => boolean, ms: number = UNTIL_MS): Promise<void> {
    const endMs = this.nowMs + ms
    while (!isSo()) {
      if (this.nowMs > endMs) throw new Error(`not in time: ${what}; ${this.standing()}`)
      await this.pause(STEP_MS)
    }
  }

  /** The view in force names exactly these. */
  untilNormal(letters: string): Promise<void> {
    const wanted = setOf(letters)
    const { pool } = this.party.client
    return this.until(`${letters} are normal`, () => pool.record.normal === wanted)
  }

  /** The member has answered the newest write that it was sent, and everything else. */
  async untilIdle(letter: Letter): Promise<void> {
    await this.pause(50)
    const { dataPath } = this.node(letter).pool ?? {}
    await this.until(`${letter} has nothing to do`, () => dataPath?.table.count === 0)
  }

  /** The member has the chunk of this block dirty, or clean, in its own map. */
  untilOwn(letter: Letter, block: number, words: string): Promise<void> {
    return this.until(`${letter} has block ${block} ${words}`, () => {
      const { pool } = this.node(letter)
      return pool?.member.volume !== undefined && this.ownOf(letter, block) === words
    })
  }

  /** P1 to P4: all are normal and clean, hold the same bytes, and bytes that they may hold. */
  async whole(): Promise<void> {
    const { nodes } = this.sim
    await this.untilNormal(LETTERS.slice(0, nodes.length))
    await this.until("all are clean", () => nodes.every(({ dirtyChunks }) => dirtyChunks === 0))
    const flushed = await this.flush()
    if (flushed !== "ok") throw new Error(`the last flush ends with ${flushed}`)
    const contents: Uint8Array[] = []
    for (const node of nodes) contents.push(await node.content())
    for (const [slot, content] of contents.entries()) {
      const isSame = Buffer.compare(content, contents[0]!) === 0
      if (!isSame) throw new Error(`P3: ${LETTERS[slot]} differs from A`)
    }
    const wrong = this.oracle.complaints(contents[0]!)
    if (wrong.length > 0) throw new Error(`P1: ${wrong.join("; ")}`)
    if (!nodes.every(({ dirtyChunks }) => dirtyChunks === 0)) throw new Error("P4: dirty again")
  }

  private standing(): string {
    const { pool } = this.party.client
    const dirty = this.sim.nodes.map(({ dirtyChunks }) => dirtyChunks).join(", ")
    const returning = pool.returning.map(({ phase, detail }) => `${phase}: ${detail}`).join("; ")
    const trouble = pool.ended?.message ?? pool.trouble?.message ?? "none"
    return `view ${this.view}; dirty ${dirty}; returning ${returning}; trouble ${trouble}`
  }

  private hostOf(end: Letter | Party): string {
    return typeof end === "string" ? this.node(end).host.name : end.client.host.name
  }

  private memberOf(letter: Letter): NonNullable<SimNode["pool"]>["member"] {
    const { pool } = this.node(letter)
    assert(pool !== undefined, `${letter} is up`)
    return pool.member
  }

  private volumeOf(letter: Letter): NonNullable<ReturnType<Scenario["memberOf"]>["volume"]> {
    const { volume } = this.memberOf(letter)
    assert(volume !== undefined, `${letter} has a record`)
    return volume
  }

  private chunkOf(block: number): ChunkNumber {
    return Math.floor((block * BLOCK) / this.sim.chunkSizeBytes) as ChunkNumber
  }
}

function setOf(letters: string): MemberSet {
  let set = 0
  for (const letter of letters) set |= 1 << LETTERS.indexOf(letter)
  return set
}

function wordsOf({ version }: ViewNumber, normal: MemberSet): string {
  const names = [...LETTERS].filter((_, slot) => (normal & (1 << slot)) !== 0).join("")
  return `v${version}{${names}}`
}

function rankWords(byte: number): string {
  return ["clean", "real", "?", "in flight", "?", "cache lost"][byte] ?? `${byte}`
}
