/**
 * T10: a link that is lost, by a cut or by silence, ends everything once, on both sides, in time.
 */
import { LANE_IO, NO_SLOT, statusOf } from "@rmr/core"
import { check, checkEqual, checkList } from "../check.js"
import type { RigClause } from "./clause.js"
import { checkDown } from "./close.js"
import { LANES } from "./content.js"
import type { Sent } from "./records.js"
import type { Pair, TransportRig } from "./rig.js"

const LINK_LOST = statusOf("link-lost")
/** What a loop may be late. */
const GRACE_MS = 1000

/** As much in flight as credits allow: some arrived, some answered, some still on their way. */
async function load(rig: TransportRig, { client, server, dialed }: Pair): Promise<Sent[]> {
  const sent: Sent[] = []
  for (const lane of LANES) {
    while (dialed.freeCredits(lane) > 1) sent.push(client.read(dialed, { lane })!)
  }
  await rig.until(() => server.requests.length === sent.length, "requests")
  server.answer(server.requests[0]!)
  for (const lane of LANES) sent.push(client.write(dialed, { lane })!)
  return sent
}

async function endsByLoss(
  rig: TransportRig,
  pair: Pair,
  sent: readonly Sent[],
  limitMs: number,
): Promise<void> {
  const { client, server, dialed, accepted } = pair
  const areDown = (): boolean => client.downs.length > 0 && server.downs.length > 0
  await rig.until(areDown, "both sides to notice", limitMs)
  for (const each of sent) {
    checkEqual(each.completions.length, 1, `completions of request ${each.token}`)
    if (each.completion.status === 0) rig.checkEchoed(each, "a request answered in time")
    else rig.checkEnded(each, LINK_LOST, "a request in flight")
  }
  check(
    sent.some((each) => each.completion.status === LINK_LOST),
    "some to have been lost",
  )
  checkDown(client, dialed, "link-lost", sent)
  checkDown(server, accepted, "link-lost")
  checkEqual(dialed.reserve(LANE_IO), NO_SLOT, "slot of a lost session")
  await rig.pass(50)
  checkEqual(client.downs.length, 1, "times that the client was told of the end")
  checkEqual(server.downs.length, 1, "times that the server was told of the end")
  checkList(client.strays, [], "completions after the end")
  checkList(server.strays, [], "requests after the end")
}

export const severClauses: readonly RigClause[] = [
  {
    promise: "T10",
    title: "a session that is cut completes what is in flight with link-lost, then reports the end",
    needs: ["sever"],
    run: async (rig) => {
      const pair = await rig.pair()
      const sent = await load(rig, pair)
      const { silenceMsMax } = pair.client.process.transport.supports
      await rig.power("sever")(pair.dialed)
      await endsByLoss(rig, pair, sent, silenceMsMax + GRACE_MS)
    },
  },
  {
    promise: "T10",
    title: "silence under load is noticed on both sides within silenceMsMax",
    needs: ["silence"],
    run: async (rig) => {
      const pair = await rig.pair()
      const sent = await load(rig, pair)
      const { silenceMsMax } = pair.client.process.transport.supports
      await rig.power("silence")(pair.dialed)
      await endsByLoss(rig, pair, sent, silenceMsMax + GRACE_MS)
    },
  },
  {
    promise: "T10",
    title: "silence of an idle session is noticed on both sides within silenceMsMax",
    needs: ["silence"],
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      const { silenceMsMax } = client.process.transport.supports
      await rig.power("silence")(dialed)
      const areDown = (): boolean => client.downs.length > 0 && server.downs.length > 0
      await rig.until(areDown, "both sides to notice", silenceMsMax + GRACE_MS)
      checkDown(client, dialed, "link-lost")
      checkDown(server, accepted, "link-lost")
    },
  },
  {
    promise: "T10",
    title: "a session that is idle for long is not taken for silent",
    run: async (rig) => {
      const { client, server, dialed, accepted } = await rig.pair()
      await rig.pass(4 * client.process.transport.supports.silenceMsMax)
      check(dialed.isUp && accepted.isUp, "an idle session to be up")
      server.echo()
      const sent = client.write(dialed)!
      await rig.done(sent)
      rig.checkEchoed(sent, "a request after a long rest")
    },
  },
  {
    promise: "T10",
    title: "a lost session is followed by a fresh one, which hears nothing of the old one",
    needs: ["sever"],
    run: async (rig) => {
      const pair = await rig.pair()
      const { client, server, listener } = pair
      const old = await load(rig, pair)
      await rig.power("sever")(pair.dialed)
      await rig.until(() => client.downs.length > 0, "the client to notice")
      const fresh = await rig.connect(client, server, listener)
      // Late requests of the old session are answered too, and their answers go nowhere.
      server.echo()
      const sent = [client.write(fresh.dialed)!, client.read(fresh.dialed)!]
      await rig.done(...sent)
      for (const each of sent) rig.checkEchoed(each, "a request of the fresh session")
      await rig.pass(50)
      for (const each of old) checkEqual(each.completions.length, 1, "completions of the old one")
      checkList(client.strays, [], "completions of nobody's requests")
    },
  },
]
