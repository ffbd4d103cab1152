/**
 * Mending a chunk that is lost (reading Q23): what cannot be read there is zeroes from now on.
 *
 * It is dirty at every normal member, so nobody copies it and nobody reads it meanwhile, and it
 * stays dirty: what was written counts only when the chunk is accepted, after a flush. A crash
 * before that leaves it lost, with fewer bytes that cannot be read.
 */
import { type ChunkNumber, leaseBytes, NO_LEASE, RmrError, STATUS_OK, statusOf } from "@rmr/core"
import type { MemberVolume } from "../pool/member-volume.js"
import type { ServerPool } from "../pool/server-pool.js"

const MEDIA_ERROR = statusOf("media-error")

/** Fails with `busy` without payload memory, and with what a write of zeroes ends with. */
export async function mendChunk(
  pool: ServerPool,
  { geometry, maps }: MemberVolume,
  chunk: ChunkNumber,
): Promise<void> {
  const { jobs, store } = pool.member
  const { memory } = pool.world
  if (!maps.own.isDirty(chunk)) return
  const { blockBytes } = store
  const lease = memory.lease(blockBytes)
  if (lease === NO_LEASE) throw new RmrError("busy", "the node has no memory for that now")
  try {
    const end = geometry.offsetOf(chunk) + geometry.sizeOf(chunk)
    for (let at = geometry.offsetOf(chunk); at < end; at += blockBytes) {
      const status = await jobs.ask((token) => store.read(token, at, lease, 0, blockBytes))
      if (status === STATUS_OK) continue
      // Whatever else it is may pass, and the bytes with it.
      if (status !== MEDIA_ERROR) throw RmrError.ofStatus(status, `byte ${at} cannot be read`)
      leaseBytes(memory, lease, 0, blockBytes).fill(0)
      const written = await jobs.ask((token) => store.write(token, at, lease, 0, blockBytes, 0))
      if (written !== STATUS_OK)
        throw RmrError.ofStatus(written, `zeroes at ${at} cannot be written`)
    }
  } finally {
    memory.release(lease)
  }
}
