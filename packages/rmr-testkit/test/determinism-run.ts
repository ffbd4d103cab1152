/**
 * One run with everything that could be decided by something else than the seed: promises, timers,
 * lives and deaths of hosts, clocks that drift, a disk with faults. Prints what came of it.
 */
import { nodeWorld } from "../src/node/index.js"
import { openDiskUser } from "../src/world/disk-user.js"
import type { Host } from "../src/world/host.js"
import { simDisk } from "../src/world/sim-disk.js"
import { traceDigest } from "../src/world/trace-digest.js"
import type { World } from "../src/world/world.js"

const BLOCK = 4096
const ROUNDS = 30

export async function run(seed: string): Promise<string> {
  const world = nodeWorld({ seed })
  const faults = { readError: 0.05, writeError: 0.05, lostWrite: 0.05, bitRot: 0.05, slow: 0.1 }
  const timing = { slow: [5, 50] } as const
  const disk = simDisk(world, { name: "d", sizeBytes: 64 * BLOCK, faults, timing })
  const hosts = ["a", "b", "c"].map((name) => world.host(name))
  for (const host of hosts) talk(world, host)
  for (let round = 0; round < ROUNDS; round++) {
    await world.settled(use(world, disk.source(), round), "end of a round")
    if (round % 7 === 0) disk.powerCut()
    else disk.kill()
    disturb(world, hosts)
    await world.runFor(world.random.fork(`round-${round}`).unit() * 20)
  }
  const content = traceDigest()
  for (const byte of disk.peek(0, disk.sizeBytes)) content.word(byte)
  // A last draw of every stream: whoever drew one number more or less shows here.
  const draws = [world.random, ...hosts.map((host) => host.env.random)].map((one) => one.u32())
  return [world.digest(), content.hex(), world.nowMs, world.log.records.length, ...draws].join(" ")
}

async function use(world: World, source: Parameters<typeof openDiskUser>[0], round: number) {
  const user = await openDiskUser(source, world.env)
  const random = world.random.fork(`use-${round}`)
  const all = Array.from({ length: 16 }, (_, at) => {
    const offset = random.below(60) * BLOCK
    const bytes = new Uint8Array(random.between(1, 4) * BLOCK).fill(at + round)
    return at % 4 === 3 ? user.read(offset, bytes.length) : user.write(offset, bytes)
  })
  const settled = await Promise.allSettled(all)
  for (const { status } of settled) world.trace(status)
}

/** Talks to itself by promises and timers for as long as it lives. */
function talk(world: World, host: Host): void {
  const { clock, random, log } = host.env
  const again = async (): Promise<void> => {
    for (;;) {
      await new Promise<void>((resolve) => {
        clock.schedule(random.unit() * 3, resolve)
      })
      clock.endOfTurn(() => world.trace(host.name, clock.nowMs()))
      if (random.below(5) === 0) log.write("info", "host.talked", { at: clock.wallMs() })
    }
  }
  void again()
}

function disturb(world: World, hosts: readonly Host[]): void {
  const random = world.random.fork(`disturb-${world.nowMs}`)
  const host = random.pick(hosts)
  switch (random.below(4)) {
    case 0:
      host.kill()
      host.restart()
      talk(world, host)
      return
    case 1:
      if (host.isPaused) host.resume()
      else host.pause({ clock: random.chance(0.5) ? "runs" : "stops" })
      return
    case 2:
      host.setClockRate(0.5 + random.unit())
      return
    default:
      host.skewWall(random.between(-1000, 1000))
  }
}

const [, script, seed] = process.argv
if (script?.endsWith("determinism-run.ts") === true && seed !== undefined) {
  void run(seed).then((line) => process.stdout.write(`${line}\n`))
}
