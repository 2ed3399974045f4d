/**
 * Figures that an answer works out: a deadline from a start and a rule, a share of two counts, a sum. They stand in no source,
 * and are no less grounded for it where they are right and their operands are known.
 *
 * A figure of the answer is worked out if it is what an expression beside it comes to ("6 x 0.42 x 730 h = 1,839.60"), or what
 * one operation makes of two figures of which one is said in its own clause or row of a table, and the other there, near it in
 * the paragraph or in the task; or of two of the task. Where the clause itself comes to something else, the figure is wrong,
 * whatever could be made of the rest; where it says another operation ("in all", "left", "before"), it is not this one.
 * Ports, exit codes and the like are no figures, and of nothing nobody knows what it was worked out from.
 * Operands are never looked for in the records, nor in a task that is a pasted log: some two of so many figures come to nearly
 * anything.
 *
 * A figure of the answer is known, and so an operand, if it stands in the task or a record, is a small count, or has been
 * worked out itself.
 */
import { figuresIn } from "./facts.ts";
import type { Figure, FigureKind } from "./facts.ts";

const DAY = 86_400;
const DAY_MINUTES = 1440;

/** Counts up to this are said of anything, and need no source: "two nodes". */
const SMALL_COUNT = 12;

/** UTF-16 units before and behind a figure, within its paragraph, in which its operands are looked for. */
const BEFORE = 320;
const BEHIND = 120;

/** More figures than that are not asked for. */
const MAX_ASKED = 40;

/** Of a place with more figures some two come to nearly anything, so they say nothing: a pasted log, the records. */
const MAX_OPERANDS = 12;

/** UTF-16 units between two terms of an expression, and between it and what it comes to. */
const MAX_GAP = 60;
const MAX_TERMS = 8;

/**
 * What the figures of an answer at these offsets are worked out from, by offset; without those that are not.
 * @param open where the facts begin that stand in no source
 */
export function workingsOf(
  answer: string,
  open: number[],
  sources: { task: string; records: string[] },
): Map<number, string> {
  const reckoning = new Reckoning(answer, sources);
  const asked = open.slice(0, MAX_ASKED).flatMap((offset): [number, Figure][] => {
    const figure = reckoning.figures.find(({ start, end }) => start <= offset && offset < end);
    return figure ? [[offset, figure]] : [];
  });
  const workings = new Map<number, string>();
  // What has been worked out is an operand of what follows from it.
  for (let before = -1; before < workings.size;) {
    before = workings.size;
    for (const [offset, figure] of asked) {
      const working = workings.has(offset) ? null : reckoning.workingOf(figure);
      if (working !== null) workings.set(offset, working);
    }
  }
  return workings;
}

/** One answer's figures, and which of them are known. */
class Reckoning {
  readonly figures: Figure[];
  /** Keys of what the task says and of what has been worked out, and those figures of them that tell something. */
  private readonly saidKeys: Set<string>;
  private readonly telling: Figure[];
  /** By their keys. */
  private readonly known: Set<string>;
  private readonly workings = new Map<string, string>();

  constructor(
    private readonly answer: string,
    { task, records }: { task: string; records: string[] },
  ) {
    this.figures = figuresIn(answer);
    const said = figuresIn(task);
    this.saidKeys = keysOf(said);
    const telling = said.filter(isTelling);
    // One that is a pasted log says nothing.
    this.telling = keysOf(telling).size > MAX_OPERANDS ? [] : telling;
    this.known = keysOf([...said, ...records.flatMap(figuresIn), ...this.figures.filter(isSmallCount)]);
  }

  /** "64 GB × 1.5", or null where the figure does not follow from others. */
  workingOf(figure: Figure): string | null {
    // What nothing comes to but by chance: some share of anything rounds to nothing.
    if (figure.value === 0 && figure.kind !== "clock") return null;
    const key = keyOf(figure);
    const working =
      this.workings.get(key) ??
      this.writtenOut(figure) ??
      (this.hasExpression(figure) ? null : this.fromPairs(figure));
    if (working === null || this.workings.has(key)) return working;
    this.workings.set(key, working);
    this.known.add(key);
    this.saidKeys.add(key);
    if (isTelling(figure)) this.telling.push(figure);
    return working;
  }

