/** `distill import`: what is taken from pages, and what a user should know of it. */
import type { ImportOptions, ImportOutcome } from "../import.ts";
import { DistillError, SUCCESS_SCORES, counted, shown, toJson, validationSteps } from "../replay.ts";
import {
  EXIT,
  Progress,
  SPLIT_LEVELS,
  forStdout,
  fromHere,
  pathFrom,
  placeOf,
  printable,
  usage,
  warner,
} from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
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
    split: flags.choice("split", SPLIT_LEVELS, null),
    tags: flags.texts("tags").flatMap((tags) => tags.split(",")),
    score: flags.choice("score", SUCCESS_SCORES, "accepted"),
    dryRun: flags.on("dry-run"),
  };
  const isQuiet = flags.on("quiet");
  using _turn = options.dryRun ? null : await turnOf(options, io, isQuiet);
  const folder = corpusPath.replace(/\/[^/]*$/, "");
  const hadFolder = isThere(folder);
  const { importPages } = await import("../import.ts");
  const progress = new Progress(io, pagesLine, isQuiet ? Infinity : 0);
  const outcome = await importPages(options, progress.show).finally(progress.clear);
  reportFaults(outcome, io);
  if (!isQuiet) reportRemarks(outcome, io);
  if (!isQuiet && !hadFolder && isThere(folder))
    warner(io)(`${folder}: made for the corpus, since there was no such folder.`);
  // Pages of which none could be taken are as good as no page, unless there is a corpus all the same.
  const isVain = outcome.added.length === 0 && !isThere(corpusPath);
  const summary = isVain ? vainSummary(outcome, options, io) : importSummary(outcome, options, io);
  if (flags.on("json")) {
    await io.stdout(`${importJson(outcome, options)}\n`);
    if (!isQuiet) io.stderr(`distill: ${printable(summary)}\n`);
  } else {
    const rows = options.dryRun ? outcome.added.map(additionRow) : [];
    await io.stdout(forStdout([...rows, summary, ""].join("\n"), io));
  }
  return isVain ? EXIT.input : EXIT.accepted;
}

/** Thousands of pages are imported in seconds. */
const PATIENCE_MS = 120_000;

/**
 * One import at a time: what another one adds is in the corpus then, and not added again.
 * @throws DistillError `input` where another does not end
 */
async function turnOf({ corpusPath }: ImportOptions, io: Io, isQuiet: boolean): Promise<Disposable> {
  const { waitForLock } = await import("../lock.ts");
  const onWait = (): void => {
    if (!isQuiet) warner(io)(`${corpusPath}: waiting for another import into it.`);
  };
  const lock = await waitForLock("import", corpusPath, { onWait, patienceMs: PATIENCE_MS });
  if (lock) return lock;
  const minutes = PATIENCE_MS / 60_000;
  throw new DistillError(
    "input",
    `${corpusPath}: another import into it has not ended in ${minutes} minutes. Wait for it, or end it.`,
  );
}

const isThere = (path: string): boolean => process.getBuiltinModule("node:fs").existsSync(path);

/** Whether a path leads to a device, a pipe, or where this command prints to: it cannot be read first and added to then. */
async function isStream(path: string): Promise<boolean> {
  const [stat, ...printed] = await Promise.all(
    [Bun.file(path), Bun.stdout, Bun.stderr].map((file) => file.stat().catch(() => null)),
  );
  if (!stat || stat.isDirectory()) return false;
  return !stat.isFile() || printed.some((one) => one?.ino === stat.ino && one.dev === stat.dev);
}

const pagesLine = (done: number, total: number): string => `[import] ${done} of ${counted(total, "page")}`;

/** What is wrong with the pages or the corpus. */
function reportFaults(outcome: ImportOutcome, io: Io): void {
  const warn = warner(io);
  for (const warning of outcome.warnings) warn(warning);
  for (const { path, line, kind } of outcome.redactions)
    warn(
      `${path}:${line}: a secret (${kind}) is replaced by [redacted:${kind}]. Revoke it, and take it out of the page.`,
    );
  for (const { path, reason } of outcome.skipped) warn(`${path}: skipped: ${reason}.`);
}

/** What else a user should know besides the counts. */
function reportRemarks(outcome: ImportOutcome, io: Io): void {
  const warn = warner(io);
  if (outcome.leftOut.length > 0) {
    const names = outcome.leftOut.map((path) => fromHere(path, io));
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    warn(`index pages left out: ${names.slice(0, 3).join(", ")}${more}. Name them to import them.`);
  }
  if (outcome.retired.length > 0)
    warn(
      `taken as needs_human_review, because they call themselves deprecated or a draft, or lie in a folder for such: ${outcome.retired.join(", ")}.`,
    );
  for (const id of outcome.gone)
    warn(
      `${id}: its page or section is gone; the record is kept. To drop it, delete every line with its id.`,
    );
}

const vainSummary = (outcome: ImportOutcome, { corpusPath }: ImportOptions, io: Io): string =>
  `${countsOf(outcome)}: there is no playbook, so ${fromHere(corpusPath, io)} is not made`;

function importSummary(outcome: ImportOutcome, options: ImportOptions, io: Io): string {
  const counts = countsOf(outcome);
  const corpus = fromHere(options.corpusPath, io);
  return options.dryRun ? `${counts} (dry run: ${corpus} stays as it is)` : `${counts}: ${corpus}`;
}

function countsOf(outcome: ImportOutcome): string {
  const { fresh, changed } = changesOf(outcome);
  const { unchanged, skipped } = outcome;
  return `${fresh} new, ${changed} changed, ${unchanged} unchanged, ${skipped.length} skipped`;
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
