/**
 * What counts as passed, failed and skipped: a run must not look better than it was.
 */
import { commandStage, countingStage, countsOfLastLine } from "./command-stage.js"
import { type JestReport, outcomeOf } from "./jest-stage.js"
import { parseOptions } from "./options.js"
import { broken, countsLine, sum } from "./stage.js"
import { STAGES } from "./stage-list.js"
import { STAGES_BY_NAME } from "./stages.js"

const context = { say: (): void => undefined }
const LIMIT_MS = 20_000

describe("stages", () => {
  it("are the same in the list that help prints and in the table that runs them", () => {
    expect(Object.keys(STAGES_BY_NAME)).toEqual(STAGES.map(({ name }) => name))
  })
})

describe("a stage of commands", () => {
  it("runs every command, also after one that failed, and shows what failed", async () => {
    const stage = commandStage(LIMIT_MS, [
      ["sh", "-c", "echo wrong; exit 1"],
      ["sh", "-c", "echo right"],
    ])
    const outcome = await stage.run(context)
    expect(outcome).toMatchObject({ passed: 1, failed: 1 })
    expect(outcome.text).toContain("wrong")
    expect(outcome.text).not.toContain("right")
  })
})

describe("a program that counts by itself", () => {
  const counting = (script: string) => countingStage(LIMIT_MS, ["sh", "-c", script]).run(context)

  it("is believed where counts and exit code agree", async () => {
    expect(await counting("echo noise; echo 7 passed, 0 failed")).toMatchObject({ passed: 7 })
    expect(await counting("echo 7 passed, 2 failed; exit 1")).toMatchObject({ failed: 2 })
  })

  it.each([
    ["ends without counts", "echo fine"],
    ["tests nothing", "echo 0 passed, 0 failed"],
    ["fails without counting a failure", "echo 7 passed, 0 failed; exit 1"],
    ["prints its counts before its last line", "echo 7 passed, 0 failed; echo bye"],
  ])("counts as one failure when it %s", async (_, script) => {
    expect(await counting(script)).toMatchObject({ passed: 0, failed: 1 })
  })

  it("shows its lines while it runs", async () => {
    const lines: string[] = []
    const stage = countingStage(LIMIT_MS, ["sh", "-c", "echo states: 9; echo 1 passed, 0 failed"])
    await stage.run({ say: (line) => lines.push(line) })
    expect(lines).toEqual(["states: 9", "1 passed, 0 failed"])
  })

  it("says its counts in one shape only", () => {
    expect(countsOfLastLine("12 passed, 3 failed\n")).toEqual({ passed: 12, failed: 3 })
    expect(countsOfLastLine("12 passed")).toBeUndefined()
    expect(countsOfLastLine("about 12 passed, 3 failed")).toBeUndefined()
  })
})

describe("a Jest report", () => {
  function report(file: Partial<JestReport["testResults"][number]>): JestReport {
    const whole = {
      name: "a.test.ts",
      status: "passed",
      message: "",
      assertionResults: [],
      ...file,
    }
    return { testResults: [whole] }
  }

  it("counts a file that could not be loaded as a failure, with its message", () => {
    const outcome = outcomeOf(report({ status: "failed", message: "Cannot find module" }))
    expect(outcome).toMatchObject({ passed: 0, failed: 1 })
    expect(outcome.text).toContain("Cannot find module")
  })

  it("lists a skip that says why in its title", () => {
    const fullName = "jhash agrees with the kernel (skipped: no C compiler)"
    const outcome = outcomeOf(report({ assertionResults: [{ fullName, status: "pending" }] }))
    const skips = [{ title: "jhash agrees with the kernel", reason: "no C compiler" }]
    expect(outcome).toMatchObject({ passed: 0, failed: 0, skips })
  })

  it("counts a skip that does not say why as a failure", () => {
    const assertionResults = [{ fullName: "later", status: "pending" }]
    expect(outcomeOf(report({ assertionResults }))).toMatchObject({ failed: 1, skips: [] })
  })

  it("counts no tests at all as a failure", () => {
    expect(outcomeOf({ testResults: [] })).toMatchObject({ passed: 0, failed: 1 })
  })

  it("counts each failed test once, and not its file too", () => {
    const assertionResults = [
      { fullName: "a", status: "failed" },
      { fullName: "b", status: "passed" },
    ]
    const outcome = outcomeOf(report({ status: "failed", message: "a is wrong", assertionResults }))
    expect(outcome).toMatchObject({ passed: 1, failed: 1, text: "  a.test.ts\na is wrong" })
  })
})

describe("the total", () => {
  it("adds everything up and names skips only where there are some", () => {
    const skip = { title: "t", reason: "r" }
    const total = sum([broken("x"), { passed: 5, failed: 0, skips: [skip], text: "" }])
    expect(countsLine(total)).toBe("5 passed, 1 failed, 1 skipped")
    expect(countsLine(sum([]))).toBe("0 passed, 0 failed")
  })
})

describe("arguments", () => {
  it("select stages by name, in one word or two", () => {
    const picked = { only: ["unit", "lint"], bail: false, failedSteps: [] }
    expect(parseOptions(["--only", "unit,lint"])).toEqual(picked)
    expect(parseOptions(["--only=unit,lint"])).toEqual(picked)
  })

  it("are refused as a whole where one is unknown", () => {
    expect(parseOptions(["--only", "units"])).toHaveProperty("problem")
    expect(parseOptions(["--only"])).toHaveProperty("problem")
    expect(parseOptions(["--fast"])).toHaveProperty("problem")
  })
})
