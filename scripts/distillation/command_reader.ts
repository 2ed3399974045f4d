/**
 * The commands of a text, each with its words and flags: simple commands of the shell and statements of SQL, from code and
 * from lines that stand by themselves as commands do. Text in, commands out; knows nothing of what they are for. What a line of the
 * shell says is read by shell_reader.ts, a statement by sql_reader.ts, and what forbids a command by warning_reader.ts.
 */
import { promptOf, readCode, SHELLS, SQL_LANGUAGES } from "./facts.ts";
import type { CodeRegion, Span } from "./facts.ts";
import { openShell, readLine, SETS_UP, toolOf } from "./shell_reader.ts";
import type { Read, Shell } from "./shell_reader.ts";
import { inCapitals, statementsIn, withQuotedInCapitals } from "./sql_reader.ts";
import { badSections, isForbidden, isUnderBadSign, notedLines } from "./warning_reader.ts";

/** One with whether its page warns of it: "never run …". */
export interface Command extends Read {
  isWarnedOf: boolean;
}

/** More in one text is no answer, and hardly a runbook. */
const MAX_COMMANDS = 2000;
/** A text that is read for commands. */
export interface Page {
  /** Made plain. */
  text: string;
  /** The same with its code blotted out by backticks, but for comments. */
  prose: string;
  /** Where all is forbidden, and the code that is. */
  sections: Span[];
  forbidden: Span[];
  /** The commands that stand in code, or on lines that are set in. */
  marked: Command[];
}

/** Code with what is read of it. */
type Region = ReturnType<typeof readCode>["code"][number];

export function openPage(original: string): Page {
  const { text, code } = readCode(original);
  const sections = badSections(text, code);
  const forbidden: Span[] = [];
  const shell = openShell();
  let prose = "";
  let from = 0;
  const marked: Command[] = [];
  for (const region of code) {
    prose += text.slice(from, region.start) + blotted(text.slice(region.start, region.end));
    from = region.end;
    if (marked.length > MAX_COMMANDS) continue;
    const isAllForbidden = isForbidden(text, region, sections);
    const noted = region.language === "inline" ? [] : notedLines(text, region);
    forbidden.push(...(isAllForbidden ? [region] : noted));
    for (const { read, isNoted } of commandsIn(text, { ...region, noted }, shell))
      marked.push({ ...read, isWarnedOf: isAllForbidden || isNoted });
  }
  prose += text.slice(from);
  const page = { text, prose, sections, forbidden };
  marked.push(...linesOf(page, { areSetIn: true, tools: null }));
  return { ...page, marked };
}

