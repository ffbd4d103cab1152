import fc from "fast-check"
import { SPARSE_PAGE_BYTES, SparseBytes } from "./sparse-bytes.js"

const SIZE = 5 * SPARSE_PAGE_BYTES
const range = fc
  .tuple(fc.nat(SIZE), fc.nat(SIZE))
  .map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }))
const step = fc.record({ range, value: fc.nat(255), copy: fc.boolean(), keep: fc.boolean() })

function all(bytes: SparseBytes): Uint8Array {
  const content = new Uint8Array(SIZE)
  bytes.read(0, content)
  return content
}

/** Jest compares byte by byte, through a proxy each. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

describe("SparseBytes", () => {
  it("holds what plain bytes would, and copies never see each other's writes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let bytes = new SparseBytes()
        const model = new Uint8Array(SIZE)
        const copies: { bytes: SparseBytes; content: Uint8Array }[] = []
        for (const { range, value, copy, keep } of steps) {
          const { offset, length } = range
          if (copy) {
            const other = bytes.copy()
            // Either side may go on; the other one must stay what it was.
            copies.push({ bytes: keep ? other : bytes, content: model.slice() })
            if (!keep) bytes = other
          }
          model.fill(value, offset, offset + length)
          if (value === 0) bytes.zero(offset, length, keep)
          else bytes.write(offset, new Uint8Array(length).fill(value))
          expect(isSame(all(bytes), model)).toBe(true)
        }
        for (const one of copies) expect(isSame(all(one.bytes), one.content)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it("gives whole pages back by zeroing, unless they are to be kept", () => {
    const bytes = new SparseBytes()
    bytes.write(0, new Uint8Array(3 * SPARSE_PAGE_BYTES).fill(1))
    bytes.zero(100, 2 * SPARSE_PAGE_BYTES)
    expect(bytes.allocatedBytes).toBe(2 * SPARSE_PAGE_BYTES)
    bytes.zero(2 * SPARSE_PAGE_BYTES, SPARSE_PAGE_BYTES, true)
    expect(bytes.allocatedBytes).toBe(2 * SPARSE_PAGE_BYTES)
    expect(bytes.missingBytes(0, SIZE)).toBe(3 * SPARSE_PAGE_BYTES)
  })

  it("forgets what lies beyond a new end, in the page of the end as well", () => {
    const bytes = new SparseBytes()
    bytes.write(0, new Uint8Array(SIZE).fill(9))
    bytes.truncate(SPARSE_PAGE_BYTES + 10)
    const content = all(bytes)
    expect(content.lastIndexOf(9)).toBe(SPARSE_PAGE_BYTES + 9)
    expect(bytes.allocatedBytes).toBe(2 * SPARSE_PAGE_BYTES)
  })

  it("takes offsets near the end of what a double can count", () => {
    const bytes = new SparseBytes()
    const offset = 2 ** 50 - 3
    bytes.write(offset, Uint8Array.of(1, 2, 3, 4, 5, 6))
    const content = new Uint8Array(6)
    bytes.read(offset, content)
    expect([...content]).toEqual([1, 2, 3, 4, 5, 6])
    expect(bytes.allocatedBytes).toBe(2 * SPARSE_PAGE_BYTES)
  })
})
