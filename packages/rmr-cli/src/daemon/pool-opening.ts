/** How a pool of the configuration is opened, and created where no member knows it. */
import {
  type ClientPool,
  createPool,
  type LinkRegistry,
  type OpenOptions,
  openPool,
} from "@rmr/client"
import { RmrError } from "@rmr/core"
import { fastChecksum } from "@rmr/io"
import type { ClientPoolConfig } from "../config/config.js"
import type { Asked } from "./client-service.js"
import { poolTimes } from "./pool-times.js"

export interface PoolOpener {
  readonly registry: LinkRegistry
  readonly closeMs: number
}

export async function openOrCreate(
  opener: PoolOpener,
  config: ClientPoolConfig,
  asked: Asked,
): Promise<ClientPool> {
  const options = openOptions(opener, config)
  const { isTakeover = false, isForced = false, side } = asked
  try {
    const said = side === undefined ? {} : { side }
    return await openPool({ ...options, ...said, isTakeover, isForced })
  } catch (thrown) {
    const error = RmrError.from(thrown)
    if (error.code !== "not-found" || config.create === undefined) throw error
  }
  return createPool({
    ...options,
    sizeBytes: config.create,
    ...(config.chunk === undefined ? {} : { chunkSizeBytes: config.chunk }),
    ...(config.queue_depth === undefined ? {} : { queueDepth: config.queue_depth }),
    ...(config.min_normal === undefined ? {} : { minNormal: config.min_normal }),
  })
}

export function openOptions(
  { registry, closeMs }: PoolOpener,
  config: ClientPoolConfig,
): OpenOptions {
  return {
    registry,
    poolName: config.name,
    members: config.members,
    readPolicy: config.read_policy,
    checksum: fastChecksum(),
    times: { ...poolTimes(config), closeMs },
  }
}
