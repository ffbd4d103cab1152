/**
 * Opens the store on a disk as a power cut left it, and looks for everything that a store promises
 * then: that it opens and says what happened (S17), that its cells are whole and no older than they
 * were (S9), that what was flushed is there (S6, S7), and that everything else is in an extent
 * which it knows to be hot (S16).
 */
import { fileStore, inspectStore, type Superblock } from "@rmr/brmr-store"
import type { BlockFileSource, MemberState, RestartClass, Store } from "@rmr/core"
import { buddyMemory, CELL_KINDS, leaseBytes, Refused, RmrError, STATE_CELL } from "@rmr/core"
import { fileSource, pageArenas, realEnv } from "@rmr/io"
import { AwaitedIo } from "./awaited-io.js"
import { BLOCK_BYTES, type Generations } from "./generations.js"
import { MIB } from "./nbd-tools.js"
import type { PowerCut } from "./power-cuts.js"

const MEMORY = buddyMemory({ arenas: pageArenas([8 * MIB]), leaseCountMax: 256 })
const OTHER_BOOT = "00000000-0000-4000-8000-000000000000"

/** What an earlier image of the same log had for certain: a later one has no less. */
export interface Floor {
  readonly isCreated: boolean
  readonly state: MemberState | undefined
}

export interface ImageFound {
  readonly restart: RestartClass | "no store"
  readonly isClean: boolean
  readonly state: MemberState | undefined
}

const NO_STORE: ImageFound = { restart: "no store", isClean: true, state: undefined }

/** Fails with all that is wrong. `generations` undefined: nothing is known of the data. */
export async function checkImage(
  path: string,
  cut: PowerCut,
  floor: Floor,
  generations: Generations | undefined,
): Promise<ImageFound> {
  const source = fileSource(path)
  let block: Superblock | undefined
  try {
    block = (await inspectStore({ env: realEnv(), memory: MEMORY, source })).superblock
    if (block === undefined) throw new RmrError("corrupt", `${path} has no good superblock`)
  } catch (thrown) {
    const { code } = RmrError.from(thrown)
    // Half of a superblock is a damaged one; but nobody was told yet that there is a store.
    if (!floor.isCreated && (code === "not-found" || code === "corrupt")) return NO_STORE
    throw thrown
  }
  const opened = await OpenedStore.open(source, OTHER_BOOT)
  try {
    const { store } = opened
    const { isClean, dataStart } = block
    if (!isClean) expect(store.restart).toBe("cache-lost")
    const state = await readCells(store)
    expectNotOlder(floor.state, state)
    expectHot(store, cut, dataStart)
    if (generations !== undefined) await expectData(opened, generations, cut)
    return { restart: store.restart, isClean, state }
  } finally {
    await opened.store.close()
  }
}

/** What a store says of its last life; on the boot that the machine has, unless another is said. */
export async function restartOf(path: string, bootId?: string): Promise<RestartClass> {
  const opened = await OpenedStore.open(fileSource(path), bootId)
  const { restart } = opened.store
  await opened.store.close()
  return restart
}

class OpenedStore {
  readonly store: Store
  private readonly io: AwaitedIo

  private constructor(store: Store, io: AwaitedIo) {
    this.store = store
    this.io = io
  }

  static async open(source: BlockFileSource, bootId: string | undefined): Promise<OpenedStore> {
    const io = new AwaitedIo()
    const rebooted = bootId === undefined ? source : { ...source, bootId: async () => bootId }
    const opening = { env: realEnv(), memory: MEMORY, events: io.events }
    return new OpenedStore(await fileStore({ source: rebooted }).open(opening), io)
  }

  async read(offset: number, bytes: number): Promise<Buffer> {
    const { store } = this
    const lease = MEMORY.lease(bytes)
    try {
      await this.io.ask(store, (token) => store.read(token, offset, lease, 0, bytes))
      return Buffer.from(leaseBytes(MEMORY, lease, 0, bytes))
    } finally {
      MEMORY.release(lease)
    }
  }
}

/** Every cell can be read; answers that of the member's state. */
async function readCells(store: Store): Promise<MemberState | undefined> {
  for (const kind of CELL_KINDS) {
    for (const index of store.cellIndexes(kind)) {
      expect(await store.readCell(kind, index)).toBeDefined()
    }
  }
  const bytes = await store.readCell("state", 0)
  if (bytes === undefined) return undefined
  const state = STATE_CELL.decode(bytes)
  if (state instanceof Refused) throw state.toError()
  return state
}

function expectNotOlder(floor: MemberState | undefined, state: MemberState | undefined): void {
  if (floor === undefined) return
  expect(state?.epoch).toBeGreaterThanOrEqual(floor.epoch)
  expect(state?.incarnation).toBeGreaterThanOrEqual(floor.incarnation)
}

/** S16: whatever was written to the volume and not flushed is in an extent that is found hot. */
function expectHot(store: Store, cut: PowerCut, dataStart: number): void {
  const { hotAtOpen, geometry } = store
  if (hotAtOpen === "unreadable") throw new Error("the hot set cannot be read")
  for (const { offset, bytes } of cut.unflushed) {
    const first = offset - dataStart
    const last = Math.min(first + bytes, store.sizeBytes) - 1
    if (bytes === 0 || last < 0) continue
    for (
      let extent = Math.floor(Math.max(first, 0) / geometry.extentBytes);
      extent <= Math.floor(last / geometry.extentBytes);
      extent++
    ) {
      if (hotAtOpen.includes(extent)) continue
      throw new Error(`extent ${extent} has bytes that were not flushed, and is not hot`)
    }
  }
}

async function expectData(
  opened: OpenedStore,
  generations: Generations,
  cut: PowerCut,
): Promise<void> {
  const { store } = opened
  const { extentBytes } = store.geometry
  const wrong: string[] = []
  let piece: Buffer = Buffer.alloc(0)
  let pieceAt = -1
  for (const block of generations.blocks) {
    const offset = block * BLOCK_BYTES
    if (pieceAt !== Math.floor(offset / MIB)) {
      pieceAt = Math.floor(offset / MIB)
      piece = await opened.read(pieceAt * MIB, MIB)
    }
    const at = offset - pieceAt * MIB
    const found = generations.judgeAt(cut.position, block, piece.subarray(at, at + BLOCK_BYTES))
    if (found.wrong !== "") wrong.push(found.wrong)
    const isHot =
      store.hotAtOpen !== "unreadable" && store.hotAtOpen.includes(Math.floor(offset / extentBytes))
    if (found.isNewer && !isHot)
      wrong.push(`block ${block} is newer than what was durable: not hot`)
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} blocks:\n${wrong.slice(0, 9).join("\n")}`)
}
