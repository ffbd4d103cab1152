/**
 * What a member answers to a device command: a decision about one store, before anything is done.
 *
 * Who carries it out makes the lifecycle event durable first and answers afterwards, so that what a
 * member said is what it will say after a restart. `unmap` of what is not mapped is good: it is how
 * members of which only some remember a mapping are brought to one state.
 *
 * | command | closed | open | mapped |
 * |---|---|---|---|
 * | get-params | answers | answers | answers |
 * | map | not-found | mapped | busy |
 * | remap | not-found | mismatch | stays |
 * | unmap | not-found | stays | unmapped |
 */
import type { StoreLifecycleEvent } from "../states/store-lifecycle.js"
import {
  type DeviceAnswer,
  type DeviceParameters,
  type DeviceRequest,
  encodeDeviceError,
  encodeDeviceParameters,
} from "./device-command.js"

export interface DeviceDecision {
  /** To be made durable before the answer leaves; undefined where nothing changes. */
  readonly event: StoreLifecycleEvent | undefined
  readonly answer: DeviceAnswer
}

export function decideDeviceAnswer(
  { command, sizeBytes }: DeviceRequest,
  store: DeviceParameters,
): DeviceDecision {
  if (command === "get-params") return stays(store)
  if (store.lifecycle === "closed") {
    return refuses("not-found", "this member has no open store; add one")
  }
  if (sizeBytes !== 0 && sizeBytes !== store.sizeBytes) {
    return refuses("mismatch", `the volume has ${store.sizeBytes} bytes, not ${sizeBytes}`)
  }
  const isMapped = store.lifecycle === "mapped"
  switch (command) {
    case "map":
      if (isMapped)
        return refuses("busy", "a device is mapped already; remap it, or unmap it first")
      return becomes("mapped", store)
    case "remap":
      return isMapped ? stays(store) : refuses("mismatch", "no device is mapped here; map one")
    case "unmap":
      return isMapped ? becomes("unmapped", store) : stays(store)
  }
}

function stays(store: DeviceParameters): DeviceDecision {
  return { event: undefined, answer: encodeDeviceParameters(store) }
}

function becomes(event: "mapped" | "unmapped", store: DeviceParameters): DeviceDecision {
  const lifecycle = event === "mapped" ? "mapped" : "open"
  return { event, answer: encodeDeviceParameters({ ...store, lifecycle }) }
}

function refuses(code: "not-found" | "mismatch" | "busy", detail: string): DeviceDecision {
  return { event: undefined, answer: encodeDeviceError(code, detail) }
}
