/** `distill retrieve`: one task or a file of them, as a table or JSON, and how well retrieval did. */
import { counted, describeHit, sha256, toJson } from "../replay.ts";
import type { OpenCorpus, Retrieval, RetrieveOptions } from "../replay.ts";
import type { RankedTask, RetrievalScore, Task } from "../tasks.ts";
import {
  EXIT,
  corpusOf,
  fileOf,
  forStdout,
  mindingKeys,
  printable,
  rankerOf,
  readRows,
  retrieveOptions,
  taskOf,
  usage,
  warner,
} from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
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
  const { scoreRetrieval, strangeIds, TASK_KEYS, toTask } = await import("../tasks.ts");
  let bad = 0;
  const warn = (message: string): void => (bad++, warner(io)(message));
  const toRow = mindingKeys(TASK_KEYS, toTask, warner(io));
  const ranked: RankedTask[] = [];
  for await (const task of readRows(path, toRow, warn)) {
    const { exclude_ids: excludeIds, exclude_source_run_ids: excludeSourceRunIds } = task;
    const topK = Math.max(options.topK, SCORED_HITS);
    const retrieval = await corpus.retrieve(task.task, { ...options, topK, excludeIds, excludeSourceRunIds });
    const hits = retrieval.hits.slice(0, options.topK);
    if (!(await print(task, { ...retrieval, hits }))) return EXIT.accepted;
    if (task.relevant_ids !== null) ranked.push(rankedTask(task, retrieval));
  }
  const known = await corpus.find(ranked.flatMap(({ relevant_ids }) => relevant_ids));
  io.stderr(scoreLines(scoreRetrieval(ranked), strangeIds(ranked, known)));
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

/** Characters of a preview that the table shows; all of it is in --json. */
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
