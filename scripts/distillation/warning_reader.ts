/**
 * Which places of a page it forbids, by the signs that stand over them: the sentence around a command, what stands right behind it, the
 * line that leads to its list or block, the title of its box or section, the head of its column, the note in its block. A sign has to
 * forbid outright: "Do not proceed without a backup:" is an order, and so is what stands behind "Instead".
 */
import { NEGATION } from "./facts.ts";
import type { CodeRegion, Span } from "./facts.ts";

/** What nobody wants of a command, said where its sentence begins with it: "`docker compose down` stops the whole project". */
const REGRETTED =
  /^`\s+(?:[\w'-]+\s+){0,3}?(?:is|are|would|will|\w{2,}s)\s[^.\n`]{0,80}?\b(?:no|not|never|whole|everything|every|all|los(?:e|es|t)|too|for good)\b/;

const FORBIDDEN_BEHIND =
  /^`\s+(?:(?:must|should|may|shall)\s(?:not|never)\sbe\s|(?:is|are)\s(?:\w+ly\s)?(?:forbidden|prohibited|banned|not allowed|never allowed|off limits))/i;

const BAD = String.raw`bad|wrong|forbidden|prohibited|(?:this\s)?makes (?:it|things) worse|not like this|anti-?patterns?|don'?ts?`;
const SIGN = "❌⛔🚫✗✘";
const LABEL = new RegExp(
  String.raw`(?:(?:^|[.;]\s)[\s>*_+-]*(?:${BAD})[*_]*:[*_]*|[${SIGN}]\ufe0f?)\s*[*_]*$`,
  "i",
);

/** Of a section, or a column. */
const BAD_TITLE = new RegExp(
  String.raw`^\W*(?:${BAD}|(?:what|things) (?:you (?:must|should) )?(?:not|never) to do|what (?:you )?(?:must|should) (?:not|never) (?:be done|do)|(?:do not|never)(?: (?:do|run|use)(?: (?:this|these|that|it))?)?|avoid|(?:things|mistakes) to avoid|common mistakes|(?:forbidden|prohibited|dangerous) commands|what makes (?:it|things) worse|bad practices?)\W*$`,
  "i",
);

const NOTE = new RegExp(
  String.raw`(?:^|\s)(?:#+|--|\/\/)\s*(?:[${SIGN}]\ufe0f?|(?:(?:warning|danger|caution)\W{1,3})?(?:(?:do not|don't|never)\s+(?:ever\s+)?(?:run|use|do|try|execute|type|copy)(?:\s+(?:this|these|it|that|any of \w+|the following))?|${BAD})\s*(?:$|[:;.,!(—–<-]))`,
  "i",
);

const BEGINS_WITH_SIGN = new RegExp(`^[${SIGN}]`);

const LIST_MARK = /^\s*(?:[-*+•]|\d+[.)])\s/;
const FENCE = /^[ \t>]*(?:\x60{3,}|~{3,})/;

/** UTF-16 units in which what leads to a place is looked for. */
const MAX_LEAD_CHARS = 1500;

/** Whether what stands over inline code or a block forbids it. */
export function isForbidden(plain: string, region: CodeRegion, sections: Span[]): boolean {
  const isInline = region.language === "inline";
  if (isInline && isForbiddenInline(plain, region)) return true;
  return isUnderBadSign(plain, region.start, sections);
}

/** The same of a line without any mark. */
export function isUnderBadSign(plain: string, start: number, sections: Span[]): boolean {
  const lead = leadOf(plain, start);
  if (lead !== null) return forbids(lead);
  const line = plain
    .slice(Math.max(0, start - 200), start)
    .split("\n")
    .at(-1)!;
  return sections.some((section) => section.start < start && start < section.end) && !ADVISES.test(line);
}

const ADVISES = /(?:\b(?:instead|rather|better|right|good|correct|fine|use|do)\b[^.]*|✅)$/i;

// ---- In its own line ------------------------------------------------------------------------------------

function isForbiddenInline(plain: string, { start, end }: Span): boolean {
  const line = plain
    .slice(Math.max(0, start - 300), start - 1)
    .split("\n")
    .at(-1)!;
  const behind = plain.slice(end, end + 160);
  if (LABEL.test(line) || FORBIDDEN_BEHIND.test(behind)) return true;
  if (line.endsWith("~~") && behind.startsWith("`~~")) return true;
  return isWarnedOf(plain, { start, end }) || isInBadCell(plain, start);
}

