/**
 * `rmr demo`: three storage nodes and a compute client as processes of this machine, their device
 * exported by NBD, and a view of what they do.
 *
 * Keys kill and restart a storage node, so that a person can watch the pool go on without it.
 * Without a terminal it prints plain lines and runs until SIGINT or SIGTERM. Ctrl-C ends everything
 * and leaves nothing behind but the data, and where each node has to be found again.
 */
import { RmrError } from "@rmr/core"
import { parseSize } from "../config/sizes.js"
import { askDaemon } from "../control/control-client.js"
import type { DaemonStatus } from "../control/status.js"
import { clearFolder, type DemoFolder, prepareFolder } from "./demo-folder.js"
import { type DaemonLook, frameOf, type PoolLook } from "./live-view.js"
import { NodeProcess } from "./node-process.js"
import { suggestions } from "./suggestions.js"
import { LivePart } from "./terminal.js"

export interface DemoOptions {
  readonly folder: string
  readonly size: string
  readonly nodes: string
}

const TICK_MS = 500
const START_MS = 30_000
/** Who has not said by then how it is may be stopped or stuck: the view goes on without it. */
const STATUS_MS = 1000
/** What a daemon says that is killed, is starting, or is stuck. */
const NO_ANSWER: ReadonlySet<string> = new Set(["unreachable", "link-lost", "deadline"])

export async function runDemo(options: DemoOptions): Promise<void> {
  const demo = await Demo.start(options)
  try {
    demo.printHead()
    await demo.run()
  } catch (thrown) {
    await demo.stop()
    throw thrown
  }
  demo.clear(await demo.stop())
}

class Demo {
  private readonly nodes: readonly NodeProcess[]
  private readonly client: NodeProcess
  private readonly folder: DemoFolder
  private isOver = false
  private wake: (() => void) | undefined

  private constructor(folder: DemoFolder) {
    this.folder = folder
    this.nodes = folder.storage.map((place) => new NodeProcess(place))
    this.client = new NodeProcess(folder.client)
  }

  static async start(options: DemoOptions): Promise<Demo> {
    const nodeCount = Number(options.nodes)
    if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > 8) {
      throw new RmrError("invalid-argument", `"${options.nodes}" is no count of nodes from 1 to 8`)
    }
    const folder = await prepareFolder(options.folder, parseSize(options.size), nodeCount)
    const demo = new Demo(folder)
    try {
      for (const node of demo.processes) node.start()
      await demo.untilOpen()
      return demo
    } catch (thrown) {
      await demo.stop()
      throw thrown
    }
  }

  printHead(): void {
    const { uris } = this.head
    for (const uri of uris) console.log(uri)
    console.log(suggestions(this.folder.path, uris))
  }

  async run(): Promise<void> {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => this.end())
    const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true
    if (isTerminal) this.listenToKeys()
    const part = new LivePart(process.stdout)
    let last: PoolLook | undefined
    let line = ""
    while (!this.isOver) {
      const look = await this.look()
      const frame = frameOf(look, last)
      if (isTerminal) part.draw(`${frame.screen}\n${this.keyHelp}`)
      else if (frame.line !== line) console.log(frame.line)
      line = frame.line
      if (look.client.status !== undefined) last = look
      await this.sleep(TICK_MS)
    }
  }

  /** Answers what did not end in order. */
  async stop(): Promise<readonly string[]> {
    if (process.stdin.isTTY === true) process.stdin.setRawMode(false)
    process.stdin.pause()
    // The client first: what is in flight is finished while there is somebody to finish it.
    const endings = [await this.client.stop()]
    endings.push(...(await Promise.all(this.nodes.map((node) => node.stop()))))
    return endings.filter((ending) => ending !== undefined)
  }

  /** Everything has ended. Whoever did not in order has said why in its log, which stays then. */
  clear(problems: readonly string[]): void {
    for (const problem of problems) console.log(problem)
    clearFolder(this.folder, problems.length > 0)
  }

  private head: { readonly uris: readonly string[] } = { uris: [] }

  private get processes(): readonly NodeProcess[] {
    return [...this.nodes, this.client]
  }

  private get keyHelp(): string {
    const keys = this.nodes.map((_, nth) => nth + 1).join(" ")
    return `Keys: ${keys} kill or restart that storage node, q ends.`
  }

  private async untilOpen(): Promise<void> {
    const until = performance.now() + START_MS
    for (;;) {
      const status = await statusOf(this.client)
      const [pool] = status?.client?.pools ?? []
      const uris = status?.client?.nbd.uris ?? []
      if (uris.length > 0) {
        this.head = { uris }
        return
      }
      for (const node of this.processes) node.requireAlive()
      if (performance.now() > until) {
        throw new RmrError("deadline", `the pool is not open: ${pool?.why ?? "no answer"}`)
      }
      await this.sleep(100)
    }
  }

  private listenToKeys(): void {
    process.stdin.setRawMode(true)
    process.stdin.resume()
    process.stdin.on("data", (data) => {
      const typed = data.toString()
      // Keys without a letter send several, as Delete does: a 3 in these is no 3.
      if (typed.startsWith("\x1b")) return
      for (const key of typed) {
        const node = this.nodes[Number(key) - 1]
        if (key === "q" || key === "\x03") this.end()
        else if (node !== undefined) node.toggle()
      }
    })
  }

  private end(): void {
    this.isOver = true
    this.wake?.()
  }

  private async look(): Promise<PoolLook> {
    let atMs = 0
    const client = lookAt(this.client).then((look) => {
      atMs = performance.now()
      return look
    })
    const storage = await Promise.all(this.nodes.map(lookAt))
    return { storage, client: await client, atMs }
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolveSleep) => {
      const timer = setTimeout(resolveSleep, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolveSleep()
      }
    })
  }
}

async function lookAt(node: NodeProcess): Promise<DaemonLook> {
  const status = await statusOf(node)
  return { name: node.place.name, isRunning: node.isRunning, status }
}

/** Undefined where it does not answer. */
async function statusOf({ place }: NodeProcess): Promise<DaemonStatus | undefined> {
  try {
    return (await askDaemon(place.socket, "status", {}, STATUS_MS)) as DaemonStatus
  } catch (thrown) {
    if (NO_ANSWER.has(RmrError.from(thrown).code)) return undefined
    throw thrown
  }
}
