#!/usr/bin/env node
/** The `rmr` program. */
import { program } from "./program.js"

await program(process.argv)
