/**
 * Tests run on sources: swc strips the types, package names map to `src`, nothing is built first.
 */
const project = (displayName, testMatch, extra = {}) => ({
  displayName,
  testMatch: testMatch.map((pattern) => `<rootDir>/${pattern}`),
  testEnvironment: "node",
  transform: {
    "^.+\\.ts$": ["@swc/jest", { jsc: { target: "es2022", parser: { syntax: "typescript" } } }],
  },
  moduleNameMapper: {
    "^@rmr/core$": "<rootDir>/packages/rmr-core/src/index.ts",
    "^@rmr/testkit$": "<rootDir>/packages/rmr-testkit/src/index.ts",
    "^@rmr/testkit/(.*)$": "<rootDir>/packages/rmr-testkit/src/$1/index.ts",
    "^@rmr/sim$": "<rootDir>/packages/rmr-sim/src/index.ts",
    "^(\\.{1,2}/.*)\\.js$": "$1",
  },
  modulePathIgnorePatterns: ["<rootDir>/packages/[^/]+/dist/"],
  ...extra,
})

export default {
  projects: [
    project("unit", [
      "packages/*/src/**/*.test.ts",
      "tools/**/*.test.ts",
      "bench/src/**/*.test.ts",
    ]),
    project("contract", ["packages/*/test/**/*.test.ts"]),
    project("e2e", ["e2e/**/*.test.ts"], { testTimeout: 120_000 }),
  ],
}
