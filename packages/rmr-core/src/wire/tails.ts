/**
 * What may stand at the end of a message: a text, bytes, or a list of equal entries.
 *
 * The length of a tail is what is left of the message, so there is no count that could disagree
 * with it.
 */
import { assert } from "../assert.js"
import type { Struct, TailType } from "./layout.js"
import { Refused } from "./refusal.js"
import { readUtf8, utf8Bytes, writeUtf8 } from "./utf8.js"

const REFUSED_TEXT = new Refused("text")
const REFUSED_COUNT = new Refused("count")

const ASCII_FIRST = 0x21
const ASCII_LAST = 0x7e

/** Visible ASCII: names and addresses, which stand in lines, logs and paths. */
export function asciiTail(bytesMin: number, bytesMax: number): TailType<string> {
  return {
    name: `ASCII, ${bytesMin}…${bytesMax} bytes`,
    bytesMax,
    bytesOf: (value) => value.length,
    read(view, at, bytes) {
      if (bytes < bytesMin || bytes > bytesMax) return REFUSED_TEXT
      return readAscii(view, at, bytes) ?? REFUSED_TEXT
    },
    write(view, at, value) {
      assert(
        value.length >= bytesMin && value.length <= bytesMax,
        `"${value}" has a length it may have`,
      )
      writeAscii(view, at, value)
    },
  }
}

/** Any text: sentences for people. */
export function utf8Tail(bytesMax: number): TailType<string> {
  return {
    name: `UTF-8, 0…${bytesMax} bytes`,
    bytesMax,
    bytesOf: utf8Bytes,
    read: (view, at, bytes) => readUtf8(view, at, bytes) ?? REFUSED_TEXT,
    write(view, at, value) {
      assert(utf8Bytes(value) <= bytesMax, `the text has at most ${bytesMax} bytes`)
      writeUtf8(view, at, value)
    },
  }
}

/**
 * Bytes that mean something to somebody else. Reading copies them: the message's memory is reused.
 */
export function bytesTail(bytesMax: number): TailType<Uint8Array> {
  return {
    name: `0…${bytesMax} bytes`,
    bytesMax,
    bytesOf: (value) => value.length,
    read: (view, at, bytes) => bytesOf(view, at, bytes).slice(),
    write(view, at, value) {
      assert(value.length <= bytesMax, `at most ${bytesMax} bytes`)
      bytesOf(view, at, value.length).set(value)
    },
  }
}

export function listTail<Entry>(
  entry: Struct<Entry>,
  countMin: number,
  countMax: number,
): TailType<readonly Entry[]> {
  return {
    name: `${countMin}…${countMax} × ${entry.name}`,
    bytesMax: countMax * entry.bytes,
    bytesOf: (value) => value.length * entry.bytes,
    read(view, at, bytes) {
      const count = bytes / entry.bytes
      if (!Number.isInteger(count) || count < countMin || count > countMax) return REFUSED_COUNT
      return readList(entry, view, at, count)
    },
    write(view, at, value) {
      assert(value.length >= countMin && value.length <= countMax, `${value.length} entries`)
      writeList(entry, view, at, value)
    },
  }
}

/** `count` entries of fixed size, one behind the other. */
export function readList<Entry>(
  entry: Struct<Entry>,
  view: DataView,
  at: number,
  count: number,
): readonly Entry[] | Refused {
  const entries: Entry[] = []
  for (let index = 0; index < count; index++) {
    const value = entry.read(view, at + index * entry.bytes, entry.bytes)
    if (value instanceof Refused) return value.in(`${index}`)
    entries.push(value)
  }
  return entries
}

/** Returns how many bytes it has written. */
export function writeList<Entry>(
  entry: Struct<Entry>,
  view: DataView,
  at: number,
  entries: readonly Entry[],
): number {
  for (const [index, value] of entries.entries()) entry.write(view, at + index * entry.bytes, value)
  return entries.length * entry.bytes
}

/** Visible ASCII, or undefined. */
export function readAscii(view: DataView, at: number, bytes: number): string | undefined {
  let text = ""
  for (let index = 0; index < bytes; index++) {
    const code = view.getUint8(at + index)
    if (code < ASCII_FIRST || code > ASCII_LAST) return undefined
    text += String.fromCharCode(code)
  }
  return text
}

export function writeAscii(view: DataView, at: number, text: string): void {
  assert(isVisibleAscii(text), `"${text}" is visible ASCII`)
  for (let index = 0; index < text.length; index++)
    view.setUint8(at + index, text.charCodeAt(index))
}

export function isVisibleAscii(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text)
}

/** The bytes themselves, not a copy. */
export function bytesOf(view: DataView, at: number, bytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, bytes)
}
