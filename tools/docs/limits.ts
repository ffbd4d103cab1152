/**
 * docs/LIMITS.md: every bound with its value and what it bounds.
 *
 * Values are imported, so that they are what the program uses; the comments and the asserted
 * relations are read from the source text, which keeps them where they belong: beside the number.
 */
import * as limits from "../../packages/rmr-core/src/limits.js"
import { generatedFrom, table } from "./markdown.js"

const INTRODUCTION = `# Limits

Every bound of the system, from \`packages/rmr-core/src/limits.ts\`. A bound that is not here does
not exist.`

export interface LimitText {
  readonly name: string
  readonly comment: string
}

export function renderLimits(source: string): string {
  const rows = limitTexts(source).map(({ name, comment }) => [
    `\`${name}\``,
    valueText(name, (limits as Readonly<Record<string, unknown>>)[name]),
    comment,
  ])
  return [
    generatedFrom("packages/rmr-core/src/limits.ts"),
    "",
    INTRODUCTION,
    "",
    table(["Limit", "Value", "What it bounds"], rows),
    "",
    "Relations between them, asserted when the program starts:",
    "",
    ...relations(source).map(({ condition, why }) => `- \`${condition}\`: ${why}`),
    "",
  ].join("\n")
}

/** Exported constants in order, each with the comment that stands directly above it. */
export function limitTexts(source: string): LimitText[] {
  const texts: LimitText[] = []
  let comment = ""
  for (const line of joinedComments(source)) {
    const said = /^\/\*\*(.*)\*\/$/.exec(line)
    const named = /^export const ([A-Z][A-Z0-9_]*)\b/.exec(line)
    if (named?.[1] !== undefined) texts.push({ name: named[1], comment })
    comment = said?.[1]?.trim() ?? ""
  }
  return texts
}

/** Lines of the source, with each block comment put on one line. */
function joinedComments(source: string): string[] {
  return source
    .replaceAll(/\/\*\*[\s\S]*?\*\//g, (block) => block.replaceAll(/\s*\n\s*\*?\s*/g, " "))
    .split("\n")
}

export function relations(source: string): { condition: string; why: string }[] {
  const found = source.matchAll(/^assert\(\s*([\s\S]*?),\s*"([^"]*)",?\s*\)$/gm)
  return [...found].map(([, condition = "", why = ""]) => ({
    condition: condition.replaceAll(/\s+/g, " "),
    why,
  }))
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"]

/** The number, and for bytes also how a person says it. */
export function valueText(name: string, value: unknown): string {
  if (typeof value !== "number") return String(value)
  const digits = value.toLocaleString("en-US")
  if (!name.includes("_BYTES") || value < 1024) return digits
  let amount = value
  let unit = 0
  while (amount % 1024 === 0 && unit < UNITS.length - 1) {
    amount /= 1024
    unit++
  }
  return unit === 0 ? digits : `${amount} ${UNITS[unit]} (${digits})`
}
