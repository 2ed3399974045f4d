/**
 * Statements of SQL in code, each with what it does to what as words, and each condition of its WHERE (and what it SETs) as a flag that names
 * column and operator: `where finished_at <` has the value "now - 7 day". Quotes, brackets, casts and the word INTERVAL are left out
 * of values, so that spellings of one value are one.
 */
import { fold, SQL_VERBS } from "./facts.ts";
import type { Read } from "./shell_reader.ts";

/** In capitals: in lower case these are words of prose, or another language's. `systemctl kill -s KILL web` is none. */
const BEGINNING =
  /(?<![\w.-])(?:DELETE\s+(?:\w{1,40}\s+)?FROM|SELECT|UPDATE)\s|(?<=(?:^|[;("'\x60>#])[ \t]{0,8})(?:TRUNCATE|DROP|ALTER|REVOKE|PURGE|RESET|KILL)\s/gm;
const MAX_STATEMENT_CHARS = 2000;

/** Where a statement ends, by the quote of the shell that it stands in. */
const ENDS = new Map([
  ["'", /[;'\x60]|\)\s{0,8}(?=(?:DELETE|UPDATE)\s)/],
  ['"', /[;"\x60]|\)\s{0,8}(?=(?:DELETE|UPDATE)\s)/],
  [
    "",
    /[;"\x60]|'\s*$|\n\s*\n|\n(?=(?:DELETE|TRUNCATE|DROP|UPDATE|ALTER|REVOKE|PURGE|INSERT|BEGIN|COMMIT)\b)|\)\s{0,8}(?=(?:DELETE|UPDATE)\s)/,
  ],
]);

/** What it is read by. */
const SQL_WORDS = new RegExp(
  String.raw`(?<![\w.-])(?:${SQL_VERBS.toLowerCase()}|from|table|begin|commit|if|exists|concurrently|cascade|restrict|only|where|limit)(?![\w.-])`,
  "g",
);

/** Its words in capitals, in which they are read. */
export const inCapitals = (code: string): string => code.replaceAll(SQL_WORDS, (word) => word.toUpperCase());

const CLIENT = /(?<![\w.-])(?:psql|mysql|mariadb|sqlite3|cockroach|clickhouse-client)(?![\w.-])/;

/** The same of what a client is given in quotes. */
export const withQuotedInCapitals = (code: string): string =>
  code.replaceAll(/[^\n]+/g, (line) =>
    CLIENT.test(line) ? line.replaceAll(/"[^"]*"|'[^']*'/g, inCapitals) : line,
  );

export function statementsIn(code: string): Read[] {
  // `'\''`, of which a page made plain has lost the stroke.
  const plain = code
    .replaceAll(/'\\?''|'"'"'/g, "\u02bc")
    .replaceAll(/(["\x60])([\w.<>${}-]{1,80})\1/g, "$2");
  const reads: Read[] = [];
  let at = 0;
  let quote = "";
  const beginning = new RegExp(BEGINNING);
  for (let found = beginning.exec(plain); found !== null; found = beginning.exec(plain)) {
    for (; at < found.index; at++) {
      const sign = plain[at]!;
      if (sign === "\n") quote = "";
      else if (sign === quote) quote = "";
      else if (quote === "" && (sign === "'" || sign === '"')) quote = sign;
    }
    const rest = plain.slice(found.index, found.index + MAX_STATEMENT_CHARS);
    const length = ENDS.get(quote)!.exec(rest)?.index ?? rest.length;
    reads.push(readStatement(rest.slice(0, length).replaceAll("\u02bc", "'")));
    beginning.lastIndex = found.index + Math.max(length, found[0].length);
  }
  return reads;
}

function readStatement(original: string): Read {
  // A place in angle brackets is no comparison.
  const named = (_: string, name: string): string => `\${${name.replaceAll(/\W/g, "_")}}`;
  const text = original.replaceAll(/--[^\n]*/g, " ").replaceAll(/<([A-Za-z][^<>\n]{0,40})>/g, named);
  const words = sqlWords(text);
  const flags = new Map<string, string[]>();
  const take = (name: string, value: string): void =>
    void flags.set(name, [...(flags.get(name) ?? []), value]);
  for (const word of ["where", "limit", "cascade", "using"])
    if (new RegExp(`\\b${word}\\b`, "i").test(text)) take(word, "");
  for (const [name, value] of conditionsIn(text)) take(name, value);
  // Of every row of a table, not of one that is named.
  if (/^pg_/.test(words[0] ?? "") && !flags.has("where") && /\bFROM\b/i.test(text)) take("--all", "");
  const unset = { host: null, folder: null, raw: null };
  return { head: "sql", words, flags, flat: [...words], text: original.trim(), ...unset };
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

// ---- Conditions -----------------------------------------------------------------------------------------

const PART = /'[^']*'|[<>!]=|<>|!?~\*?|[<>=(),+*/-]|[^\s'<>=!~(),+*/-]+/g;
const OPERATOR = /^(?:<>|!=|[<>]=?|=|!?~\*?|IN|I?LIKE|IS|BETWEEN)$/i;
const OPPOSITE = new Map([
  ["<", ">"],
  [">", "<"],
]);

/** The conditions of all its clauses, each by column and operator; "or" where one alone will do. */
function conditionsIn(text: string): [string, string][] {
  const found: [string, string][] = [];
  let clause = "";
  let parts: string[] = [];
  const close = (): void => {
    if (clause !== "") found.push(...condition(clause, parts));
    parts = [];
  };
  for (const part of text.match(PART) ?? []) {
    const word = part.toUpperCase();
    const isWithin = word === "AND" && parts.some((one) => /^between$/i.test(one)) && !parts.includes("AND");
    if (isWithin) parts.push(word);
    else if (word === "AND" || word === "OR") {
      close();
      if (word === "OR") found.push(["or", ""]);
    } else if (word === "WHERE" || word === "SET") {
      close();
      clause = word.toLowerCase();
    } else if (/^(?:SELECT|FROM|USING|LIMIT|ORDER|GROUP|RETURNING)$/.test(word)) {
      close();
      clause = "";
    } else if (part === "," && clause === "set") close();
    else parts.push(part);
  }
  close();
  return found;
}

function condition(clause: string, parts: string[]): [string, string][] {
  const at = parts.findIndex((part) => OPERATOR.test(part));
  const isNot = parts.slice(0, at < 0 ? undefined : at).some((part) => /^not$/i.test(part));
  const left = parts
    .slice(0, at < 0 ? undefined : at)
    .filter((part) => /^[a-z_]/i.test(part) && !/^not$/i.test(part));
  const column = fold(left.at(-1) ?? "").replace(/^.*\./, "");
  if (column === "") return [];
  if (at < 0) return left.length === 1 ? [[`${clause} ${isNot ? "not " : ""}${column}`, ""]] : [];
  let operator = (isNot ? "not " : "") + operatorOf(parts[at]!);
  if (operator === "not =" || operator === "<>") operator = "!=";
  let value = valueOf(parts.slice(at + 1));
  // `now() - changed_at > interval '5 minutes'` has it the other way round.
  if (parts.slice(0, at).includes("-") && NOW.test(left[0]!)) {
    operator = OPPOSITE.get(operator) ?? operator;
    value = `now - ${value}`;
  }
  return value === "" ? [] : [[`${clause} ${column} ${operator}`, value]];
}

/** `<=` is as good as `<`, and IN as =. */
function operatorOf(part: string): string {
  const operator = part.toLowerCase().replace(/^([<>])=$/, "$1");
  return operator === "in" ? "=" : operator === "ilike" ? "like" : operator;
}

const NOW = /^(?:now|current_timestamp|current_date|localtimestamp|getdate|sysdate)$/i;

/** The values of a list with commas in between. */
function valueOf(parts: string[]): string {
  const words = parts.flatMap((part) => {
    if (part === "(" || part === ")" || part.startsWith("::") || /^interval$/i.test(part)) return [];
    if (NOW.test(part)) return ["now"];
    return fold(part.replace(/^'(.*)'$/s, "$1")).replace(
      /^(\d+ )?(second|min|minute|hour|day|week|month|year)s$/,
      "$1$2",
    );
  });
  return words.join(" ").replaceAll(" ,", ",").trim();
}
