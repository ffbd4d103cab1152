/**
 * Refuses everything that is wrong with a request before anything of it happens.
 *
 * | wrong | errno |
 * |---|---|
 * | a flag that this command does not have, an unknown command | EINVAL |
 * | no bytes, or more than a request may have | EINVAL |
 * | beyond the end, what changes bytes there | ENOSPC |
 * | beyond the end, all others | EINVAL |
 * | a change of an export that is read only | EPERM |
 * | TRIM that was not offered, BLOCK_STATUS without a context | EINVAL |
 * | FAST_ZERO where zeroes would be written | ENOTSUP |
 */
import type { ExportFacts } from "./export-facts.js"
import type { Transmission } from "./handshake.js"
import * as nbd from "./protocol.js"

/** Flags by command. FUA is legal with all; it means nothing where nothing is changed. */
const FLAGS_BY_KIND: readonly number[] = [
  nbd.FLAG_FUA | nbd.FLAG_DF,
  nbd.FLAG_FUA,
  nbd.FLAG_FUA,
  nbd.FLAG_FUA,
  nbd.FLAG_FUA,
  nbd.FLAG_FUA,
  nbd.FLAG_FUA | nbd.FLAG_NO_HOLE | nbd.FLAG_FAST_ZERO,
  nbd.FLAG_FUA | nbd.FLAG_REQ_ONE,
]

/** 0 for a request that is carried out. */
export function judgeRequest(
  { facts, isStructured, contexts }: Transmission,
  kind: number,
  flags: number,
  offset: number,
  bytes: number,
): number {
  const allowed = FLAGS_BY_KIND[kind]
  if (allowed === undefined || (flags & ~allowed) !== 0) return nbd.EINVAL
  if (kind === nbd.CMD_FLUSH) return 0
  if ((flags & nbd.FLAG_DF) !== 0 && !isStructured) return nbd.EINVAL
  if (isMutation(kind) && facts.isReadOnly) return nbd.EPERM
  if (bytes === 0) return nbd.EINVAL
  const hasPayload = kind === nbd.CMD_READ || kind === nbd.CMD_WRITE
  if (hasPayload && bytes > facts.requestBytesMax) return nbd.EINVAL
  if (offset > facts.sizeBytes || bytes > facts.sizeBytes - offset) {
    return kind === nbd.CMD_WRITE || kind === nbd.CMD_WRITE_ZEROES ? nbd.ENOSPC : nbd.EINVAL
  }
  if (kind === nbd.CMD_TRIM && !facts.canUnmap) return nbd.EINVAL
  if (kind === nbd.CMD_BLOCK_STATUS && contexts === 0) return nbd.EINVAL
  if ((flags & nbd.FLAG_FAST_ZERO) !== 0 && !isZeroFast(facts, flags, offset, bytes)) {
    return nbd.ENOTSUP
  }
  return 0
}

export function isMutation(kind: number): boolean {
  return kind === nbd.CMD_WRITE || kind === nbd.CMD_TRIM || kind === nbd.CMD_WRITE_ZEROES
}

/** Giving space back takes no writing; anything else may. */
function isZeroFast(facts: ExportFacts, flags: number, offset: number, bytes: number): boolean {
  const isWhole = offset % facts.blockBytes === 0 && bytes % facts.blockBytes === 0
  return isWhole && facts.canUnmap && (flags & nbd.FLAG_NO_HOLE) === 0
}
