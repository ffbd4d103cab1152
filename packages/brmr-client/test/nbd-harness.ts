/** A server with one export in memory, at a socket of its own; what is left open is an error. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type BuddyMemory, buddyMemory } from "@rmr/core"
import { fastStreamEngine, pageArenas, realEnv, type StreamAddress } from "@rmr/io"
import { type NbdServer, type NbdServerOptions, nbdServer } from "../src/index.js"
import { type MemoryVolumeOptions, MemoryVolumes } from "./memory-volume.js"

export const MIB: number = 1024 * 1024

export interface Harness {
  readonly server: NbdServer
  readonly volumes: MemoryVolumes
  readonly memory: BuddyMemory
  readonly at: StreamAddress
  close(): Promise<void>
}

export interface HarnessOptions {
  readonly server?: Partial<NbdServerOptions>
  readonly volume?: Partial<MemoryVolumeOptions>
  readonly isReadOnly?: boolean
  readonly arenaBytes?: number
  readonly operationsMax?: number
  readonly isTcp?: boolean
}

export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const env = realEnv()
  const arenas = pageArenas([options.arenaBytes ?? 64 * MIB])
  const memory = buddyMemory({ arenas, leaseCountMax: 4096, poison: true })
  const { clock } = env
  const volumes = new MemoryVolumes({ clock, memory, sizeBytes: 8 * MIB, ...options.volume })
  const server = nbdServer({ env, memory, engine: fastStreamEngine, ...options.server })
  const { isReadOnly = false, operationsMax = 32 } = options
  server.addExport("disk", volumes, { description: "a disk", isReadOnly, operationsMax })
  const folder = mkdtempSync(join(tmpdir(), "nbd-"))
  const place =
    options.isTcp === true ? { host: "127.0.0.1", port: 0 } : { path: join(folder, "s") }
  const { address } = await server.listen(place)
  return {
    ...{ server, volumes, memory, at: address },
    async close() {
      await server.close()
      rmSync(folder, { recursive: true })
      memory.assertNoLeases()
    },
  }
}

/** Bytes that tell where they are. */
export function pattern(bytes: number, seed = 1): Buffer {
  const made = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at++) made[at] = (at * 31 + (at >>> 8) * 7 + seed) & 255
  return made
}

/** Lets everything happen that is about to, a number of loop turns long. */
export async function turns(count = 20): Promise<void> {
  for (let nth = 0; nth < count; nth++) await new Promise((resolve) => setImmediate(resolve))
}
