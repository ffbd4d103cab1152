/**
 * The tour tells the truth: what it says about maps and members is what the pool on paper holds.
 */
import { differences, memberAt } from "./paper-pool.js"
import { tellStory } from "./story.js"

function told(): { lines: string[]; text: string; pool: ReturnType<typeof tellStory> } {
  const lines: string[] = []
  const pool = tellStory((line) => lines.push(line))
  return { lines, text: lines.join("\n"), pool }
}

describe("the tour", () => {
  it("P3: ends with all maps empty and all members equal", () => {
    const { pool } = told()
    expect(pool.members.map((member) => member.own.count)).toEqual([0, 0, 0])
    expect(differences(memberAt(pool, 0), memberAt(pool, 2))).toBe(0)
    expect(differences(memberAt(pool, 0), memberAt(pool, 1))).toBe(0)
    expect(memberAt(pool, 0).contents.some((held) => held !== 0)).toBe(true)
  })

  it("P4: what the survivors marked for the late member is exactly what differs", () => {
    const { text } = told()
    const [, first, second] = /misses: (\d+) and (\d+) chunks/.exec(text) ?? []
    const [, truth] = /(\d+) chunks of member 3 differ/.exec(text) ?? []
    expect(Number(truth)).toBeGreaterThan(40)
    expect([first, second]).toEqual([truth, truth])
  })

  it("drains to zero step by step", () => {
    const left = [...told().text.matchAll(/(\d+) dirty chunks left/g)].map(([, count]) =>
      Number(count),
    )
    expect(left.length).toBeGreaterThan(2)
    expect(left).toEqual([...left].sort((a, b) => b - a))
    expect(left.at(-1)).toBe(0)
  })

  it("shows the decisions that matter", () => {
    const { text } = told()
    expect(text).toContain("{1,2,3} did it: acknowledge")
    expect(text).toContain("{1,2} did it: wait for {3}")
    expect(text).toContain("may {2,3} go on if 1 dies now? hold: only {1,2} may be named (V3)")
    expect(text).toContain("leg 3      failed. It was late, lost or unfit")
    expect(text).toContain("{3}: wait for 1 of {1,2}, who may know more")
    expect(text).toContain("{2,3}: start with {2,3}")
    expect(text).toContain("the old one, when it wakes up: fenced")
  })

  it("is the same every time", () => {
    expect(told().lines).toEqual(told().lines)
  })

  it("fits a terminal", () => {
    expect(
      told()
        .lines.flatMap((line) => line.split("\n"))
        .filter((line) => line.length > 100),
    ).toEqual([])
  })
})
