/**
 * The kernel's own NBD client on the device of a pool, which takes a kernel that has one: a guest,
 * with daemons, device and file system. What happens there is in lab/kernel-nbd.sh.
 */
import { fileURLToPath } from "node:url"
import { prepareLab, runInLab } from "../lab/lab.js"
import { itWhere, missing } from "./nbd-tools.js"
import { isBuilt, rmrWords } from "./rmr-program.js"

jest.setTimeout(400_000)

const SAY = (line: string): boolean => process.stderr.write(`lab: ${line}\n`)
/** A minute on a quiet machine, emulated. */
const SECONDS = 240
const SCRIPT = fileURLToPath(new URL("lab/kernel-nbd.sh", import.meta.url))
const OFF = [
  missing("qemu-system-x86_64", "busybox", "depmod", "nbd-client", "mkfs.ext4", "fsck.ext4"),
  process.getuid?.() === 0 ? "" : "it needs root",
  // Sources take minutes to start where compiled code is twenty times slower.
  isBuilt() ? "" : "rmr is older than its sources: pnpm build",
]

itWhere(
  "P1: the kernel's NBD client loses nothing when a storage node is killed",
  OFF.filter((reason) => reason !== "").join(", "),
  async () => {
    const lab = await prepareLab(SAY)
    let said = ""
    const code = await runInLab(lab, {
      ...{ command: ["sh", SCRIPT, process.execPath, ...rmrWords()], cwd: "/", seconds: SECONDS },
      onSaid: (_, bytes) => {
        said += bytes.toString()
      },
    })
    expect({ code, said }).toEqual({ code: 0, said })
    expect(said).toContain("the same on both")
  },
)
