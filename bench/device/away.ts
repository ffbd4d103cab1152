/**
 * A member that was away and returns, for benches that measure what its sync costs: what its node
 * says of it, and how copies are stopped until somebody wants to measure them.
 */
import { type Daemons, pause } from "./daemons.js"

const RETURN_MS = 60_000
const SETTLE_MS = 500

export interface MemberState {
  readonly state: string
  readonly dirtyChunks: number
}

/** Of the only pool of a storage node. */
export async function stateOf(daemons: Daemons, node: string): Promise<MemberState> {
  const { storage } = (await daemons.ask(node, "status")) as {
    readonly storage: { readonly pools: readonly MemberState[] }
  }
  return storage.pools[0]!
}

/** Whether it copies what no request waits for. */
export function setSync(daemons: Daemons, node: string, isOn: boolean): Promise<unknown> {
  return daemons.ask(node, isOn ? "sync-start" : "sync-stop", { pool: "vault" })
}

/** The node was started again: it takes part, and its copies are stopped. */
export async function returned(daemons: Daemons, node: string): Promise<void> {
  const end = performance.now() + RETURN_MS
  for (;;) {
    // Until it listens to admins, nobody answers.
    const member = await stateOf(daemons, node).catch(() => undefined)
    if (member?.state === "normal") break
    if (performance.now() > end) throw new Error("the member did not come back")
    await pause(10)
  }
  await setSync(daemons, node, false)
  await pause(SETTLE_MS)
}
