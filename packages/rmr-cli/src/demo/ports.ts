/** Ports of this machine's loopback, and whether somebody listens there now. */
import { randomInt } from "node:crypto"
import { createServer, type Server } from "node:net"

const TAKEN: ReadonlySet<string | undefined> = new Set(["EADDRINUSE", "EACCES"])

/** Below those that the kernel gives to outgoing connections: one of these may take any of them. */
const PORTS_FROM = 15_000
const PORTS_TO = 32_000

/** So many ports at which nobody listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(PORTS_FROM, PORTS_TO)
    if (await isPortFree(port)) ports.add(port)
  }
  return [...ports]
}

export async function isPortFree(port: number): Promise<boolean> {
  try {
    await ended(await serverAt(port))
    return true
  } catch (thrown) {
    if (TAKEN.has((thrown as NodeJS.ErrnoException).code)) return false
    throw thrown
  }
}

function serverAt(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => resolve(server))
  })
}

function ended(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
