/**
 * Copies a few bytes between views without making a view for it: up to some hundred bytes, a loop
 * is quicker than the two objects that `set(subarray())` costs.
 */
export function copyBytes(
  from: DataView,
  fromAt: number,
  to: DataView,
  toAt: number,
  bytes: number,
): void {
  const words = bytes & ~3
  let done = 0
  for (; done < words; done += 4) {
    to.setInt32(toAt + done, from.getInt32(fromAt + done, true), true)
  }
  for (; done < bytes; done++) to.setUint8(toAt + done, from.getUint8(fromAt + done))
}
