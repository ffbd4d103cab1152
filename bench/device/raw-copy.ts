/**
 * How fast a file becomes another one over a TCP socket on this machine, with nothing around it:
 * two plain node processes, one that reads and sends, one that receives, writes, and makes durable
 * what it has after every so many bytes. What a sync is measured beside.
 *
 * It is the program of both processes too: `receive FILE BYTES`, `send FILE PORT BYTES`.
 */
import { spawn } from "node:child_process"
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from "node:fs"
import net from "node:net"
import { fileURLToPath } from "node:url"

const PIECE_BYTES = 128 * 1024
/** As many as a member copies at a time, and then makes durable together. */
const SYNC_BYTES = 16 * PIECE_BYTES
const SELF = fileURLToPath(import.meta.url)

/** Bytes per second, from the first byte that arrives to the last one that is durable. */
export async function rawCopyRate(from: string, to: string, bytes: number): Promise<number> {
  const receiver = start(["receive", to, String(bytes)])
  const lines = receiver.stdout[Symbol.asyncIterator]()
  const port = String((await lines.next()).value).trim()
  const sender = start(["send", from, port, String(bytes)])
  const took = Number(String((await lines.next()).value))
  await Promise.all([receiver.ended, sender.ended])
  return bytes / (took / 1000)
}

function start(args: readonly string[]): {
  readonly stdout: NodeJS.ReadableStream
  readonly ended: Promise<void>
} {
  const options = ["--import", "tsx", SELF, ...args]
  const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code) => {
      if (code === 0) resolve()
      else reject(new Error(`raw copy: ${args[0]} ended with ${code}`))
    })
  })
  return { stdout: child.stdout, ended }
}

function receive(path: string, bytes: number): void {
  const file = openSync(path, "w")
  const server = net.createServer((socket) => {
    server.close()
    let startMs = 0
    let done = 0
    let durable = 0
    socket.on("data", (data) => {
      if (startMs === 0) startMs = performance.now()
      writeSync(file, data, 0, data.length, done)
      done += data.length
      if (done - durable < SYNC_BYTES && done < bytes) return
      fdatasyncSync(file)
      durable = done
      if (done < bytes) return
      console.log(performance.now() - startMs)
      closeSync(file)
      socket.end()
    })
  })
  server.listen(0, "127.0.0.1", () => console.log((server.address() as net.AddressInfo).port))
}

function send(path: string, port: number, bytes: number): void {
  const file = openSync(path, "r")
  const socket = net.connect({ host: "127.0.0.1", port })
  let at = 0
  const more = (): void => {
    while (at < bytes) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, bytes - at))
      at += readSync(file, piece, 0, piece.length, at)
      if (!socket.write(piece)) return
    }
    closeSync(file)
    socket.off("drain", more)
  }
  socket.on("drain", more)
  socket.once("connect", more)
  socket.resume()
  socket.once("end", () => socket.end())
}

const [role, path = "", first, second] = process.argv.slice(2)
if (process.argv[1] === SELF && role === "receive") receive(path, Number(first))
if (process.argv[1] === SELF && role === "send") send(path, Number(first), Number(second))
