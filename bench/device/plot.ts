/**
 * A picture of what was measured: a bar per job for how many times the IOPS of its peer a target of
 * ours has, and a mark for what it must have.
 */
import type { Measured, MeasuredRow } from "./history.js"

const BARS_WIDTH = 610
const LEFT_MIN = 210
const SIGN_WIDTH = 7
const RIGHT = 40
const TOP = 64
const ROW = 34
const BAR = 18
const BOTTOM = 48
const INK = "#222222"
const BAR_INK = "#2f6f9f"
const SHORT_INK = "#b5562b"
const GRID_INK = "#d8d8d8"

/** An SVG; `title` says who is beside whom. A bar of any but the first target has its name. */
export function plotOf(measured: Measured, targets: readonly string[], title: string): string {
  const rows = measured.rows.filter(({ target }) => targets.includes(target))
  const labels = rows.map(({ job, target }) => (target === targets[0] ? job : `${job}; ${target}`))
  const left = Math.max(LEFT_MIN, ...labels.map((label) => 26 + label.length * SIGN_WIDTH))
  const top = Math.max(1, ...rows.map(({ ratio, must }) => Math.max(ratio, must ?? 0)))
  const ticks = Math.ceil(top)
  const width = left + BARS_WIDTH + RIGHT
  const height = TOP + rows.length * ROW + BOTTOM
  const x = (ratio: number): number => left + (ratio / ticks) * BARS_WIDTH
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `font-family="sans-serif" font-size="13" fill="${INK}">`,
    `<title>${safe(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(16, 26, title, ' font-size="16" font-weight="bold"'),
    text(16, 46, `${measured.time.slice(0, 10)}; ${measured.machine}; ${measured.place}`),
  ]
  for (let tick = 0; tick <= ticks; tick++) {
    parts.push(line(x(tick), TOP, x(tick), height - BOTTOM, GRID_INK))
    parts.push(text(x(tick), height - BOTTOM + 18, `${tick}×`, ' text-anchor="middle"'))
  }
  for (const [nth, row] of rows.entries()) {
    parts.push(...barOf(row, labels[nth]!, TOP + nth * ROW, x))
  }
  parts.push(text(left, height - 10, "a bar: the median of ratios; a line: what it must be"))
  return `${[...parts, "</svg>"].join("\n")}\n`
}

function barOf(
  { ratio, must }: MeasuredRow,
  label: string,
  top: number,
  x: (ratio: number) => number,
): string[] {
  const middle = top + ROW / 2
  const ink = must !== undefined && ratio < must ? SHORT_INK : BAR_INK
  const width = x(ratio) - x(0)
  const parts = [
    text(x(0) - 10, middle + 4, label, ' text-anchor="end"'),
    `<rect x="${x(0)}" y="${middle - BAR / 2}" width="${width.toFixed(1)}" height="${BAR}" ` +
      `fill="${ink}"/>`,
    text(x(0) + 6, middle + 4, ratio.toFixed(2), ' fill="#ffffff"'),
  ]
  if (must !== undefined) {
    parts.push(line(x(must), middle - BAR / 2 - 4, x(must), middle + BAR / 2 + 4, INK))
  }
  return parts
}

function line(x1: number, y1: number, x2: number, y2: number, ink: string): string {
  const [from, to] = [`x1="${x1.toFixed(1)}" y1="${y1}"`, `x2="${x2.toFixed(1)}" y2="${y2}"`]
  return `<line ${from} ${to} stroke="${ink}" stroke-width="1.5"/>`
}

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y}"${more}>${safe(words)}</text>`
}

/** No markup, whatever a machine calls itself. */
function safe(words: string): string {
  return words.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
