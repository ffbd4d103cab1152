/**
 * The transport over RDMA, on devices of guests of the lab: every promise of the port, what ends
 * leaves nothing, and pools whose nodes are lost.
 *
 * Each run keeps the promises over soft-RoCE with payloads in rooms, and loses a node that is
 * killed. RMR_LONG=1, or `pnpm lab:full`, has the other ways of a payload, iWARP, and other losses.
 */
import { fileURLToPath } from "node:url"
import { type LabRun, prepareLab, runInLab } from "../lab/lab.js"
import { bundled } from "../lab/program.js"
import { isLong, itWhere, missing } from "./nbd-tools.js"
import { isBuilt, rmrWords } from "./rmr-program.js"
import { sanitizedEnv } from "./sanitized-addon.js"

jest.setTimeout(700_000)

const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
const FOLDER = fileURLToPath(new URL("../../packages/transport-rdma", import.meta.url))
const SUITE = `${FOLDER}/test/suite-program.ts`
const POOL = fileURLToPath(new URL("lab/rdma-pool.sh", import.meta.url))
/** A minute or two on a quiet machine, emulated. */
const SECONDS = 400

function whyNot(isOften: boolean, ...more: readonly string[]): string {
  if (!isOften && !isLong()) return "it takes a minute or two: RMR_LONG=1"
  const reasons = [
    missing("qemu-system-x86_64", "busybox", "depmod"),
    process.getuid?.() === 0 ? "" : "it needs root",
    isBuilt() ? "" : "the program is older than its sources: pnpm build",
    ...more,
  ]
  return reasons.filter((reason) => reason !== "").join(", ")
}

type InGuest = Pick<LabRun, "command" | "rdma" | "env">

async function inGuest(parts: InGuest): Promise<[number, string]> {
  const lab = await prepareLab(SAY, { isWithMore: parts.rdma?.kind === "siw" })
  let said = ""
  const code = await runInLab(lab, {
    ...{ ...parts, cwd: "/", seconds: SECONDS },
    onSaid: (_, bytes) => {
      said += bytes.toString()
    },
  })
  return [code, said]
}

const ONE = ["10.71.1.1"]
const TWO = ["10.71.1.1", "10.71.2.1"]
const THREE = [...TWO, "10.71.1.1"]

const WAYS = [
  { way: "placed", kind: "rxe", title: "with payloads in rooms", isOften: true },
  { way: "placed", kind: "rxe", title: "by two paths", isOften: false, hosts: TWO },
  { way: "exposed", kind: "rxe", title: "by two paths, from memory to memory", hosts: TWO },
  { way: "exposed", kind: "rxe", title: "with payloads from memory to memory", isOften: false },
  { way: "send", kind: "rxe", title: "told by messages", isOften: false },
  { way: "placed", kind: "siw", title: "over iWARP, which tells by messages", isOften: false },
  { way: "exposed", kind: "siw", title: "over iWARP, from memory to memory", isOften: false },
] as const

interface Way {
  readonly way: string
  readonly kind: "rxe" | "siw"
  readonly title: string
  readonly isOften?: boolean
  readonly hosts?: readonly string[]
}

for (const { way, kind, title, ...more } of WAYS as readonly Way[]) {
  const { isOften = false, hosts = ONE } = more
  itWhere(`every promise of the port is kept over RDMA, ${title}`, whyNot(isOften), async () => {
    // Beside `src`, so that it finds the native addon.
    const program = await bundled(SUITE, `${FOLDER}/.cache`)
    const command = [process.execPath, "--enable-source-maps", program, hosts.join(), way]
    const [code, said] = await inGuest({ command, rdma: { count: hosts.length, kind } })
    const broken = said.split("\n").filter((line) => !/^ok \d+ ms T\d/.test(line))
    expect({ code, broken }).toEqual({ code: 0, broken: [expect.stringMatching(/ 0 broken$/), ""] })
    expect(said.split("\n").length).toBeGreaterThan(100)
  })
}

const POLICIES = [
  { policy: "min-inflight", isOften: true },
  { policy: "round-robin", isOften: false },
  { policy: "min-latency", isOften: false },
] as const

for (const { policy, isOften } of POLICIES) {
  itWhere(
    `paths are lost again and again over RDMA, and no request is, by ${policy}`,
    whyNot(isOften),
    async () => {
      const program = await bundled(`${FOLDER}/test/loss-program.ts`, `${FOLDER}/.cache`)
      const losses = isOften ? "24" : "100"
      const command = [process.execPath, program, THREE.join(), "flap", losses, policy]
      const [code, said] = await inGuest({ command, rdma: { count: 2, kind: "rxe" } })
      expect({ code, said }).toEqual({ code: 0, said })
      expect(said).toMatch(/\n\d+ requests, 0 complaints\n$/)
    },
  )
}

