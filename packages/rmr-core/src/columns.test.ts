/** Tables that grow give every row once, keep what they hold, and stop at their bound. */
import { FreeRows, firstRows, longer, moreRows, NO_FREE_ROW } from "./columns.js"

describe("rows that are free", () => {
  it("are given in order, each once, up to the bound", () => {
    const free = new FreeRows(100)
    const taken = Array.from({ length: 100 }, () => free.take())
    expect(taken).toEqual(Array.from({ length: 100 }, (_, row) => row))
    expect(free.isFull).toBe(true)
    expect(free.take()).toBe(NO_FREE_ROW)
    expect(free.rows).toBe(100)
  })

  it("come back, and the table is no longer than what was taken at a time", () => {
    const free = new FreeRows(2048)
    for (let round = 0; round < 1000; round++) free.give(free.take())
    expect(free.takenCount).toBe(0)
    expect(free.rows).toBe(firstRows(2048))
  })

  it("are never the same after the table has grown", () => {
    const free = new FreeRows(500)
    const taken = new Set<number>()
    for (let step = 0; step < 5000; step++) {
      if (step % 3 === 2) {
        const [row] = taken
        taken.delete(row!)
        free.give(row!)
        continue
      }
      const row = free.take()
      if (row === NO_FREE_ROW) break
      expect(taken.has(row)).toBe(false)
      expect(row).toBeLessThan(free.rows)
      taken.add(row)
    }
    expect(taken.size).toBe(500)
    expect(free.takenCount).toBe(500)
  })

  it("of a table for few are few", () => {
    const free = new FreeRows(1)
    expect([free.take(), free.take()]).toEqual([0, NO_FREE_ROW])
  })
})

describe("columns", () => {
  it("keep what they hold, and their kind", () => {
    const column = longer(Int32Array.of(1, 2), 4, -1)
    expect(column).toEqual(Int32Array.of(1, 2, -1, -1))
    expect(longer(Float64Array.of(2 ** 40), 2)).toEqual(Float64Array.of(2 ** 40, 0))
  })

  it("double, or have what is needed, and stop at the bound", () => {
    expect(moreRows(16, 17, 2048)).toBe(32)
    expect(moreRows(16, 1000, 2048)).toBe(1000)
    expect(moreRows(1500, 1501, 2048)).toBe(2048)
    expect(() => moreRows(2048, 2049, 2048)).toThrow("as many rows as were planned for")
  })
})
