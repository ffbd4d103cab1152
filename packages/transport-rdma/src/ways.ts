/**
 * The ways of a session that was dialed by several addresses: each has a path, or is dialed again
 * until it has, for as long as the session is up.
 */
import type { Timer } from "@rmr/core"
import type { Route } from "./address.js"
import { CALL_PATH, writeCalling } from "./calling.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Opening } from "./opening.js"
import { Path } from "./path.js"
import { PathDial } from "./path-dial.js"
import { PATH_NUMBER_MAX } from "./words.js"

/** Between two tries, doubled each time, up or down by a half. */
const WAIT_MS_MIN = 250
const WAIT_MS_MAX = 8000

interface Way {
  readonly route: Route
  path: Path | undefined
  dialed: PathDial | undefined
  timer: Timer | undefined
  waitMs: number
}

export class Ways {
  private readonly endpoint: RdmaEndpoint
  private readonly opening: Opening
  private readonly key: Uint8Array
  private readonly ways: readonly Way[]
  private lastNumber = 0
  private isOver = false

  /** The first path goes by this route. */
  constructor(
    endpoint: RdmaEndpoint,
    opening: Opening,
    key: Uint8Array,
    routes: readonly Route[],
    first: number,
  ) {
    this.endpoint = endpoint
    this.opening = opening
    this.key = key
    this.ways = routes.map((route, nth) => ({
      ...{ route, path: nth === first ? opening.firstPath : undefined },
      ...{ dialed: undefined, timer: undefined, waitMs: WAIT_MS_MIN },
    }))
  }

  /** All but the first one. */
  start(): void {
    for (const way of this.ways) if (way.path === undefined) this.dial(way)
  }

  onLost(path: Path): void {
    for (const way of this.ways) {
      if (way.path !== path) continue
      way.path = undefined
      this.dialLater(way)
    }
  }

  end(): void {
    this.isOver = true
    for (const way of this.ways) {
      way.timer?.cancel()
      way.dialed?.end()
    }
  }

  private dialLater(way: Way): void {
    if (this.isOver) return
    const { clock, random } = this.endpoint
    const waitMs = way.waitMs * (0.5 + random.unit())
    way.waitMs = Math.min(2 * way.waitMs, WAIT_MS_MAX)
    way.timer = clock.schedule(waitMs, () => this.dial(way))
  }

  private dial(way: Way): void {
    const { endpoint, opening, key } = this
    const { carrier, terms } = opening
    if (this.isOver || this.lastNumber === PATH_NUMBER_MAX) return
    const path = new Path(endpoint.verbs, ++this.lastNumber, terms.limits)
    carrier.paths.open(path)
    const wait = (reason: string): void => {
      const fields = { peer: opening.session.peerName, path: path.number, reason }
      endpoint.log.write("debug", "path.waits", fields)
      way.timer?.cancel()
      way.dialed?.end()
      way.dialed = undefined
      carrier.paths.drop(path)
      this.dialLater(way)
    }
    const { handshakeMsMax } = endpoint.traits
    const late = (): void => wait(`nobody answers in ${handshakeMsMax} ms`)
    way.timer = endpoint.clock.schedule(handshakeMsMax, late)
    const dialed = new PathDial(endpoint, way.route, {
      linkCall: (tellsBySend) => writeCalling(CALL_PATH, { tellsBySend, key, path: path.number }),
      onLink: () => dialed.complete(opening, path, key),
      onSaid: () => dialed.failForeign(),
      onUp: () => {
        way.timer?.cancel()
        Object.assign(way, { path, dialed: undefined, waitMs: WAIT_MS_MIN })
        endpoint.watchPath(opening, path)
      },
      onFail: (_, detail) => wait(detail),
    })
    way.dialed = dialed
    dialed.start()
  }
}
