/**
 * A client that behaves: it writes, reads back and compares for as long as others do not. Whatever
 * those do, nothing that it asked for fails, and nothing that it wrote is lost.
 */
import { RawClient } from "../../packages/brmr-client/test/raw-client.js"
import { seededBytes } from "./nbd-tools.js"

const CMD_READ = 0
const CMD_WRITE = 1
const PIECE_BYTES = 64 * 1024
const PIECES = 64

export class Witness {
  private readonly client: RawClient
  private readonly startBytes: number
  private readonly seedOf = new Map<number, number>()
  private isStopping = false
  private rounds = 0
  private readonly running: Promise<void>

  private constructor(client: RawClient, startBytes: number) {
    this.client = client
    this.startBytes = startBytes
    this.running = this.run()
    this.running.catch(() => undefined)
  }

  /** It has the bytes from `startBytes` on for itself: 4 MiB. */
  static async begin(socket: string, startBytes: number, exported = "vault"): Promise<Witness> {
    return new Witness(await RawClient.serving({ path: socket }, exported), startBytes)
  }

  /** A few more rounds, from now on; fails where one of them does. */
  async goOn(): Promise<void> {
    const until = this.rounds + 3
    while (this.rounds < until) {
      await Promise.race([this.running, new Promise((resolve) => setTimeout(resolve, 10))])
    }
  }

  /** Reads all that was ever written, and leaves. */
  async end(): Promise<void> {
    this.isStopping = true
    await this.running
    for (const [piece, seed] of this.seedOf) await this.expectPiece(piece, seed)
    expect(this.seedOf.size).toBeGreaterThan(0)
    this.client.close()
  }

  private async run(): Promise<void> {
    while (!this.isStopping) {
      const piece = this.rounds % PIECES
      const seed = this.rounds + 1
      const payload = seededBytes(seed, PIECE_BYTES)
      const offset = this.startBytes + piece * PIECE_BYTES
      const { errno } = await this.client.ask({ kind: CMD_WRITE, offset, payload })
      if (errno !== 0) throw new Error(`a write of the witness fails with errno ${errno}`)
      this.seedOf.set(piece, seed)
      await this.expectPiece(piece, seed)
      this.rounds++
    }
  }

  private async expectPiece(piece: number, seed: number): Promise<void> {
    const offset = this.startBytes + piece * PIECE_BYTES
    const reply = await this.client.ask({ kind: CMD_READ, offset, bytes: PIECE_BYTES })
    if (reply.errno !== 0) throw new Error(`a read of the witness fails with ${reply.errno}`)
    if (!reply.data.equals(seededBytes(seed, PIECE_BYTES))) {
      throw new Error(`piece ${piece} of the witness is not what it wrote`)
    }
  }
}
