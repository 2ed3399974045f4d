/**
 * What the commands have in common: the flags of a command line and what is read from them, the streams, and how text from
 * outside is printed. Bad flags and files become a DistillError here; distill.ts makes the line and the exit code of it.
 */
import {
  DEFAULT_POLICY,
  DEFAULT_TOP_K,
  DOUBTFUL,
  DistillError,
  INVISIBLE,
  POLICIES,
  RANKERS,
  isObject,
  nameOf,
  openCorpus,
  readJsonLines,
  readText,
  shown,
} from "./replay.ts";
import type { SplitLevel } from "./import.ts";
import type { Deps, OpenCorpus, Policy, Ranker, RetrieveOptions } from "./replay.ts";

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

export const REPOSITORY = import.meta.dir.split("/").slice(0, -2).join("/");

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
  /** What it reads from standard input. */
  standardInput?: string;
  options: Record<string, Option>;
  examples: string[];
  /** Its module, which only a run of the command loads. */
  load: () => Promise<{ run: (flags: Flags, io: Io) => Promise<number> }>;
}

// What the help names and a command reads.
export const DEFAULT_EXPERIMENT_SEED = 1;
export const SHELLS = ["bash", "zsh", "fish"] as const;
export const SPLIT_LEVELS: readonly SplitLevel[] = ["h2", "h3"];

export const usage = (message: string): DistillError => new DistillError("usage", message);

/** The flags of one command line. Every reader of a value names the flag and the value in its error. */
export class Flags {
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
    if (typeof value === "string" && value.trim() === "" && flag !== "task")
      throw usage(`--${flag}: the value is empty.`);
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

  choice<T extends string, F>(flag: string, choices: readonly T[], fallback: F): T | F {
    const text = this.text(flag);
    if (text === undefined) return fallback;
    const choice = choices.find((entry) => entry === text);
    if (choice !== undefined) return choice;
    throw usage(
      `--${flag}: expected ${choices.join(" or ")} (got ${shown(text)}).${didYouMean(text, choices)}`,
    );
  }

