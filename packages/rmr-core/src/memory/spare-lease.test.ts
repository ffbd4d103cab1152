/** Work that others wait for has memory also where there is none (rule W8). */
import type { Lease } from "../brand.js"
import { NO_LEASE } from "../ports/memory.js"
import { type BuddyMemory, buddyMemory } from "./buddy-memory.js"
import { SpareLease } from "./spare-lease.js"

const PAGE = 4096
const never = (): void => {
  throw new Error("nobody was to be called")
}

let memory: BuddyMemory
let spare: SpareLease

/** All that is left of the memory, page by page. */
function takeAll(): Lease[] {
  const leases: Lease[] = []
  for (let lease = memory.lease(PAGE); lease !== NO_LEASE; lease = memory.lease(PAGE)) {
    leases.push(lease)
  }
  return leases
}

beforeEach(() => {
  memory = buddyMemory({ arenas: [16 * PAGE], leaseCountMax: 64, poison: true })
  spare = new SpareLease(memory)
})

it("W8: work goes on where memory is full, and the next when it comes back", () => {
  expect(spare.keep(PAGE)).toBe(true)
  const others = takeAll()
  const first = spare.take(PAGE, never)
  expect(first).not.toBe(NO_LEASE)
  const got: Lease[] = []
  const onRoom = (): void => {
    got.push(spare.take(PAGE, never))
  }
  expect(spare.take(PAGE, onRoom)).toBe(NO_LEASE)
  expect(got).toEqual([])
  spare.give(first)
  expect(got).toEqual([first])
  spare.give(first)
  for (const lease of others) memory.release(lease)
  spare.close()
  memory.assertNoLeases()
})

it("takes from the memory as long as there is room, and gives that back to it", () => {
  spare.keep(PAGE)
  const leases = [1, 2, 3].map(() => spare.take(PAGE, never))
  const others = takeAll()
  for (const lease of leases) spare.give(lease)
  expect(takeAll()).toHaveLength(3)
  expect(others).toHaveLength(12)
})

it("who waits is called once for each asking, also when the memory has room", () => {
  spare.keep(PAGE)
  const others = takeAll()
  const first = spare.take(PAGE, never)
  let calls = 0
  const onRoom = (): void => {
    calls++
  }
  expect([spare.take(PAGE, onRoom), spare.take(PAGE, onRoom)]).toEqual([NO_LEASE, NO_LEASE])
  memory.release(others[0]!)
  expect(calls).toBe(1)
  spare.give(first)
  expect(calls).toBe(1)
})

it("all who wait are called, in order of asking, and one that finds nothing asks again", () => {
  spare.keep(PAGE)
  takeAll()
  const first = spare.take(PAGE, never)
  const calls: string[] = []
  const asking = (name: string) => (): void => {
    calls.push(spare.take(PAGE, asking(`${name} again`)) === NO_LEASE ? `${name} waits` : name)
  }
  spare.take(PAGE, asking("a"))
  spare.take(PAGE, asking("b"))
  spare.give(first)
  expect(calls).toEqual(["a", "b waits"])
  spare.give(first)
  expect(calls).toEqual(["a", "b waits", "b again"])
})

it("what is more than the spare lease waits for the memory", () => {
  spare.keep(PAGE)
  const others = takeAll()
  let lease = NO_LEASE
  const onRoom = (): void => {
    lease = spare.take(2 * PAGE, onRoom)
  }
  onRoom()
  for (const other of others) memory.release(other)
  expect(lease).not.toBe(NO_LEASE)
})

it("is not there where there was no room for it, and a second keep changes nothing", () => {
  const others = takeAll()
  expect(spare.keep(PAGE)).toBe(false)
  memory.release(others[0]!)
  expect([spare.keep(PAGE), spare.keep(PAGE)]).toEqual([true, true])
  expect(takeAll()).toEqual([])
})

it("closed while it is out, it is released when it comes back", () => {
  spare.keep(PAGE)
  const others = takeAll()
  const out = spare.take(PAGE, never)
  spare.close()
  spare.give(out)
  for (const lease of others) memory.release(lease)
  memory.assertNoLeases()
})
