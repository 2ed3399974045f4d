/**
 * Whole lines of code that a person could paste, read from a Markdown text: shell commands and SQL statements.
 *
 * The gate reads code for another reason (facts.ts: simple commands, from executable to end, each word with its role). Here a
 * line is kept whole: from its `sudo`, assignment or first program to its end, with what it is piped into and the lines on
 * which it goes on, without a prompt and a trailing comment.
 *
 * What the author marked as shell or SQL, or put behind a prompt, is taken at its word. All other code (a span within a
 * sentence, a block that says no language) may as well be a message, a setting or a name: it counts when its first word is a
 * tool that marked code runs or that everybody has, or when it reads like a program and a flag, a path or a sub-command
 * follows. Left out are a word alone within a sentence, what has `...` in place of something, and what cannot be said in one
 * line: here-documents, and quoted programs whose line breaks count.
 */
import {
  AT_HAND,
  codeRegions,
  COMMON_VERBS,
  DESTRUCTIVE_VERBS,
  ENGLISH_ENDING,
  isBeforeExecutable,
  isEveryday,
  LITERALS,
  looksLikeCommand,
  promptOf,
  SENTENCE,
  SHELLS,
  SQL_LANGUAGES,
  STATEMENT,
  TOOL_NAME,
} from "./facts.ts";
import type { CodeRegion } from "./facts.ts";

/** The lines of `text` that a person could paste, in order, each once. */
export function pasteableLines(text: string): string[] {
  const source = text.replaceAll(/\r\n?/g, "\n");
  const statements = codeRegions(source).flatMap((region) =>
    region.language === "inline" ? spanStatement(source, region) : blockStatements(source, region),
  );
  const surroundings = surroundingsOf(statements);
  const pasteable = statements.filter(
    (statement) => statement.isMarked || isSql(statement) || isCommand(statement, surroundings),
  );
  return [...new Set(pasteable.flatMap((statement) => wholeLine(statement) ?? []))];
}

// ---- 1. Reading -----------------------------------------------------------------------------------------
// Text is read in parts, since a bar, a number sign or a line break means something only outside quotes.

interface Part {
  kind: "code" | "escaped" | "quoted" | "comment" | "joint" | "break";
  text: string;
}

interface Statement {
  syntax: Syntax;
  parts: Part[];
  /** Its code alone, of the same order: quoted text as one NUL, a comment as nothing. */
  code: string;
  /** Whether the author says that it is a command, by the block's language or by a prompt. */
  isMarked: boolean;
}

/** The code of a statement and whether another line belongs to it. */
interface Reading extends Pick<Statement, "parts" | "code"> {
  isOpen: boolean;
  /** Open within quotes: where no line closes them, it is no code of this kind. */
  isQuoteOpen: boolean;
}

interface Syntax {
  /** Sticky alternation whose groups are named for kinds of parts; what matches none of them is code. */
  token: RegExp;
  prompt: (lines: string[]) => RegExp | null;
  /** Before a line that goes on behind a prompt. */
  further: RegExp;
  isOpen: (code: string) => boolean;
  /** What stands for a line break outside quotes. */
  join: (line: string) => string;
}

const QUOTED = "\0";

/** In double quotes `$(…)` is code again, with quotes of its own; two deep is as deep as people nest them. */
const DOUBLE_QUOTED = String.raw`"(?:[^"\\$]|\\[\s\S]|\$(?!\()|\$\((?:[^()"']|"[^"]*"|'[^']*'|\([^()]*\))*\))*"`;

