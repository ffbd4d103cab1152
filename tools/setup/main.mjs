/**
 * `npm start` and `npm test`: everything that must be in place first, then the job itself.
 *
 * This one file is read by whatever Node is on the machine, so it uses only what every Node with
 * modules understands: an old one must say what is missing instead of failing on syntax. It asks
 * for the version that package.json asks for, then hands over to cli.js.
 */
// biome-ignore lint/style/useNodejsImportProtocol: a Node old enough to be refused lacks `node:`
import fs from "fs"
// biome-ignore lint/style/useNodejsImportProtocol: for the same reason as above
import { fileURLToPath } from "url"

const manifest = fileURLToPath(new URL("../../package.json", import.meta.url))
const wanted = JSON.parse(fs.readFileSync(manifest, "utf8")).engines.node.replace(/[^0-9.]/g, "")

if (isOlder(process.versions.node, wanted)) {
  console.error(`Node >= ${wanted} is needed, this is ${process.versions.node}.`)
  process.exitCode = 1
} else {
  import("./cli.js").then((cli) => cli.main(process.argv.slice(2)))
}

/**
 * @param {string} version
 * @param {string} floor
 */
function isOlder(version, floor) {
  const have = version.split(".").map(Number)
  const need = floor.split(".").map(Number)
  const differs = need.findIndex((number, at) => have[at] !== number)
  return differs >= 0 && Number(have[differs]) < Number(need[differs])
}
