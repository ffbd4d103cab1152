/** That every edit of a mutant still finds its text in the product. `sim mutants` runs them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { applied, editsOf } from "./mutant-tree.js"
import { PRODUCT_MUTANTS } from "./product-mutants.js"

const PACKAGES = join(__dirname, "../../..")

describe("mutants of the product", () => {
  it.each(PRODUCT_MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    "P1 to P7: there is something to take out (%s)",
    (_, mutant) => {
      for (const edit of editsOf(mutant)) {
        const source = readFileSync(join(PACKAGES, edit.file), "utf8")
        expect(applied(edit, source)).not.toBe(source)
      }
    },
  )

  it("P1: an edit that would hit two places, or none, is refused", () => {
    const edit = { file: "f", find: "a", replace: "b" }
    expect(() => applied(edit, "aa")).toThrow("2 times")
    expect(() => applied(edit, "c")).toThrow("0 times")
  })
})
