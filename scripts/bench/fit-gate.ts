/**
 * Fits the weights and the threshold of doubt.ts on the development sets and prints them as they stand there.
 *
 *   ./scripts/bun scripts/bench/fit-gate.ts [--data DIR] [--check]
 *
 * Logistic regression by Newton's method with an L2 penalty on standardised measures, for prose and for records apart.
 * All that is reported comes from answers whose sources the fit has not seen: five folds by source, repeated with five
 * seeds. The threshold is the one that serves RAGTruth best (pooled F1 plus half of QA's) on those scores. With --check
 * it ends with 1 where the printed form is not the one in the code.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";

import { printFitted, PROSE_MEASURES, RECORD_MEASURES } from "../distillation/doubt.ts";
import type { Measure, Measures, Weights } from "../distillation/doubt.ts";
import { readView } from "../distillation/replay.ts";
import { aucOf, dataFolder, f1Of, foldOf, inputOf, readSets } from "./grounding.ts";
import type { Row } from "./grounding.ts";

const SEEDS = [11, 23, 37, 41, 53];
const FOLDS = 5;
/** Strength of the penalty, in observations. */
const PENALTY = 3;
const NEWTON_STEPS = 20;
/** RAGTruth is what the threshold is for; the others keep the weights honest on sentences and on runbooks. */
const SET_WEIGHTS: Record<string, number> = { wice: 0.3, "synth-tech": 0.3 };

interface Sample extends Row {
  measures: Measures;
}

interface Fit {
  prose: Weights;
  record: Weights;
}

function fitBoth(samples: Sample[]): Fit {
  const of = (record: boolean): Sample[] => samples.filter(({ measures }) => measures.record === record);
  return { prose: fitLogistic(of(false), PROSE_MEASURES), record: fitLogistic(of(true), RECORD_MEASURES) };
}

function fitLogistic(samples: Sample[], names: readonly Measure[]): Weights {
  const columns = names.map((name) => standardise(samples.map(({ measures }) => measures[name])));
  const rows = samples.map((_, row) => [1, ...columns.map(({ values }) => values[row]!)]);
  let beta = rows[0]!.map(() => 0);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const { gradient, hessian } = derivatives(rows, samples, beta);
    const change = solve(hessian, gradient);
    beta = beta.map((value, index) => value + change[index]!);
  }
  const [intercept, ...scaled] = beta;
  const weights = names.map((name, index): [Measure, number] => [
    name,
    scaled[index]! / columns[index]!.deviation,
  ]);
  const shift = weights.reduce((sum, [, weight], index) => sum + weight * columns[index]!.mean, 0);
  return { intercept: intercept! - shift, weights: Object.fromEntries(weights) };
}

function standardise(values: number[]): { values: number[]; mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const deviation = Math.sqrt(variance) || 1;
  return { values: values.map((value) => (value - mean) / deviation), mean, deviation };
}

/** Of the penalised log-likelihood; the intercept is not penalised. */
function derivatives(rows: number[][], samples: Sample[], beta: number[]) {
  const gradient = beta.map((value, index) => (index === 0 ? 0 : -PENALTY * value));
  const hessian = beta.map((_, i) => beta.map((__, j) => (i === j && i > 0 ? PENALTY : 0)));
  for (const [index, row] of rows.entries()) {
    const { set, bad } = samples[index]!;
    const weight = SET_WEIGHTS[set] ?? 1;
    const chance = 1 / (1 + Math.exp(-row.reduce((sum, value, at) => sum + value * beta[at]!, 0)));
    for (let i = 0; i < row.length; i++) {
      gradient[i]! += weight * (Number(bad) - chance) * row[i]!;
      for (let j = 0; j < row.length; j++)
        hessian[i]![j]! += weight * chance * (1 - chance) * row[i]! * row[j]!;
    }
  }
  return { gradient, hessian };
}

/** x of A·x = b, by elimination with pivots. */
function solve(a: number[][], b: number[]): number[] {
  const rows = a.map((row, index) => [...row, b[index]!]);
  for (let i = 0; i < rows.length; i++) {
    const below = rows.slice(i).map((row) => Math.abs(row[i]!));
    const pivot = i + below.indexOf(Math.max(...below));
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let k = i + 1; k < rows.length; k++) {
      const factor = rows[k]![i]! / rows[i]![i]!;
      rows[k] = rows[k]!.map((value, at) => value - factor * rows[i]![at]!);
    }
  }
  const x = b.map(() => 0);
  for (let i = rows.length - 1; i >= 0; i--) {
    const rest = x.reduce((sum, value, at) => (at > i ? sum + rows[i]![at]! * value : sum), 0);
    x[i] = (rows[i]![rows.length]! - rest) / rows[i]![i]!;
  }
  return x;
}

