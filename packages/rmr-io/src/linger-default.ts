/** How long a thread lingers (linger.ts) that was not told. */
import { availableParallelism } from "node:os"

/** On one processor it would only be in the way of whom it waits for. */
export const LINGER_US_DEFAULT: number = availableParallelism() > 1 ? 300 : 0
