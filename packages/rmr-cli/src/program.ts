/**
 * The command line of `rmr`.
 *
 * | exit code | meaning |
 * |---|---|
 * | 0 | done |
 * | 1 | it failed; the last line says why, and what helps |
 * | 2 | the command line or the configuration is wrong |
 * | 3 | no daemon answers |
 * | 4 | somebody else has it: held, busy, fenced |
 */

import { type ErrorCode, RmrError } from "@rmr/core"
import { Command } from "commander"
import { readConfig } from "./config/config.js"
import { runDaemon } from "./daemon/run-daemon.js"
import { runDemo } from "./demo/demo.js"
import { adminVerbs } from "./verbs/admin-verbs.js"
import { storeVerbs } from "./verbs/store-verbs.js"
import { VERSION } from "./version.js"

const USAGE = 2
const EXIT_CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  "invalid-argument": USAGE,
  "name-clash": USAGE,
  unreachable: 3,
  held: 4,
  busy: 4,
  fenced: 4,
}

interface DaemonOptions {
  readonly config: string
  readonly check?: boolean
  readonly endWithStdin?: boolean
}

export async function program(argv: readonly string[]): Promise<void> {
  const rmr = new Command("rmr")
    .description("Active-active replicated block storage in userspace.")
    .version(VERSION)
    .showHelpAfterError("(rmr --help says what there is)")
    .exitOverride()
  daemonVerb(rmr)
  adminVerbs(rmr)
  storeVerbs(rmr)
  demoVerb(rmr)
  try {
    await rmr.parseAsync([...argv])
  } catch (thrown) {
    process.exitCode = exitCodeOf(thrown)
  }
}

function daemonVerb(rmr: Command): void {
  rmr
    .command("daemon")
    .description("run a storage node, a compute client, or both, from one configuration file")
    .requiredOption("-c, --config <file>", "configuration, TOML")
    .option("--check", "only say whether the configuration is right")
    .option("--end-with-stdin", "end when stdin does: for a program that starts daemons")
    .action(async (options: DaemonOptions) => {
      const config = readConfig(options.config)
      if (options.check === true) {
        console.log(`${options.config} is right`)
        return
      }
      await runDaemon(config, options.endWithStdin === true)
    })
}

function demoVerb(rmr: Command): void {
  rmr
    .command("demo")
    .description("three storage nodes and a client on this machine, and a view of what they do")
    .option("--folder <path>", "where files are kept", ".rmr-demo")
    .option("--size <size>", "of the volume", "256 MiB")
    .option("--nodes <count>", "storage nodes", "3")
    .action(async (options: { folder: string; size: string; nodes: string }) => {
      await runDemo(options)
    })
}

function exitCodeOf(thrown: unknown): number {
  const code = (thrown as { readonly code?: unknown }).code
  if (typeof code === "string" && code.startsWith("commander.")) {
    return code === "commander.helpDisplayed" || code === "commander.version" ? 0 : USAGE
  }
  const error = RmrError.from(thrown)
  console.error(`rmr: ${error.message}`)
  return EXIT_CODES[error.code] ?? 1
}
