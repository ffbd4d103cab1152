/**
 * A file system on a pool whose storage nodes and client are killed, frozen and cut off at random.
 * A death of the client is to it what a power cut of its host is: mounting mends it, and what was
 * settled is there.
 */
import { whyNoFileSystem } from "../file-system.js"
import { itWhere } from "../nbd-tools.js"
import { beImpolite, RUN_MS_MAX, seed, whyNotImpolite } from "./run.js"
import { TreeLoad } from "./tree-load.js"

jest.setTimeout(RUN_MS_MAX)

describe(`processes and wires at random, RMR_SEED=${seed}`, () => {
  const why = whyNotImpolite() || whyNoFileSystem()

  itWhere("P1: ext4 is whole and holds its files, and members are the same", why, async () => {
    await beImpolite("tree", 192, new TreeLoad(seed))
  })
})
