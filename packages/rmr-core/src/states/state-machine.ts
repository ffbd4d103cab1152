/**
 * States as tables, and the one cell that may change them.
 *
 * A state is worth having only if somebody can say what it means, how it was reached and what ends
 * it. So a machine is frozen data: a sentence for each state, a sentence for each event, and the
 * list of legal moves. The same data drives the check on every transition (in production too), the
 * text that `status` shows (promise P11) and the pictures in docs/STATES.md.
 *
 * One writer: whoever holds the `StateCell` changes the state; everybody else gets its `StateView`.
 * An event is the reason of a move, not a message: it never arrives, it is stated by the writer.
 */
import { assert } from "../assert.js"

export interface StateText {
  /** What the state is. */
  readonly meaning: string
  /** What happens next by itself. */
  readonly next: string
  /** Which admin verb helps, and when. */
  readonly help: string
}

/** `from` becomes `to` for any of these reasons, and for no other. */
export interface Move<S extends string, E extends string> {
  readonly from: S
  readonly to: S
  readonly on: readonly E[]
}

export interface StateMachine<S extends string, E extends string> {
  /** What has these states, as a person says it: `leg`. */
  readonly name: string
  readonly initial: S
  readonly states: Readonly<Record<S, StateText>>
  /** Why something moves: one sentence for each event. */
  readonly events: Readonly<Record<E, string>>
  /** At most one move for each pair of states; none from a state to itself. */
  readonly moves: readonly Move<S, E>[]
}

/** What everybody but the writer sees. */
export interface StateView<S extends string, E extends string> {
  readonly machine: StateMachine<S, E>
  readonly state: S
  /** When it was entered, on the clock of whoever writes. */
  readonly sinceMs: number
  /** The reason of the last move; undefined while it is still in its initial state. */
  readonly event: E | undefined
  /**
   * What the event's sentence cannot know: an address, an error. Without a full stop; may be empty.
   */
  readonly detail: string
  /** Calls `run` after every move, in order of registration. The result ends it. */
  observe(run: StateObserver<S, E>): () => void
}

export type StateObserver<S extends string, E extends string> = (
  view: StateView<S, E>,
  from: S,
) => void

/** The four things that P11 promises, ready to be printed. */
export interface StateExplanation {
  readonly state: string
  readonly sinceMs: number
  readonly why: string
  readonly next: string
  readonly help: string
}

export function isLegalMove<S extends string, E extends string>(
  machine: StateMachine<S, E>,
  from: S,
  to: S,
  event: E,
): boolean {
  const move = machine.moves.find((one) => one.from === from && one.to === to)
  return move?.on.includes(event) ?? false
}

/** Nothing leads out of a final state. */
export function isFinalState<S extends string, E extends string>(
  machine: StateMachine<S, E>,
  state: S,
): boolean {
  return machine.moves.every((move) => move.from !== state)
}

export function explain<S extends string, E extends string>(
  view: StateView<S, E>,
): StateExplanation {
  const { meaning, next, help } = view.machine.states[view.state]
  const cause = view.event === undefined ? meaning : view.machine.events[view.event]
  const why = view.detail === "" ? cause : `${cause.slice(0, -1)}: ${view.detail}.`
  return { state: view.state, sinceMs: view.sinceMs, why, next, help }
}

export class StateCell<S extends string, E extends string> implements StateView<S, E> {
  readonly machine: StateMachine<S, E>
  #state: S
  #sinceMs: number
  #event: E | undefined = undefined
  #detail = ""
  #isNotifying = false
  #observers: readonly StateObserver<S, E>[] = []

  constructor(machine: StateMachine<S, E>, nowMs: number) {
    this.machine = machine
    this.#state = machine.initial
    this.#sinceMs = nowMs
  }

  get state(): S {
    return this.#state
  }

  get sinceMs(): number {
    return this.#sinceMs
  }

  get event(): E | undefined {
    return this.#event
  }

  get detail(): string {
    return this.#detail
  }

  /** Moves to `to` because of `event`; anything that is not in the table is our own mistake. */
  transition(to: S, event: E, nowMs: number, detail = ""): void {
    const from = this.#state
    const legal = isLegalMove(this.machine, from, to, event)
    assert(legal, `a ${this.machine.name} does not go ${from} → ${to} on ${event}`)
    assert(nowMs >= this.#sinceMs, `a ${this.machine.name} moved before it was entered`)
    // An observer that moved the cell would let the others see the moves in different orders.
    assert(!this.#isNotifying, `an observer of a ${this.machine.name} may not move it`)
    this.#state = to
    this.#sinceMs = nowMs
    this.#event = event
    this.#detail = detail
    this.#notify(from)
  }

  observe(run: StateObserver<S, E>): () => void {
    const observer: StateObserver<S, E> = (view, from) => run(view, from)
    this.#observers = [...this.#observers, observer]
    return () => {
      this.#observers = this.#observers.filter((one) => one !== observer)
    }
  }

  #notify(from: S): void {
    this.#isNotifying = true
    try {
      for (const observer of this.#observers) observer(this, from)
    } finally {
      this.#isNotifying = false
    }
  }
}

/** Freezes a table to its leaves, so that no reader can bend it. */
export function freezeMachine<S extends string, E extends string>(
  machine: StateMachine<S, E>,
): StateMachine<S, E> {
  for (const text of Object.values<StateText>(machine.states)) Object.freeze(text)
  for (const move of machine.moves) {
    Object.freeze(move.on)
    Object.freeze(move)
  }
  Object.freeze(machine.states)
  Object.freeze(machine.events)
  Object.freeze(machine.moves)
  return Object.freeze(machine)
}
