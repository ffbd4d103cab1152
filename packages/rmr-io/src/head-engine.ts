/**
 * The stream engine: connections that talk and are framed then, and listeners, on whatever sockets
 * there are.
 */
import { assert } from "@rmr/core"
import type { AcceptorSource } from "./acceptor.js"
import type { ByteSockets } from "./byte-socket.js"
import { fastSockets } from "./frame-engine.js"
import type { GuestRoom } from "./guest-room.js"
import { HandleListener } from "./handle-listener.js"
import { HeadConnection } from "./head-connection.js"
import { PlainSockets } from "./plain-socket.js"
import type { StreamAddress } from "./socket-address.js"
import type {
  StreamConnection,
  StreamEngine,
  StreamEngineOptions,
  StreamEngineSource,
  StreamEvents,
  StreamListener,
  StreamShape,
} from "./stream-engine.js"
import { assertStreamShape } from "./stream-engine.js"
import { TurnEngine } from "./turn-engine.js"

/** On the sockets of Node. */
export function plainStreamEngine(options: StreamEngineOptions): StreamEngine {
  return new HeadEngine(options, new PlainSockets())
}

/** On native sockets where the addon is loaded: the same, in less time. */
export function fastStreamEngine(options: StreamEngineOptions): StreamEngine {
  return new HeadEngine(options, fastSockets())
}

/** The same, for connections that come from the door of another thread. */
export function guestStreamEngine(room: GuestRoom): StreamEngineSource {
  return (options) => new HeadEngine(options, fastSockets(), room.acceptor)
}

export class HeadEngine extends TurnEngine implements StreamEngine {
  readonly shape: StreamShape
  private readonly acceptor: AcceptorSource

  constructor(
    options: StreamEngineOptions,
    sockets: ByteSockets,
    acceptor: AcceptorSource = (onHandle) => new HandleListener(onHandle),
  ) {
    assertStreamShape(options.shape)
    super(options, sockets)
    this.shape = options.shape
    this.acceptor = acceptor
  }

  async listen(
    at: StreamAddress,
    onAccepted: (connection: StreamConnection, note: unknown) => StreamEvents,
  ): Promise<StreamListener> {
    assert(!this.turns.isClosed, "a closed engine does not listen")
    const listener = this.acceptor((handle, first, note) => {
      if (this.turns.isClosed) return
      const connection = new HeadConnection(this, this.turns.takeId(), handle)
      this.turns.connections.add(connection)
      connection.events = onAccepted(connection, note)
      if (first.length > 0) connection.takeFirst(first)
    })
    const address = await this.turns.open(listener, at)
    return { address, close: () => this.turns.closeListener(listener) }
  }
}
