/**
 * `rmr daemon`: runs until SIGINT or SIGTERM, then ends everything in order.
 *
 * A program that starts daemons for itself keeps their stdin open and says so: they end with it,
 * however it ends.
 */
import type { Config } from "../config/config.js"
import { Daemon } from "./daemon.js"

export async function runDaemon(config: Config, isEndedByStdin: boolean): Promise<void> {
  const daemon = await Daemon.start(config)
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
    if (isEndedByStdin) {
      process.stdin.resume()
      process.stdin.once("end", () => resolve())
      process.stdin.once("error", () => resolve())
    }
  })
  process.stdin.pause()
  await daemon.close()
}
