/**
 * Payloads that have a structure of their own: what does not fit a header travels beside it.
 *
 * A payload codec reads exactly the bytes it is given. What it answers may look into those bytes
 * instead of copying them (map pages, user data): it is valid as long as they are.
 */
import { assert } from "../assert.js"
import type { PoolMetadata } from "../rules/pool-metadata.js"
import type { Layout } from "./layout.js"
import { poolMetadataBytes, readPoolMetadata, writePoolMetadata } from "./pool-metadata-codec.js"
import {
  METADATA_HEAD,
  METADATA_LINEAGE,
  METADATA_MEMBER,
  METADATA_RANGE,
  POOL_METADATA_BYTES_MAX,
} from "./pool-metadata-layout.js"
import { Refused } from "./refusal.js"
import { bytesOf } from "./tails.js"

export interface PayloadCodec<Value> {
  /** As PROTOCOL.md calls it; empty where there is none. */
  readonly name: string
  readonly bytesMax: number
  /** Its tables, for PROTOCOL.md. */
  readonly layouts: readonly Layout[]
  bytesOf(value: Value): number
  read(view: DataView, at: number, bytes: number): Value | Refused
  write(view: DataView, at: number, value: Value): void
}

export const NO_PAYLOAD: PayloadCodec<undefined> = {
  name: "",
  bytesMax: 0,
  layouts: [],
  bytesOf: () => 0,
  read: (_view, _at, bytes) => (bytes === 0 ? undefined : new Refused("payload-bytes")),
  write: () => undefined,
}

/** The whole view record. */
export const RECORD_PAYLOAD: PayloadCodec<PoolMetadata> = {
  name: "view record",
  bytesMax: POOL_METADATA_BYTES_MAX,
  layouts: [METADATA_HEAD, METADATA_LINEAGE, METADATA_MEMBER, METADATA_RANGE],
  bytesOf: poolMetadataBytes,
  read: readPoolMetadata,
  write: (view, at, value) => {
    writePoolMetadata(view, at, value)
  },
}

export const OPTIONAL_RECORD_PAYLOAD: PayloadCodec<PoolMetadata | undefined> =
  optional(RECORD_PAYLOAD)

/** Bytes of somebody else, up to a bound. */
export function bytesPayload(bytesMax: number): PayloadCodec<Uint8Array> {
  return {
    name: "bytes",
    bytesMax,
    layouts: [],
    bytesOf: (value) => value.length,
    read: (view, at, bytes) =>
      bytes > bytesMax ? new Refused("payload-bytes") : bytesOf(view, at, bytes),
    write(view, at, value) {
      assert(value.length <= bytesMax, `at most ${bytesMax} bytes`)
      bytesOf(view, at, value.length).set(value)
    },
  }
}

/** The same payload, or none. */
export function optional<Value>(codec: PayloadCodec<Value>): PayloadCodec<Value | undefined> {
  return {
    name: `${codec.name}, or none`,
    bytesMax: codec.bytesMax,
    layouts: codec.layouts,
    bytesOf: (value) => (value === undefined ? 0 : codec.bytesOf(value)),
    read: (view, at, bytes) => (bytes === 0 ? undefined : codec.read(view, at, bytes)),
    write(view, at, value) {
      if (value !== undefined) codec.write(view, at, value)
    },
  }
}
