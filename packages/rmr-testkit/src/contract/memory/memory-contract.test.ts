/** The memory of production keeps its promises, with and without poison. */
import { buddyMemory } from "@rmr/core"
import { memoryContract } from "./index.js"

memoryContract("buddyMemory", ({ arenaBytes, leaseCountMax }) =>
  buddyMemory({ arenas: arenaBytes, leaseCountMax }),
)

memoryContract("buddyMemory with poison", ({ arenaBytes, leaseCountMax }) =>
  buddyMemory({ arenas: arenaBytes, leaseCountMax, poison: true }),
)
