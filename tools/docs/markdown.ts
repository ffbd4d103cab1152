/** The two things that generated pages are made of: a warning to editors, and tables. */

export function generatedFrom(source: string): string {
  return [
    `<!-- Written by tools/docs from ${source}.`,
    "     Do not edit: change the source, run `pnpm pages`. -->",
  ].join("\n")
}

/** A table whose cells may hold anything but line breaks. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}
