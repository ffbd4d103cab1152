/**
 * The `identity` cell: whose store this is. Written when the store is created, and again only when
 * the volume gets another size.
 *
 * It says nothing about views: a store that has been created and never joined has this and no
 * record. Where the two are both there, they name the same pool, member and store (G3, G5).
 */
import type { MemberId } from "../brand.js"
import { poolNameProblem } from "../group-id.js"
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, POOL_NAME_BYTES_MAX } from "../limits.js"
import type { Uuid } from "../rules/pool-metadata.js"
import { MEMBER_ID, OPTIONAL_UUID, powerOfTwo, reserved, UUID } from "../wire/field-types.js"
import { struct } from "../wire/layout.js"
import { QUEUE_DEPTH, VOLUME_BYTES } from "../wire/pool-metadata-layout.js"
import { Refused } from "../wire/refusal.js"
import { asciiTail } from "../wire/tails.js"
import { type CellCodec, cellCodec } from "./cell-codec.js"

export interface StoreIdentity {
  /** `ZERO_UUID` until a client has created the pool. */
  readonly poolUuid: Uuid
  readonly storeUuid: Uuid
  readonly memberId: MemberId
  readonly chunkSizeBytes: number
  /** Size of the pool's volume; 0 before it is mapped first. */
  readonly mappedSizeBytes: number
  readonly queueDepth: number
  readonly poolName: string
}

export const IDENTITY_CELL: CellCodec<StoreIdentity> = cellCodec(
  "identity",
  "RMID",
  struct<StoreIdentity>(
    "identity",
    48,
    [
      ["poolUuid", 0, OPTIONAL_UUID, "tells this pool from another of the same name; 0 before it"],
      ["storeUuid", 16, UUID, "tells this store from every other, also of the same member (G3)"],
      ["mappedSizeBytes", 32, VOLUME_BYTES, "size of the volume; 0 before it is mapped first"],
      [
        "chunkSizeBytes",
        40,
        powerOfTwo(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, false),
        "unit of dirty tracking; fixed when the pool is created",
      ],
      ["queueDepth", 44, QUEUE_DEPTH, "io units of the pool"],
      ["memberId", 46, MEMBER_ID, "whose store it is"],
      ["reserved", 47, reserved(1), "must be zero"],
    ],
    ["poolName", 48, asciiTail(1, POOL_NAME_BYTES_MAX), "the pool's name"],
  ),
  ({ poolName }) =>
    poolNameProblem(poolName) === undefined ? undefined : new Refused("text", "poolName"),
)
