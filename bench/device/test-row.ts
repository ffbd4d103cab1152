/** A row of the device bench for tests: what one says of it, and figures that nobody looks at. */
import type { Row } from "./compare.js"

const RUN = { ios: 1, iops: 100, megabytesPerSecond: 1, p50Us: 1, p99Us: 1 }

export function rowOf(known: Partial<Row>): Row {
  return {
    job: { name: "4k randwrite, depth 32", rw: "randwrite", blockSize: "4k", depth: 32 },
    ...{ target: "ours", isOurs: true, run: { ...RUN, cpuUs: 1, fioCpuUs: 1, othersShare: 0 } },
    ...{ iopsLow: 90, iopsHigh: 110, iopsOfRounds: [100], beside: "QEMU" },
    ...{ ratio: 1, cpuRatio: 1, calls: undefined, isJudged: false, ...known },
  }
}
