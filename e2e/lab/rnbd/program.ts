/**
 * A program for a guest of the lab: a client of RNBD that reads and writes a device of the kernel's
 * server.
 *
 * ```
 * program HOST DEVICE IMAGE IDLE_SECONDS
 * ```
 *
 * IMAGE has what is on the device. It says what it has done, and leaves in IMAGE what the device
 * must have now. In between it says nothing for so long, and the session is still there.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { buddyMemory, leaseBytes, RmrError } from "@rmr/core"
import { realEnv } from "@rmr/io"
import { type RtrsClient, type RtrsSession, rtrs } from "@rmr/transport-rdma"
import { greet, openDevice, type RnbdDevice } from "./device.js"
import { ACCESS_READ, ACCESS_WRITE, SECTOR_BYTES } from "./messages.js"

const SIZES = [512, 4096, 4608, 65_536, 126_976] as const
const AT_ONCE_BYTES = 4096
const PORT = 1234

const [host = "", path = "", imagePath = "", idleSeconds = "0"] = process.argv.slice(2)
const image: Uint8Array = readFileSync(imagePath)
const memory = buddyMemory({ arenas: [16 * 1024 * 1024], leaseCountMax: 1024, poison: true })

async function dial(client: RtrsClient, name: string): Promise<RtrsSession> {
  const session = await client.dial(`rdma://${host}:${PORT}`, {
    ...{ name, deadlineMs: 20_000, lineCount: 2 },
  })
  await greet(session, memory)
  say(`session ${name}: ${session.depth} requests of ${session.payloadBytesMax} bytes`)
  return session
}

/** Of a place and a round: no two places have the same. */
function fill(bytes: Uint8Array, seed: number): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(seed + at, 0x9e3779b1)
}

/** What the image has there, to the device. */
async function put(device: RnbdDevice, offset: number, bytes: number, isDurable: boolean) {
  const lease = memory.lease(bytes)
  leaseBytes(memory, lease, 0, bytes).set(image.subarray(offset, offset + bytes))
  try {
    await device.write(offset / SECTOR_BYTES, { lease, at: 0, bytes }, isDurable)
  } finally {
    memory.release(lease)
  }
}

/** Something new, to the image and to the device. */
function write(device: RnbdDevice, offset: number, bytes: number, seed: number): Promise<void> {
  fill(image.subarray(offset, offset + bytes), seed)
  return put(device, offset, bytes, seed % 2 === 1)
}

/** Whether it is what the image has there. */
async function check(device: RnbdDevice, offset: number, bytes: number): Promise<void> {
  const lease = memory.lease(bytes)
  const own = leaseBytes(memory, lease, 0, bytes)
  try {
    own.fill(0xee)
    await device.read(offset / SECTOR_BYTES, { lease, at: 0, bytes })
    if (Buffer.compare(own, image.subarray(offset, offset + bytes)) !== 0) {
      throw new Error(`${bytes} bytes at ${offset} are not what was written`)
    }
  } finally {
    memory.release(lease)
  }
}

async function checkAll(device: RnbdDevice, pieceBytes: number): Promise<void> {
  for (let offset = 0; offset < image.length; offset += pieceBytes) {
    await check(device, offset, Math.min(pieceBytes, image.length - offset))
  }
}

/** The code of the error that it fails with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (thrown) {
    return RmrError.from(thrown).code
  }
  return "none"
}

async function useDevice(session: RtrsSession): Promise<void> {
  const device = await openDevice(session, memory, path, ACCESS_WRITE)
  const { sectorCount, blockBytes } = device.parts
  say(`device: ${sectorCount} sectors, blocks of ${blockBytes} bytes`)
  if (sectorCount * SECTOR_BYTES !== image.length) throw new Error("it has another size")
  await checkAll(device, session.payloadBytesMax)
  say("read: what the kernel has")
  let offset = 3 * SECTOR_BYTES
  for (const [nth, bytes] of SIZES.entries()) {
    await write(device, offset, bytes, nth)
    await check(device, offset, bytes)
    say(`written and read: ${bytes} bytes`)
    offset += bytes + SECTOR_BYTES
  }
  // More than there are buffers, in two rounds that use each several times.
  const start = image.length / 2
  for (let round = 0; round < 2; round++) {
    const count = Math.min(session.depth, image.length / 2 / AT_ONCE_BYTES, 256)
    const places = Array.from({ length: count }, (_, nth) => start + nth * AT_ONCE_BYTES)
    await Promise.all(places.map((at) => write(device, at, AT_ONCE_BYTES, at + round)))
    await Promise.all(places.map((at) => check(device, at, AT_ONCE_BYTES)))
    say(`at once: ${count} writes, then ${count} reads`)
  }
  await device.flush()
  say("flushed")
  await new Promise((resolve) => setTimeout(resolve, Number(idleSeconds) * 1000))
  await check(device, start, AT_ONCE_BYTES)
  say("read behind a pause")
  const again = await codeOf(openDevice(session, memory, "/dev/nothing", ACCESS_READ))
  say(`a device that is not there: ${again}`)
  await checkAll(device, 65_536)
  await device.close()
  const late = await codeOf(device.flush())
  say(`closed; a flush behind it: ${late}`)
}

/** The server hangs up in the middle of requests: each is over, and so is the session. */
async function loseSession(client: RtrsClient): Promise<void> {
  const lost = await dial(client, "copy2")
  const device = await openDevice(lost, memory, path, ACCESS_WRITE)
  const endless = async (nth: number): Promise<void> => {
    const move = nth % 2 === 0 ? check : put
    for (;;) await move(device, nth * AT_ONCE_BYTES, AT_ONCE_BYTES, false)
  }
  const loads = Array.from({ length: 64 }, (_, nth) => codeOf(endless(nth)))
  // All of them are under way when this is.
  await check(device, 0, AT_ONCE_BYTES)
  const paths = "/sys/class/rtrs-server/copy2/paths"
  for (const name of readdirSync(paths)) writeFileSync(`${paths}/${name}/disconnect`, "1")
  const codes = new Set(await Promise.all(loads))
  say(`the server hangs up: ${[...codes].join(", ")}; up: ${lost.isUp}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

const client = rtrs({ env: realEnv(), memory })
const session = await dial(client, "copy1")
await useDevice(session)
const clash = client.dial(`rdma://${host}:${PORT}`, { name: "copy1", deadlineMs: 20_000 })
say(`a second session of the same name: ${await codeOf(clash)}`)
session.close()
await loseSession(client)
await client.close()
memory.assertNoLeases()
writeFileSync(imagePath, image)
say("closed, and no memory is held")
