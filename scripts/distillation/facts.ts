/**
 * Machine-made facts: what a machine wrote or will read, so that one changed character makes it false.
 *
 * A fact is a code, path, URL, host, identifier, flag, version, percentage, number, time or command word.
 * `extractFacts` finds them in an answer; `findFact` looks one up, exactly, in a text that `prepareEvidence`
 * made ready. Both read the same plain text: quotes, dashes and blanks made plain, Markdown escapes dropped.
 *
 * How facts are found: the recognisers of the table RECOGNISERS run in order of precedence, and what one of
 * them claims, the later ones cannot see. A claim of weight 0 is no fact: a placeholder, a list marker, what
 * everybody knows by name. A command line is never one fact: its executable, words, flags, paths and numbers
 * are looked up one by one, for an honest command joins the names of the task with the verbs of a record.
 *
 * How a fact is looked up: by its key (its normal form), between token boundaries, without regard to case (but for short flags).
 * Quantities are looked up by value: through number words, separators, rounding, units and fractions. What is
 * longer than the evidence is invented; a leading part of it (a path's directory, 4.16 of 4.16.3) is not.
 *
 * What it cannot see: values swapped between two places, an added "not", a right number with a wrong noun,
 * names of people and products, kebab-case in prose without digits ("virt-api" reads like "read-only"),
 * numbers in words, and plain words of code that is no command line.
 */

export type FactKind =
  | "code"
  | "path"
  | "url"
  | "host"
  | "identifier"
  | "flag"
  | "version"
  | "percent"
  | "number"
  | "time"
  | "command";

export interface Fact {
  kind: FactKind;
  /** The answer's own characters, from `start` up to `end` (UTF-16 offsets). */
  text: string;
  start: number;
  end: number;
  /** How much it counts against grounding when nothing supports it: 1, or WEAK. */
  weight: number;
  /** Normal form that is looked up; alternatives (5:45 by day or by night) are joined with "|". */
  key: string;
  /** What a number or percentage measures. */
  quantity?: Quantity;
  /** A path or an address that goes on with what the reader or the shell fills in: `/dev/vg0/lv_<app>`, `?id=<id>`. */
  isOpen?: true;
  /** What it begins with, where it is a name only beside others that begin so: `runner-` of runner-18. */
  family?: string;
  /** What a command destroys or stops: a part of what stands in the evidence is another. */
  isTarget?: true;
  /** A number of replicas and the like: no percentage and no time makes it known. */
  isTally?: true;
}

export interface Quantity {
  /** With its scale word applied: 181 million is 181,000,000. */
  value: number;
  /** One unit of the last digit that was stated: 1,000,000 for 181 million, 0.1 for 4.5. */
  step: number;
  /** Seconds, bytes, bits a second or kelvins, where the unit is one of time, size, bandwidth or temperature. */
  base?: { dimension: Dimension; amount: number };
  /** A bare number: neither unit nor currency nor scale. */
  bare: boolean;
}

type Dimension = "seconds" | "bytes" | "bits" | "kelvins";

/** Weight of what is often common knowledge, like a short flag or a sub-command: three make one fact. */
export const WEAK = 0.34;

/** Stands for what an earlier recogniser claimed; no pattern matches it. */
const CLAIMED = "\0";

// ---- 1. Plain text --------------------------------------------------------------------------------------
// Everything below reads plain text. Only a dropped escape shifts an offset, and `shifts` takes it back.

interface PlainText {
  text: string;
  /** Offsets in `text` before which an escaping backslash was dropped, ascending. */
  shifts: number[];
}

const FANCY: Record<string, string> = {
  "‘": "'",
  "’": "'",
  "‚": "'",
  "“": '"',
  "”": '"',
  "„": '"',
  "‐": "-",
  "‑": "-",
  "‒": "-",
  "–": "-",
  "−": "-",
  "—": " ",
  "―": " ",
};

