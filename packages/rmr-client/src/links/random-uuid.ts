/** Sixteen random bytes as a UUID of this project: 32 lower-case hex digits, never all zero. */
import type { Env, Uuid } from "@rmr/core"
import { ZERO_UUID } from "@rmr/core"

export function randomUuid(env: Env): Uuid {
  const bytes = new Uint8Array(16)
  env.random.fill(bytes)
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return hex === ZERO_UUID ? randomUuid(env) : hex
}
