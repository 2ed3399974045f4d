/**
 * What the rows of an experiment come to, and the report of it in Markdown. ab_page.ts says the same as a page.
 *
 *   rows -> analyse -> tables and sentences -> Markdown
 *
 * The unit of analysis is the task: a task's repeats are averaged, and two arms are compared on the tasks that both answered, in
 * the same repeats. A row without outcomes is an error: it is counted apart, never as a failure, and leaves its pair out.
 * Nothing here is chosen by hand: the treatment, the primary outcome, the sentence and the pairs to look at follow from rules,
 * and the same rows, in whatever order, give the same bytes.
 */
import { ARMS, inSeededOrder, isAnswered, LEAKED_SHARE } from "./ab.ts";
import type { AnsweredRow, ExperimentRow } from "./ab.ts";
import { sha256 } from "./replay.ts";
import type { AttemptRecord, EvidenceRow } from "./replay.ts";
import { bootstrapMean, holm, RESAMPLES, signTest, smallestDetectable, unseenShare } from "./statistics.ts";
import type { MeanInterval } from "./statistics.ts";

/** Pairs below which nothing is said: six that all differ the same way are the fewest to reach 5 % in a sign test. */
const MIN_PAIRS = 6;
/** The sign test's level: the one that goes with a 95 % interval. */
const ALPHA = 0.05;
/** Decimals that a difference is rounded to, so that 2/3 - 1/3 and 1/3 are the same and equal arms differ by 0. */
const DIFFERENCE_DECIMALS = 9;
/** Decimals of a mean difference and its bounds: fewer, so that what is left of 2/3 - 1/3 - 1/3, rounded each, is no difference. */
const MEAN_DECIMALS = 6;
/** Of a SHA-256 in hex, as much as tells two corpora apart. */
const FINGERPRINT_CHARS = 16;

// ---------------------------------------------------------------------------------------------------------------------
// Outcomes
// What one answer is measured by, in the order of the tables. Those with a better direction are tested, the others described.
// ---------------------------------------------------------------------------------------------------------------------

export interface OutcomeSpec {
  key: string;
  name: string;
  meaning: string;
  /** What is raised or lowered, within a sentence. */
  phrase: string;
  /** Null: described, and neither tested nor judged. */
  better: "higher" | "lower" | null;
  /** A share lies in [0, 1] and is written without its naught. */
  unit: "share" | "count";
  /** Decimals. */
  digits: number;
  /** Null where the task does not say what it is measured by, or the server did not count. */
  read: (row: AnsweredRow) => number | null;
}

const yes = (fact: boolean | null): number | null => (fact === null ? null : Number(fact));

export const OUTCOMES = [
  {
    key: "expects_met",
    name: "expects met",
    meaning: "share of what a right answer to the task contains that the answer does contain",
    phrase: "the share of expectations met",
    better: "higher",
    unit: "share",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.expects_met,
  },
  {
    key: "rejects_said",
    name: "rejected thing said",
    meaning: "share of answers that say something which the task rejects",
    phrase: "the share of answers that say a rejected thing",
    better: "lower",
    unit: "share",
    digits: 2,
    read: ({ experiment }) => yes(experiment.outcomes.rejects_said),
  },
  {
    key: "passed",
    name: "passed the gate",
    meaning: "share of answers with the verdict pass, all arms judged by the same records",
    phrase: "the share of answers that pass the gate",
    better: "higher",
    unit: "share",
    digits: 2,
    read: ({ verdict }) => Number(verdict === "pass"),
  },
  {
    key: "unsupported",
    name: "unsupported facts",
    meaning:
      "machine-made facts per answer that stand neither in the task, nor in the records, nor elsewhere in the corpus",
    phrase: "the number of unsupported facts in an answer",
    better: "lower",
    unit: "count",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.unsupported,
  },
  {
    key: "supported",
    name: "supported facts beyond the task",
    meaning: "facts per answer that stand in the records and not in the task",
    phrase: "the number of supported facts beyond the task",
    better: "higher",
    unit: "count",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.supported,
  },
  {
    key: "supported_share",
    name: "share of facts supported",
    meaning: "of an answer's facts, those in task or records; answers without facts have none",
    phrase: "the share of facts supported",
    better: "higher",
    unit: "share",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.supported_share,
  },
  {
    key: "truncated",
    name: "truncated",
    meaning: "share of answers that ran into the token limit",
    phrase: "the share of truncated answers",
    better: "lower",
    unit: "share",
    digits: 2,
    read: ({ experiment }) => yes(experiment.outcomes.truncated),
  },
  {
    key: "relevant_f1",
    name: "overlap with the relevant record",
    meaning: "F1 of content words, weighted by rarity, the task's own left out",
    phrase: "the overlap with the relevant record",
    better: "higher",
    unit: "share",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.relevant_f1,
  },
  {
    key: "echo",
    name: "echo",
    meaning: "share of the answer's words in runs of eight or more copied from what the model was shown",
    phrase: "the share of copied words",
    better: null,
    unit: "share",
    digits: 2,
    read: ({ experiment }) => experiment.outcomes.echo,
  },
  {
    key: "chars",
    name: "length, characters",
    meaning: "of the whole answer",
    phrase: "the length of an answer",
    better: null,
    unit: "count",
    digits: 0,
    read: ({ experiment }) => experiment.outcomes.chars,
  },
  {
    key: "tokens_in",
    name: "tokens in",
    meaning: "of all calls, as the server counts them",
    phrase: "the number of tokens in",
    better: null,
    unit: "count",
    digits: 0,
    read: ({ experiment }) => experiment.outcomes.tokens_in,
  },
  {
    key: "tokens_out",
    name: "tokens out",
    meaning: "of all calls, as the server counts them",
    phrase: "the number of tokens out",
    better: null,
    unit: "count",
    digits: 0,
    read: ({ experiment }) => experiment.outcomes.tokens_out,
  },
  {
    key: "latency_s",
    name: "latency, s",
    meaning: "of all calls, pauses included",
    phrase: "the latency",
    better: null,
    unit: "count",
    digits: 1,
    read: ({ experiment }) => experiment.outcomes.latency_ms / 1000,
  },
] as const satisfies readonly OutcomeSpec[];

export type OutcomeKey = (typeof OUTCOMES)[number]["key"];

const BY_KEY = new Map<OutcomeKey, OutcomeSpec>(OUTCOMES.map((spec) => [spec.key, spec]));

export const outcomeOf = (key: OutcomeKey): OutcomeSpec => BY_KEY.get(key)!;

