/**
 * `npm start`, until there is a device to start: the life of a pool of three, told by the
 * protocol's own decisions.
 */
import { differences } from "./paper-pool.js"
import { tellStory } from "./story.js"

console.log("RMR in userspace: the protocol core at work, on paper.")
console.log("No data is stored and nothing is sent; the decisions are the ones that will run.\n")
const pool = tellStory((line) => console.log(line))
const [first, ...others] = pool.members
const dirtyCount = pool.members.reduce((sum, member) => sum + member.own.count, 0)
const differing = others.reduce((sum, other) => sum + differences(other, first), 0)
console.log(`\nAt the end ${dirtyCount} chunks are dirty, and ${differing} differ between members.`)
console.log("The replicated device itself comes with the packages that follow: see README.md.")
