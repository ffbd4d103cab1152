/**
 * What is run over the sanitized addon: a short list in every `npm test`, and a long one again and
 * again with `npx pnpm test:native`.
 *
 * The short one has what is made for the addon alone. The long one has the suites of ports that
 * stand on it too: transports, NBD, stores.
 */
import { runJest } from "../test/jest-stage.js"
import { type StageOutcome, sum } from "../test/stage.js"
import { lookForLeaks } from "./leaks.js"
import { overSanitized, type Watched } from "./watched.js"

const MINUTE_MS = 60_000
const SHORT_MS_MAX = 8 * MINUTE_MS
const LONG_MS_MAX = 30 * MINUTE_MS
const PROJECTS = ["unit", "contract"]

const SHORT = [
  "packages/rmr-io/src/(fast-checksum|stream-engine)",
  "packages/rmr-io/test/(file-contract|file-ring|frame-sums|holes|life|native-sockets)",
]
const LONG = [
  "packages/rmr-io/",
  "packages/transport-tcp/",
  "packages/brmr-client/test/",
  "packages/rmr-testkit/test/store-contract-real",
]

const TITLE = "tests of the native addon under AddressSanitizer and UBSan"

export function runShort(): Promise<StageOutcome> {
  return overSanitized(TITLE, jest(SHORT, SHORT_MS_MAX))
}

/** A round of the long list; random tests of it have another seed each time. */
export function runLong(): Promise<StageOutcome> {
  return overSanitized(TITLE, async (env) => {
    const tests = await jest(LONG, LONG_MS_MAX)(env)
    return sum([tests, await lookForLeaks(env)])
  })
}

function jest(paths: readonly string[], timeoutMs: number): Watched {
  return (env) => runJest({ projects: PROJECTS, paths, timeoutMs, env })
}
