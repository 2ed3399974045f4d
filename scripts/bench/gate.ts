/**
 * What the gate is worth: quality on the labelled sets that are there and answers per second, beside trivial baselines.
 *
 *   ./scripts/bun run bench:gate [--data DIR]
 *
 * "Doubtful" and "fails" are the gate's two voices. The baselines: reject everything; reject where the share of novel
 * word triples is high (with the threshold that is best for each line, which flatters it); the structural checks.
 * F1 is that of the bad answers. The weights were fitted on these development sets: scripts/bench/fit-gate.ts prints
 * what holds for unseen sources.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";

import { DOUBTFUL, gate, readView } from "../distillation/replay.ts";
import type { View } from "../distillation/replay.ts";
import { noveltyOf } from "../distillation/wording.ts";
import { aucOf, dataFolder, f1Of, inputOf, readSets, SETS } from "./grounding.ts";
import type { Row } from "./grounding.ts";

interface Method {
  name: string;
  /** Grows with doubt. */
  score: (row: Row) => number;
  /** Null: the best one on the very rows that a line speaks of. */
  threshold: number | null;
}

const viewOf = (row: Row): View => readView(inputOf(row));

const METHODS: Method[] = [
  { name: "doubtful", score: (row) => viewOf(row).score, threshold: DOUBTFUL },
  { name: "fails", score: (row) => Number(gate(inputOf(row)).verdict === "fail"), threshold: 1 },
  { name: "always fail", score: () => 1, threshold: 1 },
  { name: "novel trigrams", score: trigramScore, threshold: null },
  { name: "structural checks", score: structuralScore, threshold: 1 },
];

function trigramScore(row: Row): number {
  const { wording, known } = viewOf(row);
  return noveltyOf(wording, known).trigrams;
}

function structuralScore(row: Row): number {
  return Number(gate({ ...inputOf(row), policy: "structural" }).verdict === "fail");
}

interface Result {
  name: string;
  scores: number[];
  threshold: number | null;
  perSecond: number;
}

function run({ name, score, threshold }: Method, rows: Row[]): Result {
  const startedAt = performance.now();
  const scores = rows.map(score);
  const perSecond = rows.length / ((performance.now() - startedAt) / 1000);
  return { name, scores, threshold, perSecond };
}

function bestThreshold(scores: number[], bad: boolean[]): number {
  const worth = (threshold: number): number =>
    f1Of(
      scores.map((score) => score >= threshold),
      bad,
    );
  return Array.from({ length: 100 }, (_, step) => step / 100).reduce((a, b) => (worth(b) > worth(a) ? b : a));
}

const share = (count: number, of: number): string => (of === 0 ? "-" : (count / of).toFixed(3)).padStart(9);

function line(
  { name, scores, threshold, perSecond }: Result,
  rows: Row[],
  wanted: (row: Row) => boolean,
): string {
  const at = rows.flatMap((row, index) => (wanted(row) ? index : []));
  const bad = at.map((index) => rows[index]!.bad);
  const own = at.map((index) => scores[index]!);
  const from = threshold ?? bestThreshold(own, bad);
  const named = own.map((score) => score >= from);
  const caught = named.filter((entry, index) => entry && bad[index]).length;
  const hit = named.filter((entry, index) => entry && !bad[index]).length;
  const good = bad.filter((entry) => !entry).length;
  const auc = aucOf(own, bad);
  return [
    `  ${name.padEnd(18)}`,
    share(caught, caught + hit),
    share(caught, bad.length - good),
    f1Of(named, bad).toFixed(3).padStart(9),
    (Number.isNaN(auc) ? "-" : auc.toFixed(3)).padStart(9),
    share(hit, good),
    String(Math.round(perSecond)).padStart(11),
  ].join("");
}

const HEAD = `  ${"".padEnd(18)}precision   recall       F1      AUC  good hit  answers/s`;

function printKinds(rows: Row[], results: Result[]): void {
  const kinds = [...new Set(rows.flatMap((row) => row.kind ?? []))].sort();
  if (kinds.length === 0) return;
  const [doubtful, fails] = results;
  console.log("\nsynth-tech, share caught by kind      rows    fails  doubtful");
  for (const kind of kinds) {
    const at = rows.flatMap((row, index) => (row.kind === kind ? index : []));
    const caught = ({ scores, threshold }: Result): string =>
      share(at.filter((index) => scores[index]! >= (threshold ?? 1)).length, at.length);
    console.log(`  ${kind.padEnd(34)}${String(at.length).padStart(6)}${caught(fails!)} ${caught(doubtful!)}`);
  }
}

/** `distill gate --rows` in a process of its own, start included. */
async function wholeProcess(folder: string): Promise<void> {
  const command = join(import.meta.dir, "../distillation/distill.ts");
  for (const name of SETS) {
    const path = join(folder, name);
    if (!(await Bun.file(path).exists())) continue;
    const startedAt = performance.now();
    const child = Bun.spawn([process.execPath, command, "gate", "--rows", path], { stdout: "pipe" });
    const judged = (await child.stdout.text()).split("\n").length - 1;
    const ms = performance.now() - startedAt;
    console.log(
      `  ${name.padEnd(24)} ${judged} answers in ${(ms / 1000).toFixed(2)} s, ${Math.round((1000 * judged) / ms)} a second`,
    );
  }
}

const { values } = parseArgs({ options: { data: { type: "string" } } });
const folder = dataFolder(values.data);
const rows = await readSets(folder);
if (rows.length === 0) process.exitCode = 3;
else {
  const results = METHODS.map((method) => run(method, rows));
  const sets = [...new Set(rows.map((row) => row.set))];
  for (const set of sets) {
    const count = rows.filter((row) => row.set === set).length;
    console.log(`\n${set}, ${count} answers\n${HEAD}`);
    for (const result of results) console.log(line(result, rows, (row) => row.set === set));
  }
  console.log(`\nragtruth, pooled\n${HEAD}`);
  for (const result of results) console.log(line(result, rows, (row) => row.set.startsWith("ragtruth")));
  printKinds(rows, results);
  console.log("\nwhole process");
  await wholeProcess(folder);
}
