/**
 * T17: lanes are independent (rule W8). Whatever blocks one, another still moves.
 */
import { LANE_CONTROL, LANE_IO, LANE_SYNC, type Lane } from "@rmr/core"
import { check, checkEqual } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES } from "./content.js"
import { fillMemory } from "./flow.js"
import type { TransportRig } from "./rig.js"

/** All credits of `blocked` are in flight without an answer; the others go on. */
async function movesBeside(rig: TransportRig, blocked: Lane): Promise<void> {
  const { client, server, dialed } = await rig.pair({ credits: [4, 2, 2] })
  server.onRequest = (request) => {
    if (request.lane !== blocked) server.answer(request)
  }
  const stuck = []
  while (dialed.freeCredits(blocked) > 0) stuck.push(client.write(dialed, { lane: blocked })!)
  const others = LANES.filter((lane) => lane !== blocked)
  for (let round = 0; round < 5; round++) {
    const sent = others.map((lane) => client.write(dialed, { lane })!)
    await rig.done(...sent)
    for (const each of sent) rig.checkEchoed(each, `lane ${each.lane} beside lane ${blocked}`)
  }
  check(
    stuck.every((each) => !each.isDone),
    "the blocked lane to be blocked",
  )
  checkEqual(dialed.freeCredits(blocked), 0, "free credits of the blocked lane")
}

async function movesWithoutMemory(rig: TransportRig): Promise<void> {
  const { client, server, dialed } = await rig.pair({ credits: [4, 2, 2] })
  server.echo()
  const filling = fillMemory(server.memory)
  const waiting = []
  for (const lane of [LANE_IO, LANE_SYNC] as const) {
    while (dialed.freeCredits(lane) > 0) waiting.push(client.write(dialed, { lane, bytes: 4096 })!)
  }
  for (let round = 0; round < 5; round++) {
    const sent = client.write(dialed, { lane: LANE_CONTROL, bytes: 0 })!
    await rig.done(sent)
    rig.checkEchoed(sent, "a command beside writes that wait for memory")
  }
  for (const lease of filling) server.memory.release(lease)
  await rig.done(...waiting)
}

export const laneClauses: readonly RigClause[] = [
  {
    promise: "T17",
    title: "with all io credits in flight, sync and control still move",
    run: (rig) => movesBeside(rig, LANE_IO),
  },
  {
    promise: "T17",
    title: "with all sync credits in flight, io and control still move",
    run: (rig) => movesBeside(rig, LANE_SYNC),
  },
  {
    promise: "T17",
    title: "with all control credits in flight, io and sync still move",
    run: (rig) => movesBeside(rig, LANE_CONTROL),
  },
  {
    promise: "T17",
    title: "while payloads of io and sync wait for memory, commands without payload still move",
    run: movesWithoutMemory,
  },
]
