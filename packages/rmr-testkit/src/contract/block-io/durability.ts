/**
 * What survives: flushed and FUA writes a power cut, completed ones the death of a process; of the
 * rest, each atomic unit is a version it had since it was last durable, never a mixture.
 *
 * Chance decides what a cache loses, so every clause goes several rounds.
 */
import { BLOCK_FUA } from "@rmr/core"
import { checkBytes } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped, zeroes } from "./content.js"
import type { BlockSubject } from "./harness.js"
import type { BlockRig } from "./rig.js"
import { VolumeOracle } from "./volume-oracle.js"

const ROUNDS = 6
/** Blocks of one write: enough units that chance keeps or loses all of them in no round. */
const WRITE_BLOCKS = 8

export function flushClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "what had completed when a flush was submitted survives a power cut after it",
      needs: ["powerCut"],
      run: async (rig) => {
        for (let round = 0; round < ROUNDS; round++) {
          const bytes = WRITE_BLOCKS * rig.io.blockBytes
          await rig.write(0, stamped(0, bytes, 2 * round))
          await rig.write(bytes, stamped(bytes, bytes, 2 * round + 1))
          await rig.flush()
          await rig.powerCut()
          await rig.open()
          checkBytes(await rig.read(0, bytes), stamped(0, bytes, 2 * round), "a flushed write")
          const second = await rig.read(bytes, bytes)
          checkBytes(second, stamped(bytes, bytes, 2 * round + 1), "another flushed write")
        }
      },
    },
    {
      promise,
      title: "a flush covers completed writes also while others are in flight",
      needs: ["powerCut"],
      run: async (rig) => {
        for (let round = 0; round < ROUNDS; round++) {
          const bytes = WRITE_BLOCKS * rig.io.blockBytes
          await rig.write(0, stamped(0, bytes, round))
          await rig.prepare(bytes, bytes)
          const other = rig.startWrite(bytes, stamped(bytes, bytes, round))
          await rig.done(rig.startFlush(), other)
          await rig.powerCut()
          await rig.open()
          checkBytes(await rig.read(0, bytes), stamped(0, bytes, round), "the covered write")
        }
      },
    },
    {
      promise,
      title: "a FUA write survives a power cut without any flush",
      needs: ["powerCut"],
      run: async (rig) => {
        for (let round = 0; round < ROUNDS; round++) {
          const bytes = WRITE_BLOCKS * rig.io.blockBytes
          if (!rig.hasForcedUnitAccess) {
            await checkRefusesForcedUnitAccess(rig)
            return
          }
          await rig.write(0, stamped(0, bytes, 2 * round))
          await rig.write(0, stamped(0, bytes, 2 * round + 1), BLOCK_FUA)
          await rig.write(bytes, stamped(bytes, bytes, round))
          await rig.zero(bytes, bytes, BLOCK_FUA)
          await rig.powerCut()
          await rig.open()
          const written = await rig.read(0, bytes)
          checkBytes(written, stamped(0, bytes, 2 * round + 1), "a write with FUA")
          checkBytes(await rig.read(bytes, bytes), zeroes(bytes), "a zero with FUA")
        }
      },
    },
  ]
}

async function checkRefusesForcedUnitAccess(rig: BlockRig<BlockSubject>): Promise<void> {
  const { blockBytes } = rig.io
  await rig.write(0, stamped(0, blockBytes, 1))
  const write = rig.startWrite(0, stamped(0, blockBytes, 2), BLOCK_FUA)
  rig.checkStatus(await rig.outcome(write), "unsupported", "FUA that is not declared")
  const zero = rig.startZero(0, blockBytes, BLOCK_FUA)
  rig.checkStatus(await rig.outcome(zero), "unsupported", "FUA that is not declared")
  checkBytes(await rig.read(0, blockBytes), stamped(0, blockBytes, 1), "the block")
}

