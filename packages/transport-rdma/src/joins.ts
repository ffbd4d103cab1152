/**
 * Further paths of a session that was accepted: who has its key may bring them, each with a number
 * that it never had before.
 */
import { CALL_LANE, CALL_PATH, type Calling } from "./calling.js"
import type { KeyHolder, RdmaEndpoint } from "./endpoint.js"
import type { Opening } from "./opening.js"
import { Path } from "./path.js"
import { PathGuest } from "./path-guest.js"
import { PATH_NUMBER_MAX } from "./words.js"

/** Opening at the same time. */
const OPENING_MAX = 8
/** Of a session, those that are up too. */
const PATHS_MAX = 16

export class Joins implements KeyHolder {
  private readonly endpoint: RdmaEndpoint
  private readonly opening: Opening
  private readonly key: string
  private readonly guests = new Map<number, PathGuest>()
  private lastNumber = 0

  constructor(endpoint: RdmaEndpoint, opening: Opening, key: string) {
    this.endpoint = endpoint
    this.opening = opening
    this.key = key
  }

  onCall(number: number, calling: Calling): void {
    const { kind, channel, path } = calling
    if (kind === CALL_LANE) {
      const guest = this.guests.get(path)
      if (guest === undefined) this.endpoint.refuseCall(number)
      else guest.join(number, channel)
    } else if (kind === CALL_PATH && this.mayCome(path)) this.welcome(number, calling)
    else this.endpoint.refuseCall(number)
  }

  /** The session is down. */
  end(): void {
    this.endpoint.holdersByKey.delete(this.key)
    for (const guest of this.guests.values()) guest.end()
    this.guests.clear()
  }

  /** One that is late, of a number that was passed over, is dialed again under another one. */
  private mayCome(path: number): boolean {
    const { paths } = this.opening.carrier
    const isNew = path > this.lastNumber && path <= PATH_NUMBER_MAX
    return isNew && this.guests.size < OPENING_MAX && paths.all.length < PATHS_MAX
  }

  private welcome(number: number, calling: Calling): void {
    const { endpoint, opening } = this
    const path = new Path(endpoint.verbs, calling.path, opening.terms.limits)
    this.lastNumber = calling.path
    opening.carrier.paths.open(path)
    const leave = (): void => {
      this.guests.delete(path.number)
    }
    const guest = new PathGuest(endpoint, number, calling, {
      onSaid: () => guest.fail(),
      onUp: () => {
        leave()
        endpoint.watchPath(opening, path)
      },
      onEnd: () => {
        leave()
        opening.carrier.paths.drop(path)
      },
    })
    this.guests.set(path.number, guest)
    guest.complete(opening, path)
    guest.accept()
  }
}
