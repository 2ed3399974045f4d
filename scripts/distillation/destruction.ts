/**
 * What an answer's commands destroy or stop, held against the commands of its evidence. Word by word nearly any such command stands
 * somewhere: `delete` in one line, `pvc` in another, the healthy replica in the task, and a runbook's warnings name the worst of
 * all. So these commands are compared whole, each with one command of the evidence that covers it:
 *
 *   it has the same tool, and does the same to the same kind of object;
 *   what it acts on is the evidence's own, or fills a place (`<pod>`, `$NS`) with one thing, or is the task's where the evidence
 *   has an example's, within a pattern or a substitution, too;
 *   nothing forces or widens it (`--force`, `--all`, CASCADE, OR) that does not there;
 *   nothing is left out that narrows it there (`--filter`, a namespace, a condition with its operator).
 *
 * Where no command of the evidence does the same, words may ask for it: "Remove the file"; for a path where they speak of that path.
 * What the evidence forbids ("never run …", "`…` stops the whole project") covers nothing. And a place has one filler: an answer that looks at one pod and deletes another
 * has taken the wrong one, unless the task names the two together.
 *
 * What none of this sees: a command that the evidence gives for another case, an object that is to be kept and fits the place, what a
 * variable holds that a command has made, and what runs within a substitution, another tool's options or a language that is neither a
 * POSIX shell's nor SQL.
 */
import { commandsOn, openPage } from "./command_reader.ts";
import type { Page } from "./command_reader.ts";
import { fold, isEveryday, NEGATION, TAKING_AWAY } from "./facts.ts";
import type { Span } from "./facts.ts";
import { KILLS, KINDS, openShell, readLine, TAKES_PATHS } from "./shell_reader.ts";
import type { Read } from "./shell_reader.ts";

/** What is lost, stopped or taken away by a command, or by one that begins so: `terminate-instances`, `purge_queue`. */
const DESTRUCTIVE = new Set(
  (
    "abort autoremove clean del delete demote deregister destroy detach disable disassociate down drain drop erase evict " +
    "failover flushall flushdb forget groupdel halt kill killall ldapdelete lvremove mask nosave offline pkill poweroff promote " +
    "prune purge pvremove rb reboot remove reset revoke rm rmdir rmi shred shutdown stop switchover terminate truncate umount " +
    "uninstall unlink userdel vgremove wipe wipefs"
  ).split(" "),
);

/** What does something else, whatever word stands behind it: `systemctl start prune-images`. */
const HARMLESS = new Set(
  (
    "add apply build create describe diff edit enable exec explain get history info inspect install list log logs ls patch " +
    "pause plan ps reload resize restart resume run search set show start status top up update upgrade version"
  ).split(" "),
);

const DESTRUCTIVE_FLAG =
  /^--?(?:delete|purge|destroy|remove|reset-offsets|stop|zero-superblock|zap\S*|wipe|drop|erase|\S*-with-unreachable-\S+|\S*data-loss|yes-i-really-\S+)$/;
/** Flags by which a tool destroys that does not by others. */
const DESTRUCTIVE_FLAGS_OF = new Map([
  ["git", /^(?:--delete|-D|-f|--force\S*|--mirror|--hard)$/],
  ["find", /^-delete$/],
  ["crontab", /^-r$/],
  ["iptables", /^-[DFX]$/],
]);
/** How many are to be left: none. */
const COUNTS = /^--(?:replicas|desired-count|desired-capacity|num-nodes|scale)$/;

/** Flags by which more is destroyed, or what protects it is passed over. */
const WIDENS =
  /^(?:--?(?:force\S*|all(?:-\S+)?|hard|mirror|cascade\S*|volumes?|no-preserve-root|skip-\S+|purge|delete|prune|execute|rmi|remove-orphans|disable-\S+|\S*-with-unreachable-\S+)|-[ADafr]|-KILL|cascade|or|using)$/;
const FORCES = /^(?:-f|--force)$/;

/** Flags by which less is, and conditions of SQL. */
const NARROWS =
  /^(?:--?(?:filter|field-selector|target|topic|group|pattern|match|only|exclude\S*|include\S*|older\S*|newer\S*|since|before|until|keep\S*|label|max-\S+|limit|dry-?run|tag|name|iname|mtime|mmin|ctime|atime|size|type|path|maxdepth|mindepth|user)|-[nlp]|\| grep|context|limit)$/;
