/**
 * The statistics of a paired experiment: two arms answer the same tasks, and every task gives one difference.
 *
 * Pure arithmetic, each formula with its source. The tests are exact, the interval is resampled from a seed, and nothing here
 * looks at a clock or at chance: the same differences and the same seed give the same numbers. A value that is not a finite
 * number is a mistake of the caller's and throws; it is never left out in silence.
 */

/** Level of an interval, and of the two-sided test that goes with it: 0.95 is a test at 5 %. */
const LEVEL = 0.95;
export const RESAMPLES = 10_000;
const POWER = 0.8;

/** mulberry32 (Ettinger 2017): uniform in [0, 1), 2^32 steps of state, the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface SignTest {
  positive: number;
  negative: number;
  zero: number;
  /** Two-sided, in [0, 1]. */
  p: number;
}

/**
 * The exact two-sided sign test (Arbuthnott 1710; Dixon & Mood 1946): how often a fair coin gives a split of the signs at
 * least as uneven. Zeros are counted and left out; with nothing else, p is 1. On binary outcomes, whose differences are -1, 0
 * and 1, it is McNemar's exact test. 8 above and 2 below give 2 (1 + 10 + 45) / 2^10 = 0.109.
 *
 * There is no tolerance: 0.3 - 0.1 - 0.2 counts as negative, so round scores before subtracting.
 *
 * @throws {RangeError} where a difference is not finite.
 */
export function signTest(differences: number[]): SignTest {
  requireFinite(differences);
  const positive = differences.filter((difference) => difference > 0).length;
  const negative = differences.filter((difference) => difference < 0).length;
  const zero = differences.length - positive - negative;
  return { positive, negative, zero, p: mcnemar(positive, negative) };
}

/**
 * The exact two-sided p of McNemar's test (1947) from the discordant pairs, those that one arm alone got right:
 * min(1, 2 P(X <= min(first, second))), X binomial with n = first + second and 1/2. 12 against 2 give
 * 2 (1 + 14 + 91) / 2^14 = 0.0129; fewer than six discordant pairs never reach 5 %; without any, p is 1.
 *
 * Linear in n; the relative error stays below 2e-11 up to n = 100,000, and a p below 1e-307 may come out as 0.
 *
 * @throws {RangeError} where a count is not a whole number of at least 0.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  for (const count of [onlyFirst, onlySecond]) requireWhole("discordant pairs", count, 0);
  const n = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  let tail = 0;
  let term = binomialHalf(n, fewer);
  for (let k = fewer; k >= 0; k--) {
    tail += term;
    term *= k / (n - k + 1);
  }
  return Math.min(1, 2 * tail);
}

/** C(n, k) / 2^n. A halving is exact, so taking one whenever the product passes 1 keeps it in range without an error. */
function binomialHalf(n: number, k: number): number {
  let product = 1;
  let halvings = n;
  for (let i = 1; i <= k; i++) {
    product *= (n - k + i) / i;
    for (; product > 1 && halvings > 0; halvings--) product /= 2;
  }
  return product * 2 ** -halvings;
}

export interface BootstrapOptions {
  seed: number;
  /** Default 10,000. */
  resamples?: number;
  /** In (0, 1), default 0.95. */
  level?: number;
}

export interface MeanInterval {
  mean: number;
  low: number;
  high: number;
}

/**
 * The mean with its percentile bootstrap interval (Efron & Tibshirani 1993, chapter 13). For a paired experiment the values
 * are the differences, so pairs are resampled and never torn apart.
 *
 * Of B resampled means in ascending order the interval takes the k-th and the (B + 1 - k)-th, k = (B + 1) (1 - level) / 2
 * rounded down, at least 1: by default the 250th and the 9,751st of 10,000. The order of the values does not matter. One value
 * gives low = high = mean, and so do equal ones, whatever their number: what they leave open is `unseenShare`. Below some 20 values
 * the interval is too narrow.
 *
 * @throws {RangeError} without values, where one is not finite, or where an option is out of its range.
 */
export function bootstrapMean(values: number[], options: BootstrapOptions): MeanInterval {
  const { seed, resamples = RESAMPLES, level = LEVEL } = options;
  if (values.length === 0) throw new RangeError("a mean needs at least one value (got none)");
  requireFinite(values);
  requireWhole("resamples", resamples, 1);
  requireShare("level", level);
  // Sorted, so that the same outcomes recorded in another order give the same interval.
  const sorted = Float64Array.from(values).sort();
  const means = resampledMeans(sorted, resamples, seeded(seed));
  // 1 - 0.9 is a little less than 0.1, which must not cost a rank.
  const rank = Math.max(1, Math.floor(((resamples + 1) * (1 - level)) / 2 + 1e-9));
  return { mean: mean(sorted), low: means[rank - 1]!, high: means[resamples - rank]! };
}

