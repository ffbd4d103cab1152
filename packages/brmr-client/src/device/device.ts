/**
 * A pool as a block device: what `/dev/brmrX` is to the original.
 *
 * Mapping asks every leg for its parameters, agrees on what all of them can do, and tells every leg
 * that a device is there now: MAP for a new one, REMAP for one whose client has restarted. The
 * stores keep that durably, so a node that restarts knows it; and nobody maps what somebody else
 * has mapped by accident. A device is a `VolumeSource`: an NBD server exports it.
 *
 * A leg that cannot be asked does not keep a device from being mapped, as long as one answers: it
 * learns when it returns. A leg that says no does.
 */
import type {
  DeviceAnswer,
  DeviceCommand,
  DeviceParameters,
  MemberParameters,
  Volume,
  VolumeOpen,
  VolumeSource,
} from "@rmr/core"
import { agreeOnDevice, decodeDeviceAnswer, encodeDeviceRequest, RmrError } from "@rmr/core"
import { DeviceVolume } from "./device-volume.js"

/** What one leg made of a USER command: its answer, or why there is none. */
export interface LegAnswer {
  readonly memberId: number
  readonly answer: DeviceAnswer | RmrError
}

/** What a device needs of a pool. */
export interface DevicePool extends VolumeSource {
  /** Sends the same request to every leg; an answer or an error from each. */
  user(request: Uint8Array): Promise<readonly LegAnswer[]>
}

export interface MapOptions {
  readonly pool: DevicePool
  /** The size that is expected; another one is refused. */
  readonly sizeBytes?: number
  /** For people and exports; default the pool's. */
  readonly name?: string
}

export interface Device extends VolumeSource {
  /** `new`: mapped now. `known`: it had been mapped, by a client that is gone. */
  readonly row: "new" | "known"
  readonly parameters: DeviceParameters
  open(options: VolumeOpen): Volume
  /** Gives the device up on all legs. Its volumes must be closed; fails with `busy` otherwise. */
  unmap(): Promise<void>
}

/** Fails with what a leg refused, with `mismatch` where legs disagree, `no-leg` for silence. */
export async function mapDevice(options: MapOptions): Promise<Device> {
  const { pool } = options
  const asked = await askAll(pool, "get-params", 0)
  const agreed = agreeOnDevice(asked, options.sizeBytes ?? 0)
  if (agreed instanceof RmrError) throw agreed
  const { row, parameters } = agreed
  await askAll(pool, row === "new" ? "map" : "remap", parameters.sizeBytes)
  return new MappedDevice(pool, options.name ?? pool.name, row, parameters)
}

/**
 * Brings all legs to "not mapped", whatever they say now: for a device that nobody has, and for one
 * that only some of them remember.
 */
export async function unmapDevice(pool: DevicePool): Promise<void> {
  await askAll(pool, "unmap", 0)
}

class MappedDevice implements Device {
  readonly name: string
  readonly row: "new" | "known"
  readonly parameters: DeviceParameters
  private readonly pool: DevicePool
  private openCount = 0
  private isUnmapped = false

  constructor(pool: DevicePool, name: string, row: "new" | "known", parameters: DeviceParameters) {
    this.pool = pool
    this.name = name
    this.row = row
    this.parameters = parameters
  }

  open(options: VolumeOpen): Volume {
    if (this.isUnmapped) throw new RmrError("closed", `device ${this.name} was unmapped`)
    const volume = this.pool.open(options)
    this.openCount++
    return new DeviceVolume(this.name, this.parameters, volume, () => {
      this.openCount--
    })
  }

  async unmap(): Promise<void> {
    if (this.isUnmapped) return
    if (this.openCount > 0) {
      throw new RmrError("busy", `device ${this.name} is in use; end its exports first`)
    }
    this.isUnmapped = true
    try {
      await unmapDevice(this.pool)
    } catch (thrown) {
      this.isUnmapped = false
      throw thrown
    }
  }
}

/** What those answered that could be asked; fails with the first refusal, or if none could. */
async function askAll(
  pool: DevicePool,
  command: DeviceCommand,
  sizeBytes: number,
): Promise<readonly MemberParameters[]> {
  const legs = await pool.user(encodeDeviceRequest(command, sizeBytes))
  const members: MemberParameters[] = []
  let silence: RmrError | undefined
  for (const { memberId, answer } of legs) {
    if (answer instanceof RmrError) {
      silence ??= answer
      continue
    }
    const parameters = decodeDeviceAnswer(answer)
    if (parameters instanceof RmrError) {
      const detail = `member ${memberId} refuses ${command}: ${parameters.detail}`
      throw new RmrError(parameters.code, detail, { cause: parameters })
    }
    members.push({ memberId, parameters })
  }
  if (members.length > 0) return members
  const why = silence === undefined ? "it has no legs" : silence.message
  throw new RmrError("no-leg", `no leg of ${pool.name} answers ${command}: ${why}`)
}
