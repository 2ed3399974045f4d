import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import {
  DOUBTFUL,
  doubtScore,
  measure,
  printFitted,
  PROSE,
  PROSE_MEASURES,
  RECORD,
  RECORD_MEASURES,
} from "../../scripts/distillation/doubt.ts";
import type { Measure, Measures } from "../../scripts/distillation/doubt.ts";
import { GATE_DEFAULTS } from "../../scripts/distillation/replay.ts";
import { poolVocabulary, readWording } from "../../scripts/distillation/wording.ts";
import { REPOSITORY } from "./support.ts";

const NONE: Measures = {
  record: false,
  unsupported: 0,
  altered: 0,
  names: 0,
  share: 0,
  worstSentence: 0,
  thinnestSentence: 0,
  novelRun: 0,
  contradicted: 0,
  beyond: 0,
};

describe("doubtScore", () => {
  test("is the logistic of the weighted measures", () => {
    const measures = { ...NONE, unsupported: 1, worstSentence: 0.5 };
    const sum = PROSE.intercept + PROSE.weights.unsupported! + PROSE.weights.worstSentence! / 2;
    expect(doubtScore(measures)).toBeCloseTo(1 / (1 + Math.exp(-sum)), 4);
  });

  test.each([
    [false, PROSE_MEASURES],
    [true, RECORD_MEASURES],
  ])("grows with every measure that counts; record: %p", (record, names: readonly Measure[]) => {
    const least = doubtScore({ ...NONE, record });
    for (const name of names) expect(doubtScore({ ...NONE, record, [name]: 1 })).toBeGreaterThan(least);
  });

  test("doubts nothing of which nothing is to be doubted", () => {
    for (const record of [false, true]) expect(doubtScore({ ...NONE, record })).toBeLessThan(DOUBTFUL);
  });

  test("doubts whatever the hard rule fails on prose", () => {
    for (const name of ["unsupported", "altered"] as const)
      expect(doubtScore({ ...NONE, [name]: 1 })).toBeGreaterThanOrEqual(DOUBTFUL);
  });
});

describe("printFitted", () => {
  test("prints the weights as they stand in the code", () => {
    const code = readFileSync(join(REPOSITORY, "scripts/distillation/doubt.ts"), "utf8");
    expect(code).toContain(printFitted({ prose: PROSE, record: RECORD, threshold: DOUBTFUL }));
  });

  test("gives the threshold that the gate takes for granted", () => {
    expect(GATE_DEFAULTS.threshold).toBe(DOUBTFUL);
  });

  test("names the measures that the fit is asked for", () => {
    expect(Object.keys(PROSE.weights)).toEqual([...PROSE_MEASURES]);
    expect(Object.keys(RECORD.weights)).toEqual([...RECORD_MEASURES]);
  });
});

describe("measure", () => {
  const measured = (text: string, ...texts: string[]) => {
    const [answer, task, ...evidence] = [text, "a task", ...texts].map(readWording);
    const known = poolVocabulary([task!, ...evidence], answer!);
    return measure({ answer: answer!, task: task!, evidence, known, unsupported: 7 });
  };

  test("bounds what could outweigh all else", () => {
    const names =
      "It was seen by Ann Alder, by Bob Birch, by Cid Cedar, by Dan Dahlia, by Eve Elder, by Fay Fir.";
    expect(measured(names, "It was seen.").measures).toMatchObject({ unsupported: 2, names: 4 });
  });

  test("tells records from prose", () => {
    const record = '{"terrace": false, "name": "Tinker"}';
    const { measures, contradictions } = measured("Tinker has a terrace.", record);
    expect(measures).toMatchObject({ record: true, contradicted: 1 });
    expect(contradictions).toEqual(["terrace is no in the record"]);
    expect(measured("Tinker has a terrace.", record, "prose").measures.record).toBe(false);
  });
});
