/** The command line of the lab. What is behind the first word that is no option is the command. */
import { PEER_KINDS, type PeerKind, peerKind, type RdmaKind } from "./peers.js"
import { LabError } from "./runs.js"

export const USAGE = `Usage: pnpm lab [options] -- <command> [arguments]

Runs the command as root in a throw-away guest with Debian's kernel, in this folder, and ends as it
ends. The guest sees the root of this machine and keeps what it writes to itself. One word is a line
for a shell.

  --guests N      so many guests on one wire, each with the command; GUEST says which it is, and
                  10.70.0.GUEST is its address (default 1)
  --rdma N        so many soft-RoCE devices in each, on 10.71.1.1, 10.71.2.1, …
  --rdma-wire     one on the wire of each guest, at 10.70.0.GUEST
  --siw           iWARP instead of RoCE
  --peer KIND     a device of two copies made by the guest's kernel; PEER_DEVICE is its path:
                  ${PEER_KINDS.join(", ")}
  --peer-mib MIB  of each copy, in the guest's memory (default 256)
  --seconds N     for the command; then the guest is ended, with exit code 124 (default 120)
  --memory MIB    of each guest; a quarter of it may be written to files (default 2048)
  --processors N  of each guest (default 2)
  --counted       a nanosecond of the guest is an instruction: its clocks count them, and what is
                  measured depends on no other load; slower, one processor, and without KVM
  --help          this
`

export interface LabOptions {
  readonly guests: number
  readonly rdmaCount: number
  readonly rdmaKind: RdmaKind
  readonly isRdmaOnWire: boolean
  readonly peerKind: PeerKind | undefined
  readonly peerMib: number
  readonly seconds: number
  readonly memoryMib: number
  readonly processors: number
  readonly isCounted: boolean
  readonly isHelp: boolean
  readonly command: readonly string[]
}

const SWITCHES: ReadonlySet<string> = new Set(["--rdma-wire", "--siw", "--counted", "--help"])
const NUMBERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  "--guests": [1, 8],
  "--rdma": [1, 16],
  "--peer-mib": [16, 16_384],
  "--seconds": [1, 7200],
  "--memory": [512, 65_536],
  "--processors": [1, 16],
}

/** Fails with `LabError`. */
export function labOptions(words: readonly string[]): LabOptions {
  // pnpm hands on the two dashes that end its own options.
  const rest = words[0] === "--" ? words.slice(1) : [...words]
  const given = new Map<string, number>()
  const switches = new Set<string>()
  let peer: PeerKind | undefined
  while (rest[0]?.startsWith("-")) {
    const option = rest.shift()!
    if (option === "--") break
    if (SWITCHES.has(option)) switches.add(option)
    else if (option === "--peer") peer = peerKind(rest.shift())
    else given.set(option, numberOf(option, rest.shift()))
  }
  const isHelp = switches.has("--help")
  if (rest.length === 0 && !isHelp) throw new LabError(`which command?\n\n${USAGE}`)
  const of = (option: string, otherwise: number): number => given.get(option) ?? otherwise
  const guests = of("--guests", 1)
  const isRdmaOnWire = switches.has("--rdma-wire")
  if (isRdmaOnWire && guests < 2) throw new LabError("--rdma-wire: a wire takes --guests 2 or more")
  const isCounted = switches.has("--counted")
  const processors = of("--processors", isCounted ? 1 : 2)
  if (isCounted && (processors > 1 || guests > 1)) {
    throw new LabError("--counted: instructions of one guest with one processor can be counted")
  }
  return {
    guests,
    rdmaCount: of("--rdma", switches.has("--siw") && !isRdmaOnWire ? 1 : 0),
    rdmaKind: switches.has("--siw") ? "siw" : "rxe",
    isRdmaOnWire,
    peerKind: peer,
    peerMib: of("--peer-mib", 256),
    seconds: of("--seconds", 120),
    memoryMib: of("--memory", 2048),
    processors,
    isCounted,
    isHelp,
    command: rest,
  }
}

function numberOf(option: string, text: string | undefined): number {
  const bounds = NUMBERS[option]
  if (bounds === undefined) throw new LabError(`there is no option ${option}\n\n${USAGE}`)
  const [least, most] = bounds
  const value = Number(text)
  if (!/^\d+$/.test(text ?? "") || value < least || value > most) {
    throw new LabError(`${option} ${text ?? ""}: it takes a whole number from ${least} to ${most}`)
  }
  return value
}
