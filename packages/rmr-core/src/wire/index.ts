/**
 * What travels: every message as bytes and back. docs/PROTOCOL.md is generated from these tables.
 *
 * Reading order: layout and field-types (how a table becomes a codec), header (what all messages
 * share), io and io-reply (the data path), command and its topics, command-codec, reply,
 * pool-metadata-codec (the view record), negotiation, refusal (what is said to bytes that are none
 * of these).
 */
export * from "./chunk-ranges.js"
export * from "./command.js"
export * from "./command-codec.js"
export * from "./command-map.js"
export * from "./command-membership.js"
export * from "./command-open.js"
export * from "./command-recovery.js"
export * from "./command-spec.js"
export * from "./command-user.js"
export * from "./command-view.js"
export * from "./crc32c.js"
export * from "./decode.js"
export {
  type Digest,
  type OptionalMemberId,
  readU64,
  writeU64,
  ZERO_DIGEST,
} from "./field-types.js"
export * from "./header.js"
export * from "./io.js"
export * from "./io-bounds.js"
export * from "./io-layout.js"
export * from "./io-record.js"
export * from "./io-reply.js"
export * from "./io-rules.js"
export * from "./last-io-entry.js"
export type { Field, Layout } from "./layout.js"
export * from "./map-pages.js"
export * from "./member-report.js"
export * from "./negotiation.js"
export * from "./payload.js"
export * from "./payload-check.js"
export * from "./pool-metadata-codec.js"
export * from "./pool-metadata-layout.js"
export * from "./pool-metadata-rules.js"
export * from "./refusal.js"
export * from "./reply.js"
export * from "./status.js"
export { readUtf8, utf8Bytes, writeUtf8 } from "./utf8.js"
