/**
 * Promises and tests go in pairs: what a port promises by number has a test, and what a test cites
 * exists.
 *
 * Promises of ports (`T1`, `S1`, `A1`) stand in the opening comments of rmr-core/src/ports, rules
 * (`V1`) in docs/RULES.md, promises of the system (`P1`) in docs/PROMISES.md, each as `**V1**`;
 * hazards (`RT-1`) are headings of docs/HAZARDS.md. A test cites them at the beginning of its
 * title. `S` names both the store's promises and the rules of sync: in a file about stores it is
 * the former.
 */
import ts from "typescript"
import { isTest, packageOf, type Repository, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { isFunctionNode, literalText, walk } from "../walk.js"

const PORTS = /^packages\/rmr-core\/src\/ports\/[^/]+\.ts$/
const SUITES = /^packages\/rmr-testkit\/src\/contract\//
const NUMBERED = /\*\*([A-Z]+\d+[a-z]?)\b[^*]*\*\*/g
const HAZARD = /^#+ (RT-\d+)\b/gm
/** One id at the beginning of a title, with what may stand between it and the next. */
const LEADING_ID = /^([A-Z]+-?\d+[a-z]?)\b(?:'s)?(?:\s*(?:,|and|\+|\/|&)\s*(?=[A-Z]+-?\d))?/

interface Citation {
  readonly id: string
  readonly path: string
  readonly line: number
}

export const promisePairs: Rule = {
  name: "promise-pairs",
  title: "every numbered promise of a port has a test, and no test cites what does not exist",
  check: (repository) => {
    const promises = portPromises(repository)
    const known = new Set([...promises.keys(), ...documentedIds(repository)])
    const cited = repository.files.filter(mayCite).flatMap(citations)
    return [...unproven(promises, cited), ...unknown(known, cited)]
  },
}

/** Promise id → the port that makes it. */
function portPromises({ files }: Repository): Map<string, TextFile> {
  const promises = new Map<string, TextFile>()
  for (const file of files.filter(({ path }) => PORTS.test(path) && !isTest(path))) {
    for (const [, id = ""] of file.text.matchAll(NUMBERED)) promises.set(id, file)
  }
  return promises
}

function documentedIds(repository: Repository): string[] {
  const text = (name: string): string => repository.file(`docs/${name}.md`)?.text ?? ""
  const numbered = `${text("RULES")}\n${text("PROMISES")}`.matchAll(NUMBERED)
  const hazards = text("HAZARDS").matchAll(HAZARD)
  return [...numbered, ...hazards].map(([, id = ""]) => id)
}

function unproven(promises: Map<string, TextFile>, cited: readonly Citation[]): Finding[] {
  const findings: Finding[] = []
  for (const [id, { path }] of promises) {
    const isOfStore = path.endsWith("/store.ts")
    const proofs = cited.filter((citation) => citation.id === id)
    const isProven = proofs.some((proof) => !isOfStore || /store/.test(proof.path))
    if (!isProven) findings.push({ path, line: 0, message: `no test begins with ${id}` })
  }
  return findings
}

function unknown(known: ReadonlySet<string>, cited: readonly Citation[]): Finding[] {
  const families = new Set([...known].map(familyOf))
  return cited
    .filter(({ id }) => families.has(familyOf(id)) && !known.has(id))
    .map(({ id, path, line }) => ({ path, line, message: `${id} does not exist` }))
}

function familyOf(id: string): string {
  return id.replace(/-?\d+[a-z]?$/, "")
}

function mayCite({ path }: TextFile): boolean {
  return (
    packageOf(path) !== undefined && path.endsWith(".ts") && (isTest(path) || SUITES.test(path))
  )
}

/** Titles of tests, and promises of clauses: suites are data and name the promise in a field. */
function citations(file: TextFile): Citation[] {
  const found: Citation[] = []
  const add = (node: ts.Node, text: string): void => {
    const line = file.lineOf(node)
    for (const id of leadingIds(text)) found.push({ id, path: file.path, line })
  }
  walk(file.tree, (node) => {
    if (ts.isCallExpression(node) && node.arguments.some(isFunctionNode)) {
      const title = literalText(node.arguments[0])
      if (title !== undefined) add(node, title)
    } else if (ts.isPropertyAssignment(node) && SUITES.test(file.path) && !isTest(file.path)) {
      const isPromise = ts.isIdentifier(node.name) && node.name.text === "promise"
      const promise = isPromise ? literalText(node.initializer) : undefined
      if (promise !== undefined) add(node, promise)
    }
  })
  return found
}

function leadingIds(title: string): string[] {
  const ids: string[] = []
  let rest = title
  for (;;) {
    const match = LEADING_ID.exec(rest)
    if (match === null) return ids
    ids.push(match[1] ?? "")
    rest = rest.slice(match[0].length)
  }
}
