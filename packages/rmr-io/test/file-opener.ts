/**
 * A program that opens a file, tells how that went, and keeps it until its input ends.
 *
 * Run as a child with and without the native addon: `file-opener.ts PATH`. It answers one line of
 * JSON.
 */
import { BLOCK_UNMAP, type BlockFile, buddyMemory, RmrError } from "@rmr/core"
import { fastChecksum, fileSource, nativeStatus, pageArenas, realEnv } from "../src/index.js"

/** What the line says. */
export interface Opening {
  readonly isLoaded: boolean
  readonly reason: string
  readonly checksum: string
  /** Of 4,096 bytes of 7. */
  readonly sum: number
  /** The code that the opening failed with, or empty. */
  readonly refusal: string
  readonly unmap: boolean
  /** What zeroing the whole file ended with. */
  readonly zeroStatus: number
}

const BYTES = 4096

if (process.argv[2] !== undefined) await main(process.argv[2])

async function main(path: string): Promise<void> {
  let zeroed: (status: number) => void = () => undefined
  const zeroStatus = new Promise<number>((resolve) => {
    zeroed = resolve
  })
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 16 })
  const events = {
    onCompletions: ({ words }: { words: Int32Array }): void => zeroed(words[1]!),
  }
  let file: BlockFile | undefined
  let refusal = ""
  try {
    file = await fileSource(path).open({ env: realEnv(), memory, events })
    file.zero(0, 0, file.sizeBytes, BLOCK_UNMAP)
  } catch (thrown) {
    if (!(thrown instanceof RmrError)) throw thrown
    refusal = thrown.code
    zeroed(-1)
  }
  const [arena] = memory.arenas
  arena!.bytes.fill(7, 0, BYTES)
  const opening: Opening = {
    ...nativeStatus(),
    sum: fastChecksum()(arena!.view, 0, BYTES),
    refusal,
    unmap: file?.supports.unmap ?? false,
    zeroStatus: await zeroStatus,
  }
  process.stdout.write(`${JSON.stringify(opening)}\n`)
  process.stdin.resume().once("end", () => file?.close())
}
