/**
 * The native part of the transport over RDMA in a build that watches its memory, for guests.
 */
import { fileURLToPath } from "node:url"
import { runOrFail } from "../lab/runs.js"

const BUILD = fileURLToPath(
  new URL("../../packages/transport-rdma/native/build.mjs", import.meta.url),
)

/** Builds it; what a guest needs to run over it, where it is 1 also for leaks at the end. */
export async function sanitizedEnv(leaks = 0): Promise<Record<string, string>> {
  const args = [BUILD, "--sanitize", "--strict"]
  const { output } = await runOrFail(process.execPath, args, { seconds: 120 })
  const preload = /LD_PRELOAD=(.+)$/m.exec(output)?.[1]
  if (preload === undefined) throw new Error(`nothing watches its memory: ${output}`)
  const options = "halt_on_error=1:print_stacktrace=1"
  return {
    RMR_NATIVE: "sanitize",
    LD_PRELOAD: preload,
    ASAN_OPTIONS: `${options}:detect_leaks=${leaks}:detect_stack_use_after_return=1`,
    UBSAN_OPTIONS: options,
    // Leaks do not change how it ends: some are Node's.
    LSAN_OPTIONS: "exitcode=0:max_leaks=0",
  }
}
