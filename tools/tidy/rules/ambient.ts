/**
 * Simulatable code has no time, chance or IO of its own: they come in through Env and the ports.
 *
 * The linter says the same, but a comment can silence the linter, and one forgotten clock makes
 * runs of one seed differ. This rule reads the code itself and knows no exceptions but the list
 * below.
 */
import { builtinModules } from "node:module"
import ts from "typescript"
import { isSource, isTest, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { isShadowed } from "../scope.js"
import { moduleNames, walk } from "../walk.js"

/** What must run in a simulated world, and the few files in it that may touch the real one. */
const SIMULATABLE: readonly string[] = [
  "packages/rmr-core/src/",
  "packages/rmr-client/src/",
  "packages/rmr-server/src/",
  "packages/brmr-client/src/",
  "packages/brmr-store/src/",
  "packages/rmr-testkit/src/",
]
const REAL_WORLD: readonly string[] = [
  "packages/brmr-store/src/node-block-file.ts",
  "packages/rmr-testkit/src/node/",
]

const INSTEAD_BY_GLOBAL: Readonly<Record<string, string>> = {
  Date: "env.clock",
  performance: "env.clock",
  setTimeout: "env.clock.schedule",
  setInterval: "env.clock.schedule",
  clearTimeout: "Timer.cancel",
  clearInterval: "Timer.cancel",
  setImmediate: "env.clock.endOfTurn",
  queueMicrotask: "env.clock.endOfTurn",
  crypto: "env.random",
  process: "Env and options",
  Buffer: "Uint8Array",
  console: "env.log",
  fetch: "a port",
  WeakRef: "an explicit release",
  FinalizationRegistry: "an explicit release",
  globalThis: "Env and the ports",
  global: "Env and the ports",
  require: "import",
  eval: "code",
}
const INSTEAD_BY_MEMBER: Readonly<Record<string, string>> = {
  "Math.random": "env.random",
  "AbortSignal.timeout": "env.clock.schedule",
  "import.meta": "Env and options",
}
const BUILTINS = new Set(builtinModules)

export const ambient: Rule = {
  name: "ambient",
  title: "simulatable packages take time, chance and IO from Env and the ports alone",
  check: ({ files }) => files.filter(({ path }) => isSimulatable(path)).flatMap(findings),
}

function isSimulatable(path: string): boolean {
  if (!isSource(path) || isTest(path)) return false
  if (REAL_WORLD.some((real) => path.startsWith(real))) return false
  return SIMULATABLE.some((folder) => path.startsWith(folder))
}

function findings(file: TextFile): Finding[] {
  const found: Finding[] = []
  const add = (node: ts.Node, what: string, instead: string): void => {
    const message = `${what}: use ${instead}`
    found.push({ path: file.path, line: file.lineOf(node), message })
  }
  for (const name of moduleNames(file.tree)) {
    const isBuiltin = name.text.startsWith("node:") || BUILTINS.has(name.text)
    if (isBuiltin) add(name, name.text, "a port")
  }
  walk(file.tree, (node) => {
    if (ts.isPropertyAccessExpression(node) || ts.isMetaProperty(node)) {
      const text = node.getText(file.tree)
      const instead = own(INSTEAD_BY_MEMBER, text)
      if (instead !== undefined) add(node, text, instead)
    } else if (ts.isIdentifier(node) && meansGlobal(node)) {
      const isTakenApart = node.text === "Math" && !isRead(node)
      if (isTakenApart) add(node, "Math as a value", "Math.<function>")
      const instead = own(INSTEAD_BY_GLOBAL, node.text)
      if (instead !== undefined) add(node, node.text, instead)
    }
  })
  return found
}

/** A name of the tables that is neither a member of something nor declared in this file. */
function meansGlobal(node: ts.Identifier): boolean {
  const isListed = node.text === "Math" || own(INSTEAD_BY_GLOBAL, node.text) !== undefined
  return isListed && !isMemberName(node) && !isShadowed(node)
}

/** `x.process`, `{ process: 1 }`, `process(): void`: a member of something, not the global. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isQualifiedName(parent)) return parent.right === node
  const isMember =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent)
  return isMember && parent.name === node
}

/** `Math.max`, `const { imul } = Math`: not a Math that is handed on, where chance could hide. */
function isRead({ parent }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent)) return true
  if (!ts.isVariableDeclaration(parent) || !ts.isObjectBindingPattern(parent.name)) return false
  return parent.name.elements.every((element) => {
    const taken = element.propertyName ?? element.name
    return element.dotDotDotToken === undefined && ts.isIdentifier(taken) && taken.text !== "random"
  })
}

function own(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}
