/**
 * T3 under fire: sessions are cut and closed at random while requests are everywhere. In the end
 * every request has completed exactly once, and none was delivered twice.
 */
import type { Listener, Session } from "@rmr/core"
import { STATUS_OK, statusOf } from "@rmr/core"
import { check, checkEqual, checkList } from "../check.js"
import type { RigClause } from "./clause.js"
import { LANES } from "./content.js"
import type { Party } from "./party.js"
import type { TransportRig } from "./rig.js"

const ROUNDS = 60
const SESSIONS_MAX = 3
const LOST = [statusOf("link-lost"), statusOf("closed")]

class Load {
  readonly client: Party
  readonly server: Party
  private readonly rig: TransportRig
  private readonly listener: Listener
  private sessions: Session[] = []

  constructor(rig: TransportRig, client: Party, server: Party, listener: Listener) {
    this.rig = rig
    this.client = client
    this.server = server
    this.listener = listener
  }

  async round(): Promise<void> {
    const { rig } = this
    this.sessions = this.sessions.filter((session) => session.isUp)
    if (this.sessions.length < SESSIONS_MAX && rig.random.chance(0.7)) {
      this.sessions.push(await rig.settled(this.client.dial(this.listener), "session"))
    }
    for (const session of this.sessions) this.submitSome(session)
    if (rig.random.chance(0.5)) await rig.pass(rig.random.unit() * 3)
    this.answerSome()
    for (const session of this.sessions) await this.endPerhaps(session)
  }

  async finish(): Promise<void> {
    this.server.echo()
    const { silenceMsMax } = this.client.process.transport.supports
    await this.rig.allDone(this.client, 2 * silenceMsMax + 10_000)
    await this.rig.pass(50)
  }

  private submitSome(session: Session): void {
    const { random } = this.rig
    for (const lane of LANES) {
      const count = random.below(session.freeCredits(lane) + 1)
      for (let nth = 0; nth < count; nth++) {
        const bytes = random.chance(0.2) ? 0 : random.between(1, 5000)
        if (random.chance(0.5)) this.client.write(session, { lane, bytes })
        else this.client.read(session, { lane, bytes })
      }
    }
  }

  private answerSome(): void {
    for (const request of this.server.unanswered) {
      if (this.rig.random.chance(0.6)) this.server.answer(request)
    }
  }

  private async endPerhaps(session: Session): Promise<void> {
    const { random } = this.rig
    if (!session.isUp || !random.chance(0.15)) return
    if (random.chance(0.6)) await this.rig.power("sever")(session)
    else void session.close()
  }
}

async function loadWithDrops(rig: TransportRig): Promise<void> {
  const client = rig.party("client")
  const server = rig.party("server")
  const listener = await rig.settled(server.listen(), "listener")
  const load = new Load(rig, client, server, listener)
  for (let round = 0; round < ROUNDS; round++) await load.round()
  await load.finish()

  const seed = `(chance ${rig.random.path})`
  const answered = client.sent.filter((sent) => sent.completions[0]?.status === STATUS_OK)
  const lost = client.sent.filter((sent) => LOST.includes(sent.completions[0]?.status ?? -1))
  checkEqual(answered.length + lost.length, client.sent.length, `answered and lost ones ${seed}`)
  check(answered.length > 0 && lost.length > 0, `some to be answered and some lost ${seed}`)
  for (const sent of client.sent) {
    checkEqual(sent.completions.length, 1, `completions of request ${sent.token} ${seed}`)
  }
  for (const sent of answered) rig.checkEchoed(sent, `request ${sent.token} ${seed}`)
  checkList(client.strays, [], `completions of nobody's requests ${seed}`)

  const headers = server.requests.map((request) => request.header.join())
  checkEqual(new Set(headers).size, headers.length, `requests delivered once ${seed}`)
}

export const randomLoadClauses: readonly RigClause[] = [
  {
    promise: "T3",
    title: "under random load, with sessions cut and closed, every request completes exactly once",
    needs: ["sever"],
    run: loadWithDrops,
  },
]
