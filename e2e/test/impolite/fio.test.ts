/**
 * fio with verification on a pool whose storage nodes and client are killed, frozen and cut off at
 * random. No request fails, nothing that was answered is missing, and it heals by itself.
 */
import { seededRandom } from "@rmr/testkit"
import { isLong, itWhere, missing } from "../nbd-tools.js"
import { FioLoad } from "./fio-load.js"
import { beImpolite, RUN_MS_MAX, seed, whyNotImpolite } from "./run.js"

jest.setTimeout(RUN_MS_MAX)

describe(`processes and wires at random, RMR_SEED=${seed}`, () => {
  const why = whyNotImpolite() || missing("fio")

  itWhere("P1: fio verifies what it wrote, and all members are the same", why, async () => {
    const random = seededRandom(`impolite fio load ${seed}`)
    await beImpolite("fio", 128, new FioLoad(random, isLong() ? 20 : 4))
  })
})
