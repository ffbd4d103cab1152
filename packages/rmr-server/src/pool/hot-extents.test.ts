import { HotExtents } from "./hot-extents.js"

/** Room for four mutations of one extent each, and for two copies. */
function log(): HotExtents {
  return new HotExtents({ extentsMax: 14, softLimit: 8, fenceLimit: 8, copyLimit: 10 })
}

function fill(hot: HotExtents, count: number): void {
  for (let nth = 0; nth < count; nth++) {
    expect(hot.note(nth, 1, nth + 1)).toBe(true)
    hot.noteDurable(nth)
  }
}

describe("HotExtents", () => {
  it("I3: wants a flush before its limit, and admits nothing newer at it", () => {
    const hot = log()
    const admits = (epoch: number, sequence: number, extent = 50): boolean =>
      hot.admits(epoch, sequence, extent, 1)
    fill(hot, 6)
    expect([hot.isFlushWanted, hot.isFull, admits(1, 7)]).toEqual([true, false, true])
    hot.note(6, 1, 7)
    // The one with number 9 overtook the one with number 8.
    hot.note(7, 1, 9)
    expect([hot.isFull, admits(1, 10, 7), hot.admits(1, 9, 6, 2)]).toEqual([true, true, true])
    expect([admits(1, 10), admits(1, 9), admits(1, 8)]).toEqual([false, true, true])
    expect(hot.note(8, 1, 8)).toBe(true)
    // The fence stays where it went up, and is one for hot extents too: or they would not cool.
    expect([admits(1, 10, 7), admits(2, 1)]).toEqual([false, false])
    expect(hot.takeStable(1, 6)).toEqual([0, 1, 2, 3, 4, 5])
    expect([hot.isFull, admits(1, 10), admits(2, 1)]).toEqual([false, true, true])
  })

  it("I3: RT-67: admits what a copy told of while the fence was up: others have it", () => {
    const hot = log()
    fill(hot, 8)
    expect(hot.admits(1, 9, 50, 1)).toBe(false)
    expect(hot.takeStable(1, 8)).toHaveLength(8)
    // Before anybody asked, copies have filled it again, with what is in flight at their sources.
    for (let nth = 0; nth < 8; nth++) hot.note(20 + nth, 1, 20 + nth)
    expect([hot.isFull, hot.admits(1, 27, 60, 1), hot.admits(1, 28, 60, 1)]).toEqual([
      true,
      true,
      false,
    ])
  })

  it("I3: leaves the last slots to mutations: copies wait", () => {
    const hot = log()
    fill(hot, 8)
    expect([hot.pin(20), hot.pin(21), hot.pin(22)]).toEqual([true, true, false])
    // An extent that is hot anyway costs nothing.
    expect(hot.pin(3)).toBe(true)
    for (let nth = 0; nth < 4; nth++) expect(hot.note(30 + nth, 1, 5)).toBe(true)
    expect(hot.count).toBe(14)
  })

  it("I2: gives nothing up that is pinned, not durable, or may not cool", () => {
    const hot = log()
    fill(hot, 4)
    hot.note(9, 1, 1)
    hot.pin(2)
    expect(hot.takeStable(1, 3, (extent) => extent !== 1)).toEqual([0])
    hot.unpin(2)
    expect(hot.takeStable(1, 3)).toEqual([1, 2])
    expect(hot.all()).toEqual([3, 9])
  })

  it("I2: takes what is of an older epoch for stable with the first number of a later one", () => {
    const hot = log()
    fill(hot, 2)
    expect(hot.takeStable(2, 0)).toEqual([0, 1])
  })

  it("forgets an extent that was pinned and never asked for", () => {
    const hot = log()
    expect(hot.pin(5)).toBe(true)
    hot.unpin(5)
    expect(hot.count).toBe(0)
    hot.pin(6)
    hot.noteDurable(6)
    hot.unpin(6)
    expect(hot.all()).toEqual([6])
  })
})
