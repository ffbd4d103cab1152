#!/usr/bin/env node
/** The `rmr` program: what is run when it is typed. */
import { program } from "./program.js"

await program(process.argv)
