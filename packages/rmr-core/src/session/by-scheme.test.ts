/** Several transports as one: addresses find theirs, and sessions have one source of ids. */
import type { Endpoint, EndpointOptions, Session, Transport } from "../ports/transport.js"
import { transportsByScheme } from "./by-scheme.js"

interface Fake extends Transport {
  readonly opened: EndpointOptions[]
  readonly dialed: string[]
  closedCount: number
  flushedCount: number
}

function fake(name: string, payloadBytesMax: number, isChecked: boolean): Fake {
  const made: Fake = {
    name,
    supports: {
      payloadChecked: isChecked,
      headerBytesMax: 512,
      payloadBytesMax,
      silenceMsMax: payloadBytesMax,
    },
    opened: [],
    dialed: [],
    closedCount: 0,
    flushedCount: 0,
    open: (options) => {
      made.opened.push(options)
      const endpoint: Endpoint = {
        dial: async (address) => {
          made.dialed.push(address)
          return { id: options.sessionIds?.take() } as unknown as Session
        },
        listen: async (address) => ({ address, close: async () => undefined }),
        flush: () => {
          made.flushedCount++
        },
        close: async () => {
          made.closedCount++
        },
      }
      return endpoint
    },
  }
  return made
}

const OPTIONS = { hostName: "here" } as unknown as EndpointOptions
const DIAL = { deadlineMs: 1, credits: [1, 1, 1] } as const

it("supports what all of them do", () => {
  const { name, supports } = transportsByScheme([fake("a", 10, true), fake("b", 20, false)])
  expect(name).toBe("a+b")
  expect(supports).toEqual({
    payloadChecked: false,
    headerBytesMax: 512,
    payloadBytesMax: 10,
    silenceMsMax: 20,
  })
  expect(Object.isFrozen(supports)).toBe(true)
})

it("opens each at its first address, and gives sessions of all of them different ids", async () => {
  const [a, b, c] = [fake("a", 1, true), fake("b", 1, true), fake("c", 1, true)]
  const endpoint = transportsByScheme([a, b, c]).open(OPTIONS)
  const sessions = [
    await endpoint.dial("a:x", DIAL),
    await endpoint.dial("b://y", DIAL),
    await endpoint.dial("a:z", DIAL),
  ]
  expect(new Set(sessions.map(({ id }) => id)).size).toBe(3)
  expect([a.dialed, b.dialed, c.dialed]).toEqual([["a:x", "a:z"], ["b://y"], []])
  expect([a.opened.length, b.opened.length, c.opened.length]).toEqual([1, 1, 0])
  endpoint.flush()
  await endpoint.close()
  expect([a.flushedCount, b.flushedCount, c.flushedCount]).toEqual([1, 1, 0])
  expect([a.closedCount, b.closedCount, c.closedCount]).toEqual([1, 1, 0])
})

it("refuses an address of no scheme that it has, and opens nothing when it is closed", async () => {
  const a = fake("a", 1, true)
  const endpoint = transportsByScheme([a]).open(OPTIONS)
  for (const address of ["b:x", "x", "", "aa:x"]) {
    await expect(endpoint.dial(address, DIAL)).rejects.toMatchObject({ code: "unsupported" })
    await expect(endpoint.listen(address, { creditsMax: [1, 1, 1] })).rejects.toThrow(/schemes a:/)
  }
  await endpoint.close()
  await expect(endpoint.dial("a:x", DIAL)).rejects.toMatchObject({ code: "closed" })
  expect(a.opened).toEqual([])
})
