/**
 * Tests run: none is focused, and one that is skipped decides it at run time and says why.
 *
 * The one allowed shape is a skip inside an `if` (or a conditional) whose title ends with
 * `(skipped: why)`: for what a machine lacks. `npm test` prints the reason.
 */
import ts from "typescript"
import { isTest, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { literalText, walk } from "../walk.js"

const RUNNERS = new Set(["it", "test", "describe"])
const NEVER = new Set(["only", "todo", "failing"])
const SHORT_FORMS = new Set(["fit", "fdescribe", "xit", "xtest", "xdescribe"])
const REASON = /\(skipped: .+\)$/

export const runningTests: Rule = {
  name: "running-tests",
  title: "no test is focused or left out; a skip is conditional and says why",
  check: ({ files }) => files.filter(({ path }) => isTest(path)).flatMap(findings),
}

function findings(file: TextFile): Finding[] {
  const found: Finding[] = []
  walk(file.tree, (node) => {
    const message = complaintAbout(node)
    if (message !== undefined) found.push({ path: file.path, line: file.lineOf(node), message })
  })
  return found
}

function complaintAbout(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) && SHORT_FORMS.has(node.text)) return `${node.text} is not allowed`
  if (!ts.isPropertyAccessExpression(node) || !isRunner(node.expression)) return undefined
  const word = node.name.text
  if (NEVER.has(word)) return `${word} is not allowed`
  if (word !== "skip") return undefined
  const call = node.parent
  const title = ts.isCallExpression(call) ? literalText(call.arguments[0]) : undefined
  if (title === undefined || !REASON.test(title))
    return 'a skip ends its title with "(skipped: why)"'
  return isConditional(node) ? undefined : "a skip without a condition is a test left out"
}

/** `it`, `it.each`, `describe.each(…)`: whatever begins with a runner. */
function isRunner(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return RUNNERS.has(node.text)
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) {
    return isRunner(node.expression)
  }
  return false
}

function isConditional(node: ts.Node): boolean {
  for (let outer = node.parent; outer !== undefined; outer = outer.parent) {
    if (ts.isIfStatement(outer) || ts.isConditionalExpression(outer)) return true
  }
  return false
}
