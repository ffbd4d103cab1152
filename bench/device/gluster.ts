/**
 * GlusterFS as a peer: a volume of two copies, its bricks beside the files of the other targets,
 * which fio visits with GlusterFS's own library. So what its client does is fio's CPU time.
 *
 * Its daemons keep their state in fixed places of the machine and listen at fixed ports, so they
 * run in namespaces of their own: network, mounts (those places are empty and end with it) and
 * processes. They are gone when the first of them is, and that one when this process is.
 * Nothing is cached or written later at the client: a write that is answered is in both bricks.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { LeftOut, type Target, type TargetOptions, until } from "./target.js"
import { isThere } from "./tools.js"

export const GLUSTER = "GlusterFS, two copies"

const ADDRESS = "10.77.77.1"
const NEEDS = ["glusterd", "gluster", "unshare", "nsenter", "ip"] as const
const READY = "all bricks"
const READY_MS_MAX = 60_000
const OURS = ["--net", "--mount", "--pid"] as const

/** The first process of the namespaces: makes the volume, then waits until nobody holds it. */
function script(folder: string, isDirect: boolean): string {
  const late = ["write-behind", "io-cache", "read-ahead", "quick-read", "stat-prefetch"]
  const settings = [
    ...[...late, "open-behind"].map((name) => `performance.${name} off`),
    ...["performance.client-io-threads on", "client.event-threads 2", "server.event-threads 2"],
    ...(isDirect ? ["performance.strict-o-direct on", "network.remote-dio off"] : []),
  ]
  return `mount -t tmpfs none /run
mount -t tmpfs none /var/lib/glusterd
mount -t tmpfs none /var/log/glusterfs
mkdir /run/gluster
ip link set lo up
ip address add ${ADDRESS}/32 dev lo
cat > /run/glusterd.vol <<END
volume management
    type mgmt/glusterd
    option working-directory /var/lib/glusterd
    option transport-type socket
    option transport.socket.bind-address ${ADDRESS}
end-volume
END
glusterd --volfile=/run/glusterd.vol --pid-file=/run/glusterd.pid
tries=0
until gluster --mode=script pool list; do
  tries=$((tries + 1)); test $tries -lt 50; sleep 0.1
done
bricks="${ADDRESS}:${folder}/brick-1 ${ADDRESS}:${folder}/brick-2"
gluster --mode=script volume create vault replica 2 $bricks force
${settings.map((setting) => `gluster --mode=script volume set vault ${setting}`).join("\n")}
gluster --mode=script volume start vault
echo ${READY}
cat
`
}

export async function startGluster(options: TargetOptions): Promise<Target> {
  const missing = NEEDS.filter((program) => !isThere(program))
  if (missing.length > 0) {
    const packages = "glusterfs-server glusterfs-client util-linux iproute2"
    throw new LeftOut(`this machine has no ${missing.join(", ")}; apt-get install ${packages}`)
  }
  const folder = join(options.folder, "gluster")
  for (const brick of ["brick-1", "brick-2"]) mkdirSync(join(folder, brick), { recursive: true })
  const space = ["--fork", "--kill-child", "--mount-proc"]
  const words = [...OURS, ...space, "sh", "-ec", script(folder, options.isDirect)]
  const holder = spawn("unshare", words, { stdio: ["pipe", "pipe", "pipe"] })
  try {
    await untilReady(holder)
    const within = ["nsenter", "--target", String(firstIn(holder)), ...OURS]
    const fio = fioWords(options.isDirect)
    const why = fill(within, fio, options.volumeBytes)
    if (why !== "") throw new LeftOut(`it does not run here: ${why}`)
    return {
      ...{ name: GLUSTER, fio, within, isOurs: false },
      get pids() {
        return daemonsIn(holder)
      },
      stop: () => end(holder),
    }
  } catch (error) {
    await end(holder)
    throw error
  }
}

function fioWords(isDirect: boolean): readonly string[] {
  const place = ["--volume=vault", `--brick=${ADDRESS}`, "--filename=device"]
  return ["--ioengine=gfapi_async", ...place, `--direct=${isDirect ? 1 : 0}`]
}

/** Why it could not be written all over; empty where it was. */
function fill(within: readonly string[], fio: readonly string[], bytes: number): string {
  const shape = ["--name=fill", "--rw=write", "--bs=1m", "--iodepth=8", `--size=${bytes}`]
  const [program = "", ...args] = [...within, "fio", ...fio, ...shape]
  const filled = spawnSync(program, args, { encoding: "utf8" })
  return filled.status === 0 ? "" : lastLine(`${filled.stdout}${filled.stderr}`)
}

async function untilReady(holder: ChildProcess): Promise<void> {
  let said = ""
  const keep = (text: Buffer): void => {
    said = (said + text.toString()).slice(-2000)
  }
  holder.stdout?.on("data", keep)
  holder.stderr?.on("data", keep)
  holder.once("error", ({ message }) => keep(Buffer.from(message)))
  const isOver = (): boolean => holder.exitCode !== null || holder.signalCode !== null
  const isDecided = (): Promise<boolean> => Promise.resolve(said.includes(READY) || isOver())
  await until(READY, isDecided, READY_MS_MAX).catch((error: Error) => {
    throw new LeftOut(`it does not run here: ${error.message}; ${lastLine(said)}`)
  })
  if (!said.includes(READY)) throw new LeftOut(`it does not run here: ${lastLine(said)}`)
}

function lastLine(said: string): string {
  return said.trim().split("\n").at(-1) ?? ""
}

/** The process that is the first one there. */
function firstIn({ pid }: ChildProcess): number {
  const [first] = childrenOf(pid ?? 0)
  if (first === undefined) throw new LeftOut("it does not run here: its first process has ended")
  return first
}

/** All that run there but what only holds it. */
function daemonsIn(holder: ChildProcess): number[] {
  const children = childrenOf(firstIn(holder))
  const all = children.flatMap((pid) => [pid, ...childrenOf(pid)])
  return all.filter((pid) => nameOf(pid).includes("gluster"))
}

/** Whoever loses its parent there becomes a child of the first one. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
  return text === "" ? [] : text.split(" ").map(Number)
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8")
}

async function end(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return
  const gone = once(holder, "exit")
  holder.kill("SIGKILL")
  await gone
}
