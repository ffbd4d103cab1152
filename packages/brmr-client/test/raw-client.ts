/**
 * A client that says exactly what a test wants, also what no client should: bytes over a socket,
 * and the few shapes that replies have. Every wait ends, with bytes or with the connection.
 */
import net from "node:net"
import type { StreamAddress } from "@rmr/io"
import * as nbd from "../src/nbd/protocol.js"

export interface OptionReply {
  readonly type: number
  readonly data: Buffer
}

export interface Reply {
  readonly cookie: bigint
  readonly errno: number
  /** Of a read; or what an error chunk says of its place. */
  readonly data: Buffer
  readonly badAt: number | undefined
  /** Extents by context id: pairs of length and flags. */
  readonly extents: ReadonlyMap<number, readonly (readonly [number, number])[]>
}

export interface RequestShape {
  readonly kind: number
  readonly flags?: number
  readonly offset?: number
  readonly bytes?: number
  readonly cookie?: bigint
  readonly payload?: Uint8Array
  readonly magic?: number
}

export class RawClient {
  readonly socket: net.Socket
  isEnded = false
  isStructured = false
  private chunks: Buffer[] = []
  private heldBytes = 0
  private wake: (() => void) | undefined

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk)
      this.heldBytes += chunk.length
      this.wake?.()
    })
    const end = (): void => {
      this.isEnded = true
      this.wake?.()
    }
    socket.on("end", end)
    socket.on("error", end)
    socket.on("close", end)
  }

  static connect(at: StreamAddress): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...at, allowHalfOpen: true } as net.NetConnectOpts)
      const client = new RawClient(socket)
      socket.once("connect", () => resolve(client))
      socket.once("error", reject)
    })
  }

  /** Connected, and past the greeting. */
  static async greeted(
    at: StreamAddress,
    flags: number = nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES,
  ): Promise<RawClient> {
    const client = await RawClient.connect(at)
    await client.read(18)
    client.write(u32(flags))
    return client
  }

  /** In transmission. */
  static async serving(
    at: StreamAddress,
    name = "",
    isStructured = true,
    contexts: readonly string[] = [],
  ): Promise<RawClient> {
    const client = await RawClient.greeted(at)
    if (isStructured) await client.option(nbd.OPT_STRUCTURED_REPLY)
    client.isStructured = isStructured
    if (contexts.length > 0)
      await client.option(nbd.OPT_SET_META_CONTEXT, contextQuery(name, contexts))
    const replies = await client.option(nbd.OPT_GO, infoQuery(name))
    if (replies.at(-1)?.type !== nbd.REP_ACK) throw new Error(`refused: ${replies.at(-1)?.type}`)
    return client
  }

  write(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts))
  }

  /** Exactly so many bytes; fails when the connection ends before. */
  async read(bytes: number): Promise<Buffer> {
    while (this.heldBytes < bytes) {
      if (this.isEnded) throw new Error(`ended with ${this.heldBytes} of ${bytes} bytes`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    const all = Buffer.concat(this.chunks)
    this.chunks = [all.subarray(bytes)]
    this.heldBytes = all.length - bytes
    return all.subarray(0, bytes)
  }

  /** Waits until the server has closed; answers what it still sent. */
  async ended(): Promise<Buffer> {
    while (!this.isEnded) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return Buffer.concat(this.chunks)
  }

  /** Sends an option, and answers its replies up to the last. */
  async option(option: number, data: Uint8Array = Buffer.alloc(0)): Promise<OptionReply[]> {
    this.write(optionBytes(option, data))
    return this.optionReplies(option)
  }

  async optionReplies(option: number): Promise<OptionReply[]> {
    const replies: OptionReply[] = []
    for (;;) {
      const head = await this.read(20)
      if (head.readUInt32BE(8) !== option) throw new Error(`a reply to ${head.readUInt32BE(8)}`)
      const type = head.readUInt32BE(12)
      replies.push({ type, data: await this.read(head.readUInt32BE(16)) })
      if (type === nbd.REP_ACK || type >= 2 ** 31) return replies
    }
  }

  send(request: RequestShape): void {
    this.write(requestBytes(request), request.payload ?? Buffer.alloc(0))
  }

  /** One request, and its reply. */
  async ask(request: RequestShape): Promise<Reply> {
    this.send(request)
    const isRead = request.kind === nbd.CMD_READ
    return this.reply(isRead ? (request.bytes ?? 0) : 0)
  }

  /** A reply; where it is a simple one without error, it has so many bytes. */
  async reply(readBytes = 0): Promise<Reply> {
    const extents = new Map<number, (readonly [number, number])[]>()
    for (;;) {
      const head = await this.read(16)
      const cookie = head.readBigUInt64BE(8)
      if (head.readUInt32BE(0) === nbd.SIMPLE_REPLY_MAGIC) {
        const errno = head.readUInt32BE(4)
        const data = await this.read(errno === 0 ? readBytes : 0)
        return { cookie, errno, data, badAt: undefined, extents }
      }
      if (head.readUInt32BE(0) !== nbd.STRUCTURED_REPLY_MAGIC) throw new Error("no reply")
      const type = head.readUInt16BE(6)
      const body = await this.read((await this.read(4)).readUInt32BE(0))
      if (type === nbd.CHUNK_BLOCK_STATUS) {
        const pairs: (readonly [number, number])[] = []
        for (let at = 4; at < body.length; at += 8) {
          pairs.push([body.readUInt32BE(at), body.readUInt32BE(at + 4)])
        }
        extents.set(body.readUInt32BE(0), pairs)
      }
      if ((head.readUInt16BE(4) & nbd.CHUNK_FLAG_DONE) === 0) continue
      const isError = type >= 0x8000
      const hasPlace = type === nbd.CHUNK_ERROR_OFFSET
      return {
        cookie,
        errno: isError ? body.readUInt32BE(0) : 0,
        data: type === nbd.CHUNK_OFFSET_DATA ? body.subarray(8) : Buffer.alloc(0),
        badAt: hasPlace ? Number(body.readBigUInt64BE(6)) : undefined,
        extents,
      }
    }
  }

  close(): void {
    this.socket.destroy()
  }
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

export function optionBytes(option: number, data: Uint8Array, dataBytes = data.length): Buffer {
  return Buffer.concat([Buffer.from("IHAVEOPT"), u32(option), u32(dataBytes), data])
}

export function infoQuery(name: string, infos: readonly number[] = []): Buffer {
  const counted = Buffer.alloc(2 + infos.length * 2)
  counted.writeUInt16BE(infos.length)
  for (const [nth, info] of infos.entries()) counted.writeUInt16BE(info, 2 + nth * 2)
  return Buffer.concat([sized(name), counted])
}

export function contextQuery(name: string, contexts: readonly string[]): Buffer {
  return Buffer.concat([sized(name), u32(contexts.length), ...contexts.map(sized)])
}

export function requestBytes(request: RequestShape): Buffer {
  const { kind, flags = 0, offset = 0, bytes = request.payload?.length ?? 0 } = request
  const head = Buffer.alloc(28)
  head.writeUInt32BE(request.magic ?? nbd.REQUEST_MAGIC)
  head.writeUInt16BE(flags, 4)
  head.writeUInt16BE(kind, 6)
  head.writeBigUInt64BE(request.cookie ?? 0n, 8)
  head.writeBigUInt64BE(BigInt(offset), 16)
  head.writeUInt32BE(bytes, 24)
  return head
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u32(bytes.length), bytes])
}
