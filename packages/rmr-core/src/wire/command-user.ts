/**
 * USER: a command of the layer above, opaque to RMR.
 *
 * The same request goes to all legs; every leg answers with its own slice and its own status. What
 * the layer above calls an error travels inside a successful answer, so that "the member said no"
 * and "the member could not be asked" are never confused.
 */
import { USER_ANSWER_BYTES_MAX, USER_REQUEST_BYTES_MAX } from "../limits.js"
import type { CommandSpec, Shape } from "./command-spec.js"
import { I32 } from "./field-types.js"
import { TYPE_CMD } from "./header.js"
import { struct } from "./layout.js"
import { bytesPayload, NO_PAYLOAD } from "./payload.js"
import { bytesTail } from "./tails.js"

export interface UserBody {
  readonly data: Uint8Array
}

export interface UserResult {
  /** What the layer above answers: its own numbers, 0 by custom for success. */
  readonly userStatus: number
}

export interface UserCommandTypes {
  user: Shape<UserBody, undefined, UserResult, Uint8Array>
}

export const USER: CommandSpec<UserCommandTypes["user"]> = {
  name: "USER",
  code: 48,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    A command of the layer above (the block device: map, remap, unmap, get parameters). RMR hands
    the bytes on and the answer back. Upstream sends answers of all legs in one buffer; here every
    leg has a slice of its own.`,
  rules: ["F3", "W8"],
  body: struct<UserBody>(
    "USER body",
    0,
    [],
    ["data", 0, bytesTail(USER_REQUEST_BYTES_MAX), "what the layer above says"],
  ),
  payload: NO_PAYLOAD,
  result: struct<UserResult>("USER result", 4, [
    ["userStatus", 0, I32, "what the layer above answers"],
  ]),
  resultPayload: bytesPayload(USER_ANSWER_BYTES_MAX),
}
