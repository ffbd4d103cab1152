/**
 * The file store in files of the machine that runs the test: what a simulated disk cannot show is
 * that the real one fits under it.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Store, StoreOpen } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "@rmr/io"
import { clockWaiting, seededRandom } from "@rmr/testkit"
import { type AbsentPowers, type StoreHarness, storeContract } from "@rmr/testkit/contract/store"
import { createStore, fileStore, storeBytes } from "../src/index.js"

jest.setTimeout(60_000)

const REASON = "files of the machine that runs the test"

const ABSENT: AbsentPowers = {
  kill: `a process does not kill itself: ${REASON}`,
  powerCut: `nobody cuts its power: ${REASON}`,
  failReads: `they have no bad spots: ${REASON}`,
  failWrites: `they have no bad spots: ${REASON}`,
  failNextFlush: `nobody hurts them: ${REASON}`,
  failNextCommit: `nobody hurts them: ${REASON}`,
  allocatedBytes: "nothing gives space back: plain Node punches no holes",
  damageCell: `nobody hurts them: ${REASON}`,
  damageHotSet: `nobody hurts them: ${REASON}`,
}

const folder = mkdtempSync(join(tmpdir(), "rmr-store-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let placeCount = 0

function realStores(): StoreHarness {
  const env = realEnv()
  const newMemory = () =>
    buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 1024 })
  return {
    waiting: clockWaiting(env.clock),
    random: seededRandom("store in a file"),
    newProcess: () => ({ env, memory: newMemory() }),
    fresh: async ({ sizeBytes, mediumBytes, extentBytes, hotExtentsMax }) => {
      const shape = { sizeBytes, sizeBytesMax: mediumBytes, extentBytes, hotExtentsMax }
      const path = join(folder, `store-${++placeCount}`)
      const overhead = storeBytes(shape) - sizeBytes
      await createFile(path, overhead + sizeBytes)
      const source = fileSource(path, { sizeBytesMax: overhead + mediumBytes })
      const memory = newMemory()
      await createStore({ env, memory, source, isKnownZero: true, ...shape })
      const stores = fileStore({ source })
      const open = (options: StoreOpen): Promise<Store> => stores.open(options)
      return { source: { name: path, open }, powers: {} }
    },
  }
}

storeContract("store in a file", { open: realStores, absent: ABSENT })
