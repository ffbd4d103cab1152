/**
 * The configuration of one `rmr` daemon: a TOML file for either role, or both.
 *
 * ```toml
 * name = "storage-1"
 * control = "/run/rmr/control.sock"
 *
 * [storage]
 * listen = ["tcp://0.0.0.0:4710"]
 *
 * [[storage.pool]]
 * name = "vault"
 * member = 1
 * store = "/srv/rmr/vault.store"
 * size = "10 GiB"                # a new file of this size is made where there is none
 *
 * [client]
 * nbd = ["unix:/run/rmr/nbd.sock", "127.0.0.1:10809"]
 *
 * [[client.pool]]
 * name = "vault"
 * members = ["1@tcp://10.0.0.1:4710", "2@tcp://10.0.0.2:4710"]
 * ```
 *
 * What is not known is refused, with the place: a key that is misspelled would otherwise be a
 * setting that silently is not there.
 */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import {
  CHUNK_BYTES_DEFAULT,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  CLOSE_MS_DEFAULT,
  IO_DEADLINE_MS_MIN,
  MEMBERS_MAX,
  type MemberId,
  memberId,
  poolNameProblem,
  QUEUE_DEPTH_DEFAULT,
  QUEUE_DEPTH_MAX,
  RmrError,
  SHARD_COUNT,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import { ARENA_BYTES_MAX, LINGER_US_DEFAULT, LINGER_US_MAX, parseSocketAddress } from "@rmr/io"
import { checkedSyncLimits, SYNC_LIMITS_DEFAULT } from "@rmr/server"
import { PATH_POLICIES, type PathPolicy, parseRoutes } from "@rmr/transport-rdma"
import { parse, TomlError } from "smol-toml"
import { z } from "zod"
import { lineOf } from "./places.js"
import { parseSize, sizeText } from "./sizes.js"

/** A table with these keys; another one is refused, and told which there are. */
function table<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const known = Object.keys(shape).join(", ")
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === "unrecognized_keys" ? `there is no such key here; there are: ${known}` : undefined,
  })
}

const size = z.union([z.number().int().positive(), z.string()]).transform((value, context) => {
  try {
    return typeof value === "number" ? value : parseSize(value)
  } catch (thrown) {
    context.addIssue({ code: "custom", message: RmrError.from(thrown).detail })
    return z.NEVER
  }
})

const volumeSize = size.refine((bytes) => bytes % VOLUME_BLOCK_BYTES === 0, {
  message: `a volume has a size that is a multiple of ${VOLUME_BLOCK_BYTES}`,
})

const chunkSize = size.refine(
  (bytes) => bytes >= CHUNK_BYTES_MIN && bytes <= CHUNK_BYTES_MAX && (bytes & (bytes - 1)) === 0,
  { message: "a chunk is a power of two from 4 KiB to 16 MiB" },
)

/**
 * Payload memory is one arena. That of a storage node has room for the largest chunk, which a sync
 * fetches whole, beside what its stores need.
 */
const STORAGE_MEMORY_MIN = 2 * CHUNK_BYTES_MAX
const CLIENT_MEMORY_MIN = 1024 * 1024

function memory(bytesMin: number): typeof size {
  const from = `from ${sizeText(bytesMin)} to ${sizeText(ARENA_BYTES_MAX)}`
  return size.refine(
    (bytes) => bytes >= bytesMin && bytes <= ARENA_BYTES_MAX && Number.isInteger(Math.log2(bytes)),
    { message: `payload memory is a power of two ${from}` },
  )
}

const poolName = z.string().superRefine((name, context) => {
  const problem = poolNameProblem(name)
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem })
})

const id = z.number().int().min(1).max(255).transform(memberId)

/** Where a node can be dialed: over RDMA by several paths, each perhaps from an address of ours. */
function routesProblem(text: string): string | undefined {
  if (!text.startsWith("rdma:")) return addressProblem(text)
  try {
    parseRoutes(text)
  } catch (thrown) {
    return `"${text}" is no address: ${RmrError.from(thrown).detail}`
  }
  return undefined
}

