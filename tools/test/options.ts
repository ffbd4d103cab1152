/**
 * The arguments of `npm test -- …`, checked as a whole before anything runs.
 */
import { STAGES } from "./stage-list.js"

export interface TestOptions {
  /** Names of stages; empty for all. */
  readonly only: readonly string[]
  /** Stop at the first stage that fails. */
  readonly bail: boolean
  /** Steps of the set-up that failed; each is one failure of the run. */
  readonly failedSteps: readonly string[]
}

export function parseOptions(args: readonly string[]): TestOptions | { readonly problem: string } {
  const known = STAGES.map(({ name }) => name)
  const only: string[] = []
  const failedSteps: string[] = []
  let bail = false
  for (let at = 0; at < args.length; at++) {
    const [word = "", inline] = (args[at] ?? "").split("=", 2)
    if (word === "--bail") {
      bail = true
      continue
    }
    if (word !== "--only" && word !== "--failed-step") return { problem: `unknown: ${args[at]}` }
    const value = inline ?? args[++at]
    if (value === undefined) return { problem: `${word} wants a value` }
    if (word === "--only") only.push(...value.split(","))
    else failedSteps.push(value)
  }
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return { problem: `no stage is named "${unknown}"; there are: ${known.join(", ")}` }
  }
  return { only, bail, failedSteps }
}
