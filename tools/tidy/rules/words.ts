/**
 * One idea, one word: names in the packages use the vocabulary of docs/GLOSSARY.md.
 *
 * Only names that are declared here are looked at (and file names), never those of others that are
 * used. A name is split into its words; a banned entry matches one word or several in a row. Words
 * that are right somewhere (block, host, slot, history, heal) are not in the table.
 */
import ts from "typescript"
import { isSource, packageOf, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"
import { walk } from "../walk.js"

interface BannedWord {
  /** One word, or several in a row; singular, lower case. */
  readonly words: string
  readonly instead: string
  /** Packages in which the word is right. */
  readonly fine?: readonly string[]
}

/** Where a socket, real or pretended, has connections: below the session. */
const BYTES = ["rmr-io", "transport-tcp", "transport-rdma", "brmr-client", "rmr-testkit"]
/** Where nothing is synced, and a thing may be built again. */
const PURE = ["rmr-core", "rmr-testkit", "rmr-sim"]

export const BANNED_WORDS: readonly BannedWord[] = [
  { words: "cluster", instead: "pool" },
  { words: "volume group", instead: "pool" },
  { words: "replica set", instead: "pool" },
  { words: "pool hash", instead: "group id" },
  { words: "pool id", instead: "group id, or pool uuid" },
  { words: "gid", instead: "group id" },
  { words: "replica", instead: "member" },
  { words: "mirror", instead: "leg" },
  { words: "node id", instead: "member id" },
  { words: "member index", instead: "slot" },
  { words: "initiator", instead: "compute client" },
  { words: "frontend", instead: "compute client" },
  { words: "master", instead: "holder, or a role of the protocol" },
  { words: "slave", instead: "member" },
  { words: "connection", instead: "session", fine: BYTES },
  { words: "bitmap", instead: "dirty map" },
  { words: "bit map", instead: "dirty map" },
  { words: "dirty set", instead: "dirty map" },
  { words: "dirty bit", instead: "mark" },
  { words: "chunk index", instead: "chunk number" },
  { words: "chunk id", instead: "chunk number" },
  { words: "io tag", instead: "io unit" },
  { words: "journal", instead: "last io, or intent log" },
  { words: "rebuild", instead: "sync", fine: PURE },
  { words: "resync", instead: "sync, or map update" },
  { words: "resilver", instead: "sync" },
  { words: "backlog", instead: "wait list", fine: BYTES },
  { words: "backend", instead: "store" },
]

export const vocabulary: Rule = {
  name: "vocabulary",
  title: "names in packages use the project's own words",
  check: ({ files }) =>
    files.filter(({ path }) => isSource(path) && packageOf(path) !== undefined).flatMap(findings),
}

function findings(file: TextFile): Finding[] {
  const found: Finding[] = []
  const fileName = file.path.split("/").at(-1) ?? ""
  const complaint = complaintAbout(fileName, file.path)
  if (complaint !== undefined) found.push({ path: file.path, line: 0, message: complaint })
  walk(file.tree, (node) => {
    const name = declaredName(node)
    const message = name === undefined ? undefined : complaintAbout(name.text, file.path)
    if (name === undefined || message === undefined) return
    found.push({ path: file.path, line: file.lineOf(name), message })
  })
  return found
}

function complaintAbout(name: string, path: string): string | undefined {
  const words = ` ${wordsOf(name).join(" ")} `
  const banned = BANNED_WORDS.find((entry) => {
    const isFine = entry.fine?.includes(packageOf(path) ?? "") === true
    return !isFine && words.includes(` ${entry.words} `)
  })
  return banned && `${name}: not "${banned.words}" but "${banned.instead}"`
}

/** `DirtyBitmaps` → dirty bitmap. A plural is its singular. */
function wordsOf(name: string): string[] {
  const parts = name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? []
  return parts.map((part) => part.toLowerCase().replace(/(?<=[a-z]{3})s$/, ""))
}

/** The name that a declaration introduces; undefined for anything else. */
function declaredName(node: ts.Node): ts.Identifier | ts.PrivateIdentifier | undefined {
  const isUse =
    ts.isPropertyAccessExpression(node) ||
    ts.isImportSpecifier(node) ||
    ts.isExportSpecifier(node) ||
    ts.isMetaProperty(node)
  if (isUse || !("name" in node)) return undefined
  const name = node.name as ts.Node | undefined
  if (name === undefined) return undefined
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name : undefined
}
