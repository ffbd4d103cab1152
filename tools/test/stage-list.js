/**
 * The names of the stages of `npm test`, in their order: fast ones first.
 *
 * Plain JavaScript, because `npm test -- --help` prints it before anything is installed. What a
 * stage does is in stages.ts, which must have an entry for each name here.
 */

/**
 * @typedef {object} StageEntry
 * @property {string} name what `--only` takes
 * @property {string} title
 */

/** @type {readonly StageEntry[]} */
export const STAGES = [
  { name: "lint", title: "biome: format and lint" },
  { name: "tidy", title: "this project's own rules about its text, names and arrows" },
  { name: "typecheck", title: "tsc: packages along their references, then tests and tools" },
  { name: "unit", title: "jest: tests beside the sources" },
  { name: "contract", title: "jest: every implementation against the promises of its port" },
  { name: "native", title: "jest: the native addon under AddressSanitizer and UBSan" },
  { name: "bench", title: "every benchmark once, in its smallest size" },
  {
    name: "packages",
    title: "each package from its tarball: publint, attw, install, use, compile",
  },
  { name: "e2e", title: "jest: real processes, and the README as pasted" },
  { name: "sim", title: "hunts for broken promises in simulated pools, some of them twice" },
  { name: "model", title: "explicit-state model of the view, start and fencing rules" },
]
