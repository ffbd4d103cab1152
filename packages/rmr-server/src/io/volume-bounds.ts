/**
 * What requests are held to (io-bounds.ts), from what a member knows of its volume.
 *
 * A class, since each request asks for it: an object literal with a getter is a dictionary to V8,
 * and every field of it is looked up by name.
 */
import type { IoBounds } from "@rmr/core"
import type { MemberVolume } from "../pool/member-volume.js"

export class VolumeBounds implements IoBounds {
  readonly chunkSizeBytes: number
  readonly queueDepth: number
  readonly blockBytes: number
  private readonly geometry: MemberVolume["geometry"]

  constructor({ geometry, lastIo }: MemberVolume) {
    this.geometry = geometry
    this.chunkSizeBytes = geometry.chunkSizeBytes
    this.queueDepth = lastIo.queueDepth
    this.blockBytes = geometry.blockBytes
  }

  /** It grows. */
  get mappedSizeBytes(): number {
    return this.geometry.mappedSizeBytes
  }
}
