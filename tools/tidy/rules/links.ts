/**
 * Links between pages lead somewhere: to a file that exists, and to a heading that it has.
 */
import { posix } from "node:path"
import type { Repository, TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"

/** `[text](target "title")`, `![text](target)`, `[text]: target`. */
const LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s+(\S+)/g

export const docLinks: Rule = {
  name: "doc-links",
  title: "relative links of Markdown pages lead to a file and a heading that exist",
  check: (repository) =>
    repository.files
      .filter(({ path }) => path.endsWith(".md"))
      .flatMap((page) => linksOf(page).flatMap((link) => complaints(repository, page, link))),
}

interface Link {
  readonly target: string
  readonly line: number
}

function complaints(repository: Repository, page: TextFile, { target, line }: Link): Finding[] {
  const [pathPart = "", heading] = decodeURI(target).split("#", 2)
  const path = pathPart === "" ? page.path : posix.join(posix.dirname(page.path), pathPart)
  const at = { path: page.path, line }
  const isOutside = path.startsWith("..") || pathPart.startsWith("/")
  if (isOutside || !repository.has(path.replace(/\/$/, ""))) {
    return [{ ...at, message: `${target}: there is no ${path}` }]
  }
  const headed = heading === undefined || !path.endsWith(".md") ? undefined : repository.file(path)
  if (headed === undefined || headingIds(headed).has(heading ?? "")) return []
  return [{ ...at, message: `${target}: ${path} has no such heading` }]
}

function linksOf(page: TextFile): Link[] {
  const links: Link[] = []
  for (const [line, text] of proseLines(page)) {
    for (const match of text.replace(/`[^`]*`/g, "").matchAll(LINK)) {
      const target = match[1] ?? match[2] ?? ""
      if (!/^[a-z][a-z+.-]*:/i.test(target)) links.push({ target, line })
    }
  }
  return links
}

/**
 * The names that headings get on the web: lower case, words joined by hyphens, doubles numbered.
 */
function headingIds(page: TextFile): Set<string> {
  const ids = new Set<string>()
  for (const [, text] of proseLines(page)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(text)?.[1]
    if (heading === undefined) continue
    const id = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-")
    let unique = id
    for (let count = 1; ids.has(unique); count++) unique = `${id}-${count}`
    ids.add(unique)
  }
  return ids
}

/** Lines outside of fenced code, with their numbers. */
function proseLines(page: TextFile): [line: number, text: string][] {
  const prose: [number, string][] = []
  let fence: string | undefined
  page.lines.forEach((text, index) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(text)?.[1]
    if (fence === undefined && mark !== undefined) fence = mark
    else if (fence !== undefined && mark?.startsWith(fence) === true) fence = undefined
    else if (fence === undefined) prose.push([index + 1, text])
  })
  return prose
}
