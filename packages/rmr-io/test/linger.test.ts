/**
 * Lingering: it happens where bytes follow one another soon, never where it is turned off, and
 * keeps nothing else of the loop waiting.
 */
import { once } from "node:events"
import net from "node:net"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import type { ByteSocket } from "../src/byte-socket.js"
import { LINGER_US_DEFAULT, LINGER_US_MAX, lingerFor } from "../src/index.js"
import { CHECK_NOTHING } from "../src/native-addon.js"
import { NativeSockets } from "../src/native-socket.js"
import { addon, native } from "./native.js"

jest.setTimeout(60_000)

interface Echo {
  /** There and back so many times, one byte at a time. */
  exchange(count: number): Promise<void>
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
  lingerFor(LINGER_US_DEFAULT)
})

async function echoPort(): Promise<number> {
  const file = pathToFileURL(join(__dirname, "echo-thread.ts")).href
  const loader = `import("tsx/esm/api").then(({ register }) => {
    register({ tsconfig: "tsconfig.run.json" })
    return import(${JSON.stringify(file)})
  })`
  const worker = new Worker(loader, { eval: true })
  cleanups.push(() => worker.terminate())
  const [port] = (await once(worker, "message")) as [number]
  return port
}

/** A native socket of this thread, to whoever sends back what he hears. */
async function echo(port: number): Promise<Echo> {
  if (addon === undefined) throw new Error("there is no addon")
  const sockets = new NativeSockets(addon)
  let left = 0
  let done: () => void = () => undefined
  const byte = new Uint8Array(1)
  const socket: ByteSocket = sockets.open({
    directPlace: () => undefined,
    checks: () => CHECK_NOTHING,
    checksFrom: () => 0,
    onRead: () => {
      if (--left > 0) socket.write([byte], 1)
      else done()
      return true
    },
    onWritten: () => undefined,
    onEnd: () => undefined,
  })
  cleanups.push(() => {
    socket.destroy()
    sockets.close()
  })
  await new Promise<void>((resolve) => socket.connect({ host: "127.0.0.1", port }, resolve))
  return {
    exchange: (count) => {
      left = count
      socket.write([byte], 1)
      return new Promise((resolve) => {
        done = resolve
      })
    },
  }
}

/** An echo in this thread's own loop, on the sockets of Node. */
async function nodeEcho(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => undefined)
    socket.on("data", (bytes) => socket.write(bytes))
  })
  cleanups.push(() => new Promise((resolve) => server.close(resolve)))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as net.AddressInfo).port
}

native("a thread that is asked again and again waits awake", async () => {
  lingerFor(LINGER_US_MAX)
  const { exchange } = await echo(await echoPort())
  const before = addon!.lingeredTurns()
  // One that another thread answers soon is enough; how many there are is the machine's affair.
  while (addon!.lingeredTurns() === before) await exchange(100)
  expect(addon!.lingeredTurns()).toBeGreaterThan(before)
})

native("turned off, it never does", async () => {
  lingerFor(0)
  const { exchange } = await echo(await echoPort())
  const before = addon!.lingeredTurns()
  await exchange(2000)
  expect(addon!.lingeredTurns()).toBe(before)
})

native(
  "what else is ready in the loop is not kept waiting: each needs the other here",
  async () => {
    lingerFor(LINGER_US_MAX)
    const { exchange } = await echo(await nodeEcho())
    await exchange(2000)
  },
)

native("timers and immediates have their turns beside sockets that never rest", async () => {
  lingerFor(LINGER_US_MAX)
  const { exchange } = await echo(await echoPort())
  let isOver = false
  let immediates = 0
  const counting = (): void => {
    immediates++
    if (!isOver) setImmediate(counting)
  }
  setImmediate(counting)
  const timers = (async () => {
    for (let nth = 0; nth < 50; nth++) await new Promise((resolve) => setTimeout(resolve, 1))
    isOver = true
  })()
  while (!isOver) await exchange(100)
  await timers
  expect(immediates).toBeGreaterThan(50)
})

it("a time that is none is refused", () => {
  for (const wrong of [-1, 0.5, LINGER_US_MAX + 1, Number.NaN]) {
    expect(() => lingerFor(wrong)).toThrow("a whole number from 0 to 1000")
  }
})
