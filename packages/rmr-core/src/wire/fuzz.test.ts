/**
 * A million and more mutants of every message, in every test run.
 *
 * What must hold for each: decoding throws nothing; it answers the same wherever the bytes lie, at
 * the very end of memory (where one byte further throws) and amid two different poisons; and what
 * it accepts encodes to exactly the bytes that came in, so that no two byte strings mean the same.
 *
 * `RMR_SEED=n` repeats a run.
 */
import fc from "fast-check"
import { commandOf, replyTo } from "../../scripts/command-arbitraries.js"
import { atTheEnd, type Frame, frameOf, surrounded } from "../../scripts/frames.js"
import { ioRecord, ioReply } from "../../scripts/io-arbitraries.js"
import { Dice, type MutationTarget, mutantOf } from "../../scripts/mutate.js"
import { poolMetadata } from "../../scripts/wire-arbitraries.js"
import { RmrError } from "../errors.js"
import { COMMAND_KINDS, type CommandKind, specOf } from "./command.js"
import { COMMAND_HEADER } from "./command-codec.js"
import { decodeMessage, type Message } from "./decode.js"
import { IO_LAYOUT } from "./io-layout.js"
import { IO_REPLY_LAYOUT } from "./io-reply.js"
import { OPEN_KNOWLEDGE_HEAD } from "./last-io-entry.js"
import { offsetIn } from "./layout.js"
import { decodePoolMetadata, encodePoolMetadata } from "./pool-metadata-codec.js"
import { REFUSALS, type RefusalReason, Refused } from "./refusal.js"
import { DETAIL, REPLY_HEADER } from "./reply.js"

const MUTANTS = 1_000_000
const SAMPLES = 40

/** New for each run (jest.config.mjs); it is in the title, and given back by RMR_SEED. */
const seed = Number(process.env["RMR_SEED"])

interface Species {
  readonly name: string
  readonly frames: readonly Frame[]
  readonly target: MutationTarget
  /** More mutants for the messages that run for every IO. */
  readonly weight: number
}

const reasons = new Map<RefusalReason | "accepted", number>()
let mutants = 0

describe(`fuzzing, RMR_SEED=${seed}`, () => {
  const all = allSpecies()
  const weights = all.reduce((sum, { weight }) => sum + weight, 0)

  beforeAll(() => {
    process.stdout.write(`fuzzing the wire codec with RMR_SEED=${seed}\n`)
  })

  it.each(all)("$name: refused or canonical, and never a byte too far", (species) => {
    const count = Math.ceil((MUTANTS * species.weight) / weights)
    const dice = new Dice(seed)
    let accepted = 0
    for (let mutant = 0; mutant < count; mutant++) {
      const frame = mutantOf(
        dice.pick(species.frames),
        dice.pick(species.frames),
        species.target,
        dice,
      )
      if (checkFrame(frame, dice)) accepted++
    }
    mutants += count
    expect(accepted).toBeGreaterThan(0)
    expect(accepted).toBeLessThan(count)
  })

  it("view records: refused or canonical", () => {
    const dice = new Dice(seed)
    const records = fc.sample(poolMetadata, { seed, numRuns: SAMPLES }).map(encodePoolMetadata)
    for (let mutant = 0; mutant < 30_000; mutant++) {
      const frame = { header: NO_BYTES, payload: dice.pick(records) }
      const other = { header: NO_BYTES, payload: dice.pick(records) }
      const { payload } = mutantOf(frame, other, RECORD_TARGET, dice)
      checkRecord(payload)
    }
    mutants += 30_000
  })

  it("makes more than a million mutants, and reaches every reason to refuse one", () => {
    expect(mutants).toBeGreaterThan(1_000_000)
    // A reason that is never reached is a check that is never tested.
    const missing = Object.keys(REFUSALS).filter((reason) => !reasons.has(reason as RefusalReason))
    expect(missing).toEqual([])
    expect(reasons.get("accepted")).toBeGreaterThan(10_000)
  })
})

/** Whether the mutant was accepted; fails the test when it breaks a promise. */
function checkFrame({ header, payload }: Frame, dice: Dice): boolean {
  const before = dice.below(3) * 5
  const answer = decodeMessage(atTheEnd(header, before), before, header.length, payload)
  const inZeroes = decodeMessage(surrounded(header, 7, 0), 7, header.length, poisoned(payload, 0))
  const inOnes = decodeMessage(surrounded(header, 9, 255), 9, header.length, poisoned(payload, 255))
  count(answer)
  if (answer instanceof Refused) {
    const isSame = isSameRefusal(answer, inZeroes) && isSameRefusal(answer, inOnes)
    if (!isSame) fail("answers depend on what surrounds the bytes", header, payload)
    if (dice.oneIn(64) && !(answer.toError() instanceof RmrError)) {
      fail("not a typed refusal", header, payload)
    }
    return false
  }
  if (inZeroes instanceof Refused || inOnes instanceof Refused) {
    fail("accepted here, refused there", header, payload)
  }
  const message = dice.pick([answer, inZeroes, inOnes]) as Message
  const again = frameOf(message)
  const isCanonical =
    Buffer.compare(again.header, header) === 0 &&
    (isIo(message) || Buffer.compare(again.payload, payload) === 0)
  if (!isCanonical) fail("encodes to other bytes than it came from", header, payload)
  return true
}

