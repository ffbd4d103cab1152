/** What the thread of a daemon and those of its loops say to each other. */
import type { ErrorCode, LogLevel } from "@rmr/core"
import type { Guest } from "@rmr/io"
import type { ClientConfig, StorageConfig } from "../config/config.js"

/** What all threads of a daemon are told. */
export interface LoopSetting {
  readonly name: string
  readonly log: LogLevel
  readonly lingerUs: number
}

/** What a loop is told before it begins: its role, with the pools that are this loop's. */
export interface LoopTask extends LoopSetting {
  readonly loop: number
  readonly role:
    | { readonly kind: "storage"; readonly config: StorageConfig }
    | { readonly kind: "client"; readonly config: ClientConfig }
}

export type ToLoop =
  | { readonly kind: "guest"; readonly guest: Guest }
  | {
      readonly kind: "ask"
      readonly id: number
      readonly method: string
      readonly args: readonly unknown[]
    }

/** An error as it crosses from thread to thread. */
export interface Failure {
  readonly code: ErrorCode
  readonly detail: string
}

export type FromLoop =
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "answer"; readonly id: number; readonly result: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly failure: Failure }

/** Whose methods are asked from another thread. */
export type Service = { readonly close: () => Promise<void> }

/** A method as it is asked from another thread. */
export type Asking<S, M extends keyof S> = S[M] extends (...args: infer Args) => infer Result
  ? (...args: Args) => Promise<Awaited<Result>>
  : never
