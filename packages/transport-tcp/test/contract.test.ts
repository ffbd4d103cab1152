/**
 * The transport over TCP keeps every promise of the port, on real sockets.
 */

import { plainSocketEngine } from "@rmr/io"
import { transportContract } from "@rmr/testkit/contract/transport"
import { tcpHarness } from "./tcp-harness.js"

jest.setTimeout(60_000)

const NOTHING_BETWEEN = "nothing lies between the two ends"

transportContract("tcp on the sockets of Node, direct", {
  open: () => tcpHarness({ transport: { engine: plainSocketEngine } }),
  close: (harness) => (harness as Awaited<ReturnType<typeof tcpHarness>>).close(),
  absent: { silence: NOTHING_BETWEEN, changeNext: NOTHING_BETWEEN },
})

transportContract("tcp, direct", {
  open: () => tcpHarness(),
  close: (harness) => (harness as Awaited<ReturnType<typeof tcpHarness>>).close(),
  absent: { silence: NOTHING_BETWEEN, changeNext: NOTHING_BETWEEN },
})

transportContract("tcp, as one of several transports", {
  open: () => tcpHarness({ isByScheme: true }),
  close: (harness) => (harness as Awaited<ReturnType<typeof tcpHarness>>).close(),
  absent: { silence: NOTHING_BETWEEN, changeNext: NOTHING_BETWEEN },
})

transportContract("tcp, through a relay", {
  open: () => tcpHarness({ isRelayed: true }),
  close: (harness) => (harness as Awaited<ReturnType<typeof tcpHarness>>).close(),
})
