/**
 * What the words of a run mean, what is refused, and which jobs and targets a shape has.
 */
import { argsOf } from "./fio.js"
import { kindsNamed, whyNotAt } from "./kinds.js"
import { HELP, optionsOf } from "./options.js"
import { jobsAt, siteInWords, sitesOf } from "./shapes.js"

const HEALTHY = { members: 2, state: "healthy" } as const

describe("options", () => {
  it("are two healthy members and one connection where nothing is said", () => {
    const options = optionsOf([])
    expect(options?.sites).toEqual([HEALTHY])
    expect(options?.connections).toEqual([1])
    expect(options?.targets).toContain("gluster")
    expect(options?.jobs.length).toBeGreaterThan(10)
  })

  it("add the ceilings where a folder has them, and find folders from here", () => {
    const options = optionsOf(["--ceilings", "some", "--targets", "pool", "--folder", "."])
    expect(options?.targets).toEqual(["pool", "ceiling-cpp", "ceiling-js"])
    expect(options?.folder).toBe(process.cwd())
    expect(options?.ceilings).toBe(`${process.cwd()}/some`)
  })

  it("have other bounds on a disk, and only jobs with a bound where it is quick", () => {
    expect(optionsOf(["--disk"])?.jobs[0]).toMatchObject({ must: 1.4 })
    expect(optionsOf(["--quick"])?.jobs.every(({ must }) => must !== undefined)).toBe(true)
  })

  it("name each word in the help, which is all that is said to who asks for it", () => {
    expect(optionsOf(["--help"])).toBeUndefined()
    const words = "only targets ceilings members connections states calls seconds rounds mib folder"
    for (const word of `${words} disk quick smoke json record against help`.split(" ")) {
      expect(HELP).toContain(`--${word}`)
    }
  })

  it.each([
    [["--only", "nothing like it"], /no job/],
    [["--members", "0"], /--members 0/],
    [["--members", "two"], /--members two/],
    [["--connections", "17"], /--connections 17/],
    [["--states", "fine"], /there are healthy, degraded, resyncing/],
    [["--members", "1", "--states", "degraded"], /always healthy/],
    [["--seconds", "0.5"], /--seconds 0.5/],
    [["--smoke", "--record"], /--smoke/],
    [["--unknown"], /unknown/],
  ])("refuse %j", (args, why) => {
    expect(() => optionsOf(args)).toThrow(why)
  })
})

describe("shapes", () => {
  const [job] = optionsOf([])?.jobs ?? []

  it("are all members in all states, but that a pool of one is always healthy", () => {
    const words = sitesOf([1, 3], ["healthy", "resyncing"]).map(siteInWords)
    expect(words).toEqual(["1 member, healthy", "3 members, healthy", "3 members, resyncing"])
  })

  it("promise something for two healthy members over one connection only", () => {
    const [promised] = jobsAt([job!], HEALTHY, 1)
    expect(promised).toBe(job)
    const others = [
      ...jobsAt([job!], { members: 3, state: "healthy" }, 1),
      ...jobsAt([job!], { members: 2, state: "degraded" }, 1),
      ...jobsAt([job!], HEALTHY, 4),
    ]
    expect(others.map(({ name }) => name)).toEqual([
      "4k randwrite, depth 32",
      "4k randwrite, depth 32, degraded",
      "4k randwrite, depth 32, 4 connections",
    ])
    for (const other of others) {
      expect(other.must ?? other.mustCpu ?? other.mustCalls).toBeUndefined()
    }
  })

  it("leave jobs out that have less depth than connections", () => {
    expect(jobsAt([{ ...job!, depth: 1 }], HEALTHY, 4)).toEqual([])
  })

  it("share depth and volume among connections", () => {
    const [four] = jobsAt([job!], HEALTHY, 4)
    const args = argsOf({ fio: ["--ioengine=nbd"] }, four!, 1, 2 ** 28)
    for (const arg of ["--iodepth=8", `--size=${2 ** 26}`, "--numjobs=4", "--group_reporting=1"]) {
      expect(args).toContain(arg)
    }
    expect(argsOf({ fio: [] }, job!, 1, 2 ** 28)).not.toContain("--group_reporting=1")
  })

  it("have the targets that can be had there", () => {
    const [quorum, gluster, pool] = kindsNamed(["pool", "quorum", "gluster"])
    const degraded = { members: 3, state: "degraded" } as const
    expect(whyNotAt(quorum!, degraded)).toBeUndefined()
    expect(whyNotAt(pool!, degraded)).toBeUndefined()
    expect(whyNotAt(gluster!, HEALTHY)).toBeUndefined()
    expect(whyNotAt(gluster!, degraded)).toBe("it has two copies")
    expect(whyNotAt(gluster!, { ...HEALTHY, state: "degraded" })).toBe("it is never degraded")
    expect(() => kindsNamed(["pool", "nobody"])).toThrow(/no target nobody, but single, nbdkit/)
  })
})
