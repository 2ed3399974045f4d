/**
 * The command line of distill: one table of subcommands, from which parsing, help and shell completion are made, and the
 * printing of what the stages in replay.ts return. Exit codes are decided here and nowhere else.
 *
 * stdout carries the result alone (an accepted answer, or JSON); everything that is said about it goes to stderr.
 */
import type { CalibrationLine, LabelledAnswer, Rate } from "./calibrate.ts";
import {
  counted,
  DEFAULT_ESCALATION_MODEL,
  DEFAULT_GATEWAY_URL,
  DEFAULT_LOCAL_MODEL,
  DEFAULT_MAX_RETRIES,
  DEFAULT_MAX_TOKENS,
  DEFAULT_TEMPERATURE,
  DEFAULT_TIMEOUT_MS,
  DEFAULT_TOP_K,
  DEFAULT_POLICY,
  describeHit,
  DistillError,
  DOUBTFUL,
  endpointsFor,
  errorCode,
  EVIDENCE_LOG,
  gate,
  GATE_DEFAULTS,
  isAtLimit,
  isObject,
  isStringArray,
  nameOf,
  openCorpus,
  POLICIES,
  promptText,
  RANKERS,
  readJsonLines,
  readText,
  realDeps,
  replay,
  recordSource,
  sha256,
  shown,
  SUCCESS_SCORES,
  taskSource,
  toJson,
  validationSteps,
  writeWhole,
} from "./replay.ts";
import type {
  Arm,
  ExperimentHooks,
  ExperimentOptions,
  ExperimentPlan,
  ExperimentRow,
  Planned,
} from "./ab.ts";
import type { Analysis, Rich } from "./ab_report.ts";
import type { CorpusSurvey, Count, Finding } from "./corpus.ts";
import type { IndexFile } from "./corpus_index.ts";
import type { ImportOptions, ImportOutcome, SplitLevel } from "./import.ts";
import type {
  Attempt,
  AttemptRecord,
  Claim,
  Deps,
  EvidenceRow,
  GateResult,
  ModelTarget,
  OpenCorpus,
  Policy,
  Ranker,
  ReplayEvent,
  ReplayOptions,
  ReplayOutcome,
  Retrieval,
  RetrieveOptions,
} from "./replay.ts";
import type { RankedTask, RetrievalScore, Task } from "./tasks.ts";

export const EXIT = {
  accepted: 0,
  rejected: 1,
  usage: 2,
  input: 3,
  noAnswer: 4,
  evidence: 5,
  bug: 70,
  interrupted: 130,
};

const REPOSITORY = import.meta.dir.split("/").slice(0, -2).join("/");

/** The world as a command sees it; tests pass their own. */
export interface Io {
  /** Resolves to false once the reader has gone away. @throws DistillError `evidence` where it cannot be written. */
  stdout: (text: string) => Promise<boolean>;
  stderr: (text: string) => void;
  stdoutIsTty: boolean;
  stderrIsTty: boolean;
  env: Record<string, string | undefined>;
  cwd: string;
  /** Runs `work` with a signal that Ctrl-C aborts; outside of it Ctrl-C ends the process as usual. */
  interruptible: <T>(work: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** What a replay takes from outside, where a test replaces it. */
  deps: Partial<Deps>;
}

/** Ctrl-C, what `timeout` and a service manager send, and a terminal that is closed: the run is recorded as far as it is. */
const STOPPING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function realIo(): Promise<Io> {
  const [stdoutIsTty, stderrIsTty] = await Promise.all([isDevice(Bun.stdout), isDevice(Bun.stderr)]);
  return {
    stdout: writeStdout,
    stderr: writeStderr,
    stdoutIsTty,
    stderrIsTty,
    env: process.env,
    cwd: workingFolder(),
    interruptible: async (work) => {
      const interrupt = new AbortController();
      const onInterrupt = (): void => interrupt.abort();
      // Once: a second Ctrl-C ends the process whatever it is doing.
      for (const signal of STOPPING) process.once(signal, onInterrupt);
      return work(interrupt.signal).finally(() => {
        for (const signal of STOPPING) process.off(signal, onInterrupt);
      });
    },
    deps: {},
  };
}

/** @throws DistillError `input` where somebody has removed it */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new DistillError("input", "the working directory is gone. Change to another.", { cause });
  }
}

/** A character device is a terminal, or /dev/null, which does not mind. node:tty would cost twice an empty script to load. */
async function isDevice(stream: Bun.BunFile): Promise<boolean> {
  return stream
    .stat()
    .then((stat) => stat.isCharacterDevice())
    .catch(() => false);
}

async function writeStdout(text: string): Promise<boolean> {
  try {
    await Bun.write(Bun.stdout, text);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return false;
    throw new DistillError("evidence", `stdout: cannot be written (${errorCode(error)}). Make room for it.`, {
      cause: error,
    });
  }
}

/** Nothing can be said about a stderr that cannot be written, so that is no reason to fail. */
function writeStderr(text: string): void {
  try {
    // Loaded where something is said: a retrieval says nothing.
    process.getBuiltinModule("node:fs").writeSync(2, text);
  } catch {}
}

// ---------------------------------------------------------------------------------------------------------------------
// Options and commands
// Parsing, help and completion read these tables; so do the tests that hold the README against the program.
// ---------------------------------------------------------------------------------------------------------------------

export interface Option {
  /** The value's name in the help; none for a switch. */
  value?: string;
  short?: string;
  multiple?: true;
  choices?: readonly string[];
  help: string;
}

export interface Command {
  summary: string;
  /** What stands behind the command's name in the usage line. */
  usage: string;
  /** What may stand behind the name: one of these words, or any number of paths. */
  operands?: readonly string[] | "paths";
  options: Record<string, Option>;
  examples: string[];
  run: (flags: Flags, io: Io) => Promise<number>;
}

const HELP: Record<string, Option> = {
  help: { short: "h", help: "show this help and exit" },
  version: { short: "V", help: "show the version and exit" },
};

const TASK: Record<string, Option> = {
  task: { value: "TEXT", help: "the task, in your own words: names, numbers and error text help" },
  "task-file": { value: "FILE", help: "read the task from a file, or from standard input with -" },
};

const CORPUS: Record<string, Option> = {
  corpus: {
    value: "FILE",
    help: "the playbooks, JSONL (default: exports/rag/playbooks.jsonl under the root)",
  },
  root: {
    value: "DIR",
    help: "where exports/ and data/ are (default: $LH_DISTILL_ROOT, else this repository)",
  },
};

const RETRIEVAL: Record<string, Option> = {
  ...CORPUS,
  ranker: { value: "NAME", choices: RANKERS, help: "weighted (default) or jaccard" },
  "top-k": { value: "N", help: `how many playbooks to retrieve, 1 to 1000 (default: ${DEFAULT_TOP_K})` },
  "min-coverage": {
    value: "X",
    help: "retrieve nothing where the best hit covers less of the task, 0 to 1 (default: 0)",
  },
};

const MODEL: Record<string, Option> = {
  model: {
    value: "NAME",
    help: `the local model (default: $LH_REPLAY_LOCAL_MODEL, else ${DEFAULT_LOCAL_MODEL})`,
  },
  "allow-escalation": { help: "ask a larger model once where the gate rejects or doubts, or nobody answers" },
  "escalation-model": {
    value: "NAME",
    help: `the larger one (default: $LH_REPLAY_ESCALATION_MODEL, else ${DEFAULT_ESCALATION_MODEL})`,
  },
  "local-only": { help: "never escalate; recorded as asked for" },
  "max-tokens": { value: "N", help: `the longest answer, in tokens (default: ${DEFAULT_MAX_TOKENS})` },
  temperature: { value: "X", help: `0 to 2 (default: ${DEFAULT_TEMPERATURE})` },
  seed: { value: "N", help: "sent to the model where given" },
  "timeout-ms": {
    value: "N",
    help: `for one model in all, retries included (default: ${DEFAULT_TIMEOUT_MS})`,
  },
  "max-retries": { value: "N", help: `0 to 10, after a failed request (default: ${DEFAULT_MAX_RETRIES})` },
};

function without(options: Record<string, Option>, ...names: string[]): Record<string, Option> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

const GATE: Record<string, Option> = {
  gate: {
    value: "POLICY",
    choices: POLICIES,
    help: `what the gate insists on: ${POLICIES.join(", ")} (default: ${DEFAULT_POLICY})`,
  },
  threshold: {
    value: "X",
    help: `the score from which an answer is doubtful, 0 to 1 (default: ${DOUBTFUL})`,
  },
};

/** As in ab.ts, which is not loaded for the help; a test holds them together. */
export const ARM_NAMES = "none, retrieval, jaccard, random, filler, extract";
const DEFAULT_EXPERIMENT_SEED = 1;

const SHELLS = ["bash", "zsh", "fish"] as const;
const SPLIT_LEVELS: readonly SplitLevel[] = ["h2", "h3"];

