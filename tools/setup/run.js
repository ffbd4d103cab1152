/**
 * Runs programs of the outside world, bounded in time, and leaves nothing of them behind.
 *
 * Every child leads a process group of its own, because the programs run here start others (pnpm,
 * turbo, jest) and all of them must end together: at the deadline, at Ctrl-C, and whenever this
 * process ends. Nothing is ever asked of a child's stdin. Only the job that a command was typed
 * for runs in the foreground, where it has the terminal.
 *
 * A failure is a value, not an exception: callers decide whether it ends the run or a feature.
 */
import { spawn } from "node:child_process"
import { constants } from "node:os"
import { performance } from "node:perf_hooks"
import { createInterface } from "node:readline"

/**
 * @typedef {object} RunOptions
 * @property {number} timeoutMs after this, everything the program started is ended
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] the whole environment; default: this process's own
 * @property {(line: string) => void} [onLine] sees each line of output as it comes
 */

/**
 * @typedef {object} RunResult
 * @property {string} command as a person would type it
 * @property {boolean} ok ended by itself with code 0
 * @property {number} code the exit code; 124 after the deadline, 127 where it could not be started
 * @property {string} ending `exit code 1`, `ended after 5 s, its time limit`, `killed by SIGSEGV`,
 * …
 * @property {string} stdout
 * @property {string} output stdout and stderr as they came
 * @property {number} ms
 */

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */

/** What a program printed is kept up to this much; from there on only its end is. */
const OUTPUT_CHARS_MAX = 16 * 1024 * 1024
/**
 * Between asking a child to end and ending it. The foreground job has children of its own to end.
 */
const GRACE_MS = 3000
const FOREGROUND_GRACE_MS = 25_000
/** How long an ended program's pipes may stay open in the hands of a process it left behind. */
const PIPE_CLOSE_MS = 1000

/**
 * Who is running, and whether it leads its own process group. @type {Map<ChildProcess, boolean>}
 */
const running = new Map()
let isGuarded = false
let isEnding = false

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<RunResult>} never settles once this process is being ended
 */
export function run(program, args, options) {
  if (isEnding) return new Promise(() => undefined)
  guardChildren()
  const startMs = performance.now()
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  })
  running.set(child, true)
  const texts = collectOutput(child, options.onLine)
  let isLate = false
  const deadline = setTimeout(() => {
    isLate = true
    endChild(child, GRACE_MS)
  }, options.timeoutMs)

  return new Promise((resolve) => {
    /** @param {number} code @param {string} ending */
    const settle = (code, ending) => {
      clearTimeout(deadline)
      if (!running.delete(child) || isEnding) return
      const command = [program, ...args].map(quoted).join(" ")
      const ms = performance.now() - startMs
      resolve({ command, ok: code === 0, code, ending, ...texts, ms })
    }
    child.on("error", (error) => settle(127, error.message))
    child.on("exit", () => setTimeout(() => dropStragglers(child), PIPE_CLOSE_MS).unref())
    child.on("close", (code, signal) => {
      if (isLate) settle(124, `ended after ${options.timeoutMs / 1000} s, its time limit`)
      else if (signal !== null) settle(signalCode(signal), `killed by ${signal}`)
      else settle(code ?? 1, `exit code ${code}`)
    })
  })
}

/**
 * Runs the job that the command was typed for: it has the terminal, and its end is ours.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code
 */
export function runForeground(program, args, options) {
  guardChildren()
  const child = spawn(program, args, { ...options, stdio: "inherit" })
  running.set(child, false)
  return new Promise((resolve) => {
    /** @param {number} code */
    const settle = (code) => {
      if (running.delete(child)) resolve(code)
    }
    child.on("error", (error) => {
      console.error(`${program}: ${error.message}`)
      settle(127)
    })
    child.on("exit", (code, signal) => settle(code ?? signalCode(signal ?? "SIGKILL")))
  })
}

/**
 * The command that failed and the end of what it printed.
 *
 * @param {RunResult} result
 * @param {number} [lineCount]
 */
export function failureText(result, lineCount = 30) {
  const lines = result.output.trimEnd().split("\n")
  const tail = lines.slice(-lineCount).map((line) => `    ${line}`)
  return [`  $ ${result.command}`, ...tail, `  (${result.ending})`].join("\n")
}

/**
 * @param {ChildProcess} child
 * @param {RunOptions["onLine"]} onLine
 */
function collectOutput(child, onLine) {
  const texts = { stdout: "", output: "" }
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    stream.setEncoding("utf8")
    stream.on("data", (/** @type {string} */ text) => {
      texts.output = kept(texts.output + text)
      if (stream === child.stdout) texts.stdout = kept(texts.stdout + text)
    })
    if (onLine !== undefined) createInterface({ input: stream }).on("line", onLine)
  }
  return texts
}

/** @param {string} text */
function kept(text) {
  return text.length <= OUTPUT_CHARS_MAX ? text : text.slice(-OUTPUT_CHARS_MAX / 2)
}

/** Children must not outlive us: whatever ends this process ends them first. */
function guardChildren() {
  if (isGuarded) return
  isGuarded = true
  process.on("exit", () => {
    for (const child of running.keys()) signalChild(child, "SIGKILL")
  })
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      if (isEnding) return
      isEnding = true
      for (const [child, isGroup] of running) {
        endChild(child, isGroup ? GRACE_MS : FOREGROUND_GRACE_MS)
      }
      setInterval(() => running.size === 0 && process.exit(signalCode(signal)), 20)
    })
  }
}

/** The program has ended; what it left behind must not hold its pipes, nor go on. */
function dropStragglers(/** @type {ChildProcess} */ child) {
  signalChild(child, "SIGKILL")
  child.stdout?.destroy()
  child.stderr?.destroy()
}

/**
 * @param {ChildProcess} child
 * @param {number} graceMs
 */
function endChild(child, graceMs) {
  signalChild(child, "SIGTERM")
  setTimeout(() => signalChild(child, "SIGKILL"), graceMs).unref()
}

/**
 * @param {ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function signalChild(child, signal) {
  const isGroup = running.get(child)
  if (isGroup === undefined || child.pid === undefined) return
  try {
    process.kill(isGroup ? -child.pid : child.pid, signal)
  } catch {
    // It is gone already.
  }
}

/** @param {NodeJS.Signals} signal */
function signalCode(signal) {
  return 128 + constants.signals[signal]
}

/** @param {string} word */
function quoted(word) {
  return /^[\w@%+=:,./*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
