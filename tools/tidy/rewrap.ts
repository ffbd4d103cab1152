/**
 * Wraps comments that are too wide: `pnpm tidy --fix`.
 *
 * Formatters leave comments alone, so people wrap them by hand and miss by a word. Words over the
 * edge go to the next line of the same paragraph, and from there on; nothing else moves, so that a
 * change stays small. Code, lists' next items, tables, fences and pictures are never joined with
 * anything.
 */

/** A comment line: what comes before the words, what continues it, and the words. */
interface CommentLine {
  readonly prefix: string
  readonly continuation: string
  readonly words: string
}

/** Everything up to the words: indentation, mark, and a list's bullet. */
const LINE = /^(\s*(?:\*|\/\/)(?!\/) ?)(\s*(?:[-+•] |\d+\. )?)(.*)$/
const ONE_LINER = /^(\s*)\/\*\* (.*) \*\/$/
const FENCE = /^\s*(?:\*|\/\/)\s*(```|~~~)/
/** What is laid out on purpose. */
const DRAWN = /^\s*\||\s{2,}\S|[─│┌┐└┘├┤▼►→]\s|^\s*@/

export function rewrap(text: string, columnsMax: number): string {
  const result: string[] = []
  const pending = text.split("\n")
  let isFenced = false
  while (pending.length > 0) {
    const line = pending.shift() ?? ""
    if (FENCE.test(line)) isFenced = !isFenced
    const isWide = [...line].length > columnsMax
    if (!isWide || isFenced) {
      result.push(line)
      continue
    }
    const oneLiner = ONE_LINER.exec(line)
    if (oneLiner !== null) {
      const indent = oneLiner[1] ?? ""
      pending.unshift(`${indent}/**`, `${indent} * ${oneLiner[2]}`, `${indent} */`)
      continue
    }
    const split = splitLine(line, columnsMax)
    if (split === undefined) {
      result.push(line)
      continue
    }
    result.push(split.kept)
    pending.unshift(...carryOn(split, pending))
  }
  return result.join("\n")
}

interface Split {
  readonly kept: string
  /** Words that no longer fit, and what a line of this paragraph begins with. */
  readonly rest: string
  readonly continuation: string
}

function splitLine(line: string, columnsMax: number): Split | undefined {
  const comment = parse(line)
  if (comment === undefined || DRAWN.test(comment.words)) return undefined
  const room = columnsMax - [...comment.prefix].length
  const letters = [...comment.words]
  // A word longer than a line stays; so does a break that would leave nothing in front of it.
  const cut = letters.slice(0, room + 1).lastIndexOf(" ")
  if (cut <= 0) return undefined
  return {
    kept: comment.prefix + letters.slice(0, cut).join("").trimEnd(),
    rest: letters.slice(cut + 1).join(""),
    continuation: comment.continuation,
  }
}

/** The carried words in front of the next line, where that belongs to the same paragraph. */
function carryOn({ rest, continuation }: Split, pending: string[]): string[] {
  const next = pending[0] === undefined ? undefined : parse(pending[0])
  const isSameParagraph =
    next !== undefined &&
    next.prefix === continuation &&
    next.words !== "" &&
    !DRAWN.test(next.words) &&
    !FENCE.test(pending[0] ?? "")
  if (!isSameParagraph) return [continuation + rest]
  pending.shift()
  return [`${continuation}${rest} ${next.words}`]
}

function parse(line: string): CommentLine | undefined {
  const match = LINE.exec(line)
  if (match === null || line.trimStart().startsWith("*/")) return undefined
  const [, mark = "", lead = "", words = ""] = match
  const continuation = mark + " ".repeat(lead.length)
  return { prefix: mark + lead, continuation, words }
}
