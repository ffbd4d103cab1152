/**
 * The member's side of a block device (upstream: brmr's server): it answers what its store can do,
 * and keeps durably whether a device is mapped (device/ of @rmr/core decides).
 */
import type { DeviceParameters, StoreLifecycleState } from "@rmr/core"
import {
  assert,
  decideDeviceAnswer,
  decodeDeviceRequest,
  encodeDeviceError,
  RmrError,
  STORE_LIFECYCLE_MACHINE,
} from "@rmr/core"
import type { ServerPool, UserHandler } from "../pool/server-pool.js"

export const deviceHandler: UserHandler = async (pool, data) => {
  const request = decodeDeviceRequest(data)
  if (request instanceof RmrError) return encodeDeviceError(request.code, request.detail)
  const { event, answer } = decideDeviceAnswer(request, parametersOf(pool))
  if (event === undefined) return answer
  const { lifecycle } = pool.member.state
  const move = STORE_LIFECYCLE_MACHINE.moves.find(
    ({ from, on }) => from === lifecycle && on.includes(event),
  )
  assert(move !== undefined, `a store that is ${lifecycle} can be ${event}`)
  await pool.member.changeState({ lifecycle: move.to as StoreLifecycleState })
  return answer
}

function parametersOf(pool: ServerPool): DeviceParameters {
  const { member, record } = pool
  const { store, identity, state } = member
  return {
    sizeBytes: record?.mappedSizeBytes ?? identity.mappedSizeBytes,
    blockBytes: store.blockBytes,
    ioBytesMax: store.ioBytesMax,
    optimalBytes: identity.chunkSizeBytes,
    queueDepth: identity.queueDepth,
    lifecycle: state.lifecycle,
    hasWriteBack: true,
    canUnmap: store.supports.unmap,
  }
}
