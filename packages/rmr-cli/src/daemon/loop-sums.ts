/** What several loops say, as if it were one that says it. */

/** Counts by name, added up. */
export function sumOf<T extends { readonly [Name in keyof T]: number }>(all: readonly T[]): T {
  const sums: Record<string, number> = {}
  for (const one of all) {
    for (const [name, count] of Object.entries<number>(one)) {
      sums[name] = (sums[name] ?? 0) + count
    }
  }
  return sums as T
}

/** Pools in the order of the configuration. */
export function inOrder<T extends { readonly name: string }>(
  order: readonly { readonly name: string }[],
  pools: readonly T[],
): readonly T[] {
  const places = new Map(order.map(({ name }, place) => [name, place]))
  const placeOf = ({ name }: T): number => places.get(name) ?? order.length
  return [...pools].sort((a, b) => placeOf(a) - placeOf(b))
}
