/**
 * Memory comes and goes while the addon works with it: arenas are made and dropped, more of them
 * than it has slots for, and all that can be collected is, while sums, moves and sends of others
 * are under way. Run with `--expose-gc`.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, crc32c } from "@rmr/core"
import { slotOfMemory } from "../../src/arena-slots.js"
import { fastChecksum, pageArenas } from "../../src/index.js"
import { addonOrThrow, bytesOf } from "./addon.js"
import { Ends } from "./ends.js"
import { IO_BYTES, Load } from "./files.js"

const ROUNDS = 12
const ARENA_BYTES = 64 * 1024
const ARENAS = 40
const SENT_BYTES = 3_000_000

declare const gc: () => void

export async function collecting(folder: string): Promise<string> {
  let slotCount = 0
  for (let round = 0; round < ROUNDS; round++) {
    slotCount += sumOfMany(round)
    await Promise.all([moveAndForget(folder, round), sendAndForget(round), collect()])
    await collect()
  }
  const { slotCount: slotsAtOnce } = addonOrThrow()
  assert(slotCount > slotsAtOnce, "slots were emptied and filled again")
  return `${ROUNDS} rounds`
}

async function collect(): Promise<void> {
  for (let nth = 0; nth < 4; nth++) {
    gc()
    // What was collected is told in a later turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** How many of the arenas had a slot; nobody has any of them afterwards. */
function sumOfMany(round: number): number {
  let slotCount = 0
  for (let nth = 0; nth < ARENAS; nth++) {
    const [arena] = pageArenas([ARENA_BYTES])
    arena!.fill(round + nth)
    const view = new DataView(arena!.buffer)
    assert(fastChecksum()(view, 8, 4096) === crc32c(view, 8, 4096), "a right sum")
    if (slotOfMemory(arena!.buffer) >= 0) slotCount++
    if (nth % 16 === 0) gc()
  }
  return slotCount
}

/** Nobody but the moves themselves knows their memory. */
async function moveAndForget(folder: string, round: number): Promise<void> {
  const load = new Load()
  await load.open(folder, `round-${round}`)
  load.startMoves()
  gc()
  await load.allEnded()
  await load.close()
  const bytes = readFileSync(join(folder, `round-${round}`))
  for (const at of [0, IO_BYTES - 1]) assert(bytes[at] === 1, "what was written is there")
}

/** Nobody but the socket knows what it sends, nor the engine once it is closed. */
async function sendAndForget(round: number): Promise<void> {
  const ends = new Ends()
  const [end] = await ends.open(1)
  end!.socket.say(bytesOf(SENT_BYTES, round))
  gc()
  const heard: Buffer[] = []
  let heardBytes = 0
  for await (const piece of end!.peer) {
    heard.push(piece as Buffer)
    heardBytes += (piece as Buffer).length
    if (heard.length % 16 === 0) gc()
    if (heardBytes >= SENT_BYTES) break
  }
  assert(Buffer.concat(heard).equals(bytesOf(SENT_BYTES, round)), "all of it came")
  await ends.close()
}