// ---------------------------------------------------------------------------------------------------------------------
// Analysis
// In: the rows of one experiment, the last answer of each task, arm and repeat, else its last error. Out: every figure of the
// report. Tasks stand in the order in which the experiment runs them, by a hash of seed and id, however the rows are ordered.
// ---------------------------------------------------------------------------------------------------------------------

export interface AnalysisOptions {
  /** The experiment's: of the order of its tasks, and of the bootstrap. */
  seed: number;
}

/** One outcome in one arm: a value for each task that has one, and their mean with its 95 % interval, null without any. */
export interface OutcomeSummary {
  key: OutcomeKey;
  values: number[];
  interval: MeanInterval | null;
}

/** So many of so many. */
export interface Count {
  yes: number;
  of: number;
}

export interface ArmSummary {
  arm: string;
  /** Tasks with an answer. */
  tasks: number;
  answers: number;
  errors: number;
  passed: number;
  failed: number;
  /** Answers for which a larger model was asked. */
  escalated: number;
  /** Of those, where the gate had rejected the local answer. */
  rejectedFirst: number;
  /** Of those, where the answer that counts passed. */
  recovered: number;
  /** Answers whose retrieval found a relevant record, and whose model was shown one, of those whose task names any. */
  relevantFound: Count;
  relevantShown: Count;
  outcomes: OutcomeSummary[];
}

/** One task in both arms, its repeats averaged. */
export interface PairedValue {
  task_id: string;
  control: number;
  treatment: number;
  /** Treatment minus control. */
  difference: number;
}

export interface Difference {
  key: OutcomeKey;
  pairs: PairedValue[];
  /** Of treatment minus control, to MEAN_DECIMALS; null without pairs. */
  interval: MeanInterval | null;
  /** Pairs in which the treatment is better, the same, or worse; of a yes or no the discordant ones are the first and last. */
  better: number;
  equal: number;
  worse: number;
  /** Two-sided exact sign test, which of a yes or no is McNemar's; 1 without pairs. */
  p: number;
  /** The same adjusted by Holm for all tested outcomes of the comparison that have pairs. */
  holm: number;
  /** Smallest mean difference that so many pairs, as spread as these, show in four of five experiments; null under two. */
  detectable: number | null;
}

export interface Comparison {
  treatment: string;
  control: string;
  primary: OutcomeKey;
  /** Tasks that both arms answered in the same repeat. */
  pairs: number;
  /** Tasks that ran in both arms and lack it. */
  leftOut: number;
  /** Tasks that ran in one of the arms alone. */
  alone: number;
  /** Of the answers that are compared, repeats apart, those where the control's was asked for before the treatment's. */
  controlFirst: Count;
  /** A line for each tested outcome that has pairs. */
  differences: Difference[];
}

/** One of the pairs to look at: the first repeat that both arms answered. */
export interface ShownPair {
  place: "best" | "median" | "worst";
  task_id: string;
  repeat: number;
  treatment: string;
  control: string;
  /** In the primary outcome, over all repeats. */
  difference: number;
}

export interface Leakage {
  /** Tasks from which records were kept, and the records, each once. */
  tasks: number;
  records: number;
  /** Tasks whose best hit holds more than LEAKED_SHARE of their words, with the share. */
  verbatim: { task_id: string; share: number }[];
}

/** What was run, as the rows have it. */
export interface RunSetting {
  experiments: string[];
  first: string | null;
  last: string | null;
  repeats: number;
  models: {
    role: string;
    requested: string;
    returned: string | null;
    fingerprint: string | null;
    calls: number;
    /** Calls that came to nothing, of those to the same model. */
    unanswered: number;
  }[];
  corpora: { path: string; records: number; fingerprint: string }[];
  /** Whether any answer was a dry run's. */
  dryRun: boolean;
  promptVersions: string[];
  gates: string[];
  samplings: string[];
  ranOn: string[];
  /** How many units of a task and a repeat each arm opened, of those whose arms ran in one go. */
  opened: { arm: string; units: number }[];
  /** Units in which an arm was answered later: added by another command, or asked again. */
  addedTo: number;
}

export interface Analysis {
  seed: number;
  tasks: number;
  primary: OutcomeKey;
  arms: ArmSummary[];
  comparisons: Comparison[];
  pairs: ShownPair[];
  leakage: Leakage;
  setting: RunSetting;
}

/** The figures of one experiment. Rows that belong to none are left out. */
export function analyse(rows: EvidenceRow[], { seed }: AnalysisOptions): Analysis {
  const isOwn = (row: EvidenceRow): row is ExperimentRow => row.experiment !== null;
  const own = inPlanOrder(rows.filter(isOwn), seed);
  const present = ordered(distinct(own.map((row) => row.experiment.arm)));
  const primary = own.some((row) => row.experiment.outcomes?.expects_met != null)
    ? "expects_met"
    : "unsupported";
  const treatment = present.includes("retrieval") ? "retrieval" : present.at(-1);
  const comparisons = present
    .filter((arm) => arm !== treatment)
    .map((control) => compare({ treatment: treatment!, control, primary }, own, seed));
  return {
    seed,
    tasks: distinct(own.map((row) => row.experiment.task_id)).length,
    primary,
    arms: present.map((arm) => summarise(arm, own, seed)),
    comparisons,
    pairs: comparisons[0] ? choosePairs(comparisons[0], own) : [],
    leakage: findLeakage(own),
    setting: describeSetting(own),
  };
}

/** By task as the experiment runs them, then repeat, then arm: see `planUnits`. */
function inPlanOrder(rows: ExperimentRow[], seed: number): ExperimentRow[] {
  const ids = distinct(rows.map((row) => row.experiment.task_id));
  const place = new Map(inSeededOrder(ids, seed, (id) => id).map((id, at) => [id, at]));
  return rows.toSorted(
    ({ experiment: a }, { experiment: b }) =>
      place.get(a.task_id)! - place.get(b.task_id)! || a.repeat - b.repeat || byArm(a.arm, b.arm),
  );
}

/** In the order of ARMS, strangers behind them by name. */
const ordered = (arms: string[]): string[] => arms.toSorted(byArm);

function byArm(a: string, b: string): number {
  const place = (arm: string): number => (ARMS as readonly string[]).indexOf(arm) >>> 0;
  return place(a) - place(b) || (a < b ? -1 : Number(a > b));
}

const distinct = <T>(values: T[]): T[] => [...new Set(values)];

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const answersIn = (arm: string, rows: ExperimentRow[]): AnsweredRow[] =>
  rows.filter(isAnswered).filter((row) => row.experiment.arm === arm);

