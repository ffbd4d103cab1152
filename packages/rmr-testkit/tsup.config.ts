import { defineConfig } from "tsup"
import { packageBuild } from "../../tsup.base.js"

// One file per subpath of package.json's exports; what they share is split into chunks.
export default defineConfig(
  packageBuild([
    "src/index.ts",
    "src/world/index.ts",
    "src/node/index.ts",
    "src/contract/*/index.ts",
  ]),
)
