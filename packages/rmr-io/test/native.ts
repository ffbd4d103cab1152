/** Tests of what only the native addon has; where it was not built they are skipped and say why. */
import { nativeAddon, nativeStatus } from "../src/native-addon.js"

export const addon = nativeAddon()

export function native(title: string, run: () => Promise<void>): void {
  if (addon !== undefined) it(title, run)
  else it.skip(`${title} (skipped: ${nativeStatus().reason})`, run)
}
