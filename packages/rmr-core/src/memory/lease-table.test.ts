import type { Lease } from "../brand.js"
import { LeaseTable } from "./lease-table.js"

describe("LeaseTable", () => {
  it("wraps its generations inside the positive int32 numbers", () => {
    const table = new LeaseTable(2 ** 20)
    const first = table.open(0, 0)
    let lease: Lease = first
    // 2,048 generations per slot; the table is kept nearly full, so that one slot is used again.
    for (let slot = 1; slot < 2 ** 20; slot++) table.open(slot, 0)
    for (let generation = 1; generation <= 2048; generation++) {
      table.close(lease)
      lease = table.open(0, 0)
      expect(lease).toBeGreaterThanOrEqual(0)
      expect(lease === first).toBe(generation === 2048)
    }
  })

  it("reads a block to its last reference and refuses the handle after close", () => {
    const table = new LeaseTable(5)
    const lease = table.open(42, 3)
    table.retain(lease)
    expect(table.drop(lease)).toBe(false)
    expect(table.drop(lease)).toBe(true)
    expect([table.pageOf(lease), table.orderOf(lease)]).toEqual([42, 3])
    table.close(lease)
    expect(() => table.pageOf(lease)).toThrow(`lease ${lease} is not live`)
    expect(table.liveCount).toBe(0)
  })
})