/** Where the transports of this program can listen. */
function addressProblem(text: string): string | undefined {
  const place = /^(?:tcp|rdma):(?:\/\/)?(.*)$/.exec(text)?.[1]
  if (place === undefined) {
    return `"${text}" is no address; write tcp://10.0.0.1:4710, or rdma://10.0.0.1:4710`
  }
  try {
    parseSocketAddress(place)
  } catch (thrown) {
    return `"${text}" is no address: ${RmrError.from(thrown).detail}`
  }
  return undefined
}

const address = z.string().superRefine((text, context) => {
  const problem = addressProblem(text)
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem })
})

const member = z.string().transform((text, context): { memberId: MemberId; address: string } => {
  const found = /^(\d+)@(\S+)$/.exec(text)
  const number = Number(found?.[1])
  if (found?.[2] === undefined || number < 1 || number > 255) {
    const message = `"${text}" is no member; write its id and address: 1@tcp://10.0.0.1:4710`
    context.addIssue({ code: "custom", message })
    return z.NEVER
  }
  const problem = routesProblem(found[2])
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem })
  return { memberId: memberId(number), address: found[2] }
})

/** A member has one address. */
function refuseTwins(members: readonly { memberId: MemberId }[], context: z.RefinementCtx): void {
  for (const [nth, { memberId: own }] of members.entries()) {
    if (members.findIndex((other) => other.memberId === own) === nth) continue
    const message = `member ${own} is there twice`
    context.addIssue({ code: "custom", message, path: [nth] })
  }
}

export type NbdAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number }

const nbdAddress = z.string().transform((text, context): NbdAddress => {
  if (text.startsWith("unix:")) return { path: text.slice(5) }
  const found = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text)
  const port = Number(found?.[2])
  if (found?.[1] === undefined || port > 65_535) {
    const message = `"${text}" is no place for NBD; write unix:/run/rmr/nbd.sock or 127.0.0.1:10809`
    context.addIssue({ code: "custom", message })
    return z.NEVER
  }
  return { host: found[1], port }
})

const deviceName = z
  .string()
  .regex(/^[^\p{Cc}]{1,255}$/u, "a device has a name of 1 to 255 characters that can be seen")

const queueDepth = z.number().int().min(1).max(QUEUE_DEPTH_MAX).default(QUEUE_DEPTH_DEFAULT)

/** Bytes a second; 0 where that may be: no limit. */
const rate = z.union([z.literal(0), size])

/** Copies between storage nodes; what the limits are to each other, the server says. */
function refuseSyncLimits(
  { sync_max, sync_min, sync_min_share }: SyncConfig,
  context: z.RefinementCtx,
): void {
  const limits = {
    bytesPerSecondMax: sync_max,
    bytesPerSecondMin: sync_min,
    shareMin: sync_min_share,
  }
  try {
    checkedSyncLimits(limits)
  } catch (thrown) {
    const message = RmrError.from(thrown).detail
    context.addIssue({ code: "custom", message, path: ["sync_min"] })
  }
}

const MS_MAX = 3_600_000
const milliseconds = z.number().int().min(10).max(MS_MAX)

const storagePool = table({
  name: poolName,
  member: id,
  store: z.string().min(1),
  size: volumeSize.optional(),
  max_size: volumeSize.optional(),
  data_sums: z.boolean().default(false),
  chunk: chunkSize.default(CHUNK_BYTES_DEFAULT),
  queue_depth: queueDepth,
  direct: z.enum(["auto", "on", "off"]).default("auto"),
  sync_max: rate.default(SYNC_LIMITS_DEFAULT.bytesPerSecondMax),
  sync_min: rate.default(SYNC_LIMITS_DEFAULT.bytesPerSecondMin),
  sync_min_share: z.number().min(0).max(1).default(SYNC_LIMITS_DEFAULT.shareMin),
})
  .superRefine(refuseSyncLimits)
  .refine(
    ({ size: bytes = 0, max_size: most = bytes }) => (bytes > 0 && most >= bytes) || most === bytes,
    {
      message: "it is how large a volume of this size may grow: say size, and no less than that",
      path: ["max_size"],
    },
  )

