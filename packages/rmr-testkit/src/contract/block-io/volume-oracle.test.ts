/**
 * The judge is judged: what an oracle lets pass, and what it must not.
 */
import { VolumeOracle } from "./volume-oracle.js"

const UNIT = 512

function filled(units: number, fill: number): Uint8Array {
  return new Uint8Array(units * UNIT).fill(fill)
}

/** A volume of four units by what each is filled with. */
function volume(...fills: number[]): Uint8Array {
  const bytes = filled(fills.length, 0)
  for (const [unit, fill] of fills.entries()) bytes.fill(fill, unit * UNIT, (unit + 1) * UNIT)
  return bytes
}

function oracleOf(...fills: number[]): VolumeOracle {
  return new VolumeOracle(volume(...fills), UNIT)
}

function write(oracle: VolumeOracle, unit: number, units: number, fill: number): void {
  oracle.complete(oracle.begin(unit * UNIT, filled(units, fill)))
}

describe("VolumeOracle", () => {
  it("reads what completed last, and nothing that is in flight", () => {
    const oracle = oracleOf(0, 0, 0, 0)
    write(oracle, 0, 2, 1)
    write(oracle, 1, 1, 2)
    oracle.begin(2 * UNIT, filled(1, 3))
    expect(oracle.content).toEqual(volume(1, 2, 0, 0))
  })

  it("allows each unit any version since the durable one, after a power cut", () => {
    const allowed = [
      [0, 0],
      [1, 2],
      [2, 0],
    ]
    for (const [first = 0, second = 0] of allowed) {
      const oracle = oracleOf(0, 0, 0, 0)
      write(oracle, 0, 2, 1)
      write(oracle, 0, 2, 2)
      oracle.afterPowerCut(volume(first, second, 0, 0))
      expect(oracle.content).toEqual(volume(first, second, 0, 0))
    }
  })

  it("refuses a version that was never there, and half a unit of each", () => {
    const torn = volume(1, 0, 0, 0)
    torn.fill(0, UNIT / 2, UNIT)
    for (const found of [volume(3, 0, 0, 0), volume(1, 0, 0, 9), torn]) {
      const oracle = oracleOf(0, 0, 0, 0)
      write(oracle, 0, 1, 1)
      expect(() => oracle.afterPowerCut(found)).toThrow("expected the unit at")
    }
  })

  it("lets a flush cover what had completed when it was submitted, and no more", () => {
    const oracle = oracleOf(0, 0, 0, 0)
    write(oracle, 0, 1, 1)
    const { coverage } = oracle
    write(oracle, 1, 1, 1)
    oracle.flushed(coverage)
    expect(() => oracle.afterPowerCut(volume(0, 1, 0, 0))).toThrow("unit at 0")
    oracle.afterPowerCut(volume(1, 0, 0, 0))
  })

  it("forgets older versions below one that was forced", () => {
    const oracle = oracleOf(0, 0, 0, 0)
    write(oracle, 0, 1, 1)
    const change = oracle.begin(0, filled(1, 2))
    oracle.complete(change)
    oracle.forced(change)
    write(oracle, 0, 1, 3)
    expect(() => oracle.afterPowerCut(volume(1, 0, 0, 0))).toThrow("unit at 0")
    oracle.afterPowerCut(volume(2, 0, 0, 0))
  })

  it("lets a dying process lose nothing that completed, and decide what was in flight", () => {
    for (const [found, isRight] of [
      [volume(1, 1, 2, 0), true],
      [volume(1, 1, 0, 2), true],
      [volume(0, 1, 0, 0), false],
      [volume(1, 1, 1, 0), false],
    ] as const) {
      const oracle = oracleOf(0, 0, 0, 0)
      write(oracle, 0, 2, 1)
      oracle.begin(2 * UNIT, filled(2, 2))
      const judge = (): void => oracle.afterKill(found)
      if (isRight) expect(judge).not.toThrow()
      else expect(judge).toThrow("after a dying process")
    }
  })

  it("remembers across a dying process what a later power cut may take back", () => {
    const after = (...fills: number[]): (() => void) => {
      const oracle = oracleOf(0, 0, 0, 0)
      write(oracle, 0, 1, 1)
      oracle.begin(UNIT, filled(2, 2))
      oracle.afterKill(volume(1, 2, 0, 0))
      return () => oracle.afterPowerCut(volume(...fills))
    }
    expect(after(0, 0, 0, 0)).not.toThrow()
    expect(after(1, 2, 0, 0)).not.toThrow()
    expect(after(1, 2, 2, 0)).toThrow("unit at 1024")
  })
})
