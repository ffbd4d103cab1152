/**
 * What clauses assert with: a handful of checks that throw, and name no test framework.
 *
 * Every check takes `what`, a phrase that completes "expected …", because a clause that fails
 * against a stranger's implementation must say which expectation broke, not only which numbers
 * differ.
 */
import type { ErrorCode } from "@rmr/core"
import { AssertionError, RmrError } from "@rmr/core"

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(`expected ${what}`)
}

/** Compares with `Object.is`. */
export function checkEqual<T>(actual: T, expected: T, what: string): void {
  if (Object.is(actual, expected)) return
  throw new AssertionError(`expected ${what}: ${show(expected)}, but it is ${show(actual)}`)
}

/** Compares element by element, as sequences of numbers or texts. */
export function checkList<T>(actual: readonly T[], expected: readonly T[], what: string): void {
  const isSame =
    actual.length === expected.length && actual.every((value, at) => Object.is(value, expected[at]))
  if (isSame) return
  throw new AssertionError(`expected ${what}: ${show(expected)}, but it is ${show(actual)}`)
}

export function checkBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  checkEqual(actual.length, expected.length, `${what}: length`)
  for (let at = 0; at < expected.length; at++) {
    if (actual[at] === expected[at]) continue
    const values = `0x${hex(expected[at]!)}, but it is 0x${hex(actual[at]!)}`
    throw new AssertionError(`expected ${what}: byte ${at} to be ${values}`)
  }
}

/** The call must be refused as our own mistake: by `assert`, before it changed anything. */
export function checkAsserts(call: () => unknown, what: string): void {
  try {
    call()
  } catch (thrown) {
    if (thrown instanceof AssertionError) return
    throw new AssertionError(`expected ${what} to be refused by assertion, not by ${show(thrown)}`)
  }
  throw new AssertionError(`expected ${what} to be refused by assertion, but it was accepted`)
}

/** The promise must fail with an RmrError of this code. */
export async function checkFails(
  promise: PromiseLike<unknown>,
  code: ErrorCode,
  what: string,
): Promise<RmrError> {
  let value: unknown
  try {
    value = await promise
  } catch (thrown) {
    if (thrown instanceof RmrError && thrown.code === code) return thrown
    throw new AssertionError(`expected ${what} to fail with ${code}, not with ${show(thrown)}`)
  }
  throw new AssertionError(`expected ${what} to fail with ${code}, but it gave ${show(value)}`)
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0")
}

const SHOWN_LENGTH_MAX = 400

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name} "${value.message}"`
  if (typeof value !== "object" || value === null) return String(value)
  let text: string
  try {
    text = JSON.stringify(value)
  } catch {
    text = Object.prototype.toString.call(value)
  }
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`
}
