/** Verbs for what only an admin may decide: starts by force, and what is given up (F6, R7, Q23). */
import { memberId, RmrError, type ViewNumber } from "@rmr/core"
import type { Command } from "commander"
import type { StartShown } from "../control/status.js"
import { type AdminOptions, admin, ask, wholeNumber } from "./admin-verbs.js"
import { startText } from "./history-text.js"
import { print } from "./print.js"

interface StartOptions extends AdminOptions {
  readonly force?: boolean
  readonly takeover?: boolean
  readonly side?: string
}

interface AcceptOptions extends AdminOptions {
  readonly from?: string
  readonly acceptLoss?: boolean
}

interface ResolveOptions extends AdminOptions {
  readonly keep: string
  readonly discard: string
  readonly view: string
}

export function startVerbs(pool: Command): void {
  admin(pool.command("start <pool>"), "open a pool now, or say what it waits for")
    .option("--force", "without members that may know more: what only they have is lost, or split")
    .option("--takeover", "from a client that is alive")
    .option("--side <member>", "the history of this member, where some have gone on apart")
    .action(async (name: string, options: StartOptions) => {
      const { force = false, takeover = false, side } = options
      const said = side === undefined ? {} : { side: idOf("--side", side) }
      const args = { pool: name, isForced: force, isTakeover: takeover, ...said }
      const result = await ask(options, "pool-start", args)
      print(options, result, () => startText(name, result as StartShown))
    })
  admin(
    pool.command("resolve <pool>"),
    "end a split brain: a member gives its own history up, and fetches all of the volume",
  )
    .requiredOption("--keep <member>", "a normal member of the pool that is open here")
    .requiredOption("--discard <member>", "who gives up what it has alone; `status` names it")
    .requiredOption("--view <view>", "the last view of that history, as `status` shows it: 6.7")
    .action(async (name: string, options: ResolveOptions) => {
      const keep = idOf("--keep", options.keep)
      const discard = idOf("--discard", options.discard)
      const args = { pool: name, keep, discard, ...viewOf(options.view) }
      const result = await ask(options, "pool-resolve", args)
      const words = "has given its history up, and fetches all of the volume"
      print(options, result, () => `member ${discard} of ${name} ${words}`)
    })
}

/** Q23: what nobody has any more. */
export function chunkVerbs(rmr: Command): void {
  const chunk = rmr.command("chunk").description("chunks that nobody has good")
  admin(
    chunk.command("accept <pool> <chunk>"),
    "take what is left of a lost chunk, with zeroes where that cannot be read",
  )
    .option("--from <member>", "whose copy; default that of the first normal member")
    .option("--accept-loss", "also if an absent member may have it")
    .action(async (pool: string, text: string, options: AcceptOptions) => {
      const from = options.from === undefined ? {} : { from: idOf("--from", options.from) }
      const number = wholeNumber("chunk", text)
      const args = { pool, chunk: number, acceptsLoss: options.acceptLoss ?? false, ...from }
      const result = await ask(options, "chunk-accept", args)
      print(options, result, () => `chunk ${number} of ${pool} is what was left of it`)
    })
}

function idOf(option: string, text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 255)
    return memberId(Number(text))
  throw new RmrError(
    "invalid-argument",
    `${option} ${text}: it is a member, a number from 1 to 255`,
  )
}

function viewOf(text: string): ViewNumber {
  const found = /^([1-9]\d{0,9})\.([1-9]\d{0,9})$/.exec(text)
  if (found === null) {
    throw new RmrError("invalid-argument", `--view ${text}: a view is two numbers, as in 6.7`)
  }
  return { epoch: Number(found[1]), version: Number(found[2]) }
}
