/**
 * A client of RTRS on a device that does nothing: it writes down what is asked of it, in order, and
 * a test says what the other side does.
 */
import { type BuddyMemory, buddyMemory, type Env, silentLog } from "@rmr/core"
import { seededRandom } from "@rmr/testkit/world"
import type { RtrsClient } from "../src/rtrs/client.js"
import { RawLine, type RawLineOwner } from "../src/rtrs/raw-line.js"
import type { Verbs } from "../src/verbs.js"
import { POST_STRIDE } from "../src/verbs-table.js"

const ARENA_BYTES = 1 << 20
/** Of exposed memory: what the peer would be told. */
export const KEY_WORDS: readonly number[] = [0x1000, 0x2, 0x77]

export interface Pretended {
  readonly client: RtrsClient
  readonly memory: BuddyMemory
  readonly lines: Map<number, RawLine>
  /** What the device was asked: dialed, connected, exposed, ended, closed. */
  readonly asked: string[]
  /** Rows that were posted, as the table has them. */
  readonly posts: Int32Array[]
  readonly called: Uint8Array[]
  readonly heads: () => DataView
  /** Runs what is due in so many milliseconds, one after another. */
  pass(ms: number): void
  isIwarp: boolean
}

export function pretended(): Pretended {
  const asked: string[] = []
  const posts: Int32Array[] = []
  const called: Uint8Array[] = []
  const lines = new Map<number, RawLine>()
  const memory = buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 64 })
  const { env, pass } = pretendedEnv()
  let heads = new DataView(new ArrayBuffer(0))
  let next = 0
  const native = {
    isIwarp: () => all.isIwarp,
    dialLine: () => next++,
    rawLine: (_: object, line: number, bytes: number) => asked.push(`raw ${line} ${bytes}`),
    connectLine: (_: object, line: number, call: Uint8Array) => {
      called.push(call)
      asked.push(`connect ${line}`)
      return 0
    },
    say: (_: object, line: number, bytes: Uint8Array) => asked.push(`say ${line} ${bytes.length}`),
    openRegion: (_: object, __: number, buffer: ArrayBuffer) => {
      heads = new DataView(buffer)
      return 100
    },
    furnishLine: () => undefined,
    exposeArena: (_: object, line: number, __: number, ___: number, bytes: number) => {
      asked.push(`expose ${line} ${bytes}`)
      return 200
    },
    regionKey: (_: object, __: number, into: Int32Array) => into.set(KEY_WORDS),
    closeRegion: (_: object, region: number) => asked.push(`close region ${region}`),
  }
  const verbs = {
    ...{ native, engine: {}, postsAdded: () => undefined },
    startOf: (_: number, offset: number) => offset,
    posts: {
      onRoom: () => undefined,
      add: (...row: number[]) => posts.push(Int32Array.from(row.slice(0, POST_STRIDE), Number)),
    },
  } as unknown as Verbs
  const end = ({ number }: RawLine): void => {
    lines.delete(number)
    asked.push(`end ${number}`)
  }
  const client = {
    ...{ env, memory, verbs, forgetDial: () => undefined, forgetSession: () => undefined },
    addUp: () => asked.push("up"),
    addLine: (number: number, place: number, owner: RawLineOwner) => {
      const line = new RawLine(verbs, memory, number, place, owner, end)
      lines.set(number, line)
      asked.push(`dial ${number}`)
      return line
    },
  } as unknown as RtrsClient
  const all: Pretended = {
    ...{ client, memory, lines, asked, posts, called, heads: () => heads, pass, isIwarp: false },
  }
  return all
}

function pretendedEnv(): { env: Env; pass: (ms: number) => void } {
  let nowMs = 0
  let due: { readonly at: number; readonly run: () => void }[] = []
  const clock = {
    ...{ nowMs: () => nowMs, wallMs: () => nowMs, endOfTurn: (run: () => void) => run() },
    schedule: (delayMs: number, run: () => void) => {
      const one = { at: nowMs + delayMs, run }
      due.push(one)
      return {
        cancel: () => {
          due = due.filter((other) => other !== one)
        },
      }
    },
  }
  const pass = (ms: number): void => {
    const end = nowMs + ms
    for (;;) {
      const [first] = due.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)
      if (first === undefined) break
      due = due.filter((other) => other !== first)
      nowMs = first.at
      first.run()
    }
    nowMs = end
  }
  return { env: { clock, random: seededRandom("rtrs"), log: silentLog } as unknown as Env, pass }
}
