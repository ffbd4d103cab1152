/**
 * The rig of the block-file suite: FUA only where it is declared, and the boot of the machine.
 */
import type { BlockFile, BlockFileSource } from "@rmr/core"
import type { BlockHarness, BlockPlace, BlockShape } from "../block-io/harness.js"
import { BlockRig } from "../block-io/rig.js"

export class FileRig extends BlockRig<BlockFile> {
  override get hasForcedUnitAccess(): boolean {
    return this.io.supports.forcedUnitAccess
  }

  async bootId(): Promise<string> {
    // Places of this suite have block-file sources: FileHarness says so.
    const source = this.place.source as BlockFileSource
    return this.settled(source.bootId(), "name of the boot")
  }
}

export function fileRig(
  harness: BlockHarness<BlockFile>,
  place: BlockPlace<BlockFile>,
  shape: BlockShape,
): FileRig {
  return new FileRig(harness, place, shape)
}