function checkRecord(payload: Uint8Array): void {
  const answer = decodePoolMetadata(payload)
  const inPoison = decodePoolMetadata(poisoned(payload, 255))
  if (answer instanceof Refused) {
    if (!isSameRefusal(answer, inPoison))
      fail("answers depend on what surrounds", NO_BYTES, payload)
    return
  }
  const isCanonical = Buffer.compare(encodePoolMetadata(answer), payload) === 0
  if (!isCanonical || inPoison instanceof Refused) fail("not canonical", NO_BYTES, payload)
}

function isSameRefusal(a: Refused, b: unknown): boolean {
  return b instanceof Refused && a.reason === b.reason && a.where === b.where
}

function isIo(message: Message): boolean {
  return message.type === "io" || message.type === "io-reply"
}

function count(answer: Message | Refused): void {
  const key = answer instanceof Refused ? answer.reason : "accepted"
  reasons.set(key, (reasons.get(key) ?? 0) + 1)
}

function fail(words: string, header: Uint8Array, payload: Uint8Array): never {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
  throw new Error(`${words}: header ${hex(header)} payload ${hex(payload)} (RMR_SEED=${seed})`)
}

/** The same payload in the middle of other bytes. */
function poisoned(payload: Uint8Array, poison: number): Uint8Array {
  const all = new Uint8Array(payload.length + 48).fill(poison)
  all.set(payload, 16)
  return all.subarray(16, 16 + payload.length)
}

const NO_BYTES = new Uint8Array(0)

const RECORD_TARGET: MutationTarget = {
  header: [],
  bodyAt: 0,
  payloadFieldsAt: undefined,
  recordIn: (payload) => ({ at: 0, bytes: payload.length }),
}

function allSpecies(): readonly Species[] {
  const io = fc.sample(ioRecord, { seed, numRuns: 400 })
  const replies = fc.sample(ioReply, { seed, numRuns: 400 })
  const fixed = { bodyAt: 0, payloadFieldsAt: undefined, recordIn: () => undefined }
  return [
    {
      name: "IO and MD",
      frames: io.map((record) => frameOf({ type: "io", io: record })),
      target: { ...fixed, header: [IO_LAYOUT] },
      weight: 8,
    },
    {
      name: "IO_RSP",
      frames: replies.map((reply) => frameOf({ type: "io-reply", ...reply })),
      target: { ...fixed, header: [IO_REPLY_LAYOUT] },
      weight: 8,
    },
    ...COMMAND_KINDS.map(requestSpecies),
    ...COMMAND_KINDS.map(replySpecies),
  ]
}

function requestSpecies(kind: CommandKind): Species {
  const commands = fc.sample(commandOf(kind), { seed, numRuns: SAMPLES })
  return {
    name: specOf(kind).name,
    frames: commands.map((command) => frameOf({ type: "command", command })),
    target: {
      header: [COMMAND_HEADER, specOf(kind).body],
      bodyAt: COMMAND_HEADER.bytes,
      payloadFieldsAt: payloadFieldsIn(COMMAND_HEADER),
      recordIn: (payload) =>
        specOf(kind).payload.name.startsWith("view record")
          ? { at: 0, bytes: payload.length }
          : undefined,
    },
    weight: 1,
  }
}

function replySpecies(kind: CommandKind): Species {
  const replies = fc.sample(replyTo(kind), { seed, numRuns: SAMPLES })
  const spec = specOf(kind)
  return {
    name: `answer to ${spec.name}`,
    frames: replies.map((reply) => frameOf({ type: "reply", reply })),
    target: {
      header: [REPLY_HEADER, spec.result, DETAIL],
      bodyAt: REPLY_HEADER.bytes,
      payloadFieldsAt: payloadFieldsIn(REPLY_HEADER),
      recordIn(payload) {
        if (spec.resultPayload.name.startsWith("view record"))
          return { at: 0, bytes: payload.length }
        if (kind !== "open" || payload.length < OPEN_KNOWLEDGE_HEAD.bytes) return undefined
        const bytes = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
        return { at: OPEN_KNOWLEDGE_HEAD.bytes, bytes }
      },
    },
    weight: 1,
  }
}

function payloadFieldsIn(layout: typeof COMMAND_HEADER | typeof REPLY_HEADER): {
  bytesAt: number
  crcAt: number
} {
  return { bytesAt: offsetIn(layout, "payloadBytes"), crcAt: offsetIn(layout, "payloadCrc") }
}
