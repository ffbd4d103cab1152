/**
 * What a verb prints: words for people, or with `--json` one JSON document on stdout, for programs.
 *
 * That is so where it fails as well: then the document is `{"error":{"code":…,"detail":…}}`, and
 * the exit code says what kind of failure it is.
 */
import type { RmrError } from "@rmr/core"

export interface Shown {
  readonly json?: boolean
}

export const JSON_OPTION: readonly [string, string] = ["--json", "as JSON, for programs"]

/** Whether a program asked, also by words that are wrong otherwise. */
export function isForPrograms(words: readonly string[]): boolean {
  const end = words.indexOf("--")
  return words.slice(0, end < 0 ? words.length : end).includes("--json")
}

export function print({ json }: Shown, value: unknown, text: () => string): void {
  console.log(json === true ? jsonText(value) : text())
}

export function printFailure({ json }: Shown, { code, detail, message }: RmrError): void {
  if (json === true) console.log(jsonText({ error: { code, detail } }))
  else console.error(`rmr: ${message}`)
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2)
}
