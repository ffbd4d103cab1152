/** Ids of sessions, each had by one at a time; the lowest that is free comes first. */
import type { SessionId } from "../brand.js"

export class SessionIds {
  private readonly taken = new Set<number>()

  take(): SessionId {
    let id = 0
    while (this.taken.has(id)) id++
    this.taken.add(id)
    return id as SessionId
  }

  give(id: SessionId): void {
    this.taken.delete(id)
  }
}
