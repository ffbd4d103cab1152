/**
 * Wires that can be pulled and cut: the client and each storage node have a network namespace of
 * their own, and one more is the switch between them.
 *
 * A namespace lives as long as a process that holds it, and that one ends with this one; so nothing
 * is left behind, whatever happens. Nobody asks who has an address: each host is told, and one that
 * is told wrong sends what goes that way to nobody. So a way is cut in one direction, silently, as
 * a switch does that has lost its mind. A cable that is pulled takes all ways of a host. What a
 * process that has died left unsent, the kernel tries for about a second and not for minutes, so
 * that a host can also lose power.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { failureText, run } from "../../tools/setup/run.js"

const COMMAND_MS_MAX = 30_000
const NOBODY = "02:00:00:00:00:ff"

/** A host, as far as networks go. */
export interface Place {
  readonly address: string
  /** In front of a command that runs there. */
  readonly within: readonly string[]
}

/** Why there can be no wires here; empty where they can. */
export function whyNoWires(): string {
  const script = `nsenter --version
    ip link add one type veth peer name other
    ip link add switch type bridge`
  const tried = spawnSync("unshare", ["--net", "sh", "-ec", script], { encoding: "utf8" })
  if (tried.status === 0) return ""
  const why = tried.error?.message ?? tried.stderr.trim().split("\n")[0]
  return `no network namespaces with veth and bridge: ${why}`
}

export class Wires {
  readonly places: readonly Place[]
  private readonly holders: readonly ChildProcess[]

  private constructor(holders: readonly ChildProcess[]) {
    this.holders = holders
    this.places = holders.slice(1).map((holder, party) => {
      return { address: addressOf(party), within: withinOf(holder) }
    })
  }

  /** A switch, and so many hosts at it, numbered from 0. */
  static async lay(count: number): Promise<Wires> {
    const holders = Array.from({ length: count + 1 }, hold)
    try {
      for (const holder of holders) await heldBy(holder)
      const wires = new Wires(holders)
      await wires.inSwitch("ip link add name switch type bridge && ip link set switch up")
      for (let party = 0; party < count; party++) await wires.plugIn(party, count)
      return wires
    } catch (thrown) {
      for (const holder of holders) holder.kill("SIGKILL")
      throw thrown
    }
  }

  /** Of a host. It sees its own end go down. */
  async pull(party: number): Promise<void> {
    await this.inSwitch(`ip link set port${party} down`)
  }

  async plug(party: number): Promise<void> {
    await this.inSwitch(`ip link set port${party} up`)
  }

  /** What one host sends to another is lost; what comes back is not. */
  async cut(from: number, to: number): Promise<void> {
    await this.tell(from, to, NOBODY)
  }

  async mend(from: number, to: number): Promise<void> {
    await this.tell(from, to, hardwareOf(to))
  }

  async end(): Promise<void> {
    for (const holder of this.holders) {
      if (holder.exitCode !== null || holder.signalCode !== null) continue
      const gone = once(holder, "exit")
      holder.kill("SIGKILL")
      await gone
    }
  }

  private async plugIn(party: number, count: number): Promise<void> {
    const { pid } = this.holders[party + 1]!
    await this.inSwitch(
      `ip link add port${party} type veth peer name wire netns ${pid}
       ip link set port${party} master switch up`,
    )
    await this.inside(
      party,
      `ip link set lo up
       ip link set wire address ${hardwareOf(party)} up
       ip address add ${addressOf(party)}/24 dev wire
       echo 1 > /proc/sys/net/ipv4/tcp_orphan_retries`,
    )
    for (let other = 0; other < count; other++) {
      if (other !== party) await this.mend(party, other)
    }
  }

  private async tell(from: number, to: number, hardware: string): Promise<void> {
    const entry = `${addressOf(to)} lladdr ${hardware} dev wire nud permanent`
    await this.inside(from, `ip neighbour replace ${entry}`)
  }

  private inSwitch(script: string): Promise<void> {
    return runWithin(withinOf(this.holders[0]!), script)
  }

  private inside(party: number, script: string): Promise<void> {
    return runWithin(this.places[party]!.within, script)
  }
}

function hold(): ChildProcess {
  return spawn("unshare", ["--net", "cat"], { stdio: ["pipe", "pipe", "ignore"] })
}

/** What is sent comes back once it is in its namespace. */
async function heldBy(holder: ChildProcess): Promise<void> {
  holder.stdin?.write("there?\n")
  const heard = await Promise.race([once(holder.stdout!, "data"), once(holder, "exit")])
  if (!Buffer.isBuffer(heard[0])) throw new Error(`unshare ended with ${heard.join(", ")}`)
}

function withinOf({ pid }: ChildProcess): readonly string[] {
  return ["nsenter", `--net=/proc/${pid}/ns/net`]
}

async function runWithin(within: readonly string[], script: string): Promise<void> {
  const [program = "", ...args] = [...within, "sh", "-ec", script]
  const result = await run(program, args, { timeoutMs: COMMAND_MS_MAX })
  if (!result.ok) throw new Error(failureText(result))
}

function addressOf(party: number): string {
  return `10.77.0.${party + 1}`
}

function hardwareOf(party: number): string {
  return `02:00:00:00:00:0${party}`
}
