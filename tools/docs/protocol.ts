/**
 * The tables of docs/PROTOCOL.md. Its words are written by people, its tables by this.
 *
 * A table stands between two marks, `<!-- layout IO -->` and `<!-- end -->`; what is between them
 * is replaced by what the code says today. So a field cannot move, and a command cannot appear,
 * without the page saying so.
 */
import {
  CHUNK_RANGE,
  COMMAND_HEADER,
  COMMAND_KINDS,
  type CommandKind,
  FEATURES,
  HOT_RANGE,
  IO_LAYOUT,
  IO_REPLY_LAYOUT,
  LAST_IO_ENTRY,
  type Layout,
  MAP_PAGES_HEAD,
  MAP_STATE,
  MEMBER_REPORT,
  MESSAGE_HEADER,
  METADATA_HEAD,
  METADATA_LINEAGE,
  METADATA_MEMBER,
  METADATA_RANGE,
  MISSED_RANGE,
  OP_NAMES,
  OPEN_KNOWLEDGE_HEAD,
  REFUSALS,
  REPLY_HEADER,
  specOf,
  TYPE_NAMES,
} from "../../packages/rmr-core/src/index.js"
import { table } from "./markdown.js"

const LAYOUTS: readonly Layout[] = [
  MESSAGE_HEADER,
  IO_LAYOUT,
  IO_REPLY_LAYOUT,
  COMMAND_HEADER,
  REPLY_HEADER,
  MEMBER_REPORT,
  METADATA_HEAD,
  METADATA_LINEAGE,
  METADATA_MEMBER,
  METADATA_RANGE,
  OPEN_KNOWLEDGE_HEAD,
  LAST_IO_ENTRY,
  HOT_RANGE,
  MAP_PAGES_HEAD,
  MAP_STATE,
  MISSED_RANGE,
  CHUNK_RANGE,
]

const MARKED = /(<!-- (layout|command|list) ([^>]+?) -->\n)[\s\S]*?(<!-- end -->)/g

/** The page with every marked table as the code has it now. */
export function renderProtocol(page: string): string {
  return page.replaceAll(MARKED, (_all, begin: string, kind: string, name: string, end: string) => {
    return `${begin}\n${tableFor(kind, name)}\n\n${end}`
  })
}

/** What the page must have a mark for. */
export function protocolMarks(): readonly string[] {
  return [
    ...LAYOUTS.map(({ name }) => `<!-- layout ${name} -->`),
    ...COMMAND_KINDS.map((kind) => `<!-- command ${kind} -->`),
    ...Object.keys(LISTS).map((name) => `<!-- list ${name} -->`),
  ]
}

function tableFor(kind: string, name: string): string {
  if (kind === "command") return commandText(name as CommandKind)
  if (kind === "list") return (LISTS[name] ?? unknown(name))()
  return layoutTable(LAYOUTS.find((layout) => layout.name === name) ?? unknown(name))
}

function unknown(name: string): never {
  throw new Error(`docs/PROTOCOL.md asks for ${name}, which the code does not have`)
}

function layoutTable(layout: Layout, shift = 0): string {
  const rows = layout.fields.map(({ name, at, bytes, type, why }) => [
    `${at + shift}`,
    `${bytes}`,
    name === "reserved" ? "–" : `\`${name}\``,
    type,
    why,
  ])
  if (layout.tail !== undefined) {
    const { name, at, type, why } = layout.tail
    rows.push([`${at + shift}`, "rest", `\`${name}\``, type, why])
  }
  return table(["At", "Bytes", "Field", "Type", "What it says"], rows)
}

function commandText(kind: CommandKind): string {
  const spec = specOf(kind)
  const head = [
    `\`${spec.name}\``,
    `code ${spec.code}`,
    `type ${TYPE_NAMES[spec.type]}`,
    `from ${FROM_WORDS[spec.from]}`,
    `names ${NAMES_WORDS[spec.names]}`,
    `${spec.lane} lane`,
  ]
  const rules = spec.rules.length === 0 ? "" : ` Rules ${spec.rules.join(", ")}.`
  return [
    `*${head.join(" · ")}*`,
    `${spec.does.trim().replaceAll(/\s+/g, " ")}${rules}`,
    ...part("Request", spec.body, COMMAND_HEADER.bytes, spec.payload.name),
    ...part("Answer", spec.result, REPLY_HEADER.bytes, spec.resultPayload.name),
  ].join("\n\n")
}

const FROM_WORDS = {
  client: "the client",
  node: "storage nodes",
  either: "the client and storage nodes",
} as const

const NAMES_WORDS = {
  none: "nothing",
  known: "what is known",
  epoch: "lineage and epoch",
  view: "lineage, epoch and view",
} as const

function part(what: string, layout: Layout, shift: number, payload: string): string[] {
  const beside = payload === "" ? "no payload" : `payload: ${payload}`
  const isEmpty = layout.fields.length === 0 && layout.tail === undefined
  if (isEmpty) return [`${what}: nothing more; ${beside}.`]
  return [`${what}, ${beside}:`, layoutTable(layout, shift)]
}

const LISTS: Readonly<Record<string, () => string>> = {
  types: () =>
    table(
      ["Type", "Name"],
      TYPE_NAMES.map((name, type) => [`${type}`, name]),
    ),
  operations: () =>
    table(
      ["Operation", "Name"],
      OP_NAMES.map((name, operation) => [`${operation}`, `\`${name}\``]),
    ),
  features: () =>
    table(
      ["Bit", "Feature"],
      Object.entries(FEATURES).map(([name, bit]) => [`${Math.log2(bit)}`, `\`${name}\``]),
    ),
  refusals: () =>
    table(
      ["Number", "Reason", "Words"],
      Object.entries(REFUSALS).map(([reason, { number, words }]) => [
        `${number}`,
        `\`${reason}\``,
        words,
      ]),
    ),
  commands: () =>
    table(
      ["Code", "Command", "From", "Lane"],
      COMMAND_KINDS.map((kind) => {
        const { code, name, from, lane } = specOf(kind)
        return [`${code}`, `\`${name}\``, FROM_WORDS[from], lane]
      }),
    ),
}
