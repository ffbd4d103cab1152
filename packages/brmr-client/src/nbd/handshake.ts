/**
 * The handshake of one connection, fixed newstyle: options are haggled over until one of them
 * begins transmission.
 *
 * It is bytes in and bytes out, and bounded in all it takes: options by number, each by size, and
 * all together; what an option holds is read whole or refused whole. An option that is only wrong
 * is answered, and the next may be right. Bytes that are no option at all end the connection.
 *
 * Encryption has its place (STARTTLS), and is answered as the specification asks of servers that
 * have none.
 */
import { ByteReader } from "./byte-reader.js"
import { ByteWriter } from "./byte-writer.js"
import {
  CONTEXTS,
  type ExportCatalog,
  type ExportFacts,
  isAsked,
  transmissionFlags,
} from "./export-facts.js"
import * as nbd from "./protocol.js"

const CLIENT_FLAGS_BYTES = 4
const OPTION_HEAD_BYTES = 16
/** An option with a name and queries. More is answered with "too big", … */
const OPTION_BYTES_MAX = 16 * 1024
/** … up to here: who sends more than this altogether, or more options, is not negotiating. */
const TALK_BYTES_MAX = 256 * 1024
const OPTION_COUNT_MAX = 128
/** Answers to bytes that came at once: a listing of all exports fits, two may not. */
const SAID_BYTES_MAX = 16 * 1024 * 1024
const ZEROES_BYTES = 124

export interface Transmission {
  readonly facts: ExportFacts
  readonly isStructured: boolean
  /** A set of the bits of CONTEXTS. */
  readonly contexts: number
}

export type HandshakeEnd =
  | { readonly kind: "transmission"; readonly transmission: Transmission }
  /** The client took its leave. */
  | { readonly kind: "abort" }
  | { readonly kind: "refused"; readonly why: string }

export class Handshake {
  end: HandshakeEnd | undefined
  private readonly catalog: ExportCatalog
  private readonly said = new ByteWriter()
  private readonly held = new Uint8Array(OPTION_HEAD_BYTES + OPTION_BYTES_MAX)
  private readonly view = new DataView(this.held.buffer)
  private heldBytes = 0
  /** Bytes of an option that is too big: they are not kept. */
  private skippedBytes = 0
  private heardBytes = 0
  private optionCount = 0
  private flags: number | undefined
  private isStructured = false
  private contexts = 0
  private contextsOf = ""

  constructor(catalog: ExportCatalog) {
    this.catalog = catalog
    this.said.u32(nbd.NBD_MAGIC_HIGH).u32(nbd.NBD_MAGIC_LOW)
    this.said.u32(nbd.OPTION_MAGIC_HIGH).u32(nbd.OPTION_MAGIC_LOW)
    this.said.u16(nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES)
  }

  /** What is to be sent. */
  takeSaid(): Uint8Array {
    return this.said.take()
  }

  /** Answers how many bytes belonged to the handshake. */
  take(bytes: Uint8Array): number {
    let at = 0
    while (at < bytes.length && this.end === undefined) {
      const step = this.step(bytes, at)
      at += step
      this.heardBytes += step
      if (this.heardBytes > TALK_BYTES_MAX) this.refuse("it talked too long")
      if (this.said.filledBytes > SAID_BYTES_MAX) this.refuse("it asked for too much at once")
    }
    return at
  }

  /** Takes a part of one thing: flags, an option, or what is skipped. Answers its size. */
  private step(bytes: Uint8Array, at: number): number {
    const there = bytes.length - at
    if (this.skippedBytes > 0) {
      const step = Math.min(there, this.skippedBytes)
      this.skippedBytes -= step
      return step
    }
    const step = Math.min(there, this.wantedBytes() - this.heldBytes)
    this.held.set(bytes.subarray(at, at + step), this.heldBytes)
    this.heldBytes += step
    if (this.flags === undefined) {
      if (this.heldBytes === CLIENT_FLAGS_BYTES) this.takeFlags()
    } else if (this.heldBytes === OPTION_HEAD_BYTES && !this.isHeadGood()) this.heldBytes = 0
    else if (this.heldBytes === this.wantedBytes()) this.takeOption()
    return step
  }

