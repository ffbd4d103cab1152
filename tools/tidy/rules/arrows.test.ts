/**
 * Arrows: every place that may disagree with the table is caught by itself.
 */
import { ARROWS, arrows } from "./arrows.js"
import { findingsOf } from "./findings.js"

interface Package {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const own = { "@rmr/core": "workspace:*" }

/** rmr-core, rmr-testkit and rmr-client, in order, until something is replaced. */
function workspace(client: Package, texts: Readonly<Record<string, string>> = {}): string[] {
  const manifest = (name: string, parts: Package): string => JSON.stringify({ name, ...parts })
  return findingsOf(arrows, {
    "tsconfig.json": `{
      // with a comment
      "references": [
        { "path": "packages/rmr-core" },
        { "path": "packages/rmr-testkit" },
        { "path": "packages/rmr-client" },
      ]
    }`,
    "packages/rmr-core/package.json": manifest("@rmr/core", {}),
    "packages/rmr-core/tsconfig.json": "{}",
    "packages/rmr-testkit/package.json": manifest("@rmr/testkit", { dependencies: own }),
    "packages/rmr-testkit/tsconfig.json": '{ "references": [{ "path": "../rmr-core" }] }',
    "packages/rmr-client/package.json": manifest("@rmr/client", client),
    "packages/rmr-client/tsconfig.json": '{ "references": [{ "path": "../rmr-core" }] }',
    ...texts,
  })
}

const client = { dependencies: own, devDependencies: { "@rmr/testkit": "workspace:*" } }

describe("arrows", () => {
  it("hold in a workspace that follows them", () => {
    expect(
      workspace(client, {
        "packages/rmr-client/src/a.ts": 'import { x } from "@rmr/core"\nimport "./b.js"',
        "packages/rmr-client/src/a.test.ts": 'import { x } from "@rmr/testkit/world"',
        "packages/rmr-client/test/a.test.ts":
          'import { x } from "../src/a.js"\nimport "fast-check"',
        "packages/rmr-client/tsup.config.ts": 'import { x } from "../../tsup.base.js"',
      }),
    ).toEqual([])
  })

  it("are broken by a dependency that is no arrow", () => {
    const found = workspace({ dependencies: { ...own, "@rmr/testkit": "workspace:*" } })
    expect(found[0]).toContain("dependencies: @rmr/testkit is no arrow of this package")
  })

  it("are broken by a devDependency that is no arrow", () => {
    const devDependencies = { "@rmr/server": "workspace:*" }
    const found = workspace({ dependencies: own, devDependencies })
    expect(found[0]).toContain("devDependencies: @rmr/server is no arrow of this package")
  })

  it("are broken by references that differ from dependencies", () => {
    const found = workspace(client, { "packages/rmr-client/tsconfig.json": "{}" })
    expect(found).toEqual([
      "packages/rmr-client/tsconfig.json:0 references are [], dependencies are [rmr-core]",
    ])
  })

  it("are broken by a package that the root does not build", () => {
    const found = workspace(client, { "tsconfig.json": "{}" })
    expect(found).toContain("tsconfig.json:0 no reference to packages/rmr-client")
  })

  it.each([
    ["an import that package.json lacks", 'import { x } from "@rmr/server"'],
    ["a devDependency in shipped code", 'import { x } from "@rmr/testkit"'],
    ["a stranger in shipped code", 'import { x } from "fast-check"'],
    ["its type alone", 'import type { X } from "@rmr/testkit/world"'],
    ["a dynamic import", 'const x = await import("@rmr/testkit")'],
    ["an export from elsewhere", 'export * from "@rmr/testkit"'],
    ["a path into another package", 'import { x } from "../../rmr-core/src/index.js"'],
  ])("are broken by %s", (_, text) => {
    expect(workspace(client, { "packages/rmr-client/src/a.ts": text })).toHaveLength(1)
  })

  it("are broken by a test that uses what is not declared", () => {
    const path = "packages/rmr-client/src/a.test.ts"
    expect(workspace(client, { [path]: 'import "@rmr/sim"' })).toHaveLength(1)
  })

  it("are asked of every package: one that the table does not know is refused", () => {
    const found = workspace(client, { "packages/rmr-new/package.json": '{ "name": "@rmr/new" }' })
    expect(found).toEqual([
      "packages/rmr-new/package.json:0 no arrows for this package in tools/tidy",
    ])
  })

  it("form no circle, tests included", () => {
    const visit = (folder: string, above: readonly string[]): void => {
      expect(above).not.toContain(folder)
      const { may, inTests } = ARROWS[folder]!
      for (const below of [...may, ...inTests]) visit(below, [...above, folder])
    }
    for (const folder of Object.keys(ARROWS)) visit(folder, [])
  })
})
