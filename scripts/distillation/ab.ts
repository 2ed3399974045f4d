/**
 * `distill ab`: every task of a file in every arm, each answer an ordinary row of the evidence log, and what the arms differ by.
 *
 *   none       no playbook: what the model says alone
 *   retrieval  what `distill replay` does
 *   jaccard    the same with the plain ranker
 *   random     as many other playbooks, drawn by seed: does it matter which?
 *   filler     text of the same length and shape about nothing: does it matter that it says something?
 *   extract    no model: the best playbook's passage and checks. What an answer has to beat to be worth asking for
 *
 * Fair: all arms have one prompt skeleton, one sampling and one judge. An answer is judged by the records that retrieval found
 * for its task and those that the task calls relevant, whatever its arm was shown; a baseline that is judged by nothing would
 * look clean. The arms of a task run next to each other, and which one goes first alternates.
 * No leakage: what the task excludes, and answers to the very task that were accepted before, are kept from retrieval.
 * Resumable: an experiment's name is made of all that its answers depend on, so that the same command finds what it has already.
 */
import { cpus, totalmem } from "node:os";

import { takeLock } from "./lock.ts";
import {
  BEST_EXEMPLAR_CHARS,
  bestPassage,
  DistillError,
  ECHO_RUN,
  EVIDENCE_LOG,
  EVIDENCE_SCHEMA,
  GATE_VERSION,
  isAtLimit,
  isObject,
  jsonLinesIn,
  loadCorpus,
  nameOf,
  openCorpus,
  PROMPT_VERSION,
  promptText,
  readJsonLines,
  replay,
  runIdPrefix,
  sha256,
  shown,
  unreadable,
  validationSteps,
  weightedTokens,
  wholeText,
} from "./replay.ts";
import type {
  Answered,
  ContextBundle,
  Deps,
  EvidenceRow,
  ExperimentRecord,
  IndexHooks,
  JsonLine,
  OpenCorpus,
  Outcomes,
  Playbook,
  Ranker,
  ReplayOptions,
  RetrievedPlaybook,
  Retrieval,
  RetrieveOptions,
  Trial,
} from "./replay.ts";
import { withoutSecrets } from "./secrets.ts";
import { seeded } from "./statistics.ts";
import { meets, strangeIds } from "./tasks.ts";
import type { Task } from "./tasks.ts";
import { copiedShare, wordsOf } from "./wording.ts";

export const ARMS = ["none", "retrieval", "jaccard", "random", "filler", "extract"] as const;
export type Arm = (typeof ARMS)[number];
export const DEFAULT_ARMS: Arm[] = ["none", "retrieval"];

/** Answers in a row that did not come: then there is no server to wait for. */
export const MAX_ERRORS_IN_A_ROW = 3;
/** Share of a task's words that its best hit may hold in runs of eight or more before the report names it. */
export const LEAKED_SHARE = 0.5;

export interface ExperimentOptions {
  /** As they stand in the file, each id once. */
  tasks: Task[];
  arms: Arm[];
  repeat: number;
  /** At most so many tasks, after those that are skipped; null: all. */
  limit: number | null;
  /** So many tasks are set apart, the first in the seeded order. */
  skip: number;
  /** Orders the tasks, draws the random playbooks, and goes to the model with the number of the repeat added. */
  seed: number;
  /** How many tasks are worked on at a time. */
  concurrency: number;
  /** The command line as it is kept with every answer. */
  command: string;
  /** Files of rows that count as done, beside the log. */
  rowsPaths: string[];
  /** What every run has in common; ranker and retrieval are the arm's. */
  replay: Omit<ReplayOptions, "noRetrieval" | "ranker" | "trial">;
}

/** One answer to be had. */
export interface Planned {
  task: Task;
  arm: Arm;
  repeat: number;
  position: number;
}

export interface ExperimentPlan {
  id: string;
  /** How many answers there are in all. */
  planned: number;
  /** Those that are still to be had. */
  left: Planned[];
}

export interface ExperimentHooks {
  warn: (message: string) => void;
  onPlanned: (plan: ExperimentPlan) => void;
  onAnswer: (planned: Planned, row: EvidenceRow) => void;
}

