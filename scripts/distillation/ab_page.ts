/**
 * The report of an experiment as one page that needs nothing else: no script, no font, no picture from elsewhere, and a policy in
 * the page itself that forbids them. It says what ab_report.ts says in Markdown, from the same tables and sentences, and
 * draws what a table does not show: every pair, every interval, every arm's distribution.
 *
 * Texts of models and users reach the page through `escape` alone. Figures are drawn 340 units wide, so that their letters keep
 * their size on a telephone; colour is never the only sign.
 */
import {
  answerFacts,
  answerName,
  answersTable,
  comparisonSentence,
  comparisonTable,
  distribution,
  distributionTable,
  figure,
  gainOf,
  leakageSentences,
  LEFT_OUT,
  outcomeMeanings,
  outcomeOf,
  outcomesTable,
  pairsToShow,
  primaryOf,
  printable,
  readingNotes,
  runTable,
  shownText,
  signedWithBounds,
  verdictSentences,
} from "./ab_report.ts";
import type {
  Analysis,
  ArmSummary,
  Comparison,
  Difference,
  PairToShow,
  ReportOptions,
  ReportPart,
  Rich,
  ShownAnswer,
  Table,
} from "./ab_report.ts";

/** The page: what all parts show, what the author has to say, then each part with its figures and tables. */
export function htmlReport(parts: ReportPart[], { title, notes }: ReportOptions): string {
  const verdicts = parts.flatMap(({ name, analysis }, at) =>
    verdictSentences(analysis).map(
      (sentence) => `<li><a href="#part-${at + 1}">${escape(name)}</a>: ${figures(sentence)}.</li>`,
    ),
  );
  // The formatter leaves the page as it is.
  return `<!doctype html>
<!-- prettier-ignore -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<ul class="verdicts">
${verdicts.join("\n")}
</ul>
${notesSection(notes)}${parts.map(partSection).join("\n")}
</main>
</body>
</html>
`;
}

const escape = (text: string): string => Bun.escapeHTML(printable(text));

/** With a minus sign before negative figures, and no line break within "p < .001". */
const figures = (text: string): string =>
  escape(text)
    .replaceAll(/(?<![\w.])-(?=[.\d])/g, "−")
    .replaceAll(/p (=|&lt;) (?=\.)/g, "p\u00a0$1\u00a0");

function richText(text: Rich): string {
  if (typeof text === "string") return figures(text);
  return text
    .map((part) => (typeof part === "string" ? figures(part) : `<code>${escape(part.code)}</code>`))
    .join("");
}

const capitalised = (sentence: string): string => sentence.replace(/^./, (first) => first.toUpperCase());

/** Markup in the notes is shown as text. */
function notesSection(notes: string | null): string {
  if (notes === null || notes.trim() === "") return "";
  const rendered = Bun.markdown
    .html(notes, { noHtmlBlocks: true, noHtmlSpans: true })
    .replaceAll("<table>", `${scrollBox("Table of the notes")}<table>`)
    .replaceAll("</table>", "</table></div>");
  return `<section class="notes">\n${rendered}</section>\n`;
}

const scrollBox = (label: string): string =>
  `<div class="scroll" tabindex="0" role="region" aria-label="${escape(label)}">`;

function partSection({ name, command, analysis, rows }: ReportPart, at: number): string {
  const id = `part-${at + 1}`;
  if (analysis.arms.length === 0)
    return `<section id="${id}"><h2>${escape(name)}</h2><p>No rows.</p></section>`;
  const { arms, comparisons } = analysis;
  return `<section id="${id}" aria-labelledby="${id}-name">
<h2 id="${id}-name">${escape(name)}</h2>
${htmlTable(outcomesTable(analysis))}
${definitions(outcomeMeanings(analysis))}
${htmlTable(answersTable(analysis))}
${list(readingNotes(analysis))}
<div class="plots">
${histogramFigure(analysis)}${htmlTable(distributionTable(analysis))}
</div>
${comparisons.map((comparison) => comparisonSection(comparison, arms)).join("\n")}
${pairsSection(pairsToShow(analysis, rows))}<h3>${LEFT_OUT}</h3>
${list(leakageSentences(analysis.leakage))}
<h3>What was run</h3>
${command === null ? "" : `<pre class="command">${escape(command.trim())}</pre>\n`}${htmlTable(runTable(analysis))}
</section>`;
}