export const COMMANDS: Record<string, Command> = {
  replay: {
    summary: "retrieve, ask the local model, check the answer, record the run",
    usage: '--task "…" [options]',
    options: {
      ...TASK,
      "dry-run": { help: "no network: answer with the bundle itself; the row is marked" },
      "no-retrieval": { help: "the baseline: ask the model without any playbook" },
      ...RETRIEVAL,
      ...MODEL,
      ...GATE,
      json: { help: "print the record as appended instead of the answer" },
      "show-prompt": { help: "print the whole prompt to stderr" },
      quiet: { short: "q", help: "on stderr only errors and rejected answers" },
      ...HELP,
    },
    examples: [
      'distill replay --dry-run --task "FATAL: sorry, too many clients already on db-3"',
      'distill replay --task "pod web-7c9 is in CrashLoopBackOff" --allow-escalation',
    ],
    run: runReplay,
  },
  retrieve: {
    summary: "show which playbooks match, without asking a model",
    usage: '--task "…" | --tasks FILE [options]',
    options: {
      ...TASK,
      tasks: {
        value: "FILE",
        help: "many tasks, JSONL {task, task_id?, relevant_ids?, exclude_ids?, …}; relevant_ids are scored",
      },
      ...RETRIEVAL,
      json: { help: "one line a task: {task_id, task, coverage, abstained, hits: […]}" },
      ...HELP,
    },
    examples: [
      'distill retrieve --task "disk full but du finds nothing"',
      "distill retrieve --tasks tasks.jsonl --json",
    ],
    run: runRetrieve,
  },
  gate: {
    summary: "check answers that exist already against their evidence",
    usage: '--task "…" --evidence FILE … < answer | --rows FILE',
    options: {
      ...TASK,
      evidence: {
        value: "FILE",
        multiple: true,
        help: "a text the answer may draw on; may be given several times",
      },
      rows: {
        value: "FILE",
        help: "many answers, JSONL {id, task, evidence, response}, - for standard input",
      },
      calibrate: { help: "with --rows that have a label: what each threshold accepts and rejects wrongly" },
      corpus: { value: "FILE", help: "playbooks in which a fact may stand elsewhere, JSONL (default: none)" },
      ...GATE,
      json: { help: "JSON out (with --rows it always is, but for --calibrate)" },
      ...HELP,
    },
    examples: [
      'distill gate --task "restart loop of web" --evidence runbook.md < answer.txt',
      "distill gate --rows answers.jsonl",
      "distill gate --rows labelled.jsonl --calibrate",
    ],
    run: runGate,
  },
  ab: {
    summary: "run tasks with and without playbooks, and report what the difference is",
    usage: "--tasks FILE [options] | --report-only [options]",
    options: {
      tasks: {
        value: "FILE",
        help: "JSONL {task, task_id?, expects?, rejects?, relevant_ids?, …}; expects: text or /regex/imsu",
      },
      arms: {
        value: "A,B",
        help: `which arms, of ${ARM_NAMES} (default: the first two)`,
      },
      repeat: { value: "N", help: "how often each task is answered in each arm, 1 to 100 (default: 1)" },
      limit: { value: "N", help: "at most so many tasks, in the seeded order (default: all)" },
      skip: { value: "N", help: "set the first N tasks of that order apart, for development (default: 0)" },
      seed: {
        value: "N",
        help: `orders tasks, draws playbooks, resamples; sent to the model (default: ${DEFAULT_EXPERIMENT_SEED})`,
      },
      concurrency: { value: "N", help: "how many tasks at a time, 1 to 64 (default: 1)" },
      "dry-run": { help: "no network: every arm answers with what it would show; the rows are marked" },
      ...without(RETRIEVAL, "ranker"),
      ...without(MODEL, "seed", "local-only"),
      ...GATE,
      report: { value: "FILE.md", help: "write the report, and beside it the same as one page, FILE.html" },
      title: { value: "TEXT", help: "the report's title" },
      notes: { value: "FILE.md", help: "what you have to say, put at the head of the report" },
      "report-only": { help: "ask nobody: work the report out again from the rows" },
      rows: {
        value: "FILE",
        multiple: true,
        help: "rows that were kept, JSONL or JSONL.zst (default: the log); with --report-only a part each",
      },
      experiment: { value: "ID", help: "with --report-only: which one of the log (default: the last)" },
      keep: { value: "FILE", help: "write the experiment's rows there, compressed where it ends in .zst" },
      json: { help: "print the figures as JSON" },
      quiet: { short: "q", help: "no progress on stderr" },
      ...HELP,
    },
    examples: [
      "distill ab --tasks data/tasks/starter.jsonl --limit 20 --report reports/ab.md",
      "distill ab --tasks tasks.jsonl --arms none,retrieval,extract --keep runs/tasks.jsonl.zst",
      "distill ab --report-only --rows runs/tasks.jsonl.zst --report reports/ab.md",
    ],
    run: runAb,
  },
  import: {
    summary: "turn Markdown runbooks into playbooks and add them to the corpus",
    usage: "PATH… [options]",
    operands: "paths",
    options: {
      split: {
        value: "LEVEL",
        choices: SPLIT_LEVELS,
        help: "one playbook a section instead of one a page: h2 or h3",
      },
      tags: {
        value: "A,B",
        multiple: true,
        help: "for all of them, beside those of front matter and folders",
      },
      score: {
        value: "SCORE",
        choices: SUCCESS_SCORES,
        help: "for pages that say nothing of themselves (default: accepted)",
      },
      ...CORPUS,
      "dry-run": { help: "show what would be added and write nothing" },
      json: { help: "print one JSON object: counts, and the records as added" },
      ...HELP,
    },
    examples: [
      "distill import --dry-run docs/runbooks",
      "distill import docs/runbooks --split h2 --tags payments --corpus team.jsonl",
    ],
    run: runImport,
  },
  corpus: {
    summary: "show what the corpus holds, or check it",
    usage: "[check] [options]",
    operands: ["check"],
    options: {
      ...CORPUS,
      strict: { help: "check: warnings count as errors" },
      json: { help: "print one JSON object" },
      ...HELP,
    },
    examples: ["distill corpus", "distill corpus check --strict --corpus team.jsonl"],
    run: runCorpus,
  },
  index: {
    summary: "build or check the index that a large corpus is answered from",
    usage: "[options]",
    options: {
      ...CORPUS,
      check: { help: "read index and corpus whole and say what is wrong; write nothing" },
      rebuild: { help: "build it anew, whatever there is" },
      workers: { value: "N", help: "threads that read the corpus, 1 to 16 (default: as many as pay)" },
      ...HELP,
    },
    examples: ["distill index --corpus team.jsonl", "distill index --check"],
    run: runIndex,
  },
  completion: {
    summary: "print the completion script for your shell",
    usage: SHELLS.join("|"),
    operands: SHELLS,
    options: { ...HELP },
    examples: [
      "source <(distill completion bash)",
      "distill completion fish > ~/.config/fish/completions/distill.fish",
    ],
    run: runCompletion,
  },
};

/** The first with everything that is used here. */
const OLDEST_BUN = ">=1.4.5";

/** Runs one command line and returns its exit code. */
export async function main(argv: string[], given?: Io): Promise<number> {
  let io = given;
  try {
    io ??= await realIo();
    return await dispatch(argv, io);
  } catch (error) {
    const { stderr, cwd } = io ?? { stderr: writeStderr, cwd: "/" };
    if (!(error instanceof DistillError)) {
      stderr(
        `distill: this is a bug in distill, please report it with the command you ran.\n${describeBug(error)}\n`,
      );
      return EXIT.bug;
    }
    stderr(`distill: ${printable(fromHere(error.message, { cwd }))}\n`);
    return EXIT[error.code];
  }
}

const describeBug = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

async function dispatch(argv: string[], io: Io): Promise<number> {
  if (!Bun.semver.satisfies(Bun.version, OLDEST_BUN)) {
    throw usage(`this Bun is ${Bun.version}, and distill needs ${OLDEST_BUN}. Run: bun upgrade`);
  }
  const [name, ...rest] = argv;
  if (name === undefined) {
    io.stderr(overview());
    return EXIT.usage;
  }
  if (["--help", "-h"].includes(name)) return printed(io, overview());
  if (name === "help")
    return printed(io, rest[0] === undefined ? overview() : helpFor(rest[0], commandNamed(rest[0])));
  if (["--version", "-V"].includes(name)) return printed(io, await versionLine());
  const command = commandNamed(name);
  const flags = new Flags(name, command, rest);
  if (flags.on("help")) return printed(io, helpFor(name, command));
  if (flags.on("version")) return printed(io, await versionLine());
  return command.run(flags, io);
}

async function printed(io: Io, text: string): Promise<number> {
  await io.stdout(text);
  return EXIT.accepted;
}

function commandNamed(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  const isOption = name.startsWith("-");
  const near = didYouMean(name, isOption ? ["-V", "--version", "-h", "--help"] : Object.keys(COMMANDS));
  throw usage(`unknown ${isOption ? "option" : "command"} ${shown(name)}.${near} See distill --help.`);
}

const usage = (message: string): DistillError => new DistillError("usage", message);

async function versionLine(): Promise<string> {
  const manifest: unknown = await Bun.file(`${REPOSITORY}/package.json`).json();
  const version = isObject(manifest) ? String(manifest.version) : "";
  return `distill ${version} (Bun ${Bun.version})\n`;
}

/** The flags of one command line. Every reader of a value names the flag and the value in its error. */
class Flags {
  private readonly values: Record<string, string | true | string[] | undefined> = {};
  readonly words: string[] = [];

  /** @throws DistillError `usage` */
  constructor(
    private readonly name: string,
    command: Command,
    argv: string[],
  ) {
    this.parse(joinValues(argv, command), command);
    const { operands } = command;
    if (this.words.includes("")) throw usage(`${name}: an argument is empty. Is a variable not set?`);
    const stray = this.words.findIndex(
      (word, at) => operands !== "paths" && (at > 0 || !operands?.includes(word)),
    );
    if (stray >= 0) throw this.strayWord(stray, command);
  }

  /** The names of those that are there. */
  given(): string[] {
    return Object.keys(this.values);
  }

  on(flag: string): boolean {
    return this.values[flag] === true;
  }

  text(flag: string): string | undefined {
    const value = this.values[flag];
    if (value === "" && flag !== "task") throw usage(`--${flag}: the value is empty.`);
    return typeof value === "string" ? value : undefined;
  }

  /** The flags as they were given, but for those named, as one line. */
  line(but: string[]): string {
    const words = Object.entries(this.values).filter(([flag]) => !but.includes(flag));
    const texts = words.flatMap(([flag, value]) =>
      [value].flat().map((one) => (one === true ? `--${flag}` : `--${flag} ${quoted(String(one))}`)),
    );
    return [this.name, ...texts].join(" ");
  }

  texts(flag: string): string[] {
    const value = this.values[flag];
    if (!Array.isArray(value)) return [];
    if (value.includes("")) throw usage(`--${flag}: the value is empty.`);
    return value;
  }

  choice<T extends string>(flag: string, choices: readonly T[], fallback: T): T {
    const text = this.text(flag);
    if (text === undefined) return fallback;
    const choice = choices.find((entry) => entry === text);
    if (choice !== undefined) return choice;
    throw usage(
      `--${flag}: expected ${choices.join(" or ")} (got ${shown(text)}).${didYouMean(text, choices)}`,
    );
  }

