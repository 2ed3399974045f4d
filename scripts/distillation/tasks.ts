/**
 * Tasks files: what a row may say, and how an outcome is scored against it, without a judge.
 *
 * A task names the records that answer it (`relevant_ids`; none: a stranger, which nothing in the corpus answers), what a right
 * answer contains (`expects`) and what it must not (`rejects`), and which records to leave out of retrieval.
 */
import { isStringArray, sha256, shown } from "./replay.ts";

/** One row of a tasks file; unknown fields are dropped here and kept in the file. */
export interface Task {
  task: string;
  /** Default: the first 16 of the task's hash. */
  task_id: string;
  /** Null: not said. Empty: nothing in the corpus answers it. */
  relevant_ids: string[] | null;
  /** Strings that a right answer contains as they are, or `/regular expression/flags` with flags of i, m, s and u. */
  expects: string[];
  rejects: string[];
  exclude_ids: string[];
  exclude_source_run_ids: string[];
}

/** A task with nothing said about it. */
const plainTask = (task: string): Task => ({
  task,
  task_id: sha256(task).slice(0, 16),
  relevant_ids: null,
  expects: [],
  rejects: [],
  exclude_ids: [],
  exclude_source_run_ids: [],
});

/** The task in one parsed row, or what is wrong with it. */
export function toTask(value: Record<string, unknown>): Task | string {
  const { task, task_id } = value;
  if (typeof task !== "string" || task.trim() === "")
    return `"task" must be a non-empty string (got ${shown(task)}). Fix the row or drop it.`;
  if (task_id !== undefined && typeof task_id !== "string")
    return `"task_id" must be a string (got ${shown(task_id)}). Fix the row or drop it.`;
  const row = plainTask(task);
  if (task_id !== undefined) row.task_id = task_id;
  for (const field of LISTS) {
    const list = value[field];
    if (list === undefined) continue;
    if (!isStringArray(list))
      return `"${field}" must be an array of strings (got ${shown(list)}). Fix the row or drop it.`;
    row[field] = list;
  }
  const problems = [...row.expects, ...row.rejects].flatMap((text) => whyUnusable(text) ?? []);
  return problems[0] ?? row;
}

/** What is wrong with an expectation; null where nothing is. */
function whyUnusable(text: string): string | null {
  if (!EXPRESSION.test(text) && hasOtherFlags(text))
    return `${shown(text)} has flags that are not supported. Use only i, m, s and u.`;
  if (text !== "" && matcher(text) !== null) return null;
  return `${shown(text)} cannot be used. Write a text or a regular expression.`;
}

const LISTS = ["relevant_ids", "expects", "rejects", "exclude_ids", "exclude_source_run_ids"] as const;

/** What is read of a row. */
export const TASK_KEYS: readonly string[] = ["task", "task_id", ...LISTS];

/** Whether a text contains what an expectation names: the string as it is, or a match of `/regular expression/flags`. */
export function meets(text: string, expectation: string): boolean {
  return matcher(expectation)?.(text) ?? false;
}

/** Only flags that change what is met, or a path (/dev/sdg) would be one. */
const EXPRESSION = /^\/(.+)\/([imsu]*)$/s;

/** What was meant for an expression with other flags: it has signs that a path does not have, or gi behind one word. */
function hasOtherFlags(text: string): boolean {
  const [, source, flags] = /^\/(.+)\/([dgimsuvy]+)$/s.exec(text) ?? [];
  if (source === undefined) return false;
  return /[\\|^]|\.[*+]/.test(source) || (!source.includes("/") && /^(?:gi|ig)$/.test(flags!));
}

/** Null for `/…/flags` that is no regular expression. */
function matcher(expectation: string): ((text: string) => boolean) | null {
  const [, source, flags] = EXPRESSION.exec(expectation) ?? [];
  if (source === undefined) return (text) => text.includes(expectation);
  try {
    const shape = new RegExp(source, flags);
    return (text) => shape.test(text);
  } catch {
    return null;
  }
}

/** Relevant ids that no record of `known` has, each with the first task that names it: "linux/typo (disk)". */
export function strangeIds(
  tasks: Pick<Task, "task_id" | "relevant_ids">[],
  known: Map<string, unknown>,
): string[] {
  const strange = new Map<string, string>();
  for (const { task_id, relevant_ids } of tasks)
    for (const id of relevant_ids ?? []) if (!known.has(id) && !strange.has(id)) strange.set(id, task_id);
  return [...strange].map(([id, task]) => `${id} (${task})`);
}

