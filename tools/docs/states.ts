/**
 * docs/STATES.md: for each state machine a picture, what the states mean and why they change.
 */
import {
  isFinalState,
  LEG_MACHINE,
  MAP_UPDATE_MACHINE,
  SERVER_POOL_MACHINE,
  STORE_LIFECYCLE_MACHINE,
  type StateMachine,
  SYNC_LEG_MACHINE,
} from "../../packages/rmr-core/src/states/index.js"
import { generatedFrom, table } from "./markdown.js"

type AnyMachine = StateMachine<string, string>

const INTRODUCTION = `# States

Who may become what, and why. Each machine below is a frozen table in
\`packages/rmr-core/src/states\`; one cell changes a state, every change is checked against
the table in production, and the sentences here are the ones that a status shows (promise
P11: since when, why, what happens next by itself, which command helps).

Rule numbers (\`V5\`, \`W5\`, …) are those of [RULES.md](RULES.md). The verbs in the column
*Helps* (\`status\`, \`store add\`, …) are those of the \`rmr\` program. A
state of a leg, a server pool or a map update is somebody's local opinion and lives in
memory; the life of a store is durable. Which member holds the truth is decided by none of
them, but by the view record alone.`

/** What a machine is about, for a reader who comes from the original. */
const SECTIONS: readonly { readonly machine: AnyMachine; readonly about: string }[] = [
  {
    machine: LEG_MACHINE,
    about: `A compute client's tie to one member (upstream: \`rmr_clt_pool_sess\`). A leg
never goes from failed to normal: nobody can know from the outside what a failed leg
missed.`,
  },
  {
    machine: SYNC_LEG_MACHINE,
    about: `A storage node's tie to one of its peers, in its sync pool. It carries no
mutations and misses nothing, so it is normal again as soon as the peer answers.`,
  },
  {
    machine: SERVER_POOL_MACHINE,
    about: `What one storage node does for one pool (upstream: \`rmr_srv_pool\`). Only
\`normal\` admits IO, and every way out of it drains first.`,
  },
  {
    machine: MAP_UPDATE_MACHINE,
    about: `How a member that was away learns what it missed (upstream:
\`map_update_state\`), seen from that member.`,
  },
  {
    machine: STORE_LIFECYCLE_MACHINE,
    about: "What is durable about the use of a store (upstream: the bits OPEN and MAPPED).",
  },
]

export function renderStates(): string {
  return [
    generatedFrom("packages/rmr-core/src/states"),
    "",
    INTRODUCTION,
    ...SECTIONS.flatMap(({ machine, about }) => ["", renderMachine(machine, about)]),
    "",
  ].join("\n")
}

function renderMachine(machine: AnyMachine, about: string): string {
  const states = Object.entries(machine.states)
  return [
    `## ${capitalized(machine.name)}`,
    "",
    about,
    "",
    renderPicture(machine),
    "",
    table(
      ["State", "Meaning", "Next, by itself", "Helps"],
      states.map(([name, text]) => [`\`${name}\``, text.meaning, text.next, text.help]),
    ),
    "",
    table(
      ["From", "To", "On"],
      machine.moves.map(({ from, to, on }) => [`\`${from}\``, `\`${to}\``, on.join(", ")]),
    ),
    "",
    table(
      ["Event", "Why"],
      Object.entries(machine.events).map(([name, sentence]) => [name, sentence]),
    ),
  ].join("\n")
}

function renderPicture(machine: AnyMachine): string {
  const names = Object.keys(machine.states)
  return [
    "```mermaid",
    "stateDiagram-v2",
    ...names
      .filter((name) => name !== idOf(name))
      .map((name) => `  state "${name}" as ${idOf(name)}`),
    `  [*] --> ${idOf(machine.initial)}`,
    ...machine.moves.map(
      ({ from, to, on }) => `  ${idOf(from)} --> ${idOf(to)} : ${on.join(", ")}`,
    ),
    ...names.filter((name) => isFinalState(machine, name)).map((name) => `  ${idOf(name)} --> [*]`),
    "```",
  ].join("\n")
}

/** Mermaid takes no hyphen in a name. */
function idOf(state: string): string {
  return state.replaceAll("-", "_")
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