  /** A number in [min, max]; a whole one unless `fraction`. */
  number<F>(flag: string, fallback: F, range: { min: number; max: number; fraction?: true }): number | F {
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

  private strayWord(at: number, command: Command): DistillError {
    const word = this.words[at]!;
    const { operands } = command;
    if (operands && operands !== "paths" && at === 0)
      return usage(
        `${this.name}: expected ${operands.join(" or ")} (got ${shown(word)}).${didYouMean(word, operands)}`,
      );
    return usage(`${this.name}: unexpected ${shown(word)}.${this.strayHint(word, command)}`);
  }

  /** What a word that stands alone may have been meant for: an answer, one of several files, or the rest of a task. */
  private strayHint(word: string, { options, standardInput }: Command): string {
    const { task, "task-file": taskFile } = this.values;
    const single = ["rows", "tasks"].filter((flag) => typeof this.values[flag] === "string");
    const multiple = this.given().filter((flag) => Array.isArray(this.values[flag]));
    const hints = [
      ...single.map((flag) => `--${flag} takes one file.`),
      ...multiple.map((flag) => `Give --${flag} before each file.`),
    ];
    if (standardInput && (task ?? taskFile) !== undefined)
      hints.unshift(`${standardInput} comes from standard input: < ${quoted(word)}.`);
    if (typeof task === "string") {
      const whole = hints.length === 0 ? `: --task ${shown([task, ...this.words].join(" "))}` : "";
      hints.push(`A task of several words goes into quotes${whole}.`);
    }
    if (options.task && taskFile === undefined && hints.length === 0)
      hints.push(`A task goes into quotes behind --task: --task ${shown(word)}.`);
    return hints.map((hint) => ` ${hint}`).join("");
  }
}

/** A word as a shell takes it back. */
export const quoted = (word: string): string =>
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
export function didYouMean(text: string, names: readonly string[]): string {
  const name = nearestOf(text, names);
  return name === null ? "" : ` Did you mean ${name}?`;
}

/**
 * The name that a text is nearest to, where fewer than a third of the letters differ, case apart; else null. Of a name as short
 * as h2 or zsh another letter makes another name.
 */
function nearestOf(text: string, names: readonly string[]): string | null {
  const ranked = names
    .map((name) => ({ name, edits: editDistance(text.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const [nearest] = ranked;
  return nearest && 3 * nearest.edits < Math.max(text.length, nearest.name.length) ? nearest.name : null;
}

/** Edits that turn `a` into `b`: insertions, deletions, substitutions, and neighbours that change places (Damerau, 1964). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = i > 1 && j > 1 && isSwap ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost, swapped));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}

export interface Place {
  root: string;
  corpusPath: string;
}

export async function placeOf(flags: Flags, io: Io): Promise<Place> {
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

/** node:path's resolve() for an absolute `folder`, without loading it for this. */
export function pathFrom(folder: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export const fileOf = (file: string, io: Io): string => (file === "-" ? file : pathFrom(io.cwd, file));

/** A variable's value without blanks around it; an empty one is not set. */
export const variable = (io: Io, name: string): string | undefined => io.env[name]?.trim() || undefined;

export const rankerOf = (flags: Flags): Ranker => flags.choice("ranker", RANKERS, "weighted");

export function retrieveOptions(flags: Flags): RetrieveOptions {
  return {
    topK: flags.number("top-k", DEFAULT_TOP_K, { min: 1, max: 1000 }),
    minCoverage: flags.number("min-coverage", 0, { min: 0, max: 1, fraction: true }),
  };
}

export function gateOptions(flags: Flags): { policy: Policy; doubtThreshold: number } {
  return {
    policy: flags.choice("gate", POLICIES, DEFAULT_POLICY),
    doubtThreshold: flags.number("threshold", DOUBTFUL, { min: 0, max: 1, fraction: true }),
  };
}

/** The one task of a command line. @throws DistillError where there is none, two, or an empty one. */
export async function taskOf(flags: Flags, io: Io): Promise<string> {
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

export function nonEmpty(text: string, error: DistillError): string {
  if (text.trim() === "") throw error;
  return text;
}

/** What an object at a place, `file:line`, is read as, or what is wrong with it. */
type ToRow<T> = (value: Record<string, unknown>, place: string) => T | string;

/** The rows of a JSONL file that `toRow` accepts; what it says of the others is told by `warn` with their place. */
export async function* readRows<T>(
  path: string,
  toRow: ToRow<T>,
  warn: (message: string) => void,
): AsyncGenerator<T> {
  let rows = 0;
  for await (const line of readJsonLines(path)) {
    rows++;
    const place = `${nameOf(path)}:${line.number}`;
    const row =
      "problem" in line
        ? line.problem
        : isObject(line.value)
          ? toRow(line.value, place)
          : `expected a JSON object (got ${shown(line.value)}). Fix the row or drop it.`;
    if (typeof row === "string") warn(`${place}: ${row}`);
    else yield row;
  }
  if (rows === 0) throw new DistillError("input", `${nameOf(path)}: no rows. Write one JSON object a line.`);
}

/**
 * `toRow`, which also tells of a key that is nearly a known one, each once: what it says would count for nothing, without a word.
 * Beside the known key it is another one, and keys that are near to none may be anything.
 */
export function mindingKeys<T>(
  known: readonly string[],
  toRow: ToRow<T>,
  tell: (message: string) => void,
): ToRow<T> {
  const meant = new Map(known.map((key): [string, string | null] => [key, null]));
  return (value, place) => {
    for (const key of Object.keys(value)) {
      if (!meant.has(key)) meant.set(key, nearestOf(key, known));
      const name = meant.get(key) ?? null;
      if (name === null || Object.hasOwn(value, name)) continue;
      meant.set(key, null);
      tell(`${place}: ${shown(key)} is ignored. Did you mean ${name}?`);
    }
    return toRow(value, place);
  };
}

/** A build that takes longer than that says so. */
export const INDEXING_SILENT_MS = 1000;

export const sized = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

export const indexingLine = (done: number, total: number): string =>
  `[index] ${Math.floor((100 * done) / Math.max(1, total))} % of ${sized(total)}, once for many runs`;

/** The corpus of the command line, with its index; one that takes long to build shows how far it is. */
export async function corpusOf(flags: Flags, io: Io, ranker: Ranker): Promise<OpenCorpus> {
  const progress = new Progress(io, indexingLine, INDEXING_SILENT_MS);
  const hooks = { warn: warner(io), onProgress: progress.show };
  return openCorpus({ ...(await placeOf(flags, io)), ranker }, hooks).finally(progress.clear);
}

/** A line on a terminal that says how far a long command is, drawn at most ten times a second and gone afterwards. */
export class Progress {
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

export const warner =
  (io: Io) =>
  (message: string): void =>
    io.stderr(`distill: ${printable(fromHere(message, io))}\n`);

/** A message that begins with a file's path, with the path as it is called from the working directory. */
export const fromHere = (message: string, { cwd }: Pick<Io, "cwd">): string =>
  message.startsWith(`${cwd}/`) ? message.slice(cwd.length + 1) : message;

const UNPRINTABLE = new RegExp(String.raw`[\n\t]|${INVISIBLE.source}`, "gu");

/** Text from outside on one line of a terminal: control and invisible characters as escapes, a newline included. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (char) => {
    const code = char.codePointAt(0)!;
    const digits = code.toString(16);
    if (char === "\n") return "\\n";
    if (code < 256) return `\\x${digits.padStart(2, "0")}`;
    return code < 65_536 ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
  });
}

/** Text from outside on several lines of a terminal. */
export const printableLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");

/** A terminal obeys control characters; a file or a pipe gets the text as it is. */
export const forStdout = (text: string, io: Io): string => (io.stdoutIsTty ? printableLines(text) : text);

export async function printed(io: Io, text: string): Promise<number> {
  await io.stdout(text);
  return EXIT.accepted;
}

export function columns(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
