/**
 * A rule of tidy: a name, a sentence, and a function from the repository to what is wrong in it.
 */
import type { Repository } from "./repository.js"

export interface Finding {
  readonly path: string
  /** From 1; 0 where it is about the whole file. */
  readonly line: number
  /** What is wrong, and what to write instead. */
  readonly message: string
}

export interface Rule {
  readonly name: string
  /** The rule as a sentence. */
  readonly title: string
  check(repository: Repository): Finding[]
}
