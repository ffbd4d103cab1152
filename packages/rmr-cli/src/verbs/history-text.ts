/** Starts by force, and what they cost, in words (rules F6, P11). */
import { sizeText } from "../config/sizes.js"
import { type ForkShown, type StartShown, shownView } from "../control/status.js"

/** Enough digits to tell two histories apart. */
function short(lineage: string): string {
  return lineage.slice(0, 8)
}

export function forksText(
  forks: readonly (ForkShown & { readonly lostBytes?: number })[],
): readonly string[] {
  return forks.map(({ lineage, fork, lostChunks, lostBytes, isSettled }) => {
    const bytes = lostBytes === undefined ? "" : ` (${sizeText(lostBytes)})`
    const open = isSettled ? "" : ", not settled yet"
    const lost = lostChunks === 0 ? "no chunk was lost" : `${lostChunks} chunks${bytes} were lost`
    return `started by force: left history ${short(lineage)} after view ${fork}; ${lost}${open}`
  })
}

export function startText(pool: string, { forced, view, lineage }: StartShown): string {
  const open = `pool ${pool} is open here now, in view ${view} of history ${short(lineage ?? "")}`
  if (forced === null) return open
  const { fork, missing, chunksWithoutCleanCopy, chunksLost, chunkSizeBytes } = forced
  const lostText = `${chunksLost}, ${sizeText(chunksLost * chunkSizeBytes)}`
  const changes = `"rmr pool require ${pool} COUNT" changes that`
  const lines = [
    open,
    `  started by force: left history ${short(forced.parent)} after view ${shownView(fork)}`,
    ...missing.map(({ memberId, lastView }) => {
      const since =
        lastView.epoch === 0 ? "never was normal" : `normal until ${shownView(lastView)}`
      return `  without member ${memberId}, ${since} as far as is known here`
    }),
    `  chunks without a clean copy here: ${chunksWithoutCleanCopy}`,
    `  of these lost, unless one who is here returns with it: ${lostText}`,
    `  at least ${forced.minNormal} members serve from now on; ${changes}`,
  ]
  if (forced.isStale) {
    lines.push("  who opened it lacks what was written after that view, wherever that was")
  }
  return lines.join("\n")
}
