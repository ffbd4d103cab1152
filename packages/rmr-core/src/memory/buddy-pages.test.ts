/** Blocks that are kept aside are as free as all others: nothing larger is split in their place. */
import { BuddyPages, NO_PAGE } from "./buddy-pages.js"

it("takes the block again that was given back last", () => {
  const pages = new BuddyPages([3])
  const first = pages.take(0)
  pages.take(0)
  pages.give(first, 0)
  expect(pages.take(0)).toBe(first)
  expect(pages.freePageCount).toBe(6)
})

it("splits a kept block before a larger one in a list", () => {
  const pages = new BuddyPages([3])
  pages.take(1)
  const second = pages.take(1)
  pages.give(second, 1)
  expect(pages.take(0)).toBe(second)
  expect(pages.take(2)).not.toBe(NO_PAGE)
})

it("merges what is kept before it says that there is none", () => {
  const pages = new BuddyPages([3])
  const blocks = [0, 0, 1, 2].map((order) => ({ order, page: pages.take(order) }))
  expect(pages.take(0)).toBe(NO_PAGE)
  for (const { order, page } of blocks) pages.give(page, order)
  expect(pages.largestFreeOrder).toBe(3)
  expect(pages.take(3)).toBe(0)
  expect(pages.freePageCount).toBe(0)
})
