/**
 * The immediate data of RTRS: what a queue pair is told, in 32 bits.
 *
 * | bits | field | meaning |
 * |---:|---|---|
 * | 28–31 | type | request, answer, beat, or answer to a beat |
 * | 0–27 | request | number of the buffer, then where in it the head is: as few bits as are left |
 * | 19–27 | answer | errno, without its sign; 0 is success |
 * | 0–18 | answer | number of the buffer, which is that of the request |
 */
export const TOLD_REQUEST = 0
export const TOLD_ANSWER = 1
/** The key of what was read into is invalid from now on. Nobody gets it who does not ask for it. */
export const TOLD_ANSWER_INVALIDATED = 2
export const TOLD_BEAT = 8
export const TOLD_BEAT_ANSWER = 9

const TYPE_AT = 28
const PLACE_BITS = 28
const ERRNO_AT = 19
const ERRNO_MASK = 0x1ff
const BUFFER_MASK = 0x7ffff

/** How many bits it takes to number so many buffers, or bytes. */
export function bitsFor(count: number): number {
  return 32 - Math.clz32(count - 1)
}

/** Whether there are bits enough for each byte of each buffer. */
export function isNameable(bufferCount: number, bufferBytes: number): boolean {
  return bitsFor(bufferCount) + bitsFor(bufferBytes) <= PLACE_BITS
}

/** Of a request whose head is at this place of this buffer. */
export function requestTold(buffer: number, headAt: number, bufferCount: number): number {
  return (buffer << (PLACE_BITS - bitsFor(bufferCount))) | headAt
}

export function beatTold(type: number): number {
  return (type << TYPE_AT) >>> 0
}

export function toldType(told: number): number {
  return told >>> TYPE_AT
}

export function answeredBuffer(told: number): number {
  return told & BUFFER_MASK
}

export function answeredErrno(told: number): number {
  return (told >>> ERRNO_AT) & ERRNO_MASK
}
