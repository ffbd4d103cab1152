/** What a command handler gets and gives; the wire around it is the node's business. */
import type { CommandKind, CommandOf, CommandTypes, ErrorCode, PoolMetadata } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { refuseHolder, type ServerPool } from "../pool/server-pool.js"

/** Who asks: the process at the other end of a session, as JOIN_POOL introduced it. */
export interface Caller {
  readonly nonce: string
  readonly isPeer: boolean
  readonly hostName: string
}

export interface Answer<K extends CommandKind> {
  readonly result: CommandTypes[K]["result"]
  readonly payload: CommandTypes[K]["resultPayload"]
}

export type Handler<K extends CommandKind> = (
  pool: ServerPool,
  command: CommandOf<K>,
  caller: Caller,
) => Promise<Answer<K>> | Answer<K>

/** Rule F3 for a command that names an epoch: only the holder is answered. */
export function requireHolder(
  pool: ServerPool,
  command: CommandOf<CommandKind>,
  caller: Caller,
): void {
  const { epoch } = command.mapVersion
  const refused = refuseHolder(pool, epoch, caller.nonce)
  if (refused !== undefined) throw refusal(pool, refused, epoch)
  pool.noteHeard()
}

/** For what only a member that tracks the volume can do. */
export function requireVolume(pool: ServerPool): {
  readonly volume: NonNullable<ServerPool["member"]["volume"]>
  readonly data: NonNullable<ServerPool["dataPath"]>
} {
  requireSound(pool)
  const { volume } = pool.member
  const data = pool.dataPath
  if (volume === undefined || data === undefined) {
    throw new RmrError("not-found", `this member has no record of pool ${pool.name} yet; create it`)
  }
  return { volume, data }
}

/** I5: a store that has failed takes part in nothing until its process begins anew. */
export function requireSound({ name, lastFailure }: ServerPool): void {
  if (lastFailure === undefined) return
  const words = `the store of this member of ${name} has failed: ${lastFailure.message}`
  throw new RmrError("io-error", words)
}

/** G5: the pool goes on without this store, which is kept in mind for whoever asks how it is. */
export function deletedIn(pool: ServerPool, { mapVersion }: PoolMetadata): RmrError {
  pool.deletedIn = mapVersion
  return new RmrError("deleted", `view ${mapVersion.version} does not name this store`)
}

export function refusal(pool: ServerPool, code: ErrorCode, epoch: number): RmrError {
  const opened = `this member of ${pool.name} has opened epoch ${pool.admission.epoch}`
  return new RmrError(code, `${opened}, the request is of epoch ${epoch}`)
}