/** Conditions of SQL, each by column and operator. */
const CONDITION = /^(?:where|set) |^where$/;

/** Places that a reader fills in; capitals also within a name, `/dev/sdX` and `release.vPENDING`. */
const PLACE = new RegExp(
  [
    String.raw`<[A-Za-z][^<>\n]{0,40}>`,
    String.raw`\$\{\w+\}|\$[A-Za-z_]\w*|\{\{[^{}\n]+\}\}|\{[A-Za-z_]\w*\}`,
    String.raw`(?<![\w-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*(?![\w-])`,
    String.raw`(?<=\/[a-z]{1,8})[NXY]{1,3}(?![\w-])|(?<=[.a-z])[A-Z][A-Z0-9]{2,}(?![A-Za-z])`,
  ].join("|"),
  "g",
);
/** Places that may be filled with more than one thing. */
const PATTERN_PLACE = /pattern|glob|prefix|filter|selector|regex|match/;

/** All operands of these are of one kind, in any order, and each alone is less. */
const TAKES_FILES = new Set(["rm", "rmdir", "shred", "unlink", "rmi", "umount"]);

/** What it holds is said elsewhere. */
const VARIABLE = /^(?:\$\{?\w+\}?|:[a-z]\w*)$/;

/** So many values of a list are compared. */
const MAX_LISTED = 100;

/** No more paths of a command that words ask for, and so many places of one on a page, are looked at. */
const MAX_PATHS = 50;
const MAX_PLACES = 50;

/** Longer words are no names. */
const MAX_WORD_CHARS = 300;

/** So many commands of an answer are looked at, and so many of those that destroy. */
const MAX_OWN = 400;
const MAX_ASKED = 100;

/** What no destructive command is without. */
const MAY_DESTROY = new RegExp(
  String.raw`(?<![a-z])(?:${[...DESTRUCTIVE].join("|")}|update|pg_\w+|crontab|iptables)(?![a-z])|--(?:force|hard|mirror|zap|zero|scale)|-[Df]\b|XDELETE|with-unreachable|data-loss|really-mean|(?:replicas|count|capacity|nodes|scale)[^\n]{0,80}[= ]0\b`,
  "i",
);

/** What an answer destroys that its evidence does not, each with what the evidence has instead; none where all is in order. */
export function strayDestruction(
  answer: string,
  { task, records }: { task: string; records: string[] },
): string[] {
  if (!MAY_DESTROY.test(answer)) return [];
  const page = openPage(answer);
  if (!commandsOn(page, null).some(isDestructive)) return [];
  const pages = [task, ...records].map(openPage);
  // A line without any mark is a command where its tool is run in code.
  const tools = new Set([page, ...pages].flatMap(({ marked }) => marked.map(({ head }) => head))).add("rm");
  const own = commandsOn(page, tools)
    .filter(({ isWarnedOf }) => !isWarnedOf)
    .slice(0, MAX_OWN);
  const evidence = new Evidence(pages, tools);
  const asked = own.filter(isDestructive).slice(0, MAX_ASKED);
  const stray = asked.flatMap((command) => evidence.objectionTo(command) ?? []);
  return [...new Set([...stray, ...evidence.swappedIn(own)])];
}

// ---- What destroys --------------------------------------------------------------------------------------

/** A word alone (`purge_queue`) names a command. */
const isWhole = ({ words, flags }: Read): boolean => words.length + flags.size > 0;

const isDestructive = (command: Read): boolean => isWhole(command) && destroyingWords(command).length > 0;

