/** Rows that find no room wait in their order, however many there are, and none is lost. */
import type { NativeAddon } from "./native-addon.js"
import { POST_BROKE } from "./native-addon.js"
import { Posts } from "./posts.js"
import { POST_BYTES, POST_FRAME, POST_STRIDE, POSTS_MAX } from "./verbs-table.js"

/** Takes as many rows of a call as `room` says, and keeps which those were. */
function device(rows: Int32Array, room: { left: number; isBroken?: boolean }, taken: number[]) {
  const post = (_: object, count: number): number => {
    const takes = Math.min(count, room.left)
    room.left -= takes
    for (let nth = 0; nth < takes; nth++) taken.push(rows[nth * POST_STRIDE + POST_BYTES]!)
    rows.copyWithin(0, takes * POST_STRIDE, count * POST_STRIDE)
    return (count - takes) | (room.isBroken === true ? POST_BROKE : 0)
  }
  return new Posts({ post } as unknown as NativeAddon, {}, rows)
}

function addTo(posts: Posts, first: number, count: number): void {
  for (let nth = first; nth < first + count; nth++) {
    posts.add(0, POST_FRAME, 0, 0, -1, 0, nth, 0, 0, 0, 0, false, false)
  }
}

it("posts everything in order, with more rows than the table has and little room", () => {
  const rows = new Int32Array(POSTS_MAX * POST_STRIDE)
  const room = { left: 100 }
  const taken: number[] = []
  const posts = device(rows, room, taken)
  const total = 3 * POSTS_MAX + 17
  addTo(posts, 0, total - 10)
  posts.send()
  expect(taken.length).toBe(100)
  addTo(posts, total - 10, 10)
  for (let rounds = 0; !posts.isEmpty && rounds < 100; rounds++) {
    room.left = 333
    posts.send()
  }
  expect(taken).toEqual(Array.from({ length: total }, (_, nth) => nth))
  expect(posts.isEmpty).toBe(true)
})

it("says that a line broke, also where all was posted", () => {
  const rows = new Int32Array(POSTS_MAX * POST_STRIDE)
  const posts = device(rows, { left: 9, isBroken: true }, [])
  addTo(posts, 0, 1)
  expect(posts.send()).toBe(true)
  expect(posts.isEmpty).toBe(true)
})
