/**
 * How anything that does block io is made wrong from outside: other answers, other completions.
 */
import type { BlockBatch } from "@rmr/core"
import { BLOCK_STRIDE } from "@rmr/core"

/** The same object but for some of its members. */
export function overlay<T extends object>(subject: T, members: Partial<T>): T {
  return new Proxy(subject, {
    get: (target, name) => {
      const member: unknown = Reflect.get(name in members ? members : target, name, target)
      return typeof member === "function" ? member.bind(target) : member
    },
  })
}

export function rowsOf(batch: BlockBatch): Int32Array[] {
  return Array.from({ length: batch.count }, (_, row) =>
    batch.words.slice(row * BLOCK_STRIDE, (row + 1) * BLOCK_STRIDE),
  )
}

export function batchOf(rows: readonly Int32Array[]): BlockBatch {
  const words = new Int32Array(rows.length * BLOCK_STRIDE)
  for (const [row, columns] of rows.entries()) words.set(columns, row * BLOCK_STRIDE)
  return { count: rows.length, words }
}
