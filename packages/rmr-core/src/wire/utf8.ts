/**
 * UTF-8 without a runtime: the core may not lean on `TextDecoder`, and wants a stricter one anyway.
 *
 * Decoding refuses whatever encoding would not make: overlong forms, surrogates, numbers above
 * U+10FFFF and cut sequences. So every text has exactly one form on the wire.
 */

/**
 * How many bytes the text takes; a lone surrogate counts as U+FFFD, which is what it is written as.
 */
export function utf8Bytes(text: string): number {
  let bytes = 0
  for (const character of text) bytes += bytesOfCodePoint(codePointOf(character))
  return bytes
}

export function writeUtf8(view: DataView, at: number, text: string): void {
  let position = at
  for (const character of text) {
    const code = codePointOf(character)
    const bytes = bytesOfCodePoint(code)
    if (bytes === 1) {
      view.setUint8(position, code)
    } else {
      for (let index = bytes - 1; index > 0; index--) {
        view.setUint8(position + index, 0x80 | ((code >>> (6 * (bytes - 1 - index))) & 0x3f))
      }
      view.setUint8(position, LEADS[bytes]! | (code >>> (6 * (bytes - 1))))
    }
    position += bytes
  }
}

/** The text, or undefined where the bytes are not the one encoding of any. */
export function readUtf8(view: DataView, at: number, bytes: number): string | undefined {
  let text = ""
  let position = at
  const end = at + bytes
  while (position < end) {
    const lead = view.getUint8(position)
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    if (length === 0 || lead > 0xf4 || position + length > end) return undefined
    let code = length === 1 ? lead : lead & (0x7f >>> length)
    for (let index = 1; index < length; index++) {
      const next = view.getUint8(position + index)
      if ((next & 0xc0) !== 0x80) return undefined
      code = (code << 6) | (next & 0x3f)
    }
    if (bytesOfCodePoint(code) !== length || isSurrogate(code) || code > 0x10ffff) return undefined
    text += String.fromCodePoint(code)
    position += length
  }
  return text
}

/**
 * The longest beginning of the text that takes at most `bytesMax` bytes, cut between characters.
 */
export function cutUtf8(text: string, bytesMax: number): string {
  let bytes = 0
  let length = 0
  for (const character of text) {
    bytes += bytesOfCodePoint(codePointOf(character))
    if (bytes > bytesMax) return text.slice(0, length)
    length += character.length
  }
  return text
}

/** First byte of a sequence of 2, 3 or 4. */
const LEADS: readonly number[] = [0, 0, 0xc0, 0xe0, 0xf0]

const REPLACEMENT = 0xfffd

function codePointOf(character: string): number {
  const code = character.codePointAt(0) ?? REPLACEMENT
  return isSurrogate(code) ? REPLACEMENT : code
}

function bytesOfCodePoint(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff
}
