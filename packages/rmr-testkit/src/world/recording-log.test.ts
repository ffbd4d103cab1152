import type { LogRecord } from "./recording-log.js"
import { recordingLog } from "./recording-log.js"

describe("recordingLog", () => {
  it("keeps what was said, when, and the fields of every parent", () => {
    let nowMs = 5
    const log = recordingLog({ nowMs: () => nowMs })
    log.child({ a: 1, b: 1 }).child({ b: 2 }).write("info", "it.happened", { c: 3 })
    nowMs = 6
    log.write("error", "it.broke")
    expect(log.records).toEqual([
      { atMs: 5, level: "info", event: "it.happened", fields: { a: 1, b: 2, c: 3 } },
      { atMs: 6, level: "error", event: "it.broke", fields: {} },
    ])
    expect(log.find("it.broke").length).toBe(1)
    log.clear()
    expect(log.records).toEqual([])
  })

  it("keeps the latest of too many, counts the rest, and shows each to the listener", () => {
    const heard: LogRecord[] = []
    const log = recordingLog({
      nowMs: () => 0,
      recordsMax: 10,
      onRecord: (record) => heard.push(record),
    })
    for (let at = 0; at < 105; at++) log.write("info", `event.${at}`)
    expect(log.records.map(({ event }) => event)).toEqual(
      Array.from({ length: 10 }, (_, at) => `event.${95 + at}`),
    )
    expect([log.forgottenCount, heard.length]).toEqual([95, 105])
  })

  it("drops what is below its level, and says so before costly fields are built", () => {
    const log = recordingLog({ nowMs: () => 0, level: "warn" })
    const child = log.child({ a: 1 })
    child.write("info", "quiet")
    child.write("warn", "loud")
    expect([child.enabled("info"), child.enabled("warn")]).toEqual([false, true])
    expect(log.records.map(({ event }) => event)).toEqual(["loud"])
  })
})
