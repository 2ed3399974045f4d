/**
 * The commands of a text, each with its words and flags: simple commands of the shell and statements of SQL, from code and
 * from lines that stand by themselves as commands do. Text in, commands out; knows nothing of what they are for.
 *
 * They are read by their form. Which flags have a value is known of some and guessed of the others, so a command also keeps its
 * words and values together as they stand (`flat`). What another command carries out elsewhere (`ssh host …`, `kubectl exec`,
 * `sh -c`) is read in its place; what is piped into xargs belongs to the command that it runs.
 */
import { fold, isEveryday, readCode, SQL_LANGUAGES } from "./facts.ts";
import type { CodeRegion, Span } from "./facts.ts";

/** A simple command, or a statement of SQL with the columns of its conditions as flags. */
export interface Command {
  /** Its tool in lower case, without its folder; "sql" of a statement. */
  head: string;
  /** What stands behind it in order, flags and their values left out. */
  words: string[];
  /** Their values by their canonical names; "" of one without. */
  flags: Map<string, string[]>;
  flat: string[];
  /** The host that it is run on, if it says so. */
  host: string | null;
  /** As it stands. */
  text: string;
  /** Whether its sentence warns of it: "never run …". */
  isWarnedOf: boolean;
}

type Read = Omit<Command, "isWarnedOf">;

/** More in one text is no answer, and hardly a runbook. */
const MAX_COMMANDS = 2000;
/** UTF-16 units of a line of code; none that is longer is a command. */
const MAX_LINE_CHARS = 4000;

/** Kinds of objects, by every name that they go by. */
export const KINDS = kindTable(`
  pod pods po|namespace namespaces ns|deployment deployments deploy|service services svc|node nodes no|job jobs
  cronjob cronjobs cj|configmap configmaps cm|secret secrets|persistentvolumeclaim persistentvolumeclaims pvc
  persistentvolume persistentvolumes pv|ingress ingresses ing|statefulset statefulsets sts|daemonset daemonsets ds
  replicaset replicasets rs|hpa|pdb|crd crds|event events|container containers|image images|volume volumes
  network networks|system|builder|branch branches|tag tags|release releases|user users|group groups|role roles
  stack stacks|snapshot snapshots|instance instances|cluster clusters|queue queues|topic topics|index indices indexes
  bucket buckets|object objects|table tables|database databases|schema schemas|vhost vhosts|pool pools
  dataset datasets|exchange exchanges|stream streams|key keys|policy policies|token tokens|lease leases`);

function kindTable(rows: string): Map<string, string> {
  const kinds = rows.split(/[|\n]/).map((row) => row.trim().split(" "));
  return new Map(kinds.flatMap(([name, ...others]) => [name!, ...others].map((other) => [other, name!])));
}

/** A text that is read for commands. */
export interface Page {
  /** Made plain. */
  text: string;
  /** The same with its code blotted out by backticks, but for comments. */
  prose: string;
  /** The commands that stand in code, or on lines that are set in. */
  marked: Command[];
}

export function openPage(original: string): Page {
  const { text, code } = readCode(original);
  let prose = "";
  let from = 0;
  const marked: Command[] = [];
  for (const region of code) {
    prose += text.slice(from, region.start) + blotted(text.slice(region.start, region.end));
    from = region.end;
    if (marked.length > MAX_COMMANDS) continue;
    const isWarned =
      (region.language === "inline" && isWarnedOf(text, region)) || isListedAsWarning(text, region.start);
    const read = [
      ...statementsIn(codeOf(text, region)),
      ...pipelines(text, region.lines).flatMap((line) => readLine(line, null)),
    ];
    marked.push(...read.map((command) => ({ ...command, isWarnedOf: isWarned })));
  }
  prose += text.slice(from);
  marked.push(...linesOf({ text, prose }, { areSetIn: true, tools: null }));
  return { text, prose, marked };
}

