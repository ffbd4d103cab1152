/**
 * The loops of one role, and which pool is in which: what StorageLoops and ClientLoops have in
 * common.
 */
import { groupIdOfName, RmrError, shardOf } from "@rmr/core"
import type { Guest } from "@rmr/io"
import type { Asking, LoopTask, Service } from "./loop-messages.js"
import { loopsOfShards, loopsUsed } from "./loop-shares.js"
import { LoopThread } from "./loop-thread.js"

export class PoolThreads<S extends Service> {
  private readonly names: readonly string[]
  private readonly loopOf: readonly number[]
  private readonly threads: LoopThread<S>[] = []

  constructor(poolNames: readonly string[], loopCount: number) {
    this.names = poolNames
    this.loopOf = loopsOfShards(poolNames, loopCount)
  }

  get count(): number {
    return loopsUsed(this.loopOf)
  }

  /** One after the other; fails with the first thing that is wrong, and leaves `close` to do. */
  async start(
    taskOf: (loop: number, isMine: (poolName: string) => boolean) => LoopTask,
  ): Promise<void> {
    for (let loop = 0; loop < this.count; loop++) {
      const task = taskOf(loop, (name) => this.loopOfPool(name) === loop)
      this.threads.push(await LoopThread.start<S>(task))
    }
  }

  giveByShard(shard: number, guest: Guest): void {
    this.threads[this.loopOf[shard]!]?.give(guest)
  }

  giveByPool(poolName: string, guest: Guest): void {
    this.threads[this.loopOfPool(poolName)]?.give(guest)
  }

  /** What all of them answer, in their order. */
  askAll<M extends keyof S & string>(
    method: M,
  ): Promise<readonly Awaited<ReturnType<Asking<S, M>>>[]> {
    const answers = this.threads.map((thread) => (thread.asking(method) as () => unknown)())
    return Promise.all(answers) as Promise<readonly Awaited<ReturnType<Asking<S, M>>>[]>
  }

  /** A method that is about one pool, its first argument: asked where that pool is. */
  asking<M extends keyof S & string>(method: M): Asking<S, M> {
    const ask = (name: string, ...more: readonly unknown[]): unknown => {
      this.requirePool(name)
      const run = this.threads[this.loopOfPool(name)]!.asking(method)
      return (run as (...args: readonly unknown[]) => unknown)(name, ...more)
    }
    return ask as Asking<S, M>
  }

  has(poolName: string): boolean {
    return this.names.includes(poolName)
  }

  /** All of them at a time; fails with the first that failed, once each has ended or is stuck. */
  async close(): Promise<void> {
    const ends = await Promise.allSettled(this.threads.map((thread) => thread.close()))
    const failed = ends.find((end) => end.status === "rejected")
    if (failed !== undefined) throw RmrError.from(failed.reason)
  }

  private loopOfPool(name: string): number {
    return this.loopOf[shardOf(groupIdOfName(name))]!
  }

  /** A loop knows its own pools only. */
  private requirePool(name: string): void {
    if (this.has(name)) return
    const known = this.names.join(", ") || "none"
    throw new RmrError("not-found", `no pool ${name} in the configuration; it has: ${known}`)
  }
}
