import { describe, expect, test } from "bun:test";

import { calibrate, wilson } from "../../scripts/distillation/calibrate.ts";
import type { LabelledAnswer } from "../../scripts/distillation/calibrate.ts";

const answer = (isGood: boolean, score: number, failed = false): LabelledAnswer => ({
  isGood,
  score,
  failed,
});

describe("wilson", () => {
  // Published values, Newcombe (1998), table I.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [0, 0, 0, 1],
  ])("of %d in %d is [%d, %d]", (count, of, low, high) => {
    const rate = wilson(count, of);
    expect(rate.low).toBeCloseTo(low, 4);
    expect(rate.high).toBeCloseTo(high, 4);
  });
});

describe("calibrate", () => {
  const answers = [
    answer(true, 0.1),
    answer(true, 0.6),
    answer(false, 0.3),
    answer(false, 0.9),
    answer(false, 0, true),
  ];

  test("counts what a threshold accepts and rejects wrongly", () => {
    const at = (threshold: number) => calibrate(answers, 0.41).find((line) => line.threshold === threshold)!;
    expect(at(0.3)).toMatchObject({ false_accept: { count: 0, of: 3 }, false_reject: { count: 1, of: 2 } });
    expect(at(0.35)).toMatchObject({ false_accept: { count: 1, of: 3 }, false_reject: { count: 1, of: 2 } });
    expect(at(1)).toMatchObject({ false_accept: { count: 2, of: 3 }, false_reject: { count: 0, of: 2 } });
  });

  test("has a line for the threshold in use, once, in order", () => {
    const thresholds = calibrate(answers, 0.41).map((line) => line.threshold);
    expect(thresholds).toEqual(thresholds.toSorted((a, b) => a - b));
    expect(thresholds).toHaveLength(21);
    expect(calibrate(answers, 0.5)).toHaveLength(20);
    expect(calibrate(answers, 0.5).filter((line) => line.is_default)).toMatchObject([{ threshold: 0.5 }]);
  });

  test("accepts more and rejects less the higher it is", () => {
    const lines = calibrate(answers, 0.41);
    for (const [index, line] of lines.slice(1).entries()) {
      expect(line.false_accept.count).toBeGreaterThanOrEqual(lines[index]!.false_accept.count);
      expect(line.false_reject.count).toBeLessThanOrEqual(lines[index]!.false_reject.count);
    }
  });
});
