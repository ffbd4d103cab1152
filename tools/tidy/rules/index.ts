/**
 * All rules of tidy. A rule is added here, with a test beside it that shows it catching a
 * violation.
 */
import type { Rule } from "../rule.js"
import { ambient } from "./ambient.js"
import { arrows } from "./arrows.js"
import { moduleComment, suppressions, unfinishedWork } from "./comments.js"
import { toldHazards } from "./hazards.js"
import { docLinks } from "./links.js"
import { machinePaths } from "./machine.js"
import { manifests } from "./manifest.js"
import { promisePairs } from "./promises.js"
import { fileLength, functionLength, lineWidth } from "./size.js"
import { runningTests } from "./tests.js"
import { vocabulary } from "./words.js"

export const RULES: readonly Rule[] = [
  lineWidth,
  functionLength,
  fileLength,
  moduleComment,
  suppressions,
  unfinishedWork,
  vocabulary,
  arrows,
  manifests,
  ambient,
  promisePairs,
  toldHazards,
  runningTests,
  docLinks,
  machinePaths,
]
