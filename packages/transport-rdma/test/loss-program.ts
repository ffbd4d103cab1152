/**
 * A program for a guest of the lab: paths and sessions that are lost in the middle of traffic.
 *
 * ```
 * loss-program HOST,HOST[,…] flap COUNT [POLICY]   paths are lost, by one side or the other
 * loss-program HOST,HOST[,…] link COUNT CARD       this card, at the other end of one, goes down
 * loss-program HOST[,HOST…] churn COUNT            sessions are
 * ```
 *
 * The other end of a card, and not the card: soft-RoCE that sends a call while its own card is down
 * takes none any more.
 *
 * While paths are lost, one at least is up: then the session stays, and every request is answered.
 * It says what it did, and each complaint; exit code 1 if there is any.
 */
import { execFileSync } from "node:child_process"
import { RmrError } from "@rmr/core"
import { seededRandom } from "@rmr/testkit/world"
import type { RdmaOptions } from "../src/index.js"
import type { Path } from "../src/path.js"
import type { RdmaSession } from "../src/session.js"
import { SwornTraffic } from "./sworn-traffic.js"

const [hostsText = "10.71.1.1", what = "churn", countText = "20", word] = process.argv.slice(2)
const HOSTS = hostsText.split(",")
const COUNT = Number(countText)
const PATIENCE_MS = 20_000
const random = seededRandom("losses").fork(what)
const policy = what === "flap" && word !== undefined ? { pathPolicy: word } : {}
const traffic = new SwornTraffic({ silenceMsMax: 3000, ...policy } as RdmaOptions)

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Or a complaint. */
async function until(is: () => boolean, text: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!is() && performance.now() < end) await sleep(5)
  if (!is()) traffic.complaints.push(`not ${text} after ${PATIENCE_MS} ms`)
}

/** As if its device had said so of one line of it, or the other side had fallen silent. */
function lose(session: RdmaSession, path: Path): void {
  session.losePath(path, new RmrError("link-lost", "on purpose"))
}

function pathsOf(session: RdmaSession | undefined): readonly Path[] {
  return session?.carrier.paths.up ?? []
}

function has(session: RdmaSession | undefined, number: number): boolean {
  return pathsOf(session).some((path) => path.number === number)
}

const ENDS = [() => traffic.session, () => traffic.accepted] as const

function isIdle(): boolean {
  return traffic.inFlight === 0 && traffic.wanted === 0
}

function areUp(): boolean {
  const { session, accepted } = traffic
  return pathsOf(session).length === HOSTS.length && pathsOf(accepted).length >= HOSTS.length
}

async function flap(): Promise<void> {
  const taken = new Map<number, number>()
  await until(areUp, "all paths up")
  for (let nth = 0; nth < COUNT && traffic.complaints.length === 0; nth++) {
    traffic.wanted += 40
    traffic.ask()
    await sleep(random.below(30))
    for (const { number, inFlight } of pathsOf(traffic.session)) {
      taken.set(number, (taken.get(number) ?? 0) + inFlight)
    }
    const [side, other] = random.below(2) === 0 ? ENDS : [...ENDS].reverse()
    // One must be left that is up on both sides, whoever has noticed what by now.
    const both = pathsOf(side!()).filter(({ number }) => has(other!(), number))
    if (both.length > 1) lose(side!()!, both[random.below(both.length)]!)
    if (nth % 4 === 3) await until(areUp, "all paths up again")
  }
  await until(isIdle, "all answered")
  if (traffic.downCount > 0) traffic.complaints.push("the session went down")
  if (traffic.brokenCount > 0) traffic.complaints.push(`${traffic.brokenCount} without an answer`)
  const { asking } = traffic.session!.carrier
  const { answering } = traffic.accepted!.carrier
  const { askedAgainCount, answeredAgainCount } = answering
  const counts = [asking.againCount, askedAgainCount, answeredAgainCount]
  if (counts.includes(0)) traffic.complaints.push("nothing was asked or answered again")
  const [again, known, answered] = counts
  process.stdout.write(`${taken.size} paths were taken, ${again} requests asked again: `)
  process.stdout.write(`${known} had come, of which ${answered} were answered\n`)
}

async function link(card = "peer1"): Promise<void> {
  await until(areUp, "all paths up")
  for (let nth = 0; nth < COUNT && traffic.complaints.length === 0; nth++) {
    traffic.wanted += 60
    traffic.ask()
    await sleep(random.below(20))
    execFileSync("ip", ["link", "set", card, "down"])
    await until(() => !areUp(), "a path lost")
    await until(isIdle, "all answered without it")
    execFileSync("ip", ["link", "set", card, "up"])
    await until(areUp, "all paths up again")
  }
  if (traffic.downCount > 0) traffic.complaints.push("the session went down")
  if (traffic.brokenCount > 0) traffic.complaints.push(`${traffic.brokenCount} without an answer`)
}

async function churn(): Promise<void> {
  for (let nth = 0; nth < COUNT && traffic.complaints.length === 0; nth++) {
    if (nth > 0) await traffic.dial()
    traffic.wanted = 60
    traffic.ask()
    await sleep(random.below(40))
    traffic.wanted = 0
    const side = random.below(2) === 0 ? traffic.session : traffic.accepted
    if (random.below(2) === 0) void side?.close()
    else for (const path of [...pathsOf(side)]) lose(side!, path)
    await until(() => traffic.downCount === nth + 1, `session ${nth + 1} down`)
  }
}

await traffic.connect(HOSTS)
await (what === "flap" ? flap() : what === "link" ? link(word) : churn())
await traffic.close()
for (const complaint of traffic.complaints) process.stdout.write(`${complaint}\n`)
process.stdout.write(
  `${traffic.completedCount} requests, ${traffic.complaints.length} complaints\n`,
)
process.exitCode = traffic.complaints.length === 0 ? 0 : 1
