/**
 * A volume with the limits that the members of a device have agreed on.
 *
 * A pool cuts and aligns by its own rules; what a store under one of its members can take may be
 * less. So the narrower facts are shown, and everything else goes straight through.
 */
import type { DeviceParameters, Lease, Volume, VolumeRange } from "@rmr/core"

export class DeviceVolume implements Volume {
  readonly name: string
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number
  readonly optimalIoBytes: number
  readonly canUnmap: boolean
  private readonly volume: Volume
  private readonly device: () => DeviceParameters
  private readonly onClosed: () => void
  private isClosed = false

  constructor(
    name: string,
    deviceNow: () => DeviceParameters,
    volume: Volume,
    onClosed: () => void,
  ) {
    const device = deviceNow()
    this.name = name
    this.device = deviceNow
    this.blockBytes = Math.max(device.blockBytes, volume.blockBytes)
    this.atomicBytes = volume.atomicBytes
    const ioBytesMax = Math.min(device.ioBytesMax, volume.ioBytesMax)
    this.ioBytesMax = ioBytesMax - (ioBytesMax % this.blockBytes)
    this.inFlightMax = volume.inFlightMax
    this.optimalIoBytes = Math.max(device.optimalBytes, volume.optimalIoBytes)
    this.canUnmap = device.canUnmap && volume.canUnmap
    this.volume = volume
    this.onClosed = onClosed
  }

  /** Larger once the device has grown; nothing else changes. */
  get sizeBytes(): number {
    return Math.min(this.device().sizeBytes, this.volume.sizeBytes)
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    this.volume.read(token, offset, lease, at, bytes)
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    this.volume.write(token, offset, lease, at, bytes, flags)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    this.volume.zero(token, offset, bytes, flags)
  }

  flush(token: number): void {
    this.volume.flush(token)
  }

  submit(): void {
    this.volume.submit()
  }

  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[] {
    return this.volume.ranges(offset, bytes, countMax)
  }

  async close(withinMs?: number): Promise<void> {
    await this.volume.close(withinMs)
    if (this.isClosed) return
    this.isClosed = true
    this.onClosed()
  }
}