function scoreBy({ prose, record }: Fit, measures: Measures): number {
  const { intercept, weights } = measures.record ? record : prose;
  const sum = Object.entries(weights).reduce(
    (s, [name, weight]) => s + weight * measures[name as Measure],
    intercept,
  );
  return 1 / (1 + Math.exp(-sum));
}

/** A score for every sample from a fit that has not seen its source. */
function heldOutScores(samples: Sample[], seed: number): number[] {
  const folds = samples.map(({ source }) => foldOf(source, seed, FOLDS));
  const fits = Array.from({ length: FOLDS }, (_, fold) =>
    fitBoth(samples.filter((__, at) => folds[at] !== fold)),
  );
  return samples.map(({ measures }, at) => scoreBy(fits[folds[at]!]!, measures));
}

const isRagTruth = ({ set }: Row): boolean => set.startsWith("ragtruth");
const isQa = ({ set }: Row): boolean => set === "ragtruth-qa";

/** F1 on the rows that are wanted. */
function f1Among(samples: Sample[], rejected: boolean[], wanted: (row: Row) => boolean): number {
  return f1Of(
    rejected.filter((_, at) => wanted(samples[at]!)),
    samples.filter(wanted).map(({ bad }) => bad),
  );
}

const GRID = Array.from({ length: 61 }, (_, index) => (20 + index) / 100);

/** The threshold that does best on the mean over all runs of scores; of the rows that are wanted alone. */
function bestThreshold(
  samples: Sample[],
  runs: number[][],
  wanted: (row: Row) => boolean = () => true,
): number {
  const worth = (threshold: number): number =>
    runs.reduce((sum, scores) => {
      const rejected = scores.map((score) => score >= threshold);
      const pooled = f1Among(samples, rejected, (row) => wanted(row) && isRagTruth(row));
      return sum + pooled + f1Among(samples, rejected, (row) => wanted(row) && isQa(row)) / 2;
    }, 0);
  return GRID.map((threshold) => ({ threshold, worth: worth(threshold) })).reduce((best, entry) =>
    entry.worth > best.worth + 1e-9 ? entry : best,
  ).threshold;
}

/** Means over the seeds, each row judged by a fit and a threshold that have not seen its source. */
function report(samples: Sample[], runs: number[][]): void {
  const judged = runs.map((scores, run) => {
    const folds = samples.map(({ source }) => foldOf(source, SEEDS[run]!, FOLDS));
    const thresholds = Array.from({ length: FOLDS }, (_, fold) =>
      bestThreshold(samples, [scores], ({ source }) => foldOf(source, SEEDS[run]!, FOLDS) !== fold),
    );
    return samples.map((_, at) => scores[at]! >= thresholds[folds[at]!]!);
  });
  const groups: [string, (row: Row) => boolean][] = [
    ...[...new Set(samples.map(({ set }) => set))].map((set): [string, (row: Row) => boolean] => [
      set,
      (row) => row.set === set,
    ]),
    ["ragtruth, pooled", isRagTruth],
  ];
  console.log("\ncross-validated, mean of 5 seeds      rows    AUC     F1");
  for (const [name, wanted] of groups) {
    const at = samples.flatMap((sample, index) => (wanted(sample) ? index : []));
    const bad = at.map((index) => samples[index]!.bad);
    const mean = (of: (run: number) => number): string =>
      (runs.reduce((sum, _, run) => sum + of(run), 0) / runs.length).toFixed(3);
    const auc = mean((run) =>
      aucOf(
        at.map((index) => runs[run]![index]!),
        bad,
      ),
    );
    const f1 = mean((run) =>
      f1Of(
        at.map((index) => judged[run]![index]!),
        bad,
      ),
    );
    console.log(`${name.padEnd(36)} ${String(at.length).padStart(5)}  ${auc}  ${f1}`);
  }
}

const { values } = parseArgs({ options: { data: { type: "string" }, check: { type: "boolean" } } });
const rows = await readSets(dataFolder(values.data));
if (rows.length === 0) process.exitCode = 3;
else {
  const samples = rows.map((row): Sample => ({ ...row, measures: readView(inputOf(row)).measures }));
  const runs = SEEDS.map((seed) => heldOutScores(samples, seed));
  const fitted = printFitted({ ...fitBoth(samples), threshold: bestThreshold(samples, runs) });
  console.log(fitted);
  report(samples, runs);
  const code = await Bun.file(join(import.meta.dir, "../distillation/doubt.ts")).text();
  const matches = code.includes(fitted);
  console.log(`\nThe code ${matches ? "has these weights" : "has others"}.`);
  if (values.check && !matches) process.exitCode = 1;
}
