/**
 * FlushLine: the flushes of a file, one at a time.
 *
 * A flush that fails takes along what was written and not flushed, and leaves it behind as clean: a
 * later flush succeeds and says nothing about it. So whoever writes and then waits for a flush has
 * to know of every flush that failed in between, whoever asked for that. With one flush at a time
 * it is a matter of counting: what counts in `failures` between the write and its own flush is
 * lost. Who waits meanwhile shares the next flush.
 */
import { STATUS_OK } from "@rmr/core"

export type OnFlushed = (token: number, status: number) => void

export class FlushLine {
  /** Flushes that failed since the file was opened. */
  failures = 0
  /** One has failed; nobody has been told yet. */
  onFailed: () => void = () => undefined
  private readonly submit: () => void
  private readonly onFlushed: OnFlushed
  private waiting: number[] = []
  private running: number[] = []
  /** An empty one, for the next round. */
  private spare: number[] = []
  private isRunning = false

  /** `submit` flushes the file once, which ends with `end`. */
  constructor(submit: () => void, onFlushed: OnFlushed) {
    this.submit = submit
    this.onFlushed = onFlushed
  }

  /** What is written and completed now is durable when this token comes back with STATUS_OK. */
  ask(token: number): void {
    this.waiting.push(token)
    if (!this.isRunning) this.start()
  }

  end(status: number): void {
    if (status !== STATUS_OK) {
      this.failures++
      this.onFailed()
    }
    const ended = this.running
    this.isRunning = false
    if (this.waiting.length > 0) this.start()
    for (const token of ended) this.onFlushed(token, status)
    ended.length = 0
    this.spare = ended
  }

  private start(): void {
    this.running = this.waiting
    this.waiting = this.spare
    this.spare = []
    this.isRunning = true
    this.submit()
  }
}
