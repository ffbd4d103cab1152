/**
 * Lives with the addon: processes and threads that end at every stage of its use, memory that is
 * collected meanwhile, crowds of threads, children. Each story is a process of its own, which is
 * over within its time, with the code and the words that it should end with.
 */
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { STAGES } from "./life/stages.js"
import { makeStories, type Stories, type Story } from "./life/stories.js"
import { native } from "./native.js"

jest.setTimeout(180_000)

const EXIT_CODE = 7
let stories: Stories

beforeAll(() => {
  stories = makeStories()
})

afterEach(() => {
  for (const name of readdirSync(stories.folder)) rmSync(join(stories.folder, name))
})

afterAll(() => stories.remove())

/** How a story ended: its code, or the signal, and all that it said. */
function told(story: Story): unknown {
  const { status, signal, stdout, stderr } = stories.tell(story)
  return { code: signal ?? status, said: stdout.trim().split("\n"), stderr }
}

describe.each(Object.keys(STAGES))("a life that %s", (stage) => {
  native("leaves at once where the process exits", async () => {
    expect(told({ way: "exit", stage })).toEqual({ code: EXIT_CODE, said: ["there"], stderr: "" })
  })

  native("is over where all is closed, and nothing keeps the process", async () => {
    expect(told({ way: "close", stage })).toEqual({
      code: 0,
      said: ["there", "closed"],
      stderr: "",
    })
  })

  native("ends with its thread, and disturbs no other", async () => {
    const said = [`leave ${EXIT_CODE}`, "fail 1", "terminate 1", "close 0", "unharmed"]
    expect(told({ way: "threads", stage })).toEqual({ code: 0, said, stderr: "" })
  })
})

native("memory that nobody knows any more is collected beside work of all kinds", async () => {
  const said = ["12 rounds"]
  expect(told({ way: "collecting", flags: ["--expose-gc"] })).toEqual({ code: 0, said, stderr: "" })
})

native("what is thrown in a call of the addon keeps nobody else from being told", async () => {
  expect(told({ way: "throwing" })).toEqual({ code: 0, said: ["others were told"], stderr: "" })
})

native("threads load the addon at the same moment, and end in any order", async () => {
  expect(told({ way: "crowding" })).toEqual({ code: 0, said: ["18 have worked"], stderr: "" })
})

native("a child inherits nothing, and however it ends, its parent goes on", async () => {
  expect(told({ way: "forking" })).toEqual({ code: 0, said: ["3 children"], stderr: "" })
})
