import { LivePart } from "./terminal.js"

describe("a live part of a terminal", () => {
  it("goes back over its own lines only, also where they were too long for one", () => {
    const written: string[] = []
    const part = new LivePart({ columns: 10, write: (text) => written.push(text) })
    part.draw("one\n\n12345678901")
    part.draw("1234567890")
    part.draw("end")
    expect(written).toEqual([
      "\r\x1b[Jone\n\n12345678901\n",
      "\x1b[4A\r\x1b[J1234567890\n",
      "\x1b[1A\r\x1b[Jend\n",
    ])
  })

  it("takes every line for one where the terminal does not know how wide it is", () => {
    const written: string[] = []
    const part = new LivePart({ columns: 0, write: (text) => written.push(text) })
    part.draw("a line\nand another")
    part.draw("end")
    expect(written.at(-1)).toBe("\x1b[2A\r\x1b[Jend\n")
  })
})
