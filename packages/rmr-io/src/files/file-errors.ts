/**
 * What an errno of a file means here, and what a person can do about it.
 */
import { type ErrorCode, RmrError } from "@rmr/core"
import type { FileFailure } from "./file-calls.js"

/** Of an operation on an open file. */
export function codeOfFailure(error: FileFailure): ErrorCode {
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return "no-space"
    case "EIO":
    case "EILSEQ":
    case "ENODATA":
      return "media-error"
    default:
      return "io-error"
  }
}

const REASONS: Readonly<Record<string, readonly [code: ErrorCode, what: string]>> = {
  ENOENT: ["not-found", "does not exist; create it first"],
  ENOTDIR: ["not-found", "does not exist: a part of the path is no folder"],
  EISDIR: ["invalid-argument", "is a folder; name a file or a block device"],
  EACCES: ["io-error", "may not be opened for reading and writing by this user"],
  EPERM: ["io-error", "may not be opened for reading and writing by this user"],
  EROFS: ["io-error", "is on a file system that is mounted read-only"],
  EBUSY: ["busy", "is in use by the kernel: it is mounted, or part of another device"],
  ENXIO: ["not-found", "has no device behind it"],
  ENODEV: ["not-found", "has no device behind it"],
  ELOOP: ["invalid-argument", "is a chain of links that does not end"],
  EEXIST: ["exists", "exists already"],
  ENOSPC: ["no-space", "is on a full file system"],
}

/** Of opening or creating one. */
export function openingError(path: string, thrown: unknown): RmrError {
  if (thrown instanceof RmrError) return thrown
  const error = thrown as NodeJS.ErrnoException
  const [code, what] = REASONS[error.code ?? ""] ?? ["io-error", `fails: ${error.message}`]
  return new RmrError(code, `${path} ${what}`, { cause: thrown })
}
