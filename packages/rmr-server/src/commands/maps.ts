/** READ_MAP_BUF, MAP_CLEAR and USER: maps as others see them, and the layer above. */
import type { MapPages, PageCursor } from "@rmr/core"
import { MAP_BUF_BYTES_MAX, MAP_PAGES_HEAD, NO_PAGE, RmrError } from "@rmr/core"
import { slotOfMember } from "../pool/member.js"
import { type Handler, requireHolder, requireVolume } from "./answer.js"

/** Records of one answer: less than a buffer may be, so that any transport takes it. */
const RECORD_BYTES_MAX = Math.min(MAP_BUF_BYTES_MAX, 64 * 1024) - MAP_PAGES_HEAD.bytes

export const readMapBuf: Handler<"read-map-buf"> = (pool, command, caller) => {
  if (!caller.isPeer) requireHolder(pool, command, caller)
  const { volume } = requireVolume(pool)
  const { record } = pool
  const { firstPage, memberId } = command.body
  const slot = record === undefined ? -1 : slotOfMember(record, memberId)
  if (slot < 0) throw new RmrError("not-found", `pool ${pool.name} has no member ${memberId}`)
  const map = slot === volume.ownSlot ? volume.maps.own : volume.maps.about(slot)
  const nothing = { nextPage: 0, isLast: true }
  if (map === undefined || firstPage >= map.pageCount) return { result: nothing, payload: [] }
  const records = new Uint8Array(RECORD_BYTES_MAX)
  const cursor: PageCursor = { page: firstPage }
  const bytes = map.exportPages(cursor, new DataView(records.buffer), 0, records.length)
  const isLast = cursor.page === NO_PAGE
  const payload: MapPages[] = bytes === 0 ? [] : [{ memberId, records: records.subarray(0, bytes) }]
  return { result: { nextPage: isLast ? 0 : cursor.page, isLast }, payload }
}

/** M4: a hint. This member keeps none about others that are normal; hearing it is enough. */
export const mapClear: Handler<"map-clear"> = () => ({ result: {}, payload: undefined })

export const user: Handler<"user"> = (pool, command, caller) =>
  pool.serially(async () => {
    requireHolder(pool, command, caller)
    const { userStatus, bytes } = await pool.userHandler(pool, command.body.data)
    return { result: { userStatus }, payload: bytes }
  })
