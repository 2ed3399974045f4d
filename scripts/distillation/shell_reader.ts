/**
 * The simple commands of a shell's lines, in order, with what they are set in: the values of variables and loops, the folder that was
 * entered, functions that are called. What another command carries out elsewhere (`ssh host …`, `kubectl exec`, `sh -c`) is read in its
 * place; what is piped into xargs belongs to the command that it runs, and what find runs on its finds to find.
 *
 * They are read by their form. Which flags have a value is known of some and guessed of the others, so a command also keeps its
 * words and values together as they stand (`flat`). A variable whose value is not written out stays as it is.
 */
import { fold, isEveryday, SQL_VERBS, WRAPPERS } from "./facts.ts";

/** A simple command, or a statement of SQL with its conditions as flags. */
export interface Read {
  /** Its tool in lower case, without its folder; "sql" of a statement. */
  head: string;
  /** What stands behind it in order, flags and their values left out. */
  words: string[];
  /** Their values by their canonical names; "" of one without. */
  flags: Map<string, string[]>;
  flat: string[];
  /** The host that it is run on, and the folder that was entered before, if either is said. */
  host: string | null;
  folder: string | null;
  /** As it stands. */
  text: string;
  /** The same with its variables as they stand, where they have values. */
  raw: Read | null;
}

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

/** What was set up by the lines before. */
export interface Shell {
  host: string | null;
  folder: string | null;
  /** All values of a loop's. */
  variables: Map<string, string[]>;
  /** Their steps. */
  functions: Map<string, string[]>;
  /** The function whose steps are being read. */
  defining: string | null;
  /** So far, those of its copies among them. */
  counts: { calls: number; carried: number };
  /** Commands around this one, each of which carries out the next. */
  depth: number;
}

export const openShell = (): Shell => {
  return {
    host: null,
    folder: null,
    variables: new Map(),
    functions: new Map(),
    defining: null,
    counts: { calls: 0, carried: 0 },
    depth: 0,
  };
};

/** UTF-16 units of a line of code; none that is longer is a command. */
const MAX_LINE_CHARS = 4000;
/** Commands in commands: `ssh db-3 sudo sh -c …`. So deep they are read, and so many. */
const MAX_DEPTH = 10;
const MAX_CARRIED = 2000;
/** No value that is longer is kept; so many values of a loop, calls and steps of functions are. */
const MAX_VALUE_CHARS = 300;
const MAX_VALUES = 50;
const MAX_CALLS = 50;
const MAX_STEPS = 50;

// ---- Steps ----------------------------------------------------------------------------------------------

/** A word with its quotes, places and substitutions. */
const TOKEN = /(?:<[A-Za-z][^<>\n]{0,40}>|\$\([^()\n]{0,400}\)|"[^"\n]{0,2000}"|'[^'\n]{0,2000}'|[^\s"'])+/g;
const WITHIN_TOKEN = /"[^"]*"|'[^']*'|<[A-Za-z][^<>]{0,40}>|\$\([^()]{0,400}\)|\$?\{[^{}]{0,40}\}|\\;/g;

/** A "#" between quotes begins no note. */
const QUOTE_OR_NOTE = /"[^"\n]*"|'[^'\n]*'|(?:^|\s)#.*/g;

