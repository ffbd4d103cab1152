/** One loop of a daemon with several: a role with some of its pools, in a thread of its own. */
import { parentPort, workerData } from "node:worker_threads"
import { type Env, RmrError } from "@rmr/core"
import {
  GuestRoom,
  guestSocketEngine,
  guestStreamEngine,
  jsonLog,
  lingerFor,
  realEnv,
} from "@rmr/io"
import { ClientRole } from "./daemon/client-role.js"
import type { Failure, FromLoop, LoopTask, Service, ToLoop } from "./daemon/loop-messages.js"
import { StorageRole } from "./daemon/storage-role.js"

const task = workerData as LoopTask
const room = new GuestRoom()

function say(message: FromLoop): void {
  parentPort?.postMessage(message)
}

function failureOf(thrown: unknown): Failure {
  const { code, detail } = RmrError.from(thrown)
  return { code, detail }
}

async function answer(
  service: Service,
  { id, method, args }: Extract<ToLoop, { kind: "ask" }>,
): Promise<void> {
  try {
    const run = service[method as keyof Service] as (...all: readonly unknown[]) => unknown
    say({ kind: "answer", id, result: await run.apply(service, [...args]) })
  } catch (thrown) {
    say({ kind: "refusal", id, failure: failureOf(thrown) })
  }
  // Nothing is left to be done, and the thread may end.
  if (method === "close") parentPort?.close()
}

function startRole(env: Env): Promise<Service> {
  const { name, role } = task
  return role.kind === "storage"
    ? StorageRole.start(env, name, role.config, guestSocketEngine(room))
    : ClientRole.start(env, name, role.config, guestStreamEngine(room))
}

async function start(): Promise<void> {
  lingerFor(task.lingerUs)
  const { name, loop, log } = task
  const role = await startRole(
    realEnv({ log: jsonLog({ level: log }).child({ node: name, loop }) }),
  )
  parentPort?.on("message", (message: ToLoop) => {
    if (message.kind === "guest") room.take(message.guest)
    else void answer(role, message)
  })
  say({ kind: "started" })
}

start().catch((thrown: unknown) => {
  say({ kind: "failed", failure: failureOf(thrown) })
  parentPort?.close()
})
