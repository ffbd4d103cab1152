/**
 * The golden bytes of every message.
 *
 *   tsx packages/rmr-core/scripts/golden-messages.ts [--write]
 *
 * Without `--write` it only compares. They change when the protocol changes, and then the version
 * does.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodePoolMetadata } from "../src/wire/pool-metadata-codec.js"
import { coreFolder } from "./folders.js"
import { frameOf } from "./frames.js"
import { RECORD, samples } from "./wire-samples.js"

export interface GoldenMessage {
  readonly name: string
  readonly header: string
  readonly payload: string
}

export const GOLDEN_MESSAGES: string = join(coreFolder(), "src/wire/golden/messages.json")

export function readGoldenMessages(): readonly GoldenMessage[] {
  return JSON.parse(readFileSync(GOLDEN_MESSAGES, "utf8")) as GoldenMessage[]
}

/** What the code makes of the samples today. */
export function encodedMessages(): readonly GoldenMessage[] {
  const messages: GoldenMessage[] = []
  for (const [name, message] of samples()) {
    const { header, payload } = frameOf(message)
    messages.push({ name, header: hexOf(header), payload: hexOf(payload) })
  }
  messages.push({ name: "view record", header: "", payload: hexOf(encodePoolMetadata(RECORD)) })
  return messages
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}

function main(): void {
  const lines = encodedMessages().map((message) => JSON.stringify(message))
  const text = `[\n${lines.join(",\n")}\n]\n`
  if (process.argv.includes("--write")) {
    writeFileSync(GOLDEN_MESSAGES, text)
    process.stdout.write(`wrote ${GOLDEN_MESSAGES}\n`)
  } else if (readFileSync(GOLDEN_MESSAGES, "utf8") !== text) {
    process.stderr.write("the code encodes something else than the golden bytes\n")
    process.exitCode = 1
  }
}

if (process.argv[1]?.endsWith("golden-messages.ts")) main()