const byTask = <T extends ExperimentRow>(rows: T[]): Map<string, T[]> =>
  Map.groupBy(rows, (row) => row.experiment.task_id);

/** Of the answers that run next to each other, one in each arm. */
const unitKey = ({ experiment }: ExperimentRow): string =>
  JSON.stringify([experiment.task_id, experiment.repeat]);

const intervalOf = (values: number[], seed: number): MeanInterval | null =>
  values.length === 0 ? null : bootstrapMean(values, { seed });

function summarise(arm: string, rows: ExperimentRow[], seed: number): ArmSummary {
  const answers = answersIn(arm, rows);
  const tasks = byTask(answers);
  const escalated = answers.filter((row) => row.escalation_path.length > 1);
  const rejectedFirst = escalated.filter((row) => row.attempts[0]?.verdict === "fail");
  const passed = answers.filter((row) => row.verdict === "pass");
  return {
    arm,
    tasks: tasks.size,
    answers: answers.length,
    errors: rows.filter((row) => row.experiment.arm === arm).length - answers.length,
    passed: passed.length,
    failed: answers.length - passed.length,
    escalated: escalated.length,
    rejectedFirst: rejectedFirst.length,
    recovered: rejectedFirst.filter((row) => row.verdict === "pass").length,
    relevantFound: countOf(answers.map((row) => row.experiment.outcomes.relevant_found)),
    relevantShown: countOf(answers.map((row) => row.experiment.outcomes.relevant_shown)),
    outcomes: OUTCOMES.map(({ key, read }) => {
      const values = [...tasks.values()].flatMap((repeats) => meanOfKnown(repeats.map(read)));
      return { key, values, interval: intervalOf(values, seed) };
    }),
  };
}

const countOf = (facts: (boolean | null)[]): Count => ({
  yes: facts.filter((fact) => fact === true).length,
  of: facts.filter((fact) => fact !== null).length,
});

/** The mean of those that are known, as a list of one; an empty list where none is. */
function meanOfKnown(values: (number | null)[]): number[] {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? [] : [mean(known)];
}

// Comparing.

type Versus = Pick<Comparison, "treatment" | "control" | "primary">;

/** Two answers to one task in one repeat. */
interface Match {
  control: AnsweredRow;
  treatment: AnsweredRow;
}

function compare(versus: Versus, rows: ExperimentRow[], seed: number): Comparison {
  const { treatment, control } = versus;
  const matches = matchAnswers(versus, rows);
  const tasksOf = (arm: string): Set<string> =>
    new Set(rows.map((row) => row.experiment).flatMap((trial) => (trial.arm === arm ? trial.task_id : [])));
  const [treated, controlled] = [tasksOf(treatment), tasksOf(control)];
  const tested = OUTCOMES.filter(({ better }) => better !== null)
    .map((spec) => differ(spec, matches, seed))
    .filter((difference) => difference.pairs.length > 0);
  const adjusted = holm(tested.map((difference) => difference.p));
  return {
    ...versus,
    pairs: matches.size,
    leftOut: treated.intersection(controlled).size - matches.size,
    alone: treated.symmetricDifference(controlled).size,
    controlFirst: countOf([...matches.values()].flat().map(isControlFirst)),
    differences: tested.map((difference, at) => ({ ...difference, holm: adjusted[at]! })),
  };
}

const isControlFirst = ({ control, treatment }: Match): boolean => byStart(control, treatment) < 0;

/** By task, one for each repeat that both arms answered. */
function matchAnswers(
  { treatment, control }: Pick<Versus, "treatment" | "control">,
  rows: ExperimentRow[],
): Map<string, Match[]> {
  const treated = new Map(answersIn(treatment, rows).map((row) => [unitKey(row), row]));
  const matches = answersIn(control, rows).flatMap((row) => {
    const other = treated.get(unitKey(row));
    return other === undefined ? [] : [{ control: row, treatment: other }];
  });
  return Map.groupBy(matches, (match) => match.control.experiment.task_id);
}

function differ(
  spec: OutcomeSpec & { key: OutcomeKey },
  matches: Map<string, Match[]>,
  seed: number,
): Difference {
  const pairs = [...matches].flatMap(([task_id, repeats]) => pairedValue(task_id, repeats, spec.read));
  const differences = pairs.map((pair) => pair.difference);
  const { positive, negative, zero, p } = signTest(differences);
  const [better, worse] = spec.better === "higher" ? [positive, negative] : [negative, positive];
  return {
    key: spec.key,
    pairs,
    interval: roundedInterval(intervalOf(differences, seed)),
    better,
    equal: zero,
    worse,
    p,
    holm: p,
    detectable: differences.length < 2 ? null : smallestDetectable(differences),
  };
}

function roundedInterval(interval: MeanInterval | null): MeanInterval | null {
  if (interval === null) return null;
  const { mean, low, high } = interval;
  return {
    mean: rounded(mean, MEAN_DECIMALS),
    low: rounded(low, MEAN_DECIMALS),
    high: rounded(high, MEAN_DECIMALS),
  };
}

/** + 0 makes a naught of what rounds to its negative. */
const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals)) + 0;

function pairedValue(task_id: string, repeats: Match[], read: OutcomeSpec["read"]): PairedValue[] {
  const known = repeats.flatMap((match) => {
    const control = read(match.control);
    const treatment = read(match.treatment);
    return control === null || treatment === null ? [] : [{ control, treatment }];
  });
  if (known.length === 0) return [];
  const control = mean(known.map((values) => values.control));
  const treatment = mean(known.map((values) => values.treatment));
  return [{ task_id, control, treatment, difference: rounded(treatment - control, DIFFERENCE_DECIMALS) }];
}

export const primaryOf = ({ differences, primary }: Comparison): Difference | undefined =>
  differences.find(({ key }) => key === primary);

/** How much better the treatment is: the difference, turned round where less is better. */
export const gainOf = (key: OutcomeKey, difference: number): number =>
  outcomeOf(key).better === "lower" ? -difference + 0 : difference;

/** From the best for the treatment to the worst, equals in the order of the tasks: the first, the middle and the last. */
function choosePairs(comparison: Comparison, rows: ExperimentRow[]): ShownPair[] {
  const { treatment, control, primary } = comparison;
  const pairs = primaryOf(comparison)?.pairs ?? [];
  const ranked = pairs.toSorted((a, b) => gainOf(primary, b.difference) - gainOf(primary, a.difference));
  const last = ranked.length - 1;
  const places = new Map<ShownPair["place"], number>([["best", 0]]);
  if (last > 1) places.set("median", Math.ceil(last / 2));
  if (last > 0) places.set("worst", last);
  const matches = matchAnswers(comparison, rows);
  return ranked.length === 0
    ? []
    : [...places].map(([place, at]) => {
        const { task_id, difference } = ranked[at]!;
        const { repeat } = matches.get(task_id)![0]!.control.experiment;
        return { place, task_id, repeat, treatment, control, difference };
      });
}