export interface ExperimentOutcome {
  id: string;
  /** The rows of the plan, in its order: the last answer of each, else the last error. */
  rows: ExperimentRow[];
  planned: number;
  stopped: "interrupted" | "unanswered" | null;
  appendError: DistillError | null;
}

/** Runs what the log has no answer for yet. @throws DistillError as replay does */
export async function runExperiment(
  options: ExperimentOptions,
  hooks: ExperimentHooks,
  deps: Deps,
): Promise<ExperimentOutcome> {
  const setting = await prepare(options, { warn: hooks.warn, signal: deps.signal });
  using lock = takeLock(setting.id, `${options.replay.root}/${EVIDENCE_LOG}`);
  if (lock) return await runPrepared(setting, hooks, deps);
  const what = `${setting.id}: another run of this experiment is asking`;
  throw new DistillError("input", `${what}. Wait until it is done, or stop it.`);
}

/** Asks for the answers that are missing. */
async function runPrepared(setting: Setting, hooks: ExperimentHooks, deps: Deps): Promise<ExperimentOutcome> {
  const { options } = setting;
  const units = planUnits(options);
  const plan = units.flat();
  const known = await setting.corpus.find(options.tasks.flatMap((task) => task.relevant_ids ?? []));
  const strange = strangeIds(options.tasks, known);
  if (strange.length > 0)
    hooks.warn(`relevant, but not in the corpus: ${strange.join(", ")}. Correct the tasks.`);
  const log = `${options.replay.root}/${EVIDENCE_LOG}`;
  const logs = (await Bun.file(log).exists()) ? [log] : [];
  const rows = await rowsOf(setting.id, [...logs, ...options.rowsPaths]);
  const isDone = (planned: Planned): boolean => isAnswered(rows.get(keyOf(planned)));
  hooks.onPlanned({ id: setting.id, planned: plan.length, left: plan.filter((one) => !isDone(one)) });

  let stopped: ExperimentOutcome["stopped"] = null;
  let appendError: DistillError | null = null;
  let errors = 0;
  // What failed before comes last, so that tasks which fail every time do not keep the others from being asked.
  const hasFailed = (unit: Planned[]): boolean => unit.some((one) => rows.has(keyOf(one)) && !isDone(one));
  const waiting = units
    .filter((unit) => !unit.every(isDone))
    .toSorted((a, b) => Number(hasFailed(a)) - Number(hasFailed(b)));
  const work = async (): Promise<void> => {
    for (let unit = waiting.shift(); unit && !stopped && !appendError; unit = waiting.shift()) {
      const judged = await judgeOf(unit[0]!.task, setting);
      for (const planned of unit.filter((one) => !isDone(one))) {
        if (stopped || appendError) return;
        const outcome = await runPlanned(planned, judged, { setting, deps });
        // What the log does not hold is no answer: the same command asks for it again.
        if (!outcome.appendError) rows.set(keyOf(planned), outcome.row as ExperimentRow);
        // Another worker's answer may have been written since.
        appendError ??= outcome.appendError;
        // extract asks nobody, so its answers say nothing of the server.
        if (planned.arm !== "extract") errors = outcome.row.verdict === "error" ? errors + 1 : 0;
        if (outcome.interrupted) stopped = "interrupted";
        else if (errors >= MAX_ERRORS_IN_A_ROW) stopped = "unanswered";
        if (!outcome.appendError) hooks.onAnswer(planned, outcome.row);
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  const found = plan.flatMap((planned) => rows.get(keyOf(planned)) ?? []);
  return { id: setting.id, rows: found, planned: plan.length, stopped, appendError };
}

/** What all runs of one experiment share. */
interface Setting {
  id: string;
  options: ExperimentOptions;
  corpus: OpenCorpus;
  /** Null unless asked for. */
  plain: OpenCorpus | null;
  /** Every playbook, to draw from; empty unless asked for. */
  drawn: Playbook[];
}

async function prepare(options: ExperimentOptions, hooks: IndexHooks): Promise<Setting> {
  const open = (ranker: Ranker): Promise<OpenCorpus> => openCorpus({ ...options.replay, ranker }, hooks);
  const corpus = await open("weighted");
  return {
    id: experimentId(options, await hashOf(options.replay.corpusPath)),
    options,
    corpus,
    plain: options.arms.includes("jaccard") ? await open("jaccard") : null,
    drawn: options.arms.includes("random")
      ? (await loadCorpus(options.replay.corpusPath, () => {})).records
      : [],
  };
}

/** Of the whole file: the parts that an index reads it in change when the index does. */
async function hashOf(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

/** All that an answer depends on, but for its arm and its repeat: these may be added to an experiment later. */
function experimentId({ tasks, seed, replay }: ExperimentOptions, corpus: string): string {
  const { local, escalation, sampling, topK, minCoverage, policy, doubtThreshold, dryRun } = replay;
  const basis = {
    tasks,
    corpus: [corpus],
    models: [local.model, escalation?.model ?? null],
    settings: [seed, sampling.maxTokens, sampling.temperature, topK, minCoverage],
    judge: [GATE_VERSION, policy, doubtThreshold],
    prompt: PROMPT_VERSION,
    dryRun,
  };
  return `ab:${sha256(JSON.stringify(basis)).slice(0, 12)}`;
}

/**
 * The answers to be had, those of one task and repeat together, in the order in which they run: each arm opens in turn, and
 * every other round runs backwards, so that of any two arms either comes before the other as often.
 */
export function planUnits(
  options: Pick<ExperimentOptions, "tasks" | "arms" | "repeat" | "limit" | "skip" | "seed">,
): Planned[][] {
  const { arms, repeat: repeats, limit, skip, seed } = options;
  const ordered = inSeededOrder(options.tasks, seed, (task) => task.task_id);
  const tasks = ordered.slice(skip, limit === null ? undefined : skip + limit);
  return tasks.flatMap((task, at) =>
    Array.from({ length: repeats }, (_, repeat) =>
      turned(arms, at + repeat).map((arm, position) => ({ task, arm, repeat, position })),
    ),
  );
}

function turned<T>(arms: T[], turn: number): T[] {
  const first = turn % arms.length;
  const round = Math.floor(turn / arms.length);
  const rotated = [...arms.slice(first), ...arms.slice(0, first)];
  return round % 2 === 0 ? rotated : [rotated[0]!, ...rotated.slice(1).reverse()];
}

/** By a hash of seed and id, so that neither the order in a file nor another task moves one. */
export function inSeededOrder<T>(items: T[], seed: number, idOf: (item: T) => string): T[] {
  const place = new Map(items.map((item) => [item, sha256(`${seed}:${idOf(item)}`)]));
  return items.toSorted((a, b) => (place.get(a)! < place.get(b)! ? -1 : 1));
}

const keyOf = ({ task, arm, repeat }: Planned): string => rowKey({ task_id: task.task_id, arm, repeat });

const rowKey = ({ task_id, arm, repeat }: Pick<ExperimentRecord, "task_id" | "arm" | "repeat">): string =>
  JSON.stringify([task_id, arm, repeat]);

/** A row with an answer that was measured, whatever the gate says of it. */
export type AnsweredRow = EvidenceRow & { experiment: ExperimentRecord & { outcomes: Outcomes } };

export const isAnswered = (row: EvidenceRow | undefined): row is AnsweredRow => !!row?.experiment?.outcomes;

// ---------------------------------------------------------------------------------------------------------------------
// One run
// ---------------------------------------------------------------------------------------------------------------------

/** What every arm's answer to one task is judged by, and what retrieval may find for it. */
interface Judged {
  fair: FairRetrieval;
  relevant: Playbook[];
  judgedBy: Trial["judgedBy"];
}

async function judgeOf(task: Task, { corpus, options }: Setting): Promise<Judged> {
  const fair = await retrieveFairly(task, corpus, options.replay);
  const { retrieval } = fair;
  const relevant = [...(await corpus.find(task.relevant_ids ?? [])).values()];
  const found = retrieval.hits.map((hit) => hit.playbook);
  const isNew = ({ id }: Playbook): boolean => !found.some((playbook) => playbook.id === id);
  const { weights } = retrieval;
  const judgedBy = { records: [...found, ...relevant.filter(isNew)], weights, elsewhere: corpus.elsewhere };
  return { fair, relevant, judgedBy };
}

/** What retrieval finds once the records that a task must not be answered from are out. */
export interface FairRetrieval {
  retrieval: Retrieval;
  /** What it is told to leave out. */
  excludeIds: string[];
  /** Those that it would have found. */
  leftOut: string[];
}

/** Tells the records that a task must not be answered from; the log hashes a task without its secrets, which is done once. */
function isLeftOutOf(task: Task): (playbook: Playbook) => boolean {
  const answered = runIdPrefix(withoutSecrets(task.task));
  return ({ id, source_run_id }) =>
    task.exclude_ids.includes(id) ||
    (source_run_id !== "" && task.exclude_source_run_ids.includes(source_run_id)) ||
    source_run_id.startsWith(answered);
}

/** Leaves out what the task excludes, and every record that an earlier replay of the same task left behind. */
export async function retrieveFairly(
  task: Task,
  corpus: OpenCorpus,
  { topK, minCoverage }: RetrieveOptions,
): Promise<FairRetrieval> {
  const { exclude_ids, exclude_source_run_ids: excludeSourceRunIds } = task;
  const leftOut: string[] = [];
  const isLeftOut = isLeftOutOf(task);
  const outOf = ({ hits }: Retrieval): string[] =>
    hits.flatMap(({ playbook }) => (isLeftOut(playbook) ? playbook.id : []));
  let own = outOf(await corpus.retrieve(task.task, { topK, minCoverage }));
  for (;;) {
    leftOut.push(...own);
    const excludeIds = [...new Set([...exclude_ids, ...leftOut])];
    const options = { topK, minCoverage, excludeIds, excludeSourceRunIds };
    const retrieval = await corpus.retrieve(task.task, options);
    own = outOf(retrieval);
    if (own.length === 0) return { retrieval, excludeIds, leftOut };
  }
}

function shareInTopHit(task: string, { hits }: Retrieval): number {
  const [best] = hits;
  const words = wordsOf(task);
  // A task of fewer words than make a run counts where it stands there whole.
  const run = Math.min(ECHO_RUN, words.length);
  return best ? copiedShare(words, wordsOf(wholeText(best.playbook)), run) : 0;
}

async function runPlanned(
  planned: Planned,
  judged: Judged,
  { setting, deps }: { setting: Setting; deps: Deps },
): ReturnType<typeof replay> {
  const { task, arm, repeat, position } = planned;
  const { id, options, plain } = setting;
  const ranker = arm === "jaccard" ? "jaccard" : "weighted";
  const { retrieval, excludeIds, leftOut } =
    arm === "jaccard" && plain ? await retrieveFairly(task, plain, options.replay) : judged.fair;
  const { sampling, local, escalation } = options.replay;
  const experiment = {
    ...{ id, arm, task_id: task.task_id, repeat, position },
    command: options.command,
    ran_on: machine(),
    left_out: leftOut,
    task_in_top_hit: shareInTopHit(task.task, retrieval),
  };
  const trial: Trial = {
    experiment,
    bundle: bundlerOf(planned, setting),
    answer: arm === "extract" ? extractOf : null,
    judgedBy: judged.judgedBy,
    measure: (answered) => measure(answered, { task, judged, retrieval, corpus: setting.corpus }),
  };
  return replay(
    task.task,
    {
      ...options.replay,
      ranker,
      noRetrieval: arm === "none",
      excludeIds,
      excludeSourceRunIds: task.exclude_source_run_ids,
      local: arm === "extract" ? { ...local, model: "extract" } : local,
      escalation: arm === "extract" ? null : escalation,
      sampling: { ...sampling, seed: options.seed + repeat },
      trial,
    },
    deps,
  );
}

/** "Bun 1.4.5, linux x64, 2 cores (AMD EPYC), 23 GB" */
function machine(): string {
  const [first] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  return `Bun ${Bun.version}, ${process.platform} ${process.arch}, ${cpus().length} cores (${first?.model.trim() ?? "unknown"}), ${memory}`;
}

function bundlerOf({ task, arm, repeat }: Planned, { options, drawn }: Setting): Trial["bundle"] {
  if (arm === "filler") return (retrieval, build) => fillBundle(build(retrieval));
  if (arm !== "random") return (retrieval, build) => build(retrieval);
  const random = seeded(Number.parseInt(sha256(`${options.seed}:${repeat}:${task.task_id}`).slice(0, 8), 16));
  return (retrieval, build) => build(drawInstead(retrieval, { task, drawn, random }));
}

/** The same hits with other playbooks in their places, each of the same standing, none of them an answer to the task. */
export function drawInstead(
  retrieval: Retrieval,
  { task, drawn, random }: { task: Task; drawn: Playbook[]; random: () => number },
): Retrieval {
  const taken = new Set([
    ...retrieval.hits.map((hit) => hit.playbook.id),
    ...(task.relevant_ids ?? []),
    ...task.exclude_ids,
  ]);
  const isLeftOut = isLeftOutOf(task);
  const allowed = drawn.filter((one) => !isLeftOut(one));
  const hits = retrieval.hits.flatMap(({ playbook, score }) => {
    const others = allowed.filter(
      (one) => one.success_score === playbook.success_score && !taken.has(one.id),
    );
    const other = others[Math.floor(random() * others.length)];
    if (other === undefined) return [];
    taken.add(other.id);
    return [{ playbook: other, score }];
  });
  return { ...retrieval, hits };
}

const FILLER =
  `a i of in on by to at sky red sun hill rain wind leaf bird pond green stone river grass field apple garden summer autumn meadow
  forest orchard morning evening village blossom harvest mountain sunlight cornfield butterfly hedgerows strawberry countryside thunderstorm`.split(
    /\s+/,
  );

const LONGEST_FILLER = Math.max(...FILLER.map((word) => word.length));

/** A bundle of the same lengths, lines and marks that says nothing: words for words, naughts for digits. */
export function fillBundle(bundle: ContextBundle): ContextBundle {
  const fill = (text: string): string =>
    text.replaceAll(/\p{L}+|\d/gu, (run) => (/\d/.test(run) ? "0" : fillerFor(run)));
  const filled = (playbook: RetrievedPlaybook): RetrievedPlaybook => ({
    ...playbook,
    rag_id: `filler/${playbook.rag_id}`,
    title: fill(playbook.title),
    content_preview: fill(playbook.content_preview),
  });
  return {
    ...bundle,
    prior_successful_outputs: bundle.prior_successful_outputs.map(filled),
    failure_patterns: bundle.failure_patterns.map(filled),
    commands: bundle.commands.map(fill),
    validation_steps: bundle.validation_steps.map(fill),
  };
}

/** The same for the same word, so that what stands in a text twice still does. */
function fillerFor(word: string): string {
  const fitting = FILLER.filter((one) => one.length === Math.min(word.length, LONGEST_FILLER));
  const chosen = fitting[Number(Bun.hash(word) % BigInt(fitting.length))]!;
  return word.length <= LONGEST_FILLER ? chosen : chosen + fillerFor(word.slice(LONGEST_FILLER));
}

/** The best hit's passage, as long as a model is shown it, and the checks that do not stand in it. */
export function extractOf({ hits, weights }: Retrieval): string {
  const best = hits.find(({ playbook }) => playbook.success_score !== "rejected");
  if (best === undefined) return "";
  const { content } = best.playbook;
  const passage = bestPassage(content, weights, BEST_EXEMPLAR_CHARS);
  const checks = validationSteps([content]).filter((step) => !passage.includes(step));
  return [passage, ...checks.map((step) => `- ${step}`)].join("\n").trim();
}

// ---------------------------------------------------------------------------------------------------------------------
// What an answer came to
// ---------------------------------------------------------------------------------------------------------------------

async function measure(
  answered: Answered,
  {
    task,
    judged,
    retrieval,
    corpus,
  }: { task: Task; judged: Judged; retrieval: Retrieval; corpus: OpenCorpus },
): Promise<Outcomes> {
  const { answer, gate, prompt, bundle, calls, record } = answered;
  const { claims } = gate;
  const supportedBy = (support: string): number => claims.filter((claim) => claim.support === support).length;
  const { expects, rejects, relevant_ids } = task;
  const shown = [...(bundle?.prior_successful_outputs ?? []), ...(bundle?.failure_patterns ?? [])];
  const isRelevant = (id: string): boolean => relevant_ids?.includes(id) ?? false;
  const names = (relevant_ids ?? []).length > 0;
  return {
    unsupported: supportedBy("nowhere"),
    supported: supportedBy("retrieved"),
    supported_share:
      claims.length === 0 ? null : (supportedBy("task") + supportedBy("retrieved")) / claims.length,
    truncated: isAtLimit(record.finish_reason),
    chars: answer.length,
    tokens_in: sumOf(calls.map((call) => call.usage?.prompt_tokens ?? null)),
    tokens_out: sumOf(calls.map((call) => call.usage?.completion_tokens ?? null)),
    latency_ms: calls.reduce((sum, call) => sum + call.duration_ms, 0),
    echo: copiedShare(wordsOf(answer), wordsOf(promptText(prompt)), ECHO_RUN),
    expects_met:
      expects.length === 0 ? null : expects.filter((one) => meets(answer, one)).length / expects.length,
    rejects_said: rejects.length === 0 ? null : rejects.some((one) => meets(answer, one)),
    relevant_f1: names ? await bestOverlap(answer, { task, relevant: judged.relevant, corpus }) : null,
    relevant_found: names ? retrieval.hits.some(({ playbook }) => isRelevant(playbook.id)) : null,
    relevant_shown: names ? shown.some(({ rag_id }) => isRelevant(rag_id)) : null,
  };
}

const sumOf = (counts: (number | null)[]): number | null =>
  counts.some((count) => count === null) ? null : counts.reduce<number>((sum, count) => sum + count!, 0);

async function bestOverlap(
  answer: string,
  { task, relevant, corpus }: { task: Task; relevant: Playbook[]; corpus: OpenCorpus },
): Promise<number> {
  const asked = new Set(weightedTokens(task.task));
  const own = (text: string): Set<string> => new Set(weightedTokens(text)).difference(asked);
  const said = own(answer);
  const records = relevant.map((playbook) => own(wholeText(playbook)));
  const all = [said, ...records].reduce((sum, tokens) => sum.union(tokens), new Set<string>());
  // A query of all of them, each once, weighs each by its rarity.
  const { weights } = await corpus.retrieve([...all].join(" "), { topK: 1, minCoverage: 0 });
  return Math.max(0, ...records.map((record) => weightedF1(said, record, weights)));
}

/** Harmonic mean of the shares of either set's weight that both have; 0 where nothing is shared. */
export function weightedF1(a: Set<string>, b: Set<string>, weights: Map<string, number>): number {
  const weightOf = (tokens: Set<string>): number =>
    [...tokens].reduce((sum, token) => sum + (weights.get(token) ?? 0), 0);
  const shared = weightOf(a.intersection(b));
  return shared === 0 ? 0 : (2 * shared) / (weightOf(a) + weightOf(b));
}

// ---------------------------------------------------------------------------------------------------------------------
// Rows
// ---------------------------------------------------------------------------------------------------------------------

/** The rows of one experiment by task, arm and repeat: the last answer of each, else the last error. */
async function rowsOf(id: string, paths: string[]): Promise<Map<string, ExperimentRow>> {
  const rows = new Map<string, ExperimentRow>();
  for (const path of paths)
    for await (const row of experimentRows(path))
      if (row.experiment.id === id) put(row, rowKey(row.experiment), rows);
  return rows;
}

/** An error never takes an answer's place. */
function put(row: ExperimentRow, key: string, rows: Map<string, ExperimentRow>): void {
  if (isAnswered(row) || !isAnswered(rows.get(key))) rows.set(key, row);
}

/**
 * What a file of rows holds, if there is one, and these rows: written anew with them it loses nothing.
 * @throws DistillError `input` where it holds anything else
 */
export async function withRowsIn(path: string, rows: ExperimentRow[]): Promise<ExperimentRow[]> {
  const all = new Map<string, ExperimentRow>();
  const add = (row: ExperimentRow): void => put(row, `${row.experiment.id} ${rowKey(row.experiment)}`, all);
  const refuse = ({ number }: JsonLine): never => {
    const what = `no row of an experiment, so nothing is written over it`;
    throw new DistillError("input", `${nameOf(path)}:${number}: ${what}. Name another file behind --keep.`);
  };
  if (await Bun.file(path).exists()) for await (const row of experimentRows(path, refuse)) add(row);
  rows.forEach(add);
  return [...all.values()];
}

export type ExperimentRow = EvidenceRow & { experiment: ExperimentRecord };

/** Kinds of fields as `typeof` names them, "array" and "null" beside; one of several behind "|". */
type Kinds = Record<string, string>;

/** What is read of every row, wherever experiments are counted or reported on. */
const ROW: Kinds = {
  ...{ recorded_at: "string", input_task: "string", model_response: "string", escalation_path: "array" },
  ...{ attempts: "array", corpus: "object|null", gate: "object|null" },
};
const TRIAL: Kinds = {
  ...{ id: "string", arm: "string", task_id: "string", repeat: "number", position: "number" },
  ...{ command: "string", ran_on: "string", left_out: "array", outcomes: "object|null" },
};
const SAMPLING: Kinds = { max_tokens: "number", temperature: "number", seed: "number|null" };
const CALL: Kinds = { role: "string", requested_model: "string" };
const OUTCOME: Kinds = { unsupported: "number", supported: "number", chars: "number", latency_ms: "number" };

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

const hasKinds = (value: unknown, kinds: Kinds): value is Record<string, unknown> =>
  isObject(value) &&
  Object.entries(kinds).every(([field, kind]) => kind.split("|").includes(kindOf(value[field])));

/** Whether a value is a row that a run of `ab` has appended, with all that is read of one. */
function isExperimentRow(value: unknown): value is ExperimentRow {
  if (!hasKinds(value, ROW) || value.schema !== EVIDENCE_SCHEMA) return false;
  const { experiment, sampling, attempts } = value;
  return (
    hasKinds(experiment, TRIAL) &&
    (experiment.outcomes === null || hasKinds(experiment.outcomes, OUTCOME)) &&
    hasKinds(sampling, SAMPLING) &&
    (attempts as unknown[]).every((call) => hasKinds(call, CALL))
  );
}

/** @throws DistillError `input` where the file cannot be read or is not compressed so */
async function unpacked(path: string): Promise<Uint8Array> {
  const packed = await Bun.file(path)
    .bytes()
    .catch((error) => {
      throw unreadable(path, error);
    });
  try {
    return await Bun.zstdDecompress(packed);
  } catch (cause) {
    const message = `${nameOf(path)}: cannot be read as Zstandard. Name a file that --keep wrote.`;
    throw new DistillError("input", message, { cause });
  }
}

/** The rows of experiments in a log, or in a file that was kept of it; other lines are passed to `onOther`. */
async function* experimentRows(
  path: string,
  onOther: (line: JsonLine) => void = () => {},
): AsyncGenerator<ExperimentRow> {
  const lines = path.endsWith(".zst") ? jsonLinesIn([await unpacked(path)]) : readJsonLines(path);
  for await (const line of lines) {
    if ("value" in line && isExperimentRow(line.value)) yield line.value;
    else onOther(line);
  }
}

/**
 * The rows of the experiment in a file, in the order of its tasks' first answers: the last answer of each, else the last error.
 * Of several experiments the one that was begun last, unless one is named. A line that cannot be read is left out and said.
 * @throws DistillError `input` where there is none
 */
export async function loadExperiment(
  path: string,
  id: string | null,
  warn: (message: string) => void = () => {},
): Promise<ExperimentRow[]> {
  const ids = new Set<string>();
  const sayBad = (line: JsonLine): void => {
    const isCut = "value" in line && isObject(line.value) && isObject(line.value.experiment);
    const problem = isCut ? "a row of an experiment that lacks fields. Drop it." : null;
    const told = "problem" in line ? line.problem : problem;
    if (told !== null) warn(`${nameOf(path)}:${line.number}: ${told}`);
  };
  for await (const { experiment } of experimentRows(path, sayBad)) ids.add(experiment.id);
  const chosen = id ?? [...ids].at(-1);
  if (chosen === undefined || !ids.has(chosen)) {
    const what =
      id === null || ids.size === 0 ? "holds no rows of an experiment" : `holds no rows of ${shown(id)}`;
    const advice = ids.size === 0 ? "Run distill ab first" : `It has ${[...ids].join(", ")}`;
    throw new DistillError("input", `${nameOf(path)}: ${what}. ${advice}.`);
  }
  return [...(await rowsOf(chosen, [path])).values()];
}
