/** Lines of a configuration: of a key, of its table where it is missing, of no other. */
import { lineOf } from "./places.js"

const TEXT = `name = "both"

[storage]
listen = [
  "tcp://0.0.0.0:4710",
]
[[storage.pool]]
name = "a"
[[storage.pool]] # the second
name = "b"
"size" = 4096

[client]
nbd.place = "x"
`

describe("the line", () => {
  it.each([
    ["a key at the top", ["name"], 1],
    ["a value in several lines", ["storage", "listen", 0], 4],
    ["a key of the second of two tables", ["storage", "pool", 1, "name"], 10],
    ["a quoted key", ["storage", "pool", 1, "size"], 11],
    ["a dotted key", ["client", "nbd", "place"], 14],
    ["a key that is missing: its table", ["storage", "pool", 1, "store"], 9],
    ["a table", ["client"], 13],
  ])("of %s", (_what, path, line) => {
    expect(lineOf(TEXT, path)).toBe(line)
  })

  it("of nothing that is there is none", () => {
    expect(lineOf(TEXT, ["control"])).toBeUndefined()
    expect(lineOf(TEXT, [])).toBeUndefined()
  })
})
