/**
 * The suite holds in real time as in a world: nothing in it leans on virtual time.
 */
import { storeContract } from "../src/contract/store/index.js"
import { realMemoryHarness } from "./store-harness.js"

jest.setTimeout(30_000)

storeContract("memory in real time", { open: () => realMemoryHarness() })
