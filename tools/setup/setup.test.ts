/**
 * The parts of the set-up that decide: which package to install, what is done already, who may go
 * on.
 */
import { readFileSync } from "node:fs"
import { bestMatch, parseList } from "./debian.js"
import { takeLock } from "./lock.js"
import { at, pinnedPnpm, readJson } from "./paths.js"
import { contentStamp, statStamp } from "./stamps.js"
import { type Step, setUp } from "./steps.js"

describe("debian-packages.txt", () => {
  it("names the feature that needs each package", () => {
    const wanted = parseList(readFileSync(at("tools/setup/debian-packages.txt"), "utf8"))
    expect(wanted.map(({ names }) => names[0])).toContain("linux-headers-*-common")
    expect(() => parseList("nbd-client\n")).toThrow('"nbd-client" does not say which feature')
  })

  it("finds the newest of the packages that a pattern fits, by number and not by text", () => {
    const known = [
      "linux-headers-6.1.0-9-common",
      "linux-headers-6.1.0-50-common",
      "linux-headers-6.1.0-50-common-rt",
      "linux-headers-6.1.0-100-amd64",
    ]
    expect(bestMatch(["linux-headers-*-common"], known)).toBe("linux-headers-6.1.0-50-common")
  })

  it("takes an alternative only where the earlier names fit nothing", () => {
    expect(bestMatch(["g++", "clang"], ["clang", "g++"])).toBe("g++")
    expect(bestMatch(["g++", "clang"], ["clang", "ggg"])).toBe("clang")
    expect(bestMatch(["g++"], ["ggg"])).toBeUndefined()
  })
})

describe("package.json", () => {
  const manifest = readJson(at("package.json"))

  it("pins pnpm once: the version that installs is the version that is installed", () => {
    expect(manifest["devDependencies"]["pnpm"]).toBe(pinnedPnpm())
    expect(pinnedPnpm()).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it("asks for a Node version that main.mjs can read", () => {
    expect(manifest["engines"]["node"]).toMatch(/^>=\d+\.\d+$/)
  })
})

describe("stamps", () => {
  it("of content change with any file, also with one that is missing, and with any word", () => {
    const stamps = [
      contentStamp(["package.json"]),
      contentStamp(["package.json", "no-such-file"]),
      contentStamp(["pnpm-lock.yaml"]),
      contentStamp(["package.json"], ["linux"]),
    ]
    expect(new Set(stamps).size).toBe(stamps.length)
    expect(contentStamp(["package.json"])).toBe(stamps[0])
  })

  it("of sources walk folders and leave out what is no input", () => {
    const all = statStamp(["tools/setup"], () => true)
    expect(statStamp(["tools/setup"], (path) => !path.endsWith("/run.js"))).not.toBe(all)
    expect(statStamp(["tools/setup"], () => true)).toBe(all)
  })
})

describe("setUp", () => {
  const quiet = (): void => undefined

  function step(name: string, parts: Partial<Step>): Step {
    return {
      name,
      title: name,
      after: [],
      required: true,
      state: () => ({ isDone: false, notes: [] }),
      run: async () => ({ ok: true, notes: [] }),
      ...parts,
    }
  }

  it("starts a step after those it needs, and never one whose need failed", async () => {
    const order: string[] = []
    const outcome = await setUp(
      [
        step("install", {
          run: async () => {
            order.push("install")
            return { ok: false, text: "no network" }
          },
        }),
        step("build", {
          after: ["install"],
          run: async () => {
            order.push("build")
            return { ok: true, notes: [] }
          },
        }),
      ],
      quiet,
    )
    expect(order).toEqual(["install"])
    expect(outcome).toEqual({ ok: false, failed: ["install", "build"] })
  })

  it("does nothing for a step that is done, but still says what is off", async () => {
    const said: string[] = []
    const done = step("debian", {
      state: () => ({ isDone: true, notes: ["off: something"] }),
      run: () => Promise.reject(new Error("ran")),
    })
    expect(await setUp([done], (line) => said.push(line))).toEqual({ ok: true, failed: [] })
    expect(said).toEqual(["off: something"])
  })

  it("lets the job start without a step that is not required, and names it", async () => {
    const failing = step("build", {
      required: false,
      run: async () => ({ ok: false, text: "type error" }),
    })
    expect(await setUp([failing], quiet)).toEqual({ ok: true, failed: ["build"] })
  })

  it("takes a step that throws for one that failed", async () => {
    const throwing = step("debian", { run: () => Promise.reject(new Error("list is wrong")) })
    const said: string[] = []
    const outcome = await setUp([throwing], (line) => said.push(line))
    expect(outcome.failed).toEqual(["debian"])
    expect(said.join("\n")).toContain("list is wrong")
  })
})

describe("takeLock", () => {
  it("lets the second set-up of a working tree wait until the first is over", async () => {
    const name = `lock test of process ${process.pid}`
    const said: string[] = []
    const release = await takeLock((line) => said.push(line), { name })
    const second = takeLock((line) => said.push(line), { name })
    await expect(takeLock(() => undefined, { name, waitMsMax: 0 })).rejects.toThrow("for too long")
    expect(said).toEqual(["waiting for another set-up of this working tree to end …"])
    await release()
    const releaseSecond = await second
    await releaseSecond()
  })
})
