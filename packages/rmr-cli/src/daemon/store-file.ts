/**
 * Making a store in a new file. It is sparse: space comes with data.
 *
 * It has another name until it is whole. Somebody who is killed meanwhile leaves no file that looks
 * like a store and holds none, and the next one who makes it takes what he left away.
 */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { createStore, inspectStore, type StoreShape, storeBytes } from "@rmr/brmr-store"
import { buddyMemory, type Env, type Memory, RmrError } from "@rmr/core"
import { createFile, fileSource, pageArenas } from "@rmr/io"

/** Fails with `exists` where something has come there, and with `busy` where somebody makes it. */
export async function makeStoreFile(env: Env, path: string, shape: StoreShape): Promise<void> {
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) {
    throw new RmrError("not-found", `${folder} does not exist; make that folder first`)
  }
  const memory = buddyMemory({ arenas: pageArenas([1024 * 1024]), leaseCountMax: 16 })
  const making = `${path}.making`
  await removeLeftOver(env, memory, making)
  await createFile(making, storeBytes(shape))
  try {
    const source = fileSource(making)
    await createStore({ env, memory, source, isKnownZero: true, ...shape })
    giveName(making, path)
  } finally {
    rmSync(making, { force: true })
  }
  syncFolder(folder)
}

/** Fails with `busy` where it is no left-over: somebody has it open. */
async function removeLeftOver(env: Env, memory: Memory, making: string): Promise<void> {
  if (!existsSync(making)) return
  try {
    await inspectStore({ env, memory, source: fileSource(making) })
  } catch (thrown) {
    const error = RmrError.from(thrown)
    if (error.code === "busy") throw error
  }
  rmSync(making, { force: true })
}

/** A link never takes the place of a file, as a new name for the old one would. */
function giveName(making: string, path: string): void {
  try {
    linkSync(making, path)
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    if (code === "EEXIST") {
      const words = `${path} has come into being meanwhile; name another place`
      throw new RmrError("exists", words, { cause: thrown })
    }
    const words = `${path} cannot be given its name: ${message}; name another place`
    throw new RmrError("io-error", words, { cause: thrown })
  }
}

/** A new name is durable when its folder is. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
