/**
 * What is thrown inside a call of the addon is for the process to deal with; if it lives on, others
 * that were ready in the same turn have been told, and the turn has come to its end.
 */
import { assert } from "@rmr/core"
import { turnEnds } from "../../src/turn-ends.js"
import { bytesOf } from "./addon.js"
import { Ends } from "./ends.js"

const SOCKETS = 4
const BYTES = 1000

export async function throwing(): Promise<string> {
  const ends = new Ends()
  const all = await ends.open(SOCKETS)
  const thrown: string[] = []
  process.on("uncaughtException", ({ message }) => thrown.push(message))
  let heardBytes = 0
  let isFirst = true
  const areTold = new Promise<void>((resolve) => {
    ends.onRead = (bytes) => {
      if (isFirst) {
        isFirst = false
        turnEnds.add(() => {
          throw new Error("at the end")
        })
        throw new Error("in a read")
      }
      heardBytes += bytes.length
      if (heardBytes === (SOCKETS - 1) * BYTES) turnEnds.add(resolve)
      return true
    }
  })
  for (const { peer } of all) peer.write(bytesOf(BYTES, 1))
  await areTold
  assert(thrown.join() === "in a read,at the end", `both were thrown: ${thrown}`)
  await ends.exchange(all.at(-1)!, bytesOf(BYTES, 2))
  await ends.close()
  return "others were told"
}
