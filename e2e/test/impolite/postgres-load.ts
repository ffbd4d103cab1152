/**
 * PostgreSQL on ext4 on the device, under pgbench.
 *
 * Its transactions are those of pgbench, and each leaves a row that says which it was: of which
 * run, of which client and the how manieth. pgbench logs what was acknowledged. So after a crash no
 * acknowledged transaction may be missing, of each client at most one more may be there, and the
 * balances of accounts, tellers and branches must all be what the history says.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isLong } from "../nbd-tools.js"
import { HostDisk } from "./host-disk.js"
import { expectOk, Postgres } from "./postgres.js"
import type { Load, Site } from "./site.js"

const CLIENTS = 4
const RUN_SECONDS = isLong() ? 8 : 2
const SCALE = isLong() ? 4 : 1

const TABLES = `
CREATE TABLE sworn (run int, client int, nth int, PRIMARY KEY (run, client, nth))`

const TRANSACTION = `
\\set aid random(1, 100000 * :scale)
\\set bid random(1, 1 * :scale)
\\set tid random(1, 10 * :scale)
\\set delta random(-5000, 5000)
\\set nth :nth + 1
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
INSERT INTO sworn VALUES (:run, :client_id, :nth);
END;
`

const BALANCES = `
SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches),
  (SELECT coalesce(sum(delta), 0) FROM pgbench_history)`

const SWORN = "SELECT run, client, count(*), max(nth) FROM sworn GROUP BY run, client"

export class PostgresLoad implements Load {
  private site!: Site
  private disk: HostDisk | undefined
  private server: Postgres | undefined
  private script = ""
  private runs = 0
  private lives = 1
  private isEnding = false
  private isLost = false
  private running: Promise<void> = Promise.resolve()
  private failure: unknown
  /** Of each run, by client. */
  private readonly acknowledged: number[][] = []

  async begin(site: Site): Promise<void> {
    this.site = site
    this.script = join(site.folder, "transaction.sql")
    writeFileSync(this.script, TRANSACTION)
    this.disk = await HostDisk.make(site)
    this.server = this.serverThere()
    await this.server.make()
    await this.server.start()
    expectOk(await this.server.with("pgbench", "-i", "-q", "-s", `${SCALE}`, "postgres"))
    await this.server.ask(TABLES)
    this.transact()
  }

  look(): void {
    if (this.failure !== undefined) throw this.failure
  }

  brace(): void {
    this.isLost = true
  }

  async abandon(): Promise<void> {
    await this.server?.kill()
    await this.running.catch(() => undefined)
    await this.disk?.lose()
  }

  async recover(): Promise<void> {
    await this.disk?.recover()
    this.isLost = false
    this.lives++
    this.server = this.serverThere()
    await this.server.start()
    await this.expectSworn()
    this.transact()
  }

  async end(): Promise<string> {
    this.isEnding = true
    await this.running
    const count = await this.expectSworn()
    await this.server?.expectWhole()
    await this.disk?.end()
    return `${count} transactions in ${this.lives} lives, pg_amcheck, pg_checksums and fsck clean`
  }

  async close(): Promise<void> {
    this.isEnding = true
    this.isLost = true
    await this.server?.kill()
    await this.running.catch(() => undefined)
    await this.disk?.close()
  }

  private serverThere(): Postgres {
    const sockets = join(this.site.folder, "postgres")
    return new Postgres(join(this.disk?.place ?? "", "data"), sockets)
  }

  private transact(): void {
    this.running = this.runAll()
    this.running.catch((thrown: unknown) => {
      this.failure = thrown
    })
  }

  /** Run after run, until it ends or the device is lost; then the last one was cut short. */
  private async runAll(): Promise<void> {
    while (!this.isEnding && !this.isLost) await this.runOnce()
  }

  private async runOnce(): Promise<void> {
    const run = this.runs++
    const prefix = join(this.site.folder, `run-${run}`)
    const values = [`-Drun=${run}`, "-Dnth=0", `-Dscale=${SCALE}`]
    const load = ["-n", "-c", `${CLIENTS}`, "-j", "1", "-T", `${RUN_SECONDS}`, "-f", this.script]
    const logged = ["-l", `--log-prefix=${prefix}`]
    const result = await this.server!.with("pgbench", ...load, ...values, ...logged, "postgres")
    this.acknowledged[run] = countsIn(this.site.folder, `run-${run}.`)
    if (!this.isLost) expectOk(result, this.server?.lastWords)
  }

  /** Nothing that was acknowledged is missing, and all sums agree; how many there are. */
  private async expectSworn(): Promise<number> {
    const found = new Map<string, number>()
    for (const [run, client, count, last] of await this.server!.ask(SWORN)) {
      expect([run, client, last]).toEqual([run, client, count])
      found.set(`${run}.${client}`, Number(count))
    }
    for (const [run, counts] of this.acknowledged.entries()) {
      for (const [client, count] of counts.entries()) {
        const there = found.get(`${run}.${client}`) ?? 0
        if (there === count || there === count + 1) continue
        const words = `${count} transactions of client ${client} were acknowledged in run ${run}`
        throw new Error(`${words}, ${there} are there`)
      }
    }
    const [balances = []] = await this.server!.ask(BALANCES)
    expect(new Set(balances).size).toBe(1)
    return [...found.values()].reduce((sum, count) => sum + count, 0)
  }
}

/** What a log of pgbench says was acknowledged to each client. */
function countsIn(folder: string, prefix: string): number[] {
  const counts = Array.from({ length: CLIENTS }, () => 0)
  for (const name of readdirSync(folder).filter((each) => each.startsWith(prefix))) {
    for (const line of readFileSync(join(folder, name), "utf8").split("\n")) {
      const [client, , took] = line.split(" ").map(Number)
      if (client !== undefined && Number.isFinite(took)) counts[client]!++
    }
  }
  return counts
}
