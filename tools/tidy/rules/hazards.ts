/**
 * Hazards are told where their page says: a test that a hazard names exists, and names it.
 *
 * A section of docs/HAZARDS.md may have several numbers in its heading; each is to be found by
 * searching the tests for it. Paths may leave their beginning out.
 */
import type { Repository, TextFile } from "../repository.js"
import type { Finding, Rule } from "../rule.js"

const PAGE = "docs/HAZARDS.md"
const HEADING = /^#+ (RT-\d+(?:, RT-\d+)*)\./
const NAMED_TEST = /`([\w./-]+\.test\.ts)`/g

export const toldHazards: Rule = {
  name: "told-hazards",
  title: "a test that a hazard names exists, and names the hazard",
  check: (repository) => {
    const page = repository.file(PAGE)
    return page === undefined ? [] : findingsIn(repository, page)
  },
}

function findingsIn(repository: Repository, page: TextFile): Finding[] {
  const findings: Finding[] = []
  let hazards: readonly string[] = []
  for (const [nth, text] of page.lines.entries()) {
    if (text.startsWith("#")) hazards = HEADING.exec(text)?.[1]?.split(", ") ?? []
    for (const [, name = ""] of text.matchAll(NAMED_TEST)) {
      for (const message of complaints(repository, hazards, name)) {
        findings.push({ path: PAGE, line: nth + 1, message })
      }
    }
  }
  return findings
}

function complaints(
  { files }: Repository,
  hazards: readonly string[],
  name: string,
): readonly string[] {
  const tests = files.filter(({ path }) => path === name || path.endsWith(`/${name}`))
  if (tests.length === 0) return [`there is no ${name}`]
  const untold = hazards.filter((id) => !tests.some(({ text }) => isNamedIn(text, id)))
  return untold.map((id) => `${name} does not name ${id}`)
}

function isNamedIn(text: string, id: string): boolean {
  return new RegExp(`\\b${id}\\b`).test(text)
}
