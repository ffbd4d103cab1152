/** Ports of this machine's loopback, and whether somebody listens there now. */
import { createServer, type Server } from "node:net"

const TAKEN: ReadonlySet<string | undefined> = new Set(["EADDRINUSE", "EACCES"])

/** So many ports at which nobody listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => serverAt(0)))
  const ports = servers.map((server) => {
    const at = server.address()
    return typeof at === "object" && at !== null ? at.port : 0
  })
  await Promise.all(servers.map(ended))
  return ports
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
