/** Schedules of faults: a seed is one schedule, and a pool of three survives each of them. */
import { seededRandom } from "@rmr/testkit"
import { CLIENT, type Step, schedule, wordsOf } from "./schedule.js"

const NODES = 3
const SEEDS = 200
const STEPS = 40

function stepsOf(seed: number, isShort: boolean): Step[] {
  const steps: Step[] = []
  for (const step of schedule(seededRandom(seed), NODES, isShort)) {
    steps.push(step)
    if (steps.length === STEPS) break
  }
  return steps
}

const seeds = Array.from({ length: SEEDS }, (_, seed) => seed)

describe("a schedule of faults", () => {
  it("is the same for the same seed, and another for another one", () => {
    const told = seeds.map((seed) => stepsOf(seed, false).map(wordsOf).join("\n"))
    expect(seeds.map((seed) => stepsOf(seed, false).map(wordsOf).join("\n"))).toEqual(told)
    expect(new Set(told).size).toBe(SEEDS)
  })

  it("ends each fault, and begins none before the last one of its host has ended", () => {
    for (const { faults, name } of seeds.flatMap((seed) => stepsOf(seed, seed % 2 === 0))) {
      const freeAt = new Map<number, number>()
      for (const { fault, atMs, forMs } of faults) {
        const hosts = fault.what === "cut" ? [fault.from, fault.to] : [fault.host]
        for (const host of hosts)
          expect([name, host >= CLIENT && host <= NODES]).toEqual([name, true])
        expect([name, atMs >= 0 && forMs > 0]).toEqual([name, true])
        if (fault.what === "cut") continue
        expect([name, atMs >= (freeAt.get(fault.host) ?? 0)]).toEqual([name, true])
        freeAt.set(fault.host, atMs + forMs)
      }
    }
  })

  it("has one step of each group where it is short: the client goes, and IO has to wait", () => {
    for (const seed of seeds) {
      const steps = stepsOf(seed, true)
      expect(steps).toHaveLength(4)
      const dies = steps.filter(({ faults }) => {
        return faults.some(({ fault }) => {
          return fault.what !== "cut" && fault.what.match(/kill|stop/) && fault.host === CLIENT
        })
      })
      expect(dies).toHaveLength(1)
      expect(steps.every(({ isAwaited }) => isAwaited)).toBe(true)
    }
  })
})
