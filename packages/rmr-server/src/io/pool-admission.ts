/**
 * PoolAdmission: what decides whether a request is carried out (rules F3, W5), in one place.
 *
 * The rule is `judgeRequest` of @rmr/core; here are the facts that it asks for, kept as they
 * change, and a stamp that is filled for each request, so that judging one allocates nothing.
 */
import type { Admission, ErrorCode, IoRecord, Uuid, ViewNumber } from "@rmr/core"
import { judgeRequest, lineageWord, NO_VIEW, STATUS_OK, statusOf, ZERO_UUID } from "@rmr/core"

const SPLIT_BRAIN = statusOf("split-brain")

export class PoolAdmission implements Admission {
  epoch = 0
  nonce: Uuid = ZERO_UUID
  isOpen = false
  isNormal = false
  isDraining = false
  joinedView: ViewNumber = NO_VIEW
  currentView: ViewNumber = NO_VIEW
  sessionGeneration = 0
  private readonly lineage = new Uint32Array(4)
  private readonly stamp = {
    epoch: 0,
    nonce: ZERO_UUID,
    view: { epoch: 0, version: 0 },
    sessionGeneration: 0,
  }

  setLineage(lineage: Uuid): void {
    for (const word of [0, 1, 2, 3] as const) this.lineage[word] = lineageWord(lineage, word)
  }

  /** STATUS_OK, or the status of what refuses a request of this process. */
  judgeIo(io: IoRecord, nonce: Uuid): number {
    const verdict = this.judge(io.epoch, io.viewVersion, io.sessionGeneration, nonce)
    if (verdict !== "admit") return statusOf(verdict)
    return this.isSameLineage(io) ? STATUS_OK : SPLIT_BRAIN
  }

  /** The same for a command that names a view. */
  judgeView(view: ViewNumber, sessionGeneration: number, nonce: Uuid): ErrorCode | undefined {
    const verdict = this.judge(view.epoch, view.version, sessionGeneration, nonce)
    return verdict === "admit" ? undefined : verdict
  }

  /** Whether a peer's request is of the view that this member is normal in (S2). */
  isOfThisView(io: IoRecord): boolean {
    const { currentView } = this
    const isSame = io.epoch === currentView.epoch && io.viewVersion === currentView.version
    return isSame && this.isNormal && !this.isDraining && this.isSameLineage(io)
  }

  private judge(
    epoch: number,
    version: number,
    sessionGeneration: number,
    nonce: Uuid,
  ): ReturnType<typeof judgeRequest> {
    const { stamp } = this
    stamp.epoch = epoch
    stamp.nonce = nonce
    stamp.view.epoch = epoch
    stamp.view.version = version
    stamp.sessionGeneration = sessionGeneration
    return judgeRequest(this, stamp)
  }

  private isSameLineage(io: IoRecord): boolean {
    const words = this.lineage
    return (
      io.lineage0 === words[0] &&
      io.lineage1 === words[1] &&
      io.lineage2 === words[2] &&
      io.lineage3 === words[3]
    )
  }
}