/** A store holds one pool. */
function refuseSharedStores(
  pools: readonly { readonly name: string; readonly store: string }[],
  context: z.RefinementCtx,
): void {
  const poolsByStore = new Map<string, string>()
  for (const [nth, { name, store }] of pools.entries()) {
    const place = resolve(store)
    const first = poolsByStore.get(place)
    if (first === undefined) poolsByStore.set(place, name)
    else {
      const message = `pool ${first} has its store there`
      context.addIssue({ code: "custom", message, path: [nth, "store"] })
    }
  }
}

/** Of a role; a pool is in one of them. */
const loops = z.number().int().min(1).max(SHARD_COUNT).optional()

const storage = table({
  listen: z.array(address).min(1),
  memory: memory(STORAGE_MEMORY_MIN).default(64 * 1024 * 1024),
  loops,
  pool: z.array(storagePool).default([]).superRefine(refuseSharedStores),
  close_ms: milliseconds.default(CLOSE_MS_DEFAULT),
})

/** 0: never, or at once. */
const millisecondsOrNone = z.number().int().min(0).max(MS_MAX)

const clientPool = table({
  name: poolName,
  members: z.array(member).min(1).max(MEMBERS_MAX).superRefine(refuseTwins),
  /** The pool is created with this size where no member knows it. */
  create: volumeSize.optional(),
  chunk: chunkSize.optional(),
  queue_depth: queueDepth.optional(),
  min_normal: z.number().int().min(1).max(MEMBERS_MAX).optional(),
  read_policy: z.enum(["round-robin", "least-inflight", "latency"]).default("round-robin"),
  /** Mapped and exported under this name at start; default the pool's. */
  export: deviceName.optional(),
  io_deadline_ms: z.number().int().min(IO_DEADLINE_MS_MIN).max(MS_MAX).optional(),
  no_leg_ms: milliseconds.optional(),
  slow_after_ms: millisecondsOrNone.optional(),
  slow_floor_ms: milliseconds.optional(),
  slow_factor: z.number().min(2).max(10_000).optional(),
  slow_hold_ms: millisecondsOrNone.optional(),
  slow_hold_max_ms: millisecondsOrNone.optional(),
})

const client = table({
  close_ms: milliseconds.default(CLOSE_MS_DEFAULT),
  nbd: z.array(nbdAddress).default([]),
  path_policy: z.enum(PATH_POLICIES).default("min-inflight"),
  memory: memory(CLIENT_MEMORY_MIN).default(128 * 1024 * 1024),
  loops,
  pool: z.array(clientPool).default([]),
})

const config = table({
  name: z.string().regex(/^[!-~]{1,255}$/, "a name is visible ASCII without spaces"),
  control: z.string().min(1).optional(),
  log: z.enum(["debug", "info", "warn", "error"]).default("info"),
  linger_us: z.number().int().min(0).max(LINGER_US_MAX).default(LINGER_US_DEFAULT),
  storage: storage.optional(),
  client: client.optional(),
}).refine((value) => value.storage !== undefined || value.client !== undefined, {
  message: "it has neither [storage] nor [client]: there is nothing to do",
})

/** How fast copies are that no request waits for, in bytes a second. */
export interface SyncConfig {
  /** Never faster; 0: as fast as it goes without foreground IO. */
  readonly sync_max: number
  /** Never slower, and not slower than a share of what was reached without foreground IO. */
  readonly sync_min: number
  readonly sync_min_share: number
}

export interface StoragePoolConfig extends SyncConfig {
  readonly name: string
  readonly member: MemberId
  /** A file or block device. */
  readonly store: string
  /** A store of this size is made where the file does not exist. */
  readonly size?: number | undefined
  /** How large the volume of a store that is made may ever grow; default its size. */
  readonly max_size?: number | undefined
  /** A store that is made keeps checksums of its data. */
  readonly data_sums: boolean
  readonly chunk: number
  readonly queue_depth: number
  readonly direct: "auto" | "on" | "off"
}

export interface StorageConfig {
  readonly listen: readonly string[]
  /** Payload memory of each loop, a power of two; more requests than fit wait. */
  readonly memory: number
  /** Threads among which pools are shared out; default by processors, one on two of them. */
  readonly loops?: number | undefined
  readonly pool: readonly StoragePoolConfig[]
  /** A daemon that is told to end waits so long for what is in work. */
  readonly close_ms: number
}

