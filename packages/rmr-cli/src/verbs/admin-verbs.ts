/** Verbs that a daemon carries out: each is a request over its control socket, and a few words. */
import { type LastIoEntry, RmrError } from "@rmr/core"
import type { Command } from "commander"
import { parseSize, sizeText } from "../config/sizes.js"
import { askDaemon } from "../control/control-client.js"
import { CONTROL_DEFAULT } from "../control/protocol.js"
import type {
  DaemonStats,
  MapCheckShown,
  MapShown,
  PoolShown,
  ScrubShown,
} from "../control/status.js"
import { JSON_OPTION, print, type Shown } from "./print.js"
import { lastIoText, mapCheckText, mapsText, poolText, scrubText, statsText } from "./shown-text.js"
import { chunkVerbs, startVerbs } from "./start-verbs.js"
import { statusText } from "./status-text.js"

export interface AdminOptions extends Shown {
  readonly socket?: string
}

interface MapShowOptions extends AdminOptions {
  readonly from: string
  readonly ranges: string
}

interface ScrubStartOptions extends AdminOptions {
  readonly rate: string
}

interface GrowOptions extends AdminOptions {
  readonly size: string
}

interface ReplaceOptions extends AdminOptions {
  readonly acceptLoss?: boolean
}

interface MapOptions extends AdminOptions {
  readonly size?: string
}

export function adminVerbs(rmr: Command): void {
  admin(rmr.command("status"), "nodes, pools, legs, devices, and what each waits for").action(
    async (options: AdminOptions) => {
      const status = await ask(options, "status")
      print(options, status, () => statusText(status))
    },
  )
  admin(rmr.command("stats"), "what was done since the daemon was started").action(
    async (options: AdminOptions) => {
      const stats = await ask(options, "stats")
      print(options, stats, () => statsText(stats as DaemonStats))
    },
  )
  mapVerbs(rmr)
  poolVerbs(rmr)
  syncVerbs(rmr)
  scrubVerbs(rmr)
  chunkVerbs(rmr)
  deviceVerbs(rmr)
}

function mapVerbs(rmr: Command): void {
  const map = rmr.command("map").description("dirty maps")
  admin(map.command("summary <pool>"), "what a storage node's member and absent ones lack").action(
    async (pool: string, options: AdminOptions) => {
      const text = await ask(options, "map-summary", { pool })
      print(options, { summary: text }, () => String(text))
    },
  )
  admin(map.command("show <pool>"), "the dirty chunks that a storage node knows of, as ranges")
    .option("--from <chunk>", "the first chunk to look at", "0")
    .option("--ranges <count>", "so many ranges of each member, at most", "1000")
    .action(async (pool: string, options: MapShowOptions) => {
      const from = wholeNumber("--from", options.from)
      const rangesMax = wholeNumber("--ranges", options.ranges)
      const maps = await ask(options, "map-show", { pool, from, rangesMax })
      print(options, maps, () => mapsText(maps as readonly MapShown[]))
    })
  admin(map.command("check <pool>"), "asks each member of a client's pool what it lacks").action(
    async (pool: string, options: AdminOptions) => {
      const checks = await ask(options, "map-check", { pool })
      print(options, checks, () => mapCheckText(checks as readonly MapCheckShown[]))
    },
  )
}

