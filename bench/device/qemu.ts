/**
 * QEMU as a peer: one file exported by NBD, and its `quorum` over two of them, which is the
 * userspace replication that people have today.
 *
 * For a quorum of two there are three storage daemons: two export a file over TCP, one writes to
 * both and exports the result on a unix socket. All run with `aio=io_uring`, which is its fastest,
 * and with TCP_NODELAY on accepted sockets: version 7.2 leaves it off and then stalls for 40 ms at
 * a time, which would flatter us. A tiny preload sets it.
 */
import { type ChildProcess, spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileOfRandomBytes, singleFile } from "./files.js"
import {
  copiesInWords,
  fioByNbd,
  freePorts,
  Processes,
  type Target,
  type TargetOptions,
  untilPort,
  untilSocket,
} from "./target.js"

const PRELOAD = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int tuned(int socket) {
  int on = 1;
  if (socket >= 0) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

int accept4(int socket, struct sockaddr *peer, socklen_t *bytes, int flags) {
  static int (*real)(int, struct sockaddr *, socklen_t *, int);
  if (!real) real = dlsym(RTLD_NEXT, "accept4");
  return tuned(real(socket, peer, bytes, flags));
}

int accept(int socket, struct sockaddr *peer, socklen_t *bytes) {
  static int (*real)(int, struct sockaddr *, socklen_t *);
  if (!real) real = dlsym(RTLD_NEXT, "accept");
  return tuned(real(socket, peer, bytes));
}
`

const DAEMON = "qemu-storage-daemon"

export const QUORUM = quorumOf(2)

/** With so many copies. */
export function quorumOf(members: number): string {
  return `QEMU quorum, ${copiesInWords(members)}`
}

/**
 * It cannot copy what a child has missed. So where a pool does that, its children are all there,
 * and have nothing else to do.
 */
export async function startQuorum(options: TargetOptions): Promise<Target> {
  const { folder, members, state } = options
  const processes = new Processes()
  try {
    const env = { LD_PRELOAD: preload(folder) }
    const ports = await freePorts(members)
    const children: ChildProcess[] = []
    for (const [copy, port] of ports.entries()) {
      children.push(processes.start(DAEMON, childArgs(options, copy, port), env))
      await untilPort(port)
    }
    const socket = join(folder, "quorum.sock")
    processes.start(DAEMON, quorumArgs(ports, socket), env)
    await untilSocket(socket)
    if (state === "degraded") await processes.end(children.at(-1)!)
    return {
      name: quorumOf(members),
      fio: fioByNbd(`nbd+unix:///x?socket=${socket}`),
      pids: processes.pids,
      isOurs: false,
      stop: () => processes.stop(),
    }
  } catch (error) {
    await processes.stop()
    throw error
  }
}

function childArgs(options: TargetOptions, copy: number, port: number): string[] {
  const file = fileOfRandomBytes(join(options.folder, `quorum-${copy}.img`), options.volumeBytes)
  return [
    ...["--blockdev", diskOf(file, options)],
    ...["--nbd-server", `addr.type=inet,addr.host=127.0.0.1,addr.port=${port}`],
    ...["--export", "type=nbd,id=e,node-name=f,name=x,writable=on"],
  ]
}

function quorumArgs(ports: readonly number[], socket: string): string[] {
  const children = ports.map((_, copy) => `children.${copy}=c${copy}`).join(",")
  return [
    ...ports.flatMap((port, copy) => [
      "--blockdev",
      `driver=nbd,node-name=c${copy},server.type=inet,server.host=127.0.0.1,` +
        `server.port=${port},export=x`,
    ]),
    "--blockdev",
    `driver=quorum,node-name=q,vote-threshold=1,read-pattern=fifo,${children}`,
    ...["--nbd-server", `addr.type=unix,addr.path=${socket}`],
    ...["--export", "type=nbd,id=e,node-name=q,name=x,writable=on"],
  ]
}

function diskOf(file: string, { isDirect }: TargetOptions): string {
  const disk = `driver=file,node-name=f,filename=${file},locking=off,discard=unmap`
  return `${disk},cache.direct=${isDirect ? "on" : "off"},aio=io_uring`
}

/** One copy: a file, exported on a unix socket. */
export async function startSingle(options: TargetOptions): Promise<Target> {
  const { folder } = options
  const processes = new Processes()
  try {
    const file = singleFile(options)
    const socket = join(folder, "single.sock")
    processes.start(
      DAEMON,
      [
        ...["--blockdev", diskOf(file, options)],
        ...["--nbd-server", `addr.type=unix,addr.path=${socket}`],
        ...["--export", "type=nbd,id=e,node-name=f,name=x,writable=on"],
      ],
      { LD_PRELOAD: preload(folder) },
    )
    await untilSocket(socket)
    return {
      name: "QEMU, one copy",
      fio: fioByNbd(`nbd+unix:///x?socket=${socket}`),
      pids: processes.pids,
      isOurs: false,
      stop: () => processes.stop(),
    }
  } catch (error) {
    await processes.stop()
    throw error
  }
}

/** Builds the preload once per folder. */
function preload(folder: string): string {
  const library = join(folder, "nodelay.so")
  if (existsSync(library)) return library
  const source = join(folder, "nodelay.c")
  writeFileSync(source, PRELOAD)
  const args = ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"]
  const built = spawnSync("gcc", args, { encoding: "utf8" })
  if (built.status !== 0) throw new Error(`gcc does not build the preload: ${built.stderr}`)
  return library
}
