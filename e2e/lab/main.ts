/** `pnpm lab -- <command>`: the command in a guest; docs/LAB.md says what for. */
import { prepareLab, runInLab } from "./lab.js"
import { labOptions, USAGE } from "./options.js"
import { isWithMore } from "./peers.js"
import { LabError } from "./runs.js"

/** Of the lab itself, not of the command. */
const LAB_FAILED = 125

async function main(words: readonly string[]): Promise<number> {
  const options = labOptions(words)
  if (options.isHelp) {
    process.stdout.write(USAGE)
    return 0
  }
  const { guests, rdmaCount: count, rdmaKind: kind, peerKind: peer, peerMib: mib } = options
  const onWire = options.isRdmaOnWire ? { rdmaOnWire: kind } : {}
  const say = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
  const lab = await prepareLab(say, { isWithMore: isWithMore(peer, kind) })
  return runInLab(lab, {
    ...{ ...options, ...onWire },
    cwd: process.cwd(),
    ...(count > 0 ? { rdma: { count, kind } } : {}),
    ...(peer === undefined ? {} : { peer: { kind: peer, mib } }),
    onSaid: guests === 1 ? (_, bytes) => process.stdout.write(bytes) : sayByGuest(),
  })
}

/** Whole lines, with who says them. */
function sayByGuest(): (guest: number, bytes: Buffer) => void {
  const begun = new Map<number, string>()
  return (guest, bytes) => {
    const lines = `${begun.get(guest) ?? ""}${bytes.toString()}`.split("\n")
    begun.set(guest, lines.pop() ?? "")
    for (const line of lines) process.stdout.write(`${guest}: ${line}\n`)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof LabError)) throw error
  process.stderr.write(`lab: ${error.message}\n`)
  process.exitCode = LAB_FAILED
}