/** Whether the sentence around inline code warns of it. */
function isWarnedOf(plain: string, { start, end }: Span): boolean {
  const paragraph = plain.slice(Math.max(0, start - 300), start - 1);
  const flowing = paragraph.replace(/\n(?!\s*(?:[-*+•#>|`]|\d+[.)]|\n))/g, " ");
  const sentence = flowing.split(/[.;:?!]\s|\n/).at(-1)!;
  // A comma ends what is negated ("if it does not help, …"), but for a list: "never `a`, `b` or `c`".
  if (NEGATION.test(sentence.split(/,\s/).at(-1)!)) return true;
  const isListed = /`\s*(?:,|or|and|nor|\/)\s*(?:or\s*|and\s*)?$/.test(sentence);
  if (isListed && NEGATION.test(sentence.split("`")[0]!)) return true;
  return /^\s*(?:[-*]\s|\d+[.)]\s)?$/.test(sentence) && REGRETTED.test(plain.slice(end, end + 160));
}

/** Of a table: its column is headed "Don't", or its row says "forbidden". */
function isInBadCell(plain: string, start: number): boolean {
  const before = plain.slice(Math.max(0, start - MAX_LEAD_CHARS), start).split("\n");
  if (!before.at(-1)!.startsWith("|")) return false;
  const first = before.findLastIndex((line) => !line.startsWith("|")) + 1;
  const rest = plain.slice(start, start + MAX_LEAD_CHARS).split("\n")[0]!;
  const row = cellsOf(before.at(-1)! + rest);
  const column = cellsOf(`${before.at(-1)!}\x60`).length - 1;
  const heads = cellsOf(before[first]!);
  if (first === before.length - 1) return false;
  return (
    BAD_TITLE.test(heads[column] ?? "") ||
    row.some(
      (cell, at) =>
        at !== column &&
        (/^\W*(?:forbidden|prohibited|not allowed)\b|^[⛔🚫❌]/i.test(cell) ||
          (/^(?:no|never)\W*$/i.test(cell) && /\?|allow|safe|permit/i.test(heads[at] ?? ""))),
    )
  );
}

const cellsOf = (row: string): string[] =>
  row
    .replaceAll(/\x60[^\x60]*(?:\x60|$)/g, (code) => code.replaceAll("|", " "))
    .split("|")
    .slice(1)
    .map((cell) => cell.trim());

// ---- Over it --------------------------------------------------------------------------------------------

/** The line that leads to a block, or to the list that it stands in; null where something else stands before it. */
function leadOf(plain: string, start: number): string | null {
  const lines = plain.slice(Math.max(0, start - MAX_LEAD_CHARS), start).split("\n");
  const own = lines.pop()!;
  const isItem = /^\s*(?:[-*+•]|\d+[.)])\s+(?:\w+\s+){0,3}[\x60\s]*$/.test(own);
  if (!isItem && !/^[\s>\x60]*$/.test(own)) return null;
  const isWithin = isItem || /^\s/.test(own);
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at]!;
    if (FENCE.test(line)) at = lines.findLastIndex((other, n) => n < at && FENCE.test(other));
    else if (isWithin && LIST_MARK.test(line)) continue;
    else if (line.trim() !== "" && !/^\s*(?:or|and|nor|or even|and also)\W*$/i.test(line)) return line;
    if (at < 0) return null;
  }
  return null;
}

/** "Do not proceed without a backup:" */
const SAYS_HOW =
  /\b(?:without|until|unless|before|proceed|continue|start|go on|forget|skip|hesitate|panic|wait|at once|at the same time)\b/i;

/** "Never run any of these:", `!!! danger "Never …"`, "Wrong:", "The following are forbidden:" */
function forbids(lead: string): boolean {
  const [, title] = /^\s*(?:[!?]{3}\+?|:{3,})\s*\w+\s*(?:["[](.*?)["\]])?\s*$/.exec(lead) ?? [];
  const line = (title ?? lead).replace(/^[\s*_>#]+|[\s*_]+$/g, "");
  const last = line.split(/[.;!?]\s/).at(-1)!;
  if (SAYS_HOW.test(last)) return false;
  const isOrder = /^(?:never|do not|don't|avoid)\b[^.;,]*$/i.test(last);
  if (isOrder && (title !== undefined || last.endsWith(":"))) return true;
  if (last !== line && TURNS.test(last)) return false;
  if (BEGINS_WITH_SIGN.test(line)) return /:$|^\W*$/.test(line);
  if (BAD_TITLE.test(line) || NOTE.test(`# ${line}`)) return true;
  return /\b(?:forbidden|prohibited|banned|not allowed|off limits):$/i.test(last);
}

/** "Wrong. The right way:" */
const TURNS = /\b(?:instead|right|good|better|correct|use|do)\b(?! not)/i;

/** The sections whose headings forbid what stands in them. */
export function badSections(plain: string, code: Span[]): Span[] {
  const sections: Span[] = [];
  let open: number | null = null;
  let next = 0;
  for (const { 0: line, 1: title, 2: bold, index } of plain.matchAll(
    /^(?:#{1,6}[ \t]+([^\n]{1,200})|\*\*([^*\n]{1,100})\*\*:?[ \t]*)$/gm,
  )) {
    while (next < code.length && code[next]!.end <= index) next++;
    if (next < code.length && code[next]!.start <= index) continue;
    if (open !== null) sections.push({ start: open, end: index });
    open = BAD_TITLE.test((title ?? bold)!) ? index + line.length : null;
  }
  if (open !== null) sections.push({ start: open, end: plain.length });
  return sections;
}

/** The lines of a block that its notes forbid: those under `# DO NOT RUN` up to an empty line, and the one before `# never do this`. */
export function notedLines(plain: string, { start, end }: Span): Span[] {
  const noted: Span[] = [];
  let isUnder = false;
  let wasNote = false;
  for (const { 0: line, index } of plain.slice(start, end).matchAll(/[^\n]*\n?/g)) {
    const isNote = /^\s*(?:#|--|\/\/)/.test(line);
    if (isNote) isUnder = NOTE.test(line) || (wasNote && isUnder);
    else if (line.trim() === "") isUnder = false;
    else if (isUnder || NOTE.test(line))
      noted.push({ start: start + index, end: start + index + line.length });
    wasNote = isNote;
  }
  return noted;
}
