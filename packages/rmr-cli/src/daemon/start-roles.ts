/** Starts each role in the daemon's own thread, or in several that share its pools. */
import { type Env, RmrError } from "@rmr/core"
import { nativeStatus } from "@rmr/io"
import type { ClientConfig, Config, StorageConfig } from "../config/config.js"
import { ClientLoops } from "./client-loops.js"
import { ClientRole } from "./client-role.js"
import type { ClientService } from "./client-service.js"
import type { LoopSetting } from "./loop-messages.js"
import { loopsByProcessors, loopsOfShards, loopsUsed } from "./loop-shares.js"
import { StorageLoops } from "./storage-loops.js"
import { StorageRole } from "./storage-role.js"
import type { StorageService } from "./storage-service.js"
import { isRdma } from "./transports.js"

export function startStorage(
  env: Env,
  config: Config,
  storage: StorageConfig,
): Promise<StorageService> {
  const isAlone = storage.listen.some(isRdma)
  const { loops: wanted = 1 } = storage
  if (isAlone && wanted > 1) {
    const words = `[storage] loops = ${wanted}: a node that listens on rdma:// has one loop`
    return Promise.reject(new RmrError("unsupported", `${words}; say loops = 1`))
  }
  const loops = isAlone ? 1 : loopCountOf("storage", storage)
  if (loops === 1) return StorageRole.start(env, config.name, storage)
  return StorageLoops.start(env, settingOf(config), storage, loops)
}

export function startClient(
  env: Env,
  config: Config,
  client: ClientConfig,
): Promise<ClientService> {
  const loops = loopCountOf("client", client)
  if (loops === 1) return ClientRole.start(env, config.name, client)
  return ClientLoops.start(env, settingOf(config), client, loops)
}

function settingOf({ name, log, linger_us: lingerUs }: Config): LoopSetting {
  return { name, log, lingerUs }
}

/** As many as were said, or as suit the processors; never more than pools can be in. */
function loopCountOf(
  role: string,
  { loops, pool }: { readonly loops?: number | undefined; readonly pool: readonly Named[] },
): number {
  const { isLoaded, reason } = nativeStatus()
  const wanted = loops ?? (isLoaded ? loopsByProcessors() : 1)
  const names = pool.map(({ name }) => name)
  const used = loopsUsed(loopsOfShards(names, wanted))
  if (used === 1 || isLoaded) return used
  const words = `[${role}] loops = ${wanted} needs the native addon, and there is none`
  throw new RmrError("unsupported", `${words}: ${reason}; say loops = 1`)
}

interface Named {
  readonly name: string
}