  private wantedBytes(): number {
    if (this.flags === undefined) return CLIENT_FLAGS_BYTES
    if (this.heldBytes < OPTION_HEAD_BYTES) return OPTION_HEAD_BYTES
    return OPTION_HEAD_BYTES + Math.min(this.view.getUint32(12), OPTION_BYTES_MAX)
  }

  private takeFlags(): void {
    const flags = this.view.getUint32(0)
    this.heldBytes = 0
    this.flags = flags
    const isKnown = (flags & ~(nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES)) === 0
    if (!isKnown) this.refuse("it asked for what no server has offered")
  }

  private isHeadGood(): boolean {
    const isMagic =
      this.view.getUint32(0) === nbd.OPTION_MAGIC_HIGH &&
      this.view.getUint32(4) === nbd.OPTION_MAGIC_LOW
    this.optionCount++
    const option = this.view.getUint32(8)
    const bytes = this.view.getUint32(12)
    if (!isMagic) this.refuse("what it sent is no option")
    else if (this.optionCount > OPTION_COUNT_MAX) this.refuse("it sent too many options")
    else if (((this.flags ?? 0) & nbd.FIXED_NEWSTYLE) === 0 && option !== nbd.OPT_EXPORT_NAME) {
      this.refuse("it does not speak the fixed newstyle")
    } else if (bytes <= OPTION_BYTES_MAX) return true
    else if (option === nbd.OPT_EXPORT_NAME) this.refuse("its export name is too long")
    else {
      this.skippedBytes = bytes
      this.answer(option, nbd.REP_ERR_TOO_BIG)
    }
    return false
  }

  private takeOption(): void {
    const option = this.view.getUint32(8)
    const data = new ByteReader(this.held.subarray(OPTION_HEAD_BYTES, this.heldBytes))
    this.heldBytes = 0
    switch (option) {
      case nbd.OPT_EXPORT_NAME:
        this.exportName(data)
        return
      case nbd.OPT_ABORT:
        this.answer(option, nbd.REP_ACK)
        this.end = { kind: "abort" }
        return
      case nbd.OPT_LIST:
        this.list(data)
        return
      case nbd.OPT_STARTTLS:
        this.answer(option, data.isDone ? nbd.REP_ERR_UNSUP : nbd.REP_ERR_INVALID)
        return
      case nbd.OPT_INFO:
      case nbd.OPT_GO:
        this.info(option, data)
        return
      case nbd.OPT_STRUCTURED_REPLY:
        if (data.isDone) this.isStructured = true
        this.answer(option, data.isDone ? nbd.REP_ACK : nbd.REP_ERR_INVALID)
        return
      case nbd.OPT_LIST_META_CONTEXT:
      case nbd.OPT_SET_META_CONTEXT:
        this.metaContexts(option, data)
        return
      default:
        this.answer(option, nbd.REP_ERR_UNSUP)
        return
    }
  }

  /** It has no answer for what is wrong. */
  private exportName(data: ByteReader): void {
    const name = data.rest()
    const facts = data.isDone ? this.catalog.find(name) : undefined
    if (facts === undefined || this.catalog.isClosing(facts)) {
      this.refuse("there is no export of that name")
      return
    }
    this.said.u64(facts.sizeBytes).u16(transmissionFlags(facts))
    if (((this.flags ?? 0) & nbd.NO_ZEROES) === 0) this.said.zeroes(ZEROES_BYTES)
    this.begin(facts, name)
  }

