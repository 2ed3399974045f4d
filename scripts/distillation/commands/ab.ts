/** `distill ab`: the flags of an experiment, its progress, and where its rows and its report go. */
import type {
  Arm,
  ExperimentHooks,
  ExperimentOptions,
  ExperimentPlan,
  ExperimentRow,
  Planned,
} from "../ab.ts";
import type { Analysis, Rich } from "../ab_report.ts";
import {
  DistillError,
  EVIDENCE_LOG,
  MAX_NAMED_LINES,
  counted,
  errorCode,
  nameOf,
  readText,
  realDeps,
  shown,
  toJson,
  writeAdvice,
  writeWhole,
} from "../replay.ts";
import type { EvidenceRow } from "../replay.ts";
import type { Task } from "../tasks.ts";
import {
  DEFAULT_EXPERIMENT_SEED,
  EXIT,
  didYouMean,
  fileOf,
  forStdout,
  mindingKeys,
  pathFrom,
  placeOf,
  printable,
  readRows,
  seconds,
  usage,
  warner,
} from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";
import { replayOptions } from "./replay.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
  if (flags.on("report-only")) return reportAgain(flags, io);
  if (flags.text("experiment") !== undefined) throw usage("--experiment goes with --report-only.");
  const { isAnswered, MAX_ERRORS_IN_A_ROW, runExperiment } = await import("../ab.ts");
  const options = await experimentOptions(flags, io);
  await checkOutputs(flags, io);
  const progress = new ExperimentProgress(flags, io);
  const { rows, planned, stopped, appendError } = await io
    .interruptible((signal) => runExperiment(options, progress, { ...realDeps(), signal, ...io.deps }))
    .finally(progress.clear);
  // Before the report, which the same disk may have no room for.
  if (appendError) warner(io)(appendError.message);
  if (stopped === "unanswered") warner(io)(`stopped: ${MAX_ERRORS_IN_A_ROW} answers in a row did not come.`);
  const missing = planned - rows.filter(isAnswered).length;
  if (missing > 0)
    warner(io)(
      `${missing} of ${counted(planned, "answer")} missing. Run the same command to go on from here.`,
    );
  if (rows.some(isAnswered)) await reportOn([{ name: stemOf(flags.text("tasks")!), rows }], flags, io);
  if (appendError) return EXIT.evidence;
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
  const { withRowsIn } = await import("../ab.ts");
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
      throw usage(
        `${name}: ${path} exists and is not a report of ab, so it is left alone. Name another file.`,
      );
  if (keep !== undefined) await withRowsIn(pathFrom(io.cwd, keep), []);
  await notesOf(flags, io);
  tellNewFolders({ "--report": report, "--keep": keep }, io);
}

/** A folder is made for what is written, and one that was misspelt is, too: told while nothing has been done yet. */
function tellNewFolders(written: Record<string, string | undefined>, io: Io): void {
  const fs = process.getBuiltinModule("node:fs");
  for (const [name, path] of present(written)) {
    const folder = folderOf(pathFrom(io.cwd, path));
    if (!fs.existsSync(folder)) warner(io)(`${folder}: no such folder yet, so it is made for ${name}.`);
  }
}

/** Whether a file holds anything that `ab` has not reported. */
async function isForeign(path: string): Promise<boolean> {
  const { LEFT_OUT } = await import("../ab_report.ts");
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
  if (!fs.statSync(folder).isDirectory()) return `${folder} is not a folder`;
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
  const { loadExperiment } = await import("../ab.ts");
  const arms = flags.text("arms") === undefined ? null : await armsOf(flags);
  const files = flags.texts("rows").map((file) => pathFrom(io.cwd, file));
  const paths = files.length > 0 ? files : [`${(await placeOf(flags, io)).root}/${EVIDENCE_LOG}`];
  const parts = [];
  for (const path of paths) {
    const all = await loadExperiment(path, flags.text("experiment") ?? null, warner(io));
    const rows = all.filter(({ experiment }) => arms?.includes(experiment.arm as Arm) ?? true);
    if (rows.length === 0) {
      const there = [...new Set(all.map(({ experiment }) => experiment.arm))].toSorted().join(", ");
      const what = `no row of --arms ${flags.text("arms")}`;
      throw new DistillError("input", `${path}: ${what}. It has ${there}.`);
    }
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
  const report = await import("../ab_report.ts");
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
    const { htmlReport } = await import("../ab_page.ts");
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
  const { withRowsIn } = await import("../ab.ts");
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
    const message = `${path}: cannot be written (${errorCode(error)}). ${writeAdvice(error)}, or name another file.`;
    throw new DistillError("evidence", message, { cause: error });
  }
}

/** The verdicts in sentences, then the outcomes of each arm. */
function experimentText(
  { name, analysis }: { name: string; analysis: Analysis },
  { outcomesTable, verdictSentences }: typeof import("../ab_report.ts"),
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
  return {
    tasks,
    arms: await armsOf(flags),
    repeat: flags.number("repeat", 1, { min: 1, max: 100 }),
    limit: flags.number("limit", null, { min: 1, max: 1e6 }),
    skip: skipOf(flags, tasks.length),
    seed: flags.number("seed", DEFAULT_EXPERIMENT_SEED, { min: 0, max: 2 ** 31 }),
    concurrency: flags.number("concurrency", 1, { min: 1, max: 64 }),
    command: flags.line(["report", "title", "notes", "rows", "keep", "quiet", "json"]),
    rowsPaths: flags.texts("rows").map((path) => pathFrom(io.cwd, path)),
    replay: await replayOptions(flags, io),
  };
}

