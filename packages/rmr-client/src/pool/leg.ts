/**
 * Leg: a client pool's tie to one member (upstream: `rmr_clt_pool_sess`).
 *
 * It knows the way there (a link that pools share), says commands in the pool's name, and holds the
 * state that people see. What the data path needs of it is its `EngineLeg`.
 */
import type {
  CommandKind,
  CommandOf,
  CommandTypes,
  Env,
  LegEvent,
  LegState,
  LineageClaim,
  MapVersion,
  MemberId,
  MemberReport,
  ReplyOf,
  Session,
  StateView,
} from "@rmr/core"
import { LEG_MACHINE, StateCell } from "@rmr/core"
import { EngineLeg } from "../io/engine-leg.js"
import type { Link } from "../links/link.js"

export interface LegParts {
  readonly env: Env
  readonly slot: number
  readonly memberId: MemberId
  readonly address: string
  readonly link: Link
  readonly groupId: number
}

export class Leg {
  readonly slot: number
  readonly memberId: MemberId
  readonly address: string
  readonly link: Link
  readonly io: EngineLeg
  /** What the member said about itself last. */
  report: MemberReport | undefined
  /** What the member said when this client opened it, or let it join. */
  private opened: MemberReport | undefined
  /** Its store knows the pool, as far as the member said when it was joined last. */
  hasRecord = false
  /** Of which history its store is, and how far it went there, as it said last (R7). */
  claim: LineageClaim | undefined
  /** The session that was tied to the pool last. */
  joinedSession: Session | undefined
  /** It was told to take IO, by this client and in this opening. */
  wasEnabled = false
  private readonly env: Env
  private readonly groupId: number
  private readonly cell: StateCell<LegState, LegEvent>

  constructor({ env, slot, memberId, address, link, groupId }: LegParts) {
    this.env = env
    this.slot = slot
    this.memberId = memberId
    this.address = address
    this.link = link
    this.groupId = groupId
    this.io = new EngineLeg(slot, memberId)
    this.cell = new StateCell(LEG_MACHINE, env.clock.nowMs())
  }

  get state(): StateView<LegState, LegEvent> {
    return this.cell
  }

  get bit(): number {
    return 1 << this.slot
  }

  /** Whether the member answers, on a session that knows of this pool (JOIN_POOL). */
  get isUp(): boolean {
    const { session } = this.link
    return session !== undefined && session === this.joinedSession
  }

  /** The process that says this is the one that works for this client from now on (V6). */
  noteOpened(report: MemberReport): void {
    this.report = report
    this.opened = report
  }

  /** Whether the member that answers here is the process that this client opened. */
  get isAsOpened(): boolean {
    return this.report !== undefined && this.isOpening(this.report)
  }

  /** Another opening is another process; a new store in its place counts its own ones (RT-78). */
  isOpening({ storeUuid, incarnation }: MemberReport): boolean {
    return this.opened?.storeUuid === storeUuid && this.opened.incarnation === incarnation
  }

  /** Moves, unless it is there already or nothing leads there from where it is. */
  move(to: LegState, event: LegEvent, detail = ""): void {
    const { state } = this.cell
    if (state === to || state === "removing") return
    if (state === "failed" && to === "normal") this.move("reconnecting", "answered")
    this.cell.transition(to, event, this.env.clock.nowMs(), detail)
    this.env.log.write(to === "failed" ? "warn" : "info", "leg.state", {
      member: this.memberId,
      address: this.address,
      to,
      on: event,
      detail,
    })
  }

  ask<K extends CommandKind>(
    kind: K,
    mapVersion: MapVersion,
    body: CommandTypes[K]["body"],
    payload: CommandTypes[K]["payload"],
    deadlineMs: number,
    roomBytes?: number,
  ): Promise<ReplyOf<K> & { readonly outcome: "ok" }> {
    const command = {
      kind,
      groupId: this.groupId,
      mapVersion,
      sessionGeneration: this.io.sessionGeneration,
      senderMemberId: 0,
      body,
      payload,
    } as unknown as CommandOf<K>
    const room = roomBytes === undefined ? {} : { roomBytes }
    return this.link.ask(command, { deadlineMs, ...room })
  }
}
