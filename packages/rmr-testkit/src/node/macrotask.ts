/**
 * The pump of Node: lets every promise chain come to rest between two steps of a world.
 *
 * Node runs all microtasks before it runs the next immediate, so a step per immediate is enough,
 * and is proof. Immediates are queued many at a time: going round the event loop costs more than a
 * step.
 */
import type { Pump } from "../world/world.js"

// Typed here, so that this package needs no types of Node in programs that use it.
declare const setImmediate: (run: () => void) => unknown

/** Immediates per round of the event loop; timers and signals of the real world wait this long. */
const BATCH_COUNT = 64

export const immediatePump: Pump = (step) =>
  new Promise((resolve, reject) => {
    let isOver = false
    let waitingCount = 0

    const tick = (): void => {
      waitingCount--
      if (!isOver) {
        try {
          isOver = !step()
          if (isOver) resolve()
        } catch (thrown) {
          isOver = true
          reject(thrown)
        }
      }
      if (!isOver && waitingCount === 0) queueBatch()
    }

    const queueBatch = (): void => {
      waitingCount = BATCH_COUNT
      for (let at = 0; at < BATCH_COUNT; at++) setImmediate(tick)
    }

    queueBatch()
  })