/** Lines that set up what others run, or begin with no tool's name. */
export const SETS_UP =
  /^\s*(?:(?:export|local|readonly|declare)\s|\w+=|(?:function\s+)?[\w-]+\s*\(\)|[{}([!\\]|"?\$\{?\w+\}?"?\s)/;

/** The simple commands of a line. */
export function readLine(whole: string, shell: Shell): Read[] {
  if (whole.length > MAX_LINE_CHARS) return [];
  const line = whole
    .replaceAll("\\\n", "  ")
    .replace(QUOTE_OR_NOTE, (part) => (/^["']/.test(part) ? part : " ".repeat(part.length)));
  const masked = line.replace(TOKEN, (token) =>
    token.replace(WITHIN_TOKEN, (part) => "_".repeat(part.length)),
  );
  const commands: Read[] = [];
  let from = 0;
  let feed: string[] = [];
  for (const { 0: sign, index } of masked.matchAll(/\|\||&&|(?<!>)&(?!>)|[;|\n]|$/g)) {
    const tokens = line.slice(from, index).match(TOKEN) ?? [];
    commands.push(...readStep(tokens, feed, shell));
    feed = sign === "|" ? [...feed, ...tokens, "|"] : [];
    from = index + sign.length;
  }
  return commands;
}

/** A step that sets something up for the next ones, or a command. */
function readStep(tokens: string[], feed: string[], shell: Shell): Read[] {
  const rest = withoutBrackets(beginsFunction(tokens, shell));
  if (shell.defining !== null) {
    if (rest[0] === "}") shell.defining = null;
    else if (rest.length > 0) shell.functions.get(shell.defining)!.splice(MAX_STEPS, 1, rest.join(" "));
  }
  const [first = ""] = rest;
  const [, array, item] = /^(\w+)=\((.*)$/s.exec(tokens[0] ?? "") ?? [];
  if (array !== undefined && tokens.at(-1)!.endsWith(")"))
    setVariable(
      shell,
      array,
      [item!, ...tokens.slice(1)].map((word) => word.replace(/\)$/, "")),
    );
  else if (first === "for" && rest[2] === "in") setVariable(shell, rest[1]!, rest.slice(3));
  else if (first === "while" && rest.includes("read")) {
    const fed = feed.length > 0 ? `$(${feed.slice(0, -1).join(" ")})` : null;
    takeRead(shell, rest, fed);
  } else if (/^(?:export|local|readonly|declare)$/.test(first) || rest.every((word) => ASSIGNS.test(word))) {
    for (const [, name, value] of rest.flatMap((word) => [ASSIGNS.exec(word) ?? []]))
      if (name !== undefined) setVariable(shell, name, [value!]);
  } else if (first === "cd" || first === "pushd")
    enter(
      shell,
      rest.find((word, at) => at > 0 && !/^-./.test(word)),
    );
  else if (shell.defining === null || !rest.some((word) => GIVEN.test(word)))
    return readRun(rest, feed, shell);
  return [];
}

/** What a function is called with, which its calls say. */
const GIVEN = /\$\{?[1-9@*]/;

const ASSIGNS = /^([A-Za-z_]\w*)=(.*)$/s;

/** `f() {`, `function f {` */
function beginsFunction(tokens: string[], shell: Shell): string[] {
  const rest = tokens[0] === "function" ? tokens.slice(1) : tokens;
  const [, name, brace] = /^([A-Za-z_][\w-]*)\(\)(\{?)$/.exec(rest[0] ?? "") ?? [];
  const called = name ?? (tokens[0] === "function" || rest[1] === "()" ? rest[0] : undefined);
  if (called === undefined) return tokens;
  shell.functions.set(called, []);
  shell.defining = called;
  const body = rest
    .slice(1)
    .join(" ")
    .replace(/^\(\)\s*/, "");
  return (brace === "{" ? body : body.replace(/^\{\s*/, "")).match(TOKEN) ?? [];
}

/** `(cd /srv && rm -rf old)`, and of a case `stop) systemctl stop web`. */
function withoutBrackets(tokens: string[]): string[] {
  const isBracketed = (token: string): boolean => /^\(\S|^[^(]+\)$/.test(token);
  const own = /^[\w|*-]+\)$/.test(tokens[0] ?? "") && tokens.length > 1 ? tokens.slice(1) : tokens;
  const rest = own.map((token) => (isBracketed(token) ? token.replace(/^\(+|\)+$/g, "") : token));
  while (rest[0] === "" || rest[0] === "(" || (rest[0] === "{" && rest.length > 1)) rest.shift();
  return rest;
}

function takeRead(shell: Shell, words: string[], fed: string | null): void {
  const names = words.slice(words.indexOf("read") + 1).filter((word) => /^[A-Za-z_]\w*$/.test(word));
  for (const name of names) {
    shell.variables.delete(name);
    if (fed !== null && fed.length <= MAX_VALUE_CHARS) shell.variables.set(name, [fed]);
  }
}

/** One that is made by a command, or of what is unknown, is unknown. */
function setVariable(shell: Shell, name: string, tokens: string[]): void {
  const values = tokens.flatMap((token) => valuesOf(token, shell.variables)).slice(0, MAX_VALUES);
  const isKnown = values.every((value) => value.length <= MAX_VALUE_CHARS && !/[\x60$]/.test(value));
  if (isKnown && values.length > 0) shell.variables.set(name, values);
  else shell.variables.delete(name);
}

function enter(shell: Shell, token: string | undefined): void {
  const [folder] = token === undefined || token === "-" ? [] : valuesOf(token, shell.variables);
  shell.folder = folder === undefined || /[\x60$]/.test(folder) ? null : within(shell.folder, folder);
}

/** `./*` of a folder. */
function within(folder: string | null, path: string): string {
  if (folder === null || /^[/~$<"'{-]/.test(path)) return path;
  const rest = path.replace(/^(?:\.\/)+/, "").replace(/^\.$/, "");
  return `${folder.replace(/\/+$/, "")}/${rest}`.slice(0, MAX_VALUE_CHARS + 1).replace(/(?<=.)\/$/, "");
}

const USED = /\$(?:\{(\w+|@)(?:\[[@*]\])?\}|\{(\w+):[-=?][^{}$]*\}|(\w+|@|\*))/g;

/** A word with the values of its variables put in, without its quotes; as many as the values of a loop's. */
function valuesOf(token: string, variables: Map<string, string[]>): string[] {
  if (/^'[^']*'$/.test(token) || !token.includes("$")) return [unquoted(token)];
  const asIs = token.replaceAll(/"([^"]*)"/g, "$1");
  let words = [asIs];
  for (const name of new Set(token.matchAll(USED).map(nameUsed))) {
    const values = variables.get(name) ?? [];
    const put = (word: string, value: string): string =>
      word.replaceAll(USED, (...use) => (nameUsed(use) === name ? value : use[0]));
    const filled = words.values().flatMap((word) => values.map((value) => put(word, value)));
    if (values.length > 0) words = filled.take(MAX_VALUES).toArray();
    words = words.filter((word) => word.length <= MAX_LINE_CHARS);
  }
  return words.length > 0 ? words : [asIs];
}

const nameUsed = ([, name, defaulted, bare]: string[]): string => (name ?? defaulted ?? bare)!;

// ---- Simple commands ------------------------------------------------------------------------------------

/** Names of one tool. */
const OTHER_NAMES = new Map<string, [string, ...string[]]>([
  ["apt-get", ["apt"]],
  ["yum", ["dnf"]],
  ["oc", ["kubectl"]],
  ["docker-compose", ["docker", "compose"]],
]);

/** What a tool is called here, and the words that this name stands for. */
export function toolOf(name: string): [string, ...string[]] {
  const tool = fold(name.replace(/\.sh$/, ""));
  return OTHER_NAMES.get(tool) ?? [tool];
}

/** A line that begins so is a statement, which sql_reader.ts reads. */
const SQL_VERB = new RegExp(`^(?:${SQL_VERBS})$`);

/** What runs with each value of the loops whose variables it uses. */
function readRun(tokens: string[], feed: string[], shell: Shell): Read[] {
  const values = tokens.map((token) => valuesOf(token, shell.variables));
  const isKnown = tokens.map((token, at) => values[at]!.join(" ") !== unquoted(token));
  const asIs = { tokens, feed, text: textOf(tokens, feed) };
  if (!isKnown.includes(true)) return readSimple(asIs, shell);
  const count = Math.max(...values.filter((_, at) => isKnown[at]).map(({ length }) => length));
  const raw = readSimple(asIs, { ...shell, variables: new Map(), functions: new Map() });
  const reads = Array.from({ length: count }, (_, n) => {
    const filled = tokens.map((token, at) => {
      const own = values[at]!;
      return isKnown[at] ? quoted(own[n % own.length]!) : token;
    });
    return readSimple({ ...asIs, tokens: filled }, shell).map((read, at) => ({
      ...read,
      raw: raw[at] ?? null,
    }));
  });
  return reads.flat();
}

const quoted = (value: string): string => (/[\s;|&]/.test(value) ? `"${value.replaceAll('"', "'")}"` : value);

const textOf = (tokens: string[], feed: string[]): string =>
  [...(tokens.includes("xargs") ? feed : []), ...tokens].join(" ").replace(/^(?:do|then|else) /, "");

/** A step as it is read, and what is piped into it. */
interface Step {
  tokens: string[];
  feed: string[];
  text: string;
}

function readSimple({ tokens, feed, text }: Step, shell: Shell): Read[] {
  const { rest, isFed } = withoutWrappers(tokens);
  const [name = "", ...operands] = rest;
  const called = shell.functions.get(name);
  if (called) return readCall(called, operands, shell);
  const named = /(?:^|[/\\])([A-Za-z][\w.+-]*)$/.exec(unquoted(name))?.[1];
  if (named === undefined || SQL_VERB.test(named)) return [];
  const [head, ...before] = toolOf(named);
  const carried = carriedBy([head, ...before, ...operands]);
  if (carried) return readCarried(carried, shell);
  const { host, folder } = shell;
  const source = withoutWrappers(feed).rest;
  const flat = [...before];
  const read: Read = { head, words: [...before], flags: new Map(), flat, host, folder, text, raw: null };
  if (head === "find") takeFind(read, operands);
  else if (isFed && source[0] === "find" && REMOVES.has(head)) {
    read.head = "find";
    takeFind(read, source.slice(1, source.indexOf("|")));
    takeRemoval(read, operands);
    takeFeed(read, source.slice(source.indexOf("|") + 1));
  } else {
    takeTokens(read, operands);
    if (isFed) takeFeed(read, source);
  }
  return [read];
}

/** What runs elsewhere defines nothing here. */
function readCarried({ line, host }: { line: string; host: string | null }, shell: Shell): Read[] {
  const depth = shell.depth + 1;
  if (depth > MAX_DEPTH || ++shell.counts.carried > MAX_CARRIED) return [];
  return readLine(line, { ...shell, host: host ?? shell.host, defining: null, depth });
}

/** A function's steps with what it is called with. */
function readCall(steps: string[], operands: string[], shell: Shell): Read[] {
  if (++shell.counts.calls > MAX_CALLS) return [];
  const variables = new Map(shell.variables);
  const called = { ...shell, variables, defining: null };
  for (const [n, operand] of operands.slice(0, 9).entries()) setVariable(called, `${n + 1}`, [operand]);
  for (const all of ["@", "*"]) setVariable(called, all, operands);
  return steps.flatMap((step) => readStep(step.match(TOKEN) ?? [], [], called));
}

/** What is left behind sudo, `timeout 60` and xargs, without the place that xargs fills. */
function withoutWrappers(tokens: string[]): { rest: string[]; isFed: boolean } {
  let rest = [...tokens];
  let isFed = false;
  for (let first = rest[0]; first !== undefined; first = rest[0]) {
    const valued = WRAPPERS.get(first.replace(/^(?:\/\w+)*\//, ""));
    if (/^\w+=/.test(first) || valued !== undefined) {
      rest.shift();
      while (rest[0]?.startsWith("-")) if (isOneOf(valued, rest.shift()!)) rest.shift();
      if (first === "timeout") rest.shift();
    } else if (first === "xargs") {
      isFed = true;
      rest.shift();
      let place = "{}";
      while (rest[0] !== undefined && /^-|^\d+$/.test(rest[0])) {
        const [, option, glued] = /^-([InPLdEsa])(.*)$/.exec(rest.shift()!) ?? [];
        const value = glued === "" ? rest.shift() : glued;
        if (option === "I" && value !== undefined) place = value;
      }
      rest = rest.filter((word) => word !== place);
    } else break;
  }
  return { rest, isFed };
}

/** Whether a flag is one of these letters: `-u`. */
const isOneOf = (letters = "", flag: string): boolean => /^-[a-z]$/.test(flag) && letters.includes(flag[1]!);

/** What `ssh host`, `kubectl exec pod --`, `docker exec name`, `sh -c` and `su -c` carry out elsewhere. */
function carriedBy([head = "", ...rest]: string[]): { line: string; host: string | null } | null {
  if (head === "ssh") {
    while (rest[0]?.startsWith("-")) if (/^-[bcDEeFIiJLlmOopQRSWw]$/.test(rest.shift()!)) rest.shift();
    const host = rest.shift() ?? null;
    return rest.length > 0 ? { line: rest.map(unquoted).join(" "), host } : null;
  }
  if (head === "eval") return { line: rest.map(unquoted).join(" "), host: null };
  if (head === "kubectl" && rest.includes("exec") && rest.includes("--"))
    return { line: rest.slice(rest.indexOf("--") + 1).join(" "), host: null };
  const exec = head === "docker" ? rest.indexOf("exec") : -1;
  if (exec === 0 || (exec > 0 && rest[0] === "compose")) {
    const isName = (word: string, at: number): boolean =>
      at > exec && !word.startsWith("-") && !/^-[uew]$/.test(rest[at - 1]!);
    const name = rest.findIndex(isName);
    return name < 0 ? null : { line: rest.slice(name + 1).join(" "), host: null };
  }
  const at = /^(?:(?:ba|z|da)?sh|su)$/.test(head) ? rest.findIndex((word) => /^-\w*c$/.test(word)) : -1;
  return at < 0 ? null : { line: unquoted(rest[at + 1] ?? ""), host: null };
}

export const unquoted = (token: string): string => token.replace(/^(["'])(.*)\1$/s, "$2");

// ---- Words and flags ------------------------------------------------------------------------------------

function takeTokens(read: Read, given: string[]): void {
  const tokens = given.flatMap((token) => apart(read.head, token));
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const [, name, , value] = /^(--?[A-Za-z][\w-]*)(=(.*))?$/s.exec(token) ?? [];
    const next = tokens[at + 1];
    const signal = at === 0 && KILLS.has(read.head) ? SIGNAL.exec(token)?.[1] : undefined;
    // The others are processes: `kill -9 -1` kills all of them.
    if (read.head === "kill" && at > 0 && /^-\d+$/.test(token)) takeWord(read, token);
    else if (signal !== undefined)
      takeFlag(read, /^(?:9|(?:SIG)?KILL)$/.test(signal) ? "-KILL" : "-TERM", "");
    else if (name === undefined) {
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

/** What ends processes, by number or by name. */
export const KILLS = new Set(["kill", "pkill", "killall"]);
const SIGNAL = /^-(\d{1,2}|(?:SIG)?[A-Z]{3,6})$/;

/** Short flags whose value may follow without a space. */
const GLUED = new Map([
  ["curl", "XdHou"],
  ["kubectl", "nlo"],
  ["helm", "n"],
  ["psql", "hpUdc"],
  ["mysql", "huP"],
  ["redis-cli", "hpn"],
  ["rabbitmqctl", "npt"],
  ["crontab", "u"],
  ["pkill", "uUtP"],
]);

/** `-XDELETE` as `-X DELETE`, `-sXDELETE` as `-s -X DELETE`. */
function apart(head: string, token: string): string[] {
  const valued = GLUED.get(head);
  if (valued === undefined || !/^-[A-Za-z]./.test(token)) return [token];
  const at = token.search(new RegExp(`[${valued}]`));
  if (at < 1 || at === token.length - 1 || !/^[A-Za-z]*$/.test(token.slice(1, at))) return [token];
  return [...token.slice(1, at + 1)].map((letter) => `-${letter}`).concat(token.slice(at + 1));
}

/** `pod/web-1` is two words. */
function takeWord({ head, words, flat, folder }: Read, token: string): void {
  const word = unquoted(token);
  const [, kind, name] = /^([a-z]+)\/([\w.<>${}-]+)$/.exec(word) ?? [];
  const isKind = FILED.has(head) && kind !== undefined && KINDS.has(kind);
  const paths = TAKES_PATHS.has(head) ? alternativesOf(token).map((path) => within(folder, path)) : [word];
  const parts = isKind ? [kind, name!] : paths;
  words.push(...parts);
  flat.push(...parts);
}

/** `dist/{a,b}` is two. */
function alternativesOf(token: string): string[] {
  const [, before, list, behind] = /^([^{}]*)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(token) ?? [];
  if (list === undefined || token !== unquoted(token)) return [unquoted(token)];
  return list
    .split(",")
    .slice(0, MAX_VALUES)
    .map((one) => `${before}${one}${behind}`);
}

function takeFlag({ head, flags, flat }: Read, name: string, value: string): void {
  const canonical = name === "--all" && head === "docker" ? "-a" : (CANONICAL.get(name) ?? name);
  flags.set(canonical, [...(flags.get(canonical) ?? []), unquoted(value)]);
  if (value !== "") flat.push(unquoted(value));
}

/** Commands of paths, and those of them that only remove. */
export const TAKES_PATHS = new Set(["rm", "rmdir", "shred", "unlink", "truncate", "find"]);
const REMOVES = new Set(["rm", "rmdir", "shred", "unlink"]);

/** Its folders as words, its tests as flags; `-exec rm` is a `-delete`, and one that takes folders whole if it is recursive. */
function takeFind(read: Read, tokens: string[]): void {
  let isNegated = false;
  for (let at = 0; at < tokens.length; at++) {
    const token = unquoted(tokens[at]!);
    if (/^-(?:exec|ok)(?:dir)?$/.test(token)) {
      const end = tokens.findIndex((word, n) => n > at && /^(?:\+|\\;?|["'];["'])$/.test(word));
      takeRun(read, tokens.slice(at + 1, end < 0 ? undefined : end));
      at = end < 0 ? tokens.length : end;
    } else if (token === "!" || token === "-not") isNegated = true;
    else if (/^(?:-or?|,)$/.test(token)) takeFlag(read, "or", "");
    else if (token === "-prune") takeFlag(read, "--exclude-pruned", "");
    else if (FIND_SWITCH.test(token)) takeFlag(read, token, "");
    else if (token.startsWith("-")) {
      takeFlag(read, isNegated ? `!${token}` : token, tokens[++at] ?? "");
      isNegated = false;
    } else if (!/^\\?[()]$|^-a(?:nd)?$|^\\$/.test(token)) takeWord(read, token);
  }
}

const FIND_SWITCH = /^-(?:delete|print0?|ls|depth|x?dev|mount|empty|follow|daystart|quit|[LHPa]|and)$/;

function takeRun(read: Read, tokens: string[]): void {
  const { rest } = withoutWrappers(tokens);
  const [head] = toolOf((rest[0] ?? "").replace(/^.*\//, ""));
  if (REMOVES.has(head)) takeRemoval(read, rest.slice(1));
  else if (rest.some((word) => /(?:^|[\s"'])(?:rm|unlink|shred)\s/.test(word))) takeRemoval(read, ["-r"]);
  else takeFlag(read, "-exec", rest.join(" "));
}

function takeRemoval(read: Read, options: string[]): void {
  takeFlag(read, "-delete", "");
  const isOfFiles = read.flags.get("-type")?.every((type) => type === "f") ?? false;
  if (!isOfFiles && options.some((word) => /^-\w*[rR]|^--recursive$/.test(word))) takeFlag(read, "-r", "");
}

/** What is piped into it: its words stand for what it finds, and what is picked of it makes it less. */
function takeFeed(read: Read, feed: string[]): void {
  for (let from = 0; from < feed.length;) {
    const bar = feed.indexOf("|", from);
    const stage = feed.slice(from, bar < 0 ? undefined : bar);
    // `docker ps -a` lists more, it removes no more.
    if (/^[ef]?grep$/.test(stage[0] ?? "")) takeFlag(read, "| grep", stage.slice(1).map(unquoted).join(" "));
    else if (read.head !== "find")
      takeTokens(
        read,
        stage.map((token) => token.replace(/^-(\w*)a(\w*)$/, "-$1$2")),
      );
    from = bar < 0 ? feed.length : bar + 1;
  }
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
/** What `-f` names a file of. */
const FILED = new Set(["kubectl", "oc", "docker", "helm"]);
/** Tools with long flags behind one dash. */
const SINGLE_DASH = new Set(["terraform", "tofu", "vault", "consul", "nomad"]);

const isLong = (head: string, name: string): boolean =>
  name.startsWith("--") || (SINGLE_DASH.has(head) && name.length > 2);

function hasValue(head: string, name: string, next: string): boolean {
  if (isLong(head, name)) return !SWITCHES.test(name);
  if (name === "-f") return FILED.has(head) && /[./]|^-$/.test(next);
  return VALUED.test(name) && (head === "curl" || !isEveryday(head));
}
