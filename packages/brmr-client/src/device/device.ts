/**
 * A pool as a block device: what `/dev/brmrX` is to the original.
 *
 * Mapping asks every leg for its parameters, agrees on what all of them can do, and tells every leg
 * that a device is there now: MAP where none is mapped, REMAP where it is known, because its client
 * has restarted. The stores keep that durably, so a node that restarts knows it. A device is a
 * `VolumeSource`: an NBD server exports it.
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
  /** Sends the request to every leg, or to one; an answer or an error from each. */
  user(request: Uint8Array, memberId?: number): Promise<readonly LegAnswer[]>
  /** Runs whenever a member has come back into the view; the pool logs what fails. */
  onJoined?(run: (memberId: number) => Promise<void>): () => void
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
  /** After the pool has grown: volumes have its size from now on, also those that are open. */
  refresh(): Promise<void>
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
  await tellAll(pool, asked, parameters.sizeBytes)
  return new MappedDevice(pool, options.name ?? pool.name, row, parameters)
}

/** MAP where no device is mapped, REMAP where one is. Who fell silent meanwhile learns later. */
async function tellAll(
  pool: DevicePool,
  members: readonly MemberParameters[],
  sizeBytes: number,
): Promise<void> {
  const told = await Promise.allSettled(
    members.map(({ memberId, parameters }) => {
      const command = parameters.lifecycle === "mapped" ? "remap" : "map"
      return askAll(pool, command, sizeBytes, memberId)
    }),
  )
  const failures = told.flatMap((one) => (one.status === "rejected" ? [one.reason] : []))
  const errors = failures.map((reason) => RmrError.from(reason))
  const refused = errors.find(({ code }) => code !== "no-leg")
  if (refused !== undefined) throw refused
  if (errors.length === members.length && errors[0] !== undefined) throw errors[0]
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
  private readonly pool: DevicePool
  private readonly stopHearing: (() => void) | undefined
  private parametersNow: DeviceParameters
  private openCount = 0
  private isUnmapped = false

  constructor(pool: DevicePool, name: string, row: "new" | "known", parameters: DeviceParameters) {
    this.pool = pool
    this.name = name
    this.row = row
    this.parametersNow = parameters
    // Who was away when the device was mapped has not heard of it. Where that fails, whoever maps
    // the device next tells it.
    this.stopHearing = pool.onJoined?.((memberId) => this.tell(memberId))
  }

  get parameters(): DeviceParameters {
    return this.parametersNow
  }

  async refresh(): Promise<void> {
    const agreed = agreeOnDevice(await askAll(this.pool, "get-params", 0), 0)
    if (agreed instanceof RmrError) throw agreed
    this.parametersNow = agreed.parameters
  }

  private async tell(memberId: number): Promise<void> {
    if (this.isUnmapped) return
    const members = await askAll(this.pool, "get-params", 0, memberId)
    await tellAll(this.pool, members, this.parametersNow.sizeBytes)
  }

  open(options: VolumeOpen): Volume {
    if (this.isUnmapped) throw new RmrError("closed", `device ${this.name} was unmapped`)
    const volume = this.pool.open(options)
    this.openCount++
    return new DeviceVolume(
      this.name,
      () => this.parametersNow,
      volume,
      () => {
        this.openCount--
      },
    )
  }

  async unmap(): Promise<void> {
    if (this.isUnmapped) return
    if (this.openCount > 0) {
      throw new RmrError("busy", `device ${this.name} is in use; end its exports first`)
    }
    this.isUnmapped = true
    try {
      await unmapDevice(this.pool)
      this.stopHearing?.()
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
  memberId?: number,
): Promise<readonly MemberParameters[]> {
  const legs = await pool.user(encodeDeviceRequest(command, sizeBytes), memberId)
  const members: MemberParameters[] = []
  let silence: RmrError | undefined
  for (const { memberId: id, answer } of legs) {
    if (answer instanceof RmrError) {
      silence ??= answer
      continue
    }
    const parameters = decodeDeviceAnswer(answer)
    if (parameters instanceof RmrError) {
      const detail = `member ${id} refuses ${command}: ${parameters.detail}`
      throw new RmrError(parameters.code, detail, { cause: parameters })
    }
    members.push({ memberId: id, parameters })
  }
  if (members.length > 0) return members
  const why = silence === undefined ? "it has no legs" : silence.message
  throw new RmrError("no-leg", `no leg of ${pool.name} answers ${command}: ${why}`)
}
