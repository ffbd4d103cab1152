/**
 * How every package is built: one ESM file beside the declarations that `tsc -b` writes.
 *
 * tsup makes only the JavaScript. Declarations come from the project references, so that the
 * arrows between packages are checked by the compiler and never bundled away.
 */
import type { Options } from "tsup"

export function packageBuild(entry: string[]): Options {
  return {
    entry,
    format: ["esm"],
    target: "node20",
    platform: "neutral",
    sourcemap: true,
    splitting: true,
    clean: false,
    dts: false,
    silent: true,
  }
}
