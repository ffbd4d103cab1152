/** Opening and creating pools: what a user says about one, with defaults for the rest. */
import type { Checksum, MemberId } from "@rmr/core"
import { crc32c, groupIdOfName, IO_DEADLINE_MS_MIN, RmrError } from "@rmr/core"
import { READ_RUN_BYTES, type ReadPolicy } from "../io/engine-leg.js"
import type { LinkRegistry } from "../links/link-registry.js"
import { ClientPool } from "./client-pool.js"
import { type CreateOptions, createMembers } from "./creating.js"
import {
  type KnownMember,
  type PoolContext,
  type PoolTimes,
  TIMES_DEFAULT,
} from "./pool-context.js"

export interface PoolOptions {
  readonly registry: LinkRegistry
  readonly poolName: string
  readonly times?: Partial<PoolTimes>
  /** Default `round-robin`. */
  readonly readPolicy?: ReadPolicy
  /** Reads of so many bytes together go to the same member; default 64 KiB, 0: each by itself. */
  readonly readRunBytes?: number
  /** CRC-32C over payloads; default the one of @rmr/core. */
  readonly checksum?: Checksum
  /** An admin said so: take the pool from a client that is alive. */
  readonly isTakeover?: boolean
  /**
   * An admin said so: where members are missing that may know more, go on without them, in a
   * history of its own (F6). What they know alone is lost then, or a split brain. Where nobody is
   * missing that matters, it changes nothing.
   */
  readonly isForced?: boolean
  /** Where members have gone on apart: open the history that this one has (R7). */
  readonly side?: MemberId
}

export interface OpenOptions extends PoolOptions {
  /** Some members of the pool, best all; the others are found by the record. */
  readonly members: readonly KnownMember[]
}

/**
 * Opens a pool that exists. Fails with `held` where another client has it and is alive, `no-leg`
 * where too few members are there to know everything, `not-found`, `split-brain`, `unreachable`.
 */
export async function openPool(options: OpenOptions): Promise<ClientPool> {
  return ClientPool.open(poolContext(options), options.members)
}

/** Makes a new pool of these members, and opens it. Fails with `exists` where there is one. */
export async function createPool(options: PoolOptions & CreateOptions): Promise<ClientPool> {
  const context = poolContext(options)
  await createMembers(context, options)
  return ClientPool.open(context, options.members)
}

/** One for each try to open a pool. */
function poolContext(options: PoolOptions): PoolContext {
  const { registry, poolName } = options
  const times = checkedTimes({ ...TIMES_DEFAULT, ...options.times })
  return {
    env: registry.env,
    registry,
    poolName,
    groupId: groupIdOfName(poolName),
    nonce: registry.nonceFor(poolName),
    times,
    readPolicy: options.readPolicy ?? "round-robin",
    readRunBytes: options.readRunBytes ?? READ_RUN_BYTES,
    checksum: options.checksum ?? crc32c,
    isTakeover: options.isTakeover ?? false,
    isForced: options.isForced ?? false,
    side: options.side,
  }
}

function checkedTimes(times: PoolTimes): PoolTimes {
  if (times.ioDeadlineMs < IO_DEADLINE_MS_MIN) {
    const words = `ioDeadlineMs is ${times.ioDeadlineMs}; it is ${IO_DEADLINE_MS_MIN} or more`
    throw new RmrError("invalid-argument", words)
  }
  for (const [name, value] of Object.entries(times)) {
    if (Number.isFinite(value) && value >= 0) continue
    throw new RmrError("invalid-argument", `${name} is ${value}`)
  }
  return times
}
