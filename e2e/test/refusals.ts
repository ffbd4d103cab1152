/** A daemon that is told nonsense: what it says, how it ends, and that it ends. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { rmr } from "./rmr-program.js"

export interface Refusal {
  readonly code: number
  /** The last line, without the log before it. */
  readonly words: string
}

export function configFile(folder: string, name: string, text: string): string {
  const path = join(folder, `${name}.toml`)
  const control = text.includes("control =") ? "" : `control = "${join(folder, name)}.control"\n`
  writeFileSync(path, `name = "${name}"\n${control}${text}`)
  return path
}

export async function refusalOf(folder: string, name: string, text: string): Promise<Refusal> {
  return endOf("daemon", "--config", configFile(folder, name, text))
}

/** What a verb ends with, where it fails. */
export async function endOf(...words: string[]): Promise<Refusal> {
  const { code, output } = await rmr(...words)
  return { code, words: output.trim().split("\n").at(-1) ?? "" }
}

export function storage(store: string, listen = "tcp://127.0.0.1:0", more = ""): string {
  const pool = `name = "vault"\nmember = 1\nstore = "${store}"\n${more}`
  return `[storage]\nlisten = ["${listen}"]\n[[storage.pool]]\n${pool}`
}

/** A client of a pool that nobody serves: it waits. */
export function client(nbd: string, more = ""): string {
  const pool = `name = "vault"\nmembers = ["1@tcp://127.0.0.1:9"]\n${more}`
  return `[client]\nnbd = ["${nbd}"]\n[[client.pool]]\n${pool}`
}