/** The words by which a command destroys; none for one that does not. */
function destroyingWords({ head, words, flags }: Read): string[] {
  const named = (pattern: RegExp): string[] => [...flags.keys()].filter((name) => pattern.test(name));
  const toNone = flags
    .entries()
    .some(([name, values]) => COUNTS.test(name) && values.some((value) => /(?:^|=)0$/.test(value)));
  if (toNone || (words.includes("scale") && words.some((word) => /.=0$/.test(word)))) return [TO_NONE];
  if (head === "sql") {
    const verb = fold(words[0] ?? "");
    return DESTRUCTIVE.has(verb) || /^(?:update|pg_\w+)$/.test(verb) ? [verb] : [];
  }
  if (head === "curl") {
    const asked = [...(flags.get("-X") ?? []), ...words];
    return asked.some((word) => /^delete$|\/_?delete/i.test(word)) ? ["delete"] : [];
  }
  const own = DESTRUCTIVE_FLAGS_OF.get(head);
  if (head === "git") return [...firstOf(words.slice(0, 1)), ...named(own!)];
  if (isEveryday(head) || own) return [...firstOf([head]), ...(own ? named(own) : [])];
  return [...firstOf([head, ...words.slice(0, 3)]), ...named(DESTRUCTIVE_FLAG)];
}

/** What runs is stopped where none is left of it. */
const TO_NONE = "to zero";

/** The first of these words that destroys, unless one before it does something else. */
function firstOf(words: string[]): string[] {
  for (const word of words.map(fold)) {
    if (!/^[a-z][a-z0-9]*(?:[-_][a-z]+){0,3}$/.test(word)) return [];
    if (isDestroying(word)) return [word];
    if (HARMLESS.has(word.split(/[-_]/)[0]!)) return [];
  }
  return [];
}

/** `terminate-instances`, `force_reset` */
const isDestroying = (word: string): boolean =>
  word
    .split(/[-_]/)
    .slice(0, 2)
    .some((part) => DESTRUCTIVE.has(part));

/** `delete-db-instance` and `delete-db-snapshot` begin alike: where one is given, the other is not asked for in words. */
const isAlike = (word: string, other: string): boolean =>
  word === other || (/[-_]/.test(word) && word.split(/[-_]/)[0] === other.split(/[-_]/)[0]);

// ---- What covers it -------------------------------------------------------------------------------------

/** What was filled in, by the place or by the example's name that it replaces. */
type Fillers = Map<string, string>;

/** Words of prose that ask for what a command does, where they are others than its own. */
const ASKED_AS = new Map([
  ["rm", "remove|delete|empty|clean|clear"],
  ["rmdir", "remove|delete"],
  ["rmi", "remove|delete"],
  ["delete", "delete|remove|drop"],
  ["remove", "remove|delete"],
  ["del", "delete|remove"],
  ["drop", "drop|delete|remove"],
  ["down", "stop|shut down|take down"],
  ["pkill", "kill|stop|terminate"],
  ["kill", "kill|stop|terminate"],
  ["killall", "kill|stop"],
  ["reboot", "reboot|restart"],
  ["umount", "unmount|umount"],
  ["purge", "purge|empty|delete|remove"],
  ["pg_terminate_backend", "terminate|kill"],
  [TO_NONE, "to (?:zero|0)|stop|pause|scale down|shut down"],
]);

class Evidence {
  /** By their tools. */
  private readonly given: Map<string, Read[]>;
  private readonly pages: Page[];
  /** Folded. */
  private readonly task: string;
  /** What is said in words, folded. */
  private readonly prose: string[];
  /** Words in quotes that are a command of another tool: `echo "disable server web/1" | socat …`. */
  private readonly quoted: Set<string>;

  constructor(pages: Page[], tools: Set<string>) {
    const given = pages.flatMap((page) => commandsOn(page, tools)).filter(({ isWarnedOf }) => !isWarnedOf);
    // An example's variable may have another value; a path is written out.
    const open = given.flatMap(({ raw, head }) => (raw && !TAKES_PATHS.has(head) ? [raw] : []));
    const all = [...given, ...open, ...given.flatMap((command) => selecting(command) ?? [])];
    this.given = Map.groupBy(all.filter(isWhole), ({ head }) => head);
    this.pages = pages;
    this.task = fold(pages[0]!.text);
    this.prose = pages.map(({ prose }) => fold(prose.replaceAll("`", " ")));
    this.quoted = new Set(given.flatMap(({ flat }) => flat.filter((word) => word.includes(" "))));
  }

