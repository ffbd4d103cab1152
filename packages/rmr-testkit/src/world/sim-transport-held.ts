/**
 * Payload in the hands of the transport: a reference on a lease, and the bytes as late as possible.
 *
 * A real transport reads a payload when the card or the socket gets to it, and writes into a room
 * at any moment before it says so. This one does both as late, or as rudely, as promise T6 allows,
 * so that a caller who touches memory in flight is found out. Only when a session goes down are
 * bytes copied, because a request may still be executed long after its sender has its lease back.
 */
import type { Lease, Memory } from "@rmr/core"
import { assert, leaseBytes, NO_LEASE } from "@rmr/core"
import { SLOT_POISON_BYTE } from "./sim-transport-slots.js"

export class HeldPayload {
  readonly lease: Lease
  readonly at: number
  readonly bytes: number
  private readonly memory: Memory
  private isHeld: boolean
  private copy: Uint8Array | undefined

  /** Takes a reference. `NO_LEASE` goes with no bytes, and a range lies inside its lease. */
  constructor(memory: Memory, lease: Lease, at: number, bytes: number) {
    assertInside(memory, lease, at, bytes)
    this.memory = memory
    this.lease = lease
    this.at = at
    this.bytes = bytes
    this.isHeld = lease !== NO_LEASE
    if (this.isHeld) memory.retain(lease)
  }

  /** The bytes as they are now, or as they were when the session went down. */
  read(): Uint8Array {
    if (this.bytes === 0) return NOTHING
    return this.copy ?? this.range()
  }

  /** Puts what came into the room; what it does not fill becomes garbage. */
  write(source: Uint8Array): void {
    if (this.bytes === 0) return
    const room = this.range()
    room.set(source)
    room.fill(SLOT_POISON_BYTE, source.length)
  }

  /** Leaves garbage in the room, as an answer that breaks off would. */
  scribble(): void {
    if (this.bytes > 0) this.range().fill(SLOT_POISON_BYTE)
  }

  /** Keeps the bytes of this moment, whatever becomes of the lease. */
  detach(): void {
    if (this.isHeld && this.bytes > 0) this.copy ??= this.range().slice()
  }

  /** Gives the reference back. Idempotent. */
  release(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.memory.release(this.lease)
  }

  private range(): Uint8Array {
    assert(this.isHeld, "the transport touches only leases that it holds")
    return leaseBytes(this.memory, this.lease, this.at, this.bytes)
  }
}

const NOTHING = new Uint8Array(0)

function assertInside(memory: Memory, lease: Lease, at: number, bytes: number): void {
  if (lease === NO_LEASE) {
    assert(at === 0 && bytes === 0, "no lease holds no bytes")
    return
  }
  const areCounts = Number.isSafeInteger(at) && Number.isSafeInteger(bytes)
  assert(areCounts && at >= 0 && bytes >= 1, `${bytes} bytes at ${at} are no range`)
  assert(at + bytes <= memory.capacityOf(lease), "a payload lies inside its lease")
}
