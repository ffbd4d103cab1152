/**
 * Small enough to read: lines, functions and files have limits.
 *
 * A function is measured without the titled blocks in it, `it("…", () => …)` or `{ title: "…",
 * run() }`: a `describe` or a contract suite is a list of tests, and each test is measured by
 * itself.
 */
import ts from "typescript"
import { isNative, isSource, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { isFunctionNode, literalText, walk } from "../walk.js"

export const COLUMNS_MAX = 100
const FILE_LINES_MAX = 450
const FUNCTION_LINES_MAX = 70

export const lineWidth: Rule = {
  name: "line-width",
  title: `no line is wider than ${COLUMNS_MAX} columns`,
  check: ({ files }) =>
    files.filter(isCode).flatMap((file) =>
      file.lines.flatMap((line, index) => {
        const width = [...line].length
        if (width <= COLUMNS_MAX) return []
        return [{ path: file.path, line: index + 1, message: `${width} columns` }]
      }),
    ),
}

export const fileLength: Rule = {
  name: "file-length",
  title: `no file has more than ${FILE_LINES_MAX} lines`,
  check: ({ files }) =>
    files.filter(isCode).flatMap((file) => {
      const count = file.lines.length - 1
      if (count <= FILE_LINES_MAX) return []
      return [{ path: file.path, line: 0, message: `${count} lines: split it by idea` }]
    }),
}

export const functionLength: Rule = {
  name: "function-length",
  title: `no function has more than ${FUNCTION_LINES_MAX} lines`,
  check: ({ files }) => files.filter(({ path }) => isSource(path)).flatMap(longFunctions),
}

function isCode({ path }: TextFile): boolean {
  return isSource(path) || isNative(path)
}

function longFunctions(file: TextFile): Finding[] {
  const findings: Finding[] = []
  walk(file.tree, (node) => {
    if (!isFunctionNode(node)) return
    const count = lineCount(file.tree, node) - titledLines(file.tree, node)
    if (count <= FUNCTION_LINES_MAX) return
    const name = node.name?.getText(file.tree) ?? "a function"
    findings.push({
      path: file.path,
      line: file.lineOf(node),
      message: `${name} has ${count} lines`,
    })
  })
  return findings
}

/** Lines of the outermost titled blocks inside a function. */
function titledLines(tree: ts.SourceFile, outer: ts.Node): number {
  let count = 0
  const visit = (node: ts.Node): void => {
    if (isTitledBlock(node)) count += lineCount(tree, node)
    else ts.forEachChild(node, visit)
  }
  ts.forEachChild(outer, visit)
  return count
}

/** A call with a title and a function, `it("…", () => …)`, or an object with both. */
function isTitledBlock(node: ts.Node): boolean {
  if (ts.isCallExpression(node)) {
    return literalText(node.arguments[0]) !== undefined && node.arguments.some(isFunctionNode)
  }
  if (!ts.isObjectLiteralExpression(node)) return false
  const isTitle = (part: ts.ObjectLiteralElementLike): boolean =>
    part.name !== undefined && ts.isIdentifier(part.name) && part.name.text === "title"
  const isRun = (part: ts.ObjectLiteralElementLike): boolean =>
    isFunctionNode(ts.isPropertyAssignment(part) ? part.initializer : part)
  return node.properties.some(isTitle) && node.properties.some(isRun)
}

function lineCount(tree: ts.SourceFile, node: ts.Node): number {
  const first = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line
  return tree.getLineAndCharacterOfPosition(node.end).line - first + 1
}
