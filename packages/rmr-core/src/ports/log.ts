/**
 * The log port: structured events, no formatting, no IO.
 *
 * An event has a fixed dotted name and flat fields, so that a program can select it and a person
 * can read it. The data path logs nothing per IO; transitions, refusals and repairs each log once.
 */

export type LogLevel = "debug" | "info" | "warn" | "error"
export type LogValue = string | number | boolean | null
export type LogFields = Readonly<Record<string, LogValue>>

export interface Log {
  /** Whether an event of this level would go anywhere; ask before building costly fields. */
  enabled(level: LogLevel): boolean
  write(level: LogLevel, event: string, fields?: LogFields): void
  /** The same log with fields that are added to every event. */
  child(fields: LogFields): Log
}

/** A log that keeps nothing: for programs that embed a package and want silence. */
export const silentLog: Log = {
  enabled: () => false,
  write: () => undefined,
  child: () => silentLog,
}
