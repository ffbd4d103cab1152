/**
 * Which memory the native addon knows by number: the arenas that `pageArenas` makes.
 *
 * The addon keeps an address per slot, so only memory that never moves may have one, and whose
 * owner cannot take it away: an ordinary ArrayBuffer can be transferred to another thread, that of
 * a WebAssembly memory whose maker keeps it to itself cannot. A slot is emptied when its memory has
 * been collected; until then somebody could still ask for a sum, afterwards nobody can. Where all
 * slots are full, memory goes without one and its sums cost a little more.
 */
import { type NativeAddon, nativeAddon } from "./native-addon.js"

export const NO_SLOT = -1

class ArenaSlots {
  private readonly addon: NativeAddon
  private readonly slots = new WeakMap<ArrayBufferLike, number>()
  /** Of views that were asked for: asking a view for its buffer is slow. */
  private readonly slotsOfViews = new WeakMap<ArrayBufferView, number>()
  private readonly free: number[] = []
  private readonly collected = new FinalizationRegistry<number>((slot) => {
    this.addon.emptySlot(slot)
    this.free.push(slot)
  })

  constructor(addon: NativeAddon) {
    this.addon = addon
    for (let slot = addon.slotCount - 1; slot >= 0; slot--) this.free.push(slot)
  }

  add(memory: ArrayBufferLike): void {
    const slot = this.free.pop()
    if (slot === undefined) return
    this.addon.fillSlot(slot, memory)
    this.slots.set(memory, slot)
    this.collected.register(memory, slot)
  }

  slotOf(memory: ArrayBufferLike): number {
    return this.slots.get(memory) ?? NO_SLOT
  }

  slotOfView(view: ArrayBufferView): number {
    return this.slotsOfViews.get(view) ?? this.find(view)
  }

  /** What has no slot now never gets one: an arena is added before anybody has a view of it. */
  private find(view: ArrayBufferView): number {
    const slot = this.slotOf(view.buffer)
    this.slotsOfViews.set(view, slot)
    return slot
  }
}

let all: ArenaSlots | undefined

/** Told of every arena that is made. Does nothing without the addon. */
export function addArena(memory: ArrayBufferLike): void {
  slotsOf()?.add(memory)
}

/** NO_SLOT for any memory that is no arena. */
export function slotOfMemory(memory: ArrayBufferLike): number {
  return slotsOf()?.slotOf(memory) ?? NO_SLOT
}

/** Of the memory that a view is of, quicker where the same few views are asked about for long. */
export function slotOfView(view: ArrayBufferView): number {
  return slotsOf()?.slotOfView(view) ?? NO_SLOT
}

function slotsOf(): ArenaSlots | undefined {
  const addon = nativeAddon()
  if (addon !== undefined) all ??= new ArenaSlots(addon)
  return all
}
