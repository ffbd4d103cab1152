/**
 * Comments that must be there, and comments that must not.
 *
 * Every source file opens with why it exists. A comment that silences a check says why it may.
 * Words of unfinished work belong into a list of work, not into the code; they are put together
 * here from halves, so that this file does not contain them.
 */
import { isNative, isSource, isTest, type Repository, type TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"

const OPENING_CHARS_MIN = 20
const REASON_CHARS_MIN = 10

const UNFINISHED = new RegExp(
  `\\b(${["TO-DO", "FIX-ME", "X-XX", "HA-CK"].map((word) => word.replace("-", "")).join("|")})\\b`,
)
const UNFINISHED_CODE = new RegExp(["not (yet )?imple", "mented|place", "holder"].join(""), "i")

export const moduleComment: Rule = {
  name: "module-comment",
  title: "every source file opens with a comment that says why it exists",
  check: (repository) =>
    repository.files
      .filter((file) => isExplained(repository, file))
      .flatMap((file) => {
        if (openingWords(file.text).length >= OPENING_CHARS_MIN) return []
        return [{ path: file.path, line: 1, message: "no module comment before the first code" }]
      }),
}

export const unfinishedWork: Rule = {
  name: "unfinished-work",
  title: "no words of unfinished work",
  check: (repository) => [
    ...linesWith(repository, isWritten, UNFINISHED, "words of unfinished work"),
    ...linesWith(
      repository,
      ({ path }) => isSource(path) || isNative(path),
      UNFINISHED_CODE,
      "words of unfinished code",
    ),
  ],
}

/** What silences a check, and the shape in which it is allowed: with a reason. */
const SUPPRESSIONS: readonly { readonly used: RegExp; readonly allowed: RegExp | undefined }[] = [
  {
    used: /\bbiome-ignore\b|\bbiome-ignore-/,
    allowed: new RegExp(`biome-ignore(-\\w+)? [\\w/]+: .{${REASON_CHARS_MIN},}`),
  },
  {
    used: /@ts-expect-error/,
    allowed: new RegExp(`@ts-expect-error:? .{${REASON_CHARS_MIN},}`),
  },
  { used: /@ts-(ignore|nocheck)/, allowed: undefined },
  { used: /(eslint-disable|prettier-ignore|istanbul ignore|c8 ignore)/, allowed: undefined },
]

export const suppressions: Rule = {
  name: "suppressions",
  title: "a comment that silences a check says why it may",
  check: ({ files }) => {
    const findings: Finding[] = []
    for (const file of files.filter(({ path }) => isSource(path) && !isOwnText(path))) {
      file.lines.forEach((line, index) => {
        const found = SUPPRESSIONS.find(({ used }) => used.test(line))
        if (found === undefined || found.allowed?.test(line) === true) return
        const message = found.allowed === undefined ? "not allowed here" : "a reason is missing"
        findings.push({ path: file.path, line: index + 1, message: `${message}: ${line.trim()}` })
      })
    }
    return findings
  },
}

/** Three lines of settings need no story, and a test beside its source has that one's. */
function isExplained(repository: Repository, { path }: TextFile): boolean {
  if (!isSource(path) || /\/tsup\.config\.ts$/.test(path)) return false
  return !isTest(path) || !repository.has(path.replace(/\.test\.ts$/, ".ts"))
}

/** The text of the comment that the file begins with, without its marks. */
function openingWords(text: string): string {
  const body = text.replace(/^#!.*\n/, "").trimStart()
  const comment = /^\/\*[\s\S]*?\*\/|^(?:\/\/.*\n)+/.exec(body)?.[0] ?? ""
  return comment.replace(/[/*\s]+/g, " ").trim()
}

function isWritten({ path }: TextFile): boolean {
  return path !== "pnpm-lock.yaml" && path !== "LICENSE"
}

/** Tidy's own sources and tests contain what they look for. */
function isOwnText(path: string): boolean {
  return path.startsWith("tools/tidy/")
}

function linesWith(
  { files }: Repository,
  isLookedAt: (file: TextFile) => boolean,
  pattern: RegExp,
  what: string,
): Finding[] {
  return files.filter(isLookedAt).flatMap((file) =>
    file.lines.flatMap((line, index) => {
      const word = pattern.exec(line)?.[0]
      if (word === undefined) return []
      return [{ path: file.path, line: index + 1, message: `${what}: ${word}` }]
    }),
  )
}
