/**
 * The control protocol: one JSON object a line, over a socket in the file system.
 *
 * `{"id":1,"verb":"status","args":{}}` is answered by `{"id":1,"ok":true,"result":…}` or
 * `{"id":1,"ok":false,"error":{"code":"not-found","detail":"…"}}`. Whoever may open the socket may
 * do everything; its mode is 0600.
 */
import type { ErrorCode } from "@rmr/core"

export interface ControlRequest {
  readonly id: number
  readonly verb: string
  readonly args: Readonly<Record<string, unknown>>
}

export type ControlReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | {
      readonly id: number
      readonly ok: false
      readonly error: { readonly code: ErrorCode; readonly detail: string }
    }

/** A line that is longer is no request. */
export const LINE_BYTES_MAX: number = 64 * 1024

export const CONTROL_DEFAULT = "/run/rmr/control.sock"
