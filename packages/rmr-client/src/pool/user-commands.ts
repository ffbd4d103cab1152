/** Commands to every leg, with an answer or an error from each: USER, and MAP_CHECK. */
import type { DeviceAnswer, PoolMetadata } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Leg } from "./leg.js"

/** What one leg made of a USER command: its answer, or why there is none. */
export interface UserAnswer {
  readonly memberId: number
  readonly answer: DeviceAnswer | RmrError
}

export function askAllLegs(
  legs: readonly (Leg | undefined)[],
  { mapVersion }: PoolMetadata,
  data: Uint8Array,
  commandMs: number,
): Promise<readonly UserAnswer[]> {
  const there = legs.filter((leg): leg is Leg => leg !== undefined)
  return Promise.all(
    there.map(async (leg) => {
      const { memberId } = leg
      try {
        if (leg.io.session === undefined) {
          throw new RmrError("no-leg", `the leg to member ${memberId} is ${leg.state.state}`)
        }
        const reply = await leg.ask("user", mapVersion, { data }, undefined, commandMs)
        const { userStatus } = reply.result
        return { memberId, answer: { userStatus, bytes: reply.payload } }
      } catch (thrown) {
        return { memberId, answer: RmrError.from(thrown) }
      }
    }),
  )
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
  const there = legs.filter((leg): leg is Leg => leg !== undefined)
  return Promise.all(
    there.map(async (leg) => {
      const { memberId } = leg
      const nothing = { memberId, isNormal: false, dirtyChunks: 0, suspectChunks: 0 }
      try {
        const { result } = await leg.ask("map-check", mapVersion, {}, undefined, commandMs)
        const { isNormal, dirtyChunks, suspectChunks } = result
        return { memberId, isNormal, dirtyChunks, suspectChunks, error: undefined }
      } catch (thrown) {
        return { ...nothing, error: RmrError.from(thrown) }
      }
    }),
  )
}
