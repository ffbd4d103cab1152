/**
 * Assertions: for our own mistakes, always on.
 *
 * Two kinds of wrong exist here. What the world does wrong (bytes, peers, disks, people) becomes an
 * `RmrError` with a code. What we do wrong is an `AssertionError`: the invariant that the code was
 * written on does not hold, so nothing that follows can be trusted and the process must say so.
 */

export class AssertionError extends Error {
  override readonly name = "AssertionError"
}

/** In the IO path a message is a constant, or made where the condition is known not to hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** The branch that cannot be reached, proven to the compiler by `never`. */
export function unreachable(value: never, message: string): never {
  throw new AssertionError(`${message}: ${String(value)}`)
}
