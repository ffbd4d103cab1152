#!/usr/bin/env node
/** The `rmr` program: what is run when it is typed. */
import { program } from "./program.js"

await program(process.argv)
// Whatever could not be ended in order must not keep a program that has failed.
if (process.exitCode !== undefined && process.exitCode !== 0) process.exit()
