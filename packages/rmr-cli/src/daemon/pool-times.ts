/** What the configuration says of a pool's times; the rest has defaults. */
import type { PoolTimes } from "@rmr/client"
import type { ClientPoolConfig } from "../config/config.js"

export function poolTimes(config: ClientPoolConfig): Partial<PoolTimes> {
  const said: { readonly [K in keyof PoolTimes]?: number | undefined } = {
    ioDeadlineMs: config.io_deadline_ms,
    noLegMs: config.no_leg_ms,
    slowAfterMs: config.slow_after_ms,
    slowFloorMs: config.slow_floor_ms,
    slowFactor: config.slow_factor,
    slowHoldMs: config.slow_hold_ms,
    slowHoldMsMax: config.slow_hold_max_ms,
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
}