const SHELL: Syntax = {
  token: new RegExp(
    String.raw`(?<comment>(?<=^|[\s;&|()])#[^\n]*)|(?<joint>\\(?:\n|$))|(?<quoted>\$?'(?:(?<=\$')(?:[^'\\]|\\[\s\S])*|[^']*)'|${DOUBLE_QUOTED}|\x60[^\x60]*\x60)|(?<escaped>\\[\s\S])|[^\\'"\x60#\n$]+|[\s\S]`,
    "gy",
  ),
  prompt: promptOf,
  further: /^\s*> ?/,
  isOpen: (code) => /(?:\||&&|\\)\s*$/.test(code) || nestingOf(code) > 0,
  join: (line) => (/(?:^|[|&;({]|\b(?:do|then|else|in))\s*$/.test(line) ? " " : "; "),
};

const SQL: Syntax = {
  token:
    /(?<comment>--[^\n]*|\/\*[\s\S]*?\*\/)|(?<quoted>'(?:[^']|'')*'|"[^"]*"|(\$\w*\$)[\s\S]*?\3)|[^'"$/\n-]+|[\s\S]/gy,
  prompt: (lines) => (lines.some((line) => SQL_PROMPT.test(line)) ? SQL_PROMPT : null),
  further: /^\s*(?:[\w.-]+[-('"][#>]|->) ?/,
  isOpen: (code) => !/;\s*$|\\g\w*\s*$|^\s*\\/i.test(code),
  join: () => " ",
};
const SQL_PROMPT = /^\s*(?:[\w.-]+=[#>]|mysql>|MariaDB \[[^\]\n]*\]>|sqlite>) /;

/** Where commands and what they print stand side by side, so that a line without a prompt says nothing. */
const TRANSCRIPTS = new Set("console terminal shell-session shellsession cmd".split(" "));

function read(text: string, syntax: Syntax): Reading {
  const parts = [...text.matchAll(syntax.token)].map(({ 0: token, groups }): Part => {
    const kind = KINDS.find((name) => groups?.[name] !== undefined) ?? (token === "\n" ? "break" : "code");
    return { kind, text: token };
  });
  const code = parts.map(codeOf).join("");
  // A quotation mark that is code has no other.
  const isQuoteOpen = syntax === SQL ? /['"]/.test(code) : /['"`]/.test(code);
  return { parts, code, isQuoteOpen, isOpen: isQuoteOpen || syntax.isOpen(code) };
}

const KINDS = ["comment", "joint", "quoted", "escaped"] as const;

function codeOf({ kind, text }: Part): string {
  if (kind === "quoted" || kind === "escaped") return QUOTED;
  if (kind === "comment") return "";
  // At the end it asks for another line.
  return kind === "joint" && text !== "\\" ? " " : text;
}

/** Words that open and close something over lines, where a command may begin. */
const NESTING =
  /(?:^|[;&|(){}\n]|(?<![\w-])(?:do|then|else|elif))[ \t]*(?:(for|while|until|if|case|select|\{(?=\s|$))|(done|fi|esac|\}(?=[\s;|&)]|$)))(?![\w-])/g;

/** How many parentheses, loops and conditions are open at the end of some shell code. */
function nestingOf(code: string): number {
  let depth = (code.match(/\(/g) ?? []).length - (code.match(/\)/g) ?? []).length;
  // The patterns of a `case` close a parenthesis that nothing opened.
  if (/(?<![\w-])case\s/.test(code)) depth = Math.max(depth, 0);
  for (const [, opens] of code.matchAll(NESTING)) depth += opens === undefined ? -1 : 1;
  return depth;
}

// ---- 2. Statements --------------------------------------------------------------------------------------

/** A span within a sentence; in a row of a table its bars are escaped. */
function spanStatement(source: string, { start, end }: CodeRegion): Statement[] {
  const row = /^[ \t>]*\|/.test(source.slice(source.lastIndexOf("\n", start) + 1, start));
  const text = source.slice(start, end).replaceAll(/\s*\n\s*/g, " ");
  const plain = (row ? text.replaceAll("\\|", "|") : text).trim().replace(/^[$#%>]\s+/, "");
  // A word alone names something.
  if (!/\s/.test(plain)) return [];
  const syntax = SQL_VERB.test(plain) || LOWER_SQL.test(plain) ? SQL : SHELL;
  const reading = read(plain, syntax);
  const isWhole = syntax === SQL ? !reading.isQuoteOpen : !reading.isOpen;
  return isWhole ? [{ ...reading, syntax, isMarked: false }] : [];
}

/** What a block that may hold commands runs, in order. */
function blockStatements(source: string, { start, body, language }: CodeRegion): Statement[] {
  const isShell = SHELLS.has(language);
  if (!isShell && !SQL_LANGUAGES.has(language) && language !== "") return [];
  const [quote] = /^[ \t>]*/.exec(source.slice(start, body.start))!;
  const lines = source
    .slice(body.start, body.end)
    .split("\n")
    .map((line) => (line.startsWith(quote) ? line.slice(quote.length) : line));
  const first = lines.find((line) => line.trim() !== "") ?? "";
  const isSqlBlock = !isShell && (language !== "" || SQL_VERB.test(first) || SQL_PROMPT.test(first));
  const syntax = isSqlBlock ? SQL : SHELL;
  const prompt = syntax.prompt(lines);
  const isMarked = prompt !== null || (isShell && !TRANSCRIPTS.has(language));
  return splitStatements(lines, syntax, prompt).flatMap((statement) => {
    const { code } = statement;
    if (code.trim() === "") return [];
    if (statement.syntax === SQL)
      return isSqlBlock && (language !== "" || prompt !== null) ? ofSqlBlock(statement) : [statement];
    return prompt !== null || !isMarked || mayBegin(statement) ? [{ ...statement, isMarked }] : [];
  });
}

/** In a block that says it is SQL, small letters are as good as capitals; results are no statements. */
const ofSqlBlock = (statement: Statement): Statement[] =>
  SQL_VERB.test(statement.code.trimStart().toUpperCase()) || /^\s*\\[a-z]+/.test(statement.code)
    ? [{ ...statement, isMarked: true }]
    : [];

/**
 * Whether what stands in a shell block begins like a command: with a word, an assignment, a variable or a group. Blocks also hold
 * what was printed (rows of a table) and other languages (calls, objects, comments of two slashes); a function is not run by its text.
 */
function mayBegin({ code, parts }: Statement): boolean {
  const isOther = /\w\((?!\))|^\s*(?:function\s|\/+(?:\s|$)|\{\s*\0)/.test(code);
  const isRow = /\S {2,}\S.* {2,}\S/.test(code.trim()) && !code.split(/\s+/).some(isFlag);
  const begins =
    /^\s*(?:\w+=(?!\s)|\$\w|[({[!:]\s|\(\w)/.test(code) || (parts[0]?.text ?? "").startsWith('"$');
  return !isOther && !isRow && (begins || looksLikeCommand(code));
}

/** A line that is left open takes the next ones along; one that nothing closes is none. */
function splitStatements(lines: string[], blockSyntax: Syntax, prompt: RegExp | null): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < lines.length; at++) {
    const skipped = prompt?.exec(lines[at]!)?.[0].length ?? 0;
    if (prompt && skipped === 0) continue;
    let text = lines[at]!.slice(skipped);
    // A console that a command opened is typed into below it.
    const syntax = SQL_VERB.test(text) ? SQL : blockSyntax;
    let reading = read(text, syntax);
    let last = at;
    while (reading.isOpen && last + 1 < lines.length && last - at < MAX_LINES) {
      const next = lines[last + 1]!;
      const isNew = prompt !== null && prompt.test(next);
      if (!reading.isQuoteOpen && (isNew || (syntax === SQL && next.trim() === ""))) break;
      text += `\n${prompt ? next.replace(syntax.further, "") : next}`;
      reading = read(text, syntax);
      last++;
    }
    const [, marker] = /<<-?\s*["'\\]?([A-Za-z_]\w*)/.exec(reading.code.includes("<<") ? text : "") ?? [];
    if (marker !== undefined && !reading.code.includes("<<<")) {
      const end = lines.findIndex((line, index) => index > at && line.trim() === marker);
      at = end < 0 ? lines.length : end;
    } else if (!reading.isQuoteOpen && (!reading.isOpen || syntax === SQL)) {
      statements.push({ ...reading, syntax, isMarked: false });
      at = last;
    }
  }
  return statements;
}

/** Of one statement: an apostrophe of some output must not make a block one quotation. */
const MAX_LINES = 40;

/** Programs that read their text line by line: with blanks in place of its line breaks it would be another. */
const READS_LINES =
  /(?:^|[\s/|;&(])(?:g?awk|sed|python[\d.]*|perl|ruby|node|(?:ba|z|da)?sh|ssh|echo|printf|tee)\s[^|;&]*$/;
/** Behind these the rest of a line is a comment, so that no other may follow on it. */
const COMMENT_IN_QUOTES = /\s(?:#|--)\s/;

/** A statement as one line, the blanks of its code made single; null where it cannot be one. */
function wholeLine({ parts, syntax }: Statement): string | null {
  let line = "";
  for (const { kind, text } of parts) {
    const isProgram = syntax === SHELL && (READS_LINES.test(line) || COMMENT_IN_QUOTES.test(text));
    if (kind === "quoted" && text.includes("\n") && isProgram) return null;
    line = continued(line, { kind, text }, syntax);
  }
  return line.trim() === "" ? null : line.trim();
}

function continued(line: string, { kind, text }: Part, syntax: Syntax): string {
  if (kind === "comment") return line;
  if (kind === "quoted")
    return line + (text.startsWith('"') ? text.replaceAll("\\\n", "") : text).replaceAll(/\s*\n\s*/g, " ");
  if (kind === "escaped") return line + text;
  if (kind === "break" && line.trim() === "") return "";
  if (kind === "break") return line.trimEnd() + syntax.join(line);
  const code = kind === "joint" ? " " : text.replaceAll(/\s+/g, " ");
  return line + (/(?<!\\)\s$/.test(line) ? code.trimStart() : code);
}

// ---- 3. What is a command ---------------------------------------------------------------------------------

/** What the marked code of a text says of its other code. */
interface Surroundings {
  /** Programs that marked code runs. */
  tools: Set<string>;
  /** The word behind each of them: `rollout` of `kubectl rollout status` is no program. */
  subcommands: Set<string>;
}

function surroundingsOf(statements: Statement[]): Surroundings {
  const commands = statements
    .filter(({ isMarked, syntax }) => isMarked && syntax === SHELL)
    .flatMap(({ code }) => code.split(BETWEEN_COMMANDS).flatMap((piece) => commandIn(piece) ?? []));
  const subcommands = commands.flatMap(({ args }) => firstWord(args) ?? []);
  return { tools: new Set(commands.map(({ head }) => head)), subcommands: new Set(subcommands) };
}

const BETWEEN_COMMANDS = /[|;&(){}\n]+/;
const CONTROL_WORDS = /^(?:do|then|else|elif|if|while|until|!|\{)$/;

/** The program of a simple command and what stands behind it; null where there is none. */
function commandIn(code: string): { head: string; args: string[] } | null {
  const words = code.split(/\s+/).filter((word) => word !== "");
  let option = "";
  for (const [at, word] of words.entries()) {
    // `-iu deploy` as well as `-u deploy`.
    const before = option.replace(/^-[A-Za-z]+(?=[ug]$)/, "-");
    option = word;
    if (CONTROL_WORDS.test(word) || isBeforeExecutable(word, before)) continue;
    return { head: word, args: words.slice(at + 1) };
  }
  return null;
}

/** The first plain word that is not the value of a short option: `rollout` of `-n shop rollout`. */
const firstWord = (args: string[]): string | undefined =>
  args.find((word, at) => /^[a-z][\w-]*$/.test(word) && !/^-\w$/.test(args[at - 1] ?? ""));

/** `-x`, `--long`, `+L1`. */
const isFlag = (word: string): boolean => /^(?:--?[A-Za-z]|\+[A-Za-z%])/.test(word);
const isPath = (word: string): boolean => /^(?:~|\.{0,2})\/[\w.*[]/.test(word);

/** Tools that everybody has whose names are English words, too: `find failed` and `read error` are messages. */
const ENGLISH_TOOLS = new Set(
  (
    "find file test true false export source set unset alias exec exit return read sleep wait kill date watch which man " +
    "head tail less more cut touch sort split history clear jobs trap strings who id service mount host free top " +
    "install shutdown truncate"
  ).split(" "),
);

/** Tools known so widely that a sub-command may be a noun as well: `docker logs web`, but `access log`. */
const WIDELY_KNOWN = new Set(
  "ansible apt apt-get aws az brew cargo dnf docker dpkg gcloud gh git helm kubectl npm openssl pip podman terraform yum".split(
    " ",
  ),
);
const NOUNS = new Set(
  "check commit config events export import load log logs status stats stat tag test top version view".split(
    " ",
  ),
);
const isSubcommand = (word: string): boolean => COMMON_VERBS.has(word) || DESTRUCTIVE_VERBS.has(word);

/** Code that the author did not mark: what has a program, and neither reads like a message or setting nor leaves something out. */
function isCommand({ code, syntax }: Statement, { tools, subcommands }: Surroundings): boolean {
  const piece = code.split(BETWEEN_COMMANDS).find((one) => commandIn(one) !== null);
  const command = commandIn(piece ?? "");
  if (syntax === SQL || command === null || ELISION.test(code) || !/^\s*[\w.~/$]/.test(code)) return false;
  const { head, args } = command;
  if (isOnlyNamed(head, args)) return false;
  if (/^\s*sudo\s/.test(code)) return true;
  const isProse =
    SENTENCE.test(code) || STATEMENT.test(code) || /\w:\s|;\s*$/.test(code) || MESSAGE.test(args[0] ?? "");
  if (ENGLISH_TOOLS.has(head)) return !isProse && isArgued(head, args, code);
  // With a flag, `from` and `to` are arguments.
  if (tools.has(head) || isEveryday(head) || AT_HAND.has(head)) return !isProse || args.some(isFlag);
  return !isProse && !subcommands.has(head) && isProgram(head) && isAsked(head, args, code);
}

/** What a program's own messages have behind its name. */
const MESSAGE = /^(?:error|warning|failed|fatal|unknown)$/;

/** How many operands these take at least, whatever their options. */
const OPERANDS = new Map(
  Object.entries({ chmod: 2, chown: 2, chgrp: 2, cp: 2, mv: 2, usermod: 2, flock: 1, kill: 1, rm: 1 }),
);
/** Sub-commands that need an object. */
const TRANSITIVE = new Set(
  "run exec apply kill get logs debug create delete describe edit patch start restart reload stop enable disable cp".split(
    " ",
  ),
);

/** Whether a command stands for its kind, without what it is to be done to: `chmod 644`, `systemctl restart`, `docker run`. */
function isOnlyNamed(head: string, args: string[]): boolean {
  const operands = args.filter((word) => !word.startsWith("-"));
  if (head === "kill" && args.length > 1) return false;
  return (
    operands.length < (OPERANDS.get(head) ?? 0) ||
    (operands.length === 1 && TRANSITIVE.has(args[0] ?? "") && !head.includes("/"))
  );
}

/** `...` in place of something, not `./...` of Go. */
const ELISION = /(?:^|\s)(?:\.{3}|…)(?:[\s:,]|$)/;

/** Whether behind an English word stands what a message would not have. */
function isArgued(head: string, args: string[], code: string): boolean {
  const isNamed = head === "service" && COMMON_VERBS.has(args.at(-1) ?? "");
  const isNumbered = args.length > 0 && args.every((word) => /^-?\d+[smhd]?$/.test(word));
  return (
    isNamed ||
    isNumbered ||
    /[|<>$\0]/.test(code) ||
    args.some((word) => isFlag(word) || isPath(word) || /\w=/.test(word))
  );
}

/** A lower-case name that is no verb, or a path to an executable. */
function isProgram(head: string): boolean {
  if (head.includes("/")) return /(?:^|\/)s?bin\/|^\.{1,2}\/|^\$\w+\/|\.sh$/.test(head);
  const isName = /^[a-z][a-z0-9]*(?:[-_.+][a-z0-9]+)*$/.test(head) && head.length > 1;
  return (
    isName &&
    ![COMMON_VERBS, DESTRUCTIVE_VERBS, LITERALS].some((words) => words.has(head)) &&
    !ENGLISH_ENDING.test(head)
  );
}

/** Whether a flag, a path, a file, a pipe or a known sub-command follows, or the name alone is a tool's. */
function isAsked(head: string, args: string[], code: string): boolean {
  const [first = "", second = ""] = args;
  if (isFlag(first) || isPath(first) || isPath(second) || TOOL_NAME.test(head)) return true;
  if (/^[\w-]+\.(?:js|py|rb|pl|sh|jar|php)$/.test(first) || />\s*(?:\/|[\w.-]+\.\w)/.test(code)) return true;
  if (isEveryday(/(?<!\|)\|\s*([a-z]+)\b/.exec(code)?.[1] ?? "")) return true;
  const isWord = /^[a-z][\w-]*$/.test(first) && !LITERALS.has(first) && !ENGLISH_ENDING.test(first);
  if (isWord && (isFlag(second) || (isSubcommand(second) && args.some(isFlag)))) return true;
  return isSubcommand(first) && (WIDELY_KNOWN.has(head) || !NOUNS.has(first));
}

const SQL_VERB =
  /^\s*(?:SELECT|WITH|INSERT\s+INTO|UPDATE|DELETE\s+FROM|ALTER|CREATE|DROP|SHOW|SET|RESET|EXPLAIN|ANALYZE|VACUUM|REINDEX|GRANT|REVOKE|TRUNCATE|LOCK|CALL|COPY|FLUSH|KILL|CHECKPOINT|EXECUTE|PREPARE|COMMIT|ROLLBACK|BEGIN|START|STOP|PURGE|OPTIMIZE|REPAIR|REFRESH|CLUSTER|COMMENT\s+ON|USE|REASSIGN|RELOAD|PAUSE|RESUME|RECONNECT)(?=[\s;(]|$)/;

/** What nobody writes but in SQL, whatever the letters. */
const LOWER_SQL =
  /^\s*(?:select\s.+\sfrom\s+[\w."]+|insert\s+into\s+\w.*\(|update\s+\S+\s+set\s.*=|delete\s+from\s+\w|(?:alter|create|drop)\s+(?:table|index|role|user|database|view|sequence|extension)\s.*;)/i;

/** These need nothing else, or only capitals. */
const COMPLETE_IN_CAPITALS = /^\s*(?:SHOW|FLUSH)\s+\w/;

/** Verbs without which the rest is a name or a message: `SET search_path`, `SELECT command denied to user`. */
const SQL_NEEDS: [verb: RegExp, rest: RegExp][] = [
  [/^\s*SELECT\b/, /^\s*SELECT\s*(?:[\d*(\0]|DISTINCT\b|\w+\(|.*\sFROM\s)/s],
  [/^\s*UPDATE\b/, /\sSET\s.*=/s],
  [/^\s*SET\b/, /=|\sTO\s/],
  [/^\s*COPY\b/, /\s(?:FROM|TO)\s/],
  [/^\s*WITH\b/, /\sAS\s*\(/],
];

/** A whole statement of SQL: one that only names what it does (`ALTER TABLE`, `EXPLAIN (ANALYZE)`) has no object. */
function isSql({ code, syntax }: Statement): boolean {
  if (syntax !== SQL || ELISION.test(code)) return false;
  if (!SQL_VERB.test(code)) return LOWER_SQL.test(code);
  if (SQL_NEEDS.some(([verb, rest]) => verb.test(code) && !rest.test(code))) return false;
  return /;\s*$/.test(code) || COMPLETE_IN_CAPITALS.test(code) || /[a-z\d*\0]/.test(code);
}
