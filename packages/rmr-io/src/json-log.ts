/**
 * A log of one JSON object per line: for a file, a journal, or a person with `jq`.
 *
 * Fields come after `time`, `level` and `event` and cannot replace them.
 */
import type { Log, LogFields, LogLevel } from "@rmr/core"

export interface JsonLogOptions {
  /** Less than this is not written. Default `info`. */
  readonly level?: LogLevel
  /** Takes each line, with its newline. Default: standard error. */
  readonly write?: (line: string) => void
  readonly wallMs?: () => number
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"]

export function jsonLog(options: JsonLogOptions = {}): Log {
  const { level = "info", wallMs = Date.now } = options
  const write = options.write ?? ((line: string): void => void process.stderr.write(line))
  const lowest = LEVELS.indexOf(level)
  const enabled = (asked: LogLevel): boolean => LEVELS.indexOf(asked) >= lowest
  const logWith = (always: LogFields): Log => ({
    enabled,
    write(at, event, fields) {
      if (!enabled(at)) return
      const head = { time: new Date(wallMs()).toISOString(), level: at, event }
      write(`${JSON.stringify({ ...head, ...always, ...fields, ...head })}\n`)
    },
    child: (fields) => logWith({ ...always, ...fields }),
  })
  return logWith({})
}
