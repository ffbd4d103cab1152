/**
 * How the garbage collector works in a daemon.
 *
 * Young garbage is collected by one thread. V8 would have helpers, and waits for all of them: on a
 * machine that is busy they are not given a processor at once, and everybody waits for a collection
 * whose work is a quarter of a millisecond. Alone, half of the time passes at the median, and less
 * in the worst case (bench/README.md). It counts from the next collection on, in all threads.
 */
import { setFlagsFromString } from "node:v8"

export function collectAlone(): void {
  setFlagsFromString("--no-parallel-scavenge")
}
