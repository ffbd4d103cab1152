/**
 * Where in a TOML text something is said: who mends a file looks for a line, not for a path of
 * keys.
 *
 * It knows as much of TOML as that takes, and only ever reads texts that were parsed before: a line
 * begins a table, an entry of an array of tables, a key, or nothing of interest.
 */

const ARRAY_ENTRY = /^\s*\[\[\s*([^\]]+?)\s*\]\]/
const TABLE = /^\s*\[\s*([^\]]+?)\s*\]\s*(?:#.*)?$/
const KEY = /^\s*([\w.\-"' ]+?)\s*=/

/** The line of what the path leads to, or of the table that it should be in; from 1 on. */
export function lineOf(text: string, path: readonly PropertyKey[]): number | undefined {
  const wanted = path.map(String)
  const entryCounts = new Map<string, number>()
  let table: string[] = []
  let found: number | undefined
  let foundDepth = 0
  for (const [nth, line] of text.split("\n").entries()) {
    const entry = ARRAY_ENTRY.exec(line)?.[1]
    const header = entry === undefined ? TABLE.exec(line)?.[1] : undefined
    const key = KEY.exec(line)?.[1]
    let place: string[]
    if (entry !== undefined) {
      const name = namesOf(entry)
      const count = entryCounts.get(name.join(".")) ?? 0
      entryCounts.set(name.join("."), count + 1)
      table = [...name, String(count)]
      place = table
    } else if (header !== undefined) {
      table = namesOf(header)
      place = table
    } else if (key !== undefined) place = [...table, ...namesOf(key)]
    else continue
    const isOnTheWay = place.every((name, depth) => name === wanted[depth])
    if (!isOnTheWay || place.length <= foundDepth) continue
    found = nth + 1
    foundDepth = place.length
  }
  return found
}

function namesOf(dotted: string): string[] {
  return dotted.split(".").map((name) => name.trim().replace(/^(["'])(.*)\1$/, "$2"))
}