  private list(data: ByteReader): void {
    if (!data.isDone) {
      this.answer(nbd.OPT_LIST, nbd.REP_ERR_INVALID)
      return
    }
    for (const { name, description } of this.catalog.all()) {
      const named = new ByteWriter().text(name).take()
      const body = new ByteWriter().u32(named.length).raw(named).text(description).take()
      this.answer(nbd.OPT_LIST, nbd.REP_SERVER, body)
    }
    this.answer(nbd.OPT_LIST, nbd.REP_ACK)
  }

  private info(option: number, data: ByteReader): void {
    const name = data.text()
    const asked = new Set<number>()
    for (let left = data.u16(); left > 0 && !data.isBad; left--) asked.add(data.u16())
    if (!data.isDone) {
      this.answer(option, nbd.REP_ERR_INVALID)
      return
    }
    const facts = this.found(option, name)
    if (facts === undefined) return
    const tell = (body: ByteWriter): void => this.answer(option, nbd.REP_INFO, body.take())
    const flags = transmissionFlags(facts)
    tell(new ByteWriter().u16(nbd.INFO_EXPORT).u64(facts.sizeBytes).u16(flags))
    if (asked.has(nbd.INFO_NAME)) tell(new ByteWriter().u16(nbd.INFO_NAME).text(facts.name))
    if (asked.has(nbd.INFO_DESCRIPTION) && facts.description !== "") {
      tell(new ByteWriter().u16(nbd.INFO_DESCRIPTION).text(facts.description))
    }
    if (asked.has(nbd.INFO_BLOCK_SIZE)) {
      const sizes = new ByteWriter().u16(nbd.INFO_BLOCK_SIZE).u32(facts.blockBytes)
      tell(sizes.u32(facts.optimalBytes).u32(facts.requestBytesMax))
    }
    this.answer(option, nbd.REP_ACK)
    if (option === nbd.OPT_GO) this.begin(facts, name)
  }

  private metaContexts(option: number, data: ByteReader): void {
    const isListing = option === nbd.OPT_LIST_META_CONTEXT
    const name = data.text()
    const queries: string[] = []
    for (let left = data.u32(); left > 0 && !data.isBad; left--) queries.push(data.text())
    if (!isListing) this.contexts = 0
    if (!data.isDone || !this.isStructured) {
      this.answer(option, nbd.REP_ERR_INVALID)
      return
    }
    if (this.found(option, name) === undefined) return
    for (const context of CONTEXTS) {
      const isAll = isListing && queries.length === 0
      if (!isAll && !queries.some((query) => isAsked(context.name, query, isListing))) continue
      // The id of a context that is only listed means nothing.
      const body = new ByteWriter().u32(isListing ? 0 : context.id).text(context.name)
      this.answer(option, nbd.REP_META_CONTEXT, body.take())
      if (!isListing) this.contexts |= context.id
    }
    this.contextsOf = name
    this.answer(option, nbd.REP_ACK)
  }

  /** The export, or `undefined` where the client was told that it may not have it. */
  private found(option: number, name: string): ExportFacts | undefined {
    const facts = this.catalog.find(name)
    if (facts === undefined) this.answer(option, nbd.REP_ERR_UNKNOWN)
    else if (this.catalog.isClosing(facts)) this.answer(option, nbd.REP_ERR_SHUTDOWN)
    else return facts
    return undefined
  }

  private begin(facts: ExportFacts, name: string): void {
    // Contexts are of the export that they were asked for.
    const contexts = this.contextsOf === name ? this.contexts : 0
    const { isStructured } = this
    this.end = { kind: "transmission", transmission: { facts, isStructured, contexts } }
  }

  private answer(option: number, type: number, body: Uint8Array = NOTHING): void {
    this.said.u32(nbd.OPTION_REPLY_MAGIC_HIGH).u32(nbd.OPTION_REPLY_MAGIC_LOW)
    this.said.u32(option).u32(type).u32(body.length).raw(body)
  }

  private refuse(why: string): void {
    this.end ??= { kind: "refused", why }
  }
}

const NOTHING = new Uint8Array(0)
