/**
 * Any bytes at all: a connection is served or ended, another one never notices, and no memory is
 * left behind. What is sent is nearly right, because what is all wrong is refused at once.
 *
 * `RMR_SEED=n` repeats a run.
 */
import { type SeededRandom, seededRandom } from "@rmr/testkit/world"
import * as nbd from "../src/nbd/protocol.js"
import { harness, pattern, turns } from "./nbd-harness.js"
import { contextQuery, infoQuery, optionBytes, RawClient, requestBytes, u32 } from "./raw-client.js"

const seed = Number(process.env["RMR_SEED"])
const ROUNDS = 150

const SIZES = [0, 1, 27, 28, 4096, 5000, 65_536, 2 ** 31, 2 ** 32 - 1]
const OFFSETS = [0, 1, 4096, 8 * 1024 * 1024 - 4096, 8 * 1024 * 1024, 2 ** 40, 2 ** 53]
const OPTIONS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99]

jest.setTimeout(60_000)

it(`any bytes end one connection at most, RMR_SEED=${seed}`, async () => {
  process.stdout.write(`fuzzing the NBD server with RMR_SEED=${seed}\n`)
  const random = seededRandom(seed)
  const world = await harness({ arenaBytes: 4 * 1024 * 1024, server: { requestsMax: 4 } })
  const bystander = await RawClient.serving(world.at, "disk")
  for (let round = 0; round < ROUNDS; round++) {
    const client = await RawClient.connect(world.at)
    client.socket.resume()
    const script = [...(round % 2 === 0 ? talk(random) : beginning()), ...requests(random)]
    for (const piece of cut(random, damaged(random, Buffer.concat(script)))) {
      client.write(piece)
      if (random.chance(0.3)) await turns(1)
    }
    client.socket.end()
    await client.ended()
    const answer = await bystander.ask({ kind: nbd.CMD_READ, offset: 4096, bytes: 4096 })
    expect(answer.errno).toBe(0)
  }
  while (world.server.stats().connectionCount > 1) await turns(1)
  await turns(50)
  expect(world.server.stats().openRequestCount).toBe(0)
  expect(world.memory.stats().leaseCount).toBe(1)
  bystander.close()
  await world.close()
})

function beginning(): Buffer[] {
  const contexts = contextQuery("disk", ["base:allocation", "rmr:dirty"])
  const structured = optionBytes(nbd.OPT_STRUCTURED_REPLY, Buffer.alloc(0))
  const context = optionBytes(nbd.OPT_SET_META_CONTEXT, contexts)
  return [u32(3), structured, context, optionBytes(nbd.OPT_GO, infoQuery("disk"))]
}

function talk(random: SeededRandom): Buffer[] {
  const bodies = [
    Buffer.alloc(0),
    infoQuery("disk", [3]),
    contextQuery("", ["rmr:"]),
    u32(2 ** 32 - 1),
  ]
  const options = Array.from({ length: random.below(6) }, () =>
    optionBytes(random.pick(OPTIONS), random.pick(bodies)),
  )
  return [u32(random.pick([0, 1, 2, 3, 3, 3, 7])), ...options, ...beginning().slice(1)]
}

function requests(random: SeededRandom): Buffer[] {
  return Array.from({ length: random.below(12) }, () => {
    const kind = random.below(9)
    const bytes = random.pick(SIZES)
    const head = { kind, flags: random.pick([0, 0, 0, 1, 2, 4, 8, 16, 64]), bytes }
    const payload = kind === nbd.CMD_WRITE && bytes < 100_000 ? pattern(bytes) : Buffer.alloc(0)
    return Buffer.concat([requestBytes({ ...head, offset: random.pick(OFFSETS) }), payload])
  })
}

/** Some bits are flipped, the end is lost, or nothing is wrong. */
function damaged(random: SeededRandom, bytes: Buffer): Buffer {
  const flips = random.pick([0, 0, 1, 3])
  for (let nth = 0; nth < flips; nth++) {
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  }
  return random.chance(0.3) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
}

function* cut(random: SeededRandom, bytes: Buffer): Iterable<Buffer> {
  let at = 0
  while (at < bytes.length) {
    const step = random.pick([1, 5, 28, 4096, 100_000])
    yield bytes.subarray(at, at + step)
    at += step
  }
}
