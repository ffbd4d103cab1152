/** A request that carries a view record names, in its header, the view that the record is. */
import type { PoolMetadata } from "../rules/pool-metadata.js"
import type { RequestEnvelope } from "./command-spec.js"
import { Refused } from "./refusal.js"

export function refuseOtherVersion(
  { groupId, mapVersion }: PoolMetadata,
  envelope: RequestEnvelope,
): Refused | undefined {
  if (groupId !== envelope.groupId) return new Refused("group", "payload.groupId")
  const named = envelope.mapVersion
  const isSame =
    named.lineage === mapVersion.lineage &&
    named.epoch === mapVersion.epoch &&
    named.version === mapVersion.version
  return isSame ? undefined : new Refused("view", "payload.mapVersion")
}