const blotted = (code: string): string =>
  code.replaceAll(/(?<=^|\s)# [^\n]*|[^\n]/g, (part) => (part.length > 1 ? part : "`"));

/** The commands of a piece of code, with those that its own notes forbid. */
function commandsIn(
  text: string,
  { noted, ...region }: Region & { noted: Span[] },
  shell: Shell,
): { read: Read; isNoted: boolean }[] {
  const starts = new Set(noted.map(({ start }) => start));
  const code = codeOf(text, region);
  let allowed = "";
  let from = 0;
  for (const { start, end } of noted) {
    allowed += code.slice(from, start - region.start) + "\n";
    from = end - region.start;
  }
  allowed += code.slice(from);
  const found = [
    ...statementsIn(allowed).map((read) => ({ read, isNoted: false })),
    ...noted.flatMap((line) =>
      statementsIn(codeOf(text, { ...region, ...line })).map((read) => ({ read, isNoted: true })),
    ),
  ];
  for (const { line, span } of pipelines(text, scriptLines(text, region))) {
    if (found.length > MAX_COMMANDS) break;
    found.push(
      ...readLine(line, shell).map((read) => ({ read, isNoted: starts.has(lineStart(text, span.start)) })),
    );
  }
  return found;
}

/** A line that is read begins behind its prompt. */
const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1;

/** In a block that says it is SQL small letters are as good as capitals, and in what a client of SQL is given. */
const codeOf = (text: string, { start, end, language }: CodeRegion): string =>
  SQL_LANGUAGES.has(language)
    ? inCapitals(text.slice(start, end))
    : withQuotedInCapitals(text.slice(start, end));

/** The lines that read like commands, and those that set up what others run. */
function scriptLines(text: string, { body, language, lines }: Region): Span[] {
  if (language === "inline" || (language !== "" && !SHELLS.has(language))) return lines;
  const code = text.slice(body.start, body.end);
  if (promptOf(code.split("\n")) !== null) return lines;
  const script = [...lines];
  let next = 0;
  for (const { 0: line, index } of code.matchAll(/[^\n]+/g)) {
    const at = body.start + index;
    while (next < lines.length && lines[next]!.end <= at) next++;
    const isRead = next < lines.length && lines[next]!.start <= at + line.length;
    if (!isRead && SETS_UP.test(line)) script.push({ start: at, end: at + line.length });
  }
  return script.sort((a, b) => a.start - b.start);
}

/** Lines as they are read: one that ends in a bar goes on. */
function pipelines(text: string, lines: Span[]): { line: string; span: Span }[] {
  const joined: { line: string; span: Span }[] = [];
  for (const span of lines) {
    const line = text.slice(span.start, span.end);
    const before = joined.at(-1);
    if (before && /(?<!\|)\|\s*$/.test(before.line)) before.line += ` ${line}`;
    else joined.push({ line, span });
  }
  return joined;
}

/** All of a page's commands: a line of its own without any mark is one where its tool is one of these; null for every tool. */
export function commandsOn(page: Page, tools: Set<string> | null): Command[] {
  return [...page.marked, ...linesOf(page, { areSetIn: false, tools })].slice(0, MAX_COMMANDS);
}

// ---- Where commands stand -------------------------------------------------------------------------------

/** Behind a list's mark, a prompt, sudo, a host and xargs: the tool of a line. */
const TOOL_OF_LINE =
  /^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?:\$ )?(?:sudo[ \t]+(?:-u[ \t]+\S+[ \t]+)?)?(?:[A-Z_]+=\S+[ \t]+)*(?:ssh[ \t]+\S+[ \t]+["']?(?:sudo[ \t]+)?)?(?:xargs[ \t]+(?:-\w+[ \t]+(?:\d+[ \t]+)?)*)?([A-Za-z][\w.+-]*)(?=[ \t]|$)/;

/** Words and signs of a sentence, which no command line has outside of quotes. */
const IN_SENTENCE =
  /(?:^|\s)(?:the|a|an|of|is|are|was|be|and|or|not|to|with|that|this|as|has|have|it|if|will)\s|[.:,;?!]\s*$/i;

/** Lines outside of code that read like commands, as a mail has them: those that are set in like code, or the others. */
function linesOf(
  { text, prose, sections }: Omit<Page, "marked">,
  { areSetIn, tools }: { areSetIn: boolean; tools: Set<string> | null },
): Command[] {
  const commands: Command[] = [];
  for (const { 0: line, index } of prose.matchAll(/(?:[^\n]*\\\n)*[^\n]+/g)) {
    const tool = TOOL_OF_LINE.exec(line.slice(0, 300))?.[1];
    const isSetIn = /^(?: {4}|\t)\s*(?![-*+]\s|\d+[.)]\s)/.test(line);
    if (tool === undefined || line.includes("`") || isSetIn !== areSetIn) continue;
    if (tools?.has(toolOf(tool)[0]) === false) continue;
    if (IN_SENTENCE.test(line.replaceAll(/"[^"\n]*"|'[^'\n]*'/g, ""))) continue;
    const mark = /^\s*(?:(?:[-*+]|\d+[.)])\s+)?/.exec(line)![0].length;
    const read = readLine(text.slice(index + mark, index + line.length), openShell());
    if (read.length === 0) continue;
    const isWarned = isUnderBadSign(text, index + mark, sections);
    commands.push(...read.map((command) => ({ ...command, isWarnedOf: isWarned })));
    if (commands.length > MAX_COMMANDS) break;
  }
  return commands;
}
