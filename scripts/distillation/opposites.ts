/**
 * Opposites: where an answer says or does in its own words what its evidence says or forbids otherwise.
 *
 *   a switch that the records set the one way is set the other: `hot_standby_feedback = off` for "= on";
 *   a step that a record forbids outright is taken: "restart haproxy" where it says "Do not restart HAProxy";
 *   a check is said to have been passed, or a command run, though nobody has run anything.
 *
 * Each is narrow, for a false alarm is dearer than a miss: what the records or the task have both ways is no contradiction, nor
 * what is supposed, asked or forbidden, nor what is forbidden on some condition ("do not restart it while …").
 */
import { fold, NEGATION, readCode } from "./facts.ts";

/** UTF-16 units before a place that are read for what is said of it. */
const BEFORE = 200;
/** More of one sort in one text is no runbook, and no answer. */
const MAX_FOUND = 200;

/** What an answer says or does otherwise than its records, in words. */
export function oppositesIn(
  answer: string,
  { task, records }: { task: string; records: string[] },
): string[] {
  const [own, asked, ...given] = [answer, task, ...records].map((text) => readCode(text).text);
  return [
    ...flippedSwitches(own!, asked!, given),
    ...forbiddenSteps(own!, [asked!, ...given]),
    ...claimedResults(own!, asked!),
  ];
}

/** What is no statement: asked, supposed, or only called for. */
const SUPPOSED =
  /\b(?:if|when|whenever|whether|unless|until|before|after|why|check|verify|ensure|confirm|make sure|should|must|would|could|may|might|suppose|expect|were|was)\b/i;

/** The sentence up to a place. */
const sentenceBefore = (text: string, at: number): string =>
  text
    .slice(Math.max(0, at - BEFORE), at)
    .split(/[.!?]\s|\n/)
    .at(-1)!;

// ---- Switches -------------------------------------------------------------------------------------------

/** A key and its yes or no. */
const SWITCH =
  /(?<![\w.-])-{0,2}([A-Za-z][\w.-]{2,100})["'\x60]?\s{0,3}[=:]\s{0,3}["'\x60]?(on|off|true|false|yes|no|enabled|disabled)(?![\w-]|\.\w)(?!["'\x60]*\s(?:to|into|with)\b)/gi;
/** Of several words, so that it is one thing's alone. */
const IS_COMPOUND = /\w[_.-]\w|[a-z][A-Z]/;
const YES = /^(?:on|true|yes|enabled)$/i;

interface Switch {
  key: string;
  isOn: boolean;
  text: string;
}

