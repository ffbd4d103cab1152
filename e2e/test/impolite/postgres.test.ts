/**
 * A database on a pool whose storage nodes and client are killed, frozen and cut off at random. No
 * transaction that was acknowledged is lost, and every page, table and index is whole.
 */
import { whyNoFileSystem } from "../file-system.js"
import { itWhere, missing } from "../nbd-tools.js"
import { whyNoPostgres } from "./postgres.js"
import { PostgresLoad } from "./postgres-load.js"
import { beImpolite, RUN_MS_MAX, seed, whyNotImpolite } from "./run.js"

jest.setTimeout(RUN_MS_MAX)

describe(`processes and wires at random, RMR_SEED=${seed}`, () => {
  const why = whyNotImpolite() || whyNoFileSystem() || whyNoPostgres() || missing("setpriv")

  itWhere("P1: PostgreSQL loses no transaction, and members are the same", why, async () => {
    await beImpolite("postgres", 384, new PostgresLoad())
  })
})
