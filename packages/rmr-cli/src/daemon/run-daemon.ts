/**
 * `rmr daemon`: runs until SIGINT or SIGTERM, then ends everything in order, within a bound.
 *
 * A program that starts daemons for itself keeps their stdin open and says so: they end with it,
 * however it ends. The second time that one of the signals comes, it does what it does to any
 * program: who has no time to wait kills the daemon with it, which costs what a crash costs.
 */
import type { Config } from "../config/config.js"
import { collectAlone } from "./collector.js"
import { Daemon } from "./daemon.js"

const SIGNALS = ["SIGINT", "SIGTERM"] as const

export async function runDaemon(config: Config, isEndedByStdin: boolean): Promise<void> {
  collectAlone()
  const daemon = await Daemon.start(config)
  await untilTold(isEndedByStdin)
  process.stdin.pause()
  try {
    await daemon.close()
  } finally {
    // An exit waits for the calls to files that are under way, and of a disk that hangs for ever.
    if (daemon.isStuck) process.once("exit", () => process.kill(process.pid, "SIGKILL"))
  }
}

function untilTold(isEndedByStdin: boolean): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) process.once(signal, () => resolve())
    if (!isEndedByStdin) return
    process.stdin.resume()
    process.stdin.once("end", () => resolve())
    process.stdin.once("error", () => resolve())
  })
}
