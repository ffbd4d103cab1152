/** Messages of RNBD have their sizes and places, and answers that fit nothing are refused. */
import {
  checkWelcome,
  closeMessage,
  helloMessage,
  IO_DURABLE,
  IO_WRITE,
  ioMessage,
  openMessage,
  readOpened,
} from "./messages.js"

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function opened(sectors: bigint, block: number): DataView {
  const view = new DataView(new ArrayBuffer(56))
  view.setUint16(0, 3, true)
  view.setUint32(4, 7, true)
  view.setBigUint64(8, sectors, true)
  view.setUint16(38, block, true)
  return view
}

it("writes what the kernel reads", () => {
  expect([...helloMessage().subarray(0, 6)]).toEqual([0, 0, 0, 0, 2, 0])
  const open = openMessage("/dev/ram0", 1)
  expect([open.length, open[0], open[4], open[5]]).toEqual([264, 2, 1, 0])
  expect(new TextDecoder().decode(open.subarray(6, 16))).toBe("/dev/ram0\0")
  const io = viewOf(ioMessage(7, IO_WRITE | IO_DURABLE, 2 ** 33 + 5, 4096))
  expect([io.byteLength, io.getUint16(0, true), io.getUint32(4, true)]).toEqual([32, 4, 7])
  expect([io.getBigUint64(8, true), io.getUint32(16, true)]).toEqual([2n ** 33n + 5n, 0x201])
  expect(io.getUint32(20, true)).toBe(4096)
  expect([...closeMessage(9)]).toEqual([5, 0, 0, 0, 9, 0, 0, 0])
})

it("refuses paths that have no place, or end early", () => {
  for (const path of ["", "/".repeat(255), "/dev/ram0\0x"]) {
    expect(() => openMessage(path, 0)).toThrow("invalid-argument")
  }
  expect(openMessage("/".repeat(254), 0)[6 + 254]).toBe(0)
})

it("reads a device, and refuses what is none", () => {
  expect(readOpened(opened(16384n, 512))).toEqual({ id: 7, sectorCount: 16384, blockBytes: 512 })
  for (const [sectors, block] of [
    [1n, 0],
    [1n, 700],
    [2n ** 60n, 512],
  ] as const) {
    expect(() => readOpened(opened(sectors, block))).toThrow("bad-message")
  }
  expect(() => readOpened(viewOf(helloMessage()))).toThrow("bad-message")
})

it("takes a welcome of its own version alone", () => {
  const view = new DataView(new ArrayBuffer(36))
  expect(() => checkWelcome(view)).toThrow("bad-message")
  view.setUint16(0, 1, true)
  expect(() => checkWelcome(view)).toThrow("bad-version")
  view.setUint8(4, 2)
  expect(() => checkWelcome(view)).not.toThrow()
})
