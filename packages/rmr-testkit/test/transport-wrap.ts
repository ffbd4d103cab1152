/**
 * A transport inside another one, for defects: what a hook does not touch stays as it was.
 */
import type {
  Batch,
  Clock,
  Endpoint,
  EndpointEvents,
  EndpointOptions,
  Memory,
  Session,
  Transport,
} from "@rmr/core"

/** What a defect may look at and use. */
export interface Inside {
  readonly transport: Transport
  readonly endpoint: () => Endpoint
  readonly clock: Clock
  readonly memory: Memory
  /** Where the user of the transport listens. */
  readonly user: EndpointEvents
  /** Every session that this endpoint has had, as its user sees it. */
  readonly sessions: readonly Session[]
}

/** Each returns what is different; the rest is passed through. */
export interface Defect {
  readonly transport?: (inner: Transport) => Partial<Transport>
  readonly memory?: (inner: Memory) => Partial<Memory>
  readonly events?: (inside: Inside) => Partial<EndpointEvents>
  readonly session?: (inner: Session, inside: Inside) => Partial<Session>
  readonly endpoint?: (inner: Endpoint, inside: Inside) => Partial<Endpoint>
}

const innerByWrapped = new WeakMap<Session, Session>()

export function unwrap(session: Session): Session {
  return innerByWrapped.get(session) ?? session
}

/** `base`, but for what `changes` has. */
export function override<T extends object>(base: T, changes: Partial<T>): T {
  return new Proxy(base, {
    get: (_, key) => {
      const source = Reflect.has(changes, key) ? changes : base
      const value: unknown = Reflect.get(source, key, source)
      return typeof value === "function" ? value.bind(source) : value
    },
  })
}

export function withDefect(inner: Transport, defect: Defect): Transport {
  const open = (options: EndpointOptions): Endpoint => openWithDefect(inner, defect, options)
  return override(inner, { open, ...defect.transport?.(inner) })
}

function openWithDefect(transport: Transport, defect: Defect, options: EndpointOptions): Endpoint {
  const memory = override(options.memory, defect.memory?.(options.memory) ?? {})
  const sessions: Session[] = []
  const wrappedByInner = new Map<Session, Session>()
  const wrap = (session: Session): Session => {
    const known = wrappedByInner.get(session)
    if (known !== undefined) return known
    const wrapped = override(session, defect.session?.(session, inside) ?? {})
    wrappedByInner.set(session, wrapped)
    innerByWrapped.set(wrapped, session)
    sessions.push(wrapped)
    return wrapped
  }
  const { clock } = options.env
  const endpoint = (): Endpoint => opened
  const user = options.events
  const inside: Inside = { transport, endpoint, clock, memory, user, sessions }
  const passing: EndpointEvents = {
    onCompletions: (batch) => user.onCompletions(batch),
    onRequests: (batch) => user.onRequests(batch),
    onSessionUp: (session) => user.onSessionUp(session),
    onSessionDown: (session, cause) => user.onSessionDown(session, cause),
  }
  const events = override(passing, defect.events?.(inside) ?? {})
  const wrapping: EndpointEvents = {
    onCompletions: (batch) => events.onCompletions(batch),
    onRequests: (batch) => events.onRequests(batch),
    onSessionUp: (session) => events.onSessionUp(wrap(session)),
    onSessionDown: (session, cause) => events.onSessionDown(wrap(session), cause),
  }
  const opened = transport.open({ ...options, memory, events: wrapping })
  const dialing: Partial<Endpoint> = {
    dial: async (address, dialOptions) => wrap(await opened.dial(address, dialOptions)),
  }
  const base = override(opened, dialing)
  return override(base, defect.endpoint?.(base, inside) ?? {})
}

/** The rows of a table, to be changed and handed on while the call lasts. */
export function rowsOf(batch: Batch, stride: number): number[][] {
  return Array.from({ length: batch.count }, (_, row) => [
    ...batch.words.subarray(row * stride, (row + 1) * stride),
  ])
}

export function batchOf(rows: readonly (readonly number[])[], headers: DataView): Batch {
  return { count: rows.length, words: Int32Array.from(rows.flat()), headers }
}

/** A copy that outlives the call. */
export function keptBatch(batch: Batch): Batch {
  const { buffer, byteOffset, byteLength } = batch.headers
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice()
  return {
    count: batch.count,
    words: batch.words.slice(),
    headers: new DataView(bytes.buffer),
  }
}