  /** What is wrong with a destructive command; null where one of the evidence covers it. */
  objectionTo(command: Read): string | null {
    const words = destroyingWords(command);
    const { isCovered, alike, fitting } = this.coverOf(command, words);
    if (isCovered) return null;
    const takesPaths = TAKES_PATHS.has(command.head);
    const paths = takesPaths ? pathsOf(command) : [];
    const mayTake = paths.length <= MAX_PATHS && paths.every((path) => this.mayBeTaken(path, command));
    // A loop over what a pattern finds picks of it what it takes.
    const isPicked = command.raw !== null && mayTake && command.words.some(isEverything);
    if (isPicked && this.coverOf(command.raw!, words).isCovered) return null;
    // Words say no more than a command for the same kind of object does; of files each is another kind, and looked up as a fact.
    const kinds = kindsOf(command);
    const isGiven =
      (!TAKES_FILES.has(command.head) && alike.some((other) => kinds.isSubsetOf(kindsOf(other)))) ||
      // By its name more may end than by its number.
      (KILLS.has(command.head) && command.head !== "kill" && this.given.has("kill"));
    if (!isGiven && mayTake && this.isAskedFor(command, words)) return null;
    const nearest = fitting[0] ?? alike[0];
    return nearest
      ? `${shown(command)} where its evidence has ${shown(nearest)}`
      : `${shown(command)} is no command of its evidence`;
  }

  /** The commands of the evidence that do the same, those of them that it fits, and whether one of these is as wide. */
  private coverOf(command: Read, words: string[]): { isCovered: boolean; alike: Read[]; fitting: Read[] } {
    const doesAlike = (other: Read): boolean => {
      const others = destroyingWords(other);
      return words.every((word) => others.some((one) => isAlike(word, one)));
    };
    const alike = (this.given.get(command.head) ?? []).filter(doesAlike);
    const fitting = alike.filter((other) => this.fillersOf(command, other) !== null);
    return { isCovered: fitting.some((other) => this.isAsNarrow(command, other)), alike, fitting };
  }

  /**
   * Whether words may ask to remove what is at this path: it stands where taking away is spoken of, the task's own file, or scratch. What
   * stands nowhere is looked up as a fact, if the command has it written out.
   */
  private mayBeTaken(path: string, { head, text, folder }: Read): boolean {
    if (/^\/(?:var\/)?tmp\/[\w.-]*\w/.test(path)) return true;
    const isWritten = text.includes(path);
    const isOfTask = !isEverything(path) && this.isNamed(fold(path));
    if (isOfTask && (isWritten || /\.\w+$/.test(path))) return true;
    const taken = this.isTaken(path, head);
    const here = folder !== null && !isEverything(path) ? relativeTo(folder, path) : path;
    return taken ?? (here === path ? isWritten : (this.isTaken(here, head) ?? false));
  }