// ---------------------------------------------------------------------------------------------------------------------
// How well retrieval found what the tasks name
// ---------------------------------------------------------------------------------------------------------------------

/** What retrieval returned for one task that says what answers it. */
export interface RankedTask {
  task_id: string;
  relevant_ids: string[];
  /** Best first. */
  hit_ids: string[];
  /** In [0, 1]. */
  coverage: number;
}

export interface RetrievalScore {
  /** Tasks that something in the corpus answers. */
  answerable: number;
  /** Shares of them, in [0, 1], with a relevant record among the first one and the first three. */
  success_at_1: number;
  success_at_3: number;
  /** Mean over them, binary gains, the ideal being all relevant records first (Järvelin and Kekäläinen, 2002). */
  ndcg_at_10: number;
  /** Those without a relevant record among the first three. */
  missed: string[];
  strangers: number;
  /** What turning away by coverage would do; null without both kinds of tasks. */
  abstention: Abstention | null;
}

export interface Abstention {
  /** Abstain below it. */
  min_coverage: number;
  strangers_turned_away: number;
  answerable_turned_away: number;
}

/** The score of retrieval over tasks that name their relevant records. */
export function scoreRetrieval(tasks: RankedTask[]): RetrievalScore {
  const answerable = tasks.filter((task) => task.relevant_ids.length > 0);
  const foundBy = (task: RankedTask, depth: number): boolean =>
    task.hit_ids.slice(0, depth).some((id) => task.relevant_ids.includes(id));
  const share = (depth: number): number => mean(answerable.map((task) => Number(foundBy(task, depth))));
  return {
    answerable: answerable.length,
    success_at_1: share(1),
    success_at_3: share(3),
    ndcg_at_10: mean(answerable.map(ndcgAt10)),
    missed: answerable.filter((task) => !foundBy(task, 3)).map((task) => task.task_id),
    strangers: tasks.length - answerable.length,
    abstention: bestAbstention(tasks),
  };
}

const mean = (values: number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** With one relevant record of two at rank 2: (1 / log2 3) / (1 / log2 2 + 1 / log2 3) = 0.387. */
function ndcgAt10({ relevant_ids, hit_ids }: RankedTask): number {
  const gainAt = (index: number): number => 1 / Math.log2(index + 2);
  const gains = hit_ids.slice(0, 10).map((id, index) => (relevant_ids.includes(id) ? gainAt(index) : 0));
  const ideal = relevant_ids.slice(0, 10).map((_, index) => gainAt(index));
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  return sum(gains) / sum(ideal);
}

/** The least whole hundredth above a coverage; rounded first, for 0.29 * 100 is 28.999999999999996. */
const hundredthAbove = (coverage: number): number => {
  const hundredths = Number((coverage * 100).toFixed(9));
  return (Math.floor(hundredths) + 1) / 100;
};

/**
 * The least coverage that separates best: the share of strangers turned away less the share of answerable tasks turned
 * away is greatest (Youden, 1950). Of equals the lowest.
 */
function bestAbstention(tasks: RankedTask[]): Abstention | null {
  const strangers = tasks.filter((task) => task.relevant_ids.length === 0);
  const answerable = tasks.filter((task) => task.relevant_ids.length > 0);
  if (strangers.length === 0 || answerable.length === 0) return null;
  const below = (group: RankedTask[], limit: number): number =>
    group.filter((task) => task.coverage < limit).length;
  const above = new Set(tasks.map((task) => hundredthAbove(task.coverage)));
  const limits = [...above].sort((a, b) => a - b);
  // Times both group sizes, so that equals are equal.
  const benefit = (limit: number): number =>
    below(strangers, limit) * answerable.length - below(answerable, limit) * strangers.length;
  const min_coverage = limits.reduce((best, limit) => (benefit(limit) > benefit(best) ? limit : best), 0);
  return {
    min_coverage,
    strangers_turned_away: below(strangers, min_coverage),
    answerable_turned_away: below(answerable, min_coverage),
  };
}