const blotted = (code: string): string =>
  code.replaceAll(/(?<=^|\s)# [^\n]*|[^\n]/g, (part) => (part.length > 1 ? part : "`"));

/** In a block that says it is SQL small letters are as good as capitals. */
const codeOf = (text: string, { start, end, language }: CodeRegion): string =>
  SQL_LANGUAGES.has(language)
    ? text.slice(start, end).replaceAll(SQL_WORDS, (word) => word.toUpperCase())
    : text.slice(start, end);

/** Lines as they are read: one that ends in a bar goes on. */
function pipelines(text: string, lines: Span[]): string[] {
  const joined: string[] = [];
  for (const { start, end } of lines) {
    const line = text.slice(start, end);
    if (/(?<!\|)\|\s*$/.test(joined.at(-1) ?? "")) joined.push(`${joined.pop()} ${line}`);
    else joined.push(line);
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
  { text, prose }: Pick<Page, "text" | "prose">,
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
    const read = readLine(text.slice(index + mark, index + line.length), null);
    commands.push(...read.map((command) => ({ ...command, isWarnedOf: false })));
    if (commands.length > MAX_COMMANDS) break;
  }
  return commands;
}

/** What forbids, or speaks of what is not. */
export const NEGATION =
  /\b(?:never|do(?:es)? not|don't|must not|should not|shouldn't|cannot|can't|avoid|without|instead of|rather than|no|nor|neither|not)\b(?! (?:only|forget|hesitate))/i;

/** What nobody wants of a command, said where its sentence begins with it: "`docker compose down` stops the whole project". */
const REGRETTED =
  /^`\s+(?:[\w'-]+\s+){0,3}?(?:is|are|would|will|\w{2,}s)\s[^.\n`]{0,80}?\b(?:no|not|never|whole|everything|every|all|los(?:e|es|t)|too|for good)\b/;

/** Whether the sentence around inline code warns of it. */
function isWarnedOf(plain: string, { start, end }: { start: number; end: number }): boolean {
  const paragraph = plain.slice(Math.max(0, start - 300), start - 1);
  const flowing = paragraph.replace(/\n(?!\s*(?:[-*+•#>|`]|\d+[.)]|\n))/g, " ");
  const sentence = flowing.split(/[.;:?!]\s|\n/).at(-1)!;
  // A comma ends what is negated ("if it does not help, …"), but for a list: "never `a`, `b` or `c`".
  if (NEGATION.test(sentence.split(/,\s/).at(-1)!)) return true;
  const isListed = /`\s*(?:,|or|and|nor|\/)\s*(?:or\s*|and\s*)?$/.test(sentence);
  if (isListed && NEGATION.test(sentence.split("`")[0]!)) return true;
  return /^\s*(?:[-*]\s|\d+[.)]\s)?$/.test(sentence) && REGRETTED.test(plain.slice(end, end + 160));
}

/** Whether a list or block goes with a line that forbids it: "Never run any of these:". */
function isListedAsWarning(plain: string, start: number): boolean {
  const lines = plain.slice(Math.max(0, start - 600), start).split("\n");
  if (!LIST_MARK.test(lines.pop()!)) return false;
  const lead = lines.findLast((line) => line.trim() !== "" && !/^\s*(?:[-*+]|\d+[.)])\s/.test(line)) ?? "";
  return /^[\s*_>#]*(?:never|do not|don't|avoid)\b[^.;,]*:[\s*_]*$/i.test(lead.split(/[.;!?]\s/).at(-1)!);
}

const LIST_MARK = /^\s*(?:(?:[-*+]|\d+[.)])\s+)?[`\s]*$/;

// ---- The shell ------------------------------------------------------------------------------------------

/** A word with its quotes, places and substitutions. */
const TOKEN = /(?:<[A-Za-z][^<>\n]{0,40}>|\$\([^()\n]{0,400}\)|"[^"\n]{0,2000}"|'[^'\n]{0,2000}'|[^\s"'])+/g;
const WITHIN_TOKEN = /"[^"]*"|'[^']*'|<[A-Za-z][^<>]{0,40}>|\$\([^()]{0,400}\)|\$?\{[^{}]{0,40}\}/g;

/** The simple commands of a line. */
function readLine(whole: string, host: string | null): Read[] {
  if (whole.length > MAX_LINE_CHARS) return [];
  const line = whole.replaceAll("\\\n", "  ").replace(/(?:^|\s)#.*/g, (note) => " ".repeat(note.length));
  const masked = line.replace(TOKEN, (token) =>
    token.replace(WITHIN_TOKEN, (part) => "_".repeat(part.length)),
  );
  const commands: Read[] = [];
  let from = 0;
  let feed: string[] = [];
  for (const { 0: sign, index } of masked.matchAll(/\|\||&&|(?<!>)&(?!>)|[;|\n]|$/g)) {
    const tokens = line.slice(from, index).match(TOKEN) ?? [];
    commands.push(...readSimple(tokens, { host, feed }));
    feed = sign === "|" ? [...feed, ...tokens, "|"] : [];
    from = index + sign.length;
  }
  return commands;
}

/** Names of one tool. */
const OTHER_NAMES = new Map<string, [string, ...string[]]>([
  ["apt-get", ["apt"]],
  ["yum", ["dnf"]],
  ["oc", ["kubectl"]],
  ["docker-compose", ["docker", "compose"]],
]);

/** What a tool is called here, and the words that this name stands for. */
function toolOf(name: string): [string, ...string[]] {
  const tool = fold(name.replace(/\.sh$/, ""));
  return OTHER_NAMES.get(tool) ?? [tool];
}

/** What stands before the tool, with the letters of its flags that have a value. */
const WRAPPERS = new Map([
  ["sudo", "ugp"],
  ["doas", "u"],
  ["env", "u"],
  ["time", "fo"],
  ["timeout", "sk"],
  ["nice", "n"],
  ["ionice", "cn"],
  ["stdbuf", "ioe"],
  ...["nohup", "exec", "then", "do", "else", "$", "#", ">"].map((name): [string, string] => [name, ""]),
]);

/** Where a command runs, and what is piped into it. */
interface Setting {
  host: string | null;
  feed: string[];
}

function readSimple(tokens: string[], { host, feed }: Setting): Read[] {
  const rest = [...tokens];
  let isFed = false;
  for (let first = rest[0]; first !== undefined; first = rest[0]) {
    const valued = WRAPPERS.get(first);
    if (/^\w+=/.test(first) || valued !== undefined) {
      rest.shift();
      while (rest[0]?.startsWith("-")) if (isOneOf(valued, rest.shift()!)) rest.shift();
      if (first === "timeout") rest.shift();
    } else if (first === "xargs") {
      isFed = true;
      rest.shift();
      while (rest[0] !== undefined && /^-|^\d+$/.test(rest[0])) rest.shift();
    } else break;
  }
  const named = /(?:^|\/)([A-Za-z][\w.+-]*)$/.exec(rest.shift() ?? "")?.[1];
  if (named === undefined || SQL_VERB.test(named)) return [];
  const [head, ...before] = toolOf(named);
  const carried = carriedBy([head, ...before, ...rest]);
  if (carried) return readLine(carried.line, carried.host ?? host);
  const text = [...(isFed ? feed : []), ...tokens].join(" ").replace(/^(?:do|then|else) /, "");
  const read: Read = { head, words: [...before], flags: new Map(), flat: [...before], host, text };
  takeTokens(read, rest);
  if (isFed) takeTokens(read, feed);
  return [read];
}

/** Whether a flag is one of these letters: `-u`. */
const isOneOf = (letters = "", flag: string): boolean => /^-[a-z]$/.test(flag) && letters.includes(flag[1]!);

/** What `ssh host`, `kubectl exec pod --`, `docker exec name` and `sh -c` carry out elsewhere. */
function carriedBy([head = "", ...rest]: string[]): { line: string; host: string | null } | null {
  if (head === "ssh") {
    while (rest[0]?.startsWith("-")) if (/^-[bcDEeFIiJLlmOopQRSWw]$/.test(rest.shift()!)) rest.shift();
    const host = rest.shift() ?? null;
    return rest.length > 0 ? { line: rest.map(unquoted).join(" "), host } : null;
  }
  if (head === "kubectl" && rest.includes("exec") && rest.includes("--"))
    return { line: rest.slice(rest.indexOf("--") + 1).join(" "), host: null };
  const exec = head === "docker" ? rest.indexOf("exec") : -1;
  if (exec === 0 || (exec > 0 && rest[0] === "compose")) {
    const isName = (word: string, at: number): boolean =>
      at > exec && !word.startsWith("-") && !/^-[uew]$/.test(rest[at - 1]!);
    const name = rest.findIndex(isName);
    return name < 0 ? null : { line: rest.slice(name + 1).join(" "), host: null };
  }
  const at = /^(?:ba|z|da)?sh$/.test(head) ? rest.findIndex((word) => /^-\w*c$/.test(word)) : -1;
  return at < 0 ? null : { line: unquoted(rest[at + 1] ?? ""), host: null };
}

const unquoted = (token: string): string => token.replace(/^(["'])(.*)\1$/s, "$2");

function takeTokens(read: Read, tokens: string[]): void {
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const [, name, , value] = /^(--?[A-Za-z][\w-]*)(=(.*))?$/s.exec(token) ?? [];
    const next = tokens[at + 1];
    if (name === undefined) {
      // Files that it reads from or writes to; "…" for what is left out.
      if (/^(?:\d?>{1,2}|&>|<)$/.test(token)) at++;
      else if (!/^\d?>|^&>|^<[^A-Za-z]|^(?:\.\.\.|…)$/.test(token)) takeWord(read, token);
    } else if (value !== undefined) takeFlag(read, name, value);
    else if (next !== undefined && !/^--?[A-Za-z]/.test(next) && hasValue(read.head, name, next)) {
      takeFlag(read, name, next);
      at++;
    } else if (isLong(read.head, name) || name.length === 2) takeFlag(read, name, "");
    else for (const letter of name.slice(1)) takeFlag(read, `-${letter}`, "");
  }
}

/** `pod/web-1` is two words. */
function takeWord({ head, words, flat }: Read, token: string): void {
  const word = unquoted(token);
  const [, kind, name] = /^([a-z]+)\/([\w.<>${}-]+)$/.exec(word) ?? [];
  const parts = FILED.has(head) && kind !== undefined && KINDS.has(kind) ? [kind, name!] : [word];
  words.push(...parts);
  flat.push(...parts);
}

function takeFlag({ flags, flat }: Read, name: string, value: string): void {
  const canonical = CANONICAL.get(name) ?? name;
  flags.set(canonical, [...(flags.get(canonical) ?? []), unquoted(value)]);
  if (value !== "") flat.push(unquoted(value));
}

/** Other spellings of flags. */
const CANONICAL = new Map([
  ["--namespace", "-n"],
  ["--selector", "-l"],
  ["--vhost", "-p"],
  ["--all-namespaces", "-A"],
  ["-R", "-r"],
  ["--recursive", "-r"],
  ["--data", "-d"],
  ["--data-binary", "-d"],
  ["--data-raw", "-d"],
  ["--request", "-X"],
]);

/** Long flags without a value; the others are taken to have one. */
const SWITCHES =
  /^--?(?:all\S*|force\S*|now|yes|wait|purge|delete|prune|recursive|hard|soft|mirror|volumes|rmi|remove-orphans|ignore-\S+|delete-\S+|no-\S+|dry-?run|quiet|verbose|cascade|cached|staged|tags|auto-approve|assume-yes|if-exists|execute|keep-\S+|skip-\S+|user|system|rotate|watch)$/;
/** Short ones with a value. */
const VALUED = /^-[nlcophUduHXtLiPVkm]$/;
/** Tools whose `-f` names a file, and that call an object `kind/name`. */
const FILED = new Set(["kubectl", "docker", "helm"]);
/** Tools with long flags behind one dash. */
const SINGLE_DASH = new Set(["terraform", "tofu", "vault", "consul", "nomad", "find"]);

const isLong = (head: string, name: string): boolean =>
  name.startsWith("--") || (SINGLE_DASH.has(head) && name.length > 2);

function hasValue(head: string, name: string, next: string): boolean {
  if (isLong(head, name)) return !SWITCHES.test(name);
  if (name === "-f") return FILED.has(head) && /[./]|^-$/.test(next);
  return VALUED.test(name) && (head === "curl" || !isEveryday(head));
}

// ---- SQL ------------------------------------------------------------------------------------------------

const VERBS = "TRUNCATE|DROP|SELECT|UPDATE|ALTER|REVOKE|PURGE|RESET|KILL";
const SQL_VERB = new RegExp(`^(?:DELETE|INSERT|${VERBS})$`);

/** In capitals: in lower case these are words of prose, or another language's. */
const STATEMENT = new RegExp(
  String.raw`(?<![\w.-])(?:DELETE\s+FROM|${VERBS})\s[^;\x60]{0,2000}?` +
    String.raw`(?=;|"|'\s*$|$|\n\s*(?:\n|\x60{3})|\n(?:DELETE|TRUNCATE|DROP|UPDATE|ALTER|REVOKE|PURGE|INSERT|BEGIN|COMMIT)\b)`,
  "g",
);

/** What it is read by. */
const SQL_WORDS = new RegExp(
  String.raw`(?<![\w.-])(?:delete|insert|${VERBS.toLowerCase()}|begin|commit|from|table|if|exists|concurrently|cascade|restrict|only|where|limit)(?![\w.-])`,
  "g",
);

const CONDITION =
  /\b([a-z_][\w.]{0,60})\s{0,8}(?:[<>!]?=|[<>~]|\b(?:NOT\s+)?(?:IN|LIKE)\b)\s{0,8}('[^']{0,400}'|\([^()]{0,400}\)|[^\s,;()]+)/gi;

function statementsIn(code: string): Read[] {
  const unquoted = code.replaceAll(/(["\x60])([\w.<>${}-]{1,80})\1/g, "$2");
  return [...unquoted.matchAll(STATEMENT)].map(([original]) => {
    // A place in angle brackets is no comparison.
    const named = (_: string, name: string): string => `\${${name.replaceAll(/\W/g, "_")}}`;
    const text = original.replaceAll(/<([A-Za-z][^<>\n]{0,40})>/g, named);
    const words = sqlWords(text);
    const read: Read = {
      head: "sql",
      words,
      flags: new Map(),
      flat: [...words],
      host: null,
      text: original.trim(),
    };
    for (const word of ["where", "limit", "cascade"])
      if (new RegExp(`\\b${word}\\b`, "i").test(text)) takeFlag(read, word, "");
    for (const [, column, value] of text.matchAll(CONDITION))
      takeFlag(read, `where ${fold(column!)}`, value!);
    return read;
  });
}

/** What a statement does, and to what: `DROP TABLE audit_2019`, `pg_terminate_backend pg_stat_activity`. */
function sqlWords(text: string): string[] {
  const table = /\b(?:FROM|UPDATE)\s+["\x60]?([\w.<>{}$-]+)/i.exec(text)?.[1] ?? [];
  const [, called, argument] = /\b(pg_(?:terminate|cancel|drop)\w*)(?:\s*\(\s*'([^']+)')?/.exec(text) ?? [];
  if (called !== undefined) return [called, argument ?? table].flat();
  const [verb] = /^(?:DELETE|SELECT|UPDATE)/.exec(text) ?? [];
  if (verb !== undefined) return [verb, table].flat();
  const plain = text
    .replace(/^TRUNCATE\s+TABLE\b/, "TRUNCATE")
    .replaceAll(/\b(?:IF\s+EXISTS|CONCURRENTLY|CASCADE|RESTRICT|ONLY)\b/g, " ");
  return (plain.match(/[\w.<>{}$-]+/g) ?? []).slice(0, 6);
}
