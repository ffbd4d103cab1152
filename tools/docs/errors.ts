/**
 * docs/ERRORS.md: the closed list of codes, with the status that stands for each on the wire.
 */
import { ERROR_CODES } from "../../packages/rmr-core/src/errors.js"
import { generatedFrom, table } from "./markdown.js"

const INTRODUCTION = `# Errors

Everything the world can do wrong ends in one class, \`RmrError\`, with one of these codes. Match on
\`error.code\`, never on the class or the text. The status is the u16 that stands for the code in
messages and completion batches; 0 is success. A number is never given a second meaning; a new
code takes the next.

What the program itself does wrong is no \`RmrError\` but an \`AssertionError\`: it has no code,
because nothing that follows it can be trusted.`

export function renderErrors(): string {
  const rows = Object.entries(ERROR_CODES)
    .sort(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, meaning }]) => [`${status}`, `\`${code}\``, meaning])
  return [
    generatedFrom("packages/rmr-core/src/errors.ts"),
    "",
    INTRODUCTION,
    "",
    table(["Status", "Code", "Meaning"], rows),
    "",
  ].join("\n")
}
