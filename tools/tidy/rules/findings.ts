/**
 * For the tests of rules: what a rule finds in a repository of a few strings, as short lines.
 */
import { repositoryOf } from "../repository.js"
import type { Rule } from "../rule.js"

/** `path:line` and the message, one per finding. */
export function findingsOf(rule: Rule, texts: Readonly<Record<string, string>>): string[] {
  const findings = rule.check(repositoryOf(texts))
  return findings.map(({ path, line, message }) => `${path}:${line} ${message}`)
}
