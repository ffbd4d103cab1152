/**
 * What others do in the kernel: devices of two copies, for a command in a guest to compare with.
 * How each is set up is in peers.sh.
 */
import { LabError } from "./runs.js"

export const PEER_KINDS = ["md-nbd", "md-nvme-tcp", "md-nvme-rdma", "md-rnbd", "drbd"] as const
export type PeerKind = (typeof PEER_KINDS)[number]
export type RdmaKind = "rxe" | "siw"

export interface Peer {
  readonly kind: PeerKind
  /** Of each copy, in the guest's memory. */
  readonly mib: number
}

export interface Rdma {
  readonly count: number
  readonly kind: RdmaKind
}

/** Each copy has a device of its own. */
const COPIES = 2
const OVER_RDMA: ReadonlySet<PeerKind> = new Set<PeerKind>(["md-nvme-rdma", "md-rnbd"])

export function peerKind(word: string | undefined): PeerKind {
  const kind = PEER_KINDS.find((name) => name === word)
  if (kind === undefined) throw new LabError(`--peer ${word ?? ""}: it is ${PEER_KINDS.join(", ")}`)
  return kind
}

/** Whether it takes modules that Debian leaves out (modules.ts). */
export function isWithMore(peer: PeerKind | undefined, rdma: RdmaKind): boolean {
  return peer === "md-rnbd" || rdma === "siw"
}

/** Devices that a guest has: those that were asked for, and as many as its peer takes. */
export function rdmaOf(peer: Peer | undefined, rdma: Rdma | undefined): Rdma | undefined {
  if (peer === undefined || !OVER_RDMA.has(peer.kind)) return rdma
  // Their servers send immediate data, and iWARP has none.
  if (rdma?.kind === "siw") throw new LabError(`${peer.kind} takes soft-RoCE, and not iWARP`)
  return { count: Math.max(COPIES, rdma?.count ?? 0), kind: "rxe" }
}

/** Fails where a guest of so much memory has no room for the copies and for what uses them. */
export function checkRoom({ kind, mib }: Peer, memoryMib: number): void {
  if (COPIES * mib <= memoryMib / 2) return
  const least = COPIES * mib * 2
  throw new LabError(`${kind} of ${mib} MiB takes a guest of ${least} MiB, not of ${memoryMib}`)
}
