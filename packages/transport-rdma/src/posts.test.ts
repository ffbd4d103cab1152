/** Rows that find no room wait in the order of their line, however many, and hold up no other. */
import fc from "fast-check"
import type { NativeAddon } from "./native-addon.js"
import { POST_BROKE } from "./native-addon.js"
import { Posts } from "./posts.js"
import {
  POST_BYTES,
  POST_FRAME,
  POST_KIND,
  POST_LINE,
  POST_STRIDE,
  POSTS_MAX,
} from "./verbs-table.js"

/** Lines with so much room in their queues each, and which rows they took. */
class Device {
  readonly rooms: number[]
  readonly taken: number[][]
  readonly posts: Posts
  callCount = 0
  /** Rows that were given to it, also those that it gave back. */
  postedCount = 0
  isBroken = false
  private readonly rows = new Int32Array(POSTS_MAX * POST_STRIDE)

  constructor(lineCount: number) {
    this.rooms = new Array<number>(lineCount).fill(0)
    this.taken = this.rooms.map(() => [])
    const post = (_: object, count: number): number => this.post(count)
    this.posts = new Posts({ post } as unknown as NativeAddon, {}, this.rows)
  }

  add(line: number, first: number, count: number): void {
    for (let nth = first; nth < first + count; nth++) {
      this.posts.add(line, POST_FRAME, 0, 0, -1, 0, nth, 0, 0, 0, 0, false, false)
    }
  }

  /** So much room in each, which is told. */
  give(room: number): void {
    this.rooms.fill(room)
    for (const line of this.rooms.keys()) this.posts.onRoom(line)
  }

  get isThrough(): boolean {
    return !this.posts.isReady && this.posts.waiting.size === 0
  }

  /** As native code does: what waits comes to the front, and a line that waits is not tried on. */
  private post(count: number): number {
    const { rows, rooms, taken } = this
    const full = new Set<number>()
    let waiting = 0
    this.callCount++
    this.postedCount += count
    for (let row = 0; row < count * POST_STRIDE; row += POST_STRIDE) {
      const line = rows[row + POST_LINE]!
      if (rows[row + POST_KIND] === 0) continue
      if (!full.has(line) && rooms[line]! > 0) {
        rooms[line]!--
        taken[line]!.push(rows[row + POST_BYTES]!)
      } else {
        full.add(line)
        rows.copyWithin(waiting++ * POST_STRIDE, row, row + POST_STRIDE)
      }
    }
    return waiting | (this.isBroken ? POST_BROKE : 0)
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, nth) => nth)
}

it("posts everything in order, with more rows than the table has and little room", () => {
  const device = new Device(1)
  const total = 3 * POSTS_MAX + 17
  device.rooms[0] = 100
  device.add(0, 0, total - 10)
  device.posts.send()
  expect(device.taken[0]!.length).toBe(100)
  device.add(0, total - 10, 10)
  for (let rounds = 0; !device.isThrough && rounds < 100; rounds++) {
    device.give(33)
    device.posts.send()
  }
  expect(device.taken[0]).toEqual(upTo(total))
  expect(device.isThrough).toBe(true)
})

it("keeps the order of each line, whatever has room when", () => {
  const steps = fc.array(
    fc.record({
      line: fc.nat(3),
      count: fc.nat(300),
      rooms: fc.array(fc.nat(200), { minLength: 4, maxLength: 4 }),
      isSent: fc.boolean(),
    }),
    { maxLength: 25 },
  )
  fc.assert(
    fc.property(steps, (all) => {
      const device = new Device(4)
      const added = [0, 0, 0, 0]
      for (const { line, count, rooms, isSent } of all) {
        device.add(line, added[line]!, count)
        added[line]! += count
        rooms.forEach((room, nth) => {
          device.rooms[nth] = room
          if (room > 0) device.posts.onRoom(nth)
        })
        if (isSent) device.posts.send()
      }
      for (let rounds = 0; !device.isThrough && rounds < 1000; rounds++) {
        device.give(50)
        device.posts.send()
      }
      expect(device.taken).toEqual(added.map(upTo))
    }),
    { numRuns: 60 },
  )
})

it("lets no line that takes nothing hold up another one, or cost it anything", () => {
  const device = new Device(3)
  device.add(0, 0, 2 * POSTS_MAX)
  device.add(1, 0, 2 * POSTS_MAX)
  device.posts.send()
  expect(device.posts.isReady).toBe(false)
  device.rooms[2] = 10
  device.add(2, 0, 10)
  expect(device.posts.isReady).toBe(true)
  device.postedCount = 0
  device.posts.send()
  expect(device.taken).toEqual([[], [], upTo(10)])
  expect(device.postedCount).toBe(10)
})

it("tries many lines that wait in one turn each, in few calls", () => {
  const device = new Device(40)
  for (let line = 0; line < 40; line++) device.add(line, 0, 20)
  device.posts.send()
  device.callCount = 0
  device.give(20)
  device.posts.send()
  expect(device.taken).toEqual(device.rooms.map(() => upTo(20)))
  expect(device.callCount).toBeLessThanOrEqual(3)
})

it("forgets the rows of a line that is over, and no others", () => {
  const device = new Device(2)
  device.add(0, 0, POSTS_MAX + 5)
  device.add(1, 0, 5)
  device.posts.drop(0)
  device.give(2 * POSTS_MAX)
  device.posts.send()
  expect(device.taken).toEqual([[], upTo(5)])
  expect(device.isThrough).toBe(true)
})

it("knows how much waits for the room of each line", () => {
  const device = new Device(2)
  device.add(0, 0, POSTS_MAX)
  device.add(1, 0, 1)
  device.posts.send()
  const counts = [...device.posts.waiting].map(([line, { count }]) => [line, count])
  expect(counts).toEqual([
    [0, POSTS_MAX],
    [1, 1],
  ])
  device.posts.drop(0)
  expect([...device.posts.waiting.keys()]).toEqual([1])
})

it("says once that a line broke, also where all was posted", () => {
  const device = new Device(1)
  device.isBroken = true
  device.rooms[0] = 9
  device.add(0, 0, 1)
  expect(device.posts.send()).toBe(true)
  expect(device.isThrough).toBe(true)
  expect(device.posts.send()).toBe(false)
})
