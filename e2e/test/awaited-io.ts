/**
 * Block IO of an open file, device or store as promises, for tests that do one thing after another.
 */
import {
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  type BlockEvents,
  type BlockIo,
  STATUS_OK,
} from "@rmr/core"

export class AwaitedIo {
  private readonly waiting = new Map<number, (status: number) => void>()
  private nextToken = 1

  /** For whoever opens what is asked. */
  readonly events: BlockEvents = {
    onCompletions: ({ count, words }) => {
      for (let row = 0, at = 0; row < count; row++, at += BLOCK_STRIDE) {
        const token = words[at + BLOCK_TOKEN]!
        this.waiting.get(token)?.(words[at + BLOCK_STATUS]!)
        this.waiting.delete(token)
      }
    },
  }

  /** Fails where the operation does. */
  async ask(io: BlockIo, submit: (token: number) => void): Promise<void> {
    const token = this.nextToken++
    const done = new Promise<number>((resolve) => this.waiting.set(token, resolve))
    submit(token)
    io.submit()
    expect(await done).toBe(STATUS_OK)
  }
}
