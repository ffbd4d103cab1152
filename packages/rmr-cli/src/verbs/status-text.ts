/** `rmr status` for people: what is, since when, why, and what helps (promise P11). */
import { sizeText } from "../config/sizes.js"
import type {
  ClientPoolStatus,
  DaemonStatus,
  LegStatus,
  StateShown,
  StoragePoolStatus,
} from "../control/status.js"
import { forksText } from "./history-text.js"
import { scrubText } from "./shown-text.js"

const SYNC_STOPPED = "    copies are stopped; `sync start` goes on with what is dirty"

export function statusText(value: unknown): string {
  const status = value as DaemonStatus
  const memory = sizeText(status.residentBytes)
  const lines = [`${status.name}: rmr ${status.version}, process ${status.pid}, ${memory} resident`]
  if (!status.native.isLoaded) lines.push(`  in plain Node, slower: ${status.native.reason}`)
  lines.push(...loopsText("storage", status.storage), ...loopsText("client", status.client))
  for (const pool of status.storage?.pools ?? []) lines.push(...storagePool(pool))
  for (const pool of status.client?.pools ?? []) lines.push(...clientPool(pool))
  for (const uri of status.client?.nbd.uris ?? []) lines.push(`  NBD: ${uri}`)
  return lines.join("\n")
}

/** One thread is what everybody expects. */
function loopsText(role: string, shown: { readonly loops: number } | null): string[] {
  if (shown === null || !(shown.loops > 1)) return []
  return [`  ${role} pools are shared out among ${shown.loops} threads`]
}

function storagePool(pool: StoragePoolStatus): string[] {
  const dirty =
    pool.dirtyChunks === 0
      ? "clean"
      : `${pool.dirtyChunks} of ${pool.chunkCount} chunks dirty${progressText(pool)}`
  const view = pool.view === null ? "no view yet" : `view ${pool.view}`
  const head = `  pool ${pool.name}, member ${pool.member}: ${pool.state}, ${view}, ${dirty}`
  const store = `    ${pool.store}, ${sizeText(pool.sizeBytes)}`
  const failure = pool.failure === null ? [] : [`    failed: ${pool.failure}`]
  if (pool.deletedIn !== null) return [head, store, ...failure, `    ${deletedText(pool)}`]
  const stopped = pool.isSyncStopped ? [SYNC_STOPPED] : []
  const scrub = pool.scrub === null ? [] : [`    ${scrubText(pool.scrub)}`]
  const paced = pool.dirtyChunks > 0 && pool.isSyncPaced ? [pacedText(pool)] : []
  return [head, store, ...scrub, ...failure, ...stopped, ...paced, ...reasons(pool)]
}

/** Nothing of it is needed any more, and nothing of it is wiped by itself (G4). */
function deletedText({ name, deletedIn, store }: StoragePoolStatus): string {
  const words = `its pool goes on without this store since view ${deletedIn}`
  return `${words}; "rmr store remove ${name}" and "rmr store delete ${store} --yes" free its place`
}

/** How long what is dirty will be; nothing where nothing is being copied. */
function progressText({ chunksPerSecond, syncLeftMs }: StoragePoolStatus): string {
  if (syncLeftMs === null) return ""
  return `, ${chunksPerSecond} chunks/s, clean in ${Math.ceil(syncLeftMs / 1000)} s`
}

/** S11: why what is dirty does not become clean as fast as it could. */
function pacedText({ syncBytesPerSecondMax, foregroundSlowdown }: StoragePoolStatus): string {
  const rate = sizeText(syncBytesPerSecondMax)
  const cost =
    foregroundSlowdown === null
      ? "what they cost it is not known yet"
      : `requests take ${foregroundSlowdown} times what they take in a pause`
  return `    copies go easy on foreground IO: at most ${rate} a second; ${cost}`
}

function clientPool(pool: ClientPoolStatus): string[] {
  const size = pool.sizeBytes === null ? "" : `, ${sizeText(pool.sizeBytes)}`
  const view = pool.view === null ? "" : `, view ${pool.view}`
  const lines = [`  pool ${pool.name}: ${pool.state}${size}${view}`]
  if (pool.why !== null) lines.push(`    ${pool.why}`)
  lines.push(...forksText(pool.forks).map((line) => `    ${line}`))
  if (pool.lost.length > 0) lines.push(`    ${lostText(pool)}`)
  for (const leg of pool.legs) {
    lines.push(`    leg to member ${leg.member} at ${leg.address}: ${leg.state}`)
    if (leg.state === "normal") continue
    lines.push(...reasons(leg).map((line) => `  ${line}`))
    if (leg.returning !== null) lines.push(`      ${returningText(leg.returning)}`)
  }
  return lines
}

function lostText({ name, lost }: ClientPoolStatus): string {
  const chunks = lost.map(({ first, count }) =>
    count === 1 ? `${first}` : `${first}-${first + count - 1}`,
  )
  const words = `nobody in the view has chunk ${chunks.join(", ")}: reads fail`
  return `${words}; overwrite all of it, or "rmr chunk accept ${name} CHUNK" takes what is left`
}

function returningText({ phase, detail }: NonNullable<LegStatus["returning"]>): string {
  if (phase === "split brain") return `out of the pool, ${phase}: ${detail}`
  if (phase === "held back") return `out of the view, ${phase}: ${detail}`
  const last = detail === "" ? "" : `; the last try: ${detail}`
  return `out of the view, on its way back: ${phase}${last}`
}

function reasons({ state, sinceMs, why, next, help }: StateShown): string[] {
  if (state === "normal") return []
  const since = `${(sinceMs / 1000).toFixed(0)} s`
  return [`    for ${since}: ${why}`, `    ${next}`, `    ${help}`]
}