function comparisonSection(comparison: Comparison, arms: ArmSummary[]): string {
  const { treatment, control, differences } = comparison;
  const drawn =
    differences.length === 0
      ? ""
      : `\n<div class="plots">\n${pairedFigure(comparison, arms)}${forestFigure(comparison)}\n</div>\n${htmlTable(comparisonTable(comparison))}`;
  return `<h3>${escape(treatment)} against ${escape(control)}</h3>\n<p>${figures(comparisonSentence(comparison))}</p>${drawn}`;
}

const list = (sentences: Rich[]): string =>
  `<ul>${sentences.map((sentence) => `<li>${richText(sentence)}</li>`).join("")}</ul>`;

function definitions(meanings: { name: string; meaning: string }[]): string {
  const entries = meanings.map(({ name, meaning }) => `<dt>${escape(name)}</dt><dd>${escape(meaning)}</dd>`);
  return `<details open><summary>What the outcomes mean</summary><dl>${entries.join("")}</dl></details>`;
}

/** Nothing without rows. */
function htmlTable({ caption, head, rows, figures }: Table): string {
  if (rows.length === 0) return "";
  const headed = head.some((cell) => cell !== "");
  const titles = head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join("");
  const lines = rows.map(([first, ...cells]) => {
    const others = cells.map((cell) => `<td>${richText(cell)}</td>`).join("");
    return `<tr><th scope="row">${richText(first!)}</th>${others}</tr>`;
  });
  return `${scrollBox(caption)}<table${figures ? ' class="figures"' : ""}>
<caption>${escape(caption)}</caption>
${headed ? `<thead><tr>${titles}</tr></thead>\n` : ""}<tbody>
${lines.join("\n")}
</tbody></table></div>`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Pairs
// ---------------------------------------------------------------------------------------------------------------------

function pairsSection(pairs: PairToShow[]): string {
  if (pairs.length === 0) return "";
  return `<h3>Pairs side by side</h3>
<p>Chosen by rule: the best, the middle and the worst for the treatment in the primary outcome, equals in the order in which the
tasks ran. <mark>Marked</mark>: a fact that stands nowhere. <span class="supported">Underlined</span>: one that stands in the records
and not in the task.</p>
${pairs.map(pairArticle).join("\n")}
`;
}

function pairArticle({ heading, task_id, task, answers }: PairToShow): string {
  return `<article class="pair">
<h4>${figures(heading)}</h4>
<p>Task <code>${escape(task_id)}</code></p>
<blockquote>${escape(task)}</blockquote>
<div class="answers">
${answers.map(answerDiv).join("\n")}
</div>
</article>`;
}

function answerDiv(answer: ShownAnswer): string {
  const text = answer.stretches.map(({ text, mark }) => {
    if (mark === null) return escape(text);
    return mark === "nowhere"
      ? `<mark>${escape(text)}</mark>`
      : `<span class="supported">${escape(text)}</span>`;
  });
  const style = answer.verdict === "pass" ? "" : ' class="rejected"';
  return `<div${style}><p><strong>${escape(answerName(answer))}</strong>: ${figures(answerFacts(answer))}; ${richText(shownText(answer.shown))}</p>
<div class="answer">${text.join("")}</div></div>`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Figures
// All in units of an SVG that is WIDTH wide. Better is blue and right or above, worse orange and left or below.
// ---------------------------------------------------------------------------------------------------------------------

const WIDTH = 340;

interface Drawing {
  height: number;
  /** What it shows, read out in its place. */
  label: string;
  caption: string;
  shapes: string[];
}

function svgFigure({ height, label, caption, shapes }: Drawing): string {
  return `<figure><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(label)}">
<title>${escape(label)}</title>
${shapes.join("\n")}
</svg><figcaption>${figures(caption)}</figcaption></figure>`;
}

/** Tenths of a unit are enough, and the same on every machine. */
const at = (place: number): string => String(Number(place.toFixed(1)) + 0);

interface Line {
  from: [number, number];
  to: [number, number];
  style: string;
}

const line = ({ from, to, style }: Line): string =>
  `<line class="${style}" x1="${at(from[0])}" y1="${at(from[1])}" x2="${at(to[0])}" y2="${at(to[1])}"/>`;

/** `place` is the baseline's; the anchor is the left end unless the style says otherwise. */
const words = (text: string, [x, y]: [number, number], style = ""): string =>
  `<text${style === "" ? "" : ` class="${style}"`} x="${at(x)}" y="${at(y)}">${figures(text)}</text>`;

/** What a figure of an outcome does not show: that a rejected answer is measured like any other. */
function rejectedNote(arms: ArmSummary[]): string {
  const counts = arms.flatMap(({ arm, failed, answers }) =>
    failed === 0 ? [] : `${arm}: ${failed} of ${answers}`,
  );
  return counts.length === 0
    ? ""
    : ` Answers that the gate rejected are drawn like the others (${counts.join(", ")}).`;
}

const SIDE = { left: 46, right: 14, top: 14, bottom: 46 };
const MAX_RADIUS = 17;
const MIN_RADIUS = 3;

/** A circle for each pair of values, as large as the tasks that have it; above the diagonal the treatment has more. */
function pairedFigure(comparison: Comparison, arms: ArmSummary[]): string {
  const { treatment, control } = comparison;
  const found = primaryOf(comparison);
  if (!found) return "";
  const { name, unit, better } = outcomeOf(found.key);
  const values = found.pairs.flatMap((pair) => [pair.control, pair.treatment]);
  const ticks = unit === "share" ? [0, 0.25, 0.5, 0.75, 1] : axisTicks(Math.max(1, ...values));
  const scale = squareScale(ticks.at(-1)!);
  const counts = `${found.better} better, ${found.equal} equal, ${found.worse} worse`;
  return svgFigure({
    height: WIDTH,
    label: `${name} of each task, ${control} across and ${treatment} upwards: ${counts} with ${treatment}`,
    caption: `${capitalised(name)}, task by task: ${counts}. A circle's area is the number of tasks; ${better === "higher" ? "above" : "below"} the diagonal ${treatment} is better.${rejectedNote(arms.filter(({ arm }) => arm === control || arm === treatment))}`,
    shapes: [
      ...squareAxes(scale, ticks, found),
      words(`${control} →`, [WIDTH - SIDE.right, WIDTH - 8], "end muted"),
      words(`${treatment} ↑`, [4, SIDE.top - 2], "muted"),
      ...circles(found, scale),
    ],
  });
}

interface SquareScale {
  x: (value: number) => number;
  y: (value: number) => number;
}

/** A square, with room for a circle at either end. */
function squareScale(most: number): SquareScale {
  const inner = WIDTH - SIDE.left - SIDE.right - 2 * MAX_RADIUS;
  return {
    x: (value) => SIDE.left + MAX_RADIUS + (value / most) * inner,
    y: (value) => WIDTH - SIDE.bottom - MAX_RADIUS - (value / most) * inner,
  };
}

function squareAxes({ x, y }: SquareScale, ticks: number[], { key }: Difference): string[] {
  const { unit } = outcomeOf(key);
  const [left, right] = [SIDE.left, WIDTH - SIDE.right];
  const [top, bottom] = [SIDE.top, WIDTH - SIDE.bottom];
  const digits = unit === "share" ? 2 : 0;
  return [
    ...ticks.flatMap((tick) => [
      line({ from: [x(tick), top], to: [x(tick), bottom], style: "grid" }),
      line({ from: [left, y(tick)], to: [right, y(tick)], style: "grid" }),
      words(figure(tick, { unit, digits }), [x(tick), bottom + 16], "middle"),
      words(figure(tick, { unit, digits }), [left - 6, y(tick) + 4], "end"),
    ]),
    line({ from: [x(0), y(0)], to: [x(ticks.at(-1)!), y(ticks.at(-1)!)], style: "diagonal" }),
  ];
}

/** Four or so round steps from 0 that reach the largest value. */
function axisTicks(most: number): number[] {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

/** The largest first, so that none hides another. */
function circles({ key, pairs }: Difference, { x, y }: SquareScale): string[] {
  const groups = [
    ...Map.groupBy(pairs, (pair) => `${at(x(pair.control))} ${at(y(pair.treatment))}`).values(),
  ];
  const most = Math.max(...groups.map((group) => group.length));
  return groups
    .toSorted((a, b) => b.length - a.length)
    .map((group) => {
      const { control, treatment, difference } = group[0]!;
      const radius = Math.max(MIN_RADIUS, MAX_RADIUS * Math.sqrt(group.length / most));
      const [cx, cy] = [x(control), y(treatment)];
      const number = radius < 8 ? "" : words(String(group.length), [cx, cy + 4], "middle count");
      return `<circle class="${worth(gainOf(key, difference))}" cx="${at(cx)}" cy="${at(cy)}" r="${at(radius)}"/>${number}`;
    });
}

const worth = (gain: number): string => (gain === 0 ? "equal" : gain > 0 ? "better" : "worse");

const ROW_HEIGHT = 40;
const PANEL_HEAD = 30;
const FOREST = { left: 12, right: 12 };

/** A line with a dot for each tested outcome, shares and counts on scales of their own, gains to the right. */
function forestFigure(comparison: Comparison): string {
  const { treatment, control, differences } = comparison;
  const panels = (["share", "count"] as const)
    .map((unit) => differences.filter(({ key }) => outcomeOf(key).unit === unit))
    .filter((panel) => panel.length > 0);
  const heights = panels.map((panel) => PANEL_HEAD + panel.length * ROW_HEIGHT + 26);
  const tops = heights.map((_, index) => heights.slice(0, index).reduce((sum, height) => sum + height, 0));
  return svgFigure({
    height: heights.reduce((sum, height) => sum + height, 0),
    label: `Differences with 95 % intervals, ${treatment} minus ${control}: ${differences.map(differenceText).join("; ")}`,
    caption: `Differences with 95 % intervals, ${treatment} minus ${control}. Right of the line ${treatment} is better, so outcomes of which less is better are turned round; the figures are not.`,
    shapes: panels.flatMap((panel, index) => forestPanel(panel, tops[index]!)),
  });
}

const differenceText = ({ key, interval }: Difference): string =>
  `${outcomeOf(key).name} ${signedWithBounds(interval!, outcomeOf(key))}`;

function forestPanel(panel: Difference[], top: number): string[] {
  const { unit } = outcomeOf(panel[0]!.key);
  const gains = panel.map(({ key, interval }) => gainInterval(key, interval!));
  const reach = Math.max(unit === "share" ? 0.1 : 0.5, ...gains.flatMap(({ low, high }) => [-low, high]));
  const limit = niceLimit(reach);
  const middle = WIDTH / 2;
  const x = (gain: number): number => middle + (gain / limit) * (middle - FOREST.left);
  const bottom = top + PANEL_HEAD + panel.length * ROW_HEIGHT;
  const digits = unit === "share" ? 2 : limit < 2 ? 1 : 0;
  const tickText = (tick: number): string => figure(Math.abs(tick), { unit, digits });
  return [
    line({ from: [middle, top + PANEL_HEAD - 6], to: [middle, bottom], style: "axis" }),
    words("← worse", [middle - 8, top + 16], "end muted"),
    words("better →", [middle + 8, top + 16], "muted"),
    words(unit === "share" ? "shares" : "counts", [0, top + 16], "muted"),
    ...panel.flatMap((found, index) => forestRow(found, x, top + PANEL_HEAD + index * ROW_HEIGHT)),
    line({ from: [x(-limit), bottom], to: [x(limit), bottom], style: "axis" }),
    words(tickText(limit), [x(-limit), bottom + 15]),
    words("0", [middle, bottom + 15], "middle"),
    words(tickText(limit), [x(limit), bottom + 15], "end"),
  ];
}

/** The name and the raw figures above, the interval below. */
function forestRow({ key, interval }: Difference, x: (gain: number) => number, top: number): string[] {
  const spec = outcomeOf(key);
  const { mean, low, high } = gainInterval(key, interval!);
  const style = low > 0 ? "better" : high < 0 ? "worse" : "equal";
  const y = top + 26;
  return [
    words(spec.name, [0, top + 12]),
    words(signedWithBounds(interval!, spec), [WIDTH, top + 12], "end"),
    line({ from: [x(low), y], to: [x(high), y], style: `interval ${style}` }),
    line({ from: [x(low), y - 4], to: [x(low), y + 4], style: `interval ${style}` }),
    line({ from: [x(high), y - 4], to: [x(high), y + 4], style: `interval ${style}` }),
    `<circle class="${style}" cx="${at(x(mean))}" cy="${at(y)}" r="4.5"/>`,
  ];
}

function gainInterval(
  key: Difference["key"],
  { mean, low, high }: NonNullable<Difference["interval"]>,
): {
  mean: number;
  low: number;
  high: number;
} {
  const ends = [gainOf(key, low), gainOf(key, high)];
  return { mean: gainOf(key, mean), low: Math.min(...ends), high: Math.max(...ends) };
}

/** The next 1, 2 or 5 times a power of ten. */
function niceLimit(reach: number): number {
  const power = 10 ** Math.floor(Math.log10(reach));
  return [1, 2, 5, 10].map((factor) => factor * power).find((limit) => limit >= reach - 1e-9)!;
}

const BAR_HEIGHT = 64;
const BAR_PANEL = BAR_HEIGHT + 44;

/** Bars of the number of tasks for each arm, one above the other on one scale. */
function histogramFigure(analysis: Analysis): string {
  const { arms, primary } = analysis;
  const { name } = outcomeOf(primary);
  const bins = distribution(analysis);
  const most = Math.max(1, ...bins.flatMap((bin) => bin.counts));
  const read = arms.map(
    ({ arm }, index) =>
      `${arm} ${bins.map(({ label, counts }) => `${counts[index]} at ${label}`).join(", ")}`,
  );
  return svgFigure({
    height: Math.max(1, arms.length) * BAR_PANEL,
    label: `Tasks by ${name}: ${read.join("; ")}`,
    caption: `Tasks by ${name}, each arm on the same scale.${rejectedNote(arms)}`,
    shapes: arms.flatMap(({ arm }, index) => {
      const heights = bins.map(({ label, counts }) => ({ label, count: counts[index]! }));
      return [
        words(arm, [0, index * BAR_PANEL + 14], "strong"),
        ...bars(heights, most, index * BAR_PANEL + 24),
      ];
    }),
  });
}

function bars(bins: { label: string; count: number }[], most: number, top: number): string[] {
  const step = WIDTH / bins.length;
  const bottom = top + BAR_HEIGHT;
  return [
    ...bins.flatMap(({ label, count }, index) => {
      const height = (count / most) * (BAR_HEIGHT - 14);
      const middle = (index + 0.5) * step;
      return [
        `<rect class="bar" x="${at(index * step + 4)}" y="${at(bottom - height)}" width="${at(step - 8)}" height="${at(height)}"/>`,
        words(String(count), [middle, bottom - height - 3], "middle"),
        words(label, [middle, bottom + 14], "middle muted"),
      ];
    }),
    line({ from: [0, bottom], to: [WIDTH, bottom], style: "axis" }),
  ];
}

// ---------------------------------------------------------------------------------------------------------------------
// Style
// Blue and orange keep apart for every kind of colour-blindness, and all text has a contrast of 4.5 at least.
// ---------------------------------------------------------------------------------------------------------------------

const STYLE = `
:root {
  --paper: #fff; --ink: #1b1d21; --muted: #5a5f68; --rule: #d9dce1; --panel: #f5f6f8;
  --better: #0b5fa5; --worse: #b4470a; --equal: #6d727b; --mark: #ffe08a; --mark-ink: #1b1d21;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --ink: #e7e9ec; --muted: #a6acb6; --rule: #363b44; --panel: #1d2026;
    --better: #6cb6f2; --worse: #f2a15f; --equal: #9aa0aa; --mark: #5f4a05; --mark-ink: #fff2cc;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 66rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; margin: 2em 0 .6em; }
h1 { font-size: 1.9rem; margin-top: 0; max-width: 32em; }
h2 { font-size: 1.45rem; margin-top: 2.5em; padding-top: .8em; border-top: 1px solid var(--rule); }
h3 { font-size: 1.15rem; }
h4 { font-size: 1rem; margin: 0 0 .5em; }
p, li, dd, blockquote { max-width: 68ch; overflow-wrap: anywhere; }
a { color: var(--better); }
ul { padding-left: 1.3em; }
li { margin: .3em 0; }
.verdicts { list-style: none; padding: .9rem 1.1rem; margin: 1.5rem 0; background: var(--panel); border-left: 4px solid var(--muted); }
.verdicts li { font-size: 1.08rem; margin: .5em 0; }
code, pre, .answer { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .86em; }
code { overflow-wrap: anywhere; }
pre { padding: .8rem 1rem; background: var(--panel); overflow-x: auto; }
blockquote { margin: .5em 0 1em; padding-left: 1rem; border-left: 3px solid var(--rule); white-space: pre-wrap; }
.scroll { overflow-x: auto; margin: 1.2rem 0; min-width: 0; }
.scroll code { overflow-wrap: normal; }
.scroll[aria-label="Table of the notes"] td + td { white-space: nowrap; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .4em; }
th, td { padding: .3em .9em .3em 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 8.5rem; }
.figures th + th, .figures td { text-align: right; }
.figures td { white-space: nowrap; }
.figures thead th + th { max-width: 7rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: minmax(9rem, auto) 1fr; gap: .25em 1.2em; font-size: .9rem; }
dd { margin: 0; color: var(--muted); }
@media (max-width: 40rem) {
  dl { display: block; }
  dd { margin-bottom: .5em; }
}
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1.5rem 3rem; align-items: start; }
figure { margin: 1rem 0; max-width: 27rem; }
figcaption { color: var(--muted); font-size: .88rem; margin-top: .5em; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text {
  font-size: 11.5px; fill: var(--ink); font-variant-numeric: tabular-nums;
  paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round;
}
svg .muted { fill: var(--muted); }
svg .strong { font-weight: 600; }
svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .count { fill: var(--paper); stroke: none; font-weight: 600; }
.grid { stroke: var(--rule); }
.axis { stroke: var(--muted); }
.diagonal { stroke: var(--muted); stroke-dasharray: 4 4; }
.interval { stroke-width: 2; }
circle.better, .bar { fill: var(--better); }
circle.worse { fill: var(--worse); }
circle.equal { fill: var(--equal); }
circle { stroke: var(--paper); }
line.better { stroke: var(--better); }
line.worse { stroke: var(--worse); }
line.equal { stroke: var(--equal); }
.pair { margin: 1.5rem 0 2.5rem; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.answers > div { min-width: 0; }
.answers p { font-size: .9rem; }
.answer { padding: .8rem 1rem; background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; }
mark { background: var(--mark); color: var(--mark-ink); outline: 1px solid var(--worse); border-radius: 2px; }
.rejected strong { color: var(--worse); }
.rejected .answer { border-left: 4px solid var(--worse); }
.supported { text-decoration: underline dotted var(--better) 1.5px; text-underline-offset: 3px; }
:focus-visible { outline: 2px solid var(--better); outline-offset: 2px; }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  figure, tr, h2, h3, h4 { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  .verdicts, mark, .answer, circle, rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
