/** How long each step of each store takes before anybody hears of its end, as a story says it. */
import type { StoreSource } from "@rmr/core"
import { filterStore } from "@rmr/testkit"

export type StoreStep = "read" | "write" | "zero" | "flush" | "commit" | "heat" | "settle"

export class SlowStores {
  private readonly heldMs = new Map<string, number>()

  set(slot: number, step: StoreStep, ms: number): void {
    this.heldMs.set(`${slot} ${step}`, ms)
  }

  wrap(store: StoreSource, slot: number): StoreSource {
    const holdMs = ({ kind }: { readonly kind: string }): number =>
      this.heldMs.get(`${slot} ${kind}`) ?? 0
    return filterStore(store, "told", () => ({ holdMs }))
  }
}
