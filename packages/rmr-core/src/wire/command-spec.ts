/**
 * What a command is, as data: who may send it, what it must name, its tables, its promise.
 *
 * Codec, tests and docs/PROTOCOL.md are all made from these specs, so that a command which is not
 * completely described does not exist. A request and its answer are one spec: they are one
 * exchange.
 */
import type { MapVersion } from "../rules/pool-metadata.js"
import type { OptionalMemberId } from "./field-types.js"
import { type Struct, struct } from "./layout.js"
import type { PayloadCodec } from "./payload.js"
import type { Refused } from "./refusal.js"

/** The four types of a command: what is asked and what is answered, in the header and beside it. */
export interface CommandShape {
  readonly body: unknown
  readonly payload: unknown
  readonly result: unknown
  readonly resultPayload: unknown
}

export interface Shape<Body, Payload, Result, ResultPayload> extends CommandShape {
  readonly body: Body
  readonly payload: Payload
  readonly result: Result
  readonly resultPayload: ResultPayload
}

/** Nothing to say: a body or result without fields. */
export type Nothing = Readonly<Record<never, never>>
export const NOTHING: Struct<Nothing> = struct<Nothing>("nothing", 0, [])

/**
 * What the request must name of (lineage, epoch, view), rule F3.
 * `none`: it belongs to no pool. `known`: what the sender knows, zeroes for nothing.
 * `epoch`: a lineage and an epoch, before there is a view of it. `view`: all three.
 */
export type Naming = "none" | "known" | "epoch" | "view"

/** Everything of a request around its body. */
export interface RequestEnvelope {
  readonly groupId: number
  readonly mapVersion: MapVersion
  readonly sessionGeneration: number
  readonly senderMemberId: OptionalMemberId
}

export interface CommandSpec<S extends CommandShape> {
  /** As upstream calls it. */
  readonly name: string
  readonly code: number
  readonly type: number
  readonly from: "client" | "node" | "either"
  readonly names: Naming
  readonly lane: "control" | "sync"
  /** What it does, for whom, and what holds when it is answered: one paragraph. */
  readonly does: string
  /** The rules it carries. */
  readonly rules: readonly string[]
  readonly body: Struct<S["body"]>
  readonly payload: PayloadCodec<S["payload"]>
  readonly result: Struct<S["result"]>
  readonly resultPayload: PayloadCodec<S["resultPayload"]>
  /** What ties the fields of a request together. */
  check?(body: S["body"], payload: S["payload"], envelope: RequestEnvelope): Refused | undefined
  /** What ties the fields of an answer together. */
  checkResult?(result: S["result"], payload: S["resultPayload"]): Refused | undefined
}
