/**
 * The table of the IO message. io.ts reads and writes it by hand, a test walks the table and
 * compares.
 *
 * Fields are sorted by size, so that every one lies on a multiple of itself and nothing is padding;
 * what the checksum covers is a multiple of sixteen bytes, which is what it takes in one step.
 */
import type { MemberId } from "../brand.js"
import { MEMBERS_MAX } from "../limits.js"
import { OPTIONAL_UUID, U8, U16, U32, U64 } from "./field-types.js"
import { type FieldType, type Struct, struct } from "./layout.js"
import { Refused } from "./refusal.js"

const REFUSED_MEMBERS = new Refused("members")

/** A list of at most eight members: ascending ids, then zeroes. */
export const MEMBER_LIST: FieldType<readonly MemberId[]> = {
  name: "8 × member id",
  bytes: MEMBERS_MAX,
  read(view, at) {
    const members: MemberId[] = []
    let before = 0
    for (let index = 0; index < MEMBERS_MAX; index++) {
      const id = view.getUint8(at + index)
      if (id !== 0) {
        if (id <= before || members.length !== index) return REFUSED_MEMBERS
        members.push(id as MemberId)
        before = id
      }
    }
    return members
  },
  write(view, at, members) {
    for (let index = 0; index < MEMBERS_MAX; index++) view.setUint8(at + index, members[index] ?? 0)
  },
}

/** The IO message as a table walk reads it: slow, and independent of the code that is fast. */
export const IO_LAYOUT: Struct<Record<string, unknown>> = struct<Record<string, unknown>>(
  "IO",
  100,
  [
    ["groupId", 0, U32, "jhash of the pool name"],
    ["type", 4, U16, "IO; MD for md-read and md-write"],
    ["version", 6, U8, "the agreed version of the protocol"],
    ["flags", 7, U8, "1 SYNC: from a storage node; 2 PAYLOAD_CRC: payloadCrc counts"],
    ["viewVersion", 8, U32, "map_ver, lower half: version of the sender's view (F3)"],
    ["epoch", 12, U32, "map_ver, upper half: the sender's epoch (F3)"],
    [
      "lineage",
      16,
      OPTIONAL_UUID,
      "map_ver: the history of the pool that the view belongs to (F3)",
    ],
    ["sequence", 32, U64, "of a mutation: its number in its epoch, gapless from 1 (W1); else 0"],
    ["offset", 40, U64, "first byte in the volume; in the metadata record for md operations"],
    ["firstChunk", 48, U64, "id.b: number of the first chunk touched"],
    ["length", 56, U32, "bytes; at most IO_BYTES_MAX"],
    ["sessionGeneration", 60, U32, "which of the holder's sessions this is (W5)"],
    ["stableSequence", 64, U64, "stable number: mutations up to it are durable everywhere (I2)"],
    ["stableEpoch", 72, U32, "the epoch of the stable number; 0 while there is none"],
    ["payloadCrc", 76, U32, "CRC-32C of the payload with PAYLOAD_CRC, else 0"],
    ["absentMembers", 80, MEMBER_LIST, "of a mutation: members that do not get it (W2); else none"],
    ["unit", 88, U16, "mem_id: the io unit, which is the slot in last_io"],
    ["chunkCount", 90, U16, "id.a: how many chunks are touched"],
    ["operation", 92, U8, "what to do; the numbers are below"],
    ["ioFlags", 93, U8, "1 FUA: durable at completion; 2 DIGEST: answer by digest (S7)"],
    ["senderMemberId", 94, U8, "the storage node that asks, 0 for a compute client"],
    ["priority", 95, U8, "higher goes first where a node has to choose"],
    ["headerCrc", 96, U32, "CRC-32C of bytes 0…95"],
  ],
)