export interface ClientPoolConfig {
  readonly name: string
  readonly members: readonly { readonly memberId: MemberId; readonly address: string }[]
  /** The pool is created with this size where no member knows it. */
  readonly create?: number | undefined
  readonly chunk?: number | undefined
  readonly queue_depth?: number | undefined
  readonly min_normal?: number | undefined
  readonly read_policy: "round-robin" | "least-inflight" | "latency"
  /** Name of the device; default the pool's. */
  readonly export?: string | undefined
  /** A leg that owes an answer for longer is put out of the view. */
  readonly io_deadline_ms?: number | undefined
  readonly no_leg_ms?: number | undefined
  /** So is one that was slow for so long; 0: none ever is. */
  readonly slow_after_ms?: number | undefined
  /** Slow is above this, and above so many times the median of the other legs. */
  readonly slow_floor_ms?: number | undefined
  readonly slow_factor?: number | undefined
  /** It returns when it was fast for so long; doubled each time, up to the second. */
  readonly slow_hold_ms?: number | undefined
  readonly slow_hold_max_ms?: number | undefined
}

export interface ClientConfig {
  readonly nbd: readonly NbdAddress[]
  /** Which path a request takes to a member whose address names several. */
  readonly path_policy: PathPolicy
  /** As those of a storage node. */
  readonly memory: number
  readonly loops?: number | undefined
  /** A daemon that is told to end, and an unmap, wait so long for what is in flight. */
  readonly close_ms: number
  readonly pool: readonly ClientPoolConfig[]
}

export interface Config {
  /** Of this node, as peers and people know it. */
  readonly name: string
  /** Control socket; default /run/rmr/control.sock. */
  readonly control?: string | undefined
  readonly log: "debug" | "info" | "warn" | "error"
  /** How long a busy daemon waits awake for the next bytes; 0 is never. */
  readonly linger_us: number
  readonly storage?: StorageConfig | undefined
  readonly client?: ClientConfig | undefined
}

/** Fails with `invalid-argument` and every place that is wrong. */
export function readConfig(path: string): Config {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    throw new RmrError("invalid-argument", `${path} cannot be read: ${detail}`, { cause: thrown })
  }
  return parseConfig(text, path)
}

export function parseConfig(text: string, path: string): Config {
  const result = config.safeParse(tomlOf(text, path))
  if (!result.success) {
    const places = result.error.issues.flatMap((issue) => placesOf(text, issue))
    throw new RmrError("invalid-argument", `${path}: ${places.join("; ")}`)
  }
  requireUnique(path, "storage", result.data.storage?.pool ?? [])
  requireUnique(path, "client", result.data.client?.pool ?? [])
  return result.data
}

function tomlOf(text: string, path: string): unknown {
  try {
    return parse(text)
  } catch (thrown) {
    // Behind its first line comes a picture of the place.
    const [words = ""] = (thrown instanceof Error ? thrown.message : String(thrown)).split("\n")
    const line = thrown instanceof TomlError ? `line ${thrown.line}: ` : ""
    const detail = `${path}: ${line}it is no TOML: ${words}`
    throw new RmrError("invalid-argument", detail, { cause: thrown })
  }
}

/** Where a person finds it, and what is wrong there: `line 8: storage.pool.0.size: …`. */
function placesOf(text: string, issue: z.core.$ZodIssue): string[] {
  const keys = issue.code === "unrecognized_keys" ? issue.keys : [undefined]
  return keys.map((key) => {
    const path = key === undefined ? issue.path : [...issue.path, key]
    const line = lineOf(text, path)
    const where = line === undefined ? "" : `line ${line}: `
    return `${where}${path.length === 0 ? "" : `${path.join(".")}: `}${issue.message}`
  })
}

function requireUnique(
  path: string,
  role: string,
  pools: readonly { readonly name: string; readonly export?: string | undefined }[],
): void {
  const names = new Set<string>()
  for (const { name } of pools) {
    if (names.has(name)) {
      throw new RmrError("name-clash", `${path}: ${role} has two pools with the name ${name}`)
    }
    names.add(name)
  }
  const exports = new Set<string>()
  for (const pool of pools) {
    const exported = pool.export ?? pool.name
    if (exports.has(exported)) {
      throw new RmrError("name-clash", `${path}: two devices with the name ${exported}`)
    }
    exports.add(exported)
  }
}
