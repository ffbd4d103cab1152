/**
 * The two ends of a life: opening is exclusive, closing waits, and nothing is lost between two
 * lives.
 */
import { check, checkBytes, checkEqual, checkFails } from "../check.js"
import type { BlockClause, Numbered } from "./clause.js"
import { stamped } from "./content.js"

export function reopenClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "reopening finds the same bytes, time after time",
      run: async (rig) => {
        const { blockBytes, sizeBytes } = rig.io
        await rig.write(0, stamped(0, 4 * blockBytes, 1))
        await rig.write(sizeBytes - blockBytes, stamped(0, blockBytes, 2))
        const before = await rig.readAll()
        for (let time = 1; time <= 3; time++) {
          await rig.reopen()
          checkBytes(await rig.readAll(), before, `the volume after reopening ${time} times`)
        }
      },
    },
  ]
}

export function exclusiveClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "a second open is refused with busy, and the first goes on undisturbed",
      run: async (rig) => {
        const { blockBytes } = rig.io
        const { subject } = rig.current
        await rig.prepare(0, 2 * blockBytes)
        const write = rig.startWrite(0, stamped(0, blockBytes, 1))
        await checkFails(rig.openLife(), "busy", "a second open during a write")
        await rig.done(write)
        await checkFails(rig.openLife(), "busy", "a second open")
        await rig.write(blockBytes, stamped(blockBytes, blockBytes, 1))
        const content = await rig.read(0, 2 * blockBytes)
        checkBytes(content, stamped(0, 2 * blockBytes, 1), "what the first wrote")
        check(rig.current.subject === subject, "the first is still open")
      },
    },
    {
      promise,
      title: "of two that open at once exactly one succeeds",
      run: async (rig) => {
        await rig.close()
        const both = Promise.allSettled([rig.beginLife(), rig.beginLife()])
        const lives = await rig.settled(both, "end of both opens")
        const opened = lives.flatMap((life) => (life.status === "fulfilled" ? [life.value] : []))
        checkEqual(opened.length, 1, "opens that succeeded")
        await rig.settled(opened[0]!.subject.close(), "end of closing")
      },
    },
    {
      promise,
      title: "the lock is free after close",
      run: async (rig) => {
        await rig.reopen()
        await rig.reopen()
      },
    },
    {
      promise,
      title: "the lock dies with its holder",
      needs: ["kill"],
      run: async (rig) => {
        await rig.kill()
        await rig.open()
        await checkFails(rig.openLife(), "busy", "a second open after the first holder died")
      },
    },
  ]
}

export function closeClauses({ promise }: Numbered): BlockClause[] {
  return [
    {
      promise,
      title: "close lets pending operations end as if nothing was closed",
      run: async (rig) => {
        const { blockBytes } = rig.io
        await rig.prepare(0, 8 * blockBytes)
        const writes = Array.from({ length: 8 }, (_, nth) =>
          rig.startWrite(nth * blockBytes, stamped(nth * blockBytes, blockBytes, 1)),
        )
        const flush = rig.startFlush()
        const closing = rig.io.close()
        await rig.settled(closing, "end of closing")
        for (const started of [...writes, flush]) {
          checkEqual(started.outcomes.length, 1, "completions before close is over")
        }
        await rig.done(...writes, flush)
        await rig.close()
        await rig.open()
        const content = await rig.read(0, 8 * blockBytes)
        checkBytes(content, stamped(0, 8 * blockBytes, 1), "what was pending at close")
      },
    },
    {
      promise,
      title: "closing twice, together or later, is closing once",
      run: async (rig) => {
        const { subject } = rig.current
        await rig.settled(Promise.all([subject.close(), subject.close()]), "end of both")
        await rig.settled(subject.close(), "end of a late one")
        await rig.close()
        await rig.open()
        await rig.settled(subject.close(), "end of one after reopening")
        await rig.write(0, stamped(0, rig.io.blockBytes, 1))
      },
    },
  ]
}