  /** What an expression before a figure, or in brackets behind it, comes to, if that is the figure. */
  private writtenOut(figure: Figure): string | null {
    const { figures, known } = this;
    const at = figures.indexOf(figure);
    const rounded = { ...figure, rounding: this.rounding(figure) };
    for (const step of [-1, 1]) {
      const terms: Figure[] = [];
      const signs: string[] = [];
      for (let next = at + step; terms.length < MAX_TERMS; next += step) {
        const term = figures[next];
        if (!term || !known.has(keyOf(term))) break;
        const beside = terms.at(step < 0 ? 0 : -1);
        const [left, right] = step < 0 ? [term, beside ?? figure] : [beside ?? figure, term];
        const sign = this.signBetween(left, right, beside === undefined);
        if (sign === null) break;
        if (beside !== undefined) signs[step < 0 ? "unshift" : "push"](sign);
        terms[step < 0 ? "unshift" : "push"](term);
        if (terms.length > 1 && !this.isWithinBrackets(terms[0]!) && comesTo(terms, signs, rounded))
          return written(terms, signs);
      }
    }
    return null;
  }

  /** Whether a bracket opens right before a term and behind a sign: more belongs to its expression. */
  private isWithinBrackets({ start }: Figure): boolean {
    return /[-+×x*/÷−–]\s*\(\s*$/.test(this.answer.slice(Math.max(0, start - 6), start));
  }

  /** Whether an expression and an equals sign stand right before a figure: what it does not come to, it is not. */
  private hasExpression(figure: Figure): boolean {
    const at = this.figures.indexOf(figure);
    const [left, right] = [this.figures[at - 2], this.figures[at - 1]];
    const isEqual =
      right !== undefined && /^[^=\n]{0,24}=\s*$/.test(this.answer.slice(right.end, figure.start));
    return isEqual && left !== undefined && this.signBetween(left, right, false) !== null;
  }

  /** The sign between two terms; between an expression and what it comes to there may be anything short. */
  private signBetween(left: Figure, right: Figure, isEnd: boolean): string | null {
    const between = this.answer.slice(left.end, right.start);
    if (between.length > MAX_GAP || between.includes("\n")) return null;
    if (isEnd) return "=";
    // A bracket that opens: what it holds is not read.
    if (/[=(]/.test(between)) return null;
    if (left.isFactor) return "×";
    const sign = SIGNS.find(([pattern]) => pattern.test(between))?.[1];
    return sign === undefined ? null : between.startsWith(")") ? `)${sign}` : sign;
  }

  /** What one operation makes of two figures that are said, in the figure's own clause first. */
  private fromPairs(figure: Figure): string | null {
    const { clause, paragraph, words } = this.around(figure);
    const own = clause.filter((one) => isTelling(one) || this.saidKeys.has(keyOf(one)));
    const task = this.telling;
    // Of several deadlines in one clause each has its own rule.
    const stated = isMoment(figure)
      ? own.filter((one) => !isMoment(one) || !this.workings.has(keyOf(one)))
      : own;
    const ofItsOwn = resultsOf(stated, stated, figure);
    const withOthers = (): Result[] => [
      ...resultsOf(own, own, figure),
      ...resultsOf(own, task, figure),
      ...resultsOf(own, paragraph.filter(isTelling), figure),
      ...resultsOf(task, task, figure),
    ];
    // Where its own clause comes to anything of its kind, it has to come to it.
    const results = ofItsOwn.length > 0 ? ofItsOwn : withOthers();
    const rounded = { ...figure, rounding: this.rounding(figure) };
    // A setting is no rounded result.
    if (figure.kind === "count" && this.isSetting(figure)) rounded.step = 0;
    const hit = results.find(
      (result) => isMeant(result, words) && isStatedAs(result.value, figure.value, rounded),
    );
    return hit?.working ?? null;
  }

  /** `--replicas=41` */
  private isSetting({ start }: Figure): boolean {
    return /[\s"'\x60]--?[\w.-]{1,40}[= ]$/.test(this.answer.slice(Math.max(0, start - 44), start));
  }

  /** How a count was rounded, where the answer says so: "rounded up". */
  private rounding(figure: Figure): Rounding {
    const { start, end } = figure;
    const words = this.answer.slice(Math.max(0, start - 80), end + 40);
    return /\bround(?:ed|ing)? up\b/i.test(words)
      ? "up"
      : /\bround(?:ed|ing)? down\b/i.test(words)
        ? "down"
        : "nearest";
  }

  /** Known figures of the same clause or row of a table, and of the same paragraph and not far. */
  private around(figure: Figure): { clause: Figure[]; paragraph: Figure[]; words: string } {
    const { start, end } = figure;
    const before = this.answer.slice(Math.max(0, start - BEFORE), start);
    const behind = this.answer.slice(end, end + BEHIND);
    const within = (from: number, to: number): Figure[] =>
      this.figures.filter((one) => one.start >= from && one.end <= to && this.known.has(keyOf(one)));
    const between = (border: RegExp): Figure[] =>
      within(start - before.split(border).at(-1)!.length, end + behind.split(border)[0]!.length);
    const words = before.split(CLAUSE_END).at(-1)! + behind.split(CLAUSE_END)[0]!;
    return { clause: between(CLAUSE_END), paragraph: between(/\n\s*\n/), words };
  }
}

/** Not the dots of "i.e." and "1.8". */
const CLAUSE_END = /\n|(?:[;?!]|(?<!\b[a-z])\.)(?=\s|$)/;

const isSmallCount = ({ kind, value }: Figure): boolean =>
  kind === "count" && Number.isInteger(value) && value <= SMALL_COUNT;

const isMoment = ({ kind }: Pick<Figure, "kind">): boolean => kind === "clock" || kind === "date";

/** A small count says nothing by itself, but as a factor or a rate. */
const isTelling = (figure: Figure): boolean =>
  !isSmallCount(figure) || figure.isFactor || figure.per !== undefined;

/** The same for figures that say the same: 500 GB and 0.5 TB. */
const keyOf = ({ kind, value }: Figure): string => `${kind} ${value.toPrecision(9)}`;

const keysOf = (figures: Figure[]): Set<string> => new Set(figures.map(keyOf));

// ---- Expressions ----------------------------------------------------------------------------------------

const SIGNS: [pattern: RegExp, sign: string][] = [
  [/[×·]|\s\*\s|(?<![a-z])x(?![a-z])|\btimes\b/i, "×"],
  [/\+|\bplus\b/i, "+"],
  [/[÷/](?!\s*(?:s|sec|min|h|hour|d|day)\b)|\bdivided by\b/i, "/"],
  [/\s[-−–]\s|\bminus\b|\bless\b/i, "-"],
  // "5 fulls of 620 GB", "85 % of 4 TB"
  [/^\s?\w* of (?:\w+ )?$/i, "×"],
];

/** Whether an expression comes to a figure, in the units that are measured by or as the numbers stand: 38 GB × 30 days is 1,140 GB. */
function comesTo(terms: Figure[], signs: string[], figure: Rounded): boolean {
  const share = (one: Figure, value: number): number => (one.kind === "percent" ? value / 100 : value);
  return [(one: Figure) => share(one, one.value), (one: Figure) => share(one, one.stated)].some((read) =>
    isStatedAs(evaluate(terms.map(read), signs), read(figure), figure),
  );
}

/** "(140 + 35) × 1.8 GB" */
function written([first, ...rest]: Figure[], signs: string[]): string {
  let text = first!.text;
  for (const [n, term] of rest.entries()) {
    const sign = signs[n]!;
    text = `${sign.length > 1 ? `(${text})` : text} ${sign.at(-1)} ${term.text}`;
  }
  return text;
}

/** Products before sums; a bracket that closes before a sign holds all that is before it. */
function evaluate(values: number[], signs: string[]): number {
  let sum = 0;
  let product = values[0]!;
  let factor = 1;
  for (const [n, closing] of signs.entries()) {
    const value = values[n + 1]!;
    const sign = closing.at(-1);
    if (closing.length > 1) [sum, product, factor] = [0, sum + factor * product, 1];
    if (sign === "×") product *= value;
    else if (sign === "/") product /= value;
    else {
      sum += factor * product;
      factor = sign === "-" ? -1 : 1;
      product = value;
    }
  }
  return sum + factor * product;
}

/** By how much of its last digit a figure may lie above what it was rounded from, and below. */
const ROUNDED = { up: [0.9999, 0], down: [0, 0.9999], nearest: [0.5, 0.5] } as const;
type Rounding = keyof typeof ROUNDED;

interface Rounded extends Figure {
  rounding: Rounding;
}

/** Whether a result may be written as this figure, whose value is read so: rounded to the digits that are stated. */
function isStatedAs(result: number, value: number, { step, value: own, rounding }: Rounded): boolean {
  const digit = step * (own === 0 ? 1 : value / own);
  const [below, above] = ROUNDED[rounding];
  const margin = Math.abs(value) * 1e-9;
  return result >= value - below * digit - margin && result <= value + above * digit + margin;
}

// ---- Pairs ----------------------------------------------------------------------------------------------

/** What an operation comes to, in the kind's own unit. */
interface Result {
  kind: FigureKind;
  value: number;
  sign: string;
  working: string;
}

const BEFORE_WORDS = /\b(?:before|earlier|ago|prior|ahead|back|minus|last)\b|\s[-−–]\s/i;
const AFTER_WORDS = /\b(?:after|later|from|since|plus)\b|\+/i;
const SUM_WORDS = /\b(?:totals?|in all|altogether|together|sums?)\b/i;
const REST_WORDS =
  /\b(?:left|leav\w+|remain\w*|free|rest|short|less|minus|off|sav\w+|reduc\w+|without|budget)\b/i;

/** Whether what a clause says is the other operation than this one: what is left is no sum, what is before is not after. */
function isMeant(result: Result, words: string): boolean {
  const { sign } = result;
  if (sign === "less") return REST_WORDS.test(words);
  if (sign === "-") return isMoment(result) ? BEFORE_WORDS.test(words) : !SUM_WORDS.test(words);
  if (sign === "+")
    return isMoment(result) ? AFTER_WORDS.test(words) || !BEFORE_WORDS.test(words) : !REST_WORDS.test(words);
  return true;
}

/** Each once; what the figure itself says is no operand of it. */
function operands(figures: Figure[], figure: Figure): Figure[] {
  const kept = new Map(figures.map((one) => [`${keyOf(one)} ${one.per ?? ""}`, one]));
  const operands = [...kept.values()].filter((one) => keyOf(one) !== keyOf(figure));
  return operands.length > MAX_OPERANDS ? [] : operands;
}

/** Of the figure's kind, whatever can be made of one figure of each list. */
function resultsOf(left: Figure[], right: Figure[], figure: Figure): Result[] {
  const [some, others] = [operands(left, figure), operands(right, figure)];
  return some
    .flatMap((a) => others.flatMap((b) => (a === b ? [] : [...operations(a, b), ...operations(b, a)])))
    .filter(({ kind }) => kind === figure.kind);
}

const isMeasure = (kind: FigureKind): boolean => kind === "seconds" || kind === "bytes" || kind === "bits";

/** Neither is lost in the other: 9093 - 1 is a slip of the pen, and no difference. */
const isBalanced = (x: number, y: number): boolean => Math.min(x, y) >= 0.05 * Math.max(x, y);

/** What can be made of two figures, in this order. */
function* operations(a: Figure, b: Figure): Generator<Result> {
  const result = (kind: FigureKind, value: number, sign: string): Result => {
    return { kind, value, sign, working: `${a.text} ${sign} ${b.text}` };
  };
  const [x, y] = [a.value, b.value];
  const isDuration = b.kind === "seconds" && b.per === undefined;
  const isQuantity = a.kind === "count" || isMeasure(a.kind);
  if (a.kind === "clock" && isDuration) {
    // Of what is no whole minute the one before or the nearest is said.
    for (const round of [Math.floor, Math.round]) {
      yield result("clock", round(x + y / 60) % DAY_MINUTES, "+");
      yield result("clock", round(x - y / 60 + 100 * DAY_MINUTES) % DAY_MINUTES, "-");
    }
  } else if (a.kind === "clock" && b.kind === "clock") {
    const minutes = (x - y + DAY_MINUTES) % DAY_MINUTES;
    // The long way round the clock rounds to a day.
    if (minutes <= DAY_MINUTES / 2) yield result("seconds", 60 * minutes, "-");
  } else if (a.kind === "date" && isDuration) {
    yield result("date", x + y / DAY, "+");
    yield result("date", x - y / DAY, "-");
  } else if (a.kind === "date" && b.kind === "date") {
    yield result("seconds", DAY * (x - y), "-");
  } else if (a.kind === "percent" && b.kind === "percent") {
    if (x > y) yield result("points", x - y, "-");
  } else if (b.kind === "percent" && isQuantity) {
    yield result(a.kind, (x * y) / 100, "×");
    yield result(a.kind, x * (1 - y / 100), "less");
  } else if (a.kind === b.kind && isQuantity) {
    // The double of one figure is said to be that.
    if (isBalanced(x, y) && x !== y) {
      yield result(a.kind, x + y, "+");
      yield result(a.kind, x - y, "-");
    }
    if (y !== 0) yield result("percent", (100 * x) / y, "of");
    if (b.per !== undefined && y !== 0) yield result("seconds", (x / y) * b.per, "/");
    if (a.kind === "count") yield result("count", x * y, "×");
    if (a.kind === "count" && y !== 0) yield result("count", x / y, "/");
  } else if (isMeasure(a.kind) && b.kind === "count") {
    yield result(a.kind, x * y, "×");
  }
  if (a.per !== undefined && isDuration) yield result(a.kind, (x * y) / a.per, "×");
}
