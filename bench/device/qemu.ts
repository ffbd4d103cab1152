/**
 * QEMU as a peer: one file exported by NBD, and its `quorum` over two of them, which is the
 * userspace replication that people have today.
 *
 * For quorum there are three storage daemons: two export a file over TCP, one writes to both and
 * exports the result on a unix socket. All run with `aio=io_uring`, which is its fastest, and with
 * TCP_NODELAY on accepted sockets: version 7.2 leaves it off and then stalls for 40 ms at a time,
 * which would flatter us. A tiny preload sets it.
 */
import { spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileOfRandomBytes } from "./files.js"
import { freePorts, Processes, type Target, untilPort, untilSocket } from "./target.js"

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

export const QUORUM = "QEMU quorum, two copies"

export interface QemuOptions {
  /** Where its files and sockets are; on tmpfs for the figures that are promised. */
  readonly folder: string
  readonly volumeBytes: number
  /** Past the kernel's cache. */
  readonly isDirect: boolean
}

export async function startQuorum({ folder, volumeBytes, isDirect }: QemuOptions): Promise<Target> {
  const processes = new Processes()
  try {
    const env = { LD_PRELOAD: preload(folder) }
    const ports = await freePorts(2)
    for (const [copy, port] of ports.entries()) {
      const file = fileOfRandomBytes(join(folder, `quorum-${copy}.img`), volumeBytes)
      const disk = `driver=file,node-name=f,filename=${file},locking=off,discard=unmap`
      processes.start(
        DAEMON,
        [
          ...["--blockdev", `${disk},cache.direct=${isDirect ? "on" : "off"},aio=io_uring`],
          ...["--nbd-server", `addr.type=inet,addr.host=127.0.0.1,addr.port=${port}`],
          ...["--export", "type=nbd,id=e,node-name=f,name=x,writable=on"],
        ],
        env,
      )
      await untilPort(port)
    }
    const socket = join(folder, "quorum.sock")
    const copies = ports.flatMap((port, copy) => [
      "--blockdev",
      `driver=nbd,node-name=c${copy},server.type=inet,server.host=127.0.0.1,` +
        `server.port=${port},export=x`,
    ])
    processes.start(
      DAEMON,
      [
        ...copies,
        "--blockdev",
        "driver=quorum,node-name=q,vote-threshold=1,read-pattern=fifo,children.0=c0,children.1=c1",
        ...["--nbd-server", `addr.type=unix,addr.path=${socket}`],
        ...["--export", "type=nbd,id=e,node-name=q,name=x,writable=on"],
      ],
      env,
    )
    await untilSocket(socket)
    const uri = `nbd+unix:///x?socket=${socket}`
    return {
      name: QUORUM,
      uri,
      pids: processes.pids,
      stop: () => processes.stop(),
    }
  } catch (error) {
    await processes.stop()
    throw error
  }
}

/** One copy: a file, exported on a unix socket. */
export async function startSingle({ folder, volumeBytes, isDirect }: QemuOptions): Promise<Target> {
  const processes = new Processes()
  try {
    const file = fileOfRandomBytes(join(folder, "single.img"), volumeBytes)
    const socket = join(folder, "single.sock")
    const disk = `driver=file,node-name=f,filename=${file},locking=off,discard=unmap`
    processes.start(
      DAEMON,
      [
        ...["--blockdev", `${disk},cache.direct=${isDirect ? "on" : "off"},aio=io_uring`],
        ...["--nbd-server", `addr.type=unix,addr.path=${socket}`],
        ...["--export", "type=nbd,id=e,node-name=f,name=x,writable=on"],
      ],
      { LD_PRELOAD: preload(folder) },
    )
    await untilSocket(socket)
    const uri = `nbd+unix:///x?socket=${socket}`
    return { name: "QEMU, one copy", uri, pids: processes.pids, stop: () => processes.stop() }
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
