// The types of `rewake`. Written by hand, checked against the code by js-tests/types.

/** Connects to the user's daemon, and starts it if there is none. */
export function connect(options?: ConnectOptions): Promise<Rewake>

/**
 * Runs the same engine inside this program: no daemon, no home folder. However the program ends, also by SIGKILL, its workers are
 * stopped gracefully and none is left. While a worker runs the program stays alive, as with a child process; see `unref`.
 * Scripts run on the Node that this program runs on.
 */
export function embed(options?: CallOptions): Promise<Rewake>

/** What every method takes. */
export interface CallOptions {
  /**
   * Rejects the call with code `ABORTED` when it is aborted, its reason as `cause`. What the call asked for is not taken back.
   */
  signal?: AbortSignal | undefined
}

export interface ConnectOptions extends CallOptions {
  /** The folder that names the daemon; `$REWAKE_HOME`, else `~/.rewake`. */
  home?: string | undefined
}

/** An id, a name, a namespace, `'all'`, or `'/regex/'` on the name. */
export type Target = string | number

/**
 * A supervisor: the user's daemon, or the one inside this program.
 *
 * A waiting call and a waiting reader of `events`, `messages` or `logs` keep the program alive; an idle connection does not.
 */
export interface Rewake {
  /** Whether the engine runs inside this program. */
  readonly embedded: boolean
  /** The daemon's home folder; `undefined` when embedded. */
  readonly home: string | undefined
  /** The daemon's processes; `undefined` when embedded. */
  readonly daemon: DaemonInfo | undefined

  /**
   * Starts a script, a program or a quoted command line; or, if it is named like one (`.config.js`, `.json`, `.yaml` and so on), what
   * an ecosystem file holds. Resolves when each process is online (`wait_ready`: when it said so).
   *
   * A bare word, without options about the app, is first looked for among the names of listed apps.
   */
  start(what: string, options?: StartOptions): Promise<Slot[]>
  /** Starts what is listed already under this id. */
  start(id: number, options?: StartKnownOptions): Promise<Slot[]>
  /** Starts these apps. One that is listed already gets the new description and is restarted. */
  start(apps: AppOptions | readonly AppOptions[] | EcosystemFile, options?: StartAppsOptions): Promise<Slot[]>

  /** Stops gracefully and resolves when nothing of the process is left. It stays listed. */
  stop(target: Target, options?: CallOptions): Promise<Slot[]>
  /** Stops and starts again; starts what was stopped. */
  restart(target: Target, options?: RestartOptions): Promise<Slot[]>
  /**
   * New processes in place of the present ones, one after the other. In cluster mode without a gap: no request is lost, and a new process that
   * exits or is not ready in time replaces nothing (`RELOAD_FAILED`); the first one must live for `reload_soak` before it replaces another. So too
   * in fork mode for an app with `sockets`; else as `restart` there.
   */
  reload(target: Target, options?: ReloadOptions): Promise<Slot[]>
  /** Changes the number of an app's slots: to `4`, or by `'+2'` or `'-1'`. Resolves with all slots of the app. */
  scale(target: Target, instances: number | `+${number}` | `-${number}`, options?: CallOptions): Promise<Slot[]>
  /** Stops and forgets. */
  delete(target: Target, options?: CallOptions): Promise<void>
  /** Sets the counters of restarts to zero. */
  reset(target: Target, options?: CallOptions): Promise<Slot[]>

  /** All slots. */
  list(options?: CallOptions): Promise<Slot[]>
  /** The slots that match; rejects with `NOT_FOUND` if there is none. */
  describe(target: Target, options?: CallOptions): Promise<Slot[]>
  /** The environment that the next process of each slot gets, by slot id. Holds the secrets that are in it. */
  env(target: Target, options?: CallOptions): Promise<Record<number, Record<string, string>>>

  /**
   * Sends one message, anything that can be JSON, to each process: `process.on('message')` there. Resolves when the message is on its way in
   * the process's channel; rejects with `NO_CHANNEL`, `NOT_RUNNING`, or `QUEUE_FULL` if the process does not read.
   */
  send(target: Target, message: unknown, options?: CallOptions): Promise<void>
  /** Sends a signal (`'SIGUSR2'`, `'USR2'` or `12`) to each process, not to the processes that it started. */
  signal(target: Target, signal: string | number, options?: CallOptions): Promise<void>

