/**
 * Doubt: one score in [0, 1] for how likely an answer says what its evidence does not.
 *
 * A handful of measures, each explainable by itself, go through one logistic function. Its weights are fitted by
 * `scripts/bench/fit-gate.ts` on labelled answers and stand below as that script prints them. Two sets of weights: a
 * record (JSON, `key: value` lines) is described in words that it does not hold, so novelty means less there.
 */
import type { Novelty, Vocabulary, Wording } from "./wording.ts";
import { oppositesIn } from "./opposites.ts";
import { alterations, noveltyOf, readRecords, recordFindings, unknownNames } from "./wording.ts";

/** What is known of an answer before it is weighed; every measure grows with doubt. */
export interface Measures extends Omit<Novelty, "trigrams"> {
  /** True where the evidence is a record and not prose. */
  record: boolean;
  /** Weight of the machine-made facts that stand nowhere, at most 2. */
  unsupported: number;
  /** Names that stand nowhere, at most 4. */
  names: number;
  /** 1 where a copied sentence was altered. */
  altered: number;
  /** Of a record: keys that are said to be otherwise, and clauses that answer a key without a value; at most 2 each. */
  contradicted: number;
  beyond: number;
}

export type Measure = Exclude<keyof Measures, "record">;

const MOST_UNSUPPORTED = 2;
const MOST_NAMES = 4;
const MOST_FINDINGS = 2;

export interface MeasureInput {
  answer: Wording;
  /** Texts of the task and of the evidence. */
  task: Wording;
  evidence: Wording[];
  /** Of task and evidence together. */
  known: Vocabulary;
  /** Weight of the facts that stand nowhere. */
  unsupported: number;
}

/** The measures of one answer, and in words what it says otherwise than its evidence. */
export function measure(input: MeasureInput): { measures: Measures; contradictions: string[] } {
  const { answer, task, evidence, known, unsupported } = input;
  const { trigrams: _, ...novelty } = noveltyOf(answer, known);
  const texts = evidence.map((entry) => entry.text);
  const altered = alterations(answer, evidence, task);
  const settings = readRecords(texts);
  const found = recordFindings(answer.text, settings ?? [], task.text);
  const measures: Measures = {
    ...novelty,
    record: settings !== null,
    unsupported: Math.min(unsupported, MOST_UNSUPPORTED),
    names: Math.min(unknownNames(answer.text, known).length, MOST_NAMES),
    altered: Math.min(altered.length, 1),
    contradicted: Math.min(found.contradictions.length, MOST_FINDINGS),
    beyond: Math.min(found.beyond, MOST_FINDINGS),
  };
  const opposites = oppositesIn(answer.text, { task: task.text, records: texts });
  return { measures, contradictions: [...altered, ...found.contradictions, ...opposites] };
}

export interface Weights {
  intercept: number;
  weights: Partial<Record<Measure, number>>;
}

/** Which measures count where; others, and more of them, gained nothing in cross-validation. */
export const PROSE_MEASURES: readonly Measure[] = [
  "unsupported",
  "altered",
  "names",
  "worstSentence",
  "thinnestSentence",
  "novelRun",
];
export const RECORD_MEASURES: readonly Measure[] = [
  "unsupported",
  "names",
  "share",
  "contradicted",
  "beyond",
];

// fitted: begin
export const PROSE: Weights = {
  intercept: -3.62,
  weights: {
    unsupported: 3.854,
    altered: 5.095,
    names: 1.753,
    worstSentence: 3.16,
    thinnestSentence: 2.192,
    novelRun: 0.142,
  },
};
export const RECORD: Weights = {
  intercept: -2.468,
  weights: {
    unsupported: 2,
    names: 1.292,
    share: 4.334,
    contradicted: 2.312,
    beyond: 2.228,
  },
};
export const DOUBTFUL = 0.41;
// fitted: end

/** The fitted constants as they stand above, three decimals each. */
export function printFitted({
  prose,
  record,
  threshold,
}: {
  prose: Weights;
  record: Weights;
  threshold: number;
}): string {
  const one = (name: string, { intercept, weights }: Weights): string => {
    const lines = Object.entries(weights).map(([measure, weight]) => `    ${measure}: ${round(weight)},\n`);
    return `export const ${name}: Weights = {\n  intercept: ${round(intercept)},\n  weights: {\n${lines.join("")}  },\n};\n`;
  };
  return `${one("PROSE", prose)}${one("RECORD", record)}export const DOUBTFUL = ${threshold};\n`;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** 1 / (1 + e^-(intercept + Σ weight · measure)), in [0, 1], to four decimals: platforms differ in the last ones. */
export function doubtScore(measures: Measures): number {
  const { intercept, weights } = measures.record ? RECORD : PROSE;
  let sum = intercept;
  for (const [name, weight] of Object.entries(weights)) sum += weight * measures[name as Measure];
  return Math.round(10_000 / (1 + Math.exp(-sum))) / 10_000;
}
