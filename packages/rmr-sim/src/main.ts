/**
 * The programs of this package: `sim` hunts in simulated pools (hunt/hunt-command.ts), `sim
 * mutants` takes rules out of the product and demands that hunts notice (mutants/), `model`
 * explores the pool model to its end (model-command.ts).
 */
import { runHunts } from "./hunt/hunt-command.js"
import { workAsHunter } from "./hunt/hunt-workers.js"
import { runModel } from "./model-command.js"
import { runMutants } from "./mutants/mutant-command.js"

const [command, ...rest] = process.argv.slice(2)
if (command === "model") process.exitCode = runModel(rest)
else if (command === "hunter") workAsHunter()
else if (command === "mutants") process.exitCode = await runMutants(rest, console.log)
else process.exitCode = await runHunts(process.argv.slice(2), console.log)
