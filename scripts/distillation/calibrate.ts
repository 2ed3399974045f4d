/**
 * Calibration: what each threshold of the doubt score would accept and reject wrongly, on answers that somebody labelled.
 *
 * Pure arithmetic. An answer is rejected where the gate failed it or its score reaches the threshold, so the highest
 * threshold shows what the checks do alone.
 */

/** One answer with what somebody says of it and what the gate says. */
export interface LabelledAnswer {
  isGood: boolean;
  /** [0, 1]. */
  score: number;
  failed: boolean;
}

/** `count` of `of`, with its 95 % Wilson interval; both shares in [0, 1]. */
export interface Rate {
  count: number;
  of: number;
  low: number;
  high: number;
}

export interface CalibrationLine {
  threshold: number;
  is_default: boolean;
  /** Bad answers that were accepted. */
  false_accept: Rate;
  /** Good answers that were rejected. */
  false_reject: Rate;
}

const STEP = 0.05;

/** A line for every threshold from 0.05 to 1 in steps of 0.05, and one for the threshold in use; ascending. */
export function calibrate(answers: LabelledAnswer[], inUse: number): CalibrationLine[] {
  const steps = Array.from({ length: Math.round(1 / STEP) }, (_, index) =>
    Number(((index + 1) * STEP).toFixed(2)),
  );
  const thresholds = [...new Set([...steps, inUse])].sort((a, b) => a - b);
  const good = answers.filter((answer) => answer.isGood);
  const bad = answers.filter((answer) => !answer.isGood);
  return thresholds.map((threshold) => {
    const isRejected = ({ score, failed }: LabelledAnswer): boolean => failed || score >= threshold;
    return {
      threshold,
      is_default: threshold === inUse,
      false_accept: wilson(bad.filter((answer) => !isRejected(answer)).length, bad.length),
      false_reject: wilson(good.filter(isRejected).length, good.length),
    };
  });
}

/** The standard normal's 97.5 % point. */
const Z = 1.959964;

/**
 * Wilson's score interval (1927): it stays within [0, 1] and is honest for 0 of n. 5 of 50 gives [0.043, 0.214];
 * 0 of 0 says nothing, [0, 1].
 */
export function wilson(count: number, of: number): Rate {
  if (of === 0) return { count, of, low: 0, high: 1 };
  const share = count / of;
  const spread = Z * Z;
  const middle = (share + spread / (2 * of)) / (1 + spread / of);
  const half = (Z / (1 + spread / of)) * Math.sqrt((share * (1 - share)) / of + spread / (4 * of * of));
  return { count, of, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
