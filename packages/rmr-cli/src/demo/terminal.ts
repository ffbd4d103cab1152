/**
 * A part of a terminal that is drawn again and again, below whatever was printed before.
 *
 * That stays: a reader has lines to copy from there.
 */
export interface Output {
  readonly columns?: number
  write(text: string): unknown
}

export class LivePart {
  private readonly output: Output
  private rows = 0

  constructor(output: Output) {
    this.output = output
  }

  draw(text: string): void {
    const back = this.rows === 0 ? "" : `\x1b[${this.rows}A`
    this.output.write(`${back}\r\x1b[J${text}\n`)
    // A terminal that does not know how wide it is says 0.
    this.rows = rowsOf(text, this.output.columns || Number.POSITIVE_INFINITY)
  }
}

/** A line that is too long takes more than one. */
function rowsOf(text: string, columns: number): number {
  const each = text.split("\n").map((line) => Math.max(1, Math.ceil(line.length / columns)))
  return each.reduce((sum, rows) => sum + rows, 0)
}
