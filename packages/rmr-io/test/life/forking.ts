/**
 * A process with sockets and a ring, and children of its making that have their own: they inherit
 * nothing of it, and however they end, it is not disturbed.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readlinkSync } from "node:fs"
import { assert } from "@rmr/core"
import { addonOrThrow, bytesOf } from "./addon.js"
import { Ends } from "./ends.js"
import { Load } from "./files.js"

/** How a child ends, and what its end says then. */
const WAYS: readonly (readonly [way: string, code: number | null, signal: string | null])[] = [
  ["close", 0, null],
  ["exit", 7, null],
  ["kill", null, "SIGKILL"],
]
const FIRST_OWN_FD = 3

export async function forking(program: string, folder: string): Promise<string> {
  const way = process.env["RMR_LIFE_WAY"]
  if (way !== undefined) return beChild(way, folder)
  const ends = new Ends()
  const [own] = await ends.open(1)
  const load = new Load()
  await load.open(folder, "parent")
  load.startMoves()
  await load.allEnded()
  for (const [way, ...ending] of WAYS) {
    load.startMoves()
    const env = { ...process.env, RMR_LIFE_WAY: way, RMR_LIFE_OPEN: openFiles().join() }
    const child = fork(program, ["forking", folder], { env, stdio: ["ignore", "ignore", 2, "ipc"] })
    const exited = once(child, "exit")
    await whenThere(child)
    await load.allEnded()
    load.startMoves()
    if (way === "kill") child.kill("SIGKILL")
    else child.send("end")
    assert(String(await exited) === String(ending), `a child ended by "${way}"`)
    await load.allEnded()
    await ends.exchange(own!, bytesOf(1000, way.length))
  }
  await ends.close()
  await load.close()
  return `${WAYS.length} children`
}

async function whenThere(child: ChildProcess): Promise<void> {
  const [said] = (await Promise.race([once(child, "message"), once(child, "exit")])) as unknown[]
  assert(said === "there", `the child is there, and did not end with ${said}`)
}

async function beChild(way: string, folder: string): Promise<string> {
  const theirs = new Set(process.env["RMR_LIFE_OPEN"]!.split(","))
  const inherited = openFiles().filter((name) => theirs.has(name))
  assert(inherited.length === 0, `nothing is inherited, but ${inherited}`)
  assert(!openFiles().includes("anon_inode:[io_uring]"), "nor a ring")
  addonOrThrow()
  const ends = new Ends()
  const [own] = await ends.open(1)
  const load = new Load()
  await load.open(folder, `child-${way}`)
  await ends.exchange(own!, bytesOf(1000, way.length))
  load.startMoves()
  process.send?.("there")
  await once(process, "message")
  if (way === "exit") process.exit(7)
  await ends.close()
  await load.close()
  process.disconnect()
  return "closed"
}

/** Sockets and files that are open here, by what names them in the whole machine; and rings. */
function openFiles(): string[] {
  const folder = "/proc/self/fd"
  const names = readdirSync(folder).flatMap((fd) => {
    if (Number(fd) < FIRST_OWN_FD) return []
    try {
      return [readlinkSync(`${folder}/${fd}`)]
    } catch {
      // The one that the folder itself was read with.
      return []
    }
  })
  return names.filter((name) => /^socket:|^\/.*\/(parent|child)|io_uring/.test(name))
}
