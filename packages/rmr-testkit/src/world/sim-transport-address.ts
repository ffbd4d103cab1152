/**
 * Addresses of the simulated network: `sim:<host>:<port>`; port 0 lets the listener choose.
 */
import { RmrError } from "@rmr/core"

export const SIM_SCHEME = "sim"
const PORT_MAX = 65_535

export interface SimAddress {
  readonly host: string
  readonly port: number
}

/** Fails with `unsupported` for another scheme, with `invalid-argument` for nonsense. */
export function parseSimAddress(address: string): SimAddress {
  const [scheme, host, port, ...rest] = address.split(":")
  if (scheme !== SIM_SCHEME) {
    throw new RmrError("unsupported", `${address} is no address of the simulated network`)
  }
  const isPort = port !== undefined && /^\d{1,5}$/.test(port) && Number(port) <= PORT_MAX
  if (host === undefined || host === "" || !isPort || rest.length > 0) {
    throw new RmrError("invalid-argument", `${address} does not read sim:<host>:<port>`)
  }
  return { host, port: Number(port) }
}

export function simAddress(host: string, port: number): string {
  return `${SIM_SCHEME}:${host}:${port}`
}
