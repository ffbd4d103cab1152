import { type ChunkNumber, memberId } from "../brand.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL } from "../rules/rank.js"
import { DirtyMap } from "./dirty-map.js"
import { mapSummary } from "./map-summary.js"

const chunk = (value: number): ChunkNumber => value as ChunkNumber

describe("mapSummary", () => {
  it("tells member by member how many chunks are dirty, why, and which come first", () => {
    const clean = new DirtyMap({ chunkCount: 4096 })
    const own = new DirtyMap({ chunkCount: 4096 })
    own.markRange(chunk(0), 3, RANK_REAL)
    own.mark(chunk(9), RANK_REAL)
    own.mark(chunk(40), RANK_IN_FLIGHT)
    own.mark(chunk(4095), RANK_CACHE_LOST)
    const absent = new DirtyMap({ chunkCount: 4096, stamp: { epoch: 4, version: 7 } })
    for (let number = 0; number < 1400; number += 2) absent.mark(chunk(number), RANK_REAL)
    const members = [clean, own, absent].map((map, at) => ({ memberId: memberId(at + 1), map }))
    expect(mapSummary(members, 4)).toBe(
      [
        "member 1: clean",
        "member 2: 6 of 4096 chunks dirty, 4 real, 1 suspect in flight, 1 suspect cache lost: " +
          "0-2 9 40 4095",
        "member 3: 700 of 4096 chunks dirty, 700 real, absent since view 4.7: 0 2 4 6 and 696 more",
      ].join("\n"),
    )
  })

  it("names a fully dirty volume of 512 TiB in one range", () => {
    const map = new DirtyMap({ chunkCount: 2 ** 37 })
    map.fill(RANK_REAL)
    const words = mapSummary([{ memberId: memberId(9), map }])
    expect(words).toBe(
      "member 9: 137438953472 of 137438953472 chunks dirty, 137438953472 real: 0-137438953471",
    )
  })

  it("names no chunks when asked for none, but says how many there are", () => {
    const map = new DirtyMap({ chunkCount: 10 })
    map.fill(RANK_REAL)
    const words = mapSummary([{ memberId: memberId(2), map }], 0)
    expect(words).toBe("member 2: 10 of 10 chunks dirty, 10 real: 10 in all")
  })
})
