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
import { askDaemon } from "./control/control-client.js"
import { CONTROL_DEFAULT } from "./control/protocol.js"
import { runDaemon } from "./daemon/run-daemon.js"
import { runDemo } from "./demo/demo.js"
import { statusText } from "./verbs/status-text.js"
import { storeVerbs } from "./verbs/store-verbs.js"
import { VERSION } from "./version.js"

const USAGE = 2
const EXIT_CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  "invalid-argument": USAGE,
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

interface AdminOptions {
  readonly socket?: string
  readonly json?: boolean
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

function adminVerbs(rmr: Command): void {
  admin(rmr.command("status"), "nodes, pools, legs, devices, and what each waits for").action(
    async (options: AdminOptions) => {
      const status = await ask(options, "status")
      print(options, status, () => statusText(status))
    },
  )
  const map = rmr.command("map").description("dirty maps")
  admin(map.command("summary <pool>"), "what a storage node's member and absent ones lack").action(
    async (pool: string, options: AdminOptions) => {
      const text = await ask(options, "map-summary", { pool })
      print(options, { summary: text }, () => String(text))
    },
  )
  const pool = rmr.command("pool").description("pools of a compute client")
  admin(pool.command("takeover <pool>"), "take a pool from a client that is alive").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "pool-takeover", { pool: name })
      print(options, result, () => `pool ${name} is open here now`)
    },
  )
  const device = rmr.command("device").description("devices of a compute client")
  admin(device.command("map <pool>"), "map a pool as a device and export it").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "device-map", { pool: name })
      print(options, result, () => `${name} is mapped`)
    },
  )
  admin(device.command("unmap <pool>"), "end exports, unmap the device, leave the pool").action(
    async (name: string, options: AdminOptions) => {
      const result = await ask(options, "device-unmap", { pool: name })
      print(options, result, () => `${name} is not mapped any more`)
    },
  )
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

function admin(command: Command, description: string): Command {
  return command
    .description(description)
    .option("--socket <path>", `control socket of the daemon (or RMR_SOCKET)`)
    .option("--json", "as JSON, for programs")
}

function ask(
  { socket }: AdminOptions,
  verb: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  return askDaemon(socket ?? process.env["RMR_SOCKET"] ?? CONTROL_DEFAULT, verb, args)
}

function print({ json }: AdminOptions, value: unknown, text: () => string): void {
  console.log(json === true ? JSON.stringify(value, null, 2) : text())
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
