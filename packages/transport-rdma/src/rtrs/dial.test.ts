/** A dial of RTRS, step by step: it ends in a session, or in one reason and no line. */
import { type Pretended, pretended } from "../../test/pretend-rtrs.js"
import { RtrsDial } from "./dial.js"
import { beatTold, TOLD_BEAT } from "./immediate.js"

const COUNT = 4
const BUFFER_BYTES = 131_072
const NOTHING = new DataView(new ArrayBuffer(0))

interface Rig {
  readonly device: Pretended
  readonly dial: RtrsDial
  /** As the other side does. */
  route(line: number): void
  accept(line: number, count?: number): void
  tell(line: number, count?: number): void
}

function rig(): Rig {
  const device = pretended()
  const options = { name: "copy1", deadlineMs: 1000 }
  const dial = new RtrsDial(device.client, "rdma://10.0.0.1:1234", options, 3)
  dial.start({ from: "", to: { host: "10.0.0.1", port: 1234 } })
  return {
    ...{ device, dial },
    route: (line) => dial.onRouted(device.lines.get(line)!),
    accept: (line, count = COUNT) => {
      dial.onConnected(device.lines.get(line)!, answerView(0, count), 0, 196)
    },
    tell: (line, count = COUNT) => {
      const view = buffersView(count)
      dial.onSaid(device.lines.get(line)!, view, 0, view.byteLength)
    },
  }
}

function answerView(errno: number, count: number): DataView {
  const view = new DataView(new ArrayBuffer(196))
  view.setUint16(0, 0x1bbd, true)
  view.setUint16(2, 0x0200, true)
  view.setInt16(4, errno, true)
  view.setUint16(6, count, true)
  view.setUint32(8, BUFFER_BYTES - 4096, true)
  view.setUint32(12, 4096, true)
  return view
}

function buffersView(count: number): DataView {
  const view = new DataView(new ArrayBuffer(24))
  view.setUint16(0, 1, true)
  view.setUint16(2, 1, true)
  view.setUint32(20, count * BUFFER_BYTES, true)
  return view
}

async function outcome({ dial }: Rig): Promise<string> {
  try {
    await dial.promise
  } catch (thrown) {
    return (thrown as { message: string }).message
  }
  return "up"
}

it("calls with one line, then with the others, says who it is, and is up", async () => {
  const made = rig()
  const { device, route, accept, tell } = made
  route(0)
  expect(device.asked).toEqual(["dial 0", "raw 0 32760", "connect 0"])
  accept(0)
  expect(device.asked.slice(3)).toEqual(["dial 1", "dial 2"])
  route(2)
  route(1)
  accept(2)
  accept(1)
  expect(device.asked.at(-1)).toBe("say 0 272")
  // One and the same path and session, which are new.
  const [first, ...others] = device.called
  expect(device.called.map((call) => [call[6], call[8], call[44]])).toEqual([
    [0, 3, 1],
    [2, 3, 1],
    [1, 3, 1],
  ])
  for (const call of others) expect(call.subarray(12, 44)).toEqual(first!.subarray(12, 44))
  expect(new Set(first!.subarray(12, 44)).size).toBeGreaterThan(8)
  made.dial.onTold(device.lines.get(0)!, beatTold(TOLD_BEAT))
  tell(0)
  expect(await outcome(made)).toBe("up")
  const session = await made.dial.promise
  expect([session.depth, session.payloadBytesMax]).toEqual([COUNT, BUFFER_BYTES - 4096])
  device.pass(5000)
  expect(session.isUp).toBe(true)
  session.close()
  expect(device.lines.size).toBe(0)
})

const FAILURES: readonly (readonly [title: string, fails: (rig: Rig) => void, why: RegExp])[] = [
  [
    "nobody answers",
    ({ device }) => device.pass(1000),
    /^unreachable: .* no session after 1000 ms/,
  ],
  ["it is given up", ({ dial }) => dial.fail("closed", "given up"), /^closed: .* given up/],
  [
    "its device has no immediate data",
    ({ device, route }) => {
      device.isIwarp = true
      route(0)
    },
    /^unsupported: .* iWARP/,
  ],
  [
    "it is refused with a reason",
    ({ dial, device }) => dial.onOver(device.lines.get(0)!, 7, 28, answerView(-104, 0), 0, 148),
    /^unreachable: .* it refuses \(errno 104\)/,
  ],
  [
    "it is refused without",
    ({ dial, device }) => dial.onOver(device.lines.get(0)!, 7, 28, NOTHING, 0, 0),
    /^unreachable: .* the other side refuses \(28\)/,
  ],
  [
    "somebody else answers",
    ({ dial, device }) => dial.onConnected(device.lines.get(0)!, NOTHING, 0, 0),
    /^unsupported: .* does not speak RTRS/,
  ],
  [
    "lines are told of other buffers",
    ({ accept }) => {
      accept(0)
      accept(1, COUNT + 1)
    },
    /^bad-message: .* other buffers/,
  ],
  [
    "it is told of buffers too early",
    ({ accept, tell }) => {
      accept(0)
      accept(1)
      tell(0)
    },
    /^bad-message: .* out of turn/,
  ],
  [
    "it is told of fewer buffers than there are",
    ({ accept, tell }) => {
      for (const line of [0, 1, 2]) accept(line)
      tell(0, COUNT - 1)
    },
    /^bad-message: .* memory for 3 buffers of 4/,
  ],
  [
    "it is answered what it has not asked",
    ({ dial, device, accept }) => {
      accept(0)
      dial.onTold(device.lines.get(0)!, 2 ** 28)
    },
    /^bad-message: .* nobody has asked/,
  ],
]

for (const [title, fails, why] of FAILURES) {
  it(`fails when ${title}`, async () => {
    const made = rig()
    fails(made)
    expect(await outcome(made)).toMatch(why)
    expect(made.device.lines.size).toBe(0)
    made.dial.fail("internal", "again")
    made.device.pass(5000)
  })
}
