/**
 * What others do in the kernel, set up in a guest: what is written to the device is read again, and
 * is on both of its copies.
 *
 * One of them is tried in each run: the one whose modules are built here. RMR_LONG=1 tries all.
 */
import { prepareLab, runInLab } from "../lab/lab.js"
import { isWithMore, PEER_KINDS, type PeerKind } from "../lab/peers.js"
import { isLong, itWhere, missing, type Tool } from "./nbd-tools.js"

jest.setTimeout(600_000)

const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
/** Emulated, the slowest ends after half of it. */
const SECONDS = 60
const ALWAYS: PeerKind = "md-rnbd"
/** What each takes besides the lab itself. */
const TOOLS: Readonly<Record<PeerKind, readonly Tool[]>> = {
  "md-nbd": ["mdadm", "nbdkit", "nbd-client"],
  "md-nvme-tcp": ["mdadm"],
  "md-nvme-rdma": ["mdadm"],
  "md-rnbd": ["mdadm", "make", "gcc"],
  drbd: ["drbdsetup"],
}

function whyNot(kind: PeerKind): string {
  if (!isLong() && kind !== ALWAYS) return "it takes half a minute: RMR_LONG=1"
  const lacking = missing("qemu-system-x86_64", "busybox", "depmod", "fio", ...TOOLS[kind])
  const reasons = [lacking, process.getuid?.() === 0 ? "" : "it needs root"]
  return reasons.filter((reason) => reason !== "").join(", ")
}

const WRITTEN_MIB = 4
const LOAD = [
  ...["fio", "--name=load", '--filename="$PEER_DEVICE"', "--direct=1", "--ioengine=libaio"],
  ...["--iodepth=8", "--rw=randwrite", "--bs=4k", `--size=${WRITTEN_MIB}m`, "--eta=never"],
  ...["--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--randrepeat=0"],
].join(" ")
/** A line for the device and for each copy: the sum of what was written. */
const LINES = [
  `${LOAD} > /run/load.said 2>&1 || { cat /run/load.said; exit 1; }`,
  "sync",
  'for disk in "$PEER_DEVICE" $PEER_COPIES; do',
  `dd if="$disk" iflag=direct bs=1M count=${WRITTEN_MIB} status=none | sha256sum`,
  "done",
].join("\n")

for (const kind of PEER_KINDS) {
  itWhere(`${kind} keeps what is written to it twice`, whyNot(kind), async () => {
    const lab = await prepareLab(SAY, { isWithMore: isWithMore(kind, "rxe") })
    let said = ""
    const code = await runInLab(lab, {
      ...{ command: [LINES], cwd: "/", seconds: SECONDS, peer: { kind, mib: 64 } },
      onSaid: (_, bytes) => {
        said += bytes.toString()
      },
    })
    const sums = said.trimEnd().split("\n")
    expect({ code, said, sums: sums.length }).toEqual({ code: 0, said, sums: 3 })
    expect(sums[0]).toMatch(/^[0-9a-f]{64} /)
    expect(new Set(sums).size).toBe(1)
  })
}
