/** The control socket: who asks is answered, who talks nonsense is too, and only one listens. */
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RmrError } from "@rmr/core"
import { askDaemon } from "./control-client.js"
import { ControlServer } from "./control-server.js"

let folder: string
let server: ControlServer

const path = (): string => join(folder, "control.sock")

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rmr-control-"))
  server = await ControlServer.listen(path(), {
    echo: async (args) => args,
    fail: async () => {
      throw new RmrError("not-found", "there is nothing")
    },
  })
})

afterEach(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

/** What is answered to this line, as it is. */
function say(line: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path())
    socket.setEncoding("utf8")
    socket.once("error", reject)
    socket.once("close", () => resolve(undefined))
    socket.once("data", (text: string) => {
      socket.destroy()
      resolve(JSON.parse(text))
    })
    socket.write(line)
  })
}

describe("the control socket", () => {
  it("answers a verb, and hands a refusal on with its code", async () => {
    expect(await askDaemon(path(), "echo", { pool: "vault" })).toEqual({ pool: "vault" })
    await expect(askDaemon(path(), "fail")).rejects.toMatchObject({ code: "not-found" })
    await expect(askDaemon(path(), "toString")).rejects.toMatchObject({ code: "unsupported" })
  })

  it("P8: answers nonsense with bad-message, and goes on", async () => {
    for (const line of [
      "{\n",
      "[]\n",
      '{"id":1}\n',
      '{"id":1,"verb":"echo","args":3}\n',
      "null\n",
    ]) {
      expect(await say(line)).toMatchObject({ ok: false, error: { code: "bad-message" } })
    }
    expect(await askDaemon(path(), "echo")).toEqual({})
  })

  it("P8: hangs up on a line without an end", async () => {
    expect(await say("x".repeat(70_000))).toBeUndefined()
    expect(await askDaemon(path(), "echo")).toEqual({})
  })

  it("is refused to a second daemon, and taken over from a dead one", async () => {
    await expect(ControlServer.listen(path(), {})).rejects.toMatchObject({ code: "busy" })
    await server.close()
    server = await ControlServer.listen(path(), { echo: async () => "again" })
    expect(await askDaemon(path(), "echo")).toBe("again")
  })

  it("says that no daemon is there, and what to do", async () => {
    const asking = askDaemon(join(folder, "nobody.sock"), "status")
    await expect(asking).rejects.toThrow("start one, or say --socket")
  })
})
