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
import { Command, CommanderError } from "commander"
import { readConfig } from "./config/config.js"
import { runDaemon } from "./daemon/run-daemon.js"
import { runDemo } from "./demo/demo.js"
import { adminVerbs } from "./verbs/admin-verbs.js"
import { isForPrograms, JSON_OPTION, print, printFailure, type Shown } from "./verbs/print.js"
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

interface DaemonOptions extends Shown {
  readonly config: string
  readonly check?: boolean
  readonly endWithStdin?: boolean
}

export async function program(argv: readonly string[]): Promise<void> {
  const shown = { json: isForPrograms(argv) }
  try {
    await rmrCommand(shown).parseAsync([...argv])
  } catch (thrown) {
    process.exitCode = exitCodeOf(thrown, shown)
  }
}

/** All verbs. With `json`, what is wrong with the command line is for `exitCodeOf` to say. */
export function rmrCommand({ json }: Shown): Command {
  const rmr = new Command("rmr")
    .description("Active-active replicated block storage in userspace.")
    .version(VERSION)
    .showHelpAfterError("(rmr --help says what there is)")
    .exitOverride()
  if (json === true) rmr.configureOutput({ writeErr: () => undefined })
  daemonVerb(rmr)
  adminVerbs(rmr)
  storeVerbs(rmr)
  demoVerb(rmr)
  return rmr
}

function daemonVerb(rmr: Command): void {
  rmr
    .command("daemon")
    .description("run a storage node, a compute client, or both, from one configuration file")
    .requiredOption("-c, --config <file>", "configuration, TOML")
    .option("--check", "only say whether the configuration is right")
    .option(JSON_OPTION[0], "with --check: as JSON, for programs")
    .option("--end-with-stdin", "end when stdin does: for a program that starts daemons")
    .action(async (options: DaemonOptions) => {
      const config = readConfig(options.config)
      if (options.check === true) {
        print(options, { config: options.config }, () => `${options.config} is right`)
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

function exitCodeOf(thrown: unknown, shown: Shown): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0
    // For people it has said so itself, as it does for programs that forget the verb.
    const detail = thrown.message.replace(/^error: /, "")
    if (shown.json === true) printFailure(shown, new RmrError("invalid-argument", detail))
    return USAGE
  }
  const error = RmrError.from(thrown)
  printFailure(shown, error)
  return EXIT_CODES[error.code] ?? 1
}
