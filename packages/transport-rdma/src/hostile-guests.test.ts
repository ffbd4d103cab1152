/** What somebody who has a session, and its key, does to others: nothing. */
import { requestId } from "@rmr/core"
import { PretendDevice, requestRow, wordRow } from "../test/pretend-device.js"
import { CALL_LANE, CALL_PATH } from "./calling.js"
import { FLAG_AGAIN } from "./framing.js"
import { laneDepths } from "./opening.js"
import { pathWord, WORD_PATH_OVER } from "./words.js"

/** Numbers of lines: a link, and a lane or two behind it. */
const HOSTILE = 0
const VICTIM = 10
const PATH = 20
/** Of the credits of a lane. */
const INDEXES = [0, 1, 2, 3]

it("a path that is opening and said to be over is not opened any more", async () => {
  const device = new PretendDevice()
  await device.listen()
  const key = device.session("hostile", HOSTILE)
  device.call(PATH, CALL_PATH, { key, path: 1 })
  device.call(PATH + 1, CALL_LANE, { key, path: 1, channel: 1 })
  device.sayRoom(PATH)
  device.turn([wordRow(HOSTILE, pathWord(WORD_PATH_OVER, 1))])
  // Its numbers are free, and go to somebody else.
  device.session("victim", PATH)
  const before = device.furnished.length
  device.call(PATH + 5, CALL_LANE, { key, path: 1, channel: 2 })
  expect(device.furnished.slice(before)).toEqual([])
  expect(device.downs).toEqual(["hostile"])
})

it("a request that comes again in the turn in which it came keeps no memory", async () => {
  const device = new PretendDevice()
  await device.listen()
  const key = device.session("hostile", HOSTILE)
  for (let path = 1; path < 4; path++) {
    const line = PATH + 10 * path
    device.path(line, key, path)
    const id = requestId(path, 1)
    device.turn([
      requestRow(line + 1, id, 0, 4096),
      wordRow(HOSTILE, pathWord(WORD_PATH_OVER, path)),
      requestRow(HOSTILE + 1, id, FLAG_AGAIN, 4096),
    ])
  }
  expect(device.downs).toEqual([])
  expect(device.memory.stats().leaseCount).toBe(0)
})

it("who tells words without end and takes none loses its session, and nobody else", async () => {
  const device = new PretendDevice()
  await device.listen()
  device.session("hostile", HOSTILE)
  const key = device.session("victim", VICTIM)
  device.stuckLine = HOSTILE
  for (let nth = 0; nth < 600; nth++) {
    device.turn([wordRow(HOSTILE, pathWord(WORD_PATH_OVER, 1 + nth))])
  }
  expect(device.downs).toEqual(["hostile"])
  device.postedLines.length = 0
  device.path(PATH, key, 1)
  device.turn([wordRow(PATH, pathWord(WORD_PATH_OVER, 99))])
  expect(device.postedLines).toEqual([PATH])
})

it("who asks and takes no answers holds up nobody, and loses its session at last", async () => {
  const device = new PretendDevice()
  await device.listen()
  device.session("hostile", HOSTILE)
  device.session("victim", VICTIM)
  device.stuckLine = HOSTILE + 1
  device.answers = true
  const turnsMax = laneDepths(INDEXES.length).sends / INDEXES.length + 2
  for (let turn = 1; turn < turnsMax && device.downs.length === 0; turn++) {
    device.postedLines.length = 0
    const mine = requestRow(VICTIM + 1, requestId(0, turn), 0, 0)
    const rows = INDEXES.map((index) => requestRow(HOSTILE + 1, requestId(index, turn), 0, 0))
    device.turn([...rows, mine])
    if (!device.postedLines.includes(VICTIM + 1)) throw new Error(`no answer in turn ${turn}`)
  }
  // What is over is told in the turn after.
  device.turn([])
  expect(device.downs).toEqual(["hostile"])
  expect(device.memory.stats().leaseCount).toBe(0)
})
