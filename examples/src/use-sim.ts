/**
 * @rmr/sim by itself: explores a small pool to its last state, then without one rule.
 */
import { boundOf, explore, freshPool, MUTANTS, PoolMachine, RULES } from "@rmr/sim"

const statesMax = 1_000_000

// Three equal members and one further view: every schedule of faults inside this bound is tried.
const bound = boundOf({ name: "small", furtherViews: 1, initial: () => freshPool(0b111) })
const whole = explore(new PoolMachine(RULES, bound), { statesMax })
console.log(whole.isComplete, whole.violation) // => true undefined

// Without the ranges that a view change carries (rule V2), some schedule breaks a promise.
const mutant = MUTANTS.find(({ name }) => name.startsWith("V2:"))
if (mutant === undefined) throw new Error("nobody takes rule V2 out")
const { violation } = explore(new PoolMachine(mutant.rules, mutant.bound), { statesMax })
console.log(violation !== undefined) // => true
