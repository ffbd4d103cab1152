/**
 * The paths of one session: those that are up, of which each request takes one, and those that are
 * still opening, or about to go.
 */
import type { Clock } from "@rmr/core"
import { type Chooser, chooserOf, type PathPolicy } from "./choosing.js"
import { NO_SAMPLE, type Path } from "./path.js"

export class Paths {
  /** Frames may come and go on each of them. */
  readonly up: Path[] = []
  private readonly others = new Set<Path>()
  private readonly choose: Chooser
  private readonly clock: Clock | undefined

  constructor(policy: PathPolicy, clock: Clock) {
    this.choose = chooserOf(policy)
    this.clock = policy === "min-latency" ? clock : undefined
  }

  get all(): readonly Path[] {
    return [...this.up, ...this.others]
  }

  /** It is ended with the others. */
  open(path: Path): void {
    this.others.add(path)
  }

  addUp(path: Path): void {
    this.others.delete(path)
    path.isUp = true
    this.up.push(path)
  }

  /** No request takes it any more; what had come by it is still told. */
  retire(path: Path): void {
    const nth = this.up.indexOf(path)
    if (nth >= 0) this.up.splice(nth, 1)
    path.isUp = false
    this.others.add(path)
  }

  /** It is over, whatever it was. */
  drop(path: Path): void {
    this.others.delete(path)
    const nth = this.up.indexOf(path)
    if (nth >= 0) this.up.splice(nth, 1)
    path.end()
  }

  /** One that is up, by its number. */
  at(number: number): Path | undefined {
    for (const path of this.up) if (path.number === number) return path
    return undefined
  }

  /** For this request; one is up. */
  take(id: number): Path {
    const { up } = this
    const path = up.length === 1 ? up[0]! : up[this.choose(up)]!
    path.inFlight++
    if (this.clock !== undefined && path.sampleId === NO_SAMPLE) {
      path.sampleId = id
      path.sampledAtMs = this.clock.nowMs()
    }
    return path
  }

  /** The request that took the path of this number is complete. */
  give(number: number, id: number): void {
    const path = this.at(number)
    if (path === undefined) return
    path.inFlight--
    if (path.sampleId === id && this.clock !== undefined) path.endSample(this.clock.nowMs())
  }

  end(): void {
    for (const path of this.all) this.drop(path)
  }
}