function poolVerbs(rmr: Command): void {
  const pool = rmr.command("pool").description("pools of a compute client or a storage node")
  admin(pool.command("show <pool>"), "sizes, view and members, as the record says").action(
    async (name: string, options: AdminOptions) => {
      const shown = await ask(options, "pool-show", { pool: name })
      print(options, shown, () => poolText(shown as PoolShown))
    },
  )
  admin(
    pool.command("last-io <pool>"),
    "the newest mutation of each io unit, as a storage node recorded it",
  ).action(async (name: string, options: AdminOptions) => {
    const entries = await ask(options, "last-io", { pool: name })
    print(options, entries, () => lastIoText(entries as readonly LastIoEntry[]))
  })
  admin(pool.command("takeover <pool>"), "take a pool from a client that is alive").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "pool-takeover", { pool: name })
      print(options, result, () => `pool ${name} is open here now`)
    },
  )
  startVerbs(pool)
  memberVerbs(pool)
  maintenanceVerbs(pool)
  requireVerb(pool)
  admin(pool.command("grow <pool>"), "make the volume larger, while it is in use")
    .requiredOption("--size <size>", "of the volume then; stores make room for it")
    .action(async (name: string, options: GrowOptions) => {
      const sizeBytes = parseSize(options.size)
      const result = await ask(options, "pool-grow", { pool: name, sizeBytes })
      const words = `the volume of ${name} has ${sizeText(sizeBytes)} now`
      print(options, result, () => `${words}; clients that connect see it`)
    })
  const leg = rmr.command("leg").description("legs of a compute client")
  admin(
    leg.command("reconnect <pool> <member>"),
    "end the session to a member and dial anew",
  ).action(async (name: string, member: string, options: AdminOptions) => {
    const result = await ask(options, "leg-reconnect", { pool: name, member: Number(member) })
    print(options, result, () => `the leg of ${name} to member ${member} is dialed anew`)
  })
}

/** Who belongs to a pool. */
function memberVerbs(pool: Command): void {
  admin(
    pool.command("replace <pool> <member>"),
    "give a member's lost store up for the empty one that it has now",
  )
    .option("--accept-loss", "also if a chunk has no clean copy but perhaps on the lost store")
    .action(async (name: string, member: string, options: ReplaceOptions) => {
      const acceptsLoss = options.acceptLoss ?? false
      const args = { pool: name, member: Number(member), acceptsLoss }
      const result = await ask(options, "pool-replace", args)
      const words = "has the store that it has now, and fetches all of the volume"
      print(options, result, () => `member ${member} of ${name} ${words}`)
    })
  admin(
    pool.command("extend <pool> <member> <address>"),
    "one more member, with an empty store; it fetches the volume while that is in use",
  ).action(async (name: string, member: string, address: string, options: AdminOptions) => {
    const args = { pool: name, member: Number(member), address }
    const result = await ask(options, "pool-extend", args)
    const words = "and fetches all of the volume; `rmr status` says how far it is"
    print(options, result, () => `member ${member} belongs to ${name} now, ${words}`)
  })
  admin(
    pool.command("move <pool> <member> <address>"),
    "say where the node of a member is found now; it answers there already, and is out of use",
  ).action(async (name: string, member: string, address: string, options: AdminOptions) => {
    const args = { pool: name, member: Number(member), address }
    const result = await ask(options, "pool-move", args)
    const words = "name it in the client's configuration, too, before that starts again"
    print(options, result, () => `member ${member} of ${name} is found at ${address} now; ${words}`)
  })
  admin(
    pool.command("delete <pool> <member>"),
    "without this member from now on; its store can be erased then",
  )
    .option("--accept-loss", "also if it may hold the only clean copy of a chunk")
    .action(async (name: string, member: string, options: ReplaceOptions) => {
      const acceptsLoss = options.acceptLoss ?? false
      const args = { pool: name, member: Number(member), acceptsLoss }
      const result = await ask(options, "pool-delete", args)
      print(options, result, () => `${name} goes on without member ${member}`)
    })
}

function maintenanceVerbs(pool: Command): void {
  admin(
    pool.command("disable <pool> <member>"),
    "keep a member out, so that its node can be worked on; its store stays a member's",
  ).action(async (name: string, member: string, options: AdminOptions) => {
    const args = { pool: name, member: Number(member), isOut: true }
    const result = await ask(options, "pool-maintain", args)
    const words = `is out of ${name} until "rmr pool enable ${name} ${member}"`
    print(options, result, () => `member ${member} ${words}`)
  })
  admin(
    pool.command("enable <pool> <member>"),
    "let a member return that was disabled; it fetches what it has missed",
  ).action(async (name: string, member: string, options: AdminOptions) => {
    const args = { pool: name, member: Number(member), isOut: false }
    const result = await ask(options, "pool-maintain", args)
    print(options, result, () => `member ${member} of ${name} returns by itself now`)
  })
}

