/** What holds for every verb: `--json` gives one JSON document on stdout, whatever happens. */
import {
  LEG_MACHINE,
  MAP_UPDATE_MACHINE,
  SERVER_POOL_MACHINE,
  STORE_LIFECYCLE_MACHINE,
  SYNC_LEG_MACHINE,
} from "@rmr/core"
import type { Command } from "commander"
import { program, rmrCommand } from "./program.js"

/** Nothing is there, for whatever a verb wants: a socket, a file, a configuration. */
const NOWHERE = "/nowhere/at/all"

/** `rmr demo` shows a view to a person. */
const verbs = leavesOf(rmrCommand({})).filter((verb) => verb.name() !== "demo")

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf)
}

function wordsOf(verb: Command): string[] {
  const own = [verb.name()]
  for (let at = verb.parent; at?.parent != null; at = at.parent) own.unshift(at.name())
  return own
}

/** What is written to stdout and stderr, and the exit code. */
async function ran(...words: string[]): Promise<{ out: string; err: string; code: unknown }> {
  const said = { out: "", err: "" }
  const log = jest.spyOn(console, "log").mockImplementation((text: string) => {
    said.out += text
  })
  const error = jest.spyOn(console, "error").mockImplementation((text: string) => {
    said.err += text
  })
  const before = process.exitCode
  try {
    await program(["node", "rmr", ...words])
    return { ...said, code: process.exitCode }
  } finally {
    process.exitCode = before
    log.mockRestore()
    error.mockRestore()
  }
}

describe("--json", () => {
  it.each(verbs.map((verb) => [wordsOf(verb).join(" "), verb] as const))(
    "rmr %s: what it fails with is JSON on stdout, and nothing else is said",
    async (_words, verb) => {
      const values = verb.registeredArguments.map(() => NOWHERE)
      const options = verb.options.flatMap(({ long, mandatory, required }) => {
        if (long === "--size") return ["--size", "1 MiB"]
        if (long === "--socket" || mandatory) return required ? [long ?? "", NOWHERE] : [long ?? ""]
        return []
      })
      const { out, err, code } = await ran(...wordsOf(verb), ...values, ...options, "--json")
      const { error } = JSON.parse(out) as { error: { code: string; detail: string } }
      expect(["unreachable", "not-found", "invalid-argument"]).toContain(error.code)
      expect(error.detail).toContain("/nowhere/at")
      expect([err, code]).toEqual(["", { unreachable: 3, "not-found": 1 }[error.code] ?? 2])
    },
  )

  it("a command line that is wrong is JSON as well, and 2", async () => {
    const { out, code } = await ran("stattus", "--json")
    expect(JSON.parse(out)).toEqual({
      error: {
        code: "invalid-argument",
        detail: "unknown command 'stattus'\n(Did you mean status?)",
      },
    })
    expect(code).toBe(2)
  })
})

it("without --json a failure is one line on stderr", async () => {
  const { out, err, code } = await ran("store", "inspect", NOWHERE)
  expect([out, err, code]).toEqual(["", `rmr: not-found: ${NOWHERE} does not exist`, 1])
})

describe("P11: what helps", () => {
  const named = new Set(leavesOf(rmrCommand({})).map((verb) => wordsOf(verb).join(" ")))
  const machines = [
    LEG_MACHINE,
    SYNC_LEG_MACHINE,
    SERVER_POOL_MACHINE,
    MAP_UPDATE_MACHINE,
    STORE_LIFECYCLE_MACHINE,
  ]
  const helps = machines.flatMap(({ name, states }) =>
    Object.entries(states).map(([state, { help }]) => [name, state, help] as const),
  )

  it.each(helps)("of a %s that is %s is a verb that there is", (_name, _state, help) => {
    for (const [, verb = ""] of help.matchAll(/`([^`]+)`/g)) expect(named).toContain(verb)
  })
})
