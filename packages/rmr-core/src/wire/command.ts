/**
 * All commands, as one table: kind → spec.
 *
 * A command is a tagged object: `kind` says which, `body` is what its header says beyond the common
 * part, `payload` what travels beside it. The types of all four parts of an exchange follow from
 * the kind.
 *
 * ```ts
 * const check: CommandOf<"map-check"> = {
 *   kind: "map-check",
 *   ...envelope,
 *   body: {},
 *   payload: undefined,
 * }
 * ```
 */
import { assert } from "../assert.js"
import {
  MAP_BUF_DONE,
  MAP_CHECK,
  MAP_DISABLE,
  MAP_DONE,
  MAP_GET_VER,
  MAP_READY,
  MAP_SEND,
  MAP_SET_VER,
  type MapCommandTypes,
  READ_MAP_BUF,
  SEND_MAP_BUF,
} from "./command-map.js"
import {
  ENABLE_POOL,
  GROW_STORE,
  JOIN_POOL,
  LEAVE_POOL,
  type MembershipCommandTypes,
  POOL_INFO,
  REJOIN_POOL,
} from "./command-membership.js"
import { HELLO, HOLD, OPEN, type OpenCommandTypes, QUERY } from "./command-open.js"
import {
  DISCARD_CLEAR_FLAG,
  ELECT,
  LAST_IO_TO_MAP,
  MD_SEND,
  READ_LAST_IO,
  type RecoveryCommandTypes,
  SEND_DISCARD,
  SEND_MD_BUF,
  STORE_CHECK,
} from "./command-recovery.js"
import type { CommandShape, CommandSpec, RequestEnvelope } from "./command-spec.js"
import { USER, type UserCommandTypes } from "./command-user.js"
import { MAP_ADD, MAP_CLEAR, type ViewCommandTypes } from "./command-view.js"

export interface CommandTypes
  extends OpenCommandTypes,
    MembershipCommandTypes,
    MapCommandTypes,
    ViewCommandTypes,
    RecoveryCommandTypes,
    UserCommandTypes {}

export type CommandKind = keyof CommandTypes

export const COMMANDS: { readonly [K in CommandKind]: CommandSpec<CommandTypes[K]> } = {
  hello: HELLO,
  query: QUERY,
  open: OPEN,
  hold: HOLD,
  "join-pool": JOIN_POOL,
  "rejoin-pool": REJOIN_POOL,
  "enable-pool": ENABLE_POOL,
  "leave-pool": LEAVE_POOL,
  "pool-info": POOL_INFO,
  "grow-store": GROW_STORE,
  "map-ready": MAP_READY,
  "map-send": MAP_SEND,
  "send-map-buf": SEND_MAP_BUF,
  "map-buf-done": MAP_BUF_DONE,
  "map-done": MAP_DONE,
  "map-disable": MAP_DISABLE,
  "read-map-buf": READ_MAP_BUF,
  "map-check": MAP_CHECK,
  "map-get-ver": MAP_GET_VER,
  "map-set-ver": MAP_SET_VER,
  "map-add": MAP_ADD,
  "map-clear": MAP_CLEAR,
  "last-io-to-map": LAST_IO_TO_MAP,
  "read-last-io": READ_LAST_IO,
  elect: ELECT,
  "store-check": STORE_CHECK,
  "send-md-buf": SEND_MD_BUF,
  "md-send": MD_SEND,
  "send-discard": SEND_DISCARD,
  "discard-clear-flag": DISCARD_CLEAR_FLAG,
  user: USER,
}

/** In the order of the table. */
export const COMMAND_KINDS: readonly CommandKind[] = Object.keys(COMMANDS) as CommandKind[]

/** The request of an exchange. */
export interface CommandOf<K extends CommandKind> extends RequestEnvelope {
  readonly kind: K
  readonly body: CommandTypes[K]["body"]
  readonly payload: CommandTypes[K]["payload"]
}

export type Command = { [K in CommandKind]: CommandOf<K> }[CommandKind]

const KINDS_BY_CODE: ReadonlyMap<number, CommandKind> = new Map(
  COMMAND_KINDS.map((kind) => [COMMANDS[kind].code, kind]),
)
assert(KINDS_BY_CODE.size === COMMAND_KINDS.length, "every command has a code of its own")

/** Undefined for a code that this version does not know. */
export function commandOfCode(code: number): CommandKind | undefined {
  return KINDS_BY_CODE.get(code)
}

/** The spec of a kind that is known only at run time. */
export function specOf(kind: CommandKind): CommandSpec<CommandShape> {
  return COMMANDS[kind] as CommandSpec<CommandShape>
}
