/**
 * Traces of one machine are found in any file, whatever wrote them.
 */
import { findingsOf } from "./findings.js"
import { machinePaths } from "./machine.js"

const home = ["/wo", "rk/main/x"].join("")

describe("machine-paths", () => {
  it("finds private paths in sources, pages and data", () => {
    const texts = { "a.ts": `open("${home}")`, "b.md": `\n${home}`, "c.json": `["${home}"]` }
    expect(findingsOf(machinePaths, texts).map((line) => line.split(" ")[0])).toEqual([
      "a.ts:1",
      "b.md:2",
      "c.json:1",
    ])
  })

  it("finds packages that come from a private registry", () => {
    const lock = "    resolution: {integrity: sha512-x, tarball: http://localhost:4873/a/-/a-1.tgz}"
    expect(findingsOf(machinePaths, { "pnpm-lock.yaml": lock })).toEqual([
      "pnpm-lock.yaml:1 a registry host: localhost:4873",
    ])
    expect(
      findingsOf(machinePaths, { ".npmrc": "registry=https://npm.example.org/" }),
    ).toHaveLength(1)
  })

  it("leaves the public registry and other uses of localhost alone", () => {
    const texts = {
      ".npmrc": "registry=https://registry.npmjs.org/",
      "README.md": "nbd://localhost:10809 and a framework/ folder",
    }
    expect(findingsOf(machinePaths, texts)).toEqual([])
  })
})
