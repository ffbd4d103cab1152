/**
 * NodeSession: one accepted session, as the node knows it.
 *
 * HELLO comes first and settles the version; JOIN_POOL then ties the session to a pool and says
 * which process speaks. Nothing of a pool is listened to before that, so every request has a nonce
 * that it can be judged by (F3).
 */
import type { Agreement, Session } from "@rmr/core"
import type { Caller } from "../commands/index.js"
import type { ServerPool } from "../pool/server-pool.js"

/** What ties a session to one pool. */
export interface Binding {
  readonly pool: ServerPool
  readonly caller: Caller
}

export class NodeSession {
  readonly session: Session
  agreement: Agreement | undefined
  private readonly bindings = new Map<number, Binding>()
  /** The pool of the last request: most sessions speak of one. */
  private lastGroup = -1
  private last: Binding | undefined

  constructor(session: Session) {
    this.session = session
  }

  bind(groupId: number, binding: Binding): void {
    this.bindings.set(groupId, binding)
    this.lastGroup = -1
  }

  unbindPool(pool: ServerPool): void {
    for (const [groupId, binding] of this.bindings) {
      if (binding.pool === pool) this.bindings.delete(groupId)
    }
    this.lastGroup = -1
  }

  /** It is over. */
  end(): void {
    for (const { pool } of this.bindings.values()) pool.dataPath?.onSessionDown(this.session)
  }

  bindingOf(groupId: number): Binding | undefined {
    if (groupId === this.lastGroup) return this.last
    this.last = this.bindings.get(groupId)
    this.lastGroup = groupId
    return this.last
  }
}
