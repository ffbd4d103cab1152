/**
 * Tests run on sources: swc strips the types, package names map to `src`, nothing is built first.
 *
 * Four projects, because they differ in what they need: `unit` and `contract` only sources,
 * `packages` a build and a package manager, `e2e` real processes. Which names map where is read
 * from the `exports` of each package, so that a new package or subpath needs no line here.
 */
import { readdirSync, readFileSync } from "node:fs"
import { cpus } from "node:os"

/** @returns {Record<string, string>} */
function sourcesByName() {
  /** @type {Record<string, string>} */
  const sources = {}
  for (const folder of readdirSync(new URL("packages", import.meta.url))) {
    const manifest = new URL(`packages/${folder}/package.json`, import.meta.url)
    const { name, exports } = JSON.parse(readFileSync(manifest, "utf8"))
    for (const [subpath, entry] of Object.entries(exports)) {
      const file = entry.default.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts")
      sources[`^${name}${subpath.slice(1)}$`] = `<rootDir>/packages/${folder}/${file}`
    }
  }
  return sources
}

/**
 * @param {string} displayName
 * @param {readonly string[]} testMatch
 */
function project(displayName, testMatch) {
  return {
    displayName,
    testMatch: testMatch.map((pattern) => `<rootDir>/${pattern}`),
    testEnvironment: "node",
    transform: {
      "^.+\\.[tj]s$": [
        "@swc/jest",
        { jsc: { target: "es2022", parser: { syntax: "typescript" } }, sourceMaps: "inline" },
      ],
    },
    moduleNameMapper: { ...sourcesByName(), "^(\\.{1,2}/.*)\\.js$": "$1" },
    modulePathIgnorePatterns: ["<rootDir>/packages/[^/]+/dist/", "<rootDir>/.cache/"],
  }
}

/**
 * Random tests take their seed from here. Each run has a new one, so that runs add up; they print
 * it, and `RMR_SEED=n` repeats a run.
 */
function seedOfRun() {
  const given = process.env["RMR_SEED"] ?? String(Date.now() & 0x7fffffff)
  if (!/^\d{1,10}$/.test(given)) throw new Error(`RMR_SEED=${given}: it is a whole number`)
  return given
}

// Workers inherit it.
process.env["RMR_SEED"] = seedOfRun()

export default {
  maxWorkers: Math.min(2, cpus().length),
  projects: [
    project("unit", [
      "packages/*/src/**/*.test.ts",
      "tools/**/*.test.ts",
      "bench/**/*.test.ts",
      "e2e/lab/**/*.test.ts",
      "examples/src/**/*.test.ts",
    ]),
    project("contract", ["packages/*/test/**/*.test.ts"]),
    project("packages", ["e2e/packages/**/*.test.ts"]),
    project("e2e", ["e2e/test/**/*.test.ts"]),
  ],
}
