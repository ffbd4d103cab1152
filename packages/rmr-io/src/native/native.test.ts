/** The native part and its twin say the same; without it everything goes on. */
import { spawnSync } from "node:child_process"
import { crc32c } from "@rmr/core"
import { seededRandom } from "@rmr/testkit"
import { fastChecksum, nativeStatus } from "./native.js"

describe("fastChecksum", () => {
  it("is CRC-32C, wherever the bytes lie and however many they are", () => {
    const random = seededRandom("native checksum")
    const bytes = new Uint8Array(70_000)
    random.fill(bytes)
    const view = new DataView(bytes.buffer, 3, 69_000)
    const fast = fastChecksum()
    for (let nth = 0; nth < 2000; nth++) {
      const at = random.below(1000)
      const length = nth < 600 ? nth : random.below(60_000)
      expect(fast(view, at, length)).toBe(crc32c(view, at, length))
    }
    const text = new TextEncoder().encode("123456789".repeat(40))
    expect(fast(new DataView(text.buffer), 0, 9)).toBe(0xe3069283)
  })

  it("does without the native part where that is said, and says so", () => {
    const { isLoaded, why } = nativeStatus()
    expect(isLoaded ? "" : why).toBe(why)
    const program = `const { nativeStatus, fastChecksum } = await import("@rmr/io")
      console.log(nativeStatus().why, fastChecksum()(new DataView(new ArrayBuffer(999)), 0, 999))`
    const run = (RMR_NATIVE: string): string => {
      const env = { ...process.env, RMR_NATIVE, TSX_TSCONFIG_PATH: "tsconfig.run.json" }
      const args = ["--import", "tsx", "--input-type=module", "-e", program]
      const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" })
      return stdout.trim() === "" ? stderr : stdout.trim()
    }
    const [off, on] = [run("off"), run("")]
    expect(off).toContain("RMR_NATIVE=off")
    expect(off.split(" ").at(-1)).toBe(on.split(" ").at(-1))
  })
})
