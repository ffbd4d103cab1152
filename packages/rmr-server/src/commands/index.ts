/** Every command that a storage node carries out, by its kind. */
import type { CommandKind } from "@rmr/core"
import type { Handler } from "./answer.js"
import { enablePool, growStore, joinPool, leavePool } from "./joining.js"
import { mapClear, readMapBuf, user } from "./maps.js"
import { hold, open, query } from "./opening.js"
import {
  elect,
  lastIoToMap,
  mapCheck,
  mapGetVer,
  mapSetVer,
  mdSend,
  readLastIo,
  sendMdBuf,
  storeCheck,
} from "./recovery.js"
import {
  mapBufDone,
  mapDisable,
  mapDone,
  mapReady,
  mapSend,
  rejoinPool,
  sendMapBuf,
} from "./rejoining.js"
import { mapAdd } from "./views.js"

/** The others are answered `unsupported`. */
export const HANDLERS: { readonly [K in CommandKind]?: Handler<K> } = {
  query,
  open,
  hold,
  "join-pool": joinPool,
  "enable-pool": enablePool,
  "leave-pool": leavePool,
  "grow-store": growStore,
  "rejoin-pool": rejoinPool,
  "map-ready": mapReady,
  "map-send": mapSend,
  "send-map-buf": sendMapBuf,
  "map-buf-done": mapBufDone,
  "map-done": mapDone,
  "map-disable": mapDisable,
  "map-add": mapAdd,
  "map-clear": mapClear,
  "map-check": mapCheck,
  "map-get-ver": mapGetVer,
  "map-set-ver": mapSetVer,
  "read-map-buf": readMapBuf,
  "last-io-to-map": lastIoToMap,
  "read-last-io": readLastIo,
  elect,
  "store-check": storeCheck,
  "md-send": mdSend,
  "send-md-buf": sendMdBuf,
  user,
}

export function handlerOf<K extends CommandKind>(kind: K): Handler<K> | undefined {
  return HANDLERS[kind] as Handler<K> | undefined
}

export type { Caller } from "./answer.js"
