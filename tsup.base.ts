/**
 * How every package is built: ESM files beside the declarations that `tsc -b` writes.
 *
 * tsup makes only the JavaScript, one file per entry and shared chunks between them. Declarations
 * come from the project references, so that the arrows between packages are checked by the compiler
 * and never bundled away. Both write into `dist`, so cleaning must leave the declarations alone.
 */
import type { Options } from "tsup"

export function packageBuild(entry: string[]): Options {
  return {
    entry,
    format: ["esm"],
    target: "node20",
    platform: "neutral",
    external: [/^node:/],
    removeNodeProtocol: false,
    sourcemap: true,
    splitting: true,
    clean: ["!**/*.d.ts", "!**/*.d.ts.map"], // chunks have names of their content: old ones must go
    dts: false,
    silent: true,
  }
}
