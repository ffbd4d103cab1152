/**
 * The shape of a package.json: each field that differs is named.
 */
import { findingsOf } from "./findings.js"
import { manifests } from "./manifest.js"

const right = {
  name: "@rmr/client",
  description: "A compute client's pool",
  license: "Apache-2.0",
  type: "module",
  sideEffects: false,
  engines: { node: ">=20.19" },
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  dependencies: { "@rmr/core": "workspace:*" },
}

function complaints(changes: Readonly<Record<string, unknown>>): string[] {
  return findingsOf(manifests, {
    "package.json": JSON.stringify({ engines: right.engines }),
    "packages/rmr-client/package.json": JSON.stringify({ ...right, ...changes }),
  })
}

describe("manifests", () => {
  it("are left alone when they have the shape", () => {
    expect(complaints({})).toEqual([])
  })

  it.each([
    ["name", { name: "client" }],
    ["description", { description: undefined }],
    ["license", { license: "MIT" }],
    ["type", { type: "commonjs" }],
    ["sideEffects", { sideEffects: undefined }],
    ["engines", { engines: { node: ">=18" } }],
    ["exports", { exports: { ".": { default: "./a.js", types: "./a.d.ts" } } }],
    ["@rmr/core", { dependencies: { "@rmr/core": "^1.0.0" } }],
  ])("are told what is wrong with %s", (field, changes) => {
    const found = complaints(changes)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`package.json:0 ${field}`)
  })
})