  /** A number in [min, max]; a whole one unless `fraction`. */
  number(flag: string, fallback: number, range: { min: number; max: number; fraction?: true }): number {
    const text = this.text(flag);
    if (text === undefined) return fallback;
    const value = /^[-+]?(?:\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
    const { min, max, fraction } = range;
    if (value >= min && value <= max && (fraction || Number.isInteger(value))) return value;
    throw usage(
      `--${flag}: expected a ${fraction ? "" : "whole "}number from ${min} to ${max} (got ${shown(text)}).`,
    );
  }

  /** `--flag=value`, `--switch`, `-s` and `-st`; behind `--` there are only words. */
  private parse(argv: string[], command: Command): void {
    for (const [at, word] of argv.entries()) {
      if (word === "--") return void this.words.push(...argv.slice(at + 1));
      if (word.startsWith("--")) this.take(word, command);
      else if (word.startsWith("-") && word !== "-")
        for (const letter of word.slice(1)) this.takeShort(`-${letter}`, command);
      else this.words.push(word);
    }
  }

  private take(word: string, { options }: Command): void {
    const [, flag = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (!Object.hasOwn(options, flag)) {
      const known = Object.keys(options).map((option) => `--${option}`);
      const near = didYouMean(`--${flag}`, known);
      throw usage(`unknown option ${shown(`--${flag}`)}.${near} See distill ${this.name} --help.`);
    }
    const { value: named, multiple } = options[flag]!;
    if (named === undefined && value !== undefined) throw usage(`--${flag}: takes no value.`);
    if (named !== undefined && value === undefined) throw usage(`--${flag}: needs a value, ${named}.`);
    if (named !== undefined && !multiple && this.values[flag] !== undefined)
      throw usage(`--${flag}: given twice. Give it once.`);
    if (multiple) this.values[flag] = [...this.texts(flag), value ?? ""];
    else this.values[flag] = value ?? true;
  }

  private takeShort(flag: string, { options }: Command): void {
    const long = Object.keys(options).find((name) => options[name]!.short === flag.slice(1));
    if (long === undefined) throw usage(`unknown option ${shown(flag)}. See distill ${this.name} --help.`);
    this.values[long] = true;
  }

  private strayWord(at: number, { operands, options }: Command): DistillError {
    const word = this.words[at]!;
    if (operands && operands !== "paths" && at === 0)
      return usage(
        `${this.name}: expected ${operands.join(" or ")} (got ${shown(word)}).${didYouMean(word, operands)}`,
      );
    const hint = options.task ? ` A task goes into quotes behind --task: --task ${shown(word)}.` : "";
    return usage(`${this.name}: unexpected ${shown(word)}.${hint}`);
  }
}

/** A word as a shell takes it back. */
const quoted = (word: string): string =>
  /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** `--flag -value` as `--flag=-value`: a task may begin with a dash ("-bash: foo: command not found"), a flag's name may not. */
function joinValues(argv: string[], { options }: Command): string[] {
  const joined: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const flag = argv[at]!;
    const next = argv[at + 1];
    if (flag === "--") return [...joined, ...argv.slice(at)];
    const takesValue = flag.startsWith("--") && options[flag.slice(2)]?.value !== undefined;
    const nextIsFlag = next?.startsWith("--") && Object.hasOwn(options, next.slice(2).split("=")[0]!);
    if (takesValue && next !== undefined && !nextIsFlag) joined.push(`${flag}=${argv[++at]}`);
    else joined.push(flag);
  }
  return joined;
}

/** " Did you mean …?" where one of the names is near enough, else nothing. */
function didYouMean(text: string, names: readonly string[]): string {
  const ranked = names
    .map((name) => ({ name, edits: editDistance(text, name) }))
    .sort((a, b) => a.edits - b.edits);
  const [nearest] = ranked;
  return nearest && nearest.edits <= Math.max(2, nearest.name.length / 3)
    ? ` Did you mean ${nearest.name}?`
    : "";
}

/** Levenshtein's distance: insertions, deletions and substitutions that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (char === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

// ---------------------------------------------------------------------------------------------------------------------
// Help
// ---------------------------------------------------------------------------------------------------------------------

/** `distill --help`. */
export function overview(): string {
  const names = Object.keys(COMMANDS);
  return `distill: makes a small local language model answer like someone who has done the job before.

Usage: distill <command> [options]

${columns(names.map((name) => [name, COMMANDS[name]!.summary]))}

Start with
  distill replay --dry-run --task "FATAL: sorry, too many clients already on db-3"

${columns([
  ["LH_GATEWAY_URL", `the model server (default: ${DEFAULT_GATEWAY_URL}, else Ollama on port 11434)`],
  ["LH_GATEWAY_KEY", "its key, where it wants one"],
  ["LH_REPLAY_LOCAL_MODEL", `the local model (default: ${DEFAULT_LOCAL_MODEL})`],
  ["LH_REPLAY_ESCALATION_MODEL", `the larger model (default: ${DEFAULT_ESCALATION_MODEL})`],
  ["LH_ESCALATION_URL", "its server (default: LH_GATEWAY_URL)"],
  ["LH_ESCALATION_KEY", "its key (default: LH_GATEWAY_KEY, at the same origin)"],
  ["LH_DISTILL_ROOT", "where exports/ and data/ are (default: this repository)"],
])}

Exit codes
${columns([
  ["0", "accepted, or done"],
  ["1", "the gate rejected the answer"],
  ["2", "usage: a flag or a variable is wrong"],
  ["3", "input: a file is missing or holds bad data"],
  ["4", "no model answered"],
  ["5", "the run could not be recorded, or stdout not be written"],
  ["130", "interrupted; the run is recorded as an error"],
])}

distill <command> --help tells more.
`;
}

/** `distill <command> --help`. */
export function helpFor(name: string, command: Command): string {
  const rows = Object.entries(command.options).map(([flag, { value, short, help }]): [string, string] => [
    `${short ? `-${short}, ` : ""}--${flag}${value ? ` ${value}` : ""}`,
    help,
  ]);
  return `distill ${name}: ${command.summary}.

Usage: distill ${name} ${command.usage}

${columns(rows)}

Examples
${command.examples.map((example) => `  ${example}`).join("\n")}
`;
}

function columns(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

// ---------------------------------------------------------------------------------------------------------------------
// What several commands read from flags and environment
// ---------------------------------------------------------------------------------------------------------------------

interface Place {
  root: string;
  corpusPath: string;
}

async function placeOf(flags: Flags, io: Io): Promise<Place> {
  const named = flags.text("root") ?? variable(io, "LH_DISTILL_ROOT");
  const root = named === undefined ? REPOSITORY : pathFrom(io.cwd, named);
  if (named !== undefined && !(await isFolder(root))) {
    const what = (await Bun.file(root).exists()) ? "is a file, not a folder" : "no such folder";
    throw usage(
      `${flags.text("root") ? "--root" : "LH_DISTILL_ROOT"}: ${shown(named)}: ${what}. Check the path.`,
    );
  }
  const corpus = flags.text("corpus");
  return {
    root,
    corpusPath: corpus === undefined ? `${root}/exports/rag/playbooks.jsonl` : pathFrom(io.cwd, corpus),
  };
}

const isFolder = (path: string): Promise<boolean> =>
  Bun.file(path)
    .stat()
    .then((stat) => stat.isDirectory())
    .catch(() => false);

/** Whether a path leads to a device, a pipe, or where this command prints to: it cannot be read first and added to then. */
async function isStream(path: string): Promise<boolean> {
  const [stat, ...printed] = await Promise.all(
    [Bun.file(path), Bun.stdout, Bun.stderr].map((file) => file.stat().catch(() => null)),
  );
  if (!stat || stat.isDirectory()) return false;
  return !stat.isFile() || printed.some((one) => one?.ino === stat.ino && one.dev === stat.dev);
}

/** node:path's resolve() for an absolute `folder`, without loading it for this. */
function pathFrom(folder: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** A variable's value; an empty one is not set. */
const variable = (io: Io, name: string): string | undefined => io.env[name] || undefined;

const rankerOf = (flags: Flags): Ranker => flags.choice("ranker", RANKERS, "weighted");

function retrieveOptions(flags: Flags): RetrieveOptions {
  return {
    topK: flags.number("top-k", DEFAULT_TOP_K, { min: 1, max: 1000 }),
    minCoverage: flags.number("min-coverage", 0, { min: 0, max: 1, fraction: true }),
  };
}

function gateOptions(flags: Flags): { policy: Policy; doubtThreshold: number } {
  return {
    policy: flags.choice("gate", POLICIES, DEFAULT_POLICY),
    doubtThreshold: flags.number("threshold", DOUBTFUL, { min: 0, max: 1, fraction: true }),
  };
}

/** The one task of a command line. @throws DistillError where there is none, two, or an empty one. */
async function taskOf(flags: Flags, io: Io): Promise<string> {
  const text = flags.text("task");
  const file = flags.text("task-file");
  if (text !== undefined && file !== undefined) throw usage("--task and --task-file: give one of the two.");
  if (text === undefined && file === undefined)
    throw usage('no task. Say what is to be done: --task "…", or --task-file FILE.');
  if (file === undefined) return nonEmpty(text!, usage("--task: the task is empty. Say what is to be done."));
  const read = await readText(file === "-" ? file : pathFrom(io.cwd, file));
  return nonEmpty(
    read.trim(),
    new DistillError("input", `${nameOf(file)}: the task is empty. Say what is to be done.`),
  );
}

function nonEmpty(text: string, error: DistillError): string {
  if (text.trim() === "") throw error;
  return text;
}

const warner =
  (io: Io) =>
  (message: string): void =>
    io.stderr(`distill: ${printable(fromHere(message, io))}\n`);

/** A message that begins with a file's path, with the path as it is called from the working directory. */
const fromHere = (message: string, { cwd }: Pick<Io, "cwd">): string =>
  message.startsWith(`${cwd}/`) ? message.slice(cwd.length + 1) : message;

/** Text from outside on one line of a terminal: control characters as escapes, a newline included. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (char) => {
    const code = char.codePointAt(0)!;
    return char === "\n"
      ? "\\n"
      : code < 256
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u${code.toString(16)}`;
  });
}

/** Text from outside on several lines of a terminal. */
const printableLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");

// ---------------------------------------------------------------------------------------------------------------------
// replay
// ---------------------------------------------------------------------------------------------------------------------

async function runReplay(flags: Flags, io: Io): Promise<number> {
  const options = await replayOptions(flags, io);
  const task = await taskOf(flags, io);
  const watcher = new Watcher(flags, io);
  const outcome = await io
    .interruptible((signal) =>
      replay(task, options, { ...realDeps(), signal, ...io.deps, onEvent: watcher.onEvent }),
    )
    .finally(() => watcher.stopWaiting());
  watcher.summarise(outcome);
  if (flags.on("json")) await io.stdout(`${toJson(outcome.row)}\n`);
  else if (outcome.row.verdict === "pass")
    await io.stdout(forStdout(`${outcome.answer?.replace(/^(?:[ \t]*\n)+/, "").trimEnd()}\n`, io));
  return exitCodeOf(outcome);
}

function exitCodeOf({ row, interrupted, appendError }: ReplayOutcome): number {
  if (interrupted) return EXIT.interrupted;
  if (appendError) return EXIT.evidence;
  return { pass: EXIT.accepted, fail: EXIT.rejected, error: EXIT.noAnswer }[row.verdict];
}

/** A terminal obeys control characters; a file or a pipe gets the text as it is. */
const forStdout = (text: string, io: Io): string => (io.stdoutIsTty ? printableLines(text) : text);

async function replayOptions(flags: Flags, io: Io): Promise<ReplayOptions> {
  if (flags.on("local-only") && flags.on("allow-escalation")) {
    throw usage("--local-only and --allow-escalation exclude each other. Give one of the two.");
  }
  if (flags.text("escalation-model") !== undefined && !flags.on("allow-escalation"))
    warner(io)("--escalation-model does nothing without --allow-escalation.");
  const options: ReplayOptions = {
    ...(await placeOf(flags, io)),
    ...retrieveOptions(flags),
    ranker: rankerOf(flags),
    noRetrieval: flags.on("no-retrieval"),
    dryRun: flags.on("dry-run"),
    localOnly: flags.on("local-only"),
    local: localTarget(flags, io),
    escalation: flags.on("allow-escalation") ? escalationTarget(flags, io) : null,
    ...gateOptions(flags),
    sampling: {
      maxTokens: flags.number("max-tokens", DEFAULT_MAX_TOKENS, { min: 1, max: 1_000_000 }),
      temperature: flags.number("temperature", DEFAULT_TEMPERATURE, { min: 0, max: 2, fraction: true }),
      seed:
        flags.text("seed") === undefined
          ? null
          : flags.number("seed", 0, { min: -(2 ** 31), max: 2 ** 32 - 1 }),
    },
    timeoutMs: flags.number("timeout-ms", DEFAULT_TIMEOUT_MS, { min: 1, max: 86_400_000 }),
    maxRetries: flags.number("max-retries", DEFAULT_MAX_RETRIES, { min: 0, max: 10 }),
  };
  // Here, so that a wrong URL is told before any work is done.
  for (const target of [options.local, options.escalation]) if (target) endpointsFor(target);
  return options;
}

function localTarget(flags: Flags, io: Io): ModelTarget {
  return {
    role: "local",
    model: flags.text("model") || variable(io, "LH_REPLAY_LOCAL_MODEL") || DEFAULT_LOCAL_MODEL,
    baseUrl: variable(io, "LH_GATEWAY_URL") ?? null,
    key: variable(io, "LH_GATEWAY_KEY") ?? null,
  };
}

/** The gateway's key goes along only where the escalation has the gateway's own origin. */
function escalationTarget(flags: Flags, io: Io): ModelTarget {
  const local = localTarget(flags, io);
  const baseUrl = variable(io, "LH_ESCALATION_URL") ?? local.baseUrl;
  const origin = (url: string | null): string | undefined => URL.parse(url ?? DEFAULT_GATEWAY_URL)?.origin;
  const sharedKey = origin(baseUrl) === origin(local.baseUrl) ? local.key : null;
  return {
    role: "escalation",
    model:
      flags.text("escalation-model") ||
      variable(io, "LH_REPLAY_ESCALATION_MODEL") ||
      DEFAULT_ESCALATION_MODEL,
    baseUrl,
    key: variable(io, "LH_ESCALATION_KEY") ?? sharedKey,
  };
}

/** Says on stderr what a replay does, while it does it, and in the end what came of it. */
class Watcher {
  private timer: Timer | undefined;
  private readonly quiet: boolean;
  private readonly showPrompt: boolean;
  private readonly escalates: boolean;
  private readonly indexing: Progress;

  constructor(
    flags: Flags,
    private readonly io: Io,
  ) {
    this.indexing = new Progress(io, indexingLine, INDEXING_SILENT_MS);
    this.quiet = flags.on("quiet");
    this.showPrompt = flags.on("show-prompt");
    this.escalates = flags.on("allow-escalation");
  }

  readonly onEvent = (event: ReplayEvent): void => {
    this.stopWaiting();
    if (event.kind === "indexing")
      return this.quiet ? undefined : this.indexing.show(event.done, event.total);
    this.indexing.clear();
    if (event.kind === "started") this.say(`run_id=${event.runId}`);
    if (event.kind === "warning") this.say(event.message);
    if (event.kind === "asking") for (const line of retrievalLines(event)) this.say(line);
    if (event.kind === "asking" && this.showPrompt) {
      this.io.stderr(`${printableLines(promptText(event.prompt))}\n`);
    }
    if (event.kind === "calling") this.wait(event.model, event.endpoint);
    if (event.kind === "retrying") this.say(`${event.error} Trying again in ${seconds(event.waitMs)}.`);
    if (event.kind === "judged" && event.attempt.verdict === "fail") this.reject(event.attempt);
    if (event.kind === "judged" && event.attempt.doubted && this.escalates) this.doubt(event.attempt);
  };

  /** The last lines of a run: who answered, how long it took, the verdict and why. */
  summarise({ row, appendError }: ReplayOutcome): void {
    for (const attempt of row.attempts) {
      if (attempt.error) this.complain(attempt.error);
      else if (!row.dry_run) this.say(callLine(attempt));
      if (attempt.prompt_cut) this.complain(cutPromptLine(attempt));
    }
    this.say(
      `escalation path: ${row.escalation_path.join(" -> ")}${row.dry_run ? " (dry run, not asked)" : ""}`,
    );
    this.say(
      `verdict: ${row.verdict}${row.gate ? ` (${groundingWords(row.gate)})` : ""} in ${seconds(row.duration_ms)}`,
    );
    // What the gate rejected was told with the answer, what went wrong with a call above.
    if (row.verdict === "pass") for (const reason of row.validation_result.reasons) this.say(`  ${reason}`);
    const redacted = Object.entries(row.redactions).map(([kind, count]) => `${count} ${kind}`);
    if (redacted.length > 0)
      this.complain(`secrets replaced before anything was sent or stored: ${redacted.join(", ")}`);
    if (appendError) this.complain(appendError.message);
  }

  stopWaiting(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.io.stderr("\r\x1b[K");
  }

  /** A line that is rewritten every second while a model works; on a terminal only. */
  private wait(model: string, endpoint: string): void {
    if (this.quiet || !this.io.stderrIsTty) return;
    const startedAt = Date.now();
    const draw = (): void => {
      const waited = Date.now() - startedAt;
      const loading = waited > 5000 ? " (a first call may include loading the model)" : "";
      const line = `[replay] ${model} at ${endpoint} works, ${Math.round(waited / 1000)} s${loading}`;
      this.io.stderr(`\r\x1b[K${printable(line).slice(0, (process.stderr.columns || 80) - 1)}`);
    };
    draw();
    this.timer = setInterval(draw, 1000);
  }

  private doubt({ reply, reasons }: Attempt): void {
    if (reply.record.role === "local") this.say(`${reply.record.requested_model} passed, with doubts:`);
    for (const reason of reply.record.role === "local" ? reasons : []) this.say(`  ${reason}`);
  }

  private reject({ reply, reasons }: Attempt): void {
    this.complain(`rejected answer of ${reply.record.requested_model}, not to be relied on:`);
    this.io.stderr(`${printableLines(reply.answer?.trim() ?? "").replaceAll(/^/gm, "| ")}\n`);
    for (const reason of reasons) this.complain(`  ${reason}`);
  }

  private say(line: string): void {
    if (!this.quiet) this.complain(line);
  }

  private complain(line: string): void {
    this.io.stderr(`[replay] ${printable(line)}\n`);
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function retrievalLines({ retrieval, bundle, records }: Extract<ReplayEvent, { kind: "asking" }>): string[] {
  if (!retrieval || !bundle) return ["no retrieval: the model is asked without playbooks, as a baseline"];
  const { hits, ranker, coverage, abstained } = retrieval;
  const found = `retrieved ${hits.length} of ${records} playbooks (${ranker}, coverage ${coverage.toFixed(2)})`;
  if (abstained) return [`${found}: too little to go by, so the model is shown none`];
  if (hits.length === 0) return [`${found}: none shares a word with the task, so the model is shown none`];
  const { prior_successful_outputs, failure_patterns, validation_steps, bundle_token_estimate } = bundle;
  const shown = [
    counted(prior_successful_outputs.length, "exemplar"),
    counted(failure_patterns.length, "warning"),
    counted(validation_steps.length, "check"),
  ].join(", ");
  const quoted = [...prior_successful_outputs, ...failure_patterns];
  return [
    `${found}; shown: ${shown}, ~${bundle_token_estimate} tokens`,
    ...quoted.map(({ rag_id, score, success_score }) => `  ${score.toFixed(3)} ${rag_id} (${success_score})`),
  ];
}

function callLine(attempt: AttemptRecord): string {
  const { requested_model, returned_model, usage, duration_ms } = attempt;
  const other =
    returned_model !== null && returned_model !== requested_model
      ? ` (the server says ${returned_model})`
      : "";
  const tokens = usage
    ? `, ${usage.prompt_tokens ?? "?"} tokens in, ${usage.completion_tokens ?? "?"} out`
    : "";
  return `model: ${requested_model}${other}, ${seconds(duration_ms)}${tokens}`;
}

function cutPromptLine({
  requested_model,
  usage,
  prompt_token_estimate,
  finish_reason,
}: AttemptRecord): string {
  const tokens = usage?.prompt_tokens;
  const what = isAtLimit(finish_reason)
    ? `ran into the end of its context (${tokens} tokens in, ${usage?.completion_tokens} out)`
    : `seems to have seen only a part of the prompt (${tokens} tokens counted, about ${prompt_token_estimate} sent)`;
  return `warning: ${requested_model} ${what}. Give the server a larger context.`;
}

/** What the gate looked up, in words. "Nothing to check" is said, never taken for grounded. */
function groundingWords({ grounding, claims }: Pick<GateResult, "grounding" | "claims">): string {
  if (grounding === "nothing_to_check") return "nothing to check";
  const atHand = claims.filter(({ support }) => support === "task" || support === "retrieved").length;
  const elsewhere = claims.filter(({ support }) => support === "elsewhere").length;
  const found = `${atHand} of ${counted(claims.length, "fact")} found in the task or its evidence`;
  return `${grounding}: ${found}${elsewhere > 0 ? `, ${elsewhere} elsewhere in the corpus` : ""}`;
}

// ---------------------------------------------------------------------------------------------------------------------
// retrieve
// ---------------------------------------------------------------------------------------------------------------------

async function runRetrieve(flags: Flags, io: Io): Promise<number> {
  const options = retrieveOptions(flags);
  const ranker = rankerOf(flags);
  const file = flags.text("tasks");
  if (file !== undefined && (flags.text("task") ?? flags.text("task-file")) !== undefined) {
    throw usage("--tasks goes without --task and --task-file. Give one of them.");
  }
  const task = file === undefined ? await taskOf(flags, io) : "";
  const corpus = await corpusOf(flags, io, ranker);
  const print = async (named: NamedTask, retrieval: Retrieval): Promise<boolean> => {
    const text = flags.on("json") ? retrievalJson(named, retrieval) : retrievalTable(named, retrieval);
    return io.stdout(forStdout(text, io));
  };
  if (file !== undefined) return retrieveMany(fileOf(file, io), corpus, { options, print, io });
  await print({ task, task_id: sha256(task).slice(0, 16) }, await corpus.retrieve(task, options));
  return EXIT.accepted;
}

type NamedTask = Pick<Task, "task" | "task_id">;

/** As deep as the scores look, however few hits are printed. */
const SCORED_HITS = 10;

/** Every task of a file, each printed as it is done, and scored in the end where they name what answers them. */
async function retrieveMany(
  path: string,
  corpus: OpenCorpus,
  {
    options,
    print,
    io,
  }: {
    options: RetrieveOptions;
    print: (task: NamedTask, retrieval: Retrieval) => Promise<boolean>;
    io: Io;
  },
): Promise<number> {
  const { scoreRetrieval, strangeIds, toTask } = await import("./tasks.ts");
  let bad = 0;
  const warn = (message: string): void => (bad++, warner(io)(message));
  const ranked: RankedTask[] = [];
  for await (const task of readRows(path, toTask, warn)) {
    const { exclude_ids: excludeIds, exclude_source_run_ids: excludeSourceRunIds } = task;
    const topK = Math.max(options.topK, SCORED_HITS);
    const retrieval = await corpus.retrieve(task.task, { ...options, topK, excludeIds, excludeSourceRunIds });
    const hits = retrieval.hits.slice(0, options.topK);
    if (!(await print(task, { ...retrieval, hits }))) return EXIT.accepted;
    if (task.relevant_ids !== null) ranked.push(rankedTask(task, retrieval));
  }
  const known = await corpus.find(ranked.flatMap(({ relevant_ids }) => relevant_ids));
  if (ranked.length > 0) io.stderr(scoreLines(scoreRetrieval(ranked), strangeIds(ranked, known)));
  return bad > 0 ? EXIT.input : EXIT.accepted;
}

const rankedTask = ({ task_id, relevant_ids }: Task, { hits, coverage }: Retrieval): RankedTask => ({
  task_id,
  relevant_ids: relevant_ids ?? [],
  hit_ids: hits.map((hit) => hit.playbook.id),
  coverage,
});

/** How well retrieval did on tasks that name what answers them. */
function scoreLines(score: RetrievalScore, strange: string[]): string {
  const { answerable, strangers, missed, abstention } = score;
  const figures = [
    `success@1 ${score.success_at_1.toFixed(3)}`,
    `success@3 ${score.success_at_3.toFixed(3)}`,
    `nDCG@10 ${score.ndcg_at_10.toFixed(3)}`,
  ];
  const lines = answerable > 0 ? [`${figures.join(", ")} over ${counted(answerable, "task")}`] : [];
  if (strange.length > 0)
    lines.push(`relevant, but not in the corpus: ${strange.join(", ")}. Correct the tasks.`);
  if (missed.length > 0) lines.push(`not in the first three: ${missed.join(", ")}`);
  if (abstention)
    lines.push(
      `--min-coverage ${abstention.min_coverage.toFixed(2)} would turn away ${abstention.strangers_turned_away} of ${counted(strangers, "task")} that nothing answers, and ${abstention.answerable_turned_away} of ${answerable} that something does`,
    );
  return lines.map((line) => `[retrieve] ${printable(line)}\n`).join("");
}

const fileOf = (file: string, io: Io): string => (file === "-" ? file : pathFrom(io.cwd, file));

/** The rows of a JSONL file that `toRow` accepts; what it says of the others is told by `warn` with their place. */
async function* readRows<T>(
  path: string,
  toRow: (value: Record<string, unknown>) => T | string,
  warn: (message: string) => void,
): AsyncGenerator<T> {
  let rows = 0;
  for await (const line of readJsonLines(path)) {
    rows++;
    const row =
      "problem" in line
        ? line.problem
        : isObject(line.value)
          ? toRow(line.value)
          : `expected a JSON object (got ${shown(line.value)}).`;
    if (typeof row === "string") warn(`${nameOf(path)}:${line.number}: ${row}`);
    else yield row;
  }
  if (rows === 0) throw new DistillError("input", `${nameOf(path)}: no rows. Write one JSON object a line.`);
}

function retrievalJson(
  { task, task_id }: NamedTask,
  { hits, weights, coverage, abstained }: Retrieval,
): string {
  const described = hits.map((hit) => {
    const { rag_id, score, title, content_preview, success_score } = describeHit(hit, weights);
    return { rag_id, score, title, content_preview, success_score };
  });
  return `${toJson({ task_id, task, coverage, abstained, hits: described })}\n`;
}

/** Lines of a preview that the table shows; all of it is in --json. */
const TABLE_PREVIEW_CHARS = 240;

function retrievalTable({ task }: NamedTask, { hits, weights, coverage, abstained }: Retrieval): string {
  const heading = `${task.replaceAll(/\s+/g, " ").trim().slice(0, 100)}\n  coverage ${coverage.toFixed(2)}`;
  if (abstained) return `${heading}: below --min-coverage, so nothing is retrieved\n\n`;
  if (hits.length === 0) return `${heading}: no playbook shares a word with this task\n\n`;
  const rows = hits.map((hit, index) => {
    const { rag_id, title, score, success_score, content_preview } = describeHit(
      hit,
      weights,
      TABLE_PREVIEW_CHARS,
    );
    const note = success_score === "accepted" ? "" : ` [${success_score}]`;
    const preview = content_preview.replaceAll(/^/gm, "              ");
    const place = `${String(index + 1).padStart(4)}  ${score.toFixed(3)}  ${printable(rag_id)}${note}`;
    return `${place}\n             ${printable(title)}\n${preview}\n`;
  });
  return `${heading}\n${rows.join("")}\n`;
}

// ---------------------------------------------------------------------------------------------------------------------
// gate
// ---------------------------------------------------------------------------------------------------------------------

interface AnswerRow {
  id: string | number;
  task: string;
  evidence: string[];
  response: string;
}

async function runGate(flags: Flags, io: Io): Promise<number> {
  const file = flags.text("rows");
  if (flags.on("calibrate") && file === undefined)
    throw usage("--calibrate: needs rows with labels. Name them with --rows FILE.");
  const judge = await judgeOf(flags, io);
  if (file === undefined) return gateOne(judge, flags, io);
  if ((flags.text("task") ?? flags.text("task-file") ?? flags.texts("evidence")[0]) !== undefined) {
    throw usage("--rows goes without --task and --evidence: each row brings its own.");
  }
  if (flags.on("calibrate")) return calibrateRows(file, judge, flags, io);
  let bad = 0;
  const warn = (message: string): void => (bad++, warner(io)(message));
  for await (const row of readRows(fileOf(file, io), toAnswerRow, warn)) {
    if (!(await io.stdout(`${toJson(rowOut(row, judge(row)))}\n`))) return EXIT.accepted;
  }
  return bad > 0 ? EXIT.input : EXIT.accepted;
}

function toAnswerRow(value: Record<string, unknown>): AnswerRow | string {
  const { id, task, evidence, response } = value;
  if (typeof id !== "string" && typeof id !== "number") return `"id" must be a string (got ${shown(id)}).`;
  if (typeof task !== "string") return `"task" must be a string (got ${shown(task)}).`;
  if (typeof response !== "string") return `"response" must be a string (got ${shown(response)}).`;
  const texts = typeof evidence === "string" ? [evidence] : evidence;
  if (!isStringArray(texts))
    return `"evidence" must be a string or an array of strings (got ${shown(evidence)}).`;
  return { id, task, evidence: texts, response };
}

type Judge = (row: AnswerRow) => GateResult;

/** The gate as the flags set it; a corpus is read only where one is named. Without a model there is no form to insist on. */
async function judgeOf(flags: Flags, io: Io): Promise<Judge> {
  const { policy, doubtThreshold: threshold } = gateOptions(flags);
  const corpus = flags.text("corpus");
  const opened = corpus === undefined ? null : await corpusOf(flags, io, "weighted");
  const elsewhere = opened && opened.elsewhere;
  return ({ task, evidence, response }) => {
    const sources = [
      taskSource(task),
      ...evidence.map((text, index) => recordSource(`evidence:${index}`, text)),
    ];
    return gate({
      ...GATE_DEFAULTS,
      answer: response,
      sources,
      policy,
      threshold,
      elsewhere,
      without: "form",
    });
  };
}

function rowOut({ id }: AnswerRow, result: GateResult): object {
  const { verdict, grounding, score, doubtful, checks, claims, version, policy, threshold } = result;
  return { id, verdict, grounding, score, doubtful, checks, claims, version, policy, threshold };
}

async function gateOne(judge: Judge, flags: Flags, io: Io): Promise<number> {
  if (flags.text("task-file") === "-")
    throw usage("--task-file: standard input is the answer here. Name a file.");
  if (flags.texts("evidence").includes("-"))
    throw usage("--evidence: standard input is the answer here. Name a file.");
  const task = await taskOf(flags, io);
  const files = flags.texts("evidence");
  const evidence = await Promise.all(files.map((file) => readText(fileOf(file, io))));
  const response = nonEmpty(
    await readText("-"),
    new DistillError("input", "standard input: the answer is empty."),
  );
  const row = { id: sha256(task).slice(0, 16), task, evidence, response };
  const result = judge(row);
  const text = flags.on("json") ? `${toJson(rowOut(row, result))}\n` : gateReport(response, result, files);
  await io.stdout(forStdout(text, io));
  return result.verdict === "fail" ? EXIT.rejected : EXIT.accepted;
}

/** The verdict, the answer with unsupported facts marked, what the checks found, and where each fact stands. */
function gateReport(
  answer: string,
  { verdict, checks, claims, ...result }: GateResult,
  files: string[],
): string {
  const place = ({ supported_by, support_offset }: Claim): string => {
    if (supported_by === null) return "NOT FOUND";
    const [, file] = /^evidence:(\d+)$/.exec(supported_by) ?? [];
    return `${file === undefined ? supported_by : files[Number(file)]} at ${support_offset}`;
  };
  const found = checks.flatMap(({ passed, name, severity, reason }) =>
    passed ? [] : `  ${severity.padEnd(4)} ${name}: ${reason}`,
  );
  const rows = claims.map(
    (claim) => `  ${claim.kind.padEnd(10)} ${claim.text.replaceAll(/\s+/g, " ")}  <- ${place(claim)}`,
  );
  const doubt = `${result.doubtful ? "doubtful, " : ""}score ${result.score.toFixed(2)}`;
  const head = `${verdict} (${groundingWords({ ...result, claims })}; ${doubt})`;
  return `${[head, ...found, "", marked(answer.trimEnd(), claims), "", ...rows].join("\n").trimEnd()}\n`;
}

/** The answer with ⟪ ⟫ around every fact that stands nowhere. */
function marked(answer: string, claims: Claim[]): string {
  let text = "";
  let from = 0;
  for (const { offset, text: fact, support } of claims) {
    if (support !== "nowhere") continue;
    text += `${answer.slice(from, offset)}⟪${fact}⟫`;
    from = offset + fact.length;
  }
  return text + answer.slice(from);
}

async function calibrateRows(file: string, judge: Judge, flags: Flags, io: Io): Promise<number> {
  let bad = 0;
  const warn = (message: string): void => (bad++, warner(io)(message));
  const answers: LabelledAnswer[] = [];
  const toLabelled = (value: Record<string, unknown>): LabelledAnswer | string =>
    toLabelledAnswer(value, judge);
  for await (const answer of readRows(fileOf(file, io), toLabelled, warn)) answers.push(answer);
  const { doubtThreshold } = gateOptions(flags);
  const { calibrate } = await import("./calibrate.ts");
  const lines = calibrate(answers, doubtThreshold);
  const text = flags.on("json")
    ? lines.map((line) => `${toJson(line)}\n`).join("")
    : calibrationTable(lines, answers);
  await io.stdout(text);
  return bad > 0 ? EXIT.input : EXIT.accepted;
}

const GOOD_LABELS = ["supported", "accept", "accepted", "good"];
const BAD_LABELS = ["hallucinated", "reject", "rejected", "bad"];

/** A row to judge, or one that was: a line of the log, or of what `gate --rows` printed, with a label added. */
function toLabelledAnswer(value: Record<string, unknown>, judge: Judge): LabelledAnswer | string {
  const { label } = value;
  if (typeof label !== "string" || ![...GOOD_LABELS, ...BAD_LABELS].includes(label))
    return `"label" must be ${GOOD_LABELS.join(", ")}, or ${BAD_LABELS.join(", ")} (got ${shown(label)}).`;
  const isGood = GOOD_LABELS.includes(label);
  const judged = isObject(value.gate) ? value.gate : value;
  if (typeof judged.score === "number" && typeof judged.verdict === "string")
    return { isGood, score: judged.score, failed: judged.verdict !== "pass" };
  const row = toAnswerRow({ id: "", ...value });
  if (typeof row === "string") return row;
  const { score, verdict } = judge(row);
  return { isGood, score, failed: verdict === "fail" };
}

function calibrationTable(lines: CalibrationLine[], answers: LabelledAnswer[]): string {
  const good = answers.filter((answer) => answer.isGood).length;
  const rate = ({ count, of, low, high }: Rate): string => {
    const share = of === 0 ? "-" : `${(100 * (count / of)).toFixed(1)} %`;
    return `${share.padStart(7)}  [${(100 * low).toFixed(1).padStart(4)}, ${(100 * high).toFixed(1).padStart(5)}]`;
  };
  // A threshold with more than two is shown as it was given.
  const digits = (threshold: number): string =>
    String(threshold).length > 4 ? String(threshold) : threshold.toFixed(2);
  const rows = lines.map(
    ({ threshold, is_default, false_accept, false_reject }) =>
      `${is_default ? "*" : " "} ${digits(threshold).padEnd(6)} ${rate(false_accept)}   ${rate(false_reject)}`,
  );
  return `${good} good and ${answers.length - good} bad answers. An answer is counted as rejected where a check fails it, or where its score
reaches the threshold and it is doubted; in brackets the 95 % Wilson interval. * is the threshold in use.

threshold  false accepts            false rejects
${rows.join("\n")}
`;
}

// ---------------------------------------------------------------------------------------------------------------------
// ab
// ---------------------------------------------------------------------------------------------------------------------

async function runAb(flags: Flags, io: Io): Promise<number> {
  if (flags.on("report-only")) return reportAgain(flags, io);
  if (flags.text("experiment") !== undefined) throw usage("--experiment goes with --report-only.");
  const { isAnswered, MAX_ERRORS_IN_A_ROW, runExperiment } = await import("./ab.ts");
  const options = await experimentOptions(flags, io);
  await checkOutputs(flags, io);
  const progress = new ExperimentProgress(flags, io);
  const { rows, planned, stopped, appendError } = await io
    .interruptible((signal) => runExperiment(options, progress, { ...realDeps(), signal, ...io.deps }))
    .finally(progress.clear);
  if (stopped === "unanswered") warner(io)(`stopped: ${MAX_ERRORS_IN_A_ROW} answers in a row did not come.`);
  const missing = planned - rows.filter(isAnswered).length;
  if (missing > 0)
    warner(io)(`${missing} of ${counted(planned, "answer")} missing. The same command goes on from here.`);
  if (rows.some(isAnswered)) await reportOn([{ name: stemOf(flags.text("tasks")!), rows }], flags, io);
  if (appendError) throw appendError;
  if (stopped === "interrupted") return EXIT.interrupted;
  return missing > 0 ? EXIT.noAnswer : EXIT.accepted;
}

/** What goes with --report-only. */
const REPORT_FLAGS = new Set([
  ...["report-only", "rows", "experiment", "arms", "root", "corpus"],
  ...["report", "title", "notes", "keep", "json", "quiet"],
]);

/** Told before any work is done: a path that could not be written to, or would be written over. */
async function checkOutputs(flags: Flags, io: Io): Promise<void> {
  const { withRowsIn } = await import("./ab.ts");
  const [report, keep] = [flags.text("report"), flags.text("keep")];
  const idle = report === undefined && ["title", "notes"].find((flag) => flags.text(flag) !== undefined);
  if (idle) throw usage(`--${idle} goes with --report.`);
  if (report !== undefined && !report.endsWith(".md"))
    throw usage(`--report: expected a name that ends in .md (got ${shown(report)}).`);
  const { root, corpusPath } = await placeOf(flags, io);
  const page = report?.replace(/\.md$/, ".html");
  const written = { "--report": report, "the page of --report": page, "--keep": keep };
  const taken = new Map([[followed(`${root}/${EVIDENCE_LOG}`), "the log"]]);
  const read = { "--tasks": flags.text("tasks"), "--notes": flags.text("notes"), "the corpus": corpusPath };
  for (const [name, path] of present(read)) taken.set(followed(pathFrom(io.cwd, path)), name);
  for (const [name, path] of present(written)) {
    const target = followed(pathFrom(io.cwd, path));
    const other = taken.get(target);
    if (other) throw usage(`${name}: ${path} is ${other} too, and would be written over. Name another file.`);
    taken.set(target, name);
    const problem = whyUnwritable(target);
    if (problem) throw usage(`${name}: ${path} cannot be written: ${problem}. Name another file.`);
  }
  for (const [name, path] of present({ "--report": report, "the page of --report": page }))
    if (await isForeign(pathFrom(io.cwd, path)))
      throw usage(`${name}: ${path} is there and no report of ab, so it stays. Name another file.`);
  if (keep !== undefined) await withRowsIn(pathFrom(io.cwd, keep), []);
  await notesOf(flags, io);
}

/** Whether a file holds anything that `ab` has not reported. */
async function isForeign(path: string): Promise<boolean> {
  const { LEFT_OUT } = await import("./ab_report.ts");
  const text = await Bun.file(path)
    .text()
    .catch(() => "");
  return text.trim() !== "" && !text.includes(LEFT_OUT);
}

const present = (named: Record<string, string | undefined>): [name: string, value: string][] =>
  Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));

const folderOf = (path: string): string => path.replace(/\/[^/]*$/, "") || "/";

/** An absolute path with its links followed as far as it exists. */
function followed(path: string): string {
  try {
    return process.getBuiltinModule("node:fs").realpathSync(path);
  } catch {
    return path === "/" ? path : pathFrom(followed(folderOf(path)), path.replace(/^.*\//, ""));
  }
}

/** What keeps a file from being written, with the folders that lead to it; null where nothing does. */
function whyUnwritable(path: string): string | null {
  const fs = process.getBuiltinModule("node:fs");
  const isThere = fs.existsSync(path);
  if (isThere && !fs.statSync(path).isFile())
    return fs.statSync(path).isDirectory() ? "it is a folder" : "it is no regular file";
  let folder = folderOf(path);
  while (!fs.existsSync(folder)) folder = folderOf(folder);
  if (!fs.statSync(folder).isDirectory()) return `${folder} is no folder`;
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return null;
  } catch (error) {
    return `nothing can be added to ${folder} (${errorCode(error)})`;
  }
}

/** The report once more, from rows that were kept or from the log: a part for each file. */
async function reportAgain(flags: Flags, io: Io): Promise<number> {
  const stray = flags.given().find((flag) => !REPORT_FLAGS.has(flag));
  if (stray !== undefined) throw usage(`--report-only: takes the rows as they are, without --${stray}.`);
  await checkOutputs(flags, io);
  const { loadExperiment } = await import("./ab.ts");
  const arms = flags.text("arms") === undefined ? null : await armsOf(flags);
  const files = flags.texts("rows").map((file) => pathFrom(io.cwd, file));
  const paths = files.length > 0 ? files : [`${(await placeOf(flags, io)).root}/${EVIDENCE_LOG}`];
  const parts = [];
  for (const path of paths) {
    const all = await loadExperiment(path, flags.text("experiment") ?? null, warner(io));
    const rows = all.filter(({ experiment }) => arms?.includes(experiment.arm as Arm) ?? true);
    if (rows.length === 0)
      throw new DistillError(
        "input",
        `${path}: no row of --arms ${flags.text("arms")}. Name arms that it has.`,
      );
    parts.push({ name: stemOf(path), rows });
  }
  await reportOn(parts, flags, io);
  return EXIT.accepted;
}

/** "runs/starter-1.5b.jsonl.zst" -> starter-1.5b */
const stemOf = (path: string): string => path.replace(/^.*\//, "").replace(/\.jsonl(?:\.zst)?$/, "");

/** What the rows say: on stdout in short, and in the files that were asked for. */
async function reportOn(
  experiments: { name: string; rows: ExperimentRow[] }[],
  flags: Flags,
  io: Io,
): Promise<void> {
  const report = await import("./ab_report.ts");
  const parts = experiments.map(({ name, rows }) => {
    const commands = new Set(rows.map((row) => `distill ${row.experiment.command}`));
    const analysis = report.analyse(rows, { seed: seedOf(rows) });
    return { name, rows, command: [...commands].join("\n"), analysis };
  });
  const text = flags.on("json")
    ? parts.map(({ name, analysis }) => `${toJson({ name, ...analysis })}\n`).join("")
    : parts.map((part) => experimentText(part, report)).join("\n");
  await io.stdout(forStdout(text, io));
  const keep = flags.text("keep");
  if (keep !== undefined) await keepRows(pathFrom(io.cwd, keep), experiments);
  const path = flags.text("report");
  if (path !== undefined) {
    const title = flags.text("title") ?? "What playbooks change";
    const options = { title, notes: await notesOf(flags, io) };
    const { htmlReport } = await import("./ab_page.ts");
    writeOut(pathFrom(io.cwd, path), report.markdownReport(parts, options));
    writeOut(pathFrom(io.cwd, path.replace(/\.md$/, ".html")), htmlReport(parts, options));
  }
}

async function notesOf(flags: Flags, io: Io): Promise<string | null> {
  const path = flags.text("notes");
  return path === undefined ? null : readText(pathFrom(io.cwd, path));
}

/** The experiment's seed: what its first repeats sent to the model. */
const seedOf = (rows: ExperimentRow[]): number =>
  Math.min(...rows.map(({ sampling, experiment }) => (sampling.seed ?? 0) - experiment.repeat));

/** Rows as a file of their own, beside those that it has, compressed where its name ends in .zst. */
async function keepRows(path: string, experiments: { rows: ExperimentRow[] }[]): Promise<void> {
  const { withRowsIn } = await import("./ab.ts");
  const rows = await withRowsIn(
    path,
    experiments.flatMap((experiment) => experiment.rows),
  );
  const text = rows.map((row) => `${toJson(row)}\n`).join("");
  writeOut(path, path.endsWith(".zst") ? await Bun.zstdCompress(text, { level: 19 }) : text);
}

/** @throws DistillError `evidence` where the file cannot be written */
function writeOut(path: string, text: string | Uint8Array): void {
  try {
    writeWhole(path, text);
  } catch (error) {
    const code = errorCode(error);
    const advice = code === "ENOSPC" ? "Make room for it" : "Check the path and its permissions";
    const message = `${path}: cannot be written (${code}). ${advice}, or name another file.`;
    throw new DistillError("evidence", message, { cause: error });
  }
}

/** The verdicts in sentences, then the outcomes of each arm. */
function experimentText(
  { name, analysis }: { name: string; analysis: Analysis },
  { outcomesTable, verdictSentences }: typeof import("./ab_report.ts"),
): string {
  const { head, rows } = outcomesTable(analysis);
  const plain = (cell: Rich): string =>
    [cell].flat().reduce<string>((text, part) => text + (typeof part === "string" ? part : part.code), "");
  const cells = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return `${name}\n${verdictSentences(analysis)
    .map((sentence) => `  ${sentence}.`)
    .join("\n")}\n\n${lines.join("\n")}\n`;
}

async function experimentOptions(flags: Flags, io: Io): Promise<ExperimentOptions> {
  const tasks = await tasksOf(flags, io);
  const most = tasks.length - 1;
  return {
    tasks,
    arms: await armsOf(flags),
    repeat: flags.number("repeat", 1, { min: 1, max: 100 }),
    limit: flags.text("limit") === undefined ? null : flags.number("limit", 1, { min: 1, max: 1e6 }),
    // Something has to be left to do.
    skip: flags.number("skip", 0, { min: 0, max: most }),
    seed: flags.number("seed", DEFAULT_EXPERIMENT_SEED, { min: 0, max: 2 ** 31 }),
    concurrency: flags.number("concurrency", 1, { min: 1, max: 64 }),
    command: flags.line(["report", "title", "notes", "rows", "keep", "quiet", "json"]),
    rowsPaths: flags.texts("rows").map((path) => pathFrom(io.cwd, path)),
    replay: await replayOptions(flags, io),
  };
}

/** All tasks of the file: one that was left out in silence would make another experiment of it. */
async function tasksOf(flags: Flags, io: Io): Promise<Task[]> {
  const { toTask } = await import("./tasks.ts");
  const file = flags.text("tasks");
  if (file === undefined) throw usage("ab: no tasks. Name their file: --tasks FILE.");
  const path = fileOf(file, io);
  const bad = (problem: string): never => {
    throw new DistillError("input", problem);
  };
  const tasks = new Map<string, Task>();
  for await (const task of readRows(path, toTask, bad)) {
    const { task_id } = task;
    if (tasks.has(task_id))
      bad(`${nameOf(path)}: task_id ${shown(task_id)} stands twice. Give each task one of its own.`);
    tasks.set(task_id, task);
  }
  return [...tasks.values()];
}

async function armsOf(flags: Flags): Promise<Arm[]> {
  const { ARMS, DEFAULT_ARMS } = await import("./ab.ts");
  const text = flags.text("arms");
  if (text === undefined) return DEFAULT_ARMS;
  const arms = text.split(",").map((name) => {
    const arm = ARMS.find((one) => one === name.trim());
    if (arm) return arm;
    throw usage(`--arms: expected some of ${ARMS.join(", ")} (got ${shown(name)}).${didYouMean(name, ARMS)}`);
  });
  if (new Set(arms).size < arms.length)
    throw usage("--arms: an arm stands twice. Use --repeat to ask again.");
  return arms;
}

/** Says on stderr how far an experiment is: on a terminal one line that is drawn over, else a line an answer. */
class ExperimentProgress implements ExperimentHooks {
  private readonly quiet: boolean;
  private readonly concurrency: number;
  private readonly took = new Map<string, number[]>();
  private left: Planned[] = [];
  private planned = 0;

  constructor(
    flags: Flags,
    private readonly io: Io,
  ) {
    this.quiet = flags.on("quiet");
    this.concurrency = flags.number("concurrency", 1, { min: 1, max: 64 });
  }

  readonly warn = (message: string): void => {
    this.clear();
    warner(this.io)(message);
  };

  readonly onPlanned = ({ id, planned, left }: ExperimentPlan): void => {
    [this.planned, this.left] = [planned, left];
    const had = planned - left.length;
    this.say(`${id}: ${counted(planned, "answer")}${had > 0 ? `, ${had} of them there already` : ""}`);
    this.draw(`0 of ${left.length}`);
  };

  readonly onAnswer = (planned: Planned, { verdict, duration_ms, attempts }: EvidenceRow): void => {
    this.left = this.left.filter((one) => one !== planned);
    this.took.set(planned.arm, [...(this.took.get(planned.arm) ?? []), duration_ms]);
    const error = attempts.at(-1)?.error;
    if (verdict === "error" && error) this.warn(error);
    const place = `${this.planned - this.left.length} of ${this.planned}`;
    const what = `${planned.task.task_id} ${planned.arm}: ${verdict} in ${seconds(duration_ms)}`;
    this.draw(`${place}, ${what}; ${durationWords(this.remainingMs())} left`);
  };

  readonly clear = (): void => {
    if (!this.quiet && this.io.stderrIsTty) this.io.stderr("\r\x1b[K");
  };

  /** As long as the answers of each arm took so far; of an arm that had none yet, as long as all. */
  private remainingMs(): number {
    const all = [...this.took.values()].flat();
    const mean = (times: number[]): number => times.reduce((sum, time) => sum + time, 0) / times.length;
    const sum = this.left.reduce((total, { arm }) => total + mean(this.took.get(arm) ?? all), 0);
    return sum / this.concurrency;
  }

  private draw(line: string): void {
    if (this.quiet) return;
    if (!this.io.stderrIsTty) return this.say(line);
    this.io.stderr(`\r\x1b[K${printable(`[ab] ${line}`).slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  private say(line: string): void {
    if (!this.quiet) this.io.stderr(`[ab] ${printable(line)}\n`);
  }
}

/** "40 s", "12 min", "3 h 5 min" */
function durationWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes === 0) return `${Math.round(ms / 1000)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// ---------------------------------------------------------------------------------------------------------------------
// import
// ---------------------------------------------------------------------------------------------------------------------

async function runImport(flags: Flags, io: Io): Promise<number> {
  if (flags.words.length === 0)
    throw usage("import: name the pages, or folders of them: distill import docs/runbooks.");
  const { root, corpusPath } = await placeOf(flags, io);
  if (flags.text("corpus") === "-" || (await isStream(corpusPath)))
    throw usage(
      `--corpus: expected a file to add playbooks to (got ${shown(flags.text("corpus") ?? corpusPath)}). To print them alone: --dry-run --json.`,
    );
  const options: ImportOptions = {
    paths: flags.words.map((path) => pathFrom(io.cwd, path)),
    corpusPath,
    root,
    split: flags.text("split") === undefined ? null : flags.choice("split", SPLIT_LEVELS, "h2"),
    tags: flags.texts("tags").flatMap((tags) => tags.split(",")),
    score: flags.choice("score", SUCCESS_SCORES, "accepted"),
    dryRun: flags.on("dry-run"),
  };
  const { importPages } = await import("./import.ts");
  const progress = new Progress(io, pagesLine);
  const outcome = await importPages(options, progress.show).finally(progress.clear);
  reportImport(outcome, io);
  const summary = importSummary(outcome, options, io);
  if (flags.on("json")) {
    await io.stdout(`${importJson(outcome, options)}\n`);
    io.stderr(`distill: ${printable(summary)}\n`);
    return EXIT.accepted;
  }
  const rows = options.dryRun ? outcome.added.map(additionRow) : [];
  await io.stdout(forStdout([...rows, summary, ""].join("\n"), io));
  return EXIT.accepted;
}

const pagesLine = (done: number, total: number): string => `[import] ${done} of ${counted(total, "page")}`;

/** A line on a terminal that says how far a long command is, drawn at most ten times a second and gone afterwards. */
class Progress {
  private drawnAt = 0;
  private readonly startedAt = Date.now();

  constructor(
    private readonly io: Io,
    private readonly line: (done: number, total: number) => string,
    /** Nothing is said of what is done sooner. */
    private readonly afterMs = 0,
  ) {}

  readonly show = (done: number, total: number): void => {
    const now = Date.now();
    if (now - this.startedAt < this.afterMs || now - this.drawnAt < 100) return;
    // Where nothing can be drawn over, it is said once.
    if (!this.io.stderrIsTty && (this.afterMs === 0 || this.drawnAt > 0)) return;
    this.drawnAt = now;
    const line = this.line(done, total);
    this.io.stderr(this.io.stderrIsTty ? `\r\x1b[K${line}` : `${line}\n`);
  };

  readonly clear = (): void => {
    if (this.drawnAt > 0 && this.io.stderrIsTty) this.io.stderr("\r\x1b[K");
  };
}

/** What a user should know besides the counts. */
function reportImport(outcome: ImportOutcome, io: Io): void {
  const warn = warner(io);
  for (const warning of outcome.warnings) warn(warning);
  for (const { path, line, kind } of outcome.redactions)
    warn(
      `${path}:${line}: a secret (${kind}) is replaced by [redacted:${kind}]. Revoke it, and take it out of the page.`,
    );
  for (const { path, reason } of outcome.skipped) warn(`${path}: skipped: ${reason}.`);
  if (outcome.leftOut.length > 0) {
    const names = outcome.leftOut.map((path) => fromHere(path, io));
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    warn(`index pages left out: ${names.slice(0, 3).join(", ")}${more}. Name them to import them.`);
  }
  if (outcome.retired.length > 0)
    warn(
      `taken as needs_human_review, for they call themselves deprecated or a draft: ${outcome.retired.join(", ")}.`,
    );
  for (const id of outcome.gone)
    warn(
      `${id}: no page stands for it any more; the record is kept. Delete every line with its id to drop it.`,
    );
}

function importSummary(outcome: ImportOutcome, options: ImportOptions, io: Io): string {
  const { fresh, changed } = changesOf(outcome);
  const { unchanged, skipped } = outcome;
  const counts = `${fresh} new, ${changed} changed, ${unchanged} unchanged, ${skipped.length} skipped`;
  const corpus = fromHere(options.corpusPath, io);
  return options.dryRun ? `${counts} (dry run: ${corpus} stays as it is)` : `${counts}: ${corpus}`;
}

function changesOf({ added }: ImportOutcome): { fresh: number; changed: number } {
  const fresh = added.filter((entry) => entry.change === "new").length;
  return { fresh, changed: added.length - fresh };
}

function additionRow({ change, record }: ImportOutcome["added"][number]): string {
  const { id, title, content, success_score, tags } = record;
  const checks = counted(validationSteps([content]).length, "check");
  const details = `${content.length} characters, ${checks}, ${success_score}${tags.length > 0 ? `, tags ${tags.join(" ")}` : ""}`;
  return `${change.padEnd(7)}  ${printable(id)}\n         ${printable(title)}\n         ${printable(details)}`;
}

function importJson(outcome: ImportOutcome, { corpusPath, dryRun }: ImportOptions): string {
  const { fresh, changed } = changesOf(outcome);
  const { added, unchanged, skipped, leftOut, retired, gone, redactions, warnings } = outcome;
  return toJson({
    corpus: corpusPath,
    dry_run: dryRun,
    new: fresh,
    changed,
    unchanged,
    skipped,
    left_out: leftOut,
    retired,
    gone,
    redactions,
    warnings,
    records: added.map((entry) => entry.record),
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// corpus
// ---------------------------------------------------------------------------------------------------------------------

async function runCorpus(flags: Flags, io: Io): Promise<number> {
  if (flags.words[0] === "check") return runCheck(flags, io);
  if (flags.on("strict")) throw usage("--strict goes with check: distill corpus check --strict.");
  const { readCorpusLines, surveyCorpus } = await import("./corpus.ts");
  const corpus = await readCorpusLines((await placeOf(flags, io)).corpusPath);
  const survey = surveyCorpus(corpus);
  const text = flags.on("json") ? `${toJson({ path: corpus.path, ...survey })}\n` : surveyTable(survey);
  await io.stdout(forStdout(text, io));
  for (const { line, problem } of corpus.bad) warner(io)(`${corpus.path}:${line}: ${problem}`);
  return survey.records > 0 ? EXIT.accepted : EXIT.input;
}

async function runCheck(flags: Flags, io: Io): Promise<number> {
  const { checkCorpus, readCorpusLines } = await import("./corpus.ts");
  const corpus = await readCorpusLines((await placeOf(flags, io)).corpusPath);
  const findings = checkCorpus(corpus, { isStrict: flags.on("strict") });
  const errors = findings.filter((finding) => finding.severity === "error").length;
  const warnings = findings.length - errors;
  const [records, skipped, superseded] = [corpus.records, corpus.bad, corpus.superseded].map(
    (list) => list.length,
  );
  const path = fromHere(corpus.path, io);
  const text = flags.on("json")
    ? toJson({ path: corpus.path, records, skipped, superseded, errors, warnings, findings })
    : [
        ...findings.map((finding) => findingLine(path, finding)),
        `${path}: ${counted(records!, "playbook")}, ${counted(errors, "error")}, ${counted(warnings, "warning")}; ${counted(superseded!, "superseded line")}`,
      ].join("\n");
  await io.stdout(forStdout(`${text}\n`, io));
  return errors > 0 ? EXIT.input : EXIT.accepted;
}

function findingLine(path: string, { line, severity, id, message }: Finding): string {
  return `${path}:${line}: ${severity}: ${id === null ? "" : `${printable(id)}: `}${printable(message)}`;
}

/** Tags that the table shows; all of them are in --json. */
const TABLE_TAGS = 20;

function surveyTable(survey: CorpusSurvey): string {
  const { records, skipped, superseded, chars, with_checks, imported, by_tag } = survey;
  const named = (counts: Count[]): string =>
    counts.map(({ name, records }) => `${printable(name)} ${records}`).join(", ");
  const more = by_tag.length > TABLE_TAGS ? `, and ${by_tag.length - TABLE_TAGS} more` : "";
  return `${counted(records, "playbook")}, ${counted(skipped, "bad line")}, ${counted(superseded, "superseded line")}
${columns([
  ["score", named(survey.by_score)],
  ["category", named(survey.by_category)],
  ["tags", named(by_tag.slice(0, TABLE_TAGS)) + more],
  ["characters", `${chars.min} to ${chars.max}, median ${chars.median}, nine of ten up to ${chars.p90}`],
  ["checks", `in ${with_checks} of ${records}`],
  ["imported", String(imported)],
])}
`;
}

// ---------------------------------------------------------------------------------------------------------------------
// index
// ---------------------------------------------------------------------------------------------------------------------

async function runIndex(flags: Flags, io: Io): Promise<number> {
  if (flags.on("check") && flags.on("rebuild"))
    throw usage("--check and --rebuild exclude each other. Give one of the two.");
  if (flags.on("check") && flags.text("workers") !== undefined)
    throw usage("--workers does nothing with --check. Leave one of the two out.");
  const request = await placeOf(flags, io);
  const corpus = fromHere(request.corpusPath, io);
  const { checkIndex, updateIndex } = await import("./build_index.ts");
  if (flags.on("check")) {
    const { problems, found } = await checkIndex(request);
    const index = fromHere(found.path, io);
    const advice = `Run distill ${flags.line(["check"])} --rebuild.`;
    const lines = problems.map((problem) => `${index}: ${problem}. ${advice}`);
    const whole = `${index}: whole, and made of ${corpus} as it stands`;
    await io.stdout(forStdout(`${lines.join("\n") || whole}\n`, io));
    // An index of another state knows the lines of that.
    return problems.length > 0 ? EXIT.input : sayBadLines(request, found.index!, io);
  }
  const startedAt = Date.now();
  const progress = new Progress(io, indexingLine, INDEXING_SILENT_MS);
  const hooks = { warn: warner(io), onProgress: progress.show };
  const workers =
    flags.text("workers") === undefined ? undefined : flags.number("workers", 1, { min: 1, max: 16 });
  const update = await updateIndex({ ...request, rebuild: flags.on("rebuild"), workers }, hooks).finally(
    progress.clear,
  );
  const { header, file } = update.index;
  const what = `${counted(header.live, "playbook")} in ${sized(file.length)}, ${fromHere(update.path, io)}`;
  const done =
    update.change === "unchanged" ? "up to date" : `${update.change} in ${seconds(Date.now() - startedAt)}`;
  await io.stdout(forStdout(`${corpus}: ${done}: ${what}\n`, io));
  return sayBadLines(request, update.index, io);
}

/** Names the bad lines of an indexed corpus as retrieve does. Returns the exit code: 3 where there is no playbook. */
async function sayBadLines({ corpusPath }: Place, index: IndexFile, io: Io): Promise<number> {
  const { corpusOver } = await import("./corpus_index.ts");
  const warn = warner(io);
  const corpus = await corpusOver(corpusPath, { index, ranker: "weighted" }, warn);
  if (corpus === null || corpus.size > 0) return EXIT.accepted;
  warn(`${corpusPath}: there is no playbook in it. Add some, for example with import.`);
  return EXIT.input;
}

/** A build that takes longer than that says so. */
const INDEXING_SILENT_MS = 1000;

const sized = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

const indexingLine = (done: number, total: number): string =>
  `[index] ${Math.floor((100 * done) / Math.max(1, total))} % of ${sized(total)}, once for many runs`;

/** The corpus of the command line, with its index; one that takes long to build shows how far it is. */
async function corpusOf(flags: Flags, io: Io, ranker: Ranker): Promise<OpenCorpus> {
  const progress = new Progress(io, indexingLine, INDEXING_SILENT_MS);
  const hooks = { warn: warner(io), onProgress: progress.show };
  return openCorpus({ ...(await placeOf(flags, io)), ranker }, hooks).finally(progress.clear);
}

// ---------------------------------------------------------------------------------------------------------------------
// completion
// ---------------------------------------------------------------------------------------------------------------------

async function runCompletion(flags: Flags, io: Io): Promise<number> {
  const [shell] = flags.words;
  if (shell === undefined) throw usage(`completion: name your shell: ${SHELLS.join(", ")}.`);
  const scripts: Record<string, () => string> = {
    bash: bashCompletion,
    zsh: zshCompletion,
    fish: fishCompletion,
  };
  return printed(io, scripts[shell]!());
}

const FILE_VALUES = new Set(["FILE", "FILE.md", "DIR"]);

const wordsOf = ({ operands = [] }: Command): readonly string[] => (operands === "paths" ? [] : operands);

const longFlags = (command: Command): string[] => Object.keys(command.options).map((flag) => `--${flag}`);

function bashCompletion(): string {
  const words = Object.entries(COMMANDS).map(
    ([name, command]) =>
      `    ${name}) ${command.operands === "paths" ? '[[ "$cur" == -* ]] || return; ' : ""}words="${[...wordsOf(command), ...longFlags(command)].join(" ")}" ;;`,
  );
  const values = allOptions().filter(([, { value, choices }]) => value && !choices);
  const choices = allOptions().filter(([, { choices }]) => choices);
  return `# distill completion for bash: source <(distill completion bash)
_distill() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" words="${Object.keys(COMMANDS).join(" ")} help --help --version"
  COMPREPLY=()
  case "$prev" in
    # A value: nothing of ours, and readline completes file names, spaces and all.
    ${values.map(([flag]) => `--${flag}`).join(" | ")}) return ;;
${choices.map(([flag, { choices }]) => `    --${flag}) COMPREPLY=($(compgen -W "${choices!.join(" ")}" -- "$cur")); return ;;`).join("\n")}
  esac
  if ((COMP_CWORD > 1)); then
    case "\${COMP_WORDS[1]}" in
${words.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _distill distill
`;
}

/** Every option of every command, each flag once. */
function allOptions(): [string, Option][] {
  return Object.entries(Object.assign({}, ...Object.values(COMMANDS).map((command) => command.options)));
}

function zshCompletion(): string {
  const quote = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");
  const argument = ([flag, { value, help, choices, multiple }]: [string, Option]): string => {
    const action = choices
      ? `(${choices.join(" ")})`
      : value === "DIR"
        ? "_files -/"
        : value && FILE_VALUES.has(value)
          ? "_files"
          : "";
    return `'${multiple ? "*" : ""}--${flag}[${quote(help)}]${value ? `:${value}:${action}` : ""}'`;
  };
  const cases = Object.entries(COMMANDS).map(([name, command]) => {
    const { operands, options } = command;
    const words = wordsOf(command);
    const specs = [
      ...(words.length > 0 ? [`':word:(${words.join(" ")})'`] : []),
      ...(operands === "paths" ? ["'*:file:_files'"] : []),
      ...Object.entries(options).map(argument),
    ];
    return `    ${name}) _arguments ${specs.join(" ")} ;;`;
  });
  return `#compdef distill
# distill completion for zsh: distill completion zsh > "\${fpath[1]}/_distill"
_distill() {
  local -a commands=(${Object.entries(COMMANDS)
    .map(([name, { summary }]) => `'${name}:${quote(summary)}'`)
    .join(" ")})
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
compdef _distill distill
`;
}

function fishCompletion(): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const lines = Object.entries(COMMANDS).flatMap(([name, command]) => [
    `complete -c distill -f -n __fish_use_subcommand -a ${name} -d ${quote(command.summary)}`,
    ...(wordsOf(command).length > 0
      ? [
          `complete -c distill -f -n '__fish_seen_subcommand_from ${name}' -a ${quote(wordsOf(command).join(" "))}`,
        ]
      : []),
    ...Object.entries(command.options).map(([flag, { short, value, help, choices }]) => {
      const values = choices
        ? ` -x -a ${quote(choices.join(" "))}`
        : value
          ? FILE_VALUES.has(value)
            ? " -r -F"
            : " -x"
          : "";
      const letter = short ? ` -s ${short}` : "";
      return `complete -c distill -n '__fish_seen_subcommand_from ${name}' -l ${flag}${letter}${values} -d ${quote(help)}`;
    }),
  ]);
  return `# distill completion for fish: distill completion fish > ~/.config/fish/completions/distill.fish\n${lines.join("\n")}\n`;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
