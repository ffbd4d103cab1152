/**
 * A log that remembers, so that a test can ask what was said, and when in virtual time.
 *
 * It is bounded: a long run keeps the latest records and counts what it forgot.
 */
import type { Log, LogFields, LogLevel } from "@rmr/core"

export interface LogRecord {
  readonly atMs: number
  readonly level: LogLevel
  readonly event: string
  readonly fields: LogFields
}

export interface RecordingLog extends Log {
  /** The latest records, oldest first. */
  readonly records: readonly LogRecord[]
  /** How many older ones were dropped. */
  readonly forgottenCount: number
  /** Records of this event name that are still remembered. */
  find(event: string): LogRecord[]
  clear(): void
}

export interface RecordingLogOptions {
  readonly nowMs: () => number
  /** Less than this is not recorded. Default `debug`. */
  readonly level?: LogLevel
  /** Default 10,000. */
  readonly recordsMax?: number
  /** Sees every record, also those that will be forgotten. */
  readonly onRecord?: (record: LogRecord) => void
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"]
const RECORDS_MAX_DEFAULT = 10_000
const NO_FIELDS: LogFields = {}

export function recordingLog(options: RecordingLogOptions): RecordingLog {
  return new Recorder(options)
}

class Recorder implements RecordingLog {
  forgottenCount = 0
  private kept: LogRecord[] = []
  private readonly levelMin: number
  private readonly recordsMax: number
  private readonly options: RecordingLogOptions

  constructor(options: RecordingLogOptions) {
    this.options = options
    this.levelMin = LEVELS.indexOf(options.level ?? "debug")
    this.recordsMax = options.recordsMax ?? RECORDS_MAX_DEFAULT
  }

  get records(): readonly LogRecord[] {
    this.forget(this.recordsMax)
    return this.kept
  }

  find(event: string): LogRecord[] {
    return this.records.filter((record) => record.event === event)
  }

  clear(): void {
    this.kept = []
    this.forgottenCount = 0
  }

  enabled(level: LogLevel): boolean {
    return LEVELS.indexOf(level) >= this.levelMin
  }

  write(level: LogLevel, event: string, fields: LogFields = NO_FIELDS): void {
    if (!this.enabled(level)) return
    const record: LogRecord = { atMs: this.options.nowMs(), level, event, fields }
    this.kept.push(record)
    // Trimming at twice the bound makes forgetting cheap: one slice per `recordsMax` records.
    if (this.kept.length >= 2 * this.recordsMax) this.forget(this.recordsMax)
    this.options.onRecord?.(record)
  }

  child(fields: LogFields): Log {
    return childLog(this, fields)
  }

  private forget(keptCount: number): void {
    const extra = this.kept.length - keptCount
    if (extra <= 0) return
    this.kept = this.kept.slice(extra)
    this.forgottenCount += extra
  }
}

function childLog(parent: Log, own: LogFields): Log {
  return {
    enabled: (level) => parent.enabled(level),
    write: (level, event, fields) => parent.write(level, event, { ...own, ...fields }),
    child: (fields) => childLog(parent, { ...own, ...fields }),
  }
}
