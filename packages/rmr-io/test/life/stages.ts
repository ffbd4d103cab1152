/**
 * How far a thread has come with the addon when it ends: one function for each stage.
 *
 * A stage calls `there` once, at its very point, which may be inside of a call of the addon, and
 * hands over how to close what it has opened.
 */
import { closeSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, crc32c } from "@rmr/core"
import { fileRing } from "../../src/files/file-ring.js"
import { fastChecksum, pageArenas } from "../../src/index.js"
import { MOVE_READ } from "../../src/native-addon.js"
import { turnEnds } from "../../src/turn-ends.js"
import { addonOrThrow, bytesOf } from "./addon.js"
import { type End, Ends } from "./ends.js"
import { IO_BYTES, Load } from "./files.js"

export type There = (close: () => Promise<void>) => void
export type Stage = (there: There, folder: string) => Promise<void>

const SOCKETS = 4
const ARENA_BYTES = 64 * 1024
/** More than the kernel has room for. */
const MANY_BYTES = 6_000_000
const nothing = async (): Promise<void> => undefined

export const STAGES: Readonly<Record<string, Stage>> = {
  "is loaded": async (there) => {
    addonOrThrow()
    there(nothing)
  },
  "has summed": async (there) => {
    const [arena] = pageArenas([ARENA_BYTES])
    const view = new DataView(arena!.buffer)
    assert(fastChecksum()(view, 0, ARENA_BYTES) === crc32c(view, 0, ARENA_BYTES), "a right sum")
    there(nothing)
  },
  "has an engine without sockets": async (there) => {
    const ends = new Ends()
    there(async () => ends.sockets.close())
  },
  "has sockets at rest": async (there) => {
    const { ends } = await connected()
    there(() => ends.close())
  },
  "has bytes on the way": async (there) => {
    const { ends, all } = await connected()
    const isRead = new Promise<void>((resolve) => {
      ends.onRead = () => {
        resolve()
        return false
      }
    })
    for (const [nth, { socket, peer }] of all.entries()) {
      assert(!socket.write([bytesOf(MANY_BYTES, nth)], 1), "it has no room for all of it")
      peer.write(new Uint8Array(MANY_BYTES))
    }
    await isRead
    there(() => ends.close())
  },
  "has gathered writes unsent": async (there) => {
    const { ends, all } = await connected()
    ends.sockets.gather()
    for (const [nth, { socket }] of all.entries()) socket.write([bytesOf(1000, nth)], 1)
    there(() => ends.close())
  },
  "has moves in the ring": async (there, folder) => {
    const load = new Load()
    await load.open(folder, "moves")
    load.startMoves()
    there(() => load.close())
  },
  "is making holes": async (there, folder) => {
    const load = new Load()
    await load.open(folder, "holes")
    load.startHoles()
    // They are gathered until the microtasks of this turn.
    await Promise.resolve()
    there(() => load.close())
  },
  "is told of bytes": async (there) => {
    const { ends, all } = await connected()
    once(ends, () => there(() => ends.close()))
    for (const { peer } of all) peer.write(bytesOf(1000, 1))
  },
  "is at the end of a turn": async (there) => {
    const { ends, all } = await connected()
    once(ends, () => turnEnds.add(() => there(() => ends.close())))
    for (const { peer } of all) peer.write(bytesOf(1000, 1))
  },
  "is told of a move": toldOfMove,
}

async function connected(): Promise<{ ends: Ends; all: readonly End[] }> {
  const ends = new Ends()
  return { ends, all: await ends.open(SOCKETS) }
}

/** Of several sockets that are ready in a turn, the first that is told. */
function once(ends: Ends, run: () => void): void {
  let isFirst = true
  ends.onRead = () => {
    const runs = isFirst
    isFirst = false
    if (runs) run()
    return true
  }
}

/** Others have ended in the same turn, and are told afterwards. */
async function toldOfMove(there: There, folder: string): Promise<void> {
  const path = join(folder, "told")
  writeFileSync(path, new Uint8Array(IO_BYTES))
  const fd = openSync(path, "r")
  const ring = fileRing(addonOrThrow())
  const [arena] = pageArenas([IO_BYTES])
  let endedCount = 0
  const end = (): void => {
    if (++endedCount === 1) there(async () => undefined)
    if (endedCount === SOCKETS) closeSync(fd)
  }
  for (let nth = 0; nth < SOCKETS; nth++) {
    // Without a ring a turn is told in another way, and there is nothing to see here.
    if (ring?.add(MOVE_READ, fd, arena!, 0, 4096, 0, end) !== true) setImmediate(end)
  }
}