/** Ascending. */
function resampledMeans(values: Float64Array, resamples: number, random: () => number): Float64Array {
  const n = values.length;
  const means = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    let sum = 0;
    for (let draw = 0; draw < n; draw++) sum += values[Math.floor(random() * n)]!;
    means[resample] = sum / n;
  }
  return means.sort();
}

/**
 * The largest share that what none of n tasks has may have among all tasks: the upper end of the exact 95 % interval of 0 of n
 * (Clopper & Pearson 1934), 1 - 0.025^(1/n). 35 tasks give 0.1000. The rule of three, 3/n (Hanley & Lippman-Hand 1983), puts
 * all 5 % on this side and is lower: 0.0857.
 *
 * @throws {RangeError} where n is not a whole number of at least 1.
 */
export function unseenShare(n: number): number {
  requireWhole("tasks", n, 1);
  return 1 - ((1 - LEVEL) / 2) ** (1 / n);
}

/**
 * p-values adjusted for their number by Holm's step-down (1979), in the order they came in: of m, the i-th smallest becomes
 * the largest (m - j + 1) p_(j) over j <= i, at most 1. Comparing it with 5 % keeps the chance of any false finding below 5 %,
 * however the tests depend on each other. 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02.
 *
 * @throws {RangeError} where a p-value is not in [0, 1].
 */
export function holm(pValues: number[]): number[] {
  for (const p of pValues)
    if (!(p >= 0 && p <= 1)) throw new RangeError(`a p-value must be in [0, 1] (got ${p})`);
  const ascending = pValues.map((_, index) => index).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  for (const [rank, index] of ascending.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[index]!));
    adjusted[index] = largest;
  }
  return adjusted;
}

export interface PowerOptions {
  /** In (0, 1), default 0.95: a two-sided test at 5 %. */
  level?: number;
  /** In (0, 1), default 0.8. */
  power?: number;
}

/**
 * The smallest true mean difference that an experiment of this size and spread would have shown with this power:
 * (z_(1 - alpha/2) + z_power) s / sqrt(n), alpha = 1 - level (Cohen 1988; Chow, Shao & Wang 2008, one-sample case), with s the
 * standard deviation by n - 1. By default 2.80 s / sqrt(n). Normal quantiles stand in for Student's, which makes it some 3 % low
 * at n = 32. Fewer than two pairs show nothing: Infinity. Equal differences have no spread: 0, which says that the sample knows
 * nothing of it rather than that any difference would show.
 *
 * @throws {RangeError} where a difference is not finite, or an option is out of its range.
 */
export function smallestDetectable(differences: number[], options: PowerOptions = {}): number {
  const { level = LEVEL, power = POWER } = options;
  requireFinite(differences);
  requireShare("level", level);
  requireShare("power", power);
  const n = differences.length;
  if (n < 2) return Infinity;
  const values = Float64Array.from(differences);
  const middle = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1);
  return (normalQuantile((1 + level) / 2) + normalQuantile(power)) * Math.sqrt(variance / n);
}

// Highest power first. The 1 that ends both denominators is left out of the published lists.
const CENTRE_ABOVE = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
  2.506628277459239,
];
const CENTRE_BELOW = [
  -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
  1,
];
const TAIL_ABOVE = [
  -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
  2.938163982698783,
];
const TAIL_BELOW = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
const TAIL = 0.02425;

/**
 * The standard normal's quantile, by Acklam's rational approximation (2003): relative error below 1.15e-9 all over (0, 1).
 * 0.975 gives 1.959964.
 *
 * @throws {RangeError} outside (0, 1).
 */
export function normalQuantile(p: number): number {
  requireShare("p", p);
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < TAIL) {
    const distance = Math.sqrt(-2 * Math.log(p));
    return polynomial(TAIL_ABOVE, distance) / polynomial(TAIL_BELOW, distance);
  }
  const offset = p - 0.5;
  return (offset * polynomial(CENTRE_ABOVE, offset * offset)) / polynomial(CENTRE_BELOW, offset * offset);
}

function polynomial(coefficients: number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function requireFinite(values: number[]): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) throw new RangeError(`value ${index + 1} must be a finite number (got ${values[index]})`);
}

function requireWhole(name: string, count: number, least: number): void {
  if (!Number.isSafeInteger(count) || count < least)
    throw new RangeError(`${name} must be a whole number of at least ${least} (got ${count})`);
}

function requireShare(name: string, share: number): void {
  if (!(share > 0 && share < 1)) throw new RangeError(`${name} must lie between 0 and 1 (got ${share})`);
}
