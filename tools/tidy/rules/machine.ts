/**
 * Nothing of the machine that somebody worked on: no private paths, no registry but the public one.
 *
 * The patterns are put together from halves, so that this file does not contain what it looks for.
 */
import type { Repository } from "../repository.js"
import type { Finding, Rule } from "../rule.js"

const PRIVATE_PATH = new RegExp(["/wo", "rk/|/fa", "rm/|/tmp/ba", "sh|/ro", "ot/"].join(""))
const PUBLIC_REGISTRY = "registry.npmjs.org"
const REGISTRY_FILES = /(^|\/)(pnpm-lock\.yaml|pnpm-workspace\.yaml|package\.json|\.npmrc)$/
/** Where a package comes from, when that is not the default registry. */
const SOURCE_URL = /(?:tarball|registry|resolved|repo)["']?\s*[:=]\s*["']?\w+:\/\/([^/\s"',}]+)/

export const machinePaths: Rule = {
  name: "machine-paths",
  title: "no path of a particular machine, no private registry",
  check: ({ files }: Repository) =>
    files.flatMap(({ path, lines }) =>
      lines.flatMap((line, index): Finding[] => {
        const found: string[] = []
        const privatePath = PRIVATE_PATH.exec(line)?.[0]
        if (privatePath !== undefined) found.push(`a path of one machine: ${privatePath}`)
        const host = REGISTRY_FILES.test(path) ? SOURCE_URL.exec(line)?.[1] : undefined
        if (host !== undefined && host !== PUBLIC_REGISTRY) found.push(`a registry host: ${host}`)
        return found.map((message) => ({ path, line: index + 1, message }))
      }),
    ),
}
