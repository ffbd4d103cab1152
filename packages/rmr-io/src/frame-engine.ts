/**
 * The socket engine: connections of frames with sums, and listeners, on whatever sockets there are.
 */
import { assert } from "@rmr/core"
import type { AcceptorSource } from "./acceptor.js"
import type { ByteSockets } from "./byte-socket.js"
import type { FrameShape } from "./frame-shape.js"
import { assertShape } from "./frame-shape.js"
import type { FrameSums } from "./frame-sums.js"
import { FramedConnection } from "./framed-connection.js"
import type { GuestRoom } from "./guest-room.js"
import { HandleListener } from "./handle-listener.js"
import { nativeAddon } from "./native-addon.js"
import { NativeSockets } from "./native-socket.js"
import { PlainSockets } from "./plain-socket.js"
import { isUnixAddress, type SocketAddress } from "./socket-address.js"
import type {
  ConnectionEvents,
  FrameConnection,
  ReceiveLimits,
  SocketEngine,
  SocketEngineOptions,
  SocketEngineSource,
  SocketListener,
} from "./socket-engine.js"
import { TurnEngine } from "./turn-engine.js"

/** On the sockets of Node. */
export function plainSocketEngine(options: SocketEngineOptions): SocketEngine {
  return new FrameEngine(options, new PlainSockets())
}

/** On native sockets where the addon is loaded: the same, in less time. */
export function fastSocketEngine(options: SocketEngineOptions): SocketEngine {
  return new FrameEngine(options, fastSockets())
}

/** The same, for connections that come from the door of another thread. */
export function guestSocketEngine(room: GuestRoom): SocketEngineSource {
  return (options) => new FrameEngine(options, fastSockets(), room.acceptor)
}

export function fastSockets(): ByteSockets {
  const addon = nativeAddon()
  return addon === undefined ? new PlainSockets() : new NativeSockets(addon)
}

export class FrameEngine extends TurnEngine implements SocketEngine {
  readonly shape: FrameShape
  readonly sums: FrameSums
  private readonly acceptor: AcceptorSource

  constructor(
    options: SocketEngineOptions,
    sockets: ByteSockets,
    acceptor: AcceptorSource = (onHandle) => new HandleListener(onHandle),
  ) {
    assertShape(options.shape)
    super(options, sockets)
    this.acceptor = acceptor
    this.shape = options.shape
    this.sums = sockets.sumsOf(options.shape)
  }

  connect(to: SocketAddress, limits: ReceiveLimits, events: ConnectionEvents): FrameConnection {
    assert(!this.turns.isClosed, "a closed engine connects nothing")
    const connection = new FramedConnection(this, this.turns.takeId(), limits)
    connection.events = events
    this.turns.connections.add(connection)
    connection.connect(to)
    return connection
  }

  async listen(
    at: SocketAddress,
    limits: ReceiveLimits,
    onAccepted: (connection: FrameConnection) => ConnectionEvents,
  ): Promise<SocketListener> {
    const listener = this.acceptor((handle, first) => {
      if (this.turns.isClosed) return
      const connection = new FramedConnection(this, this.turns.takeId(), limits, handle)
      this.turns.connections.add(connection)
      connection.events = onAccepted(connection)
      if (first.length > 0) connection.takeFirst(first)
    })
    const opened = await this.turns.open(listener, at)
    assert(!isUnixAddress(opened), "a listener is where it was put")
    return { address: opened, close: () => this.turns.closeListener(listener) }
  }
}
