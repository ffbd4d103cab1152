/**
 * The native addon, where it was built and loads on this machine; else why not.
 *
 * It stands on libibverbs and librdmacm of the system. A machine without them, or without devices,
 * installs and runs everything else; who asks for this transport there is told what is missing.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

/** RMR_NATIVE_VERSION in native/addon.c. */
const NATIVE_VERSION = 3

/** Of memory that a device gets: who may do what with it. RIGHTS in native/regions.c. */
export const RIGHTS_OURS = 0
export const RIGHTS_PEER_WRITES = 1
export const RIGHTS_PEER_READS = 2

/** Beside how many posts wait: a line broke, which the next turn tells. */
export const POST_BROKE = 0x10000

export type Engine = object

/** What the files of native/ export. Numbers are of lines, listeners and regions of an engine. */
export interface NativeAddon {
  readonly version: number
  /** An engine, or the code of why there is none. */
  openEngine(
    words: ArrayBuffer,
    arenas: readonly ArrayBufferLike[],
    onTurn: (count: number) => void,
    lingerUs: number,
  ): Engine | number
  /** Idempotent. */
  closeEngine(engine: Engine): void
  /** A turn of our own: how many rows there are, of lines that broke. */
  tell(engine: Engine): number
  /** A turn from the loop, soon. */
  wake(engine: Engine): void
  /** A row more, of a frame that had to wait; how many there are now. */
  visitFrame(engine: Engine, line: number, place: number): number
  /** Copies payloads of rows that name an arena, and compares sums. */
  takePayloads(engine: Engine): void
  /** How many of the posts have to wait, the first ones then; perhaps with POST_BROKE. */
  post(engine: Engine, count: number): number
  /** False if it cannot. */
  say(engine: Engine, line: number, bytes: Uint8Array): boolean
  /** A listener, or a negative code. */
  listen(engine: Engine, host: string, port: number): number
  portOf(engine: Engine, listener: number): number
  closeListener(engine: Engine, listener: number): void
  /** A line that will be told of its route, or a negative code; from an address of ours, or "". */
  dialLine(engine: Engine, host: string, port: number, from: string): number
  /** 0, or a code. */
  connectLine(
    engine: Engine,
    line: number,
    privateData: Uint8Array,
    sends: number,
    receives: number,
    isLink: number,
  ): number
  acceptLine(
    engine: Engine,
    line: number,
    privateData: Uint8Array,
    sends: number,
    receives: number,
    isLink: number,
  ): number
  /** And closes it. */
  rejectLine(engine: Engine, line: number, privateData: Uint8Array): void
  /** It is told to be over, behind what had come before. */
  breakLine(engine: Engine, line: number): void
  closeLine(engine: Engine, line: number): void
  isIwarp(engine: Engine, line: number): boolean
  tellBySend(engine: Engine, line: number): void
  /** Before it connects: what comes, so many bytes by SEND at most, is told as it is. */
  rawLine(engine: Engine, line: number, bytes: number): void
  /** Our regions; and of the peer's room: address (low, high), key, bytes. */
  furnishLine(engine: Engine, line: number, slots: number, room: number, peer: Int32Array): void
  /** A region on the device of the line, or a negative code. */
  openRegion(engine: Engine, line: number, memory: ArrayBufferLike, rights: number): number
  exposeArena(
    engine: Engine,
    line: number,
    arena: number,
    at: number,
    bytes: number,
    rights: number,
  ): number
  /** Address (low, high) and key, for the peer. */
  regionKey(engine: Engine, region: number, into: Int32Array): void
  closeRegion(engine: Engine, region: number): void
}

export interface RdmaStatus {
  readonly isLoaded: boolean
  /** The file that is loaded, or why none is. */
  readonly reason: string
}

interface Found {
  readonly addon: NativeAddon | undefined
  readonly reason: string
}

let found: Found | undefined

/** Undefined where there is none; `rdmaStatus` says why. */
export function nativeAddon(): NativeAddon | undefined {
  found ??= find()
  return found.addon
}

/** For people and logs. */
export function rdmaStatus(): RdmaStatus {
  found ??= find()
  return { isLoaded: found.addon !== undefined, reason: found.reason }
}

function find(): Found {
  const { platform, arch } = process
  if (platform !== "linux") return without(`RDMA is for Linux, and this is ${platform}`)
  if (process.env["RMR_NATIVE"] === "off") return without("RMR_NATIVE=off")
  const suffix = process.env["RMR_NATIVE"] === "sanitize" ? "-sanitized" : ""
  const name = `rmr-rdma-${platform}-${arch}${suffix}.node`
  const path = fileURLToPath(new URL(`../native/build/${name}`, import.meta.url))
  if (!existsSync(path)) {
    return without("the native addon was not built here: node native/build.mjs says why")
  }
  try {
    const addon = createRequire(import.meta.url)(path) as NativeAddon
    if (addon.version === NATIVE_VERSION) return { addon, reason: path }
    return without(`${path} is of other sources: build it again (node native/build.mjs)`)
  } catch (thrown) {
    return without(explained(thrown instanceof Error ? thrown.message : String(thrown)))
  }
}

function explained(message: string): string {
  const library = /lib(ibverbs|rdmacm)\.so/.exec(message)
  if (library === null) return message
  return `${library[0]} is missing: install libibverbs1, librdmacm1 and ibverbs-providers`
}

function without(reason: string): Found {
  return { addon: undefined, reason }
}
