/** One screen of what a pool does: nodes, legs, traffic, and what is dirty where. */
import { sizeText } from "../config/sizes.js"
import type { ClientStatus, DaemonStatus, LegStatus, StoragePoolStatus } from "../control/status.js"

const BAR_WIDTH = 24

/** A daemon as it was found. */
export interface DaemonLook {
  readonly name: string
  readonly isRunning: boolean
  /** Undefined where it did not answer: it is down, starting, or stuck. */
  readonly status: DaemonStatus | undefined
}

export interface PoolLook {
  /** By member, from 1 on. */
  readonly storage: readonly DaemonLook[]
  readonly client: DaemonLook
  /** When the client answered, on a clock that only goes forward. */
  readonly atMs: number
}

export interface Frame {
  readonly screen: string
  /** The same in one line, without what changes all the time. */
  readonly line: string
}

export function frameOf(now: PoolLook, before: PoolLook | undefined): Frame {
  const [pool] = now.client.status?.client?.pools ?? []
  const nodes = now.storage.map((node, nth) => {
    const leg = pool?.legs.find(({ member }) => member === nth + 1)
    return { node, leg }
  })
  const head =
    pool === undefined
      ? `the client: ${stateOf(now.client)}`
      : `pool ${pool.name}: ${pool.state}, view ${pool.view ?? "none"}`
  const rows = nodes.map(({ node, leg }) => rowOf(node, leg))
  const states = nodes.map(({ node, leg }) => `${node.name} ${wordsOf(node, leg)}`).join(", ")
  return {
    screen: [head, trafficOf(now, before), "", ...rows].join("\n"),
    line: `${head}: ${states}`,
  }
}

function wordsOf(node: DaemonLook, leg: LegStatus | undefined): string {
  const dirty = poolOf(node)?.dirtyChunks ?? 0
  return `${stateOf(node)}/${leg?.state ?? "none"}${dirty > 0 ? " (syncing)" : ""}`
}

function rowOf(node: DaemonLook, leg: LegStatus | undefined): string {
  const pool = poolOf(node)
  const latency = leg === undefined ? "" : `${leg.latencyMs.toFixed(2)} ms`
  const cells = [node.name.padEnd(12), stateOf(node).padEnd(9), (leg?.state ?? "none").padEnd(13)]
  const lacks =
    pool === undefined
      ? ""
      : `${barOf(pool.chunkCount - pool.dirtyChunks, pool.chunkCount)} ${pool.dirtyChunks} dirty`
  return `  ${cells.join(" ")} ${latency.padStart(9)}  ${lacks}`.trimEnd()
}

function stateOf(look: DaemonLook): string {
  if (look.status === undefined) return look.isRunning ? "no answer" : "down"
  return poolOf(look)?.state ?? "no pool"
}

function poolOf({ status }: DaemonLook): StoragePoolStatus | undefined {
  return status?.storage?.pools[0]
}

function barOf(done: number, all: number): string {
  const filled = all === 0 ? 0 : Math.floor((done / all) * BAR_WIDTH)
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`
}

function trafficOf(now: PoolLook, before: PoolLook | undefined): string {
  const nbd = nbdOf(now)
  const old = before === undefined ? undefined : nbdOf(before)
  if (nbd === undefined || old === undefined || before === undefined) return "no traffic yet"
  const passedMs = now.atMs - before.atMs
  const perSecond = (value: number): number => Math.round((value * 1000) / passedMs)
  const iops = perSecond(nbd.requestCount - old.requestCount)
  const read = sizeText(perSecond(nbd.readBytes - old.readBytes))
  const written = sizeText(perSecond(nbd.writtenBytes - old.writtenBytes))
  const clients = `${nbd.clientCount} clients, ${nbd.openRequestCount} open requests`
  return `${iops} IOPS, read ${read}/s, written ${written}/s, ${clients}, ${nbd.errorCount} errors`
}

function nbdOf({ client }: PoolLook): ClientStatus["nbd"] | undefined {
  return client.status?.client?.nbd
}
