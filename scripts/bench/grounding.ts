/** What the gate's benches share: labelled answers, the figures that are made of them, and folds that keep sources together. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

import { GATE_DEFAULTS, isObject, readJsonLines, recordSource, taskSource } from "../distillation/replay.ts";
import type { GateInput } from "../distillation/replay.ts";

/** One labelled answer of a set. */
export interface Row {
  id: string;
  set: string;
  task: string;
  evidence: string;
  response: string;
  /** True where the answer says what its evidence does not. */
  bad: boolean;
  /** What was planted, in sets that are made. */
  kind: string | null;
  /** Rows about the same text have the same source. */
  source: string;
}

export const SETS = ["ragtruth.dev.jsonl", "wice.dev.jsonl", "synth-tech.dev.jsonl"];

const REPOSITORY = join(import.meta.dir, "../..");

/** The folder of --data, else the usual one. */
export const dataFolder = (named = join(REPOSITORY, "data/grounding")): string => resolve(named);

/** The rows of those sets that are there; what is missing is said. */
export async function readSets(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of SETS) {
    const path = join(folder, name);
    if (!existsSync(path)) console.error(`${path}: not there, left out. Name its folder with --data DIR.`);
    else for await (const line of readJsonLines(path)) if ("value" in line) rows.push(...toRow(line.value));
  }
  return rows;
}

function toRow(value: unknown): Row[] {
  if (!isObject(value)) return [];
  const text = (field: string): string => String(value[field] ?? "");
  const row: Row = {
    id: text("id"),
    set: text("dataset"),
    task: text("task"),
    evidence: text("evidence"),
    response: text("response"),
    bad: value.label === "hallucinated",
    kind: typeof value.kind === "string" ? value.kind : null,
    source: text("source"),
  };
  return [row];
}

/** A row as the gate is asked about it by `distill gate --rows`. */
export const inputOf = ({ task, evidence, response }: Row): GateInput => ({
  ...GATE_DEFAULTS,
  answer: response,
  sources: [taskSource(task), recordSource("evidence:0", evidence)],
  without: "form",
});

/** F1 of the bad ones; 0 where none was named. */
export function f1Of(named: boolean[], bad: boolean[]): number {
  const hits = named.filter((entry, index) => entry && bad[index]).length;
  const sum = named.filter(Boolean).length + bad.filter(Boolean).length;
  return sum === 0 ? 0 : (2 * hits) / sum;
}

/** The chance that a bad answer scores above a good one, ties by half; NaN where one kind is missing. */
export function aucOf(scores: number[], bad: boolean[]): number {
  const order = scores.map((_, index) => index).sort((a, b) => scores[a]! - scores[b]!);
  let rankSum = 0;
  for (let at = 0; at < order.length;) {
    let end = at;
    while (end < order.length && scores[order[end]!] === scores[order[at]!]) end++;
    for (let i = at; i < end; i++) if (bad[order[i]!]) rankSum += (at + end + 1) / 2;
    at = end;
  }
  const positives = bad.filter(Boolean).length;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (bad.length - positives));
}

/** Which of `folds` a source is in; the same for all of its rows, another one for another seed. */
export function foldOf(source: string, seed: number, folds: number): number {
  return Number(Bun.hash.xxHash32(source, seed)) % folds;
}