function plainText(original: string): PlainText {
  const shifts: number[] = [];
  const unescaped = original.replace(/\\(?=[!-/:-@[-`{-~])/g, (_, offset: number) => {
    shifts.push(offset - shifts.length);
    return "";
  });
  const text = unescaped
    .replace(/[\u2010-\u201e\u2212]/g, (mark) => FANCY[mark] ?? mark)
    .replace(/[\0\u00a0\u2000-\u200b\u202f\u3000\ufeff]/g, " ")
    // Emphasis: `_never_` is the word; `_cluster/health`, `_id` in a path and `a_b` are not touched.
    .replace(
      /(?<=^|[\s(*"'])(_+)([^\s_](?:[^\n]{0,1000}?[^\s_])?)\1(?=$|[\s)*"'.,;:!?])/g,
      (_, { length }: string, words: string) => " ".repeat(length) + words + " ".repeat(length),
    );
  return { text, shifts };
}

function originalOffset({ shifts }: PlainText, offset: number): number {
  return offset + firstIndex(shifts.length, (i) => shifts[i]! > offset);
}

/** The least index in [0, length) for which a monotone condition holds, or length. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Lower case of the same length: a text that would grow ("İ" does) is folded in its ASCII letters alone. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
}

// ---- 2. Code and commands -------------------------------------------------------------------------------
// Where the answer's code is, and what part each word of a command line plays. Only shell-like lines have
// commands: in YAML, JSON, SQL or a program plain words are no facts; identifiers, paths and numbers are.

/** UTF-16 offsets. */
export interface Span {
  start: number;
  end: number;
}

export interface CodeRegion extends Span {
  /** The fence's language; "inline" for a code span, "" for an untagged block. */
  language: string;
  /** The lines between its fences, the last without its newline; of a code span all of it. */
  body: Span;
}

type Role = "executable" | "verb" | "argument" | "value" | "unit" | "target" | "lone";

interface Scene {
  text: string;
  code: CodeRegion[];
  /** The part a plain word plays, by its offset. */
  roles: Map<number, Role>;
  /** Simple commands, from executable to end, without what they are piped into. */
  commands: Command[];
  /** Those whose head is a utility every shell has. */
  everyday: EverydayCommand[];
  /** Those that destroy or stop something. */
  destroying: Span[];
  /** Names that the answer gives to what its own manifests make, lower case. */
  coined: Set<string>;
  /** Files that the answer copies to a place beside them, by where it does. */
  copies: Map<string, number>;
}

interface EverydayCommand extends Span {
  /** From where on its numbers set something; before that, and where it only looks or moves things about, they say little. */
  setsFrom: number;
}

interface Command extends Span {
  head: string;
  /** Where it ends with the command that it carries out elsewhere: `ssh db-3 df -h`. */
  whole: number;
}

/** The one of these spans, which stand in order and apart, that an offset lies in. */
export function spanAt<S extends Span>(spans: S[], offset: number): S | undefined {
  const span = spans[firstIndex(spans.length, (i) => spans[i]!.end > offset)];
  return span && span.start <= offset ? span : undefined;
}

function setScene(text: string): Scene {
  const scene: Scene = {
    ...emptyScene(),
    text,
    code: codeRegions(text),
    coined: coinedNames(text),
    copies: copiesIn(text),
  };
  for (const region of scene.code) {
    if (region.language === "inline") readCommandLine(scene, region);
    else readCodeBlock(scene, region);
  }
  // What a quoted command holds was read behind its line.
  for (const spans of [scene.commands, scene.everyday, scene.destroying])
    spans.sort((a, b) => a.start - b.start);
  return scene;
}

const emptyScene = (): Scene => {
  return {
    text: "",
    code: [],
    roles: new Map(),
    commands: [],
    everyday: [],
    destroying: [],
    coined: new Set(),
    copies: new Map(),
  };
};

/** `metadata:`, `name: allow-dns`: what a manifest makes may be called anything. */
function coinedNames(text: string): Set<string> {
  const names = text.matchAll(/^[ \t]{0,20}metadata:[ \t]*\n[ \t]{1,20}name:[ \t]*["']?([\w.-]+)/gm);
  return new Set([...names].map(([, name]) => fold(name!)));
}

/** Code blocks, with their fences, and code spans, without their backticks, in order. */
export function codeRegions(text: string): CodeRegion[] {
  const blocks = fencedBlocks(text);
  const runs = [...text.matchAll(/`+/g)].filter((run) => !spanAt(blocks, run.index));
  return [...blocks, ...inlineSpans(text, runs)].sort((a, b) => a.start - b.start);
}

/** Fenced blocks with their fences; one that is never closed runs to the end. */
export function fencedBlocks(text: string): CodeRegion[] {
  const blocks: CodeRegion[] = [];
  let open = "";
  for (const { 0: line, 1: mark, 2: info, index } of text.matchAll(FENCE)) {
    const [language] = /^[\w+#-]*/.exec(info!.replace(/^[ \t]+/, ""))!;
    const end = index + line.length;
    if (open === "") {
      open = mark!;
      const body = { start: end + 1, end: text.length };
      blocks.push({ language: language.toLowerCase(), start: index, end: text.length, body });
    } else if (mark!.startsWith(open) && language === "") {
      const block = blocks.at(-1)!;
      open = "";
      block.end = end;
      block.body.end = Math.max(block.body.start, index - 1);
    }
  }
  return blocks;
}

const FENCE = /^[ \t>]*(`{3,}|~{3,}(?!~))([^\n`]*)$/gm;

/** Code spans: a run of backticks closes with the next run of the same length in the same paragraph. */
function inlineSpans(text: string, runs: RegExpExecArray[]): CodeRegion[] {
  const next = new Map<number, number>();
  const closing = new Array<number>(runs.length).fill(-1);
  for (let i = runs.length - 1; i >= 0; i--) {
    closing[i] = next.get(runs[i]![0].length) ?? -1;
    next.set(runs[i]![0].length, i);
  }
  const spans: CodeRegion[] = [];
  for (let i = 0; i < runs.length; i++) {
    const j = closing[i]!;
    if (j < 0) continue;
    const start = runs[i]!.index + runs[i]![0].length;
    const end = runs[j]!.index;
    if (end - start > MAX_INLINE_CHARS || text.slice(start, end).includes("\n\n")) continue;
    spans.push({ language: "inline", start, end, body: { start, end } });
    i = j;
  }
  return spans;
}

/** A stray backtick must not turn the prose up to the next one into code. */
const MAX_INLINE_CHARS = 400;

export const SHELLS = new Set("sh bash shell zsh console terminal shell-session shellsession cmd".split(" "));
/** What a statement of SQL begins with. */
export const SQL_VERBS = "DELETE|TRUNCATE|DROP|SELECT|UPDATE|ALTER|REVOKE|PURGE|RESET|KILL|INSERT";
/** Languages of blocks of SQL. */
export const SQL_LANGUAGES = new Set(
  "sql postgres postgresql pgsql psql plpgsql plsql mysql mariadb sqlite tsql".split(" "),
);

function readCodeBlock(scene: Scene, block: CodeRegion): void {
  for (const line of shellLines(scene.text, block)) readCommandLine(scene, line);
}

interface ShellLine extends Span {
  /** Where it ends with the lines that continue it. */
  until: number;
}

/** The lines of a block that read like commands, without their prompts. */
function shellLines(text: string, { language, body }: CodeRegion): ShellLine[] {
  if (language !== "" && !SHELLS.has(language)) return [];
  const all = [...text.slice(body.start, body.end).matchAll(/[^\n]+/g)];
  const prompt = promptOf(all.map(([line]) => line));
  const lines: ShellLine[] = [];
  let open: ShellLine | null = null;
  let isContinued = false;
  for (const { 0: line, index } of all) {
    const skipped = prompt?.exec(line)?.[0].length ?? 0;
    const isCommand = prompt ? skipped > 0 : looksLikeCommand(line);
    const end = body.start + index + line.length;
    if (isContinued) {
      if (open) open.until = end;
    } else {
      open = isCommand ? { start: body.start + index + skipped, end, until: end } : null;
      if (open) lines.push(open);
    }
    isContinued = line.endsWith("\\");
  }
  return lines;
}

/** A text made plain, with its code: what is no shell's has no lines, and what stands in a sentence is one. */
export function readCode(text: string): { text: string; code: (CodeRegion & { lines: Span[] })[] } {
  const plain = plainText(text).text;
  const code = codeRegions(plain).map((region) => {
    const lines =
      region.language === "inline"
        ? [region]
        : shellLines(plain, region).map(({ start, until }) => ({ start, end: until }));
    return { ...region, lines };
  });
  return { text: plain, code };
}

/** `$ ` before any line tells commands from output; `# ` is root's prompt only if every line has it. */
export function promptOf(lines: string[]): RegExp | null {
  if (lines.some((line) => /^\s*\$ /.test(line))) return /^\s*\$ /;
  const written = lines.filter((line) => line.trim() !== "");
  return written.length > 0 && written.every((line) => /^\s*# [a-z]/.test(line)) ? /^\s*# / : null;
}

/** A lower-case word, path or assignment first; not `key: value`, an assignment with spaces, or a call. */
export function looksLikeCommand(line: string): boolean {
  return /^\s*(?:\w+=\S* +)*[a-z./~][\w./+-]*(?=$|[\s;|&])(?!\s*(?:[:=({]|[-+*/<>]?=\s))/.test(line);
}

/** The utilities of POSIX, the shell's words and curl's like: everybody knows them, whatever the evidence. */
const EVERYDAY = new Set(
  (
    "sudo cat ls cd cp mv rm mkdir rmdir touch ln pwd echo printf grep egrep fgrep sed awk sort uniq " +
    "head tail less more wc cut tr tee xargs find file stat test true false export source set unset " +
    "alias eval exec exit return read sleep wait kill ps df du date env time nohup watch which type " +
    "chmod chown chgrp tar gzip gunzip zip unzip vi vim nano man diff cmp od strings basename " +
    "dirname id who whoami uname hostname history clear bg fg jobs trap umask ulimit xxd base64 top " +
    "bash sh zsh curl wget ssh scp timeout"
  ).split(" "),
);

/** Tools that every administrator has at hand: to name one is no invention, what it is asked to do may be. */
export const AT_HAND = new Set(
  "systemctl journalctl service dmesg ss netstat ip ping traceroute dig nslookup lsblk mount umount crontab free uptime psql mysql redis-cli".split(
    " ",
  ),
);

export const isEveryday = (executable: string): boolean => EVERYDAY.has(executable);

/** Those of them that set something, from their head on: a limit, rights, a variable, a line of a file, what a server is sent. */
const SETTING = oneOf(
  [
    String.raw`^(?:ulimit|umask|chmod|chown|chgrp|export|set)\s`,
    String.raw`^sed\s(?:\S{1,60}\s+){0,4}?-\w{0,5}i`,
    String.raw`^curl\s[^\n]*?\s(?:-\w{0,5}d|--data[\w-]*|--json)(?![\w-])`,
    String.raw`^(?:echo|printf|cat)\s[^\n]*?(?<![\d&])>>?\s*(?!\/dev\/|[&\s])`,
  ],
  "",
);
/** Behind a command whose output sets something. */
const INTO_SETTING = /^\s*\|\s*(?:sudo\s+)?(?:tee|crontab)\s/;
/** What these stop has a number that is nobody's setting. */
const KILLING = /^p?kill/;

/** What these act on is a service by its name. */
const SERVICE_TOOLS = new Set(["systemctl", "service"]);
const UNIT_TOOLS = new Set([...SERVICE_TOOLS, "journalctl"]);

/** What stands before the executable proper, with the letters of its flags that have a value. */
export const WRAPPERS = new Map([
  ["sudo", "ugp"],
  ["doas", "u"],
  ["env", "u"],
  ["time", "fo"],
  ["timeout", "sk"],
  ["nice", "n"],
  ["ionice", "cn"],
  ["stdbuf", "ioe"],
  ["watch", "n"],
  ..."nohup setsid exec command if elif while until then do else ! $ # >"
    .split(" ")
    .map((word): [string, string] => [word, ""]),
]);
/** Options of theirs that have a value. */
const VALUED = /^-[ugnICPLsd]$/;
const SHELL_WORDS = new Set("for case function fi done esac in elif until select".split(" "));

/** Whether a word stands before the executable proper: a prompt, an assignment, `sudo` and its like, their options and what those take. */
export const isBeforeExecutable = (word: string, option: string): boolean =>
  VALUED.test(option) ||
  (option !== "" && word.startsWith("-")) ||
  (option === "timeout" && /^\d+[smh]?$/.test(word)) ||
  /^[$#>%!]$|^\w+=/.test(word) ||
  WRAPPERS.has(word) ||
  word === "xargs";

/** Words that show a sentence or a program statement, not a command line. */
export const SENTENCE =
  /(?:^|\s)(?:the|a|an|of|is|are|was|were|be|and|or|not|to|from|with|that|this|as|has|have|your|you)\s/i;

/** A call or an assignment: a query or a program, whose plain words are no commands. */
export const STATEMENT = /\w\(|\s(?:[=!<>]?=|=>)\s/;

/** Between ssh and the host's command: options without and with a value, the host. */
const SSH_HOST = String.raw`\s+(?:-[46AaCfGgKkMNnqsTtVvXxYy]+\s+|-[A-Za-z]*[bcDEeFIiJLlmOopQRSWw]\s+[^\s"']+\s+){0,8}(?!-)[^\s"']{1,100}\s+`;
const SHELL_OPTIONS = String.raw`\s+(?:-\w{1,9}\s+){0,4}?-\w{0,9}c\s+`;

/** Behind these begins another command: on another host, in another shell, for each file that is found. */
const CARRIERS = new Map([
  ["ssh", new RegExp(`^${SSH_HOST}`)],
  ["find", /\s-(?:exec|ok)(?:dir)?\s+/],
  ["kubectl", /^\s(?:\S+\s+){0,8}?exec\s[^\n]*?\s--\s+/],
  ["docker", /^\s+exec\s+(?:-\w+\s+){0,4}\S+\s+/],
  ...["bash", "sh", "zsh"].map((shell): [string, RegExp] => [shell, new RegExp(`^${SHELL_OPTIONS}`)]),
]);

/** The same where the other command is quoted. */
const CARRIED_IN_QUOTES = new RegExp(
  String.raw`(?<=(?<![\w./-])(?:ssh${SSH_HOST}|(?:ba|z)?sh${SHELL_OPTIONS}))(?:"[^"\n]+"|'[^'\n]+')`,
  "g",
);

/** Commands in commands: `ssh db-3 find / -exec sh -c …` */
const MAX_CARRIED = 3;

/** Splits a command line into simple commands and notes the role of each of their plain words. */
function readCommandLine(scene: Scene, { start, end }: Span): void {
  const whole = scene.text.slice(start, end);
  const line = whole
    .replace(/"[^"\n]*"|'[^'\n]*'/g, (quoted) => CLAIMED.repeat(quoted.length))
    .replace(/(?:^|\s)#.*/g, (comment) => " ".repeat(comment.length));
  const lone = /^\s*([A-Za-z][a-z]+)\s*$/.exec(line);
  if (lone) {
    if (!SHELL_WORDS.has(lone[1]!)) scene.roles.set(start + line.indexOf(lone[1]!), "lone");
  } else if (!SENTENCE.test(line) && !STATEMENT.test(line)) {
    for (const { 0: part, index } of line.matchAll(/[^|;&(){}\n]+/g)) {
      let from = 0;
      for (let depth = 0; depth <= MAX_CARRIED && from < part.length; depth++)
        from += readSimpleCommand(scene, start + index + from, part.slice(from));
    }
  }
  for (const { 0: quoted, index } of whole.matchAll(CARRIED_IN_QUOTES))
    readCommandLine(scene, { start: start + index + 1, end: start + index + quoted.length - 1 });
}

/** Returns where in it the command begins that it carries out elsewhere; its length for none, or for one that is advised against. */
function readSimpleCommand(scene: Scene, start: number, command: string): number {
  const head = headOf(command);
  if (head === null) return command.length;
  const isForbidden = isAdvisedAgainst({ input: scene.text, index: start });
  const until = carriedAt(command, head) ?? command.length;
  const own = command.slice(0, until);
  const isDestroying = !isForbidden && DESTROYING.test(own);
  const span = { start: start + head.start, end: start + until };
  scene.roles.set(span.start, "executable");
  scene.commands.push({ ...span, whole: start + command.length, head: head.word });
  if (isDestroying) scene.destroying.push({ start, end: span.end });
  const isUtility = EVERYDAY.has(head.word);
  if (isUtility) {
    const behind = scene.text.slice(span.end, span.end + 40);
    const setsFrom = span.start + settingFrom(own.slice(head.start), behind, isDestroying);
    scene.everyday.push({ start, end: span.end, setsFrom });
  }
  if (!isUtility || isDestroying)
    readWords(scene, own.slice(head.end), { word: head.word, at: start + head.end, isUtility, isDestroying });
  return isForbidden ? command.length : until;
}

interface Head extends Span {
  word: string;
}

/** The executable of a simple command; null where what stands there is none. */
function headOf(command: string): Head | null {
  let option = "";
  for (const { 0: word, index: start } of command.matchAll(/\S+/g)) {
    // `sudo -u postgres psql`
    if (!isBeforeExecutable(word, option)) {
      const isName = /^[a-z][\w+.-]*[\w+]$/.test(word) && !SHELL_WORDS.has(word);
      return isName ? { word, start, end: start + word.length } : null;
    }
    option = word;
  }
  return null;
}

function carriedAt(command: string, { word, end }: Head): number | null {
  const carrier = CARRIERS.get(word)?.exec(command.slice(end));
  return carrier ? end + carrier.index + carrier[0].length : null;
}

/** From where on in it the numbers of a utility's command set something; Infinity for nowhere. */
function settingFrom(command: string, behind: string, isDestroying: boolean): number {
  const setting = SETTING.exec(command) ?? INTO_SETTING.exec(behind);
  if (setting === null && (!isDestroying || KILLING.test(command))) return Infinity;
  // A time-out stands before what is sent.
  return /^curl(?!\S)/.test(command) ? (setting?.[0].length ?? 0) : 0;
}

/** Notes the roles of the words behind a command's head, from `at` on. */
function readWords(
  scene: Scene,
  words: string,
  head: { word: string; at: number; isUtility: boolean; isDestroying: boolean },
): void {
  // A utility has none.
  let hasVerb = head.isUtility;
  let before = head.word;
  for (const { 0: word, index } of words.matchAll(/\S+/g)) {
    const option = before;
    before = word;
    const at = head.at + index;
    if (/^--[a-z][\w-]*=[A-Za-z]{2,}$/.test(word)) {
      scene.roles.set(at + word.indexOf("=") + 1, "value");
    } else if (hasVerb && /^--[a-z][\w-]*$/.test(option) && /^[A-Z][A-Za-z]+$/.test(word)) {
      // A word in lower case may belong to no flag: `git --no-pager log`, `--watch deployment web`.
      scene.roles.set(at, "value");
    } else if (/^[a-z]{2,}$/.test(word)) {
      // What stands behind an option may be its value: `kubectl -n shop get`.
      const isVerb = !hasVerb && !/^-[^=]*$/.test(option);
      const isTarget =
        head.isDestroying &&
        !WITH_VALUE.test(`${option} `) &&
        !DESTRUCTIVE_VERBS.has(word) &&
        (!OBJECT_KINDS.has(word) || OBJECT_KINDS.has(option));
      const argument = isTarget ? "target" : SERVICE_TOOLS.has(head.word) ? "unit" : "argument";
      scene.roles.set(at, isVerb ? "verb" : argument);
      hasVerb ||= isVerb;
    }
  }
}

/** Whether what stands at an offset is what a command destroys, in prose that of `rm -rf` and PowerShell's. */
function isDestroyed({ text, destroying }: Scene, offset: number): boolean {
  const before = text.slice(Math.max(0, offset - 120), offset);
  const command = spanAt(destroying, offset);
  if (command)
    return !WITH_VALUE.test(before) || /^\s*(?:sudo\s+)?rm\b/.test(text.slice(command.start, offset));
  const prose = DESTROYING_IN_PROSE.exec(before);
  return prose !== null && !isAdvisedAgainst({ input: text, index: offset - before.length + prose.index });
}

/** Options whose value says where or as whom, not what: `kubectl -n shop delete pod web`, `docker compose -f app.yml stop web`. */
const WITH_VALUE =
  /(?:^|\s)(?:-[nficl]|--(?:namespace|kubeconfig|context|file|config|identity-file|profile|region|cluster|host|selector))[ =]$/;

// ---- 3. Recognisers -------------------------------------------------------------------------------------
// One for each way of writing facts of a kind: a pattern, linear in its input, and a reader that turns a match into a key and a
// weight.

interface Reading {
  key: string;
  weight: number;
  /** How many characters of the match it claims; all by default. */
  length?: number;
  quantity?: Quantity;
  isOpen?: true;
  family?: string;
  isTarget?: boolean;
  isTally?: boolean;
}

interface Recogniser {
  kind: FactKind;
  pattern: RegExp;
  /** null leaves the match to the later recognisers; weight 0 claims it as no fact. */
  read(match: RegExpExecArray, scene: Scene): Reading | null;
}

const NO_FACT: Reading = { key: "", weight: 0 };

/** Alternatives, one a line, tried in order. */
function oneOf(alternatives: string[], flags = "g"): RegExp {
  return new RegExp(alternatives.join("|"), flags);
}

function inCode(scene: Scene, offset: number): boolean {
  return spanAt(scene.code, offset) !== undefined;
}

/** What a placeholder never holds: a flag. `sort <input.csv --force >out` is a redirection. */
const NO_COMMAND = "(?! --?[A-Za-z])";

/** `<pod>`, `$NAME`, `{{ .Values.x }}`, `node=$(…)`, HTML tags, a secret's `[redacted:kind]`: the reader or the shell fills them in. */
const placeholder: Recogniser = {
  kind: "identifier",
  pattern: oneOf([
    String.raw`<(?![A-Za-z][A-Za-z+.-]*:)\/?[A-Za-z](?:${NO_COMMAND}[^<>/\n]){0,60}(?<!\s)\/?>`,
    String.raw`\{\{(?:${NO_COMMAND}[^{}"/\n]){0,80}\}\}`,
    String.raw`\[redacted:\w{1,32}\]`,
    String.raw`\$\{(?!HOME\})\w+(?::?[-=?+]|\})?`,
    String.raw`\$(?!HOME\b)[A-Za-z_]\w*`,
    String.raw`(?<![\w.-])[A-Za-z_]\w*(?==\$\()`,
  ]),
  read: () => NO_FACT,
};

/** What a Kubernetes manifest begins with, whatever it is about. */
const manifestHead: Recogniser = {
  kind: "identifier",
  pattern:
    /\bapiVersion:[ \t]*(?:v1|(?:apps|batch|policy|(?:networking|storage|scheduling|rbac\.authorization)\.k8s\.io)\/v1|autoscaling\/v2)(?![\w.])/g,
  read: () => NO_FACT,
};

/** `my-app`, `YOUR_TOKEN`, `pod-name`: placeholders without brackets. */
const sampleName: Recogniser = {
  kind: "identifier",
  pattern: /(?<![\w\0./-])(?:(?:your|my)[_-]\w+(?:-\w+)*|[a-z]+-name)(?![\w-])/gi,
  read: () => NO_FACT,
};

const PARTS =
  "steps?|phases?|stages?|passages?|options?|examples?|figures?|points?|answers?|questions?|parts?";
const AMOUNT =
  "(?:per|pct|per ?cent|[km]?bps|[kmgt]i?b|bytes?|secs?|seconds?|mins?|minutes?|hours?|hrs?|days?|weeks?|months?|years?|hundred|" +
  "thousand|million|billion|trillion|times|degrees?|cores?|cpus?)\\b";
/** More parts than that no answer counts: "DHCP option 43", "85 points" are values. */
const PART = String.raw`(?:1[0-2]|[1-9])(?!\d)`;

/** Numbers that only count the answer's own parts: "2." at a line's start, "Step 3", "[4]", "(74 words)". */
const counter: Recogniser = {
  kind: "number",
  pattern: oneOf(
    [
      String.raw`^[ \t>#*]*\d{1,2}(?:[.):]|\.\d{1,2}\.)(?=[\s*])`,
      // "1.2 Check" is numbered, "9.5 GB" and "1.5 hours" at a line's start are not.
      String.raw`^[ \t>#]*(?:\*\*)?\d{1,2}\.\d{1,2}(?=\)?(?:\*\*)?[ \t]+[*\x60]{0,3}(?!${AMOUNT})[a-z]{2})`,
      String.raw`\b(?:${PARTS})\s#?${PART}(?:(?:,|-|\sand|\sto)\s?${PART})*\b`,
      String.raw`(?<=[\w.,'")\s])\[\d{1,2}\]`,
      String.raw`\b\d+(?=[ -](?:words?|sentences?|bullet)\b)|(?<=\()\d+(?= characters?\))`,
      String.raw`^[ \t]*\|[ \t*]*${PART}[ \t*]*(?=\|)|(?<=\s)\(${PART}\)(?=\s)`,
    ],
    "gim",
  ),
  read: (match, scene) => (inCode(scene, match.index) && !/^\s*\d+\./.test(match[0]) ? null : NO_FACT),
};

/** `hw-rma@corp.example`, `#release-log`: whom to tell. */
const contact: Recogniser = {
  kind: "identifier",
  pattern: oneOf([
    String.raw`(?<![\w\0.+@/:-])[A-Za-z][\w.+-]{0,63}@[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]*)+`,
    String.raw`(?<![\w\0&/#(.])#[a-z][a-z0-9]*(?:[_-][a-z0-9]+)+(?![\w-])`,
  ]),
  read(match, scene) {
    const [text] = match;
    const isCode = inCode(scene, match.index);
    // In code "#" begins a comment, and an "@" the host that ssh goes to.
    return isCode ? null : { key: fold(text).replace(/^#/, ""), weight: 1 };
  },
};

/** `postgresql@16-main`, `lodash@4.17.21`, `team/api@sha256:…`, with nothing before it that it could be a part of; no host that ssh goes to. */
const INSTANCE =
  /(?<![\w\0./@:%+-])(?:@?[\w.-]{1,60}\/){0,4}[A-Za-z][\w.-]{0,80}@(?!\d{1,3}(?:\.\d{1,3}){3}(?!\w)|[\da-f]{1,4}:[\da-f:]{0,30}:)(?:sha256:)?\w(?:[\w.+-]{0,80}\w)?(?![\w@])/g;

/** A unit, package or image and which one of it: another number makes another, however often that number is said of something else. */
const instance: Recogniser = {
  kind: "identifier",
  pattern: INSTANCE,
  read(match, scene) {
    const [text] = match;
    // A unit's file is a path.
    if (FILE_NAME.test(text) && !text.endsWith(".service")) return null;
    const isUnit = UNIT_TOOLS.has(spanAt(scene.commands, match.index)?.head ?? "");
    const isNumbered = /@(?:v?\d|sha256:)/.test(text);
    return isUnit || isNumbered ? { key: fold(text).replace(/\.service$/, ""), weight: 1 } : null;
  },
};

/** Domains that make a dotted name a web address without a scheme. */
const TOP_LEVELS = "com|org|net|io|dev|gov|edu|ai|co|uk|de|fr|eu|ch|info|gg|cloud|local|internal|svc";

const IN_URL = String.raw`[^\s<>"'\`|^{}\\\0]`;

const url: Recogniser = {
  kind: "url",
  pattern: oneOf(
    [
      String.raw`(?<![\w+.-])[a-z][a-z0-9+.-]{0,20}:\/\/${IN_URL}+`,
      String.raw`(?<![\w@./-])(?:[a-z0-9-]+\.)+(?:${TOP_LEVELS})(?![\w-]|\.\w)(?::\d+)?(?:[/?]${IN_URL}*)?`,
    ],
    "gi",
  ),
  read(match, scene) {
    const text = trimUrl(match[0].replace(/\$\(.*/, ""));
    const key = urlKey(text);
    const isTarget = isDestroyed(scene, match.index);
    const reading: Reading = { key, length: text.length, weight: key === "" ? 0 : 1, isTarget };
    // Behind a letter or a digit the beginning of another name would do: `s3://backup<n>` for `s3://backups`.
    if (/[^\w/]$/.test(key) && isOpenAt(match.input, match.index + text.length)) reading.isOpen = true;
    return reading;
  },
};

/** Without the sentence's punctuation and without a bracket that the address did not open. */
function trimUrl(text: string): string {
  let end = text.length;
  let open = 0;
  for (const mark of text) open += mark === "(" || mark === "[" ? 1 : mark === ")" || mark === "]" ? -1 : 0;
  for (; end > 0; end--) {
    const last = text[end - 1]!;
    const unopened = (last === ")" || last === "]") && open < 0;
    if (!unopened && !".,;:!?*_".includes(last)) break;
    if (unopened) open++;
  }
  return text.slice(0, end);
}

function urlKey(text: string): string {
  return fold(text)
    .replace(/^[a-z][a-z0-9+.-]*:\/\//, "")
    .replace(/^www\./, "")
    .replace(/#$/, "")
    .replace(/(?<!\/)\/+(?=#|$)/, "");
}

const host: Recogniser = {
  kind: "host",
  pattern: oneOf([
    String.raw`(?<![\w.\0-])\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2}(?!\d)|:\d{2,5})?(?![\w-]|\.\d)`,
    String.raw`(?<![\w.\0-])localhost(?::\d{2,5})?(?![\w-])`,
  ]),
  read: ([text]) => ({
    key: fold(text),
    weight: /^(?:localhost|127\.0\.0\.1|0\.0\.0\.0)$/i.test(text) ? 0 : 1,
  }),
};

/** MAC and PCI addresses, IPv6: groups of hexadecimal digits, with a letter among them, so that no time is one. */
const hexAddress: Recogniser = {
  kind: "code",
  pattern: oneOf(
    [
      String.raw`[\da-f]{2}(?:[:-][\da-f]{2}){5}`,
      String.raw`[\da-f]{4}(?:\.[\da-f]{4}){2}`,
      String.raw`(?:[\da-f]{4}:)?[\da-f]{2}:[\da-f]{2}\.\d`,
      String.raw`(?:[\da-f]{1,4}::?){2,7}[\da-f]{1,4}`,
    ].map((shape) => String.raw`(?<![\w:.\0-])(?=[\d:.-]*[a-f])(?=[a-f:.-]*\d)${shape}(?![\w:]|\.\d)`),
    "gi",
  ),
  read: ([text]) => ({ key: fold(text), weight: 1 }),
};

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH =
  "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|" +
  "Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)";

/** `2011-04-09`, `April 9, 2011`, `9 April`; key `2011-04-09` or, without a year, `04-09`. */
const date: Recogniser = {
  kind: "time",
  pattern: oneOf([
    String.raw`(?<![\w.\0/-])(\d{4})[-/](\d{2})[-/](\d{2})(?=\D|$)`,
    String.raw`(?<![\w\0])(${MONTH})\.? +(\d{1,2})(?:st|nd|rd|th)?(?:,? +(\d{4}))?(?!\w|[.,:]\d)`,
    String.raw`(?<![\w.\0/-])(\d{1,2})(?:st|nd|rd|th)? +(?:of +)?(${MONTH})\.?(?:,? +(\d{4}))?(?!\w|:\d)`,
  ]),
  read([, isoYear, isoMonth, isoDay, monthFirst, dayAfter, yearAfter, dayFirst, monthAfter, yearLast]) {
    const year = isoYear ?? yearAfter ?? yearLast;
    const name = (monthFirst ?? monthAfter ?? "").slice(0, 3).toLowerCase();
    const month = isoMonth ?? String(MONTHS.indexOf(name) + 1).padStart(2, "0");
    const day = (isoDay ?? dayAfter ?? dayFirst)!.padStart(2, "0");
    return { key: year ? `${year}-${month}-${day}` : `${month}-${day}`, weight: 1 };
  },
};

const HOUR_MINUTE = String.raw`([01]?\d|2[0-4]):([0-5]\d)`;

/** `17:45`, `5:45 PM`, `5 p.m.`; key `17:45`, or `5:45|17:45` where nothing says which half of the day. */
const clock: Recogniser = {
  kind: "time",
  pattern: oneOf(
    [
      String.raw`(?<![\w:.\0])${HOUR_MINUTE}(?::[0-5]\d(?:\.\d+)?)?(?:\s?([ap])\.?m\b\.?)?(?!\w|:\d)`,
      String.raw`(?<![\w:.\0])(1[0-2]|0?[1-9])\s?([ap])\.?m\b\.?`,
    ],
    "gi",
  ),
  read([, hour24, minutes, half24, hour12, half12]) {
    return { key: clockKey(Number(hour24 ?? hour12), Number(minutes ?? 0), half24 ?? half12), weight: 1 };
  },
};

function clockKey(hour: number, minutes: number, half?: string): string {
  const at = (h: number) => `${h % 24}:${String(minutes).padStart(2, "0")}`;
  if (half) return at((hour % 12) + (half.toLowerCase() === "p" ? 12 : 0));
  return hour >= 1 && hour <= 12 ? `${at(hour)}|${at(hour + 12 === 24 ? 0 : hour + 12)}` : at(hour);
}

const EXTENSIONS = (
  "conf cfg cnf ini ya?ml jsonl? toml xml html? css [mc]?jsx? tsx? py rb go rs java kt cpp hpp cs " +
  "php pl sh bash zsh ps1 bat sql db sqlite3? log txt md rst csv tsv pdf png jpe?g gif svg zip tar " +
  "t?gz tar\\.gz xz bz2 7z rpm deb pkg dmg exe msi dll jar war service socket timer mount env lock " +
  "pem crt cer key p12 pub sock pid bak tmp tf tfvars proto wasm ko img iso qcow2 vmdk app xip plist " +
  "rules repo properties j2 tmpl tpl ipynb"
).replaceAll(" ", "|");
const FILE_NAME = new RegExp(String.raw`[\w-]\.(?:${EXTENSIONS})$`, "i");

/** Paths every Unix system has, and files whose tools look for them by name. `/path/to/…` is none: copied from a manual it is as useless as an invented one. */
const EVERYDAY_PATH =
  /^(?:\/(?:dev\/(?:null|stdin|stdout|stderr|zero)|bin\/(?:ba|z)?sh|usr\/bin\/env|tmp)|\.gitlab-ci\.yml|(?:docker-)?compose\.ya?ml|package\.json)$/;

const path: Recogniser = {
  kind: "path",
  pattern: oneOf([
    String.raw`(?<![\w~./$)\]\\-])(?:~|\.\.?|\$HOME|\$\{HOME\})?(?:\/[\w.@%+~-]+(?::\d{2,5}(?=[\/\s\x60"']))?)+\/?`,
    String.raw`(?<![\w\0])[A-Z]:\\[\w.\\-]+`,
    String.raw`(?<![\w\0./@$\\+%-])[\w@.][\w@.+%-]*(?:\/[\w.@%+-]+)+\/?`,
    String.raw`(?<![\w\0./@$\\-])\.?[\w-]+(?:@[\w-]+)?(?:\.[\w-]+)*\.(?:${EXTENSIONS})(?![\w-]|\.\w)`,
  ]),
  read(match, scene) {
    const text = match[0].replace(/(?<![.,:])[.,:]+$/, "");
    if (COLUMN.test(text) && inCode(scene, match.index)) return null;
    // `sed -i.bak`
    if (text.startsWith("-")) return null;
    const rooted = /^(?:~|\.\.?|\$|[A-Z]:\\|\/)/.test(text);
    if (!rooted && text.includes("/") && !isRelativePath(text, inCode(scene, match.index))) return null;
    const key = pathKey(text, match.input[match.index - 1] === CLAIMED);
    if (isOwnFile(scene, match.index, text)) return { ...NO_FACT, length: text.length };
    const isTarget = isDestroyed(scene, match.index);
    const reading: Reading = {
      key,
      length: text.length,
      weight: (EVERYDAY_PATH.test(key) && !isTarget) || !/\w/.test(key) ? 0 : 1,
      isTarget,
    };
    if (isOpenAt(match.input, match.index + text.length)) reading.isOpen = true;
    return reading;
  },
};

/** What a command writes to: `> pods.txt`, `| tee -a /tmp/log`, `-o a.json`, `-out=a.plan`, `--flag-file=/tmp/postpone`. */
const WRITTEN =
  /(?:\S\s{0,3}(?<![<=-])>{1,2}\s?|\btee\s(?:-a\s)?|\s(?:-o|--?out(?:put(?:-file)?)?|--[\w-]{0,40}file)[= ])["']?$/;
/** Where anybody may put a file of his own, by any name. */
const SCRATCH = /^(?:\/(?:var\/)?tmp\/|~\/|\$HOME\/|\.\/|[^/\\]+$)/;

/** What a copy of a file is called behind the file's own name. */
const COPY_ENDING = /^(?:[._-](?:bak|backup|old|orig|save|copy)(?:[._-][\w-]{1,20})?|[._-]\d{8}|~)$/i;
const COPYING =
  /\bcp(?:\s-\w{1,9}){0,3}\s["']?([^\s"']{2,300})["']?\s["']?([^\s"'\x60;|&)]{2,300})|\bsed\s[^\n]{0,40}?-\w{0,3}i(\.\w{1,20})\s((?:'[^'\n]{0,200}'|"[^"\n]{0,200}"|[^\n\x60;|&'"]){1,300})/g;

/** Where a text copies files to a place beside them: `cp app.yml app.yml.bak`, `sed -i.bak … app.yml`. */
function copiesIn(text: string): Map<string, number> {
  const copies = new Map<string, number>();
  for (const { 1: file, 2: copy, 3: ending, 4: words, index } of text.matchAll(COPYING)) {
    if (ending !== undefined) for (const word of words!.split(/\s+/)) copies.set(word + ending, index);
    else if (copy!.startsWith(file!) && COPY_ENDING.test(copy!.slice(file!.length))) copies.set(copy!, index);
  }
  return copies;
}

/** A file that the answer's own commands make for what they find out: it may have any name, and be removed in the end. */
function isOwnFile(scene: Scene, offset: number, path: string): boolean {
  if ((scene.copies.get(path) ?? Infinity) <= offset) return true;
  if (!SCRATCH.test(path)) return false;
  const at = scene.text.indexOf(path);
  // A name alone may stand behind any ">" of prose.
  if (at > offset || !(path.includes("/") || inCode(scene, at))) return false;
  return WRITTEN.test(scene.text.slice(Math.max(0, at - 60), at));
}

/** Whether a placeholder, which is claimed by now, or a shell's substitution goes on at an offset. */
const isOpenAt = (text: string, at: number): boolean => /^(?:\0|\$[({])/.test(text.slice(at, at + 2));

/** `a.pid` in a query: endings of files that columns are called by, behind an alias of one letter. */
const COLUMN = /^[a-z]\.(?:pid|key|log|db|lock|env|service|properties)$/;

/** `src/app.ts` or, by depth and signs, `api/v1/pods`; not "and/or", `pod/web-1`, 10/12/2020 or `s/a/b/`. */
function isRelativePath(text: string, code: boolean): boolean {
  if (FILE_NAME.test(text)) return true;
  const segments = text.replace(/\/$/, "").split("/");
  if (segments.length < 3 || segments[0]!.length < 2 || segments.every((part) => /^\d+$/.test(part)))
    return false;
  return code || /[_.\d]/.test(text);
}

/** What follows a placeholder (`<pod>/logs`) is looked up like any other trailing part. */
function pathKey(text: string, isTrailing: boolean): string {
  return fold(isTrailing ? text.replace(/^[~.]*\//, "") : text)
    .replace(/^(?:\$home|\$\{home\})/, "~")
    .replace(/^\.\//, "")
    .replace(/(?<![/\\])[/\\]+$/, "");
}

/** With or without thousands separators; bounded: a list of triples stays linear and a value finite. */
const DIGITS = String.raw`\d{1,3}(?:[,_]\d{3}){1,6}(?:\.\d+)?|\d{1,18}(?:\.\d+)?`;

const percent: Recogniser = {
  kind: "percent",
  pattern: oneOf(
    [String.raw`(?<![\w.\0])(${DIGITS})[ -]?(?:%|(?:percent|per cent|pct|percentage points?)\b)`],
    "gi",
  ),
  read(match) {
    const digits = match[1]!;
    const quantity = quantityOf(digits, {});
    // "100 %" and "0%" are figures of speech as often as measurements.
    const round = (quantity.value === 100 || quantity.value === 0) && !digits.includes(".");
    return { key: String(quantity.value), weight: round || isEstimate(match) ? WEAK : 1, quantity };
  },
};

/** "about 25 %": what has been reckoned says so, and stands nowhere. */
function isEstimate({ input, index }: RegExpExecArray): boolean {
  // Of "about 10-15 minutes" both.
  return /(?:\b(?:about|around|roughly|approximately|approx\.?|nearly|almost)\s|[~≈]\s?)(?:[\d.,]{1,6}\s?(?:-|to)\s?)?$/i.test(
    input.slice(Math.max(0, index - 25), index),
  );
}

/** `-rc1`, `-alpine3`, `+build7`, the plus of "4.16+". */
const VERSION_END = String.raw`(?:-(?:rc|alpha|beta|dev|pre)[.-]?\d*|[-+][0-9A-Za-z.]*\d)?\+?(?![\w-]|\.\d)`;

/** What is spoken of by its release: "Python 3.10" is no number, and 3.1 another. */
const RELEASED =
  "python|kubernetes|postgres(?:ql)?|mysql|mariadb|redis|mongodb|elasticsearch|kafka|node(?:\\.js)?|php|ruby|openjdk|temurin|" +
  "ubuntu|debian|rhel|centos|alpine|openshift|terraform|helm|openssl|varnish|rabbitmq|ceph|gitlab|jenkins|openssh";

/** `1.2.3`, `v4`, `1.2.3-rc1`, "version 4.16", "4.x". */
const version: Recogniser = {
  kind: "version",
  pattern: oneOf(
    [
      String.raw`(?<![\w.\0])v?\d+(?:\.\d+)*\.x\b`,
      String.raw`(?<![\w.\0])(?:v\d+(?:\.\d+)*|\d+(?:\.\d+){2,})${VERSION_END}`,
      String.raw`(?<=\b(?:versions?|release|v\.?) )\d+(?:\.\d+)*${VERSION_END}`,
      // "Redis 7.5 MB" is an amount.
      String.raw`(?<=\b(?:${RELEASED}) )\d+\.\d+(?:\.\d+)*${VERSION_END}(?!\s?(?:%|(?:ms|[smhdx])\b|${AMOUNT}))`,
    ],
    "gi",
  ),
  read: ([text]) => ({ key: fold(text).replace(/^v/, "").replace(/\+$/, ""), weight: 1 }),
};

const ERRNO = (
  "2BIG ACCES ADDRINUSE ADDRNOTAVAIL AGAIN AI_AGAIN ALREADY BADF BUSY CANCELED CHILD CONNABORTED " +
  "CONNREFUSED CONNRESET DEADLK DOM DQUOT EXIST FAULT FBIG HOSTDOWN HOSTUNREACH INPROGRESS INTR " +
  "INVAL IO ISCONN ISDIR LOOP MFILE MLINK MSGSIZE NAMETOOLONG NETDOWN NETUNREACH NFILE NOBUFS NODEV " +
  "NOENT NOEXEC NOLCK NOMEM NOSPC NOSYS NOTCONN NOTDIR NOTEMPTY NOTFOUND NOTSUP NXIO PERM PIPE PROTO " +
  "RANGE RESOLVE ROFS SOCKETTIMEDOUT SRCH STALE TIMEDOUT TIMEOUT TXTBSY XDEV"
).replaceAll(" ", "|");
const SIGNALS = "KILL|TERM|INT|HUP|QUIT|SEGV|ABRT|PIPE|USR[12]|STOP|CONT|CHLD|BUS|FPE|ILL|TRAP";
const CODE_WORDS =
  "HTTP(?:S|/[\\d.]+)?|SQLSTATE|errno|" +
  "(?:[Ee]xit|[Ee]rror|[Rr]eturn|[Rr]esponse|[Ss]tatus)[ -](?:code|status)s?|" +
  "[Ss]tatus|[Cc]ode|[Ee]rror|[Ss]ignal|[Pp]orts?";

const IS = String.raw`(?: of| is| was|:|=|\[)?`;

/** Error names and numbers, hexadecimal values, hashes, UUIDs, and what is called a code or a port. */
const code: Recogniser = {
  kind: "code",
  pattern: oneOf([
    String.raw`\b(?:${CODE_WORDS})${IS} ?["'\[(]?(\d{2,5}|[\dA-Z]{5})(?![\w%-]|\.\d|,\d| ?%)`,
    ...[
      String.raw`[\da-fA-F]{8}(?:-[\da-fA-F]{4}){3}-[\da-fA-F]{12}`,
      String.raw`0[xX][\da-fA-F]+|\d{19,}`,
      String.raw`(?=[a-f]*\d)(?=\d*[a-f])[\da-f]{7,64}`,
      `E(?:${ERRNO})`,
      `SIG(?:${SIGNALS})`,
      String.raw`HTTP\/\d(?:\.\d)?`,
      String.raw`(?:CVE|CWE|RFC|PEP|JEP|KB|BZ)[- ]?\d{3,}(?:-\d+)?`,
      String.raw`(?:[A-Z]{1,10}-?\d{3,}[A-Z]?|[A-Z]{2,10}-\d{2,})(?:\.\d+)?`,
    ].map((shape) => String.raw`(?<![\w\0-])(?:${shape})(?![\w-])`),
  ]),
  read(match) {
    const number = match[1];
    if (number !== undefined) return /\d/.test(number) ? { key: fold(number), weight: 1 } : null;
    const key = fold(match[0]);
    return { key: key.replace(/(?<=[a-z])[ -](?=\d)/, "-"), weight: COMMON_TERMS.has(key) ? 0 : 1 };
  },
};

/** `--previous`, `-n`, `-xe`, `+trace`; a value after "=" is a fact of its own. */
const flag: Recogniser = {
  kind: "flag",
  pattern: /(?<=^|[\s"'`([{|,/=*])(?:--?[A-Za-z]\w*(?:[.-]\w+)*|\+[a-z]{3,20})(?![\w-])/g,
  read(match, scene) {
    const text = match[0];
    if (text.startsWith("+")) return inCode(scene, match.index) ? { key: text, weight: 1 } : null;
    if (/^--(?:tail|lines)$/.test(text)) return NO_FACT;
    const everyday = spanAt(scene.everyday, match.index);
    if (text.startsWith("--"))
      return { key: fold(text), weight: everyday && match.index < everyday.setsFrom ? WEAK : 1 };
    if (everyday) return NO_FACT;
    const isLong = text.length > 4 && inCode(scene, match.index);
    if (!isLong && AT_HAND.has(spanAt(scene.commands, match.index)?.head ?? "")) return NO_FACT;
    return { key: text, weight: isLong ? 1 : WEAK };
  },
};

/** Spelled like identifiers, known to everybody: products, formats, protocols, architectures. */
const COMMON_TERMS = new Set(
  (
    "github gitlab javascript typescript postgresql mysql mariadb sqlite mongodb dynamodb couchdb " +
    "influxdb graphql nosql macos ios ipados openssl openssh openbsd freebsd youtube linkedin " +
    "facebook openai chatgpt powershell devops devsecops wordpress paypal iphone ipad ipod imac ebay " +
    "wifi airbnb tiktok whatsapp playstation xbox bitbucket intellij vscode websocket websockets " +
    "webassembly ipv4 ipv6 http2 http3 oauth oauth2 utf-8 utf8 utf-16 iso-8859-1 sha1 sha-1 sha256 " +
    "sha-256 sha512 sha-512 md5 base64 base32 x86 x64 x86_64 amd64 arm64 aarch64 i386 http/1.0 " +
    "http/1.1 http/2 http/3 k8s s3 ec2 mp3 mp4 h264 l4 l7 covid-19 covid19 node.js next.js vue.js " +
    "deployment.apps statefulset.apps daemonset.apps replicaset.apps job.batch cronjob.batch " +
    "asp.net vmware redhat cloudwatch cloudformation javadoc latex tex phd openid saml2"
  ).split(" "),
);

/** "McDonald", "DeVito", "LaRusso": names of people, which are nobody's identifiers. */
const SURNAME = /^(?:Mc|Mac|De|Di|Du|La|Le|Van|Von|Fitz|O)[A-Z][a-z]+$/;

/** `kube-state-metrics` in code, `web-7c9` anywhere: hyphenated names. English compounds have no digits. */
const resource: Recogniser = {
  kind: "identifier",
  pattern: /(?<![\w\0./-])[A-Za-z]\w*(?:\.\w+)*(?:-\w+(?:\.\w+)*)+/g,
  read(match, scene) {
    const name = match[0];
    if (COMMON_TERMS.has(fold(name)) || scene.coined.has(fold(name))) return NO_FACT;
    if (!inCode(scene, match.index) && !isMachineName(name)) return null;
    return { key: fold(name), weight: 1 };
  },
};

/** "larger-than-life", "rapper-turned-actor", "year-over-year": compounds without a short word. */
const ENGLISH_COMPOUND =
  /(?:^|-)(?:after|before|from|into|less|more|most|never|onto|over|than|turned|under|until|upon|with|without|years?|three|four|five|seven|eight|nine)(?:-|$)/;

/**
 * Prose: one part mixes letters and digits (7c9), three lower-case parts end in a number (main-db-1), or three lower-case
 * parts are words of some length (kube-state-metrics); English compounds of three have a short one (up-to-date).
 */
function isMachineName(name: string): boolean {
  return (
    /-(?:[a-z]+\d|\d+[a-z]+\d)\w*(?:-|$)/.test(name) ||
    /^[a-z0-9]+-(?:[a-z0-9]+-)+\d+$/.test(name) ||
    (/^[a-z]{4,}(?:-[a-z]{4,}){2,}$/.test(name) && !ENGLISH_COMPOUND.test(name)) ||
    /^[a-z0-9]+(?:-[a-z0-9]+)+(?:\.[a-z0-9-]+)+$/.test(name) ||
    /\w_\w/.test(name)
  );
}

/** `runner-18`, `LR-3`, `DC-HANDS`: "wave-2" and "GO-LIVE" look alike, so they count only where the texts have others of the kind. */
const sibling: Recogniser = {
  kind: "identifier",
  pattern: oneOf([
    String.raw`(?<![\w\0./-])[a-z]{2,20}-\d{1,4}(?![\w-]|\.\w)`,
    String.raw`(?<![\w\0-])[A-Z]{2,10}(?:-[A-Z\d]{1,12}){1,4}(?![\w-])`,
  ]),
  read(match, scene) {
    const [name] = match;
    // In code names are names.
    if (COMMON_TERMS.has(fold(name)) || inCode(scene, match.index)) return null;
    return { key: fold(name), weight: 1, family: name.slice(0, name.indexOf("-") + 1) };
  },
};

/** Whether a text has a name that begins so. */
export function hasFamily(family: string, { plain, folded }: Evidence): boolean {
  const begin = String.raw`(?<![\w-])${RegExp.escape(family)}`;
  return /^[A-Z]/.test(family)
    ? new RegExp(`${begin}[A-Z\\d]`).test(plain.text)
    : new RegExp(`${begin}[\\d\\[]`).test(folded);
}

/** `snake_case`, `camelCase`, `a.b.c`, `ns::name`, `call()`, `TLSv1.2`. */
const identifier: Recogniser = {
  kind: "identifier",
  pattern: /(?<![\w\0])[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*|(?<=\d[a-z]?)\.\d\w*)*(?:\(\))?/g,
  read(match, scene) {
    const name = match[0].replace(/\(\)$/, "");
    const bare = name.replace(/(?<=[A-Z])s$/, "");
    // "4 GiB", "64 kB": the unit belongs to its number.
    if (name.length <= 4 && /\d ?$/.test(match.input.slice(Math.max(0, match.index - 2), match.index)))
      return null;
    if (COMMON_TERMS.has(fold(name))) return NO_FACT;
    const weight = identifierWeight(bare, inCode(scene, match.index));
    if (weight === 0 && name === match[0]) return null;
    return { key: fold(name), weight: weight || 1 };
  },
};

function identifierWeight(name: string, code: boolean): number {
  if (/[A-Za-z0-9]_\w|::|->/.test(name)) return 1;
  if (name.includes(".")) return isDottedName(name, code) ? 1 : 0;
  if (/[a-z][A-Z]|[A-Z]{2}[a-z]{2}/.test(name)) return SURNAME.test(name) && !code ? 0 : 1;
  if (!/\d/.test(name)) return 0;
  return code && name.length > 2 ? 1 : WEAK;
}

/** `spec.template.spec`; not "U.S.A", and in prose not two words between which a blank is missing. */
function isDottedName(name: string, code: boolean): boolean {
  const parts = name.split(".");
  if (parts.every((part) => part.length === 1) || parts.some((part) => /^_+$/.test(part))) return false;
  return code || parts.length > 2 || parts.some((part) => /[a-z][A-Z]|_|\d/.test(part));
}

const SECONDS: Record<string, number> = {
  "ns|nanoseconds?": 1e-9,
  "[uµ]s|microseconds?": 1e-6,
  "ms|msecs?|milliseconds?": 1e-3,
  "s|secs?|seconds?": 1,
  "m|mins?|minutes?": 60,
  "h|hrs?|hours?": 3600,
  "d|days?": 86_400,
  "w|wks?|weeks?": 604_800,
  "months?": 2_592_000,
  "years?|yrs?": 31_536_000,
};
const BYTES: Record<string, number> = {
  "b|bytes?": 1,
  "kb|kilobytes?": 1e3,
  "mb|megabytes?": 1e6,
  "gb|gigabytes?": 1e9,
  "tb|terabytes?": 1e12,
  "ki|kib|kibibytes?": 2 ** 10,
  "mi|mib|mebibytes?": 2 ** 20,
  "gi|gib|gibibytes?": 2 ** 30,
  "ti|tib|tebibytes?": 2 ** 40,
};
const BITS: Record<string, number> = { kbps: 1e3, mbps: 1e6, gbps: 1e9 };
const SCALES: Record<string, number> = {
  hundred: 100,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  trillion: 1e12,
  k: 1e3,
  bn: 1e9,
};
/** `350°F`, `350F`, `26 degrees Celsius`. */
const TEMPERATURE = String.raw`(?:[°º]|degrees? )? ?(?:celsius|fahrenheit|[cf](?!\w))|[°º]`;
/** Units that are counted and never converted. */
const OTHER_UNITS =
  "x|g|t|fold|[kmg]?hz|rpm|rps|qps|iops|mm|cm|km|kg|mph|kph|lbs?|oz|" +
  "feet|foot|ft|inch(?:es)?|miles?|pounds?|dollars?|cents?|degrees?";
const SCALE = Object.keys(SCALES).join("|");
const UNIT = [TEMPERATURE, ...[SECONDS, BYTES, BITS].flatMap(Object.keys), OTHER_UNITS].join("|");

/** Currency, digits, then an ordinal's ending or a scale word and a unit. */
const NUMBER_PATTERN = new RegExp(
  String.raw`(?<![\w.\0])([$€£]\s?)?(${DIGITS})(?!\d|\.\d)(?:(st|nd|rd|th)\b` +
    String.raw`|(?:[ -]?(${SCALE})(?![A-Za-z]))?(?:([ -]?)(${UNIT})(?![A-Za-z]))?)(?![A-Za-z_])`,
  "gi",
);

const number: Recogniser = {
  kind: "number",
  pattern: NUMBER_PATTERN,
  read(match, scene) {
    const before = scene.text.slice(Math.max(0, match.index - 6), match.index);
    // "top-10", "mid-1990s": part of a word.
    if (/[A-Za-z]-$/.test(before)) return null;
    // The 19 of "2018-19", and a shell's `$2`; not the end of 1024-65535.
    const isYear = /(?<!\d)(?:19|20)\d\d-$/.test(before) && /^\d\d$/.test(match[2]!);
    if (isYear || (match[1] === "$" && inCode(scene, match.index))) return NO_FACT;
    if (isLineCount(match.index, scene)) return NO_FACT;
    const quantity = readQuantity(match);
    const length = match[0].trimEnd().length;
    const isTally = quantity.bare && TALLY.test(scene.text.slice(Math.max(0, match.index - 24), match.index));
    const weight = numberWeight(match, quantity, scene);
    return { key: String(quantity.value), weight, length, quantity, isTally };
  },
};

/** `--replicas=`, `maxReplicas: `, `--node-count ` */
const TALLY = /(?:replicas|nodes|workers|(?:node|desired|instance)-count|parallelism)(?:[=:]\s?| )$/i;

const LINE_TOOLS = new Set(["tail", "head", "journalctl"]);

/** How many lines are looked at, and how often, is up to the reader: `tail -50`, `journalctl -u vault -n 100`, `--tail=100`, `watch -n 5`. */
function isLineCount(offset: number, { text, commands }: Scene): boolean {
  const head = spanAt(commands, offset)?.head ?? "";
  const before = text.slice(Math.max(0, offset - 10), offset);
  return (
    /\s--tail[ =]$|\bwatch -n ?$/.test(before) ||
    (LINE_TOOLS.has(head) && /\s(?:-n? ?|--lines[ =])$/.test(before))
  );
}

/** `1h30m`, `1 h 30 min`, `1 hour and 30 minutes`, "20 minutes and 40 seconds" */
const DURATION = new RegExp(
  String.raw`(?<![\w.\0])(?:(?=\d+[dhms]\d)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?![\w.])` +
    String.raw`|(\d{1,4}) ?(?:h|hrs?|hours?)(?: and|,)? (\d{1,2}) ?(?:m|mins?|minutes?)(?:(?: and|,)? (\d{1,2}) ?(?:s|secs?|seconds?))?(?!\w)` +
    String.raw`|(\d{1,4}) ?(?:m|mins?|minutes?)(?: and)? (\d{1,2}) ?(?:s|secs?|seconds?)(?!\w)` +
    String.raw`|(\d{1,4}) days?(?: and)? (\d{1,2}) ?(?:h|hrs?|hours?)(?!\w))`,
  "gi",
);

const duration: Recogniser = {
  kind: "number",
  pattern: DURATION,
  read(match) {
    const quantity = readDuration(match);
    return { key: String(quantity.value), weight: isEstimate(match) ? WEAK : 1, quantity };
  },
};

function readDuration(match: RegExpExecArray): Quantity {
  const sum = (...groups: number[]): number =>
    groups.reduce((total, group) => total + Number(match[group] ?? 0), 0);
  const hours = 24 * sum(1, 10) + sum(2, 5, 11);
  const amount = (hours * 60 + sum(3, 6, 8)) * 60 + sum(4, 7, 9);
  return { value: amount, step: 1, bare: false, base: { dimension: "seconds", amount } };
}

/** Bare counts up to this are said of anything: "all three pods", "the first 10 lines". */
const SMALL_COUNT = 12;

function isCount(value: number): boolean {
  return Number.isInteger(value) && value <= SMALL_COUNT;
}

function numberWeight(match: RegExpExecArray, quantity: Quantity, scene: Scene): number {
  const small = isCount(quantity.value) && quantity.bare;
  // `--replicas=0` is a setting, and no count of anything.
  const isSetting =
    /[^=!<>]=$/.test(scene.text.slice(Math.max(0, match.index - 2), match.index)) &&
    inCode(scene, match.index);
  if (small && (quantity.value <= 2 || match[3]) && !isSetting) return 0;
  const everyday = spanAt(scene.everyday, match.index);
  if ((everyday && match.index < everyday.setsFrom) || isTimeout(match, scene) || isEstimate(match))
    return WEAK;
  return small && !inCode(scene, match.index) ? WEAK : 1;
}

/** How long a command may run is up to the reader: `timeout 60 kubectl get pods -w`. */
const isTimeout = ({ 0: digits, index }: RegExpExecArray, { text, commands }: Scene): boolean =>
  /(?<![\w.-])timeout $/.test(text.slice(Math.max(0, index - 9), index)) &&
  spanAt(commands, index + digits.trimEnd().length + 1) !== undefined;

function readQuantity(match: RegExpExecArray): Quantity {
  const [, currency, digits, , scale, gap, unit] = match;
  // "5 m" is no duration; "5m" and "5 s" are, and so is "350 F" a temperature.
  const isUnit = unit !== undefined && (unit.length > 1 || gap === "" || /^[CFshd]$/.test(unit));
  // "500M" is a size; "500m" is a time, or half a CPU.
  const isSize = isUnit && !currency && gap === "" && /^[MGT]$/.test(unit);
  const known = isSize ? `${fold(unit)}b` : isUnit ? fold(unit) : undefined;
  return quantityOf(digits!, { currency, scale, unit: known });
}

function quantityOf(
  digits: string,
  { currency, scale, unit }: { currency?: string; scale?: string; unit?: string },
): Quantity {
  const plain = digits.replaceAll(/[,_]/g, "");
  const factor = scale ? SCALES[fold(scale)]! : 1;
  const decimals = plain.split(".")[1]?.length ?? 0;
  const value = Number(plain) * factor;
  // Of a scaled number only the digits stated count, so 180 million may be 181.7; "10k" is no 6,000.
  const noughts = scale && decimals === 0 ? /0*$/.exec(plain)![0].length : 0;
  const zeros = Math.max(0, Math.min(noughts, plain.length - MIN_DIGITS));
  const step = factor * 10 ** (zeros - decimals);
  const quantity: Quantity = { value, step, bare: !currency && !scale && !unit };
  const seconds = unit && UNIT_TABLE.get(unit);
  if (seconds) quantity.base = { dimension: seconds.dimension, amount: value * seconds.factor };
  const scaleName = /(?:^|[^a-z])([cf])(?:elsius|ahrenheit)?$/.exec(unit ?? "")?.[1];
  if (scaleName) quantity.base = { dimension: "kelvins", amount: kelvins(value, scaleName === "f") };
  return quantity;
}

/** So many digits of a scaled number are meant, zeros or not. */
const MIN_DIGITS = 2;

const kelvins = (degrees: number, fahrenheit: boolean): number =>
  273.15 + (fahrenheit ? (degrees - 32) / 1.8 : degrees);

/** Every spelling of a convertible unit, singular and plural. */
const UNIT_TABLE = unitTable();

function unitTable(): Map<string, { dimension: Dimension; factor: number }> {
  const table = new Map<string, { dimension: Dimension; factor: number }>();
  const tables: [Dimension, Record<string, number>][] = [
    ["seconds", SECONDS],
    ["bytes", BYTES],
    ["bits", BITS],
  ];
  for (const [dimension, spellings] of tables) {
    for (const [pattern, factor] of Object.entries(spellings)) {
      const names = pattern.replace("[uµ]s", "us|µs").split("|");
      for (const name of names) {
        table.set(name.replace(/s\?$/, ""), { dimension, factor });
        table.set(name.replace("?", ""), { dimension, factor });
      }
    }
  }
  return table;
}

/** Sub-commands that any tool may have. */
export const COMMON_VERBS = new Set(
  (
    "add apply attach build check commit config connect cp create delete describe df diff disable down du edit enable " +
    "events exec export get help import info init inspect install kill list load log login logs ls mount mv ps pull push " +
    "reload remove reset restart restore rm run save scale search set show start stat stats status stop sync tail tag test " +
    "top trace uninstall unmount up update upgrade validate verify version view watch"
  ).split(" "),
);

/** What destroys, stops or takes rights away is no common knowledge, however common its tool: it has to stand somewhere. */
const DESTRUCTIVE = new Set(
  "rm rmdir dd shred mkfs wipefs kill pkill killall chmod chown reboot shutdown halt poweroff userdel".split(
    " ",
  ),
);
export const DESTRUCTIVE_VERBS = new Set(
  "delete destroy disable drop erase evict format kill mask prune purge remove rm shutdown stop terminate truncate uninstall wipe".split(
    " ",
  ),
);

/** A command with a word that takes something away for good, or stops it. */
const DESTROYING = new RegExp(
  String.raw`(?:^|\s)(?:rm|rmdir|shred|mkfs[.\w]*|wipefs|pkill|killall|userdel|${[...DESTRUCTIVE_VERBS].join("|")})(?=\s|$)|\s--?(?:delete|purge)(?=\s|$)`,
);
const DESTROYING_IN_PROSE =
  /(?:(?<![\w./-])rm[ \t]+-\w*[rRf]\w*|\b(?:Remove|Clear|Uninstall)-[A-Z]\w+)[ \t]+(?:-\w+[ \t]+)*(?:["']?[^\s\x60"';|&]+["']?[ \t]+){0,3}["']?$/;
/** What is destroyed by its name behind its kind: `kubectl delete pod web`, `git push origin --delete old`. */
const OBJECT_KINDS = new Set(
  (
    "pod pods po namespace namespaces ns deployment deployments deploy service services svc node nodes job jobs cronjob " +
    "cronjobs configmap configmaps cm secret secrets pvc pv ingress sts statefulset ds daemonset hpa pdb rs replicaset " +
    "container containers image images volume volumes network networks system builder branch tag remote origin release " +
    "user users group groups role stack snapshot snapshots instance instances cluster queue topic index bucket object"
  ).split(" "),
);

const destroys = (word: string, role: Role): boolean =>
  role === "verb"
    ? DESTRUCTIVE_VERBS.has(word)
    : role !== "argument" && role !== "unit" && DESTRUCTIVE.has(word);

/**
 * The same in prose, a file that is emptied (`: > /etc/hosts`), and a target that is everything. Of the others the head alone is
 * claimed, since what follows are facts, too.
 */
const destruction: Recogniser = {
  kind: "command",
  pattern: oneOf(
    [
      String.raw`(?<![\w./-])rm\s+-\S{1,20}\s+(?:--no-preserve-root\s+)?(?:\/\*?|~\/?|\*)(?=[\s\x60"';&|,.)]|$)`,
      String.raw`(?<![\w./-])find\s+(?:\/|~\/?|\.)(?=\s)[^\n\x60;|]{0,120}\s-delete\b`,
      String.raw`(?<![\w./-])(?:rm(?=\s+-\w*[rRf])|dd(?=\s+[io]f=)|mkfs(?:\.\w+)?(?=\s)|shutdown(?=\s+-\w))`,
      String.raw`(?<![\w./-])(?:iptables\s+-[FXD]\b|crontab\s+-r\b|chmod(?=\s+(?:-\w+\s+)?[0-7]{3,4}\b))`,
      String.raw`(?<=\b(?:systemctl|kubectl|docker|helm|terraform|zpool)\s(?:--?[\w=-]{1,30}\s(?:[\w./-]{1,30}\s)?)?)(?:delete|destroy|disable|kill|mask|prune|purge|rm|stop|uninstall)(?![\w-])`,
      String.raw`(?<=\bgit\s)(?:reset\s+--hard|push\s+(?:-f|--force)(?![\w-])|clean\s+-\w*f\w*)|(?<=\bfind\s[^\n\x60;|]{0,120}\s)-delete\b`,
      String.raw`(?<=(?:^|[\x60;&|])\s{0,8}):\s?>\s?(?=\/(?!dev\/null)[\w.])|(?<=\x60)>\s?(?=\/(?!dev\/null)[\w.])`,
    ],
    "gm",
  ),
  read(match, scene) {
    const [text] = match;
    if (text.includes(">")) return inCode(scene, match.index) ? { key: ": >", weight: 1 } : null;
    return isAdvisedAgainst(match) ? NO_FACT : { key: fold(text).replaceAll(/\s+/g, " "), weight: 1 };
  },
};

/**
 * "never run rm -rf", "instead of `kubectl delete`": what forbids stands right before the command, not somewhere in its sentence.
 * At most a tool's name stands between; "do not forget to" is an order.
 */
const FORBIDDEN =
  /\b(?:never|do not|don't|must not|should not|shouldn't|avoid|without|instead of|rather than)\s+(?:(?:just|simply|ever)\s+)?(?:(?:run(?:ning)?|us(?:e|ing)|execut(?:e|ing)|issu(?:e|ing)|typ(?:e|ing)|try(?:ing)?|do(?:ing)?|call(?:ing)?)\s+)?(?:(?:an?|the|any)\s+)?[`"'*]{0,3}(?:sudo\s+)?(?:(?!(?:forget|hesitat|fail|wait|delay|neglect|omit|skip|restart)[a-z]*\s)[a-z][\w.-]{1,20}\s+(?:--?\S{1,20}\s+){0,3}(?:to\s+)?(?:(?<=\bssh\s+)[\w.@-]{1,60}\s+)?["']?)?$/i;

/** What forbids, or speaks of what is not; "do not forget to" is an order. */
export const NEGATION =
  /\b(?:never|do(?:es)? not|don't|must not|should not|shouldn't|cannot|can't|avoid|without|instead of|rather than|no|nor|neither|not)\b(?! (?:only|forget|hesitate))/i;

const isAdvisedAgainst = ({ input, index }: Pick<RegExpExecArray, "input" | "index">): boolean =>
  FORBIDDEN.test(input.slice(Math.max(0, index - 100), index));

/** In lower case these are prose, or code. */
const droppedInSql: Recogniser = {
  kind: "command",
  pattern:
    /\b(?:DROP\s+(?:TABLE|DATABASE|SCHEMA|INDEX|COLUMN|VIEW|USER|ROLE)|FLUSH(?:ALL|DB)|TRUNCATE(?:\s+TABLE)?(?=\s+[\w."]+\s*[;`\n])|DELETE\s+FROM)\b/gi,
  read(match, scene) {
    const [text] = match;
    if (text !== text.toUpperCase() && !inCode(scene, match.index)) return null;
    const key = fold(text).replaceAll(/\s+/g, " ").replace("truncate table", "truncate");
    return isAdvisedAgainst(match) ? NO_FACT : { key, weight: 1 };
  },
};

/** What is dropped, behind what droppedInSql has claimed: `DROP TABLE IF EXISTS audit_2019`. */
const droppedName: Recogniser = {
  kind: "identifier",
  pattern: /(?<=\0\s{1,8}(?:IF\s{1,8}EXISTS\s{1,8})?["\x60]?)(?!IF\b)[A-Za-z_][\w.$]*/g,
  read(match, { text }) {
    const before = text.slice(Math.max(0, match.index - 60), match.index);
    const statement = /\b(?:DROP|TRUNCATE)\b(?:\s+[A-Z]+){0,3}\s+["\x60]?$/.exec(before);
    if (statement === null) return null;
    const index = match.index - before.length + statement.index;
    return isAdvisedAgainst({ input: text, index })
      ? NO_FACT
      : { key: fold(match[0]), weight: 1, isTarget: true };
  },
};

/** Words in code that are values of any language, not names. */
export const LITERALS = new Set(
  (
    "true false null none nil yes no on off ok all any default name value string number int integer " +
    "bool boolean float list array object error warning info debug running ready pending failed " +
    "unknown json yaml yml text table wide csv yesterday today now auto always"
  ).split(" "),
);
/** `connection refused` in code is a message: no executable ends like this. */
export const ENGLISH_ENDING = /\w{3}(?:[ts]ion|ment|ness|ing|ed|ly|ity)$/;
/** A lone word in code that ends like an administrative tool. */
export const TOOL_NAME = /(?:ctl|cli|adm|cmd|tool|stat|dump)$/;

/** The plain words of command lines. */
const command: Recogniser = {
  kind: "command",
  pattern: /(?<![\w\0.-])[A-Za-z][\w+.-]*/g,
  read(match, scene) {
    const role = scene.roles.get(match.index);
    if (!role) return null;
    const word = match[0].replace(/(?<![.+-])[.+-]+$/, "");
    if (destroys(word, role)) {
      // The options in between have been claimed in the match's input.
      const isForbidden = isAdvisedAgainst({ input: scene.text, index: match.index });
      return isForbidden ? NO_FACT : { key: fold(word), length: word.length, weight: 1 };
    }
    if (role !== "target" && (EVERYDAY.has(word) || LITERALS.has(fold(word)))) return NO_FACT;
    const weight = IS_STRONG[role](word) ? 1 : WEAK;
    return { key: fold(word), length: word.length, weight, isTarget: role === "target" };
  },
};

/** Which words of a command line weigh as much as the other facts. */
const IS_STRONG: Record<Role, (word: string) => boolean> = {
  executable: (word) => !ENGLISH_ENDING.test(word) && !AT_HAND.has(word),
  verb: (word) => !COMMON_VERBS.has(word),
  lone: (word) => TOOL_NAME.test(word),
  argument: () => false,
  value: () => true,
  unit: () => true,
  target: () => true,
};

/** In order of precedence. */
const RECOGNISERS: Recogniser[] = [
  placeholder,
  manifestHead,
  destruction,
  droppedInSql,
  droppedName,
  counter,
  contact,
  url,
  host,
  hexAddress,
  date,
  clock,
  instance,
  path,
  sampleName,
  percent,
  version,
  code,
  flag,
  sibling,
  resource,
  identifier,
  duration,
  number,
  command,
];

// ---- 4. Extraction --------------------------------------------------------------------------------------

/** Facts of `text` in order, each once (first occurrence), none overlapping another; offsets are UTF-16. */
export function extractFacts(text: string): Fact[] {
  const plain = plainText(text);
  const scene = setScene(plain.text);
  const found: Fact[] = [];
  let unclaimed = withoutScriptSigns(scene);
  for (const recogniser of RECOGNISERS) {
    const claims = claim(recogniser, unclaimed, scene);
    unclaimed = withoutSpans(unclaimed, claims);
    for (const { start, end, reading } of claims) {
      if (reading.weight > 0) found.push(factOf(recogniser.kind, reading, { start, end }));
    }
  }
  return firstOccurrences(found).map((fact) => inOriginal(fact, plain, text));
}

/** Where the commands of `text` stand, in order: `sudo rm -r x | wc -l` holds two, beginning at "rm" and "wc". */
export function commandLines(text: string): Span[] {
  const plain = plainText(text);
  const lines: Span[] = [];
  for (const { start, whole } of setScene(plain.text).commands) {
    // One that another carries out belongs to its line.
    if (start >= (lines.at(-1)?.end ?? 0)) lines.push({ start, end: whole });
  }
  return lines.map(({ start, end }) => {
    return { start: originalOffset(plain, start), end: originalOffset(plain, end - 1) + 1 };
  });
}

/** `s/512;/4096;/` and `/error/p` between quotes: no slash there begins a path. */
const SUBSTITUTION =
  /(?<=["'\x60;{]\s{0,3})s([/|#,:@])([^\n]{1,200}?)\1[^\n]{0,200}?\1(?=[gIipe\d]{0,3}["';}\s])/g;
const PATTERN = /(?<=["'\s,;!(])\/([^/\n]{1,100})\/(?=[pd]?["';}]|[\s,{!)])/g;
const SCRIPTED = new Set(["sed", "awk", "gawk", "perl"]);

/** The text of a scene with the signs of its commands' scripts made blank. */
function withoutScriptSigns({ text, commands }: Scene): string {
  const signs: number[] = [];
  for (const { head, start, end } of commands) {
    if (!SCRIPTED.has(head)) continue;
    for (const { 0: script, index: from } of text.slice(start, end).matchAll(/"[^"\n]*"|'[^'\n]*'/g)) {
      const at = start + from;
      for (const { 0: whole, 2: what, index } of script.matchAll(SUBSTITUTION))
        signs.push(...[0, 1, 2 + what!.length, whole.length - 1].map((sign) => at + index + sign));
      for (const { 0: whole, index } of script.matchAll(PATTERN))
        signs.push(at + index, at + index + whole.length - 1);
    }
  }
  if (signs.length === 0) return text;
  const characters = text.split("");
  for (const sign of signs) characters[sign] = " ";
  return characters.join("");
}

interface Claim extends Span {
  reading: Reading;
}

function claim(recogniser: Recogniser, text: string, scene: Scene): Claim[] {
  const claims: Claim[] = [];
  for (const match of text.matchAll(recogniser.pattern)) {
    const reading = recogniser.read(match, scene);
    if (!reading) continue;
    const start = match.index;
    claims.push({ start, end: start + (reading.length ?? match[0].length), reading });
  }
  return claims;
}

function withoutSpans(text: string, spans: Span[]): string {
  if (spans.length === 0) return text;
  const pieces: string[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    pieces.push(text.slice(from, start), CLAIMED.repeat(end - start));
    from = end;
  }
  return pieces.join("") + text.slice(from);
}

function factOf(kind: FactKind, reading: Reading, { start, end }: Span): Fact {
  const { key, weight, quantity, isOpen, family, isTarget, isTally } = reading;
  const fact: Fact = { kind, text: "", start, end, weight, key };
  if (quantity) fact.quantity = quantity;
  if (isOpen) fact.isOpen = isOpen;
  if (family) fact.family = family;
  if (isTarget) fact.isTarget = isTarget;
  if (isTally) fact.isTally = isTally;
  return fact;
}

/** A fact said twice has its greater weight: what is a count in prose may be a value in code. What is destroyed is another. */
function firstOccurrences(facts: Fact[]): Fact[] {
  const first = new Map<string, Fact>();
  for (const fact of facts.sort((a, b) => a.start - b.start)) {
    const { base, step } = fact.quantity ?? {};
    // "10k" allows for rounding, 10000 does not; 100 Mbps are not 100 MB.
    const measure = base ? `${base.dimension} ${base.amount}` : "";
    const identity = `${fact.kind} ${fact.key} ${measure} ${step ?? ""} ${fact.isTarget ?? ""}`;
    const earlier = first.get(identity);
    if (earlier) {
      earlier.weight = Math.max(earlier.weight, fact.weight);
      if (fact.isTally) earlier.isTally = true;
    } else first.set(identity, fact);
  }
  return [...first.values()];
}

function inOriginal(fact: Fact, plain: PlainText, text: string): Fact {
  const start = originalOffset(plain, fact.start);
  const end = originalOffset(plain, fact.end - 1) + 1;
  return { ...fact, text: text.slice(start, end), start, end };
}

// ---- 5. Evidence ----------------------------------------------------------------------------------------
// What is looked up by spelling needs the folded text alone; quantities and times are indexed at first need.

/** A text prepared for `findFact`, `findAdapted` and `hasFamily`. */
export interface Evidence {
  plain: PlainText;
  /** Lower case, same length as `plain.text`. */
  folded: string;
  numbers: () => NumberIndex;
  times: () => Map<string, number>;
  addresses: () => Address[];
  templates: () => Template[];
  uuids: () => Set<string>;
  /** Its code and its commands. */
  scene: () => Scene;
}

/** A path or an address of the network, cut at its slashes; of the latter the first two parts are host and port. */
interface Address {
  isNetwork: boolean;
  parts: string[];
  key: string;
  /** In the original text. */
  offset: number;
}

interface Entry {
  value: number;
  offset: number;
  /** Where the number has a unit of time or size. */
  base?: Quantity["base"];
  isShare?: true;
}

/** Each ascending by value, then by offset. */
interface NumberIndex {
  all: Entry[];
  /** Without a unit: what a percentage may be written as in a table or a setting. */
  bare: Entry[];
  /** Those of them that are no percentages, and number words. */
  tallies: Entry[];
  decimals: Entry[];
  /** Of names: they stand for numbers that nothing is measured by. */
  named: Entry[];
  percents: Entry[];
  seconds: Entry[];
  bytes: Entry[];
  bits: Entry[];
  kelvins: Entry[];
}

/** Linear in the text; its numbers and times are read when the first fact needs them. */
export function prepareEvidence(text: string): Evidence {
  const plain = plainText(text);
  const folded = fold(plain.text);
  return {
    plain,
    folded,
    numbers: once(() => indexNumbers(plain.text)),
    times: once(() => indexTimes(plain.text)),
    addresses: once(() => extractFacts(text).flatMap(addressOf)),
    templates: once(() => templatesIn(folded)),
    uuids: once(() => new Set(folded.match(UUIDS))),
    scene: once(() => setScene(plain.text)),
  };
}

/** A name, path or address with places to be filled in, cut at its slashes: `https://<node>.vault.corp:8200/v1`. */
interface Template {
  segments: TemplateSegment[];
  /** Where it stands in the plain text, in order: what may be done with it need not be said at the first place. */
  offsets: number[];
}

interface TemplateSegment {
  /** What the segment may be, with a group for each place; without its tail. */
  shape: RegExp;
  /** A tag, port or query at its end, which may be left out. */
  tail: string;
  /** How the places are called. */
  places: string[];
  /** Letters and digits that are no place's. */
  literals: number;
}

const PLACE = String.raw`<[a-z][\w .-]{0,40}>|\$\{[a-z_]\w{0,40}\}|\$[a-z_]\w{0,40}|\{\{?[a-z_. ][\w. -]{0,40}\}?\}|(?<=[\w.][-_.])\*`;
const PLACES = new RegExp(PLACE, "g");
const TEMPLATE = new RegExp(String.raw`(?:${PLACE}|[\w.:/@%+~=?&#,-])+`, "g");
/** A segment with more of them says too little, and would take long to compare. */
const MAX_PLACES = 3;
/** Of a longer one no regular expression with several places would come to an end. */
const MAX_SEGMENT_CHARS = 200;
const MAX_TEMPLATES = 300;
const MAX_TEMPLATE_CHARS = 400;
const MAX_TEMPLATE_OFFSETS = 100;

/** Each once, with its places. */
function templatesIn(folded: string): Template[] {
  const places = new Map<string, number[]>();
  for (const { 0: token, index } of folded.matchAll(TEMPLATE)) {
    // What stands behind `--user=` is a name of its own; in an address "=" belongs to it, and in its query a comma.
    const isQuery = /:\/\/[^?]*\?/.test(token);
    const names = isQuery ? [token] : token.split(token.includes("://") ? "," : /[=,]/);
    let offset = index;
    for (const name of names) {
      if (name.length <= MAX_TEMPLATE_CHARS && name.search(PLACES) >= 0) {
        const known = places.get(name);
        if (known === undefined) places.set(name, [offset]);
        else if (known.length < MAX_TEMPLATE_OFFSETS) known.push(offset);
      }
      offset += name.length + "=".length;
    }
  }
  return [...places]
    .slice(0, MAX_TEMPLATES)
    .map(([name, offsets]) => ({ segments: templateSegments(name), offsets }));
}

/** Without the scheme, and without the sentence's punctuation. */
function templateSegments(name: string): TemplateSegment[] {
  const bare = name.replace(/^[a-z][a-z0-9+.-]*:\/\//, "").replace(/[.,:?/]+$/, "");
  return bare.split("/").map((segment) => {
    const [, stem, tail = ""] = /^(.*?)([:?][^<>${}]*|(?<=@.*)\.service)?$/.exec(segment)!;
    const places = segment.match(PLACES) ?? [];
    const literals = stem!.split(PLACES);
    const shape = literals.map((literal) => RegExp.escape(literal)).join("([\\w.@:*/-]+)");
    // Where nothing stands between two places, what fills which is anybody's guess, and a long one at that.
    const isReadable = places.length <= MAX_PLACES && !literals.slice(1, -1).includes("");
    return {
      shape: new RegExp(isReadable ? `^${shape}$` : "(?!)"),
      tail,
      places,
      literals: literals.join("").replaceAll(/[^a-z0-9]/g, "").length,
    };
  });
}

/** Where the port stands among an address's parts; "" for none. */
const PORT = 1;

function addressOf({ kind, key, start }: Fact): Address[] {
  const segments = key.split("/");
  if (kind === "path") return [{ isNetwork: false, parts: segments, key, offset: start }];
  // Of a network (10.1.0.0/16) no part may be another's.
  if ((kind !== "url" && kind !== "host") || /^[\d.]+\/\d+$/.test(key)) return [];
  const [authority, ...below] = segments;
  const [, host, port = ""] = /^(.*?)(?::(\d+))?$/.exec(authority!)!;
  return [{ isNetwork: true, parts: [host!, port, ...below], key, offset: start }];
}

/** The value of `make`, made at the first call. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** The digits of `postgresql@16-main` are no quantity. */
const withoutInstances = (text: string): string =>
  text.includes("@") ? text.replace(INSTANCE, (name) => CLAIMED.repeat(name.length)) : text;

function indexNumbers(whole: string): NumberIndex {
  const text = withoutInstances(whole);
  const index: NumberIndex = {
    all: [],
    bare: [],
    tallies: [],
    decimals: [],
    named: [],
    percents: [],
    seconds: [],
    bytes: [],
    bits: [],
    kelvins: [],
  };
  for (const match of text.matchAll(NUMBER_PATTERN)) {
    const quantity = readQuantity(match);
    const entry: Entry = { value: quantity.value, offset: match.index };
    // "512m" may be minutes, megabytes or half a CPU, so it rules none of them out.
    const isClear = quantity.base !== undefined && !/\dm$/.test(match[0]);
    const isShare = PERCENT_BEHIND.test(text.slice(match.index, match.index + match[0].length + 3));
    if (isShare) entry.isShare = true;
    index.all.push(isClear ? { ...entry, base: quantity.base } : entry);
    if (quantity.bare) index.bare.push(entry);
    if (quantity.bare && !isShare) index.tallies.push(entry);
    if (match[2]!.includes(".")) index.decimals.push(entry);
    if (quantity.base) index[quantity.base.dimension].push({ ...entry, value: quantity.base.amount });
  }
  for (const match of text.matchAll(percent.pattern)) {
    index.percents.push({ value: quantityOf(match[1]!, {}).value, offset: match.index });
  }
  for (const { 0: digits, index: offset } of text.matchAll(SPACED_DIGITS)) {
    const entry = { value: Number(digits.replaceAll(" ", "")), offset };
    index.all.push(entry);
    index.bare.push(entry);
  }
  for (const { 0: digits, index: offset } of text.matchAll(NAMED_DIGITS))
    index.named.push({ value: Number(digits), offset });
  for (const { 1: one, 2: ten, 3: part = one, 4: whole = ten, index: offset } of text.matchAll(RATIO)) {
    const share = (100 * countOf(part!)) / countOf(whole!);
    if (share <= 100) index.percents.push({ value: share, offset });
  }
  for (const match of text.matchAll(DURATION)) {
    index.seconds.push({ value: readDuration(match).value, offset: match.index });
  }
  for (const { 1: part, 2: unit, index: offset } of text.matchAll(ONE_UNIT)) {
    const { factor } = UNIT_TABLE.get(fold(unit!))!;
    index.seconds.push({ value: part === undefined ? factor : factor * SHARES[fold(part)]!, offset });
  }
  for (const entry of numberWords(text)) {
    index.all.push(entry);
    if (!entry.base) index.tallies.push(entry);
    if (entry.base) index[entry.base.dimension].push({ ...entry, value: entry.base.amount });
  }
  for (const list of Object.values(index) as Entry[][])
    list.sort((a, b) => a.value - b.value || a.offset - b.offset);
  return index;
}

const SMALL_NUMBERS =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen";
const TENS = "twenty thirty forty fifty sixty seventy eighty ninety";
/** Numbers of one word, up to ninety. */
export const NUMERALS = new Map([
  ...SMALL_NUMBERS.split(" ").map((word, value): [string, number] => [word, value]),
  ...TENS.split(" ").map((word, n): [string, number] => [word, 20 + 10 * n]),
]);
const WORD_VALUES = new Map([...NUMERALS, ["dozen", 12]]);
const NUMBER_WORD = [...WORD_VALUES.keys(), "hundred", "thousand", "million", "billion"].join("|");
const NUMBER_WORDS = new RegExp(
  String.raw`\b(?:${NUMBER_WORD})(?:(?:-| (?:and )?)(?:${NUMBER_WORD}))*\b`,
  "gi",
);

const PERCENT_BEHIND = /\d ?(?:%|p(?:ct|er))/i;

/** "10 000" */
const SPACED_DIGITS = /(?<!\d ?|[\w.,])\d{1,3}(?: \d{3})+(?![\w%]|[.,]\d| \d)/g;
/** The 12 of `osd.12` */
const NAMED_DIGITS = /(?<=[a-z]\.)\d{1,6}(?![\w.]|-\w)/g;
/** "one request in ten", "3 out of 20"; not "step 2 in 8 hours" */
const RATIO = new RegExp(
  String.raw`\b(${NUMBER_WORD}) (?:[a-z]+ )?in (?:every )?(${NUMBER_WORD})\b(?! (?:${UNIT})\b)` +
    String.raw`|\b(\d{1,6}|${NUMBER_WORD}) out of (?:every )?(\d{1,6}|${NUMBER_WORD})\b`,
  "gi",
);

const countOf = (digitsOrWord: string): number =>
  /\d/.test(digitsOrWord) ? Number(digitsOrWord) : wordValue(digitsOrWord);

/** "a day", "half an hour" */
const ONE_UNIT = /\b(?:(half|quarter of) )?an? (second|minute|hour|day|week|month|year)\b/gi;
const SHARES: Record<string, number> = { half: 0.5, "quarter of": 0.25 };
const UNIT_BEHIND_WORDS = /^[ -](seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b/i;

/** "fifteen" is 15, "twenty-two" 22, "two hundred and six" 206, "three million" 3,000,000. */
function numberWords(text: string): Entry[] {
  return [...text.matchAll(NUMBER_WORDS)].map(({ 0: words, index }) => {
    const value = wordValue(words);
    const end = index + words.length;
    const unit = UNIT_BEHIND_WORDS.exec(text.slice(end, end + 10))?.[1];
    const known = unit && UNIT_TABLE.get(fold(unit));
    const base = known && { dimension: known.dimension, amount: value * known.factor };
    return base ? { value, offset: index, base } : { value, offset: index };
  });
}

function wordValue(words: string): number {
  let total = 0;
  let group = 0;
  for (const word of fold(words).split(/[ -]+/)) {
    const scale = SCALES[word];
    if (scale === undefined) group += WORD_VALUES.get(word) ?? 0;
    else if (scale === 100) group = (group || 1) * 100;
    else {
      total += (group || 1) * scale;
      group = 0;
    }
  }
  return total + group;
}

/** Hours as a machine writes them too (`15:0`), noon and midnight, dates by name or number. */
function indexTimes(text: string): Map<string, number> {
  const times = new Map<string, number>();
  const add = (key: string, offset: number) => {
    for (const one of key.split("|")) if (!times.has(one)) times.set(one, offset);
  };
  for (const match of text.matchAll(EVIDENCE_CLOCK)) {
    add(clockKey(Number(match[1]), Number(match[2]), match[3]), match.index);
  }
  for (const match of text.matchAll(EVIDENCE_HOUR)) add(clockKey(Number(match[1]), 0, match[2]), match.index);
  for (const match of text.matchAll(CRONTAB)) add(clockKey(Number(match[2]), Number(match[1])), match.index);
  for (const match of text.matchAll(/\b(?:noon|midday|midnight)\b/gi)) {
    add(/midnight/i.test(match[0]) ? "0:00" : "12:00", match.index);
  }
  for (const match of text.matchAll(date.pattern)) {
    const key = dateKey(match);
    add(key, match.index);
    add(key.slice(-5), match.index);
  }
  return times;
}

const EVIDENCE_CLOCK = /(?<![\d:.])([01]?\d|2[0-4]):([0-5]?\d)(?:(?::[0-5]\d)?\s?([ap])\.?m\b)?/gi;
/** `25 1 * * *` runs at 1:25. */
const CRONTAB = /(?<![\w*/.,:-])([0-5]?\d) ([01]?\d|2[0-3])(?: [\d*][\d*,/-]{0,20}){3}(?=\s)/g;
const EVIDENCE_HOUR = /(?<!\d)(1[0-2]|0?[1-9])\s?([ap])\.?m\b/gi;

function dateKey(match: RegExpExecArray): string {
  return date.read(match, emptyScene())!.key;
}

// ---- 6. Figures -----------------------------------------------------------------------------------------
// What arithmetic.ts reckons with: numbers with their units, times and dates, one after the other.

export type FigureKind = "clock" | "date" | "percent" | "points" | "count" | Dimension;

export interface Figure extends Span {
  kind: FigureKind;
  /** Minutes of the day, days since 1970, seconds, bytes, bits a second, kelvins, or the number itself. */
  value: number;
  /** The number as it is written, whatever its unit. */
  stated: number;
  /** One unit of the last digit that was stated, as `value` counts; 0 where there is nothing to round. */
  step: number;
  /** Of a rate: the seconds that it is for. */
  per?: number;
  /** Whether it is written as what something is multiplied by: `2 x`. */
  isFactor: boolean;
  text: string;
}

type FigureReading = Pick<Figure, "kind" | "value" | "stated" | "step">;

/** `8 calendar days` */
const CALENDAR_DAYS = /(?<![\w.\0])(\d{1,3}) (?:calendar|full|whole) days?\b/gi;
const RATE_BEHIND = /^(?:\/| ?per | an? | every )(s|sec|second|min|minute|h|hour|d|day|week|month)\b/i;
const FACTOR_BEHIND = /^ ?(?:[x×](?![a-z])|times\b)/i;

/** "16 points less" */
const POINTS = /(?<![\w.\0])(\d{1,3}(?:\.\d{1,3})?)[ -](?:percentage )?points?\b/gi;
/** `MaxRAMPercentage=75` */
const PERCENT_SETTING = /(?<=percent(?:age)?["'\x60]?\s?[=:]\s?)(\d{1,3}(?:\.\d{1,3})?)(?![\w.%])/gi;

/** In order of precedence: what one reads, the later ones cannot see. */
const FIGURES: [pattern: RegExp, read: (match: RegExpExecArray) => FigureReading | null][] = [
  [date.pattern, (match) => wholeFigure("date", Date.parse(`${dateKey(match)}T00:00Z`) / 86_400_000)],
  [
    clock.pattern,
    (match) => {
      const [hour, minutes] = clock.read(match, emptyScene())!.key.split("|")[0]!.split(":");
      return wholeFigure("clock", 60 * Number(hour) + Number(minutes));
    },
  ],
  [POINTS, ([, digits]) => figureOf("points", quantityOf(digits!, {}))],
  [percent.pattern, ([, digits]) => figureOf("percent", quantityOf(digits!, {}))],
  [PERCENT_SETTING, ([, digits]) => figureOf("percent", quantityOf(digits!, {}))],
  [CALENDAR_DAYS, ([, digits]) => figureOf("count", quantityOf(digits!, { unit: "days" }))],
  [DURATION, (match) => figureOf("count", readDuration(match))],
  [NUMBER_PATTERN, (match) => figureOf("count", readQuantity(match))],
  [
    NUMBER_WORDS,
    ({ 0: words, index, input }) => {
      const end = index + words.length;
      const unit = UNIT_BEHIND_WORDS.exec(input.slice(end, end + 10))?.[1];
      const { factor, dimension } = (unit && UNIT_TABLE.get(fold(unit))) || {
        factor: 1,
        dimension: "count" as const,
      };
      const value = wordValue(words);
      return { kind: dimension, value: factor * value, stated: value, step: factor };
    },
  ],
];

/** A date without its year comes to no day. */
const wholeFigure = (kind: FigureKind, value: number): FigureReading | null =>
  Number.isNaN(value) ? null : { kind, value, stated: value, step: 0 };

function figureOf(kind: FigureKind, { value, step, base }: Quantity): FigureReading {
  if (base === undefined) return { kind, value, stated: value, step };
  const factor = value === 0 ? 1 : base.amount / value;
  return { kind: base.dimension, value: base.amount, stated: value, step: step * factor };
}

/** `10.0.0.2:53`, `db-1:5432`, "port 8443", "exit code 137": numbers that tell one thing from another, and measure nothing. */
const NUMBERED_NAME = new RegExp(
  String.raw`(?<![\w.-])(?:\d{1,3}(?:\.\d{1,3}){3}|[a-z][\w.-]{0,80}[a-z\d]|\]):\d{2,5}(?![\w.:%]|-\d)|\b(?:${CODE_WORDS})${IS} ?\d{2,5}(?![\w%]|[.,]\d)`,
  "g",
);
const withoutNames = (text: string): string =>
  withoutInstances(text).replace(NUMBERED_NAME, (name) => CLAIMED.repeat(name.length));

/** The figures of a text in order, none overlapping another. */
export function figuresIn(text: string): Figure[] {
  const plain = plainText(text);
  const figures: Figure[] = [];
  let unclaimed = withoutNames(plain.text);
  for (const [pattern, read] of FIGURES) {
    const claims: Span[] = [];
    for (const match of unclaimed.matchAll(pattern)) {
      const reading = read(match);
      const words = match[0].trimEnd();
      const [from, to] = [match.index, match.index + words.length];
      if (reading === null || to === from) continue;
      claims.push({ start: from, end: to });
      const behind = plain.text.slice(to, to + 14);
      const rate = RATE_BEHIND.exec(behind)?.[1];
      const per = rate && UNIT_TABLE.get(fold(rate))?.factor;
      const [start, end] = [originalOffset(plain, from), originalOffset(plain, to - 1) + 1];
      const isFactor = /\d ?x$/i.test(words) || FACTOR_BEHIND.test(behind);
      figures.push({
        ...reading,
        ...(per ? { per } : {}),
        isFactor,
        start,
        end,
        text: text.slice(start, end),
      });
    }
    unclaimed = withoutSpans(unclaimed, claims);
  }
  return figures.sort((a, b) => a.start - b.start);
}

// ---- 7. Look-up -----------------------------------------------------------------------------------------

type Lookup = (fact: Fact, evidence: Evidence) => number | null;

const LOOKUPS: Record<FactKind, Lookup> = {
  code: findCode,
  path: findPath,
  url: findUrl,
  host: findHost,
  identifier: findIdentifier,
  flag: findFlag,
  version: findVersion,
  percent: findPercent,
  number: findNumber,
  time: findTime,
  command: findWord,
};

/** Offset in the original evidence text where the fact stands, or null. */
export function findFact(fact: Fact, evidence: Evidence): number | null {
  const offset = fact.isTarget ? findTarget(fact, evidence) : LOOKUPS[fact.kind](fact, evidence);
  return offset === null ? null : originalOffset(evidence.plain, offset);
}

/**
 * Offset in the record where this path or address stands with another name in the place of the task's, or null:
 * `/etc/certs.d/registry.shop:5000/ca.crt` for `/etc/certs.d/hub.lan:8443/ca.crt` where the task speaks of hub.lan:8443. Of
 * a part it is enough that what differs is the task's: `billing.service.d` for `report.service.d`. Of an address the host may
 * be the task's, the port either's, and the path stand in the record by itself: "GET /health".
 */
export function findAdapted(fact: Fact, task: Evidence, record: Evidence): number | null {
  const texts = [record.folded, task.folded];
  const joined = fact.isTarget
    ? null
    : fact.kind === "path"
      ? findJoinedPath(fact.key, texts)
      : fact.kind === "identifier"
        ? findJoinedName(fact.key, texts)
        : null;
  const filled =
    joined ??
    findInstance(fact, task, record) ??
    findFilled(fact, task, record) ??
    findTakenLike(fact, task, record);
  if (filled !== null) return originalOffset(record.plain, filled);
  const [address] = addressOf(fact);
  if (!address) return null;
  const isWhole = ({ parts }: Address): boolean => !fact.isTarget || parts.length === address.parts.length;
  const isTaken = ({ key }: Address): boolean =>
    !fact.isTarget || findTarget({ ...fact, key }, record) !== null;
  const found = record
    .addresses()
    .find((entry) => isWhole(entry) && isAdapted(address, entry, { task, record }) && isTaken(entry));
  return found?.offset ?? (address.isNetwork ? findJoined(address, task, record) : null);
}

/** `core.4711` as its parts: a name, and signs between them. */
const piecesOf = (text: string): string[] => text.split(/(?<=[^a-z0-9])|(?=[^a-z0-9])/);

/** How two names of as many pieces differ, cut at their signs; null where they have nothing in common, or too much. */
function differenceOf(one: string, other: string): [mine: string, theirs: string] | null {
  const [mine, theirs] = [piecesOf(one), piecesOf(other)];
  if (mine.length !== theirs.length) return null;
  const differs = mine.flatMap((piece, at) => (piece === theirs[at] ? [] : at));
  const [from, to] = [differs[0], differs.at(-1)];
  if (from === undefined || differs.length === mine.length) return null;
  return [mine.slice(from, to! + 1).join(""), theirs.slice(from, to! + 1).join("")];
}

/** How two paths differ whose folder is the same, or that are alike but for one folder of that depth. */
function pathDifference(one: string, other: string): [mine: string, theirs: string] | null {
  const [mine, theirs] = [one.split("/"), other.split("/")];
  if (mine.length !== theirs.length) return null;
  const differs = mine.flatMap((part, at) => (part === theirs[at] ? [] : at));
  return differs.length === 1 ? differenceOf(mine[differs[0]!]!, theirs[differs[0]!]!) : null;
}

/** Whether a text has a name so often, or oftener, as a part of whatever it says. */
function isSaid(text: string, name: string, times: number): boolean {
  let left = times;
  for (let at = text.indexOf(name); at >= 0 && left > 0; at = text.indexOf(name, at + name.length)) {
    const end = at + name.length;
    if (
      PART_BOUNDARY.before.test(text.slice(Math.max(0, at - 1), at)) &&
      PART_BOUNDARY.after.test(text[end] ?? "")
    )
      left--;
  }
  return left <= 0;
}

/** Whether a part of a path is the name of what a text is about: written as one, or said beside the path, too. */
const isSubjectIn = (text: string, name: string): boolean => /\d/.test(name) || isSaid(text, name, 2);

const isFilePath = ({ kind, key }: Fact): boolean => kind === "path" && /^[/~].*\/.*\//.test(key);

/**
 * A path that the task names, and no folder of another, where the record takes away one that is called alike (`rm us-2.lock` for
 * `eu-1.lock`) or leaves to the reader what it is: `rm <dump>`, where the task speaks of the dump.
 */
function findTakenLike(fact: Fact, task: Evidence, record: Evidence): number | null {
  const { key } = fact;
  if (!fact.isTarget || fact.isOpen || !isFilePath(fact)) return null;
  const at = findBetween(task.folded, key, { ...TARGET_BOUNDARY, isThere: isNotForbidden });
  if (at === null || [task, record].some(({ folded }) => folded.includes(`${key}/`))) return null;
  const isAlike = (other: string): boolean => {
    const [mine, theirs] = pathDifference(key, other) ?? [];
    if (mine === undefined || theirs === undefined) return false;
    if (!isSubjectIn(task.folded, mine) || !isSubjectIn(record.folded, theirs)) return false;
    return findTarget({ ...fact, key: other }, record) !== null;
  };
  const alike = record.addresses().find((entry) => !entry.isNetwork && isAlike(entry.key));
  if (alike) return alike.offset;
  const near = task.folded.slice(Math.max(0, at - 80), at + key.length + 80);
  const isMeant = ({ segments: [only, ...more] }: Template): boolean => {
    if (only === undefined || more.length > 0 || only.literals > 0 || only.places.length !== 1) return false;
    const words = only.places[0]!.match(/[a-z]{3,}/g) ?? [];
    return words.some((word) => near.includes(word));
  };
  for (const template of record.templates()) {
    const offset = isMeant(template) && template.offsets.find((place) => mayBeTaken(fact, record, place));
    if (typeof offset === "number") return offset;
  }
  return null;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
const UUIDS = /(?<![\w-])[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?![\w-])/g;

/**
 * What the task has where this fact is an example's of the record, or null: the id of another lock, or, of what is taken away, the
 * path that is called after the task's subject (us-2) as the example's is after its own (eu-1).
 */
export function replacedBy(fact: Fact, task: Evidence, record: Evidence): string | null {
  const { kind, key } = fact;
  if (kind === "code" && UUID.test(key)) {
    const ids = task.uuids();
    return ids.size === 1 && !ids.has(key) ? [...ids][0]! : null;
  }
  if (!fact.isTarget || !isFilePath(fact)) return null;
  const isOther = (other: string): boolean => {
    const [mine, theirs] = pathDifference(other, key) ?? [];
    if (mine === undefined || theirs === undefined) return false;
    if (isSaid(task.folded, theirs, 1) || isSaid(record.folded, mine, 1)) return false;
    return isSaid(task.folded, mine, 2) && isSaid(record.folded, theirs, 2);
  };
  const named = task.addresses().slice(0, MAX_TASK_PATHS);
  return named.find((entry) => !entry.isNetwork && isOther(entry.key))?.key ?? null;
}

/** A task with more is a pasted log. */
const MAX_TASK_PATHS = 100;

/** `ceph-osd@41` where the record has another of them or `ceph-osd@<id>`, and the task speaks of osd.41: no number of something else. */
function findInstance({ kind, key }: Fact, task: Evidence, record: Evidence): number | null {
  const [, name, which] = /^([^@]+@)([^@]*[^a-z@][^@]*)$/.exec(key) ?? [];
  if (kind !== "identifier" || name === undefined) return null;
  const isNumber = /^\d+$/.test(which!);
  const isNamed = isNumber
    ? new RegExp(`[a-z][._-]${which}(?![\\w-]|\\.\\d)`).test(task.folded)
    : findBetween(task.folded, which!, SEGMENT_BOUNDARY) !== null;
  return isNamed ? findBetween(record.folded, name, NAME_BEGINNING) : null;
}

/** `/var/lib/pgsql/14/data/pg_wal`, where one of the texts has the folder and one what lies in it: no plain word, and no host. */
function findJoinedPath(key: string, texts: string[]): number | null {
  const isKnown = (rest: string): boolean =>
    texts.some(
      (text) =>
        (findBetween(text, rest, FILE_BOUNDARY) ?? findBetween(text, `/${rest}`, PATH_BOUNDARY)) !== null,
    );
  if (key.split("/").length > MAX_JOINED) return null;
  for (let cut = key.lastIndexOf("/"); cut > 0; cut = key.lastIndexOf("/", cut - 1)) {
    const [folder, rest] = [key.slice(0, cut), key.slice(cut + 1)];
    if (!/^\/[^/]+\//.test(folder) || !/[._/]/.test(rest) || !isKnown(rest)) continue;
    const places = texts.map((text) => findBetween(text, folder, PATH_BOUNDARY));
    if (places.some((place) => place !== null)) return places[0] ?? 0;
  }
  return null;
}

const TEMPLATED = new Set<FactKind>(["path", "url", "host", "identifier", "code"]);
/** Fewer letters that are no place's tell nothing: `<a>-<b>`. */
const MIN_LITERALS = 2;

/** `/etc/tls/api.shop.io/key.pem` where the record has `/etc/tls/<fqdn>/key.pem` and the task speaks of api.shop.io; a part of it, too. */
function findFilled(fact: Fact, task: Evidence, record: Evidence): number | null {
  const { kind, key, isTarget } = fact;
  if (!TEMPLATED.has(kind)) return null;
  const segments = key.split("/");
  const names: Names = { task, record, isTarget: isTarget ?? false };
  const isFilled = ({ segments: all }: Template): boolean => {
    if (isTarget && all.length !== segments.length) return false;
    if (all.reduce((sum, { literals }) => sum + literals, 0) < MIN_LITERALS) return false;
    if (segments.length > all.length) return !isTarget && fills(lastJoined(segments, all), all, names);
    const starts = Array.from({ length: all.length - segments.length + 1 }, (_, at) => at);
    return starts.some((at) => fills(segments, all.slice(at, at + segments.length), names));
  };
  for (const template of record.templates()) {
    if (!isFilled(template)) continue;
    const offset = template.offsets.find((at) => mayBeTaken(fact, record, at));
    if (offset !== undefined) return offset;
  }
  return null;
}

/** What goes beyond a template is the last place's: `sys/leases/lookup/<path>`. */
function lastJoined(segments: string[], { length }: TemplateSegment[]): string[] {
  return [...segments.slice(0, length - 1), segments.slice(length - 1).join("/")];
}

function fills(segments: string[], template: TemplateSegment[], names: Names): boolean {
  if (!template.some(({ places }) => places.length > 0)) return false;
  // One place alone says nothing of what fills it.
  if (segments.length === 1 && template[0]!.literals < MIN_LITERALS) return false;
  return segments.every((segment, at) => {
    const { shape, tail, places } = template[at]!;
    if (segment.length > MAX_SEGMENT_CHARS) return false;
    // A port may be the place's, too, where the task has it beside the host.
    const readings = segment.endsWith(tail)
      ? [segment.slice(0, segment.length - tail.length), segment]
      : [segment];
    return readings.some((reading) => {
      const fillers = shape.exec(reading)?.slice(1);
      return fillers?.every((filler, n) => isFiller(filler, places[n]!, names)) ?? false;
    });
  });
}

/** Where names may come from. */
interface Names {
  task: Evidence;
  record: Evidence;
  /** Of what is destroyed no place takes many at once. */
  isTarget: boolean;
}

/** Numbers and dates, which a reader counts and knows: `<nn>`, `<yyyy>`. */
const COUNTED_PLACE = /^[<${]*(?:n{1,4}|num|number|index|mm?|dd?)[>}]*$/;
/** Where the runbook itself asks for several: `<pattern>` for `app-logs-*`. */
const PATTERN_PLACE = /pattern|glob|wildcard|mask/;
const UNIT_BEHIND = new RegExp(`^[ -]?(?:%|(?:${UNIT})(?![a-z]))`);
const YEAR_PLACE = /^[<${]*(?:y{2,4}|year)[>}]*$/;

/** Whether a place may hold this: a name of the task, or a part of one; or one of the record that is no plain word. */
function isFiller(filler: string, place: string, { task, record, isTarget }: Names): boolean {
  if (filler.includes("/")) return findBetween(task.folded, filler, PATH_BOUNDARY) !== null;
  if (filler.includes("*")) {
    const stem = /^(.*?[a-z\d])[-_.]?\*$/.exec(filler)?.[1];
    const mayBeMany = !isTarget && PATTERN_PLACE.test(place);
    return mayBeMany && stem !== undefined && findBetween(task.folded, stem, PART_BOUNDARY) !== null;
  }
  if (/^\d{1,2}$/.test(filler) && COUNTED_PLACE.test(place)) return true;
  if (/^\d{4}$/.test(filler) && YEAR_PLACE.test(place)) return true;
  // A bare number says too little: "PostgreSQL 13", "13 minutes" and "since 13:05".
  if (/^\d+$/.test(filler)) {
    const isThere = (text: string, at: number): boolean =>
      !UNIT_BEHIND.test(text.slice(at + filler.length, at + filler.length + 20));
    return findBetween(task.folded, filler, { ...NUMBER_BOUNDARY, isThere }) !== null;
  }
  // A queue label.print makes a deployment label-print.
  const spellings = [filler, ...["-", ".", "_"].map((joint) => filler.replaceAll(/[-._]/g, joint))];
  if (filler.length > 1 && findAny(task.folded, spellings, PART_BOUNDARY) !== null) return true;
  return /[^a-z]/.test(filler) && findBetween(record.folded, filler, PART_BOUNDARY) !== null;
}

function isAdapted(
  { isNetwork, parts }: Address,
  entry: Address,
  { task, record }: Omit<Names, "isTarget">,
): boolean {
  if (entry.isNetwork !== isNetwork || entry.parts.length < parts.length) return false;
  // A port that is left out is no other port.
  const isSame = parts.map(
    (part, at) => part === entry.parts[at] || (isNetwork && at === PORT && part === ""),
  );
  // `2026/09/30` for another day.
  const [from, to] = [isSame.indexOf(false), isSame.lastIndexOf(false)];
  const isRun =
    to > from && findBetween(task.folded, parts.slice(from, to + 1).join("/"), SEGMENT_BOUNDARY) !== null;
  const isOwn = (part: string, at: number): boolean =>
    isNameIn(part, task) || (!isSame[at] && isRenamed(part, entry.parts[at]!, task));
  const own = parts.map((part, at) => (isRun && !isSame[at]) || isOwn(part, at));
  const kept = parts.filter((part, at) => part !== "" && (!own[at] || (isSame[at]! && /[^a-z]/.test(part))));
  // A plain word of the task ("pods") makes any two-part path look adapted.
  const isTelling = parts.some((part, at) => own[at] && /[^a-z]/.test(part));
  if (!own.includes(true) || kept.length < (isTelling ? 1 : 2)) return false;
  return parts.every(
    (part, at) => isSame[at] || (own[at] && (isNetwork || isReplaceable(entry.parts[at]!, part, record))),
  );
}

/**
 * Whether a record's part of a path may be another's name: it is written as names are, or is called so elsewhere in the record, too.
 * A plain word gives way to no host (`/var/log/nginx` to edge-3), nor to the longer name of what the record is about.
 */
function isReplaceable(theirs: string, mine: string, { folded }: Evidence): boolean {
  const isSameThing = mine.includes(theirs) || theirs.includes(mine);
  if (isSameThing && findBetween(folded, mine, SEGMENT_BOUNDARY) !== null) return false;
  if (/[^a-z]/.test(theirs)) return true;
  return !/\d/.test(mine) && findBetween(folded, theirs, NAMED_BOUNDARY) !== null;
}

/** True where what a part has instead of the record's stands in the task, cut at its signs: `shop.lan.conf` for `web.conf`. */
function isRenamed(part: string, theirs: string, task: Evidence): boolean {
  const [mine, other] = [piecesOf(part), piecesOf(theirs)];
  const least = Math.min(mine.length, other.length);
  let before = 0;
  while (before < least && mine[before] === other[before]) before++;
  let behind = 0;
  while (behind < least - before && mine.at(-1 - behind) === other.at(-1 - behind)) behind++;
  const name = mine.slice(before, mine.length - behind).join("");
  const isNamed = (text: string): boolean => findBetween(task.folded, text, SUBJECT_BOUNDARY) !== null;
  return before + behind > 0 && (isNamed(name) || name.split(/[.:=@]/).every(isNamed));
}

/** An address that nobody wrote down as one: its host is the task's, the rest stands in the record, or the port in the task. */
function findJoined({ parts }: Address, task: Evidence, record: Evidence): number | null {
  const [host, port, ...below] = parts as [string, string, ...string[]];
  if (!/[^a-z]/.test(host) || !isNameIn(host, task)) return null;
  const portAt = findBetween(record.folded, port, CODE_BOUNDARY);
  if (below.length === 0) return portAt && originalOffset(record.plain, portAt);
  if (port !== "" && portAt === null && findBetween(task.folded, port, CODE_BOUNDARY) === null) return null;
  const path = `/${below.join("/")}`;
  const at = findPathOfUrl(path, record.folded) ?? findBetween(record.folded, path, SERVED_BOUNDARY);
  const isAsked = portAt !== null && findBetween(task.folded, path, PATH_BOUNDARY) !== null;
  return at === null
    ? isAsked
      ? originalOffset(record.plain, portAt)
      : null
    : originalOffset(record.plain, at);
}

const isNameIn = (segment: string, { folded }: Evidence): boolean =>
  segment.length > 2 && findBetween(folded, segment, SEGMENT_BOUNDARY) !== null;

/** The first place where `key` stands between what `before` and `after` allow: five characters of each. */
function findBetween(text: string, key: string, { before, after, isThere }: Boundary): number | null {
  if (key === "") return null;
  const step = key.length > LONG_KEY_CHARS ? key.length : 1;
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + step)) {
    const end = at + key.length;
    const isBounded =
      before.test(text.slice(Math.max(0, at - 5), at)) && after.test(text.slice(end, end + 5));
    if (isBounded && (isThere?.(text, at) ?? true)) return at;
  }
  return null;
}

/** Of longer ones places that overlap are not looked at: "1111…" would be compared at each place of a longer one. */
const LONG_KEY_CHARS = 1000;

/**
 * As it stands, and no part of it: to delete what is around a path is to delete something else. A path also only where its line
 * speaks of taking away, not where it is looked at.
 */
function findTarget(fact: Fact, evidence: Evidence): number | null {
  const { kind, key, isOpen } = fact;
  const { before } = kind === "url" || !/^[/~.]/.test(key) ? FILE_BOUNDARY : TARGET_BOUNDARY;
  const after = isOpen ? /^/ : TARGET_BOUNDARY.after;
  const isThere = (_: string, at: number): boolean => mayBeTaken(fact, evidence, at);
  // To systemctl `nginx` and `nginx.service` are one.
  return findAny(evidence.folded, [key, key.replace(/\.service$/, "")], { before, after, isThere });
}

/** Whether what is said at a place lets this fact be destroyed, if it is. A unit that is stopped is no place on a disk. */
function mayBeTaken({ isTarget, kind, key }: Fact, { folded: text, scene }: Evidence, at: number): boolean {
  if (!isTarget || !/[/\\]/.test(key) || (kind !== "url" && kind !== "path")) return true;
  if (!isNotForbidden(text, at)) return false;
  const line = lineBefore(text, at) + text.slice(at, at + MAX_LINE_CHARS).split("\n")[0]!;
  // What a command says by its own name, `wipefs` and `zpool destroy`, no list of English verbs has.
  return TAKING_AWAY.test(line) || isDestroyed(scene(), at);
}

/** UTF-16 units of a line that are looked at, either side. */
const MAX_LINE_CHARS = 300;

const lineBefore = (text: string, at: number): string =>
  text
    .slice(Math.max(0, at - MAX_LINE_CHARS), at)
    .split("\n")
    .at(-1)!;

/** Whether nothing in the clause before a place forbids what stands there. */
const isNotForbidden = (text: string, at: number): boolean =>
  !NEGATION.test(
    lineBefore(text, at)
      .split(/[.;:?!,]\s/)
      .at(-1)!,
  );

/** Words of a line that takes something away. */
export const TAKING_AWAY =
  /\b(?:rm|rmdir|shred|prune|purge|drop|truncate|wipe\w*|mkfs[.\w]*|erase|empt(?:y|ie[sd])|clean(?:s|ed|ing|up)?|clear(?:s|ed|ing)?|remov\w+|delet\w+|uninstall\w*)\b|-delete\b/i;

/** `before` ends where the key starts; `after` starts where it ends. */
interface Boundary {
  before: RegExp;
  after: RegExp;
  /** What else has to hold at a place of the text. */
  isThere?: (text: string, at: number) => boolean;
}

const TARGET_BOUNDARY: Boundary = {
  before: /(?:^|[\s("'\x60=:,;>])$/,
  after: /^(?:\.serv|(?![\w@-]|[./\\][\w%~<{$-]))/,
};
const CODE_BOUNDARY: Boundary = { before: /(?:^|[^\w.])$/, after: /^(?!\w|\.\d)/ };
const HASH = /^(?=\d*[a-f])(?=[a-f]*\d)[\da-f]{7,64}$/;
const HASH_BOUNDARY: Boundary = { before: CODE_BOUNDARY.before, after: /^[\da-f]/ };
const PATH_BOUNDARY: Boundary = { before: /(?:^|[^\w.~@-])$/, after: /^(?![\w-]|\.\w)/ };
const NETWORK_BOUNDARY: Boundary = { before: CODE_BOUNDARY.before, after: /^\d/ };
const ALONE_BOUNDARY: Boundary = { before: /(?:^|[\s("'])$/, after: CODE_BOUNDARY.after };
/** The disk of a partition counts: `/dev/sde` where `sde2` stands. */
const DEVICE_BOUNDARY: Boundary = { before: /(?:^|[^\w.-])$/, after: /^(?:p?\d{1,3})?(?![\w-])/ };
const SUBJECT_BOUNDARY: Boundary = { before: /(?:^|[^\w.-])$/, after: /^(?!\w)/ };
const SEGMENT_BOUNDARY: Boundary = { before: /(?:^|[^\w.-])$/, after: /^(?![\w-]|\.\w)/ };
/** Behind a verb of HTTP or a port. */
const SERVED_BOUNDARY: Boundary = {
  before: /(?:(?:get|post|put|head|lete|atch) |:\d{2,4}|\d{5})$/,
  after: PATH_BOUNDARY.after,
};
/** Outside of a path. */
const NAMED_BOUNDARY: Boundary = { before: /(?:^|[\s("'\x60=])$/, after: /^(?![\w/-]|\.\w)/ };
const WORD_BOUNDARY: Boundary = { before: /(?:^|[^\w-])$/, after: /^(?![\w-])/ };
const NUMBER_BOUNDARY: Boundary = { before: /(?:^|[^\w.:])$/, after: /^(?![\w:]|\.\d)/ };
/** A part of a name: `prod` of `network-prod`. */
const PART_BOUNDARY: Boundary = { before: /(?:^|[^a-z0-9])$/, after: /^(?![a-z0-9])/ };
/** Whether a folded text has this, or a name of which it is a part. */
export const hasPart = (text: string, part: string): boolean =>
  findBetween(text, part, PART_BOUNDARY) !== null;
const FILE_BOUNDARY: Boundary = { before: /(?:^|[^\w.@-]|\.\/)$/, after: /^(?![\w-]|\.\w)/ };
const ROOTLESS_BOUNDARY: Boundary = { before: /(?:^|[\s("'`])$/, after: FILE_BOUNDARY.after };
const URL_BOUNDARY: Boundary = { before: /(?:^|[^\w.@-]|www\.)$/, after: /^(?![\w-]|\.\w)/ };
const PAGE_BOUNDARY: Boundary = { before: URL_BOUNDARY.before, after: /^\/?(?![\w#/-]|\.\w)/ };
const NAME_BOUNDARY: Boundary = { before: /(?:^|[^\w])$/, after: /^(?!\w(?!$|\W)|[0-9a-rt-z_])/ };
const HYPHENATED_BOUNDARY: Boundary = { before: /(?:^|[^\w-])$/, after: /^(?!\w(?!$|\W)|[0-9a-rt-z_])/ };
const NAME_BEGINNING: Boundary = { before: HYPHENATED_BOUNDARY.before, after: /^/ };
const INSTANCE_BOUNDARY: Boundary = {
  before: HYPHENATED_BOUNDARY.before,
  after: /^(?:\.serv|(?![\w@-]|[.:+]\w))/,
};
const FLAG_BOUNDARY: Boundary = { before: /(?:^|[^\w-])$/, after: /^(?!\w|-\w)/ };
const VERSION_BOUNDARY: Boundary = { before: /(?:^|[^\w.]|(?:^|[^a-z0-9])v|[a-z_])$/, after: /^(?!\d)/ };
const INFLECTED_BOUNDARY: Boundary = {
  before: /(?:^|[^\w-])$/,
  after: /^(?:|s|e|es|y|ies|ied|ed|d|ing|er|ers|ion|ions)(?![\w-])/,
};

/** A hash also by its beginning, as `git` and `docker` take it; a signal by its name alone. */
function findCode({ key }: Fact, { folded }: Evidence): number | null {
  const spellings = [key, key.replace("-", " "), key.replace("-", ""), key.replace(/^sig(?=[a-z])/, "")];
  // The 16 of `postgresql@16-main` is no port and no exit code.
  const isThere = (text: string, at: number): boolean =>
    !/^\d/.test(key) || !/\w@$/.test(text.slice(Math.max(0, at - 2), at));
  const whole = findAny(folded, spellings, { ...CODE_BOUNDARY, isThere });
  return whole ?? (HASH.test(key) ? findBetween(folded, key, HASH_BOUNDARY) : null);
}

function findAny(text: string, keys: string[], boundary: Boundary): number | null {
  for (const key of keys) {
    const at = findBetween(text, key, boundary);
    if (at !== null) return at;
  }
  return null;
}

/**
 * A leading part of a longer path counts, the path of an address, and a device by its name; another directory's file of
 * the same name does not.
 */
function findPath({ key, isOpen }: Fact, { folded }: Evidence): number | null {
  const spellings = key.startsWith("~/") ? [key, `$home${key.slice(1)}`, `\${home}${key.slice(1)}`] : [key];
  const { before, after } = /^[/~.]/.test(key) ? PATH_BOUNDARY : FILE_BOUNDARY;
  const whole = findAny(folded, spellings, { before, after: isOpen ? /^/ : after });
  if (whole !== null) return whole;
  const program = programOf(key);
  if (program !== undefined) return findBetween(folded, program, FILE_BOUNDARY);
  if (key.startsWith("/dev/")) return findBetween(folded, key.slice("/dev/".length), DEVICE_BOUNDARY);
  if (!key.startsWith("/")) return findAuthored(key, folded);
  return findPathOfUrl(key, folded) ?? findRootless(key, folded);
}

function findPathOfUrl(key: string, folded: string): number | null {
  for (const { 0: address, index } of folded.matchAll(/:\/\/[^\s<>"'`/]+/g)) {
    const at = index + address.length;
    if (
      folded.startsWith(key, at) &&
      PATH_BOUNDARY.after.test(folded.slice(at + key.length, at + key.length + 5))
    )
      return at;
  }
  return null;
}

/** `/_cluster/health` where "GET _cluster/health" is said: a path of two parts or more that stands there without its root. */
const findRootless = (key: string, folded: string): number | null =>
  key.includes("/", 1) ? findBetween(folded, key.slice(1), ROOTLESS_BOUNDARY) : null;

/** A program is the same by its name alone, a unit without its ending. */
const PROGRAM = /^(?:\/usr(?:\/local)?\/|\/)?s?bin\/([^/]+)$/;
const UNIT_FILE = /^([^/]+)\.(?:service|socket|timer)$/;
const programOf = (key: string): string | undefined => PROGRAM.exec(key)?.[1] ?? UNIT_FILE.exec(key)?.[1];

/** Files that whoever follows the answer writes: manifests, queries, exports, certificates. */
const AUTHORED = /^([\w-]{3,})\.(?:ya?ml|json|sql|txt|csv|patch|diff|tar|crt|pem|key|csr)$/;

/** `analytics-pg.yaml` where `analytics-pg-0` is spoken of: a file that is named after its subject. */
function findAuthored(key: string, folded: string): number | null {
  const stem = AUTHORED.exec(key)?.[1];
  return stem === undefined ? null : findBetween(folded, stem, SUBJECT_BOUNDARY);
}

/** A leading part of a longer address counts. So does the page, where it is named without any fragment. */
function findUrl({ key, isOpen }: Fact, { folded }: Evidence): number | null {
  const [page, fragment] = key.split("#");
  const { before, after } = URL_BOUNDARY;
  const whole = findAny(folded, [key, key.replace("#", "/#")], { before, after: isOpen ? /^/ : after });
  if (whole !== null) return whole;
  if (fragment !== undefined) return findBetween(folded, page!, PAGE_BOUNDARY);
  const [, ownPort, path = ""] = OWN_MACHINE.exec(key) ?? [];
  if (ownPort === undefined || (path !== "" && findPathOfUrl(path, folded) === null)) return null;
  return findBetween(folded, ownPort, CODE_BOUNDARY);
}

/** The reader's own machine, for which the port alone has to be right. */
const OWN_MACHINE = /^(?:localhost|127\.0\.0\.1):(\d{2,5})(\/.*)?$/;

/** `10.9.8.22` also where a text names 10.9.8.21 and goes on with ".22". */
function findHost({ key }: Fact, { folded }: Evidence): number | null {
  const whole = findBetween(folded, key, CODE_BOUNDARY);
  const ownPort = OWN_MACHINE.exec(key)?.[1];
  if (whole !== null || ownPort !== undefined) return whole ?? findBetween(folded, ownPort!, CODE_BOUNDARY);
  const lastDot = key.lastIndexOf(".");
  const hasNetwork = lastDot > 0 && findBetween(folded, key.slice(0, lastDot + 1), NETWORK_BOUNDARY) !== null;
  return hasNetwork ? findBetween(folded, key.slice(lastDot), ALONE_BOUNDARY) : null;
}

function findIdentifier(fact: Fact, { folded }: Evidence): number | null {
  const { key } = fact;
  if (key.includes("@")) return findAny(folded, instanceSpellings(key), INSTANCE_BOUNDARY);
  const boundary = key.includes("-") ? HYPHENATED_BOUNDARY : NAME_BOUNDARY;
  const spellings = [...identifierSpellings(fact), ...CONSTRAINTS.map((ending) => key + ending)];
  const whole = findAny(folded, spellings, boundary);
  return (
    whole ??
    findQualified(fact.text, folded) ??
    findJoinedName(key, [folded]) ??
    findNumbered(key, folded) ??
    findPart(key, folded)
  );
}

/**
 * `kube-state-metrics` also as "kube state metrics", `ReplicaSets` as "replica set" or `replica_set`, `NetworkPolicies` as
 * "NetworkPolicy", `TLSv1.2` as "TLS 1.2".
 */
function identifierSpellings({ key, text }: Fact): string[] {
  const singular = key.length > 3 ? key.replace(/ies$/, "y").replace(/(?<=ss|x|ch|sh)es$|(?<!s)s$/, "") : key;
  const plural = singular.endsWith("y") ? `${singular.slice(0, -1)}ies` : `${singular}es`;
  const words = nameParts(text);
  const spellings = [key, singular, plural, words.join(" "), words.join("-"), words.join("_")];
  const release = /^[a-z]+?(?=v?\d+\.)/.exec(key)?.[0];
  if (release) spellings.push(`${release} ${key.slice(release.length).replace(/^v/, "")}`);
  return spellings;
}

/** "lodash 4.17.21" and `lodash:4.17.21`, too, but nothing less. */
const instanceSpellings = (key: string): string[] =>
  ["@", " ", ":"].map((joint) => key.replace(/@(?=[^@]+$)/, joint));

/** A serial number that is a part of a longer name: ZL2K9P4 of `ata-ST16000NM_ZL2K9P4`. */
const findPart = (key: string, folded: string): number | null =>
  /^(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{6,}$/.test(key) ? findBetween(folded, key, PART_BOUNDARY) : null;

const NUMBERED = /^([a-z][\w.-]*-)(\d{1,4})$/;

/** `web-3` in "web-1 to web-4", `web-[1-4]`, "web-1/2/3" and "web-N". */
function findNumbered(key: string, folded: string): number | null {
  const [, stem, digits] = NUMBERED.exec(key) ?? [];
  if (stem === undefined) return null;
  const begin = String.raw`(?<![\w-])${RegExp.escape(stem)}`;
  const again = RegExp.escape(stem);
  const between = String.raw`(?:\s?(?:to|through|until|\.{2,3}|\u2026)\s?(?:${again})?|\s?-\s?${again})`;
  const ranges = new RegExp(
    String.raw`${begin}(?:\[(\d{1,4})-(\d{1,4})\]|(\d{1,4})${between}(\d{1,4})(?!\d))`,
    "g",
  );
  const isIn = ({ 1: first, 2: last, 3: from = first, 4: to = last }: RegExpExecArray): boolean =>
    Number(from) <= Number(digits) && Number(digits) <= Number(to);
  const range = folded.matchAll(ranges).find(isIn);
  return (
    range?.index ??
    indexOrNull(
      folded.search(new RegExp(String.raw`${begin}(?:[nx]\b|\*|(?:\d{1,4}\/){1,20}${Number(digits)}(?!\d))`)),
    )
  );
}

const indexOrNull = (at: number): number | null => (at < 0 ? null : at);

/** What says that a name is an index', a key's or a constraint's. */
const OBJECT_KIND = /^(?:idx|ix|uq|uk|uniq|pk|pkey|fk|fkey|nn|ck|chk)$/;
const MAX_JOINED = 12;

/**
 * Where in the first of the texts stands what an answer may call an index or a constraint: `ix_ticket_events_tenant_id` where one of the texts has `ticket_events`, one
 * `tenant_id`. Besides one word may be a plain one that stands there, too (a table `orders`).
 */
function findJoinedName(key: string, texts: string[]): number | null {
  const words = key.split("_");
  const isKind = (word: string, at: number): boolean =>
    (at === 0 || at === words.length - 1) && OBJECT_KIND.test(word);
  const parts = words.filter((word, at) => !isKind(word, at));
  if (parts.length === words.length || words.length > MAX_JOINED) return null;
  const find = (name: string): (number | null)[] =>
    texts.map((text) => findBetween(text, name, NAME_BOUNDARY));
  const isIn = (places: (number | null)[]): boolean => places.some((place) => place !== null);
  const found: { place: number | null; size: number }[] = [];
  for (let at = 0; at < parts.length;) {
    let size = parts.length - at;
    let places = find(parts.slice(at).join("_"));
    while (!isIn(places) && size > 1) places = find(parts.slice(at, at + --size).join("_"));
    if (!isIn(places)) return null;
    found.push({ place: places[0]!, size });
    at += size;
  }
  const names = found.filter(({ size }) => size > 1);
  const first = names.find(({ place }) => place !== null)?.place ?? 0;
  return names.length > 0 && found.length - names.length <= 1 ? first : null;
}

/** What stands before a column or a table: an alias, a schema that every database has. */
const QUALIFIER = /^(?:[a-z]\w?|public|pg_catalog|information_schema|dbo)$/;

/**
 * A dotted name by its last part: behind an alias or a schema (`a.query`, `public.orders`), or where that part is a name by
 * itself and those before it stand there, too (`spec.strategy.rollingUpdate.maxUnavailable`, nested in YAML).
 */
function findQualified(name: string, folded: string): number | null {
  if (!/^\w+(?:\.\w+)+$/.test(name)) return null;
  const parts = name.split(".");
  const last = parts.pop()!;
  const isName = /[a-z][A-Z]|_/.test(last);
  const find = (part: string): number | null => findBetween(folded, fold(part), NAME_BOUNDARY);
  const isKnown = (part: string): boolean => QUALIFIER.test(fold(part)) || (isName && find(part) !== null);
  return parts.every(isKnown) ? find(last) : null;
}

/** What databases append to a table's name: `product_prices` stands in `product_prices_pkey`. */
const CONSTRAINTS = ["_pkey", "_fkey", "_key", "_idx", "_seq"];

function nameParts(name: string): string[] {
  return /[.:(>]/.test(name) ? [] : fold(spaced(name)).split(/[ _-]+/);
}

/** "RestaurantsReservations" as "Restaurants Reservations". */
export const spaced = (name: string): string =>
  name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");

/** Long flags of well-known tools that a record may have in their short form, and the other way round. */
const SHORT_FORMS = new Map([
  ["--all-namespaces", "-A"],
  ["--container", "-c"],
  ["--dbname", "-d"],
  ["--filename", "-f"],
  ["--follow", "-f"],
  ["--namespace", "-n"],
  ["--output", "-o"],
  ["--selector", "-l"],
  ["--unit", "-u"],
  ["--username", "-U"],
  ["--watch", "-w"],
]);
const LONG_FORMS = new Map(SHORT_FORMS.entries().map(([long, short]) => [short, long]));

/** Long flags that are these of curl alone; its short ones nobody looks up. */
const CURL_FORMS = new Map([
  ["--data", "d"],
  ["--header", "H"],
  ["--insecure", "k"],
  ["--request", "X"],
  ["--silent", "s"],
]);

/** `curl -sk -X POST … -d`, over the lines that a backslash joins. */
function findCurlFlag(letter: string, { plain }: Evidence): number | null {
  for (const { 0: line, index } of plain.text.matchAll(CURL_LINE)) {
    const at = line.search(new RegExp(`\\s-[a-zA-Z]{0,4}${letter}`));
    if (at >= 0) return index + at + 1;
  }
  return null;
}

const CURL_LINE = /\bcurl\s(?:\\\n|[^\n|;])*/g;

/** Long flags without regard to case; some also by their short form, or short ones by their long form; `-xe` also as `-x` and `-e`, letter by letter and in their case. */
function findFlag({ key }: Fact, evidence: Evidence): number | null {
  const { plain, folded } = evidence;
  if (key.startsWith("--")) {
    const short = SHORT_FORMS.get(key);
    const found = findBetween(folded, key, FLAG_BOUNDARY);
    if (found !== null || short === undefined) {
      const letter = CURL_FORMS.get(key);
      return found ?? (letter === undefined ? null : findCurlFlag(letter, evidence));
    }
    return findBetween(plain.text, short, FLAG_BOUNDARY);
  }
  const long = LONG_FORMS.get(key);
  const whole =
    findBetween(plain.text, key, FLAG_BOUNDARY) ?? (long ? findBetween(folded, long, FLAG_BOUNDARY) : null);
  if (whole !== null || key.length > 4) return whole;
  const letters = [...key.slice(1)].map((letter) =>
    plain.text.search(new RegExp(`(?<![\\w-])-\\w?\\w?${letter}`)),
  );
  return letters.every((at) => at >= 0) ? letters[0]! : null;
}

/** 4.16 stands in 4.16.3, but not the other way round; "4.x" needs the 4. alone. */
function findVersion({ key }: Fact, { folded }: Evidence): number | null {
  const exact = /[.]/.test(key) ? findBetween(folded, key, VERSION_BOUNDARY) : findMajor(key, folded);
  return exact ?? (key.endsWith(".x") ? findBetween(folded, key.slice(0, -1), VERSION_ANY) : null);
}

/**
 * A lone major number counts only behind a v or a name, and where it is no amount: "v3", "Python 3", "node:18"; not "wait 3
 * minutes", "for 3 pods".
 */
function findMajor(key: string, folded: string): number | null {
  const major = RegExp.escape(key);
  const amount = String.raw`[.,]?\d| ?%|[ -]?(?:${UNIT})(?![a-z])| (?!is|was|has|as|does)[a-z-]+s(?![a-z])`;
  const named = String.raw`(?:(?<![a-z0-9])v|[a-z][:@_]|versions? )${major}(?!\d)|[a-z][ -]${major}(?!${amount})`;
  const found = new RegExp(named).exec(folded);
  return found && found.index + found[0].length - key.length;
}

const VERSION_ANY: Boundary = { before: VERSION_BOUNDARY.before, after: /^\d/ };

/** As a percentage, as a fraction (0.2 for 20 %), or, being no small count, as a number without a unit. */
function findPercent({ quantity }: Fact, evidence: Evidence): number | null {
  const { value, step } = quantity!;
  const { percents, decimals, bare } = evidence.numbers();
  const stated = within(percents, roundings(quantity!)) ?? within(decimals, around(value / 100, step / 1000));
  // A bare 0.2 is a share, not 0.2 %.
  return stated ?? (isCount(value) || value < 1 ? null : within(bare, around(value, 0)));
}

/** By value; "5 min" is told from "5 h" and "5 GB", but not from "5 times". */
function findNumber({ quantity, text, isTally }: Fact, evidence: Evidence): number | null {
  const { value, base, bare } = quantity!;
  const numbers = evidence.numbers();
  if (isTally) return within(numbers.tallies, around(value, 0));
  // Of "5 minutes" and "5 %" the one that is measured alike, wherever it stands.
  const alike = base ? within(numbers[base.dimension], around(base.amount, 0)) : null;
  if (alike !== null) return alike;
  const isOther = (entry: Entry): boolean =>
    base !== undefined && (entry.isShare === true || isOtherMeasure(entry, base));
  const range = roundings(quantity!);
  const plain =
    within(numbers.all, range, isOther) ?? (base ? null : within(numbers.percents, around(value, 0)));
  if (plain !== null) return plain;
  if (base)
    return (
      findMeasure(base, numbers) ?? findRounded(quantity!, numbers) ?? findCount(text, quantity!, numbers)
    );
  const converted = bare
    ? (findConverted(quantity!, numbers) ?? within(numbers.named, around(value, 0)))
    : null;
  if (converted !== null) return converted;
  // A release named by two numbers ("OpenShift 4.16") is part of a version.
  return /^\d+\.\d+$/.test(text) ? findBetween(evidence.folded, text, VERSION_BOUNDARY) : null;
}

/** A millisecond is no second; a scale of 1,000 against 1,024 is taken for the same. */
const isOtherMeasure = ({ base: theirs }: Entry, base: Quantity["base"] & {}): boolean =>
  theirs !== undefined &&
  (theirs.dimension !== base.dimension || Math.abs(Math.log(theirs.amount / base.amount)) > UNIT_SLACK);

/** Smaller ones are too common to be a setting's seconds, milliseconds or bytes. */
const MIN_SETTING = { seconds: 300, milliseconds: 60_000, bytes: 2 ** 20 };

/** In another unit, or as a setting that has none: "45 seconds" for 45000, "8 GiB" for 8589934592. */
function findMeasure({ dimension, amount }: Quantity["base"] & {}, numbers: NumberIndex): number | null {
  const asSetting = (value: number, isLarge: boolean): number | null =>
    isLarge ? within(numbers.bare, around(value, 0)) : null;
  if (dimension === "bytes")
    return findBytes(amount, numbers) ?? asSetting(amount, amount >= MIN_SETTING.bytes);
  const measured = within(numbers[dimension], around(amount, CONVERTED[dimension]));
  if (measured !== null || dimension !== "seconds") return measured;
  return (
    asSetting(amount, amount >= MIN_SETTING.seconds && amount % 60 === 0) ??
    asSetting(amount * 1000, amount >= 1)
  );
}

/** Half of its last digit is no more than this of a time that was rounded in another unit. */
const ROUNDED_SHARE = 0.025;

/** "20.7 minutes" for 1240 s; not "2 hours" for 90 minutes. */
function findRounded({ value, step, base }: Quantity, { seconds }: NumberIndex): number | null {
  if (base?.dimension !== "seconds" || step / 2 > ROUNDED_SHARE * value) return null;
  return within(seconds, around(base.amount, (step / 2 / value) * base.amount));
}

/** "1.2M messages" is a size only to those who do not read on. */
function findCount(text: string, { value, step }: Quantity, { all }: NumberIndex): number | null {
  if (!/\dM$/.test(text)) return null;
  const count = { value: value * 1e6, step: step * 1e6, bare: true };
  return within(all, roundings(count), ({ base }) => base !== undefined);
}

/** What a setting without a unit stands for: 7200000 where "two hours" is said, 2592000 for 30 days, 16777216 for 16 MiB; 0.05 for 5 %. */
function findConverted({ value, step }: Quantity, { seconds, bytes, percents }: NumberIndex): number | null {
  if (value > 0 && value < 1) return within(percents, around(100 * value, 50 * step));
  const exactly = (entries: Entry[], amount: number, isLarge: boolean): number | null =>
    isLarge && Number.isInteger(value) ? within(entries, around(amount, 0)) : null;
  return (
    exactly(seconds, value, value >= MIN_SETTING.seconds && value % 60 === 0) ??
    exactly(seconds, value / 1000, value >= MIN_SETTING.milliseconds) ??
    exactly(bytes, value, value >= MIN_SETTING.bytes)
  );
}

interface Range {
  from: number;
  to: number;
}

/** What may have been rounded or cut off to the digits stated: 181,674,817 to 181 million. Exact below 10. */
function roundings({ value, step, bare }: Quantity): Range {
  if (step === 1 && value < 10) return around(value, 0);
  // "1.2" is as often a release as a measure: 1.23 may be rounded to it, 1.28 is not.
  if (bare && step < 1 && value < 100) return { from: value - step / 2, to: value + step * 0.4999 };
  return { from: value - step / 2, to: value + step * 0.9999 };
}

/** The margin takes up what binary fractions lose. */
function around(value: number, slack: number): Range {
  const margin = slack + Math.abs(value) * 1e-9;
  return { from: value - margin, to: value + margin };
}

/** How far a converted value may be off: 350°F is 176.7°C, and cookbooks say 175 or 180. */
const CONVERTED = { seconds: 0, bits: 0, kelvins: 5 };

/** "16 MB" also stands for 16 MiB, which is 16777216 bytes: 1.024 once for kB, twice for MB; and 2048 MB for "2 GB". */
function findBytes(amount: number, { bytes }: NumberIndex): number | null {
  for (const power of [0, 1, -1, 2, -2, 3, -3, 4]) {
    const found = within(bytes, around(amount * 1.024 ** power, 0));
    if (found !== null) return found;
  }
  return null;
}

/** Between kB and KiB, and what rounding makes of a number: half of it at most. */
const UNIT_SLACK = Math.LN2;

/** The first entry in a range, by value, that is not ruled out. */
function within(entries: Entry[], { from, to }: Range, isOut?: (entry: Entry) => boolean): number | null {
  let at = firstIndex(entries.length, (i) => entries[i]!.value >= from);
  while (at < entries.length && entries[at]!.value <= to && isOut?.(entries[at]!)) at++;
  const entry = entries[at];
  return entry && entry.value <= to ? entry.offset : null;
}

/** A date also where its day and month stand without the year, if the year stands elsewhere. */
function findTime({ key }: Fact, evidence: Evidence): number | null {
  const times = evidence.times();
  for (const one of key.split("|")) {
    const at = times.get(one);
    if (at !== undefined) return at;
  }
  if (!/^\d{4}-/.test(key)) return null;
  const day = times.get(key.slice(5));
  return day !== undefined && within(evidence.numbers().all, around(Number(key.slice(0, 4)), 0)) !== null
    ? day
    : null;
}

/**
 * A command's word, in any inflexion: "restart" stands in "restarting the pod". What destroys also as a runbook asks for it, "Remove
 * the file", but not as it speaks of it, "a deleted file".
 */
function findWord({ key }: Fact, { folded }: Evidence): number | null {
  if (!IN_ENGLISH.has(key) && !DESTRUCTIVE_VERBS.has(key))
    return findBetween(folded, lookupStem(key), INFLECTED_BOUNDARY);
  const doing = [`${key.replace(/e$/, "")}ing`, `${key}${key.at(-1)}ing`];
  return findAny(folded, [key, ...doing, ...(IN_ENGLISH.get(key) ?? [])], WORD_BOUNDARY);
}

const IN_ENGLISH = new Map(
  Object.entries({
    rm: ["remove", "delete", "clean up"],
    rmdir: ["remove", "delete"],
    delete: ["remove"],
    remove: ["delete"],
    uninstall: ["remove"],
    "drop index": ["drop the index", "drop index"],
    "drop table": ["drop the table"],
    "drop column": ["drop the column"],
    "delete from": ["delete", "remove"],
    truncate: ["empty", "clear"],
    ": >": ["truncate", "empty"],
    chmod: ["mode", "permissions"],
    chown: ["owned by", "owner"],
    reboot: ["restart the host", "restart the node", "restart the server", "restart the machine"],
    shutdown: ["shut down", "power off"],
    stop: ["shut", "shut down"],
    kill: ["sigterm", "sigkill", "terminate"],
    pkill: ["kill", "sigterm", "terminate"],
  }),
);

function lookupStem(word: string): string {
  if (word.length > 4) return word.replace(/(?:ies|es|s|e|y|ing|ed)$/, "");
  return word.length > 3 ? word.replace(/s$/, "") : word;
}

/** What the look-up of a kind takes for a fact beside its key, where the key's hint may not be in it. */
const OTHER_SPELLINGS: Partial<Record<FactKind, (fact: Fact) => (string | undefined)[]>> = {
  path: ({ key }) => [programOf(key), AUTHORED.exec(key)?.[1]],
  url: ({ key }) => [key.split("#")[0], OWN_MACHINE.exec(key)?.[1]],
  host: ({ key }) => [OWN_MACHINE.exec(key)?.[1]],
  identifier: (fact) => [
    ...identifierSpellings(fact),
    fact.key.split(".").at(-1),
    NUMBERED.exec(fact.key)?.[1],
  ],
  flag: ({ key }) => [
    SHORT_FORMS.get(key) ?? LONG_FORMS.get(key),
    CURL_FORMS.has(key) ? "curl" : undefined,
    // `-xe` letter by letter.
    /^-\w{2,3}$/.test(key) ? key[1] : undefined,
  ],
  command: ({ key }) => [lookupStem(key), ...(IN_ENGLISH.get(key) ?? [])],
};

/**
 * Runs of at most five letters and digits, of which every text has one, in lower case, in which `findFact` finds a path, URL, host,
 * identifier, flag or command word. That of its own spelling comes first; "" where that has none.
 */
export function hintsOf(fact: Fact): string[] {
  const others = OTHER_SPELLINGS[fact.kind]?.(fact) ?? [];
  const hints = others.flatMap((spelling) => (spelling ? longestRun(spelling) : []));
  return [...new Set([longestRun(fact.key), ...hints])];
}

/** The longest run of letters and digits, the last of equals. */
function longestRun(key: string): string {
  const runs = key.toLowerCase().match(/[a-z0-9]+/g) ?? [""];
  return runs.reduce((longest, run) => (run.length >= longest.length ? run : longest)).slice(0, 5);
}