/** Those that a text sets or shows, the forbidden and supposed ones left out. */
function switchesIn(text: string): Switch[] {
  const found: Switch[] = [];
  for (const { 0: whole, 1: key, 2: value, index } of text.matchAll(SWITCH)) {
    const before = sentenceBefore(text, index);
    if (!IS_COMPOUND.test(key!) || NEGATION.test(before) || SUPPOSED.test(before)) continue;
    found.push({ key: fold(key!), isOn: YES.test(value!), text: whole.replace(/["'\x60]$/, "") });
    if (found.length > MAX_FOUND) break;
  }
  return found;
}

function flippedSwitches(answer: string, task: string, records: string[]): string[] {
  const own = Map.groupBy(switchesIn(answer), ({ key }) => key);
  if (own.size === 0) return [];
  const given = Map.groupBy(records.flatMap(switchesIn), ({ key }) => key);
  // What is said of it in a warning or a condition is no setting, but shows that it has two sides.
  const others = [task, ...records].join("\n").matchAll(SWITCH);
  const said = new Set(others.map(([, key, value]) => `${fold(key!)} ${YES.test(value!)}`));
  return [...own].flatMap(([key, [first, ...more]]) => {
    const { isOn, text } = first!;
    if (more.some((other) => other.isOn !== isOn) || said.has(`${key} ${isOn}`)) return [];
    const there = given.get(key)?.[0];
    return there === undefined
      ? []
      : [`${JSON.stringify(text)} (${JSON.stringify(there.text)} in the source)`];
  });
}

// ---- Forbidden steps ------------------------------------------------------------------------------------

/** "Do not restart HAProxy: …", "Never `x` or delete `nodes.conf` to …"; not with a condition behind it. */
const FORBIDDEN_STEP =
  /(?:^|[.;:!?*>|-]\s{1,3}|\b(?:but|and|so|then|please)\s)["'*_]{0,3}(?:never|do \*{0,2}not\*{0,2}|don't|must not)\s(?:\x60[^\x60\n]{1,80}\x60 or )?([a-z]{3,20})\s(?:the )?(\x60?)([A-Za-z][\w.@-]{2,60}?)\2(?=\s{0,3}(?:[:;!)\n]|\.(?:\s|$)|$)|,? (?:to|because|since|as it|it) )/gim;
/** Verbs that forbid or order something else than what stands behind them. */
const NO_STEP =
  /^(?:use|run|forget|hesitate|proceed|wait|confuse|trust|expect|rely|assume|worry|mind|need|see|try|let)$/i;
/** A name: quoted as code, or no plain word. */
const isName = (name: string, quote: string): boolean => quote !== "" || /[A-Z\d._@-]/.test(name);

/** How a step begins that is to be taken. */
const STEP_BEGINS =
  /(?:^|[.;:!?(&|$]\s{0,3}|(?:^|\s)(?:[-*+]|\d{1,2}[.)])\s{1,3}|\b(?:then|and|now|first|finally|please|just|sudo|systemctl|service|sudo -\w+)\s{1,3}|,\s)["'\x60*_]{0,3}$/i;
const ON_CONDITION = /\b(?:if|when|whenever|unless|would|could|may|might)\b/i;

function forbiddenSteps(answer: string, sources: string[]): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  for (const source of sources) {
    for (const { 1: verb, 2: quote, 3: name, index } of source.matchAll(FORBIDDEN_STEP)) {
      const step = fold(`${verb} ${name}`);
      if (NO_STEP.test(verb!) || !isName(name!, quote!) || seen.has(step)) continue;
      seen.add(step);
      if (seen.size > MAX_FOUND) return found;
      const taken = stepIn(answer, verb!, name!);
      if (taken === null || sources.some((other) => stepIn(other, verb!, name!) !== null)) continue;
      const said = source
        .slice(index)
        .replace(/^[^A-Za-z]+/, "")
        .split("\n")[0]!
        .slice(0, 60);
      found.push(`${JSON.stringify(taken)} (${JSON.stringify(said)} in the source)`);
    }
  }
  return found;
}

/** Where a text takes a step, in its own words or by a command; null where it does not, forbids it or makes it depend. */
function stepIn(text: string, verb: string, name: string): string | null {
  const verbs = /^(?:delete|remove)$/i.test(verb) ? "delete|remove|rm" : RegExp.escape(verb);
  const step = new RegExp(
    String.raw`(?<![\w-])(?:${verbs})(?:\s--?[\w-]{1,20}){0,3}\s(?:the |[a-z]{1,20} )?["'\x60]?(?:[\w.~-]{0,40}/){0,8}${RegExp.escape(name)}(?![\w-]|\.\w)`,
    "gi",
  );
  for (const { 0: taken, index } of text.matchAll(step)) {
    const before = sentenceBefore(text, index);
    if (STEP_BEGINS.test(before) && !NEGATION.test(before) && !ON_CONDITION.test(before)) return taken;
  }
  return null;
}

// ---- Results --------------------------------------------------------------------------------------------

/** "I ran `…`": no model has. "Should I run `…`?" says nothing. */
const HAS_RUN =
  /\bI(?:(?:'ve| have) (?:just |already )?run| (?:just |already )?ran|(?:'ve| have)? (?:just |already )?(?:executed|checked with|verified with))\s\x60[^\x60\n]{2,200}\x60/g;
/** A check that is said to have been passed, and the share that it shows. */
const PASSED =
  /^[\s>*_#|-]{0,8}(?:\d{1,2}[.)]\s)?(?:PASS(?:ED)?|OK|VERIFIED|CONFIRMED)\b[\s:.!*_|-]{1,6}([^\n]{1,300})/gm;
const SHARE_OF =
  /(?<![\w/.-])([\w/.-]{2,80})["'\x60]?\s(?:is|shows|at|has|reports|stands at)(?: now| at| already){0,2}\s(?:(less than|below|under|at most|more than|above|over|at least) )?(\d{1,3}(?:\.\d{1,3})?) ?%/gi;

function claimedResults(answer: string, task: string): string[] {
  const ran = [...answer.matchAll(HAS_RUN)].flatMap(([claim]) =>
    task.includes(claim) ? [] : [`${JSON.stringify(claim)} (nobody has run it)`],
  );
  const known = new Map(
    [...task.matchAll(SHARE_OF)].map(([text, name, , value]) => [name!, { text, value }]),
  );
  if (known.size === 0) return ran;
  const wrong = [...answer.matchAll(PASSED)].flatMap(([, claim]) =>
    [...claim!.matchAll(SHARE_OF)].flatMap(([text, name, bound, value]) => {
      const there = known.get(name!);
      if (there === undefined || holds(Number(there.value), bound, Number(value))) return [];
      return [`${JSON.stringify(text)} (${JSON.stringify(there.text)} in the task)`];
    }),
  );
  return [...ran, ...wrong];
}

function holds(value: number, bound: string | undefined, limit: number): boolean {
  if (bound === undefined) return value === limit;
  return /^(?:less|below|under|at most)/i.test(bound) ? value <= limit : value >= limit;
}