function skipOf(flags: Flags, tasks: number): number {
  const skip = flags.number("skip", 0, { min: 0, max: 1e6 });
  if (skip < tasks) return skip;
  throw usage(`--skip: ${skip} of ${counted(tasks, "task")} leave none to run. Give a smaller number.`);
}

/** All tasks of the file: one that was left out in silence would make another experiment of it. */
async function tasksOf(flags: Flags, io: Io): Promise<Task[]> {
  const { TASK_KEYS, toTask } = await import("../tasks.ts");
  const file = flags.text("tasks");
  if (file === undefined) throw usage("ab: no tasks. Name their file: --tasks FILE.");
  const path = fileOf(file, io);
  const problems: string[] = [];
  const bad = (problem: string): void => void problems.push(problem);
  const tasks = new Map<string, Task>();
  const toNewTask = (value: Record<string, unknown>): Task | string => {
    const task = toTask(value);
    if (typeof task === "string" || !tasks.has(task.task_id)) return task;
    return `task_id ${shown(task.task_id)} stands twice. Give each task one of its own.`;
  };
  for await (const task of readRows(path, mindingKeys(TASK_KEYS, toNewTask, bad), bad))
    tasks.set(task.task_id, task);
  if (problems.length > 0) throw refusal(path, problems, io);
  return [...tasks.values()];
}

/** Why no task of a file is run: the one problem, else how many there are behind the first of them. */
function refusal(path: string, problems: string[], io: Io): DistillError {
  if (problems.length === 1) return new DistillError("input", problems[0]!);
  for (const problem of problems.slice(0, MAX_NAMED_LINES)) warner(io)(problem);
  const named = problems.length > MAX_NAMED_LINES ? `, of which ${MAX_NAMED_LINES} are named` : "";
  const what = `${problems.length} problems${named}`;
  return new DistillError("input", `${nameOf(path)}: ${what}. Correct them: all tasks are run, or none.`);
}

async function armsOf(flags: Flags): Promise<Arm[]> {
  const { ARMS, DEFAULT_ARMS } = await import("../ab.ts");
  const text = flags.text("arms");
  if (text === undefined) return DEFAULT_ARMS;
  const arms = text.split(",").map((name) => {
    const arm = ARMS.find((one) => one === name.trim());
    if (arm) return arm;
    throw usage(`--arms: expected some of ${ARMS.join(", ")} (got ${shown(name)}).${didYouMean(name, ARMS)}`);
  });
  if (new Set(arms).size < arms.length)
    throw usage("--arms: an arm is named twice. Use --repeat to ask again.");
  return arms;
}

interface Took {
  answers: number;
  ms: number;
}

/** Says on stderr how far an experiment is: on a terminal one line that is drawn over, else a line an answer. */
class ExperimentProgress implements ExperimentHooks {
  private readonly quiet: boolean;
  private readonly concurrency: number;
  /** By arm, of the answers so far; and of all. */
  private readonly took = new Map<string, Took>();
  private readonly all: Took = { answers: 0, ms: 0 };
  /** Answers to come, by arm. */
  private readonly left = new Map<string, number>();
  private answered = 0;
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
    this.planned = planned;
    this.answered = planned - left.length;
    for (const { arm } of left) this.left.set(arm, (this.left.get(arm) ?? 0) + 1);
    const there = this.answered > 0 ? `, ${this.answered} of them there already` : "";
    this.say(`${id}: ${counted(planned, "answer")}${there}`);
    this.draw(`0 of ${left.length}`);
  };

  readonly onAnswer = (planned: Planned, { verdict, duration_ms, attempts }: EvidenceRow): void => {
    const error = attempts.at(-1)?.error;
    if (verdict === "error" && error) this.warn(error);
    if (this.quiet) return;
    this.count(planned.arm, duration_ms);
    const place = `${this.answered} of ${this.planned}`;
    const what = `${planned.task.task_id} ${planned.arm}: ${verdict} in ${seconds(duration_ms)}`;
    this.draw(`${place}, ${what}; ${durationWords(this.remainingMs())} left`);
  };

  readonly clear = (): void => {
    if (!this.quiet && this.io.stderrIsTty) this.io.stderr("\r\x1b[K");
  };

  private count(arm: string, ms: number): void {
    this.answered++;
    this.left.set(arm, this.left.get(arm)! - 1);
    const took = this.took.get(arm) ?? { answers: 0, ms: 0 };
    this.took.set(arm, took);
    for (const sum of [took, this.all]) {
      sum.answers++;
      sum.ms += ms;
    }
  }

  /** As long as the answers of each arm took so far; of an arm that had none yet, as long as all. */
  private remainingMs(): number {
    const meanMs = ({ answers, ms }: Took): number => ms / answers;
    const sum = [...this.left].reduce(
      (total, [arm, left]) => total + left * meanMs(this.took.get(arm) ?? this.all),
      0,
    );
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
