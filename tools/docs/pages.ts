/**
 * The pages of docs/ that are written by a program, because the truth they tell is data in the
 * code.
 *
 * `pnpm pages` writes them, `pnpm pages --check` and pages.test.ts fail when one of them is not
 * what the code says today. Nobody edits them by hand, but for the words around the tables of
 * PROTOCOL.md.
 */
import { renderErrors } from "./errors.js"
import { renderLimits } from "./limits.js"
import { renderProtocol } from "./protocol.js"
import { renderStates } from "./states.js"

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  /** `read` gives the text of a source file, by its path from the root. */
  render(read: (path: string) => string): string
}

export const PAGES: readonly Page[] = [
  { path: "docs/STATES.md", render: () => renderStates() },
  {
    path: "docs/LIMITS.md",
    render: (read) => renderLimits(read("packages/rmr-core/src/limits.ts")),
  },
  { path: "docs/ERRORS.md", render: () => renderErrors() },
  { path: "docs/PROTOCOL.md", render: (read) => renderProtocol(read("docs/PROTOCOL.md")) },
]

/** Paths of pages that are missing or differ from what the code says. */
export function stalePages(read: (path: string) => string): string[] {
  return PAGES.filter((page) => readOrNothing(read, page.path) !== page.render(read)).map(
    (page) => page.path,
  )
}

function readOrNothing(read: (path: string) => string, path: string): string | undefined {
  try {
    return read(path)
  } catch {
    return undefined
  }
}