function findLeakage(rows: ExperimentRow[]): Leakage {
  const trials = rows.map((row) => row.experiment);
  const leftOut = trials.filter((trial) => trial.left_out.length > 0);
  const verbatim = [...Map.groupBy(trials, (trial) => trial.task_id)]
    .map(([task_id, own]) => ({ task_id, share: Math.max(...own.map((trial) => trial.task_in_top_hit)) }))
    .filter(({ share }) => share > LEAKED_SHARE);
  return {
    tasks: distinct(leftOut.map((trial) => trial.task_id)).length,
    records: distinct(leftOut.flatMap((trial) => trial.left_out)).length,
    verbatim,
  };
}

// What was run.

function describeSetting(rows: ExperimentRow[]): RunSetting {
  const trials = rows.map((row) => row.experiment);
  const times = rows.map((row) => row.recorded_at).toSorted();
  const units = [...Map.groupBy(rows, unitKey).values()].map((unit) => unit.toSorted(byStart));
  const whole = units.filter(ranInOneGo);
  const opening = whole.map(([first]) => first!.experiment);
  return {
    experiments: distinct(trials.map((trial) => trial.id)),
    first: times[0] ?? null,
    last: times.at(-1) ?? null,
    repeats: distinct(trials.map((trial) => trial.repeat)).length,
    models: describeModels(rows),
    corpora: describeCorpora(rows),
    dryRun: rows.some((row) => row.dry_run),
    promptVersions: distinct(rows.map((row) => row.prompt_version)),
    gates: distinct(rows.flatMap((row) => (row.gate ? [describeGate(row.gate)] : []))),
    samplings: distinct(rows.map(describeSampling)),
    ranOn: distinct(trials.map((trial) => trial.ran_on)),
    opened: ordered(distinct(trials.map((trial) => trial.arm))).map((arm) => ({
      arm,
      units: opening.filter((trial) => trial.arm === arm).length,
    })),
    addedTo: units.length - whole.length,
  };
}

/** An answer that was asked for later began later; within one millisecond the planned turn decides. */
const byStart = (a: ExperimentRow, b: ExperimentRow): number =>
  Date.parse(a.recorded_at) - Date.parse(b.recorded_at) || a.experiment.position - b.experiment.position;

/** Whether rows in the order of their start stem from one command, in the turns that it planned. */
function ranInOneGo(unit: ExperimentRow[]): boolean {
  const trials = unit.map((row) => row.experiment);
  const inTurn = trials.every(({ position }, at) => at === 0 || position > trials[at - 1]!.position);
  return inTurn && distinct(trials.map((trial) => trial.command)).length === 1;
}

const describeGate = ({ version, policy, threshold }: NonNullable<EvidenceRow["gate"]>): string =>
  `version ${version}, policy ${policy}, doubtful from ${figure(threshold, SHARE)}`;

/** The seed with the number of the repeat taken off again: it is the experiment's. */
function describeSampling({ sampling, experiment }: ExperimentRow): string {
  const { max_tokens, temperature, seed } = sampling;
  const from = seed === null ? "no seed" : `seed ${seed - experiment.repeat} plus the number of the repeat`;
  return `temperature ${temperature}, at most ${grouped(max_tokens)} tokens, ${from}`;
}

/** Each model with what answered under its name; `extract` asks none. */
function describeModels(rows: ExperimentRow[]): RunSetting["models"] {
  const asked = rows.filter((row) => row.experiment.arm !== "extract").flatMap((row) => row.attempts);
  const byModel = Map.groupBy(asked, ({ role, requested_model }) => JSON.stringify([role, requested_model]));
  return [...byModel.values()].flatMap(answerers).toSorted((a, b) => byRole(a.role) - byRole(b.role));
}

const byRole = (role: string): number => Number(role !== "local");

/** What answered the calls to one model: a line for each name and fingerprint that came back, one in any case. */
function answerers(calls: AttemptRecord[]): RunSetting["models"] {
  const answered = calls.filter((call) => call.verdict !== "error");
  const unanswered = calls.length - answered.length;
  const named = Map.groupBy(answered.length > 0 ? answered : calls, (call) =>
    JSON.stringify([call.returned_model, call.system_fingerprint]),
  );
  return [...named.values()].map((same) => {
    const { role, requested_model: requested, returned_model, system_fingerprint } = same[0]!;
    const names = { requested, returned: returned_model, fingerprint: system_fingerprint };
    return { role, ...names, calls: same.length, unanswered };
  });
}

/** Hash of the file, or of its parts' hashes where it was read in parts. */
function describeCorpora(rows: ExperimentRow[]): RunSetting["corpora"] {
  const corpora = rows.flatMap(({ corpus }) => {
    if (corpus === null) return [];
    const parts = (corpus.parts ?? []).map((part) => part.sha256).join("+");
    const fingerprint = (corpus.sha256 ?? sha256(parts)).slice(0, FINGERPRINT_CHARS);
    return [{ path: corpus.path, records: corpus.records, fingerprint }];
  });
  return [...new Map(corpora.map((corpus) => [JSON.stringify(corpus), corpus])).values()];
}

// ---------------------------------------------------------------------------------------------------------------------
// Figures
// Two decimals for a mean, no naught before the point of a share: .21 [.15, .27].
// ---------------------------------------------------------------------------------------------------------------------

type Format = Pick<OutcomeSpec, "unit" | "digits">;

const SHARE: Format = { unit: "share", digits: 2 };

/** 0.214 as ".21", -0.004 as ".00", 1234.5 as "1,235". */
export function figure(value: number, { unit, digits }: Format): string {
  const fixed = grouped(Math.abs(value), digits);
  const text = unit === "share" ? fixed.replace(/^0\./, ".") : fixed;
  return value < 0 && /[1-9]/.test(text) ? `-${text}` : text;
}

function grouped(value: number, digits = 0): string {
  const [whole, ...decimals] = value.toFixed(digits).split(".");
  return [whole!.replaceAll(/\B(?=(\d{3})+$)/g, ","), ...decimals].join(".");
}

