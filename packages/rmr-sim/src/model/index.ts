/**
 * The exhaustive model of views, fencing, starts and recovery. Reading order: state.ts (what is
 * modelled and what is not), member-steps.ts, then opening-, view- and write-steps.ts (what can
 * happen), invariants.ts and heal.ts (what must hold), mutants.ts (what each rule is for).
 */
export {
  type Bound,
  boundOf,
  freshPool,
  LARGE_BOUNDS,
  returnedPool,
  TEST_BOUNDS,
} from "./bounds.js"
export { type Exploration, explore, type Machine, type Violation } from "./explorer.js"
export { PoolMachine } from "./machine.js"
export { MUTANTS, type Mutant } from "./mutants.js"
export { RULES, type RuleTable } from "./rule-table.js"
