/**
 * Shapes in which the jobs of the device bench are measured: how many copies there are, in which
 * state they are, and over how many connections fio visits them.
 *
 * Something is promised for one shape only: two copies, all of them there, one connection. In
 * every other shape a job has another name, so that a history does not mix them up; how many
 * copies a target has says its own name.
 */
import type { Job } from "./jobs.js"
import { STATES, type State } from "./target.js"

const PROMISED = { members: 2, state: "healthy", connections: 1 } as const
/** As many as a pool of this bench may have. */
const MEMBERS_MAX = 8
const CONNECTIONS_MAX = 16

/** What is started together. */
export interface Site {
  readonly members: number
  readonly state: State
}

/** All of what is asked for; a pool of one can neither lack a copy nor sync one. */
export function sitesOf(members: readonly number[], states: readonly State[]): readonly Site[] {
  return members.flatMap((count) =>
    states
      .filter((state) => count > 1 || state === "healthy")
      .map((state) => ({ members: count, state })),
  )
}

export function siteInWords({ members, state }: Site): string {
  return `${members === 1 ? "1 member" : `${members} members`}, ${state}`
}

/** The jobs there; those with less depth than connections are none. */
export function jobsAt(jobs: readonly Job[], site: Site, connections: number): readonly Job[] {
  const { members, state } = site
  const isPromised =
    members === PROMISED.members && state === PROMISED.state && connections === PROMISED.connections
  const words = [
    connections === 1 ? "" : `, ${connections} connections`,
    state === "healthy" ? "" : `, ${state}`,
  ].join("")
  return jobs
    .filter(({ depth }) => depth % connections === 0)
    .map((job) => {
      if (isPromised) return job
      const { must: _must, mustCpu: _cpu, mustCalls: _calls, ...rest } = job
      return { ...rest, name: `${job.name}${words}`, connections }
    })
}

export function membersIn(text: string): readonly number[] {
  return countsIn("--members", text, MEMBERS_MAX)
}

export function connectionsIn(text: string): readonly number[] {
  return countsIn("--connections", text, CONNECTIONS_MAX)
}

function countsIn(option: string, text: string, max: number): readonly number[] {
  const counts = text.split(",").map(Number)
  if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= max)) return counts
  throw new Error(`${option} ${text}: it takes numbers from 1 to ${max}, as in ${option} 1,2`)
}

export function statesIn(text: string): readonly State[] {
  return text.split(",").map((word) => {
    const state = STATES.find((name) => name === word)
    if (state === undefined) throw new Error(`--states ${text}: there are ${STATES.join(", ")}`)
    return state
  })
}
