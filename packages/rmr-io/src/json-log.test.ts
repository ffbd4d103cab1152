/**
 * The log of lines: each is one JSON object, and nobody's fields hide what happened when.
 */
import { jsonLog } from "./index.js"

it("writes one line per event, with the fields of its parents, and leaves out lower levels", () => {
  const lines: string[] = []
  const log = jsonLog({ write: (line) => lines.push(line), wallMs: () => 0, level: "warn" })
  const child = log.child({ pool: "p", level: "mine" })
  child.write("info", "not.this")
  child.write("warn", "leg.failed", { leg: 3, text: "two\nlines" })
  expect(log.enabled("info")).toBe(false)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]+\n$/)
  expect(JSON.parse(lines[0]!)).toEqual({
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    event: "leg.failed",
    pool: "p",
    leg: 3,
    text: "two\nlines",
  })
})
