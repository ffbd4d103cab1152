/** `rmr daemon`: runs until SIGINT or SIGTERM, then ends everything in order. */
import type { Config } from "../config/config.js"
import { Daemon } from "./daemon.js"

export async function runDaemon(config: Config): Promise<void> {
  const daemon = await Daemon.start(config)
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
  })
  await daemon.close()
}
