/**
 * Env: the one bundle that is passed around. Whoever has an Env has time, chance and a log, and
 * nothing else of the machine. Every object takes it as its first option and never looks elsewhere.
 */
import type { Clock } from "./clock.js"
import type { Log } from "./log.js"
import type { Random } from "./random.js"

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