  /** What happens to processes, from now on; with `messages: true` also what they `process.send`. */
  events(options: EventsOptions & { messages: true }): Feed<ProcessEvent | AppMessage>
  events(options?: EventsOptions & { messages?: false | undefined }): Feed<ProcessEvent>
  events(options?: EventsOptions & { messages?: boolean | undefined }): Feed<ProcessEvent | AppMessage>
  /** What processes `process.send`, from now on. */
  messages(options?: EventsOptions): Feed<AppMessage>
  /**
   * What processes write, line by line, from now on. With `lines` or `since` what the log files hold first, in the order of the times that lines
   * tell; with `follow: false` only that. Lines of files wait for a slow reader, in their files: none is missed.
   */
  logs(options: ReadLogsOptions & ({ lines: number } | { since: Moment } | { until: Moment } | { follow: false })): Feed<ReadLogLine>
  logs(options?: LogsOptions): Feed<LogLine>
  logs(options?: ReadLogsOptions): Feed<ReadLogLine>

  /** Empties log files, of all apps if none is named; resolves with their paths. */
  flush(target?: Target, options?: CallOptions): Promise<string[]>
  /** Writes down what is listed, for `resurrect`. An empty list only with `force`. */
  save(options?: SaveOptions): Promise<Saved>
  /** Starts what was saved and is not listed. */
  resurrect(options?: CallOptions): Promise<Slot[]>

  /** Resolves when the supervisor has answered. */
  ping(options?: CallOptions): Promise<void>
  /** Ends this connection; embedded, stops the workers gracefully first. Calls that still wait reject with `CLOSED`. */
  close(): Promise<void>
  /** Stops and forgets every app, then ends the supervisor: the daemon too. */
  shutdown(options?: CallOptions): Promise<void>

  /** Embedded: lets the program end while workers run; they are stopped then. Without effect on a connection. */
  unref(): this
  /** Undoes `unref`. */
  ref(): this