itWhere(
  "the link of a path goes down and up over RDMA, and no request is lost",
  whyNot(false),
  async () => {
    const program = await bundled(`${FOLDER}/test/loss-program.ts`, `${FOLDER}/.cache`)
    const command = [process.execPath, program, TWO.join(), "link", "10", "peer1"]
    const [code, said] = await inGuest({ command, rdma: { count: 2, kind: "rxe" } })
    expect({ code, said }).toEqual({ code: 0, said })
    expect(said).toMatch(/\d+ requests, 0 complaints\n$/)
  },
)

itWhere(
  "sessions end in the middle of traffic over RDMA, again and again",
  whyNot(false),
  async () => {
    const program = await bundled(`${FOLDER}/test/loss-program.ts`, `${FOLDER}/.cache`)
    const command = [process.execPath, program, "10.71.1.1", "churn", "200"]
    const [code, said] = await inGuest({ command, rdma: { count: 1, kind: "rxe" } })
    expect({ code, said }).toEqual({ code: 0, said })
    expect(said).toMatch(/\d+ requests, 0 complaints\n$/)
  },
)

const STAGES = ["opened", "listening", "dialing", "up", "in flight"]
const ENDS = ["exit: 7", "throw: 1", "terminate: 1", "close: 0"]

/**
 * What was allocated by the addon, or by libraries that it alone uses, and is lost: the frame that
 * called malloc says who. What Node allocates for the addon it may lose itself: it does not free
 * externals that nobody collects before a thread ends.
 */
function leaksOf(said: string): readonly string[] {
  const isOurs = /^ +#1 .*(transport-rdma\/native|rmr-rdma|libibverbs|librdmacm|lib(rxe|siw|nl)-)/m
  const leaks = said.split("\n\n").filter((part) => /^(Direct|Indirect) leak of /.test(part))
  return leaks.filter((leak) => isOurs.test(leak))
}

itWhere(
  "threads end at every stage over RDMA, watched by AddressSanitizer and UBSan",
  whyNot(false, missing("gcc")),
  async () => {
    const program = await bundled(`${FOLDER}/test/life-program.ts`, `${FOLDER}/.cache`)
    const command = [process.execPath, "--expose-gc", program, "10.71.1.1"]
    const env = await sanitizedEnv()
    const [code, said] = await inGuest({ command, rdma: { count: 1, kind: "rxe" }, env })
    const ends = STAGES.flatMap((stage) => ENDS.map((end) => `${stage}, ${end}`))
    const lines = [...ends, "nobody else was harmed", ""]
    expect({ code, lines: said.split("\n") }).toEqual({ code: 0, lines })
  },
)

itWhere(
  "sessions, dials and threads leave nothing of a device, no descriptor and no memory",
  whyNot(false, missing("gcc")),
  async () => {
    const program = await bundled(`${FOLDER}/test/leak-program.ts`, `${FOLDER}/.cache`)
    const command = [process.execPath, "--expose-gc", program, "10.71.1.1", "3"]
    const env = await sanitizedEnv(1)
    const [code, said] = await inGuest({ command, rdma: { count: 1, kind: "rxe" }, env })
    const told = said.match(/^(after|in a|nothing|something|\w*Error).*$/gm)
    const left = [expect.any(String), expect.any(String), expect.any(String), "nothing is left"]
    expect({ code, told, leaks: leaksOf(said) }).toEqual({ code: 0, told: left, leaks: [] })
    // It was looked for; Node itself always loses something.
    expect(said).toContain("LeakSanitizer")
  },
)

itWhere(
  "every promise of the port is kept over RDMA, watched by AddressSanitizer and UBSan",
  whyNot(false, missing("gcc")),
  async () => {
    const program = await bundled(SUITE, `${FOLDER}/.cache`)
    const command = [process.execPath, program, "10.71.1.1", "placed"]
    const env = await sanitizedEnv()
    const [code, said] = await inGuest({ command, rdma: { count: 1, kind: "rxe" }, env })
    expect({ code, said }).toEqual({ code: 0, said })
    expect(said).toMatch(/\n\d{3} kept, 0 broken\n$/)
  },
)

const LOSSES = [
  { how: "killed", title: "is killed", isOften: true },
  { how: "pulled", title: "loses its device", isOften: false },
  { how: "unlinked", title: "is cut off from the network by its card", isOften: false },
  { how: "mixed", title: "is killed, with another one behind TCP", isOften: false },
  { how: "path", title: "loses one of its two paths", isOften: false },
] as const

for (const { how, title, isOften } of LOSSES) {
  const why = whyNot(isOften, missing("fio", "nbdinfo"))
  itWhere(`a pool over RDMA loses nothing when a node ${title}`, why, async () => {
    const command = ["sh", POOL, how, process.execPath, ...rmrWords()]
    const [code, said] = await inGuest({ command, rdma: { count: 4, kind: "rxe" } })
    expect({ code, said }).toEqual({ code: 0, said })
    expect(said).toContain("the same on all three")
  })
}
