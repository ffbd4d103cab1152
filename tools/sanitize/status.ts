/** Leaves with 0 if the sanitized addon is what this process has loaded, and says what is. */
import { nativeStatus } from "../../packages/rmr-io/src/index.js"

const { isLoaded, reason } = nativeStatus()
console.log(reason)
process.exitCode = isLoaded && reason.endsWith("-sanitized.node") ? 0 : 1