  /** `await using`: the same as `close`. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface DaemonInfo {
  readonly pid: number
  readonly keeperPid: number
  readonly version: string
}

/** Options of the call to `start`, beside the app. */
export interface StartKnownOptions extends CallOptions {
  /** Resolve only when each process has been up for so many ms; reject with `EXITED_EARLY` if one ends before. Default 0. */
  settleMs?: number | undefined
}

export interface StartAppsOptions extends StartKnownOptions {
  /**
   * What to do with an app whose name is listed already. `refuse`: start it if it is the same script and is not running, reject otherwise
   * (default for a script); `replace`: give it the new description and restart it (default for objects and files); `reload`: give it the new description and
   * reload it; `beside`: start another one.
   */
  whenKnown?: 'refuse' | 'replace' | 'reload' | 'beside' | undefined
  /** Merge `env_<envName>` of each app into its environment. */
  envName?: string | undefined
  /** Only these apps of several. */
  only?: readonly string[] | undefined
}

/** For a script, the app's keys may stand beside the call's options; for a file, they win over what the file says. */
export type StartOptions = StartAppsOptions & Partial<AppOptions>

export interface RestartOptions extends StartKnownOptions {
  /** `true`: take over this program's environment; an object: set these variables. The rest stays as it was. */
  updateEnv?: boolean | Readonly<Record<string, string | number | boolean>> | undefined
}

export interface ReloadOptions extends CallOptions {
  /** As for `restart`. */
  updateEnv?: boolean | Readonly<Record<string, string | number | boolean>> | undefined
  /** Slots at a time; 1 if not given. */
  parallel?: number | undefined
  /** `false`: refuse (`RELOADING`) while an earlier reload is under way. Otherwise this one's turn comes after it. */
  wait?: boolean | undefined
}

export interface EventsOptions extends CallOptions {
  /** Only the slots that match now; all, also those to come, if not given. */
  target?: Target | undefined
  /** Called in the place of what had to be left out because the reader was too slow, with the number of events. */
  onMissed?: ((count: number) => void) | undefined
}

export interface LogsOptions extends EventsOptions {
  /** Only this stream. */
  stream?: 'out' | 'err' | undefined
  /**
   * Only lines in which this matches, in the syntax of Rust's crate `regex`: that of JavaScript without look-around and backreferences, in linear
   * time. Flags `i`, `m`, `s`, `u`.
   */
  grep?: string | RegExp | undefined
  /**
   * Only lines of this level and graver ones: `level` or `severity` of JSON lines (names, pino's numbers), markers as `[error]` and `WARN`. What names
   * none counts as info, on stderr as error.
   */
  level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | number | (string & {}) | undefined
}

/** A `Date`, ms since 1970, or a text such as `'10m'`, `'2h'`, `'1d'`, `'2026-11-21 13:45:00'`. */
export type Moment = Date | number | string

export interface ReadLogsOptions extends LogsOptions {
  /** The last so many of each file that are wanted. If not given: with `since` all, with `follow: false` 15, else none. */
  lines?: number | undefined
  /** Only lines since then, also in files that were put aside, compressed or not. */
  since?: Moment | undefined
  /** Only lines up to then; does not follow. */
  until?: Moment | undefined
  /** Go on with what is written; default `true`. */
  follow?: boolean | undefined
}

export interface SaveOptions extends CallOptions {
  force?: boolean | undefined
}

export interface Saved {
  path: string
  slots: number
}

/**
 * A subscription. It begins with the call, not with the first read, and ends with `return` (leaving a `for await`), its signal, or the supervisor;
 * when its signal is aborted, reading rejects with code `ABORTED`. A slow reader misses events rather than make anybody wait.
 */
export interface Feed<T> extends AsyncIterator<T, undefined, void> {
  /** How many events were left out so far, up to where the reader is. */
  readonly missed: number
  next(): Promise<IteratorResult<T, undefined>>
  return(): Promise<IteratorResult<T, undefined>>
  [Symbol.asyncIterator](): Feed<T>
  [Symbol.asyncDispose](): Promise<void>
}

export type Status = 'online' | 'launching' | 'stopping' | 'stopped' | 'errored' | 'waiting restart'

/** A cluster worker's part in serving its app. */
export interface Cluster {
  /** `127.0.0.1:3000`, `[::]:3000` or a path, and how its connections find their worker. */
  listens: { address: string, balance: 'kernel' | 'client-ip' | 'round-robin' | 'shared' }[]
  /** Connections that it has open at these ports now. */
  openConnections: number | undefined
  /** Connections that it has taken of those that were given out. */
  givenConnections: number
}

/** One instance of an app. */
export interface Slot {
  /** PM2's `pm_id`. */
  id: number
  name: string
  namespace: string
  /** Number among the app's instances, from 0. */
  instance: number
  status: Status
  pid: number | undefined
  /** Number of the process's run, never used twice. */
  run: number | undefined
  restarts: number
  unstableRestarts: number
  createdAt: Date
  /** Start of the present or last process. */
  startedAt: Date | undefined
  lastExit: Exit | undefined
  /** Why it is errored, or why the last start failed. */
  reason: string | undefined
  /** Resident memory, bytes. */
  memory: number | undefined
  /** Percent of one CPU. */
  cpu: number | undefined
  outLog: string | undefined
  errorLog: string | undefined
  /** The user it runs as. */
  user: string
  /** A cluster worker's part in serving its app; only where a target was named. */
  cluster: Cluster | undefined
  /** The app's `sockets` that are open, each with the port that it has. */
  sockets: { name: string; address: string }[]
  /** `version` of the app's package.json. */
  version: string | undefined
  /** What it was started from. */
  app: App
}

/** The checked description of an app. */
export interface App {
  instances: number
  script: string
  interpreter: string | undefined
  interpreterArgs: string[]
  args: string[]
  cwd: string
  execMode: 'fork' | 'cluster'
  autorestart: boolean
  autostart: boolean
  stopExitCodes: number[]
  minUptimeMs: number
  maxRestarts: number | undefined
  restartDelayMs: number
  expBackoffRestartDelayMs: number
  waitReady: boolean
  listenTimeoutMs: number
  killTimeoutMs: number
  treekill: boolean
}

/** How a process ended: one of `code` and `signal` is there, neither if the system could not tell. */
export interface Exit {
  code: number | undefined
  /** `'SIGKILL'` */
  signal: string | undefined
  at: Date
  livedMs: number
}

export interface ProcessEvent {
  type: 'process'
  event:
    | 'start'
    | 'online'
    | 'ready timeout'
    | 'exit'
    | 'stop'
    | 'restart'
    | 'reload'
    | 'reload failed'
    | 'delete'
    | 'restart overlimit'
    | 'spawn failed'
    | 'cannot be killed'
  /** Whether a command caused it. */
  manually: boolean
  at: Date
  id: number
  name: string
  namespace: string
  run: number | undefined
  pid: number | undefined
  exit: Exit | undefined
}

export interface AppMessage {
  type: 'message'
  at: Date
  id: number
  name: string
  namespace: string
  run: number
  /** What the app sent. */
  data: unknown
}

export interface LogLine {
  type: 'log'
  at: Date
  id: number
  name: string
  stream: 'out' | 'err'
  /** Without its newline. */
  line: string
}

/** A line that may come from a file. */
export interface ReadLogLine extends Omit<LogLine, 'at'> {
  /** The time that the line tells; `undefined` if it tells none. Of a new line, when it was read. */
  at: Date | undefined
  /** The line before goes on here: it is longer than 1 MiB. */
  continued?: true
}

/** What can go wrong, for programs: these words stay. */
export type ErrorCode =
  | 'BAD_REQUEST'
  | 'NOT_FOUND'
  | 'ALREADY_RUNNING'
  | 'NAME_TAKEN'
  | 'NOT_RUNNING'
  | 'NO_CHANNEL'
  | 'QUEUE_FULL'
  | 'SPAWN_FAILED'
  | 'EXITED_EARLY'
  | 'SUPERSEDED'
  | 'RELOAD_FAILED'
  | 'RELOADING'
  | 'NOT_RELOADED'
  | 'CANNOT_BE_KILLED'
  | 'SHUTTING_DOWN'
  | 'NOTHING_SAVED'
  | 'STORAGE'
  | 'UPDATE_REFUSED'
  | 'BAD_CONFIG'
  | 'UNREACHABLE'
  | 'VERSION_MISMATCH'
  | 'ABORTED'
  | 'INTERNAL'
  /** The object was closed before or during the call. */
  | 'CLOSED'
  /** There is no build for this operating system, processor or C library. */
  | 'UNSUPPORTED_PLATFORM'
  /** The platform's package is not installed, or of another version, or cannot be loaded. */
  | 'ADDON_MISSING'

/** What every method rejects with. */
export class RewakeError extends Error {
  private constructor()
  readonly name: 'RewakeError'
  readonly code: ErrorCode
  /** What to do next. */
  readonly hint: string | undefined
  /** How each slot fared, if the command was for several and failed for some. */
  readonly slots?: readonly SlotOutcome[]
}

export interface SlotOutcome {
  id: number
  name: string
  /** `undefined`: it went well. */
  error: RewakeError | undefined
}

/** `kill_timeout` as `killTimeout`. */
type Camel<Key extends string> = Key extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Key

/** A time: ms, or `'100ms'`, `'10s'`, `'1m'`, `'1h'`. */
export type Time = number | string

/** One app, with PM2's keys; each may also be written in camelCase. Other keys are refused when it is started. */
export type AppOptions = Keys & { [Key in keyof Keys as Camel<Key>]?: Keys[Key] } & EnvNamed & HasScript

type EnvNamed = { [name: `env_${string}`]: Env }

type HasScript =
  | { script: string }
  | { exec: string }
  | { cmd: string }
  | { command: string }

/** Values that are not strings are written as JSON. */
export type Env = Readonly<Record<string, string | number | boolean | object | null | undefined>>

/** `3000` (every address), `'127.0.0.1:3000'`, `'[::1]:3000'`, `'udp:53'`, `'./app.sock'` or `'unix:app.sock'`. Port 0: any. */
export type SocketAddress = number | string

export type Socket = SocketAddress | {
  address: SocketAddress
  /** In `LISTEN_FDNAMES`; the app's name if not given. */
  name?: string | undefined
  /** Of a socket file, in octal, such as `'0660'`; default `'0600'`. */
  mode?: string | undefined
}

interface Keys {
  /** A path, a program in the PATH, or a command line. */
  script?: string | undefined
  exec?: string | undefined
  cmd?: string | undefined
  command?: string | undefined
  /** Name of the script's file without extension, if not given. */
  name?: string | undefined
  name_prefix?: string | undefined
  namespace?: string | undefined
  cwd?: string | undefined
  args?: string | readonly string[] | undefined
  interpreter?: string | undefined
  exec_interpreter?: string | undefined
  node_args?: string | readonly string[] | undefined
  interpreter_args?: string | readonly string[] | undefined
  exec_mode?: 'fork' | 'cluster' | 'fork_mode' | 'cluster_mode' | undefined
  execute_command?: boolean | undefined
  /** A number, `'max'`, 0 (as many as cores) or a negative number (cores less so many). */
  instances?: number | string | undefined
  instance_var?: string | undefined
  increment_var?: string | undefined
  uid?: number | string | undefined
  user?: number | string | undefined
  gid?: number | string | undefined
  env?: Env | undefined
  filter_env?: boolean | string | readonly string[] | undefined
  append_env_to_name?: boolean | undefined
  port?: number | string | undefined
  /**
   * Fork mode: addresses that the supervisor listens on for the app. Each process finds them from descriptor 3 on, as from systemd (`LISTEN_FDS`,
   * `LISTEN_FDNAMES`); in Node, `server.listen({ fd: 3 })`.
   */
  sockets?: Socket | readonly Socket[] | undefined
  /** Whether the process gets Node's channel (`process.send`); by default if it is a Node program. */
  ipc?: boolean | undefined
  serialization?: 'json' | 'advanced' | undefined
  out_file?: string | undefined
  out?: string | undefined
  output?: string | undefined
  out_log?: string | undefined
  error_file?: string | undefined
  error?: string | undefined
  err?: string | undefined
  err_file?: string | undefined
  err_log?: string | undefined
  merge_logs?: boolean | undefined
  combine_logs?: boolean | undefined
  disable_logs?: boolean | undefined
  log_file?: boolean | string | undefined
  log?: boolean | string | undefined
  log_type?: string | undefined
  log_date_format?: string | undefined
  /** When log files are put aside and how many are kept; on with generous bounds unless `false`. */
  log_rotate?:
    | boolean
    | {
        /** Bytes, or `'10M'`; `null`: no bound. `'1G'` if not given. */
        max_size?: number | string | null | undefined
        /** Ms, or `'7d'`. */
        max_age?: number | string | null | undefined
        /** How many old files; 10 if not given. */
        keep?: number | null | undefined
        /** Whether old files are compressed (gzip); true if not given. */
        compress?: boolean | undefined
        /** Bytes of the old files of all logs of the app together; `'4G'` if not given. */
        total?: number | string | null | undefined
      }
    | undefined
  /**
   * Lines to the system's log too: `true` for systemd's journal where there is one, else syslog. What it does not take is counted there; the files have
   * everything.
   */
  log_syslog?: boolean | 'journal' | 'syslog' | `journal:/${string}` | `syslog:/${string}` | undefined
  /** How output leaves the process: an unnamed file (`spool`, for Node unless asked otherwise), or a pipe. */
  log_capture?: 'auto' | 'spool' | 'pipe' | undefined
  time?: boolean | undefined
  pid_file?: string | undefined
  pid?: string | undefined
  autorestart?: boolean | undefined
  /** False: listed as stopped. */
  autostart?: boolean | undefined
  stop_exit_codes?: number | readonly number[] | undefined
  min_uptime?: Time | undefined
  max_restarts?: number | undefined
  restart_delay?: Time | undefined
  exp_backoff_restart_delay?: Time | undefined
  /** Online only when the process has said `process.send('ready')`. */
  wait_ready?: boolean | undefined
  listen_timeout?: Time | undefined
  /** What a reload does with a process that is not ready within `listen_timeout`. Default `fail`: the old one stays. */
  listen_timeout_action?: 'fail' | 'accept' | undefined
  /** How long the first new process of a reload must live after it was ready before the old one is touched. Default 1.5 s; 0 for speed. */
  reload_soak?: Time | undefined
  /** Cluster mode: who gets a new connection. Default `kernel`: the kernel spreads them over the workers that are up. */
  cluster_balance?: 'kernel' | 'client-ip' | 'round-robin' | 'shared' | undefined
  /**
   * The helper that makes closing a server polite to its clients. Cluster mode: false leaves it out. Node with `sockets`: true loads it.
   */
  drain?: boolean | undefined
  /** How long a process that was replaced may take to serve what it has. Default 10 s. */
  drain_timeout?: Time | undefined
  max_memory_restart?: number | string | undefined
  cron_restart?: string | number | undefined
  cron?: string | number | undefined
  watch?: boolean | string | readonly string[] | undefined
  ignore_watch?: string | readonly string[] | undefined
  watch_options?: object | undefined
  watch_delay?: Time | undefined
  /** How long a process may take to end before it is killed. Default 1600 ms. */
  kill_timeout?: Time | undefined
  /** The signal that asks it to end. Default SIGINT. */
  kill_signal?: string | number | undefined
  /** Ask with the message `'shutdown'` instead of a signal. */
  shutdown_with_message?: boolean | undefined
  /** Whether stopping reaches the processes that it started. Default true. */
  treekill?: boolean | undefined
  kill_retry_time?: number | undefined
  source_map_support?: boolean | undefined
  disable_source_map_support?: boolean | undefined
  vizion?: boolean | undefined
  pmx?: boolean | undefined
  automation?: boolean | undefined
  force?: boolean | undefined
}

/** What an ecosystem file holds. */
export interface EcosystemFile {
  apps: readonly AppOptions[] | AppOptions
  deploy?: object | undefined
}

declare global {
  // The same as TypeScript's esnext.disposable and Node's own types say, for programs that have neither.
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol
  }
}
