/** One screen of what a pool does: nodes, legs, traffic, and what is dirty where. */
import { sizeText } from "../config/sizes.js"
import type { DaemonStatus, LegStatus } from "../control/status.js"

const BAR_WIDTH = 24

export interface Frame {
  readonly screen: string
  /** The same in one line, without what changes all the time. */
  readonly line: string
}

/** `statuses` are of the storage nodes, and of the client last. */
export function frameOf(
  statuses: readonly (DaemonStatus | undefined)[],
  names: readonly string[],
  before: DaemonStatus | undefined,
  passedMs: number,
): Frame {
  const client = statuses.at(-1)
  const [pool] = client?.client?.pools ?? []
  const legs = pool?.legs ?? []
  const nodes = statuses.slice(0, -1)
  const rows = nodes.map((node, nth) => nodeRow(node, names[nth] ?? "", legs[nth]))
  const view = pool?.view ?? "none"
  const head = `pool ${pool?.name ?? "?"}: ${pool?.state ?? "no client"}, view ${view}`
  const traffic = trafficOf(client, before, passedMs)
  const states = nodes.map((node, nth) => `${names[nth]} ${stateOf(node, legs[nth])}`).join(", ")
  return {
    screen: [head, traffic, "", ...rows].join("\n"),
    line: `${head}: ${states}`,
  }
}

function stateOf(node: DaemonStatus | undefined, leg: LegStatus | undefined): string {
  const state = node?.storage?.pools[0]?.state ?? "down"
  const dirty = node?.storage?.pools[0]?.dirtyChunks ?? 0
  return `${state}/${leg?.state ?? "none"}${dirty > 0 ? " (syncing)" : ""}`
}

function nodeRow(node: DaemonStatus | undefined, name: string, leg: LegStatus | undefined): string {
  const [pool] = node?.storage?.pools ?? []
  const state = pool?.state ?? "down"
  const latency = leg === undefined ? "" : `${leg.latencyMs.toFixed(2)} ms`
  const clean = pool === undefined ? 0 : pool.chunkCount - pool.dirtyChunks
  const bar = pool === undefined ? "" : barOf(clean, pool.chunkCount)
  const cells = [name.padEnd(12), state.padEnd(8), (leg?.state ?? "none").padEnd(13)]
  return `  ${cells.join(" ")} ${latency.padStart(9)}  ${bar} ${pool?.dirtyChunks ?? 0} dirty`
}

function barOf(done: number, all: number): string {
  const filled = all === 0 ? 0 : Math.floor((done / all) * BAR_WIDTH)
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`
}

function trafficOf(
  now: DaemonStatus | undefined,
  before: DaemonStatus | undefined,
  passedMs: number,
): string {
  const nbd = now?.client?.nbd
  const old = before?.client?.nbd
  if (nbd === undefined || old === undefined) return "no traffic yet"
  const perSecond = (value: number): number => Math.round((value * 1000) / passedMs)
  const iops = perSecond(nbd.requestCount - old.requestCount)
  const read = sizeText(perSecond(nbd.readBytes - old.readBytes))
  const written = sizeText(perSecond(nbd.writtenBytes - old.writtenBytes))
  const clients = `${nbd.clientCount} clients, ${nbd.openRequestCount} open requests`
  return `${iops} IOPS, read ${read}/s, written ${written}/s, ${clients}, ${nbd.errorCount} errors`
}
