/** Making a range of a place read zero, durably. */
import type { BlockFile } from "@rmr/core"
import { BLOCK_UNMAP, RmrError, STATUS_OK } from "@rmr/core"
import type { MetaIo } from "./meta-io.js"

export async function zeroRange(
  file: BlockFile,
  io: MetaIo,
  from: number,
  end: number,
): Promise<void> {
  const { failures } = io.flushes
  const flags = file.supports.unmap ? BLOCK_UNMAP : 0
  for (let at = from; at < end; at += file.ioBytesMax) {
    const bytes = Math.min(file.ioBytesMax, end - at)
    const status = await io.run((token) => file.zero(token, at, bytes, flags))
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the place cannot be zeroed")
  }
  const status = await io.flush(failures)
  if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the place cannot be flushed")
}
