/** Commands to every leg, with an answer or an error from each: USER, and MAP_CHECK. */
import type { DeviceAnswer, PoolMetadata } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Leg } from "./leg.js"

/** What one leg made of a USER command: its answer, or why there is none. */
export interface UserAnswer {
  readonly memberId: number
  readonly answer: DeviceAnswer | RmrError
}

/** Everybody is asked, also whom nothing can be sent to: `ask` says why that is. */
function askEach<T>(
  legs: readonly (Leg | undefined)[],
  ask: (leg: Leg) => Promise<T>,
  failed: (leg: Leg, error: RmrError) => T,
): Promise<readonly T[]> {
  const there = legs.filter((leg): leg is Leg => leg !== undefined)
  return Promise.all(
    there.map((leg) => ask(leg).catch((thrown: unknown) => failed(leg, RmrError.from(thrown)))),
  )
}

export function askAllLegs(
  legs: readonly (Leg | undefined)[],
  { mapVersion }: PoolMetadata,
  data: Uint8Array,
  commandMs: number,
  only?: number,
): Promise<readonly UserAnswer[]> {
  const asked = only === undefined ? legs : legs.filter((leg) => leg?.memberId === only)
  const ask = async (leg: Leg): Promise<UserAnswer> => {
    const { memberId } = leg
    if (leg.io.session === undefined) {
      throw new RmrError("no-leg", `the leg to member ${memberId} is ${leg.state.state}`)
    }
    const reply = await leg.ask("user", mapVersion, { data }, undefined, commandMs)
    const { userStatus } = reply.result
    return { memberId, answer: { userStatus, bytes: reply.payload } }
  }
  return askEach(asked, ask, ({ memberId }, error) => ({ memberId, answer: error }))
}

/** What a member says of its own map, or why it says nothing. */
export interface MapCheck {
  readonly memberId: number
  readonly isNormal: boolean
  /** Chunks that it lacks or suspects, and how many of them it only suspects. */
  readonly dirtyChunks: number
  readonly suspectChunks: number
  readonly error: RmrError | undefined
}

export function checkMaps(
  legs: readonly (Leg | undefined)[],
  { mapVersion }: PoolMetadata,
  commandMs: number,
): Promise<readonly MapCheck[]> {
  const nothing = { isNormal: false, dirtyChunks: 0, suspectChunks: 0 }
  const ask = async (leg: Leg): Promise<MapCheck> => {
    const { result } = await leg.ask("map-check", mapVersion, {}, undefined, commandMs)
    const { isNormal, dirtyChunks, suspectChunks } = result
    return { memberId: leg.memberId, isNormal, dirtyChunks, suspectChunks, error: undefined }
  }
  return askEach(legs, ask, ({ memberId }, error) => ({ ...nothing, memberId, error }))
}
