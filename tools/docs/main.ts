/**
 * `pnpm pages` writes the generated pages; `pnpm pages --check` only says which of them are stale.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PAGES, stalePages } from "./pages.js"

const root = join(import.meta.dirname, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")

const stale = stalePages(read)
if (process.argv.includes("--check")) {
  for (const path of stale) console.log(`${path} is not what the code says; run: pnpm pages`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const page of PAGES) {
    if (stale.includes(page.path)) writeFileSync(join(root, page.path), page.render(read))
  }
  console.log(stale.length === 0 ? "all pages are up to date" : `wrote ${stale.join(", ")}`)
}
