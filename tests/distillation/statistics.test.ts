import { describe, expect, test } from "bun:test";

import {
  bootstrapMean,
  holm,
  mcnemar,
  normalQuantile,
  signTest,
  smallestDetectable,
  unseenShare,
} from "../../scripts/distillation/statistics.ts";
import { seeded } from "./support.ts";

/** |actual - expected| as a share of `expected`. */
const relativeError = (actual: number, expected: number): number => Math.abs(actual / expected - 1);

/** Ones, minus ones and zeros, in that order. */
const signs = (positive: number, negative: number, zero = 0): number[] => [
  ...Array<number>(positive).fill(1),
  ...Array<number>(negative).fill(-1),
  ...Array<number>(zero).fill(0),
];

const draws = (n: number, random: () => number): number[] => Array.from({ length: n }, () => random());

const standardError = (values: number[]): number => {
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
};

describe("seeded", () => {
  // Generated corpora, and with them every measured figure, are made of these numbers.
  test.each([
    [42, [0.6011037519201636, 0.44829055899754167, 0.8524657934904099]],
    [0, [0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]],
    [-7, [0.43306733411736786, 0.32539576734416187, 0.5442695003002882]],
  ])("draws the same numbers as ever from %d", (seed, expected) => {
    expect(draws(3, seeded(seed))).toEqual(expected);
  });

  test("spreads its numbers evenly over [0, 1)", () => {
    const tenths = Array<number>(10).fill(0);
    for (const value of draws(10_000, seeded(3))) tenths[Math.floor(value * 10)]!++;
    // 30 is the standard deviation of such a count.
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe("mcnemar", () => {
  test.each([
    // 2 (1 + 8) / 2^8.
    ["Bentur (2009) in Fagerland, Lydersen & Laake (2013), table 1", 1, 7, 0.0703125],
    // 2 (1 + 22 + 231 + 1540 + 7315 + 26334 + 74613) / 2^22.
    ["Cavo (2012) in Fagerland, Lydersen & Laake (2017), chapter 8", 6, 16, 220112 / 2 ** 22],
    // 2 (1 + 11 + 55) / 2^11; printed as 0.06543.
    ["Fay, vignette of the R package exact2x2", 9, 2, 0.0654296875],
    // 2 (1 + 12) / 2^12; printed as 0.00634765625.
    ["Raschka, documentation of mlxtend, scenario A", 11, 1, 0.00634765625],
    // 2 (1 + 14 + 91) / 2^14.
    ["twelve against two by hand", 12, 2, 0.012939453125],
    ["six on one side, the fewest that reach 5 %", 6, 0, 0.03125],
    ["five on one side", 5, 0, 0.0625],
    ["one pair", 1, 0, 1],
    ["an even split", 7, 7, 1],
    ["no discordant pair", 0, 0, 1],
  ])("gives the exact p of %s", (_, onlyFirst, onlySecond, p) => {
    expect(relativeError(mcnemar(onlyFirst, onlySecond), p)).toBeLessThan(1e-14);
  });

  test("finds the drop in approval of Agresti (1990), p. 350", () => {
    // The approximation there, z^2 = (150 - 86)^2 / 236 = 17.36, is p = 3.1e-5; the exact sum of C(236, 0..86), doubled:
    expect(relativeError(mcnemar(150, 86), 3.715936139571442e-5)).toBeLessThan(1e-13);
  });

  test("equals whole-number arithmetic for every split to 60", () => {
    for (let n = 0; n <= 60; n++) {
      let [term, sum] = [1n, 1n];
      for (let k = 0; 2 * k <= n; k++) {
        const exact = Math.min(1, (2 * Number(sum)) / 2 ** n);
        expect(relativeError(mcnemar(k, n - k), exact)).toBeLessThan(1e-14);
        term = (term * BigInt(n - k)) / BigInt(k + 1);
        sum += term;
      }
    }
  });

  // Sums of exact binomials in whole numbers, divided once.
  test.each([
    [600, 400, 2.7284641560660184e-10],
    [4900, 5100, 0.04658552770494739],
    [49_500, 50_500, 0.0015823598788515952],
    [49_700, 50_300, 0.05819735311019376],
    [48_000, 52_000, 1.1530938666722978e-36],
  ])("keeps its digits for %d against %d", (onlyFirst, onlySecond, p) => {
    expect(relativeError(mcnemar(onlyFirst, onlySecond), p)).toBeLessThan(2e-11);
  });

  test("neither overflows nor turns NaN at the extremes", () => {
    expect(mcnemar(50_000, 50_000)).toBe(1);
    expect(mcnemar(100_000, 0)).toBe(0);
    expect(mcnemar(1000, 0)).toBe(2 ** -999);
  });

  test.each([
    [-1, 3],
    [3, 1.5],
    [NaN, 3],
    [3, Infinity],
  ])("refuses counts of %d and %d", (onlyFirst, onlySecond) => {
    expect(() => mcnemar(onlyFirst, onlySecond)).toThrow(RangeError);
  });
});

describe("signTest", () => {
  test("counts the signs and leaves zeros out", () => {
    expect(signTest([0.4, -0.1, 0, 2, -0, 7, 1e-9, 3, 5, 8, 1, -9])).toEqual({
      positive: 8,
      negative: 2,
      zero: 2,
      p: 0.109375, // 2 (1 + 10 + 45) / 2^10
    });
  });

  test("matches Hollander & Wolfe (1999), example 3.5", () => {
    // 21 of 25 positive; published one-sided, P = .00046.
    expect(signTest(signs(21, 4)).p / 2).toBeCloseTo(0.00046, 5);
  });

  test("matches the 82 years of Arbuthnott (1710)", () => {
    // More boys than girls christened in every one: he gives 1 / 4,836,000,000,000,000,000,000,000, one-sided.
    expect(relativeError(signTest(signs(82, 0)).p / 2, 1 / 4.836e24)).toBeLessThan(1e-4);
  });

  test("is McNemar's exact test on binary outcomes", () => {
    expect(signTest(signs(16, 6, 139)).p).toBe(mcnemar(6, 16));
    expect(signTest(signs(6, 16, 0)).p).toBe(mcnemar(6, 16));
  });

  test("says nothing where no difference is left", () => {
    expect(signTest([])).toEqual({ positive: 0, negative: 0, zero: 0, p: 1 });
    expect(signTest([0, 0, 0])).toEqual({ positive: 0, negative: 0, zero: 3, p: 1 });
  });

  test("refuses a difference that is no number", () => {
    expect(() => signTest([1, NaN])).toThrow("value 2 must be a finite number (got NaN)");
  });
});

describe("bootstrapMean", () => {
  test("is near mean +- 1.96 standard errors on many values", () => {
    const values = draws(500, seeded(11));
    const { mean, low, high } = bootstrapMean(values, { seed: 1 });
    const error = standardError(values);
    // The 250th of 10,000 means is known to sqrt(.025 .975 / 10,000) / phi(1.96) = 0.027 standard errors: four of those.
    expect(Math.abs(low - (mean - 1.959964 * error))).toBeLessThan(0.11 * error);
    expect(Math.abs(high - (mean + 1.959964 * error))).toBeLessThan(0.11 * error);
  });

  test("holds the true mean in 91 to 97 % of samples", () => {
    // Expected is 94.0 %: percentiles of the mean use z sqrt((n - 1) / n) = 1.935 where Student's 39 degrees ask for 2.023.
    // Ten seeds gave 91.5 to 95.8 %, together 94.0 %; one sample of 400 varies by 1.2 points.
    const random = seeded(1);
    let held = 0;
    for (let sample = 0; sample < 400; sample++) {
      const { low, high } = bootstrapMean(draws(40, random), { seed: sample, resamples: 399 });
      if (low <= 0.5 && 0.5 <= high) held++;
    }
    expect(held / 400).toBeGreaterThanOrEqual(0.91);
    expect(held / 400).toBeLessThanOrEqual(0.97);
  });

  test("takes the percentiles of a distribution known exactly", () => {
    // Means of two draws from {0, 1} are 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    expect(bootstrapMean([0, 1], { seed: 5, level: 0.4 })).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
    expect(bootstrapMean([0, 1], { seed: 5, level: 0.6 })).toEqual({ mean: 0.5, low: 0, high: 1 });
  });

  // k = (B + 1) (1 - level) / 2, in Efron & Tibshirani (1993) the k-th and the (B + 1 - k)-th.
  test.each([
    [199, 0.9, 10],
    [39, 0.95, 1],
    [100, 0.95, 2],
    [5, 0.95, 1],
    [1, 0.95, 1],
  ])("of %d resamples at level %d takes rank %d", (resamples, level, rank) => {
    const values = [-3, -1, 0, 0.5, 4, 11];
    const random = seeded(8);
    const means = Array.from({ length: resamples }, () => {
      const resample = values.map(() => values[Math.floor(random() * values.length)]!);
      return resample.reduce((sum, value) => sum + value, 0) / values.length;
    }).sort((a, b) => a - b);
    const { low, high } = bootstrapMean(values, { seed: 8, resamples, level });
    expect({ low, high }).toEqual({ low: means.at(rank - 1)!, high: means.at(-rank)! });
  });

  test("gives the same for a seed, another for another", () => {
    const values = draws(30, seeded(4));
    const first = bootstrapMean(values, { seed: 1 });
    expect(bootstrapMean(values, { seed: 1 })).toEqual(first);
    const second = bootstrapMean(values, { seed: 2 });
    expect(second).not.toEqual(first);
    // 0.027 standard errors of either, as above: five of the difference.
    expect(Math.abs(second.low - first.low)).toBeLessThan(0.19 * standardError(values));
  });

  test("does not depend on the order of the pairs", () => {
    const values = draws(50, seeded(6));
    const kept = [...values];
    const reversed = bootstrapMean(values.toReversed(), { seed: 3 });
    expect(bootstrapMean(values, { seed: 3 })).toEqual(reversed);
    expect(values).toEqual(kept);
  });

  test("turns with the sign of the differences", () => {
    const values = signs(30, 10, 20);
    const { mean, low, high } = bootstrapMean(values, { seed: 9 });
    expect(mean).toBe(20 / 60);
    expect(low).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(mean);
    expect(bootstrapMean(signs(10, 30, 20), { seed: 9 }).high).toBeLessThan(0);
  });

  test("has no width for one value or equal ones", () => {
    expect(bootstrapMean([0.7], { seed: 1 })).toEqual({ mean: 0.7, low: 0.7, high: 0.7 });
    const { mean, low, high } = bootstrapMean([0.1, 0.1, 0.1], { seed: 1 });
    expect([low, high]).toEqual([mean, mean]);
    expect(mean).toBeCloseTo(0.1, 15);
  });

  test.each<[string, number[], { resamples?: number; level?: number }]>([
    ["a mean needs at least one value", [], {}],
    ["value 1 must be a finite number (got NaN)", [NaN, 1], {}],
    ["value 2 must be a finite number (got Infinity)", [1, Infinity], {}],
    ["resamples must be a whole number of at least 1 (got 0)", [1], { resamples: 0 }],
    ["resamples must be a whole number of at least 1 (got 2.5)", [1], { resamples: 2.5 }],
    ["level must lie between 0 and 1 (got 95)", [1], { level: 95 }],
    ["level must lie between 0 and 1 (got 1)", [1], { level: 1 }],
  ])("refuses: %s", (message, values, options) => {
    const call = () => bootstrapMean(values, { seed: 1, ...options });
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
});

describe("unseenShare", () => {
  test.each([
    // 1 - 0.025; the 97.5 % quantile of Beta(1, n) for the others.
    [1, 0.975],
    [10, 0.3084971],
    [20, 0.1684335],
    [35, 0.1000324],
  ])("is the upper bound of 0 of %d", (n, expected) => {
    expect(unseenShare(n)).toBeCloseTo(expected, 6);
  });

  test("leaves 2.5 % for a sample without any", () => {
    for (const n of [2, 134, 10_000]) expect((1 - unseenShare(n)) ** n).toBeCloseTo(0.025, 9);
  });

  test.each([0, 1.5, -1, NaN])("refuses %d tasks", (n) => {
    expect(() => unseenShare(n)).toThrow(RangeError);
  });
});

describe("holm", () => {
  test.each([
    // Sorted: 4 x .005, 3 x .01, 2 x .03, and 1 x .04, which the .06 before it raises.
    ["four by hand", [0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]],
    // Published adjusted values.
    [
      "Vallat (2018), documentation of pingouin.holm",
      [0.5, 0.003, 0.32, 0.054, 0.0003],
      [0.64, 0.012, 0.64, 0.162, 0.0015],
    ],
    [
      "documentation of stdlib's padjust",
      [0.319, 0.201, 0.4, 0.374, 0.113],
      [0.957, 0.804, 0.957, 0.957, 0.565],
    ],
    ["sums above one", [0.9, 0.6, 0.7], [1, 1, 1]],
    ["ties", [0.02, 0.01, 0.02], [0.04, 0.03, 0.04]],
    ["one test", [0.04], [0.04]],
    ["none", [], []],
    ["nought and one", [1, 0], [1, 0]],
  ])("adjusts %s", (_, pValues, expected) => {
    const adjusted = holm(pValues);
    expect(adjusted).toHaveLength(expected.length);
    for (const [index, p] of adjusted.entries()) expect(p).toBeCloseTo(expected[index]!, 12);
  });

  test("rejects what Holm's sequential procedure rejects", () => {
    const random = seeded(17);
    for (let family = 0; family < 200; family++) {
      const pValues = draws(1 + Math.floor(random() * 8), random).map((p) => p ** 4);
      // The procedure of the paper: from the smallest on, stop at the first p above alpha / (tests left).
      const ascending = pValues.toSorted((a, b) => a - b);
      const stop = ascending.findIndex((p, index) => p > 0.05 / (pValues.length - index));
      const rejected = stop < 0 ? ascending : ascending.slice(0, stop);
      const adjusted = holm(pValues);
      expect(pValues.filter((_, index) => adjusted[index]! <= 0.05).toSorted((a, b) => a - b)).toEqual(
        rejected,
      );
    }
  });

  test("leaves its argument as it was", () => {
    const pValues = [0.04, 0.01];
    holm(pValues);
    expect(pValues).toEqual([0.04, 0.01]);
  });

  test.each([[-0.1], [1.1], [NaN]])("refuses a p-value of %d", (p) => {
    expect(() => holm([0.5, p])).toThrow(RangeError);
  });
});

describe("smallestDetectable", () => {
  /** n differences whose standard deviation is exactly 1 and whose mean is 3; n even. */
  const spread = (n: number): number[] =>
    signs(n / 2, n / 2).map((sign) => 3 + sign * Math.sqrt((n - 1) / n));

  // Squared sums of table quantiles: (1.959964 + .841621)^2, (1.959964 + 1.281552)^2, (2.575829 + .841621)^2,
  // (2.575829 + 1.281552)^2; the tables of sample sizes print them as 7.9, 10.5, 11.7 and 14.9.
  test.each([
    [0.95, 0.8, 7.848879],
    [0.95, 0.9, 10.507424],
    [0.99, 0.8, 11.678967],
    [0.99, 0.9, 14.879389],
  ])("is sqrt(f / n) at level %d and power %d, f = %d", (level, power, f) => {
    expect(100 * smallestDetectable(spread(100), { level, power }) ** 2).toBeCloseTo(f, 4);
  });

  test("needs 32 pairs for half a deviation: Chow, Shao & Wang (2008)", () => {
    // n = 7.849 / 0.5^2 = 31.4, by the formula of their one-sample case.
    expect(smallestDetectable(spread(32))).toBeLessThan(0.5);
    expect(smallestDetectable(spread(30))).toBeGreaterThan(0.5);
    expect(smallestDetectable(spread(32))).toBeCloseTo(2.801585 / Math.sqrt(32), 6);
  });

  test("is shown by four samples in five", () => {
    const random = seeded(31);
    // Uniform differences of standard deviation 1 / sqrt(12), moved by what 50 of them should show.
    const shift = (1.959964 + 0.841621) / Math.sqrt(12 * 50);
    let shown = 0;
    for (let sample = 0; sample < 1000; sample++) {
      const differences = draws(50, random).map((value) => value - 0.5 + shift);
      const mean = differences.reduce((sum, value) => sum + value, 0) / 50;
      if (Math.abs(mean) > 1.959964 * standardError(differences)) shown++;
    }
    // sqrt(.8 .2 / 1000) = 0.013: three of those.
    expect(Math.abs(shown / 1000 - 0.8)).toBeLessThan(0.038);
    expect(smallestDetectable(draws(20_000, random)) * Math.sqrt(20_000 / 50)).toBeCloseTo(shift, 2);
  });

  test("does not move with the mean, and scales with the unit", () => {
    const differences = draws(40, seeded(12));
    const detectable = smallestDetectable(differences);
    expect(smallestDetectable(differences.map((value) => value + 1e6))).toBeCloseTo(detectable, 8);
    expect(smallestDetectable(differences.map((value) => -100 * value))).toBeCloseTo(100 * detectable, 10);
  });

  test("shows nothing with fewer than two pairs", () => {
    expect(smallestDetectable([])).toBe(Infinity);
    expect(smallestDetectable([0.3])).toBe(Infinity);
    expect(smallestDetectable([0.25, 0.25])).toBe(0);
  });

  test.each<[string, number[], { level?: number; power?: number }]>([
    ["value 2 must be a finite number (got NaN)", [1, NaN], {}],
    ["level must lie between 0 and 1 (got 95)", [1, 2], { level: 95 }],
    ["power must lie between 0 and 1 (got 1)", [1, 2], { power: 1 }],
  ])("refuses: %s", (message, differences, options) => {
    expect(() => smallestDetectable(differences, options)).toThrow(message);
  });
});

describe("normalQuantile", () => {
  // To 16 digits by Wichura's AS 241 (1988), which is good to 1e-16; both sides of Acklam's seam at 0.02425 among them.
  test.each([
    [0.975, 1.9599639845400536],
    [0.8, 0.8416212335729144],
    [0.9, 1.2815515655446008],
    [0.95, 1.6448536269514715],
    [0.995, 2.5758293035489],
    [0.9995, 3.2905267314919255],
    [0.03, -1.8807936081512509],
    [0.024, -1.9773684281819468],
    [0.02, -2.0537489106318225],
    [1e-6, -4.753424308822899],
    [1e-12, -7.034483825301132],
  ])("of %d is %d", (p, z) => {
    expect(relativeError(normalQuantile(p), z)).toBeLessThan(1.15e-9);
  });

  test("is nought in the middle and odd about it", () => {
    expect(normalQuantile(0.5)).toBe(0);
    for (const p of [0.5625, 0.75, 0.9375, 0.984375]) expect(normalQuantile(p)).toBe(-normalQuantile(1 - p));
  });

  test("rises throughout, over both seams too", () => {
    const quantiles = Array.from({ length: 9999 }, (_, index) => normalQuantile((index + 1) / 10_000));
    for (const [index, quantile] of quantiles.slice(1).entries())
      expect(quantile).toBeGreaterThan(quantiles[index]!);
  });

  test.each([[0], [1], [-0.1], [NaN]])("refuses %d", (p) => {
    expect(() => normalQuantile(p)).toThrow(RangeError);
  });
});