const bounds = ({ low, high }: MeanInterval, format: Format): string =>
  `[${figure(low, format)}, ${figure(high, format)}]`;

const withBounds = (interval: MeanInterval, format: Format): string =>
  `${figure(interval.mean, format)} ${bounds(interval, format)}`;

/** The same with a plus sign where it is one. */
export function signedWithBounds(interval: MeanInterval, format: Format): string {
  const text = withBounds(interval, format);
  return interval.mean > 0 && /^[^[]*[1-9]/.test(text) ? `+${text}` : text;
}

const signed = (value: number, format: Format): string => {
  const text = figure(value, format);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
};

/** ".049", or "< .001". */
const probability = (p: number): string => (p < 0.001 ? "< .001" : figure(p, { unit: "share", digits: 3 }));

const equals = (p: number): string => (p < 0.001 ? "p < .001" : `p = ${probability(p)}`);

const plural = (count: number, one: string, more = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : more}`;

const shareOf = ({ yes, of }: Count): string => (of === 0 ? "-" : `${grouped(yes)} of ${grouped(of)}`);

// ---------------------------------------------------------------------------------------------------------------------
// Sentences
// Each is chosen by the figures alone.
// ---------------------------------------------------------------------------------------------------------------------

/** What a comparison shows in its primary outcome, without a full stop. */
export function verdictSentence(comparison: Comparison): string {
  const { treatment, control, primary } = comparison;
  const spec = outcomeOf(primary);
  const found = primaryOf(comparison);
  const between = `between ${treatment} and ${control} in ${spec.phrase}`;
  if (!found?.interval) {
    const why = comparison.pairs === 0 ? "no task was answered in both" : "no task that both answered has it";
    return `nothing to compare ${between}: ${why}`;
  }
  const pairs = found.pairs.length;
  const measured = `${signedWithBounds(found.interval, spec)}, ${plural(pairs, "pair")}`;
  if (pairs < MIN_PAIRS) return `too few pairs to tell a difference ${between}: ${measured}`;
  if (found.equal === pairs) return `no difference at all ${between}: equal in all ${grouped(pairs)} pairs`;
  const { low, high } = found.interval;
  if (low > 0 || high < 0) return shownSentence(comparison, found);
  const seen = `${plural(pairs, "pair")} could have seen ${figure(found.detectable!, spec)}${beyondReach(found)}`;
  const signs = found.p < ALPHA ? `but ${majority(found)}, ` : "";
  return `no difference shown ${between}: ${signedWithBounds(found.interval, spec)}, ${signs}sign test ${equals(found.p)}; ${seen}`;
}

/** Where the smallest difference that could have been seen is more than the control leaves to gain. */
function beyondReach(found: Difference): string {
  const largest = largestGain(found);
  if (found.detectable! <= largest) return "";
  return `, so with this spread not even the largest possible gain of ${figure(largest, outcomeOf(found.key))}`;
}

/** What the control's mean leaves to gain: no outcome falls below 0, and no share rises above 1. */
function largestGain({ key, pairs }: Difference): number {
  const { better, unit } = outcomeOf(key);
  const controlled = mean(pairs.map((pair) => pair.control));
  if (better === "lower") return controlled;
  return unit === "share" ? 1 - controlled : Infinity;
}

function shownSentence({ treatment, control, primary }: Comparison, found: Difference): string {
  const spec = outcomeOf(primary);
  const { mean, low, high } = found.interval!;
  const raises = mean > 0;
  const size = raises ? { mean, low, high } : { mean: -mean, low: -high, high: -low };
  const verb = raises ? "raises" : "lowers";
  const worth = raises === (spec.better === "higher") ? "better" : "worse";
  const tasks = plural(found.pairs.length, "task");
  return `${treatment} ${verb} ${spec.phrase} by ${withBounds(size, spec)} ${raises ? "over" : "against"} ${control} (${worth}; ${tasks}${signSupport(found, worth)})`;
}

/** What the sign test, which counts pairs, says to a mean that is better or worse. */
function signSupport(found: Difference, worth: "better" | "worse"): string {
  const test = `sign test ${equals(found.p)}`;
  const along = found[worth];
  const against = found.better + found.worse - along;
  if (against > along) return `; but ${majority(found)}, ${test}`;
  return `, ${test}${found.p < ALPHA ? "" : "; the sign test alone does not show it"}`;
}

/** "more pairs are worse than better: 30 against 10" */
function majority({ better, worse }: Difference): string {
  const [more, fewer] = better > worse ? ["better", "worse"] : ["worse", "better"];
  const [many, few] = [Math.max(better, worse), Math.min(better, worse)];
  return `more pairs are ${more} than ${fewer}: ${grouped(many)} against ${grouped(few)}`;
}

/** The same as a sentence of its own, with what it rests on. */
export function comparisonSentence(comparison: Comparison): string {
  const { pairs, leftOut, alone } = comparison;
  const sentence = verdictSentence(comparison).replace(/^./, (first) => first.toUpperCase());
  const apart = alone === 0 ? "" : `, ${plural(alone, "task")} that ran in one of the arms alone`;
  return `${sentence}. ${plural(pairs, "pair")} in all, ${plural(leftOut, "task")} left out for want of an answer in both arms${apart}.`;
}

/** A heading of every report: what has it may be written over by the next one. */
export const LEFT_OUT = "Left out, and found verbatim";

/** The sentences of all comparisons, or why there is none. */
export function verdictSentences({ arms, comparisons, setting }: Analysis): string[] {
  const mark = setting.dryRun ? "dry run, no model was asked: " : "";
  if (comparisons.length > 0) return comparisons.map((one) => mark + verdictSentence(one));
  return [arms.length === 0 ? "no rows" : `nothing to compare: ${arms[0]!.arm} is the only arm`];
}

/** Text with what is quoted as it is. */
export type Rich = string | readonly (string | Code)[];

export interface Code {
  code: string;
}

const code = (text: string): Code => ({ code: text });

const listed = (texts: string[]): (string | Code)[] =>
  texts.flatMap((text, at) => (at === 0 ? [code(text)] : [", ", code(text)]));

export function leakageSentences({ tasks, records, verbatim }: Leakage): Rich[] {
  const kept =
    tasks === 0
      ? "No record had to be kept from retrieval."
      : `${plural(records, "record was", "records were")} kept from retrieval in ${plural(tasks, "task")}: what the task excludes, and accepted answers to the same task.`;
  if (verbatim.length === 0)
    return [kept, "No task has more than half of its words verbatim in its best hit."];
  const those = verbatim.flatMap(({ task_id, share }, at) => [
    at === 0 ? "" : ", ",
    code(task_id),
    ` (${figure(share, SHARE)})`,
  ]);
  return [
    kept,
    [
      `${plural(verbatim.length, "task has", "tasks have")} more than half of the words verbatim in the best hit: `,
      ...those,
      ".",
    ],
  ];
}

/** How to read the figures of a part. */
export function readingNotes({ seed, primary, tasks, arms, setting }: Analysis): string[] {
  const repeats = setting.repeats > 1 ? `, the ${setting.repeats} repeats of each averaged` : "";
  const mcNemar = setting.repeats > 1 ? "" : ", which for a yes or no is McNemar's";
  const n = Math.max(...arms.map((arm) => summaryOf(arm, primary).values.length));
  const point = n === 0 ? "" : `, ${pointNote(n)}`;
  return [
    `Means over ${plural(tasks, "task")}, or over the n of them that have the outcome${repeats}; in brackets the 95 % interval: percentile bootstrap over tasks, ${grouped(RESAMPLES)} resamples, seed ${seed}. With fewer than 20 tasks it is too narrow${point}.`,
    `The primary outcome is "${outcomeOf(primary).name}". p is the exact two-sided sign test over pairs${mcNemar}; "Holm" is the same, adjusted for all outcomes of its table.`,
    `"Could have seen" is the smallest true mean difference that so many pairs, as spread as these, show in four of five experiments: by a z-test of the mean at 5 %, not by the sign test beside it, and before Holm.`,
    "Errors are counted apart and never as failures; a pair with one is left out.",
  ];
}

function pointNote(n: number): string {
  const percent = Number((100 * unseenShare(n)).toPrecision(2));
  return `and where all are equal it is a point: what none of ${plural(n, "task")} has, up to ${percent} % of all tasks may have, by the exact binomial interval`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Tables
// The same for Markdown and for the page.
// ---------------------------------------------------------------------------------------------------------------------

export interface Table {
  caption: string;
  head: string[];
  rows: Rich[][];
  /** Whether the columns behind the first hold figures. */
  figures: boolean;
}

export function runTable({ tasks, arms, comparisons, setting }: Analysis): Table {
  const { experiments, first, last, models, corpora, promptVersions, gates, samplings, ranOn } = setting;
  const answers = arms.reduce((sum, arm) => sum + arm.answers, 0);
  const errors = arms.reduce((sum, arm) => sum + arm.errors, 0);
  const rows: [string, Rich][] = [
    ["experiment", listed(experiments)],
    ["when", first === null ? "-" : `${first} to ${last}`],
    [
      "tasks",
      `${plural(tasks, "task")}, ${plural(setting.repeats, "repeat")}, ${plural(answers, "answer")}, ${plural(errors, "error")}`,
    ],
    ...models.map((model): [string, Rich] => [
      `${model.role} model`,
      setting.dryRun ? [code(model.requested), ", not asked: a dry run"] : describeModel(model),
    ]),
    ...corpora.map((corpus): [string, Rich] => [
      "corpus",
      [code(corpus.path), `, ${plural(corpus.records, "record")}, SHA-256 `, code(corpus.fingerprint)],
    ]),
    ["prompt", `version ${promptVersions.join(", ")}`],
    ["gate", gates.join("; ") || "-"],
    ["sampling", samplings.join("; ")],
    ["order", orderSentence(setting)],
    ...turnsRow(comparisons),
    ["machine", listed(ranOn)],
  ];
  return { caption: "What was run", head: ["", ""], rows, figures: false };
}

function describeModel(model: RunSetting["models"][number]): Rich {
  const { requested, returned, fingerprint, calls, unanswered } = model;
  return [
    code(requested),
    ", returned as ",
    returned === null ? "nothing" : code(returned),
    ...(fingerprint === null ? [", no fingerprint"] : [", fingerprint ", code(fingerprint)]),
    `, ${plural(calls, "call")}${unanswered === 0 ? "" : `, ${grouped(unanswered)} more unanswered`}`,
  ];
}

function orderSentence({ opened, addedTo }: RunSetting): string {
  const first = opened.map(({ arm, units }) => `${arm} in ${grouped(units)}`).join(", ");
  const later = addedTo === 0 ? "" : `; in ${grouped(addedTo)} more an arm was added or asked again later`;
  return `the arms of a task run next to each other and take turns in going first: ${first}${later}`;
}

/** A line that says how often each control came first, where anything is compared. */
function turnsRow(comparisons: Comparison[]): [string, string][] {
  const compared = comparisons.filter(({ controlFirst }) => controlFirst.of > 0);
  const counts = compared.map(({ control, controlFirst }) => `${control} in ${shareOf(controlFirst)}`);
  return compared.slice(0, 1).map(({ treatment }) => [`came before ${treatment}`, counts.join(", ")]);
}

/** Columns that hold nothing in any arm are left out. */
export function answersTable({ arms }: Analysis): Table {
  const columns: [string, (arm: ArmSummary) => string][] = [
    ["arm", ({ arm }) => arm],
    ["tasks", ({ tasks }) => grouped(tasks)],
    ["answers", ({ answers }) => grouped(answers)],
    ["errors", ({ errors }) => grouped(errors)],
    ["passed", ({ passed }) => grouped(passed)],
    ["rejected", ({ failed }) => grouped(failed)],
    ...(arms.some(({ escalated }) => escalated > 0) ? ESCALATION_COLUMNS : []),
    ...(arms.some(({ relevantFound }) => relevantFound.of > 0) ? RELEVANCE_COLUMNS : []),
  ];
  return {
    caption: "Answers by arm",
    head: columns.map(([name]) => name),
    rows: arms.map((arm) => columns.map(([, cell]) => cell(arm))),
    figures: true,
  };
}

const ESCALATION_COLUMNS: [string, (arm: ArmSummary) => string][] = [
  ["escalated", ({ escalated }) => grouped(escalated)],
  ["of those rejected", ({ rejectedFirst }) => grouped(rejectedFirst)],
  ["of those recovered", ({ recovered }) => grouped(recovered)],
];
const RELEVANCE_COLUMNS: [string, (arm: ArmSummary) => string][] = [
  ["relevant record found", ({ relevantFound }) => shareOf(relevantFound)],
  ["shown", ({ relevantShown }) => shareOf(relevantShown)],
];

/** A line for each outcome that any arm has. */
export function outcomesTable({ arms, primary, tasks }: Analysis): Table {
  const present = OUTCOMES.filter(({ key }) => arms.some((arm) => summaryOf(arm, key).values.length > 0));
  const rows = present.map(({ key, name, better }) => [
    key === primary ? `${name} (primary)` : name,
    better ?? "-",
    ...arms.map((arm) => meanCell(summaryOf(arm, key), tasks)),
  ]);
  const head = ["outcome", "better", ...arms.map(({ arm }) => arm)];
  return { caption: "Outcomes by arm, mean and 95 % interval", head, rows, figures: true };
}

export const summaryOf = ({ outcomes }: ArmSummary, key: OutcomeKey): OutcomeSummary =>
  outcomes.find((summary) => summary.key === key)!;

function meanCell({ key, interval, values }: OutcomeSummary, tasks: number): string {
  if (interval === null) return "-";
  const of = values.length === tasks ? "" : ` (n ${grouped(values.length)})`;
  return withBounds(interval, outcomeOf(key)) + of;
}

/** What the outcomes in a table mean, one each. */
export const outcomeMeanings = ({ arms }: Analysis): { name: string; meaning: string }[] =>
  OUTCOMES.filter(({ key }) => arms.some((arm) => summaryOf(arm, key).values.length > 0));

export function comparisonTable({ treatment, control, differences }: Comparison): Table {
  const head = ["outcome", "pairs", "difference", "better", "equal", "worse", "p", "Holm", "could have seen"];
  const rows = differences.map((found) => {
    const spec = outcomeOf(found.key);
    const { pairs, better, equal, worse, detectable } = found;
    return [
      `${spec.name} (${spec.better} is better)`,
      grouped(pairs.length),
      found.interval === null ? "-" : signedWithBounds(found.interval, spec),
      ...[better, equal, worse].map((count) => grouped(count)),
      probability(found.p),
      probability(found.holm),
      detectable === null || equal === pairs.length ? "-" : figure(detectable, spec),
    ];
  });
  return { caption: `Differences, ${treatment} minus ${control}`, head, rows, figures: true };
}

export interface Bin {
  label: string;
  /** Of each arm, in the analysis' order. */
  counts: number[];
}

const SHARE_BINS: [string, number][] = [
  ["0", 0],
  ["to .25", 0.25],
  ["to .50", 0.5],
  ["to .75", 0.75],
  ["under 1", 1 - 10 ** -DIFFERENCE_DECIMALS],
  ["1", Infinity],
];
const COUNT_BINS: [string, number][] = [
  ["0", 0],
  ["to 1", 1],
  ["to 2", 2],
  ["to 3", 3],
  ["to 5", 5],
  ["over 5", Infinity],
];

/** How many tasks of each arm have what of the primary outcome; a bin holds its upper bound. */
export function distribution({ arms, primary }: Analysis): Bin[] {
  const bins = outcomeOf(primary).unit === "share" ? SHARE_BINS : COUNT_BINS;
  return bins.map(([label, upTo], at) => {
    const above = at === 0 ? -Infinity : bins[at - 1]![1];
    const counts = arms.map(
      (arm) => summaryOf(arm, primary).values.filter((value) => value > above && value <= upTo).length,
    );
    return { label, counts };
  });
}

export function distributionTable(analysis: Analysis): Table {
  const { name } = outcomeOf(analysis.primary);
  return {
    caption: `Tasks by ${name}`,
    head: [name, ...analysis.arms.map(({ arm }) => arm)],
    rows: distribution(analysis).map(({ label, counts }) => [
      label,
      ...counts.map((count) => grouped(count)),
    ]),
    figures: true,
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Pairs to look at
// ---------------------------------------------------------------------------------------------------------------------

/** A stretch of an answer; `nowhere` and `supported` are facts. */
export interface Stretch {
  text: string;
  mark: "nowhere" | "supported" | null;
}

export interface ShownAnswer {
  arm: string;
  verdict: string;
  /** The value of the primary outcome. */
  value: string;
  stretches: Stretch[];
  /** True where the log keeps less than the whole answer. */
  clipped: boolean;
  /** Ids of the records that the model was shown. */
  shown: string[];
}

export interface PairToShow {
  heading: string;
  task_id: string;
  task: string;
  /** The control, then the treatment. */
  answers: [ShownAnswer, ShownAnswer];
}

/** The pairs with their texts, looked up in the rows that were analysed. */
export function pairsToShow({ pairs, primary, setting }: Analysis, rows: EvidenceRow[]): PairToShow[] {
  const averaged = setting.repeats > 1 ? ", averaged over the repeats; these are the answers of one" : "";
  return pairs.flatMap((pair) => {
    const find = (arm: string): AnsweredRow | undefined => answerOf(rows, { ...pair, arm });
    const control = find(pair.control);
    const treatment = find(pair.treatment);
    if (!control || !treatment) return [];
    const spec = outcomeOf(primary);
    const difference = `${signed(pair.difference, spec)} in ${spec.name}${averaged}`;
    const name = pair.place === "median" ? "Median" : `The ${pair.place}`;
    return {
      heading: `${name} for ${pair.treatment}: ${difference}`,
      task_id: pair.task_id,
      task: control.input_task,
      answers: [showAnswer(control, spec), showAnswer(treatment, spec)],
    };
  });
}

function answerOf(
  rows: EvidenceRow[],
  { task_id, repeat, arm }: { task_id: string; repeat: number; arm: string },
): AnsweredRow | undefined {
  return rows
    .filter(isAnswered)
    .find(
      ({ experiment }) =>
        experiment.task_id === task_id && experiment.repeat === repeat && experiment.arm === arm,
    );
}

function showAnswer(row: AnsweredRow, spec: OutcomeSpec): ShownAnswer {
  const { experiment, model_response, verdict, context_bundle: bundle } = row;
  const value = spec.read(row);
  const shown = [...(bundle?.prior_successful_outputs ?? []), ...(bundle?.failure_patterns ?? [])];
  return {
    arm: experiment.arm,
    verdict,
    value: `${spec.name} ${value === null ? "-" : figure(value, spec)}`,
    stretches: markFacts(row),
    clipped: experiment.outcomes.chars > model_response.length,
    shown: shown.map((playbook) => playbook.rag_id),
  };
}

/**
 * The answer in stretches, its facts marked. Where facts overlap, one that stands nowhere comes first, then the earlier. A fact
 * that is not at its place, because the log's answer is cut or has a secret struck out, stays unmarked.
 */
export function markFacts({
  model_response: answer,
  gate,
}: Pick<EvidenceRow, "model_response" | "gate">): Stretch[] {
  const rank = { nowhere: 0, retrieved: 1, task: 2, computed: 3, elsewhere: 4 };
  const placed = (gate?.claims ?? [])
    .filter(
      ({ support, text, offset }) => rank[support] < 2 && text !== "" && answer.startsWith(text, offset),
    )
    .toSorted((a, b) => rank[a.support] - rank[b.support] || a.offset - b.offset)
    .reduce<{ offset: number; end: number; mark: Stretch["mark"] }[]>((taken, { offset, text, support }) => {
      const end = offset + text.length;
      const isFree = taken.every((other) => end <= other.offset || offset >= other.end);
      return isFree
        ? [...taken, { offset, end, mark: support === "nowhere" ? "nowhere" : "supported" }]
        : taken;
    }, [])
    .toSorted((a, b) => a.offset - b.offset);
  const stretches = placed.flatMap(({ offset, end, mark }, at): Stretch[] => [
    { text: answer.slice(placed[at - 1]?.end ?? 0, offset), mark: null },
    { text: answer.slice(offset, end), mark },
  ]);
  return [...stretches, { text: answer.slice(placed.at(-1)?.end ?? 0), mark: null as null }]
    .map(({ text, mark }) => ({ text: printable(text), mark }))
    .filter(({ text }) => text !== "");
}

/** Line ends as one kind, and what would print as nothing or break a file as U+FFFD. */
export const printable = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/\r\n?/g, "\n")
    // Controls, and the marks that turn the direction of a line.
    .replaceAll(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, "\uFFFD");

// ---------------------------------------------------------------------------------------------------------------------
// Markdown
// As the formatter wants it, so that a report in the repository stays as it was written.
// ---------------------------------------------------------------------------------------------------------------------

/** One experiment in a report. */
export interface ReportPart {
  name: string;
  /** The command lines that made its rows. */
  command: string | null;
  analysis: Analysis;
  rows: EvidenceRow[];
}

export interface ReportOptions {
  title: string;
  /** Markdown in the author's own words. */
  notes: string | null;
}

/** The report: the title, what the author has to say, what all parts show, then each part with its figures. */
export function markdownReport(parts: ReportPart[], { title, notes }: ReportOptions): string {
  const verdicts = parts.flatMap(({ name, analysis }) =>
    verdictSentences(analysis).map((sentence) => `- **${name}**: ${sentence}.`),
  );
  const blocks = [
    `# ${title}`,
    ...(notes === null || notes.trim() === "" ? [] : [notes.trim()]),
    "## What the figures show",
    verdicts.join("\n"),
    ...parts.flatMap(markdownPart),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function markdownPart({ name, command, analysis, rows }: ReportPart): string[] {
  if (analysis.arms.length === 0) return [`## ${name}`, "No rows."];
  return [
    `## ${name}`,
    "### What was run",
    ...(command === null ? [] : [fenced(command.trim(), "sh")]),
    markdownTable(runTable(analysis)),
    "### Outcomes by arm",
    markdownTable(answersTable(analysis)),
    markdownTable(outcomesTable(analysis)),
    bullets(outcomeMeanings(analysis).map((outcome) => `_${outcome.name}_: ${outcome.meaning}.`)),
    markdownTable(distributionTable(analysis)),
    ...analysis.comparisons.flatMap((comparison) => [
      `### ${comparison.treatment} against ${comparison.control}`,
      comparisonSentence(comparison),
      markdownTable(comparisonTable(comparison)),
    ]),
    bullets(readingNotes(analysis)),
    `### ${LEFT_OUT}`,
    bullets(leakageSentences(analysis.leakage).map(markdownOf)),
    ...markdownPairs(pairsToShow(analysis, rows)),
  ].filter((block) => block !== "");
}

function markdownPairs(pairs: PairToShow[]): string[] {
  if (pairs.length === 0) return [];
  return [
    "### Pairs side by side",
    "Chosen by rule: the best, the middle and the worst for the treatment in the primary outcome, equals in the order in which the tasks ran. ⟪ ⟫ marks a fact that stands nowhere; where an answer has such a sign of its own, it is doubled.",
    ...pairs.flatMap(({ heading, task_id, task, answers }) => [
      `#### ${heading}`,
      markdownOf(["Task ", code(task_id), ":"]),
      fenced(printable(task), "text"),
      ...answers.flatMap(markdownAnswer),
    ]),
  ];
}

function markdownAnswer(answer: ShownAnswer): string[] {
  const doubled = (text: string): string => text.replaceAll(/[⟪⟫]/g, "$&$&");
  const text = answer.stretches
    .map(({ text, mark }) => (mark === "nowhere" ? `⟪${doubled(text)}⟫` : doubled(text)))
    .join("");
  return [
    `**${answerName(answer)}** (${answerFacts(answer)}), ${markdownOf(shownText(answer.shown))}:`,
    fenced(text, "text"),
  ];
}

/** "none", or "none, rejected by the gate". */
export const answerName = ({ arm, verdict }: ShownAnswer): string =>
  verdict === "pass" ? arm : `${arm}, rejected by the gate`;

/** "expects met .50, pass, the beginning" */
export const answerFacts = ({ verdict, value, clipped }: ShownAnswer): string =>
  [value, ...(verdict === "pass" ? [verdict] : []), ...(clipped ? ["the beginning"] : [])].join(", ");

export const shownText = (shown: string[]): Rich =>
  shown.length === 0 ? "shown no record" : ["shown ", ...listed(shown)];

const bullets = (texts: string[]): string => texts.map((text) => `- ${text}`).join("\n");

/** A fenced block that nothing in the text can end. */
function fenced(text: string, language: string): string {
  const fence = "`".repeat(longestRun(text) < 3 ? 3 : longestRun(text) + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

const longestRun = (text: string): number =>
  Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));

function markdownOf(text: Rich): string {
  if (typeof text === "string") return text;
  return text.map((part) => (typeof part === "string" ? part : codeSpan(part.code))).join("");
}

function codeSpan(text: string): string {
  const line = printable(text).replaceAll(/\s+/g, " ");
  const fence = "`".repeat(longestRun(line) + 1);
  const space = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return `${fence}${space}${line}${space}${fence}`;
}

/** Columns as wide as their widest cell, as the formatter aligns them; nothing without rows. */
function markdownTable({ head, rows }: Table): string {
  if (rows.length === 0) return "";
  const cells = [head, ...rows].map((row) => row.map((cell) => markdownOf(cell).replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => Bun.stringWidth(row[column]!))));
  const line = (row: string[]): string =>
    `| ${row.map((cell, column) => cell + " ".repeat(widths[column]! - Bun.stringWidth(cell))).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n");
}