export function crashClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "after a power cut each unit is a version since the durable one, never a mixture",
      needs: ["powerCut"],
      run: async (rig) => {
        const oracle = new VolumeOracle(await rig.readAll(), rig.io.atomicBytes)
        for (let round = 0; round < ROUNDS; round++) {
          await writeVersions(rig, oracle, round)
          if (round % 2 === 0) await flushCovered(rig, oracle)
          await writeVersions(rig, oracle, round + 100)
          await rig.powerCut()
          await rig.open()
          oracle.afterPowerCut(await rig.readAll())
        }
      },
    },
    {
      promise,
      title: "a power cut among writes in flight leaves every unit old or new",
      needs: ["powerCut"],
      run: async (rig) => {
        const oracle = new VolumeOracle(await rig.readAll(), rig.io.atomicBytes)
        for (let round = 0; round < ROUNDS; round++) {
          await writeVersions(rig, oracle, round)
          await startAndAbandon(rig, oracle, round)
          await rig.powerCut()
          await rig.open()
          oracle.afterPowerCut(await rig.readAll())
        }
      },
    },
    {
      promise,
      title: "a process that dies loses nothing that had completed",
      needs: ["kill"],
      run: async (rig) => {
        const oracle = new VolumeOracle(await rig.readAll(), rig.io.atomicBytes)
        for (let round = 0; round < ROUNDS; round++) {
          await writeVersions(rig, oracle, round)
          await startAndAbandon(rig, oracle, round)
          await rig.kill()
          await rig.open()
          oracle.afterKill(await rig.readAll())
        }
      },
    },
    {
      promise,
      title: "a machine that dies after the process still loses only what was not flushed",
      needs: ["kill", "powerCut"],
      run: async (rig) => {
        const oracle = new VolumeOracle(await rig.readAll(), rig.io.atomicBytes)
        for (let round = 0; round < ROUNDS; round++) {
          await writeVersions(rig, oracle, round)
          await flushCovered(rig, oracle)
          await writeVersions(rig, oracle, round + 100)
          await rig.kill()
          await rig.powerCut()
          await rig.open()
          oracle.afterPowerCut(await rig.readAll())
        }
      },
    },
    {
      promise,
      title: "a flush that failed leaves what it should have covered old or new",
      needs: ["failNextFlush", "powerCut"],
      run: async (rig) => {
        const oracle = new VolumeOracle(await rig.readAll(), rig.io.atomicBytes)
        for (let round = 0; round < ROUNDS; round++) {
          await writeVersions(rig, oracle, round)
          await rig.power("failNextFlush")()
          const flush = rig.startFlush()
          rig.checkStatus(await rig.outcome(flush), "io-error", "a flush that fails")
          await rig.powerCut()
          await rig.open()
          oracle.afterPowerCut(await rig.readAll())
        }
      },
    },
  ]
}

/** Two completed versions of a range, and a zero beside it. */
async function writeVersions(
  rig: BlockRig<BlockSubject>,
  oracle: VolumeOracle,
  tag: number,
): Promise<void> {
  const bytes = WRITE_BLOCKS * rig.io.blockBytes
  for (const version of [2 * tag, 2 * tag + 1]) {
    const change = oracle.begin(0, stamped(0, bytes, version))
    await rig.write(0, change.content)
    oracle.complete(change)
  }
  const zero = oracle.begin(bytes, zeroes(bytes))
  await rig.zero(bytes, bytes)
  oracle.complete(zero)
}

async function flushCovered(rig: BlockRig<BlockSubject>, oracle: VolumeOracle): Promise<void> {
  const { coverage } = oracle
  await rig.flush()
  oracle.flushed(coverage)
}

/** Starts writes beside each other and waits until the first of them is done, if it ever is. */
async function startAndAbandon(
  rig: BlockRig<BlockSubject>,
  oracle: VolumeOracle,
  tag: number,
): Promise<void> {
  const bytes = WRITE_BLOCKS * rig.io.blockBytes
  const offsets = [2, 3, 4, 5].map((nth) => nth * bytes)
  for (const offset of offsets) await rig.prepare(offset, bytes)
  const changes = offsets.map((offset) => oracle.begin(offset, stamped(offset, bytes, tag)))
  const writes = changes.map((change) => rig.startWrite(change.offset, change.content))
  rig.io.submit()
  if (tag % 2 === 0) await rig.outcome(writes[0]!)
  for (const [nth, write] of writes.entries()) if (write.isDone) oracle.complete(changes[nth]!)
}
