/**
 * `pnpm tidy`: the project's own rules, each a check over the whole repository.
 *
 * What a linter can say, the linter says. These rules are about what is particular here: the shape
 * of files, the words, the arrows between packages, and that promises and tests go in pairs. A rule
 * that is only written down is soon not kept. The last line counts rules, kept and broken.
 *
 * `pnpm tidy --fix [folder…]` first wraps comments that are too wide.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isSource, readRepository } from "./repository.js"
import { rewrap } from "./rewrap.js"
import { RULES } from "./rules/index.js"
import { COLUMNS_MAX } from "./rules/size.js"

const root = fileURLToPath(new URL("../../", import.meta.url))
const [option, ...folders] = process.argv.slice(2)
if (option === "--fix") wrapComments(folders)
else if (option !== undefined) throw new Error(`unknown option ${option}`)

const repository = readRepository(root)
let brokenCount = 0
for (const rule of RULES) {
  const findings = rule.check(repository)
  if (findings.length === 0) continue
  brokenCount++
  console.log(`${rule.name}: ${rule.title}`)
  for (const { path, line, message } of findings) {
    console.log(`  ${path}${line > 0 ? `:${line}` : ""}: ${message}`)
  }
}
console.log(`${repository.files.length} files read`)
console.log(`${RULES.length - brokenCount} passed, ${brokenCount} failed`)
process.exitCode = brokenCount === 0 ? 0 : 1

function wrapComments(under: readonly string[]): void {
  const isMeant = (path: string): boolean =>
    under.length === 0 || under.some((folder) => path.startsWith(folder))
  for (const { path, text } of readRepository(root).files) {
    const wrapped = isSource(path) && isMeant(path) ? rewrap(text, COLUMNS_MAX) : text
    if (wrapped === text) continue
    writeFileSync(join(root, path), wrapped)
    console.log(`wrapped ${path}`)
  }
}