  /** Whether it is spoken of as taken away where it stands; null where it stands nowhere. */
  private isTaken(path: string, head: string): boolean | null {
    const folder = /^([^*?$]*\/)[^/]*[*?$]/.exec(path)?.[1];
    const stem = (folder ?? path).replace(/(?<=.)\/+$/, "");
    let stands = folder === undefined ? null : false;
    for (const { text, forbidden } of this.pages) {
      let left = MAX_PLACES;
      for (let at = text.indexOf(stem); at >= 0 && left > 0; at = text.indexOf(stem, at + stem.length)) {
        left--;
        const end = at + stem.length;
        if (/[\w./~-]/.test(text[at - 1] ?? "")) continue;
        const behind = text.slice(end, end + 80);
        const isWhole = /^\/?(?![\w./-])|^\.(?:\s|$)/.test(behind) || /^\/[*?]/.test(behind);
        if (!isWhole && !(folder !== undefined && /^\/[^/\s]*[<$*?{]/.test(behind))) continue;
        stands = false;
        if (forbidden.some((span) => span.start <= at && end <= span.end)) continue;
        if (isTakenAt(text, { start: at, end }, head)) return true;
      }
    }
    return stands;
  }

  /** Destructive commands that fill a place otherwise than all the commands that only look. */
  swappedIn(own: Read[]): string[] {
    const placed = own.map((command) => ({ command, fillers: this.bestFillers(command) }));
    const seen = new Map<string, string[]>();
    for (const { command, fillers } of placed) {
      if (isDestructive(command)) continue;
      for (const [place, filler] of fillers)
        if (!VARIABLE.test(filler)) seen.set(place, [...(seen.get(place) ?? []), filler]);
    }
    return placed.flatMap(({ command, fillers }) => {
      if (!isDestructive(command)) return [];
      for (const [place, filler] of fillers) {
        if (VARIABLE.test(filler)) continue;
        const others = seen.get(place) ?? [];
        const belongs = (other: string): boolean =>
          isPartOf(filler, other) || isPartOf(other, filler) || this.isNamedWith(filler, other);
        if (others.length > 0 && !others.some(belongs))
          return `${shown(command)}, though it looks at ${JSON.stringify(others[0])}`;
      }
      return [];
    });
  }

  private bestFillers(command: Read): Fillers {
    let best: Fillers = new Map();
    for (const other of this.given.get(command.head) ?? []) {
      const fillers = this.fillersOf(command, other);
      if (fillers && fillers.size > best.size) best = fillers;
    }
    return best;
  }

  /** Nothing that widens it is added, nothing that narrows it is left out. */
  private isAsNarrow(command: Read, other: Read): boolean {
    const { head, flags } = command;
    const isForced = [...other.flags.keys()].some((name) => FORCES.test(name));
    const adds = (name: string): boolean =>
      WIDENS.test(name) &&
      !other.flags.has(name) &&
      !(isForced && FORCES.test(name)) &&
      !(name === "-KILL" && this.isSpokenOf(head, name)) &&
      // `-f compose.yml` names a file.
      !(name === "-f" && flags.get(name)!.every((value) => value !== ""));
    if ([...flags.keys()].some(adds)) return false;
    // Of alternatives one alone is less.
    if (other.flags.has("or")) return this.isOneOf(command, other);
    return [...other.flags].every(([name, values]) => {
      const isBody = head === "curl" && name === "-d";
      if (!isNarrowing(head, name) && !isBody) return true;
      const own = flags.get(name) ?? [];
      const fits = (value: string): boolean => own.some((mine) => this.isValue(name, mine, value));
      return own.length >= values.length && values.every(fits);
    });
  }

  /** "Only use `kill -9` after 30 seconds." */
  private isSpokenOf(head: string, name: string): boolean {
    return (this.given.get(head) ?? []).some(({ words, flags }) => words.length === 0 && flags.has(name));
  }

  private isOneOf({ head, flags }: Read, other: Read): boolean {
    const named = [...flags].filter(([name]) => isNarrowing(head, name));
    const fits = ([name, own]: [string, string[]]): boolean => {
      const values = other.flags.get(name) ?? [];
      return own.every((mine) => values.some((value) => this.isValue(name, mine, value)));
    };
    return named.length > 0 && named.every(fits);
  }

  /** Of the values of a list each has to be there; of what is left out (`!=`) none may be missing. */
  private isValue(name: string, mine: string, theirs: string): boolean {
    if (!CONDITION.test(name)) return this.stands(mine, theirs, new Map());
    const [own, others] = [mine.split(", "), theirs.split(", ")].map((list) => list.slice(0, MAX_LISTED));
    const stands = (one: string, other: string): boolean => this.stands(one, other, new Map());
    return /!=|not /.test(name)
      ? others!.every((other) => own!.some((one) => stands(one, other)))
      : own!.every((one) => others!.some((other) => stands(one, other)));
  }

  /** How a command of the evidence is filled in by one of the answer; null where that is another. */
  private fillersOf(command: Read, other: Read): Fillers | null {
    const isFiles = TAKES_FILES.has(command.head);
    const fillers =
      this.pairAll(command.words, other.words, isFiles) ??
      this.pairAll(command.flat, other.flat, false) ??
      this.pairHere(command, other);
    if (fillers === null) return null;
    for (const [name, values] of other.flags)
      for (const value of values)
        for (const mine of command.flags.get(name) ?? []) this.stands(mine, value, fillers);
    const hasHosts = command.host !== null && other.host !== null;
    return hasHosts && !this.stands(command.host!, other.host!, fillers) ? null : fillers;
  }

  /** Where only one of them says in which folder it runs. */
  private pairHere(command: Read, other: Read): Fillers | null {
    if ((command.folder === null) === (other.folder === null)) return null;
    const [own, others] = [command, other].map(({ words, folder }) =>
      folder === null ? words : words.map((word) => relativeTo(folder, word)),
    );
    const isAnywhere = command.folder !== null && own!.some(isEverything);
    return isAnywhere ? null : this.pairAll(own!, others!, TAKES_FILES.has(command.head));
  }

  /** Several objects may stand where the evidence has one. */
  private pairAll(own: string[], others: string[], isFiles: boolean): Fillers | null {
    const last = others.length - 1;
    if (last < 0 && own.length > 0) return null;
    const fillers: Fillers = new Map();
    if (isFiles) {
      const isAny = (word: string): boolean => others.some((other) => this.pairs(word, other, fillers));
      return own.length > 0 && own.every(isAny) ? fillers : null;
    }
    if (own.length < others.length) return null;
    const isPair = (word: string, at: number): boolean =>
      this.pairs(word, others[Math.min(at, last)]!, fillers);
    return own.every(isPair) ? fillers : null;
  }

  /** Whether a word of a command stands for one of the evidence's: what it does and to what kind may not differ. */
  private pairs(mine: string, theirs: string, fillers: Fillers): boolean {
    const [own, other] = [plainName(mine), plainName(theirs)];
    if (KINDS.has(own) && KINDS.get(own) === KINDS.get(other)) return true;
    const isPlace = theirs.search(PLACE) >= 0;
    if (own !== other && (isWord(own) || (isWord(other) && !isPlace))) return false;
    return this.stands(mine, theirs, fillers);
  }

  /** Whether it is the same, fills places, or is the task's in the place of an example's. */
  private stands(mine: string, theirs: string, fillers: Fillers): boolean {
    const [own, other] = [plainName(mine), plainName(theirs)];
    if (own === other) return true;
    if (Math.max(own.length, other.length) > MAX_WORD_CHARS) return false;
    const pairs = (): boolean => this.pairParts(own, other, fillers);
    // The places of a substitution are its own commands'.
    if (own.startsWith("$(") && other.startsWith("$(") && pairs()) return true;
    if (theirs.search(PLACE) >= 0) return fill(own, withoutEnding(theirs), fillers);
    // A loop's variable has its values in the loop.
    if (VARIABLE.test(own) || this.isTasks(own, other)) {
      fillers.set(`=${other}`, own);
      return true;
    }
    return pairs();
  }

  /** Part by part, of which one is the same. */
  private pairParts(own: string, other: string, fillers: Fillers): boolean {
    const [parts, others] = [partsOf(own), partsOf(other)];
    return (
      parts.length > 1 &&
      parts.length === others.length &&
      parts.some((part, at) => part === others[at]) &&
      parts.every((part) => part.length < own.length) &&
      parts.every((part, at) => this.stands(part, others[at]!, fillers))
    );
  }

  /**
   * Whether the task names this: of a selection what it selects; of `logs-web-*` what stands before the sign, if the example has one, too.
   * What the example's name holds is no other name but more: its folder, or a pattern that fits others.
   */
  private isTasks(own: string, other: string): boolean {
    if (own.startsWith("$(")) {
      const names = own.match(/(?<![\w.-])[a-z][\w.-]*[\d-][\w.-]*/g) ?? [];
      return names.some((name) => this.isNamed(name));
    }
    if (isWithin(own, other)) return false;
    if (!isEverything(own)) return this.isNamed(own);
    const stem = own.replace(/\W*[*?]$/, "");
    return /\w[^*?]*[*?]$/.test(other) && stem.length > 2 && !isEverything(stem) && this.isNamed(stem);
  }

  private isNamed(word: string): boolean {
    const { task } = this;
    if (!/\w/.test(word)) return false;
    for (let at = task.indexOf(word); at >= 0; at = task.indexOf(word, at + 1)) {
      const end = at + word.length;
      if (
        !/[\w-]/.test(task.slice(Math.max(0, at - 1), at)) &&
        !/^(?:[\w-]|\.\w)/.test(task.slice(end, end + 2))
      )
        return true;
    }
    return false;
  }

  /** "web-1, web-2 and web-3" */
  private isNamedWith(one: string, other: string): boolean {
    const between = String.raw`(?:["'\x60]?\s{0,4}(?:,|(?<![\w.-])(?:and|or)(?![\w.-])|&|\/)\s{0,4}["'\x60]?(?:(?!(?:and|or)(?![\w.-]))[\w.-]+(?![\w.-]))?){1,9}["'\x60]?`;
    const names = [one, other].map((name) => RegExp.escape(name));
    return [names, names.toReversed()].some((pair) => new RegExp(pair.join(between)).test(this.task));
  }

  /** "Delete the PVC": asked for in words, and not warned of; or a command in another's quotes. */
  private isAskedFor(command: Read, words: string[]): boolean {
    if (this.quoted.has(command.text)) return true;
    const widens = [...command.flags.keys()].some((name) => /^(?:-A|--all\S*)$/.test(name));
    if (widens || command.words.some(isAll)) return false;
    const kinds = words.includes(TO_NONE) ? [] : [...kindsOf(command)];
    return words.every((word) => {
      const name = word.replace(/^-+/, "");
      const [first = name] = name.split(/[-_]/);
      const spelt = RegExp.escape(word.startsWith("-") ? name : first);
      const verbs = ASKED_AS.get(name) ?? ASKED_AS.get(first) ?? spelt;
      const asked = new RegExp(
        String.raw`(?<![\w-])(?<!\b(?:is|are|be|was|were) )(?:${verbs})(?![\w-])([^.\n]{0,80})`,
        "g",
      );
      const isAsked = (prose: string): boolean =>
        prose.matchAll(asked).some(({ 1: object = "", index }) => {
          const before = prose.slice(Math.max(0, index - 80), index);
          const clause = before.split(/[.;:?!,]\s|\n/).at(-1)!;
          return !NEGATION.test(clause) && kinds.every((kind) => namesKind(object, kind));
        });
      return this.prose.some(isAsked);
    });
  }
}

/** Every test of find's makes it less. */
const isNarrowing = (head: string, name: string): boolean =>
  head === "find"
    ? /^!?-[a-z]{2}|^--|^\|/.test(name) && !/^-(?:delete|print0?|ls|depth)$/.test(name)
    : head === "sql"
      ? CONDITION.test(name) || name === "limit"
      : NARROWS.test(name);

/** `kubectl delete pod $(kubectl get pod -l app=web -o name)` as `kubectl delete pod -l app=web`. */
function selecting(command: Read): Read | null {
  const { head, words, flags } = command;
  const inner = /^\$\((.*)\)$/s.exec(words.at(-1) ?? "")?.[1];
  if (inner === undefined) return null;
  const [read] = readLine(inner, openShell());
  const selectors = read?.head === head ? [...read.flags].filter(([name]) => SELECTS.test(name)) : [];
  if (selectors.length === 0) return null;
  const own = words.slice(0, -1);
  return { ...command, words: own, flat: own, flags: new Map([...flags, ...selectors]) };
}

const SELECTS = /^(?:-l|--(?:field-selector|filter))$/;

/** The kinds of objects that it names: of `kubectl delete pvc`, `rabbitmqctl delete_vhost`. */
function kindsOf({ head, words }: Read): Set<string> {
  const parts = [head, ...words.slice(0, 3)].flatMap((word) => fold(word).split(/[-_]/));
  return new Set(parts.flatMap((part) => KINDS.get(part) ?? []));
}

const namesKind = (text: string, kind: string): boolean =>
  (text.match(/[a-z]+/g) ?? []).some((word) => KINDS.get(word) === kind);

/** The paths that it takes, those of what is piped into it and of a substitution, too. */
const pathsOf = ({ words }: Read): string[] =>
  words.flatMap((word) => word.match(/(?<![^\s"'(=])[~.]{0,2}\/[^\s"')]*/g) ?? []);

const relativeTo = (folder: string, path: string): string =>
  path === folder ? "." : path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;

/** Whether the sentence around it speaks of taking away, and not where find looks or of what must not be. */
function isTakenAt(text: string, { start, end }: Span, head: string): boolean {
  const before = text
    .slice(Math.max(0, start - 300), start)
    .split(/[.;:?!]\s(?!\x60)|\n/)
    .at(-1)!;
  const behind = text.slice(end, end + 300).split(/[.;?!]\s|\n/)[0]!;
  if (NEGATION.test(before.split(/,\s/).at(-1)!)) return false;
  // "Remove `run/web.pid` in `/opt/app`": what goes is named before.
  if (/[\x60/].*\b(?:in|inside|within|from|under|below|of)\s[\x60"']?$/.test(before)) return false;
  const isSearched = head !== "find" && /(?<![\w-])find\s[^|;&]*$/.test(before);
  return !isSearched && TAKING_AWAY.test(before + behind);
}

/** What says what is done, or to what kind: no name that may be replaced. */
const isWord = (word: string): boolean => KINDS.has(word) || isVerb(word);

export const isVerb = (word: string): boolean =>
  HARMLESS.has(word) || DESTRUCTIVE.has(word) || DESTRUCTIVE.has(/^[a-z]+(?=[-_])/.exec(word)?.[0] ?? "");

/** What names are made of: `logs/` and `app.log`, `nightly` of `nightly-*.gz`, the words of a substitution. */
function partsOf(word: string): string[] {
  if (/^[\w-]*$/.test(word)) return [word];
  const around = word.split(/([-_.]?(?:[*?]+|\$\([^()]*\))[-_.]?)/);
  if (around.length > 1 && !word.startsWith("$(")) return around;
  return word.split(/(?<=[/:=@,\s()"'|])|(?=[/:=@,\s()"'|])|(?=\.[a-z]+$)/);
}

/** `batch` in "batch-run nightly", `/srv` before `/srv/uploads`. */
function isWithin(own: string, other: string): boolean {
  const at = other.indexOf(own);
  if (at < 0 || own === "") return false;
  return !/\w/.test(other[at - 1] ?? "") && !/\w/.test(other[at + own.length] ?? "");
}

/** No one thing; to kill, -1 is every process. */
const isEverything = (word: string): boolean => /[*?]|\$\(|^(?:-1|_?all)$/.test(word);

/** What no words ask for: everything there is, or a folder of the system's. */
const isAll = (word: string): boolean =>
  /^\/[^/]*\/?$/.test(word) || (isEverything(fold(word)) && !word.includes("/"));

/** `landing` is said of `aws_s3_bucket.landing`; what a database calls its own tables says nothing. */
const isPartOf = (one: string, other: string): boolean =>
  one === other ||
  /^pg_|^information_schema/.test(one) ||
  other.split(/[./:@\s"'[\]]+/).includes(one) ||
  [".", "/", ":", "@"].some((sign) => other.endsWith(`${sign}${one}`) || other.startsWith(`${one}${sign}`));

/** Of `nginx.service` and `logs/` what they name. */
const withoutEnding = (word: string): string => word.replace(/\.service$|(?<=.)\/$/, "");

const plainName = (word: string): string => withoutEnding(fold(word));

/** `<ns>/<pod>` filled as `shop/web-1`: within a path a place holds no slash. */
function fill(mine: string, theirs: string, fillers: Fillers): boolean {
  const places = [...theirs.matchAll(PLACE)].map(([place]) => fold(place.replaceAll(/\W/g, "")));
  const around = fold(theirs.replaceAll(PLACE, PLACE_HELD)).split(PLACE_HELD);
  const found = heldBetween(mine, around);
  const isPath = around.some((text) => text.includes("/"));
  if (found === null || (isPath && found.some((filler) => filler.includes("/")))) return false;
  return places.every((name, n) => {
    const filler = found[n]!;
    if (isEverything(filler) && !PATTERN_PLACE.test(name)) return false;
    fillers.set(name, filler);
    return true;
  });
}

/** No text that is read has it. */
const PLACE_HELD = "\0";

/** What stands in a word between these texts, each as short as it may be; null where they are not there, or nothing is between. */
function heldBetween(word: string, [first = "", ...texts]: string[]): string[] | null {
  if (!word.startsWith(first)) return null;
  const held: string[] = [];
  let from = first.length;
  for (const [n, text] of texts.entries()) {
    const isLast = n === texts.length - 1;
    if (isLast && !word.endsWith(text)) return null;
    const end = isLast ? word.length - text.length : word.indexOf(text, from + 1);
    if (end <= from) return null;
    held.push(word.slice(from, end));
    from = end + text.length;
  }
  return held;
}

const shown = ({ text }: Read): string =>
  JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text.replaceAll(/\s+/g, " "));
