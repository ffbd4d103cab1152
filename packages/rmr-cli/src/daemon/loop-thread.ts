/**
 * The daemon's side of one loop: its thread, and what was asked of it and not answered.
 *
 * A thread that dies by a defect takes the daemon with it, as the defect would in the daemon's own
 * thread: stores are made for crashes, and half a node is nobody's wish.
 */
import { Worker } from "node:worker_threads"
import { assert, RmrError } from "@rmr/core"
import type { Guest } from "@rmr/io"
import type { Asking, Failure, FromLoop, LoopTask, Service, ToLoop } from "./loop-messages.js"

/** Beside what was built, or beside its source. */
const FILE = new URL(import.meta.url.endsWith(".ts") ? "../loop.ts" : "./loop.js", import.meta.url)

interface Asked {
  resolve(result: unknown): void
  reject(error: RmrError): void
}

/** `S`: what its role can be asked. */
export class LoopThread<S extends Service> {
  private readonly worker: Worker
  private readonly asked = new Map<number, Asked>()
  private nextId = 1
  private isEnding = false
  private isGone = false
  private begun: Asked | undefined
  private readonly gone: Promise<void>

  private constructor(task: LoopTask) {
    this.worker = new Worker(FILE, { workerData: task, name: `loop-${task.loop}` })
    this.worker.on("message", (message: FromLoop) => this.hear(message))
    this.worker.on("error", (error) => {
      throw error
    })
    this.gone = new Promise((resolve) => {
      this.worker.once("exit", () => {
        assert(this.isEnding, `loop ${task.loop} ended, and nobody told it to`)
        this.isGone = true
        for (const { reject } of this.asked.values()) reject(closedError())
        this.asked.clear()
        resolve()
      })
    })
  }

  /** Fails with what its role fails with; the thread is gone then. */
  static async start<S extends Service>(task: LoopTask): Promise<LoopThread<S>> {
    const thread = new LoopThread<S>(task)
    await new Promise<unknown>((resolve, reject) => {
      thread.begun = { resolve, reject }
    })
    return thread
  }

  /** The guest's descriptor is the loop's from now on. */
  give(guest: Guest): void {
    this.tell({ kind: "guest", guest })
  }

  asking<M extends keyof S & string>(method: M): Asking<S, M> {
    const ask = (...args: readonly unknown[]): Promise<unknown> => this.ask(method, args)
    return ask as Asking<S, M>
  }

  /** Closes its role, and ends it; fails as the role does, once the thread is gone or stuck. */
  async close(): Promise<void> {
    this.isEnding = true
    await this.ask("close", [])
    await this.gone
  }

  private ask(method: string, args: readonly unknown[]): Promise<unknown> {
    // Somebody may ask for the status of a daemon that is ending.
    if (this.isGone) return Promise.reject(closedError())
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve, reject })
      this.tell({ kind: "ask", id, method, args })
    })
  }

  private tell(message: ToLoop): void {
    this.worker.postMessage(message)
  }

  private hear(message: FromLoop): void {
    if (message.kind === "started") this.begun?.resolve(undefined)
    else if (message.kind === "failed") {
      this.isEnding = true
      this.begun?.reject(errorOf(message.failure))
    } else {
      const { id } = message
      const asked = this.asked.get(id)
      this.asked.delete(id)
      if (message.kind === "answer") asked?.resolve(message.result)
      else asked?.reject(errorOf(message.failure))
    }
  }
}

function closedError(): RmrError {
  return new RmrError("closed", "this loop of the daemon has ended")
}

function errorOf({ code, detail }: Failure): RmrError {
  return new RmrError(code, detail)
}
