/**
 * What tidy looks at: every text file that git tracks or would track, read once.
 *
 * Files that are not committed yet count too, so that a rule speaks before a commit and not after
 * it. Tests make a repository of a few strings instead.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import ts from "typescript"

const GIT_MS_MAX = 20_000
/** Larger files are data. */
const TEXT_BYTES_MAX = 2 * 1024 * 1024

/** Rules read comments as text; what is in them need not be parsed. */
const PARSE_OPTIONS: ts.CreateSourceFileOptions = {
  languageVersion: ts.ScriptTarget.Latest,
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
}

export class TextFile {
  readonly path: string
  readonly text: string
  #tree: ts.SourceFile | undefined

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  get lines(): readonly string[] {
    return this.text.split("\n")
  }

  /** Parsed once, for all rules, and only where one asks. Nodes know their parents. */
  get tree(): ts.SourceFile {
    this.#tree ??= ts.createSourceFile(this.path, this.text, PARSE_OPTIONS, true)
    return this.#tree
  }

  /** The line of a node, from 1. */
  lineOf(node: ts.Node): number {
    return this.tree.getLineAndCharacterOfPosition(node.getStart(this.tree)).line + 1
  }
}

export interface Repository {
  readonly files: readonly TextFile[]
  file(path: string): TextFile | undefined
  /** Whether a file or folder of this path exists. */
  has(path: string): boolean
}

export function repositoryOf(texts: Readonly<Record<string, string>>): Repository {
  const files = new Map(
    Object.entries(texts).map(([path, text]) => [path, new TextFile(path, text)]),
  )
  const folders = new Set<string>()
  for (const path of files.keys()) {
    const parts = path.split("/")
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join("/"))
  }
  return {
    files: [...files.values()],
    file: (path) => files.get(path),
    has: (path) => files.has(path) || folders.has(path),
  }
}

export function readRepository(root: string): Repository {
  const listed = execFileSync("git", ["ls-files", "-z", "-co", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    timeout: GIT_MS_MAX,
    maxBuffer: 64 * 1024 * 1024,
  })
  const texts: Record<string, string> = {}
  for (const path of listed.split("\0").sort()) {
    const stat = path === "" ? undefined : statSync(join(root, path), { throwIfNoEntry: false })
    if (stat?.isFile() !== true || stat.size > TEXT_BYTES_MAX) continue
    const text = readFileSync(join(root, path), "utf8")
    if (!text.includes("\0")) texts[path] = text
  }
  return repositoryOf(texts)
}

/** TypeScript and JavaScript that people write. */
export function isSource(path: string): boolean {
  return /\.(ts|js|mjs)$/.test(path)
}

export function isNative(path: string): boolean {
  return /\.(c|cc|h)$/.test(path)
}

export function isTest(path: string): boolean {
  return /\.test\.ts$/.test(path)
}

/** The folder of `packages/` that the path is in, or undefined. */
export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1]
}
