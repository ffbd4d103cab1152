/**
 * Uses @rmr/sim: explores a small pool to its last state, and finds what breaks without a rule.
 */
import { boundOf, explore, freshPool, MUTANTS, PoolMachine, RULES } from "@rmr/sim"

const statesMax = 1_000_000
const bound = boundOf({ name: "small", furtherViews: 1, initial: () => freshPool(0b111) })
const whole = explore(new PoolMachine(RULES, bound), { statesMax })
if (!whole.isComplete) throw new Error(`not at the end after ${whole.states} states`)
if (whole.violation !== undefined) throw new Error(whole.violation.message)
if (whole.states < 100) throw new Error(`only ${whole.states} states`)

const mutant = MUTANTS.find(({ name }) => name.startsWith("V2:"))
if (mutant === undefined) throw new Error("nobody takes rule V2 out")
const broken = explore(new PoolMachine(mutant.rules, mutant.bound), { statesMax })
if (broken.violation === undefined) throw new Error("nothing breaks without rule V2")
if (broken.violation.trace.length === 0) throw new Error("a violation without a schedule")
