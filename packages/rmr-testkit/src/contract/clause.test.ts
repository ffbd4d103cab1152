import { AssertionError, RmrError } from "@rmr/core"
import { check, checkAsserts, checkBytes, checkEqual, checkFails, checkList } from "./check.js"
import type { Clause, Fixture } from "./clause.js"
import { brokenPromises, clauseTitle, runAll } from "./clause.js"
import { runClauses } from "./runner.js"

interface Counter {
  value: number
}

const clauses: readonly Clause<Counter>[] = [
  { promise: "N10", title: "starts at zero", run: (counter) => checkEqual(counter.value, 0, "it") },
  {
    promise: "N2",
    title: "counts",
    run: async (counter) => {
      counter.value++
      await undefined
      checkEqual(counter.value, 1, "the value")
    },
  },
]

describe("runAll", () => {
  it("gives every clause a harness of its own and takes each down", async () => {
    const made: Counter[] = []
    const closed: Counter[] = []
    const fixture: Fixture<Counter> = {
      open: () => {
        const counter = { value: 0 }
        made.push(counter)
        return counter
      },
      close: (counter) => void closed.push(counter),
    }
    const outcomes = await runAll(clauses, fixture)
    expect(brokenPromises(outcomes)).toEqual([])
    expect(made.length).toBe(2)
    expect(closed).toEqual(made)
  })

  it("goes on after a failure and names broken promises by number, not by alphabet", async () => {
    const outcomes = await runAll(clauses, { open: () => ({ value: 5 }) })
    expect(brokenPromises(outcomes)).toEqual(["N2", "N10"])
    expect(outcomes[0]?.error?.message).toBe("expected it: 0, but it is 5")
  })

  it("reports what the clause threw, not what taking down threw after it", async () => {
    const close = (): Promise<void> => Promise.reject(new Error("left something behind"))
    const failed = await runAll(clauses, { open: () => ({ value: 5 }), close })
    expect(failed[0]?.error?.message).toContain("expected it")
    const passed = await runAll(clauses, { open: () => ({ value: 0 }), close })
    expect(passed[0]?.error?.message).toBe("left something behind")
  })

  it("reports the clause also where taking down throws before it can wait", async () => {
    const close = (): void => {
      throw new Error("left something behind")
    }
    const failed = await runAll(clauses, { open: () => ({ value: 5 }), close })
    expect(failed[0]?.error?.message).toContain("expected it")
  })
})

describe("runClauses", () => {
  it("declares one test per clause, titled by its promise", async () => {
    const titles: string[] = []
    const bodies: (() => Promise<void>)[] = []
    const runner = {
      describe: (title: string, body: () => void): void => {
        titles.push(title)
        body()
      },
      it: (title: string, body: () => Promise<void>): void => {
        titles.push(title)
        bodies.push(body)
      },
    }
    runClauses("counter", clauses, { open: () => ({ value: 0 }) }, runner)
    expect(titles).toEqual(["counter", ...clauses.map(clauseTitle)])
    await Promise.all(bodies.map((body) => body()))
  })
})

describe("checks", () => {
  it("say what was expected when they fail, and nothing when they hold", async () => {
    check(true, "")
    expect(() => check(false, "a door")).toThrow(new AssertionError("expected a door"))
    checkEqual(Number.NaN, Number.NaN, "same")
    checkList([1, 2], [1, 2], "same")
    expect(() => checkList([1, 2], [1, 3], "list")).toThrow("expected list: [1,3]")
    checkBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2), "same")
    expect(() => checkBytes(Uint8Array.of(1, 9), Uint8Array.of(1, 2), "bytes")).toThrow(
      "expected bytes: byte 1 to be 0x02, but it is 0x09",
    )
    expect(() => checkBytes(Uint8Array.of(1), Uint8Array.of(1, 2), "bytes")).toThrow("length")
  })

  it("tell a refusal by assertion from an error of the world, and from acceptance", () => {
    checkAsserts(() => check(false, "it"), "a call")
    const fails = (): never => {
      throw new RmrError("busy", "in use")
    }
    expect(() => checkAsserts(fails, "a call")).toThrow('not by RmrError "busy: in use"')
    expect(() => checkAsserts(() => 1, "a call")).toThrow("but it was accepted")
  })

  it("tell a code from another code, and from success", async () => {
    const busy = (): Promise<never> => Promise.reject(new RmrError("busy", "in use"))
    expect((await checkFails(busy(), "busy", "opening")).detail).toBe("in use")
    await expect(checkFails(busy(), "closed", "opening")).rejects.toThrow("with closed, not with")
    await expect(checkFails(Promise.resolve(3), "busy", "opening")).rejects.toThrow("it gave 3")
  })
})
