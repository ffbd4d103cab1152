/**
 * Ours as a target: a pool of storage nodes and a compute client, daemons as users run them,
 * exported by NBD on a unix socket. All checks are on.
 *
 * Where a member is to be syncing, the volume has a second part behind the one that is under load:
 * before each run the last member goes, the second part is written anew, and the member returns.
 * It starts to copy as the load starts; the load visits nothing that is dirty.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { returned, setSync, stateOf } from "./away.js"
import { clientText, Daemons, isExported, runLoad, storageText } from "./daemons.js"
import { fileOfRandomBytes } from "./files.js"
import { quorumOf } from "./qemu.js"
import {
  copiesInWords,
  fioByNbd,
  freePorts,
  type Target,
  type TargetOptions,
  until,
} from "./target.js"

const SYNC_BYTES_MAX = 2 ** 30
/** The part to sync, in times of the part under load; the sync must outlast the load. */
const SYNC_TIMES = 4

export const POOL = poolOf(2)

/** With so many members. */
export function poolOf(members: number): string {
  return members === 1 ? "ours, a pool of one" : `ours, ${copiesInWords(members)}`
}

export function startPool(options: TargetOptions): Promise<Target> {
  const { members } = options
  return startWith(poolOf(members), "pool", [], options, quorumOf(members))
}

/** The same without the native addon. */
export function startPlainPool(options: TargetOptions): Promise<Target> {
  const name = `${poolOf(options.members)}, in plain Node`
  return startWith(name, "plain", ["env", "RMR_NATIVE=off"], options)
}

async function startWith(
  name: string,
  prefix: string,
  within: readonly string[],
  options: TargetOptions,
  judgedBeside?: string,
): Promise<Target> {
  const daemons = new Daemons(join(options.folder, prefix))
  mkdirSync(daemons.folder)
  const last = options.members
  try {
    const uri = await startDaemons(daemons, within, options)
    fill(daemons.folder, options.volumeBytes, uri)
    if (options.state === "degraded") await leave(daemons, last)
    return {
      name,
      fio: fioByNbd(uri),
      isOurs: true,
      get pids() {
        return daemons.pids
      },
      stop: () => daemons.endAll(),
      ...(judgedBeside === undefined ? {} : { judgedBeside }),
      ...(options.state === "resyncing" ? syncing(daemons, uri, options) : {}),
    }
  } catch (error) {
    await daemons.endAll()
    throw error
  }
}

async function startDaemons(
  daemons: Daemons,
  within: readonly string[],
  options: TargetOptions,
): Promise<string> {
  const { members, volumeBytes, isDirect, state } = options
  const bytes = volumeBytes + (state === "resyncing" ? syncBytesOf(volumeBytes) : 0)
  const urls = (await freePorts(members)).map((port) => `tcp://127.0.0.1:${port}`)
  for (const [nth, url] of urls.entries()) {
    const text = storageText(daemons.folder, nth + 1, url, bytes, isDirect ? "on" : "off")
    daemons.start(`storage-${nth + 1}`, text, within)
  }
  const socket = join(daemons.folder, "pool.sock")
  daemons.start("client", clientText(socket, urls, bytes), within)
  const uri = `nbd+unix:///vault?socket=${socket}`
  await until("the pool", () => isExported(uri))
  return uri
}

function syncBytesOf(volumeBytes: number): number {
  return Math.min(SYNC_BYTES_MAX, SYNC_TIMES * volumeBytes)
}

/** So that reads find bytes and not holes, as with the others. */
function fill(folder: string, volumeBytes: number, uri: string): void {
  const file = fileOfRandomBytes(join(folder, "pool.img"), volumeBytes)
  const copied = spawnSync("nbdcopy", [file, uri], { encoding: "utf8" })
  rmSync(file)
  if (copied.status !== 0) throw new Error(`nbdcopy fails: ${copied.stderr}`)
}

/** Until the client goes on without the member. */
async function leave(daemons: Daemons, member: number): Promise<void> {
  await daemons.end(`storage-${member}`, "SIGTERM")
  await until("a pool without its last member", async () => {
    const status = (await daemons.ask("client", "status")) as ClientAnswer
    const leg = status.client.pools[0]?.legs.find((one) => one.member === member)
    return leg !== undefined && leg.state !== "normal"
  })
}

interface ClientAnswer {
  readonly client: {
    readonly pools: readonly {
      readonly legs: readonly { readonly member: number; readonly state: string }[]
    }[]
  }
}

function syncing(
  daemons: Daemons,
  uri: string,
  { members, volumeBytes }: TargetOptions,
): Pick<Target, "prepare" | "noteOf"> {
  const node = `storage-${members}`
  const syncBytes = syncBytesOf(volumeBytes)
  return {
    async prepare() {
      await leave(daemons, members)
      await writeAnew(uri, volumeBytes, syncBytes)
      daemons.startAgain(node)
      await returned(daemons, node)
      const { dirtyChunks } = await stateOf(daemons, node)
      if (dirtyChunks === 0) throw new Error("the member that came back has nothing to copy")
      await setSync(daemons, node, true)
    },
    async noteOf() {
      const { dirtyChunks } = await stateOf(daemons, node)
      return dirtyChunks > 0 ? undefined : "the sync was over before the load was"
    },
  }
}

/** With bytes that were not there before. */
async function writeAnew(uri: string, offset: number, bytes: number): Promise<void> {
  const seed = `--randseed=${Math.floor(Math.random() * 2 ** 30)}`
  const place = [`--uri=${uri}`, `--offset=${offset}`, `--size=${bytes}`]
  const shape = ["--rw=write", "--bs=1m", "--iodepth=4", "--refill_buffers=1", seed]
  const { code } = await runLoad("anew", [...place, ...shape])
  if (code !== 0) throw new Error(`fio ended with ${code}`)
}
