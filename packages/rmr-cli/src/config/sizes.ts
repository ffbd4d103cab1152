/** Sizes as people write them: `10 GiB`, `128KiB`, `4096`. Powers of 1024; `G` means `GiB`. */
import { RmrError } from "@rmr/core"

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** Fails with `invalid-argument`, and says what a size looks like. */
export function parseSize(text: string): number {
  const found = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text)
  const unit = UNITS[found?.[2]?.toLowerCase() ?? "none"]
  const bytes = Number(found?.[1]) * (unit ?? Number.NaN)
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new RmrError("invalid-argument", `"${text}" is no size; write 10 GiB, 512 MiB or 4096`)
}

export function sizeText(bytes: number): string {
  const names = ["bytes", "KiB", "MiB", "GiB", "TiB"]
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < names.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Number.isInteger(value) ? 0 : 1
  return `${value.toFixed(digits)} ${names[unit]}`
}
