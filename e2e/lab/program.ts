/**
 * Programs for guests: bundled here, so that a guest, in which compiled code is twenty times
 * slower, reads one file and translates nothing.
 */
import { basename, dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "tsup"

const TSCONFIG = fileURLToPath(new URL("../../tsconfig.run.json", import.meta.url))

/** Makes one file of a program in TypeScript and all that it imports; answers its path. */
export async function bundled(program: string, folder: string): Promise<string> {
  const name = basename(program, ".ts")
  await build({
    ...{ entry: { [name]: program }, outDir: folder, format: "esm", target: "node20" },
    ...{ tsconfig: TSCONFIG, noExternal: [/.*/], bundle: true, splitting: false },
    ...{ silent: true, config: false, clean: false, dts: false, sourcemap: "inline" },
    outExtension: () => ({ js: ".mjs" }),
  })
  return `${dirname(`${folder}/x`)}/${name}.mjs`
}