function requireVerb(pool: Command): void {
  admin(
    pool.command("require <pool> <count>"),
    "so many members have a write before it is acknowledged, and fewer serve nobody",
  ).action(async (name: string, count: string, options: AdminOptions) => {
    const result = await ask(options, "pool-require", { pool: name, count: Number(count) })
    print(options, result, () => `at least ${count} members of ${name} serve from now on`)
  })
}

function syncVerbs(rmr: Command): void {
  const sync = rmr.command("sync").description("copies between storage nodes")
  admin(sync.command("stop <pool>"), "copy only what requests wait for, until start").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "sync-stop", { pool: name })
      print(options, result, () => `${name} copies only what requests wait for`)
    },
  )
  admin(sync.command("start <pool>"), "copy what is dirty, also in the background").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "sync-start", { pool: name })
      print(options, result, () => `${name} copies what is dirty`)
    },
  )
}

/** Of stores that a daemon serves; scrub-verb.ts reads one that none has. */
function scrubVerbs(rmr: Command): void {
  const scrub = rmr.command("scrub").description("holding data against its checksums")
  admin(
    scrub.command("start <pool>"),
    "read a served store through in the background; `status` says how far it is",
  )
    .option("--rate <size>", "bytes that are read in a second", "50 MiB")
    .action(async (name: string, options: ScrubStartOptions) => {
      const bytesPerSecond = parseSize(options.rate)
      const started = await ask(options, "scrub-start", { pool: name, bytesPerSecond })
      print(options, started, () => `the store of ${name} is being scrubbed; see "rmr status"`)
    })
  admin(scrub.command("stop <pool>"), "end a scrub, and say what it has found").action(
    async (name: string, options: AdminOptions) => {
      const shown = await ask(options, "scrub-stop", { pool: name })
      print(options, shown, () => scrubText(shown as ScrubShown))
    },
  )
}

function deviceVerbs(rmr: Command): void {
  const device = rmr.command("device").description("devices of a compute client")
  admin(device.command("map <pool>"), "map a pool as a device and export it")
    .option("--size <size>", "refuse a pool that has another size")
    .action(async (name: string, options: MapOptions) => {
      const sizes = options.size === undefined ? {} : { sizeBytes: parseSize(options.size) }
      const result = await ask(options, "device-map", { pool: name, ...sizes })
      print(options, result, () => `${name} is mapped`)
    })
  admin(device.command("unmap <pool>"), "end exports, unmap the device, leave the pool").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "device-unmap", { pool: name })
      print(options, result, () => `${name} is not mapped any more`)
    },
  )
}

/** Stores that a daemon serves; those that none has are the business of store-verbs.ts. */
export function servedStoreVerbs(store: Command): void {
  admin(store.command("remove <pool>"), "stop serving a pool's store; all of it is kept").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "store-remove", { pool: name })
      print(
        options,
        result,
        () => `the store of ${name} is closed; "rmr store add" serves it again`,
      )
    },
  )
  admin(store.command("add <pool>"), "serve a store of the configuration again").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "store-add", { pool: name })
      print(options, result, () => `the store of ${name} is served`)
    },
  )
}

export function wholeNumber(option: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new RmrError("invalid-argument", `${option} ${text}: it is a whole number`)
}

export function admin(command: Command, description: string): Command {
  return command
    .description(description)
    .option("--socket <path>", `control socket of the daemon (or RMR_SOCKET)`)
    .option(...JSON_OPTION)
}

export function ask(
  { socket }: AdminOptions,
  verb: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  return askDaemon(socket ?? process.env["RMR_SOCKET"] ?? CONTROL_DEFAULT, verb, args)
}
