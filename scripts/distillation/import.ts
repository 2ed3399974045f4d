/**
 * Import turns the Markdown runbooks that somebody already has into playbooks, and appends to the corpus what is new or
 * changed since the last time.
 *
 *   find pages -> read -> strike secrets -> front matter -> clean -> split -> compare -> append
 *
 * A page's identity is its path below the folder that was given, so importing again finds it again. What the import made
 * of it is hashed into `source_run_id`: the same hash means that nothing changed, and a record that was edited by hand in
 * the corpus stays as it is until its page changes. The corpus is only ever appended to; a later line with the same id
 * wins. Nothing is written before every page has been read, and then in one write.
 */
import fs from "node:fs";
import type { Dirent, Stats } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";

import { importedPath } from "./corpus.ts";
import {
  appendLines,
  DistillError,
  errorCode,
  isObject,
  isOneOf,
  MAX_NAMED_LINES,
  readPlaybooks,
  sha256,
  shown,
  skippedLine,
  splitUnits,
  strikeAll,
  SUCCESS_SCORES,
  supersede,
  toJson,
  writeAdvice,
} from "./replay.ts";
import type { Playbook, SuccessScore, Unit } from "./replay.ts";
import { Secrets } from "./secrets.ts";

/** A runbook of more is a log or a book. */
const MAX_PAGE_BYTES = 1024 * 1024;
/** Hex characters of the hash in `source_run_id`: 64 bits. */
const HASH_CHARS = 16;

export type SplitLevel = "h2" | "h3";

export interface ImportOptions {
  /** Files and folders, absolute. */
  paths: string[];
  corpusPath: string;
  /** Folders below it are named relative to it in the records, others by their last name. */
  root: string;
  /** Null: one record a page. */
  split: SplitLevel | null;
  tags: string[];
  /** Of pages that say nothing of themselves. */
  score: SuccessScore;
  dryRun: boolean;
}

/** A playbook that came from a page; `imported_from` is the folder that was given. */
export interface ImportedPlaybook extends Playbook {
  imported_from: string;
}

export interface ImportOutcome {
  /** What was appended, or would be in a dry run, in the order of the pages. */
  added: { change: "new" | "changed"; record: ImportedPlaybook }[];
  unchanged: number;
  skipped: { path: string; reason: string }[];
  /** Index pages below a folder: they only lead to others. */
  leftOut: string[];
  /** Ids of pages that call themselves deprecated, archived or a draft, or lie in a folder for such. */
  retired: string[];
  /** Ids of records whose page, or section, is no longer there; they stay in the corpus. */
  gone: string[];
  redactions: { path: string; line: number; kind: string }[];
  /** `where: what`, for everything else that a user should know. */
  warnings: string[];
}

/**
 * Imports pages into the corpus, which is created where it is missing.
 * @param onProgress called after every page with how many are done.
 * @throws DistillError `input` for a path that is missing or no Markdown, or where there is no page at all;
 * `evidence` where the corpus cannot be written: nothing is in it then that was not before.
 */
export async function importPages(
  options: ImportOptions,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<ImportOutcome> {
  const outcome: ImportOutcome = {
    added: [],
    unchanged: 0,
    skipped: [],
    leftOut: [],
    retired: [],
    gone: [],
    redactions: [],
    warnings: [],
  };
  const existing = await readExisting(options.corpusPath, outcome);
  const run: ImportRun = {
    options,
    outcome,
    existing,
    known: knownPages(options, existing),
    holders: new Map(),
  };
  const pages = onePerId(findPages(run), run);
  const records = pages.flatMap((page, index) => {
    const read = readPage(page, outcome);
    onProgress(index + 1, pages.length);
    return read === null ? [] : onePageEach(page, playbooksOf(read, run), run);
  });
  compare(records, run);
  outcome.gone = goneRecords(pages, records, run);
  if (!options.dryRun) append(options.corpusPath, outcome);
  return outcome;
}

/** What every step of one import knows. */
interface ImportRun {
  options: ImportOptions;
  /** Filled as the import goes on. */
  outcome: ImportOutcome;
  /** The corpus as it is, by id. */
  existing: Map<string, Playbook>;
  known: KnownPages;
  /** The files whose pages have made the records so far, by the records' ids. */
  holders: Map<string, string>;
}

/** What earlier imports called pages, as far as their folders can be found again. */
interface KnownPages {
  /** By the page's place; more than one where it was imported with more than one folder. */
  byPlace: Map<string, PageFile[]>;
  /** The places of pages by their ids. */
  byId: Map<string, string>;
  /** The folders that were given, as records name them, by their place; not those of which single pages were named. */
  folders: Map<string, string>;
  homesOf: (record: Playbook) => Home[];
  places: Places;
}

/** Where the folder may be that a record came from. */
interface Home {
  folder: string;
  /** Whether it is what its name says: there, or named by more than its last name, which may be that of a folder elsewhere. */
  isTold: boolean;
  /** Whether an import of it now would name it so. */
  isNamedSo: boolean;
}

/** Where files and folders are, by whatever links they were reached. A file that is a link itself is where the link is. */
interface Places {
  file: (path: string) => string;
  folder: (path: string) => string;
}

// ---------------------------------------------------------------------------------------------------------------------
// Finding pages
// In: files and folders. Out: Markdown files with their path below the folder, in order of their names. A link is followed
// where it stays inside the folder and leads to something that is not found anyway.
// ---------------------------------------------------------------------------------------------------------------------

interface PageFile {
  file: string;
  /** Below the given folder, with `/`. */
  path: string;
  id: string;
  /** As records name it. */
  folder: string;
  /** Whether an earlier import has called it so. */
  isKnown: boolean;
}

const MARKDOWN = /\.(?:md|markdown)$/i;
const INDEX_PAGE = /^(?:readme|index|_index|summary|_sidebar|_footer)\.(?:md|markdown)$/i;

function findPages(run: ImportRun): PageFile[] {
  const { leftOut, skipped, warnings } = run.outcome;
  const unread = () => skipped.filter(({ reason }) => reason.startsWith(UNREADABLE));
  const given = new Map(run.options.paths.map((path) => [path, statsOf(path)]));
  const pages = [...given].flatMap(([path, stats]) => {
    const before = leftOut.length;
    const found = stats.isDirectory() ? walkFolder(path, run) : [namedPage(path, run)];
    const hint =
      leftOut.length > before ? " but index pages. Name them to import them." : ". Check the path.";
    // Pages may be in a folder that cannot be read, so that is told, and not that there are none.
    const isRead = !unread().some((one) => one.path === path || isBelow(one.path, path));
    if (found.length === 0 && isRead) warnings.push(`${path}: no Markdown page (.md) there${hint}`);
    return found;
  });
  if (pages.length > 0) return pages;
  const [shut] = unread();
  const what = shut && `${shut.path}: ${shut.reason}. Check its permissions.`;
  throw new DistillError("input", what ?? warnings.at(-1) ?? "no pages.");
}

const UNREADABLE = "not readable";

const unreadable = (error: unknown): string => `${UNREADABLE} (${errorCode(error)})`;

function statsOf(path: string): Stats {
  try {
    return fs.statSync(path);
  } catch (error) {
    const what = errorCode(error) === "ENOENT" ? "no such file or folder" : unreadable(error);
    throw new DistillError("input", `${path}: ${what}. Check the path.`, { cause: error });
  }
}

function namedPage(file: string, run: ImportRun): PageFile {
  if (MARKDOWN.test(file)) return pageIn(dirname(file), file, run);
  throw new DistillError("input", `${file}: not a Markdown page. Name a .md file, or a folder of them.`);
}

/**
 * A page below `given`. It goes by the name that an earlier import gave it; one that is new in a folder below an imported one
 * is called as that folder's import would call it.
 */
function pageIn(given: string, file: string, { options, known }: ImportRun): PageFile {
  const folder = folderName(given, options);
  const path = relative(given, file);
  const names = known.byPlace.get(known.places.file(file)) ?? [];
  const name = names.find((page) => page.folder === folder) ?? names.at(-1);
  if (name) return { ...name, file };
  const place = known.places.folder(given);
  let home = place;
  while (!known.folders.has(home) && home !== dirname(home)) home = dirname(home);
  const around = home === place ? undefined : known.folders.get(home);
  return around === undefined
    ? pageFile(file, path, folder)
    : pageFile(file, join(relative(home, place), path), around);
}

function knownPages(options: ImportOptions, existing: Map<string, Playbook>): KnownPages {
  const byPlace = new Map<string, PageFile[]>();
  const byId = new Map<string, string>();
  const folders = new Map<string, string>();
  const places = realPlaces();
  const homesOf = homesByName(options);
  for (const record of existing.values()) {
    const path = importedPath(record);
    for (const home of path === null ? [] : homesOf(record)) {
      const file = `${home.folder}/${path}`;
      const named = pageFile(file, path!, String(record.imported_from));
      const page = { ...named, id: pageIdOf(record.id, named.id), isKnown: true };
      const place = places.file(file);
      const others = byPlace.get(place) ?? [];
      byId.set(page.id, place);
      // The sections of one page are one page.
      if (!others.some(({ folder }) => folder === page.folder)) byPlace.set(place, [...others, page]);
      if (path!.includes("/") && home.isNamedSo) folders.set(places.folder(home.folder), page.folder);
    }
  }
  return { byPlace, byId, folders, homesOf, places };
}

/** The page's id in a record's, which may begin with folders and end with a section: `runbooks/a` in `runbooks/a#fix`. */
function pageIdOf(id: string, path: string): string {
  const at = id === path || id.startsWith(`${path}#`) ? 0 : id.lastIndexOf(`/${path}`) + 1;
  const end = at + path.length;
  return id.startsWith(path, at) && (end === id.length || id[end] === "#") ? id.slice(0, end) : path;
}

/** Each folder is looked up once, for a corpus may have a million records of them. */
function realPlaces(): Places {
  const real = new Map<string, string>();
  const folder = (path: string): string => {
    const known = real.get(path) ?? realPathOrNull(path) ?? file(path);
    real.set(path, known);
    return known;
  };
  // What is not there may lie in a folder that is. By hand, for there may be a million.
  const file = (path: string): string => {
    if (path === "/") return path;
    const cut = path.lastIndexOf("/");
    const above = folder(path.slice(0, cut) || "/");
    return (above === "/" ? "" : above) + path.slice(cut);
  };
  return { file, folder };
}

/** A corpus may have a million records of one folder, so that a name is looked up once. */
function homesByName(options: ImportOptions): KnownPages["homesOf"] {
  const byName = new Map<unknown, Home[]>();
  const find = (name: unknown): Home[] => {
    if (typeof name !== "string" || name === "") return [];
    const folders = new Set(basesOf(options).map((base) => resolve(base, name)));
    const homes = [...folders].map((folder) => {
      const isThere = fs.existsSync(folder);
      const isNamedSo = folderName(folder, options) === name;
      return { folder, isTold: name.includes("/") || isThere, isNamedSo, isHome: isThere && isNamedSo };
    });
    // Those that are there and would be called so today, where there are such.
    const likely = homes.filter(({ isHome }) => isHome);
    return likely.length > 0 ? likely : homes;
  };
  return ({ imported_from }) => {
    const homes = byName.get(imported_from) ?? find(imported_from);
    byName.set(imported_from, homes);
    return homes;
  };
}

/** Folders that names of folders may be relative to. */
const basesOf = ({ root, corpusPath }: ImportOptions): string[] => [root, dirname(corpusPath)];

const pageFile = (file: string, path: string, folder: string): PageFile => ({
  file,
  path,
  id: path.replace(MARKDOWN, ""),
  folder,
  isKnown: false,
});

/**
 * Relative to the root or to the corpus, or the last name alone: a corpus that is shared tells nothing of the machine it
 * was made on.
 */
function folderName(folder: string, options: ImportOptions): string {
  const names = basesOf(options).map((base) => relative(base, folder) || ".");
  return names.find((name) => !name.startsWith("..") && !isAbsolute(name)) ?? (basename(folder) || folder);
}

/** Whether a path lies below a folder, which may be `/`. */
export const isBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);

function walkFolder(given: string, run: ImportRun): PageFile[] {
  const { outcome } = run;
  const top = fs.realpathSync(given);
  const pages: PageFile[] = [];
  const links: string[] = [];
  const seen = new Set<string>();
  const addFile = (real: string, path: string): void => {
    if (!MARKDOWN.test(path) || seen.has(real)) return;
    seen.add(real);
    if (INDEX_PAGE.test(basename(path))) outcome.leftOut.push(join(given, path));
    else pages.push(pageIn(given, join(given, path), run));
  };
  const walk = (real: string, path: string): void => {
    if (seen.has(real)) return;
    seen.add(real);
    for (const entry of entriesOf(join(given, path), outcome)) {
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.isSymbolicLink()) links.push(below);
      else if (entry.isDirectory()) walk(join(real, entry.name), below);
      else addFile(join(real, entry.name), below);
    }
  };
  walk(top, "");
  // Links last: what they lead to keeps its own name. A link may add links.
  for (let at = 0; at < links.length; at++) {
    const path = links[at]!;
    const target = linkTarget(join(given, path), top);
    if ("real" in target) (target.isFolder ? walk : addFile)(target.real, path);
    else if (MARKDOWN.test(path) || target.isFolder)
      outcome.skipped.push({ path: join(given, path), reason: target.reason });
  }
  return pages.sort(byText(({ path }) => path));
}

/** In the order of code units, which is the same everywhere. */
const byText =
  <T>(key: (value: T) => string) =>
  (a: T, b: T): number =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;

/** By name, without hidden ones, which hold no runbooks (`.git`), and installed packages. */
function entriesOf(folder: string, outcome: ImportOutcome): Dirent[] {
  try {
    const entries = fs.readdirSync(folder, { withFileTypes: true });
    const visible = entries.filter(({ name }) => !name.startsWith(".") && name !== "node_modules");
    return visible.sort(byText(({ name }) => name));
  } catch (error) {
    outcome.skipped.push({ path: folder, reason: unreadable(error) });
    return [];
  }
}

function linkTarget(
  link: string,
  top: string,
): { real: string; isFolder: boolean } | { reason: string; isFolder: boolean } {
  try {
    const isFolder = fs.statSync(link).isDirectory();
    const real = fs.realpathSync(link);
    const isInside = real === top || isBelow(real, top);
    return isInside
      ? { real, isFolder }
      : { reason: "a symbolic link that leads out of the folder", isFolder };
  } catch {
    return { reason: "a symbolic link that leads nowhere", isFolder: false };
  }
}

/**
 * A file that was given twice is one page. Of two pages with one id the one that an earlier import knew keeps it, else the first;
 * the other's begins with its folder's name.
 */
function onePerId(pages: PageFile[], run: ImportRun): PageFile[] {
  const { skipped } = run.outcome;
  const files = new Set<string>();
  const once = pages.filter((page) => {
    const real = realPathOrNull(page.file);
    if (real === null) skipped.push({ path: page.file, reason: whyLost(page.file) });
    if (real === null || files.has(real)) return false;
    files.add(real);
    return true;
  });
  const holders = new Map<string, PageFile>();
  for (const page of once) if (page.isKnown && !holders.has(page.id)) holders.set(page.id, page);
  return once.flatMap((page) => {
    const id = idsOf(page, run).find((one) => !isTaken(one, page, { ...run, pages: holders }));
    if (id === undefined) {
      skipped.push({ path: page.file, reason: `the same path as another page, id ${page.id}` });
      return [];
    }
    const named = { ...page, id };
    holders.set(id, named);
    return [named];
  });
}

/**
 * `a`, `db/a`, `runbooks/db/a` for `a.md` of the folder `runbooks/db` below the root or beside the corpus; of a folder elsewhere
 * its last name alone, for what is above tells of the machine.
 */
function idsOf({ file, path, id }: PageFile, { known: { places }, options }: ImportRun): string[] {
  const folder = places.file(file).slice(0, -path.length - 1);
  const bases = basesOf(options).map((base) => places.folder(base));
  const base = bases.find((one) => folder === one || isBelow(folder, one)) ?? dirname(folder);
  const above = folder
    .slice(base.length)
    .split("/")
    .filter((name) => name !== "");
  return [id, ...above.map((_, at) => `${above.slice(-1 - at).join("/")}/${id}`)];
}

/** By another page of this import, by one of an earlier import that is still there, or by a record that is nobody's page. */
function isTaken(
  id: string,
  { file }: PageFile,
  { pages, known, existing }: ImportRun & { pages: Map<string, PageFile> },
): boolean {
  const holder = pages.get(id);
  if (holder) return holder.file !== file;
  const record = existing.get(id);
  const path = record && importedPath(record);
  if (record && path === null) return true;
  const homes = record ? known.homesOf(record) : [];
  const places = [...homes.map(({ folder }) => known.places.file(`${folder}/${path}`)), known.byId.get(id)];
  return places.some(
    (place) => place !== undefined && place !== known.places.file(file) && fs.existsSync(place),
  );
}

/** Why what a folder lists is not there: its name was not UTF-8, and its bytes are lost, or the folder lets nobody in. */
function whyLost(file: string): string {
  try {
    fs.statSync(file);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") return unreadable(error);
  }
  return "its name is not UTF-8 text";
}

/** Null where nothing is there, or what is cannot be found by its name. */
function realPathOrNull(file: string): string | null {
  try {
    return fs.realpathSync(file);
  } catch {
    return null;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading one page
// In: a file. Out: its text without secrets, or null with the reason why it is skipped.
// ---------------------------------------------------------------------------------------------------------------------

const utf8 = new TextDecoder("utf-8", { fatal: true });

interface ReadPage {
  file: PageFile;
  text: string;
  /** Those of this page: another one may have the same word for something else, and is not to change with this one. */
  secrets: Secrets;
}

function readPage(page: PageFile, outcome: ImportOutcome): ReadPage | null {
  const bytes = readBytes(page.file);
  const text = typeof bytes === "string" ? null : decoded(bytes);
  const reason =
    typeof bytes === "string" ? bytes : text === null ? "not UTF-8 text. Save it as UTF-8" : "empty";
  if (text !== null && text.trim() !== "") return strikeSecrets(page, text, outcome);
  outcome.skipped.push({ path: page.file, reason });
  return null;
}

/** A page's bytes, or why they are not read. */
function readBytes(file: string): Uint8Array | string {
  try {
    const stats = fs.statSync(file);
    if (!stats.isFile()) return "not a file";
    return stats.size > MAX_PAGE_BYTES ? "over 1 MiB" : fs.readFileSync(file);
  } catch (error) {
    return unreadable(error);
  }
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes).replaceAll(/\r\n?/g, "\n");
  } catch {
    return null;
  }
}

/** The page without its secrets, of which every mention is told with its line. */
function strikeSecrets(file: PageFile, text: string, { redactions }: ImportOutcome): ReadPage {
  const secrets = new Secrets();
  let line = 1;
  let at = 0;
  for (const { kind, start } of secrets.placesIn(text)) {
    line += text.slice(at, start).split("\n").length - 1;
    at = start;
    redactions.push({ path: file.file, line, kind });
  }
  return { file, text: secrets.strike(text), secrets };
}

// ---------------------------------------------------------------------------------------------------------------------
// From a page to playbooks
// In: a page's text. Out: one playbook, or one a section, with what the page says of itself in its front matter.
// ---------------------------------------------------------------------------------------------------------------------

/** A page as it was read. */
interface Page extends PageFile {
  fields: Fields;
  title: string;
  units: Unit[];
}

function playbooksOf({ file, text, secrets }: ReadPage, { options, outcome }: ImportRun): ImportedPlaybook[] {
  const { fields, body, problem } = splitFrontMatter(text);
  if (problem !== null) outcome.warnings.push(`${file.file}:1: ${problem}`);
  const deepest = options.split === null ? 0 : Number(options.split.slice(1));
  const page: Page = {
    ...file,
    fields,
    ...splitTitle(file, fields, { units: cleanMarkdown(body), deepest }),
  };
  const split = {
    title: page.title,
    tags: tagsOf(page, options.tags),
    sections: splitSections(page.units, deepest).filter((section) => section.text !== ""),
  };
  // Where a comment or front matter held it apart, a secret is seen only now; twice, for it may stand before its name.
  const { title: pageTitle, tags, sections } = strikeAll(secrets, strikeAll(secrets, split));
  if (sections.length === 0)
    outcome.skipped.push({ path: page.file, reason: "empty: no text besides its title" });
  const ids = new Map<string, number>();
  const shared = {
    success_score: scoreOf(page, options.score, outcome),
    tags,
    source_category: textOf(fields.source_category) ?? textOf(fields.category) ?? "runbook",
  };
  return sections.map(({ headings, text: content }) => {
    const title = [pageTitle, ...headings].join(": ");
    const source_run_id = `import:${page.path}@${sha256(toJson({ title, content, ...shared })).slice(0, HASH_CHARS)}`;
    const id = sectionId(page.id, headings, ids);
    return { id, title, content, source_run_id, ...shared, imported_from: page.folder };
  });
}

/** The records whose id no page before has taken: the page `a#b.md` and a section of `a.md` may want the same. */
function onePageEach(
  page: PageFile,
  records: ImportedPlaybook[],
  { holders, outcome }: ImportRun,
): ImportedPlaybook[] {
  return records.filter(({ id }) => {
    const holder = holders.get(id) ?? page.file;
    holders.set(id, holder);
    if (holder === page.file) return true;
    const section = id.slice(page.id.length);
    outcome.skipped.push({
      path: page.file + section,
      reason: `the same id as a record of ${holder}, ${id}`,
    });
    return false;
  });
}

/** The page's id, and behind `#` the section's heading as a link to it would name it; a repeated one gets a number. */
function sectionId(pageId: string, headings: string[], used: Map<string, number>): string {
  const heading = headings.at(-1);
  if (heading === undefined) return pageId;
  const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
  const anchor = words.trim().replaceAll(/\s+/g, "-") || "section";
  let name = anchor;
  let repeats = used.get(anchor) ?? 0;
  while (used.has(name)) name = `${anchor}-${++repeats}`;
  used.set(name, 0).set(anchor, repeats);
  return `${pageId}#${name}`;
}

type Fields = Record<string, unknown>;

/** YAML between `---` lines, TOML between `+++` lines. */
const FRONT_MATTER: Record<string, (text: string) => unknown> = {
  "---": Bun.YAML.parse,
  "+++": Bun.TOML.parse,
};

function splitFrontMatter(text: string): { fields: Fields; body: string; problem: string | null } {
  const lines = text.split("\n");
  const fence = lines[0]!.trimEnd();
  const parse = Object.hasOwn(FRONT_MATTER, fence) ? FRONT_MATTER[fence] : undefined;
  const end = lines.findIndex((line, at) => at > 0 && line.trimEnd() === fence);
  if (!parse) return { fields: {}, body: text, problem: null };
  if (end < 0) {
    const isMeant = /^[a-z][\w-]*\s*[:=]/.test(lines[1] ?? "");
    const problem = `its front matter is never closed, so it is part of the text. Close it with ${fence}.`;
    return { fields: {}, body: text, problem: isMeant ? problem : null };
  }
  const block = lines.slice(1, end);
  const body = lines.slice(end + 1).join("\n");
  try {
    const fields = parse(block.join("\n"));
    if (isObject(fields)) return { fields: withNumbersAsWritten(fields, block, parse), body, problem: null };
    if (fields === null) return { fields: {}, body, problem: null };
  } catch (error) {
    const what = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
    const isMeant = block.some((line) => /^[\w-]+\s*[:=]/.test(line));
    if (isMeant) return { fields: {}, body, problem: frontMatterProblem(what) };
  }
  // A rule at the top of a page, and another below.
  return { fields: {}, body: text, problem: null };
}

const frontMatterProblem = (what: string): string =>
  `its front matter is left out, title and tags included: ${what}. Correct it; a value with : or [ in it has to be in quotes.`;

/** Fields that are text even where they look like numbers. */
const TEXT_FIELDS = ["title", "tags", "source_category", "category"];
/** A quoted text, or what is a number or a date where no more of a text follows, and what stands before a value. */
const VALUE =
  /([=,[]\s*|[:-]\s+)(?:"(?:[^"\\]|\\.)*"|'[^']*'|([+-]?\.?\d[\w.:+-]*)(?=\s*(?:[,\]}]|$)|\s+#))/gm;

/** The fields with 1.20, 0x10 and 010 as the page has them, and not as the 1.2, 16 and 10 that a parser makes of them. */
function withNumbersAsWritten(fields: Fields, block: string[], parse: (text: string) => unknown): Fields {
  const quoted = parseQuoted(block, parse);
  // Quotes may have got into a text too, so only what was none is taken.
  const asWritten = (value: unknown, text: unknown): unknown =>
    typeof value !== "string" && typeof text === "string" ? text : value;
  const texts = TEXT_FIELDS.filter((name) => name in fields).map((name) => {
    const [value, text] = [fields[name], quoted[name]];
    const isList = Array.isArray(value) && Array.isArray(text);
    return [name, isList ? value.map((item, at) => asWritten(item, text[at])) : asWritten(value, text)];
  });
  return { ...fields, ...Object.fromEntries(texts) };
}

/** The fields with their numbers as texts; none where that cannot be parsed. */
function parseQuoted(block: string[], parse: (text: string) => unknown): Fields {
  const quote = (value: string, before: string, number?: string): string =>
    number === undefined ? value : `${before}"${number}"`;
  try {
    const fields = parse(block.join("\n").replaceAll(VALUE, quote));
    return isObject(fields) ? fields : {};
  } catch {
    return {};
  }
}

/** A scalar of front matter as text: a title may be a number. */
function textOf(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
}

function tagsOf(page: Page, given: string[]): string[] {
  const byName = new Map<string, string>();
  for (const tag of [...ownTags(page), ...foldersOf(page), ...given]) {
    const name = tag.trim().toLowerCase();
    if (name !== "" && !byName.has(name)) byName.set(name, tag.trim());
  }
  return [...byName.values()];
}

/** Those of the front matter: a list, or a text with commas. */
function ownTags({ fields: { tags = [] } }: Page): string[] {
  return Array.isArray(tags) ? tags.flatMap((tag) => textOf(tag) ?? []) : (textOf(tags)?.split(",") ?? []);
}

/** The names of the folders in a page's path. */
const foldersOf = ({ path }: PageFile): string[] => path.split("/").slice(0, -1);

function scoreOf(page: Page, fallback: SuccessScore, { warnings, retired }: ImportOutcome): SuccessScore {
  const given = page.fields.success_score;
  if (isOneOf(SUCCESS_SCORES, given)) return given;
  if (given != null) {
    const what = `success_score ${shown(textOf(given) ?? typeof given)} is none of ${SUCCESS_SCORES.join(", ")}`;
    warnings.push(`${page.file}: ${what}. Taken as needs_human_review.`);
    return "needs_human_review";
  }
  if (!isRetired(page)) return fallback;
  retired.push(page.id);
  return "needs_human_review";
}

const RETIRED = "(?:deprecated|archived|obsolete|outdated|superseded|draft|wip)";
const RETIRED_STATUS = new RegExp(`^${RETIRED}$`, "i");
/** "[DEPRECATED] Restart", "Draft: restart", "Restart (archived)", but not "Deprecated API in use". */
const RETIRED_TITLE = new RegExp(`^${RETIRED}\\s*[:–—-]\\s|[[(]${RETIRED}[\\])]`, "i");
/** A line that is a label: "Deprecated: use the new one.", "Status | draft", with any markup taken off. */
const RETIRED_LABEL = new RegExp(
  `^(?:(?:status|state) ?[:|] ?)?${RETIRED}(?: ?[:.!–—-](?: (?!no\\b|false\\b)|$)| by |$)|^this is (?:now )?(?:an? )?${RETIRED}\\b`,
  "i",
);
const RETIRED_PROSE = new RegExp(
  `\\bthis (?:page|document|doc|runbook|playbook|guide|article|procedure) (?:is|was|has been)(?: now)?(?: an?)? ${RETIRED}\\b`,
  "i",
);
/** A flag of front matter that is not set, in the words of YAML 1.1 too. */
const SAYS_NO = /^(?:false|no|off|0|)$/i;
const RETIRED_FOLDER = /^(?:archived?|deprecated|drafts|obsolete)$/i;
/** Lines at the top of a page in which a label speaks of the page. */
const LABEL_LINES = 10;

/** Whether the page calls itself deprecated, archived, obsolete or a draft, or lies in a folder for such pages. */
function isRetired(page: Page): boolean {
  const { fields, title, units } = page;
  if (ownTags(page).some((tag) => RETIRED_STATUS.test(tag.trim()))) return true;
  if (foldersOf(page).some((name) => RETIRED_FOLDER.test(name))) return true;
  const flags = [fields.deprecated, fields.archived, fields.draft, fields.obsolete];
  if (flags.some((flag) => flag != null && !SAYS_NO.test(String(flag)))) return true;
  const status = textOf(fields.status) ?? textOf(fields.state) ?? "";
  if (RETIRED_STATUS.test(status) || RETIRED_TITLE.test(title)) return true;
  const prose = units.flatMap((unit) => (unit.kind === "line" ? [unmarked(unit.text)] : []));
  return (
    prose.slice(0, LABEL_LINES).some((line) => RETIRED_LABEL.test(line)) ||
    RETIRED_PROSE.test(prose.join(" "))
  );
}

/** A line's words without tags, emphasis, admonition marks, and whatever stands around them. */
const unmarked = (line: string): string =>
  line
    .replaceAll(/[*_"]|<[^<>]{0,300}>|^\s*(?::::|!!!)\s*\w+/g, "")
    .replaceAll(/\s+/g, " ")
    // Tried where a run of signs begins and not in the midst of it, so that no line is slow.
    .replaceAll(/^[^\p{L}]+|(?<=[\p{L}.!:])[^\p{L}.!:]+$/gu, "");

// ---------------------------------------------------------------------------------------------------------------------
// Cleaning and splitting
// In: a page's body. Out: its text without what is not about the matter (comments, badges, tables of contents), code
// untouched, as one section or several.
// ---------------------------------------------------------------------------------------------------------------------

/** The units of a page that say something: headings all written with `#`, blank lines single. */
function cleanMarkdown(body: string): Unit[] {
  const units = withPlainHeadings(
    withForeignHeadings(codeAndLines(withoutComments(body)).map(withoutIndentedHeading)),
  );
  const told = units.filter((unit) => unit.kind === "code" || !isFurniture(unit.text));
  const kept = told.filter((unit, at) => {
    if (!CONTENTS.test(unit.text)) return true;
    return !["heading", "nothing"].includes(nextKind(told, at));
  });
  return kept.filter((unit, at) => unit.kind !== "blank" || (at > 0 && kept[at - 1]!.kind !== "blank"));
}

function nextKind(units: Unit[], at: number): Unit["kind"] | "nothing" {
  let next = at + 1;
  while (units[next]?.kind === "blank") next++;
  return units[next]?.kind ?? "nothing";
}

/** The text without `<!-- … -->`; one that stands in code, or is never closed, stays. */
function withoutComments(text: string): string {
  const prose = withCodeBlanked(text);
  let kept = "";
  for (let at = 0; ;) {
    const start = prose.indexOf("<!--", at);
    const end = start < 0 ? -1 : text.indexOf("-->", start);
    if (end < 0) return kept + text.slice(at);
    kept += text.slice(at, start);
    at = end + "-->".length;
  }
}

/** The text with spaces in place of its code, offsets unchanged. */
function withCodeBlanked(text: string): string {
  const blank = (code: string): string => " ".repeat(code.length);
  const lines = codeAndLines(text).map((unit) => {
    // Indented lines and quotes may be code that is not seen as such.
    const isCode = unit.kind === "code" || /^(?: {4}|\t|\s{0,3}>)/.test(unit.text);
    return isCode ? blank(unit.text) : unit.text.replaceAll(/(?<!`)`+[^`]+`+/g, blank);
  });
  return lines.join("\n");
}

/** What opens a block of code in HTML and in other dialects, with what closes it. A dialect's own tags stand alone in their line. */
const CODE_BLOCKS: [open: RegExp, close: RegExp][] = [
  [/<pre\b(?![^\n]*<\/pre>)/i, /<\/pre>/i],
  [/^\s*\{\{[<%]\s*highlight\b/, /^\s*\{\{[<%]\s*\/\s*highlight\b/],
  [/^\s*\{%-?\s*highlight\b/, /^\s*\{%-?\s*endhighlight\b/],
  [/^\s*\{%-?\s*raw\b/, /^\s*\{%-?\s*endraw\b/],
  [/^\s*\{code\b[^{}]*\}\s*$/, /^\s*\{code\}\s*$/],
  [/^\s*\{noformat\b[^{}]*\}\s*$/, /^\s*\{noformat\}\s*$/],
];
/** `[source,bash]` of AsciiDoc, before a line of dashes or dots that another such line closes. */
const LISTING = /^\[(?:source|listing|literal)\b.*\]\s*$/;
const LISTING_FENCE = /^(?:-{4,}|\.{4,})\s*$/;

/** What opens a block of code in reStructuredText, which ends with its indentation. */
const DIRECTIVE = /^\s{0,3}\.\. (?:code(?:-block)?|sourcecode|prompt)::/;

function lastIndented(units: Unit[], at: number): number {
  let last = at;
  for (let next = at + 1; next < units.length && /^\s|^$/.test(units[next]!.text); next++)
    if (units[next]!.kind !== "blank") last = next;
  return last;
}

/** A text as code blocks, of whatever dialect, and the lines between them. */
function codeAndLines(text: string): Unit[] {
  const units = splitUnits(text);
  const closings = CODE_BLOCKS.map(([, close]) => placesOf(units, close));
  const fences = placesOf(units, LISTING_FENCE);
  const coded: Unit[] = [];
  for (let at = 0; at < units.length; at++) {
    const end = endOfCode(units, at, { closings, fences });
    if (end === undefined) coded.push(units[at]!);
    else {
      const lines = units.slice(at, end + 1).map((unit) => unit.text);
      coded.push({ kind: "code", text: lines.join("\n") });
      at = end;
    }
  }
  return coded;
}

/** The last first: what was passed is popped. */
const placesOf = (units: Unit[], shape: RegExp): number[] =>
  units.flatMap((unit, at) => (shape.test(unit.text) ? at : [])).reverse();

/** The unit that closes the block of code which the one at `at` opens; undefined where it opens none. */
function endOfCode(
  units: Unit[],
  at: number,
  { closings, fences }: { closings: number[][]; fences: number[] },
): number | undefined {
  const { kind, text } = units[at]!;
  for (const places of [...closings, fences]) while (places.at(-1)! <= at) places.pop();
  if (kind !== "line") return undefined;
  if (DIRECTIVE.test(text)) return lastIndented(units, at);
  if (LISTING.test(text)) return fences.at(-1) === at + 1 ? fences.at(-2) : undefined;
  const which = CODE_BLOCKS.findIndex(([open]) => open.test(text.replaceAll(/`[^`]*`/g, "")));
  return closings[which]?.at(-1);
}

/** `    # as root` is a comment in code that is set in. */
const withoutIndentedHeading = (unit: Unit): Unit =>
  unit.kind === "heading" && /^(?: {4}|\t)/.test(unit.text) ? { ...unit, kind: "line" } : unit;

/** `<h1>…</h1>` on top of a page. */
const HTML_TITLE = /^\s*<h1\b[^<>]{0,300}>(.{1,300}?)<\/h1>\s*$/i;
/** Headings of Jira's markup and of AsciiDoc. A page that begins with one is in that dialect, where `# …` is an item of a list. */
const DIALECTS: [title: RegExp, heading: RegExp, level: (marks: string) => number][] = [
  [/^h1\.\s+\S/, /^h([1-6])\.\s+(\S.*)$/, Number],
  [/^=\s+\S/, /^(={1,6})\s+(\S.*?)(?:\s+=+)?\s*$/, (marks) => marks.length],
];

/** The headings of a page that begins with one in HTML or in another dialect, written with `#`. */
function withForeignHeadings(units: Unit[]): Unit[] {
  const first = units.findIndex(({ kind, text }) => kind !== "blank" && !isFurniture(text));
  const text = units[first]?.kind === "line" ? units[first].text : "";
  const title = HTML_TITLE.exec(text)?.[1];
  if (title !== undefined) return units.with(first, { kind: "heading", text: `# ${title}` });
  const [, heading, level] = DIALECTS.find(([shape]) => shape.test(text)) ?? [];
  if (!heading || !level) return units;
  return units.map((unit): Unit => {
    const [, marks, words] = (unit.kind === "line" && heading.exec(unit.text)) || [];
    if (marks !== undefined) return { kind: "heading", text: `${"#".repeat(level(marks))} ${words}` };
    return unit.kind === "heading" ? { ...unit, kind: "line" } : unit;
  });
}

/** Headings that are underlined with `===` or `---` as headings with `#`. */
function withPlainHeadings(units: Unit[]): Unit[] {
  const plain: Unit[] = [];
  for (const unit of units) {
    const above = plain.at(-1);
    const level = unit.kind === "line" ? ["=", "-"].indexOf(/^(=|-)\1+\s*$/.exec(unit.text)?.[1] ?? "") : -1;
    const isUnderlined =
      level >= 0 &&
      above?.kind === "line" &&
      (plain.at(-2)?.kind ?? "blank") === "blank" &&
      !/^\s*(?:[-*+>|]|\d+[.)]\s|\[[^\]]*\]\s*$)/.test(above.text);
    if (isUnderlined)
      plain.splice(-1, 1, { kind: "heading", text: `${"#".repeat(level + 1)} ${above.text.trim()}` });
    else plain.push(unit);
  }
  return plain;
}

const CONTENTS = /^\s*#{1,6}\s+(?:table of )?contents\W*$/i;
const CONTENTS_MARK =
  /^\s*(?:[*-] toc|\$\{toc\}|\*\*table of contents\*\*.{0,200}|\[toc\]|\[\[_?toc_?\]\]|\{:\s*toc\s*\}|\{\{[<%]\s*toc\s*[>%]\}\})\s*$/i;
/** A comment of Markdown's, Obsidian's or MDX's that has its line for itself. */
const COMMENT_LINE =
  /^\s*(?:\[(?:\/\/|comment)[^\]]{0,100}\]:\s*(?:#|<>).*|%%[^%]{1,1000}%%|\{\/\*(?:(?!\*\/).){0,1000}\*\/\})\s*$/i;
/** A list item that is nothing but a link into its own page. */
const CONTENTS_ITEM = /^\s*(?:[-*+]|\d+[.)])\s+\[[^\]]*\]\(#[^)]*\)\s*$/;

/** A line of badges, of a table of contents, or a comment. */
const isFurniture = (line: string): boolean =>
  CONTENTS_MARK.test(line) || CONTENTS_ITEM.test(line) || COMMENT_LINE.test(line) || isBadgeLine(line);

// Bounded, so that no line is slow.
const LINKED_IMAGE = /\[!\[[^\]]{0,300}\]\([^)]{0,500}\)\](?:\([^)]{0,500}\)|\[[^\]]{0,300}\])/g;
const IMAGE = /!\[[^\]]{0,300}\]\([^)]{0,500}\)|<img\s[^<>]*>/gi;
const BADGE = /badge|shields\.io/i;

/** Images that come from a badge service, links or not, and nothing else but tags around them. */
function isBadgeLine(line: string): boolean {
  const unbadged = (image: string): string => (BADGE.test(image) ? "" : image);
  const rest = line.replaceAll(LINKED_IMAGE, unbadged).replaceAll(IMAGE, unbadged);
  return rest !== line && rest.replaceAll(/<\/?(?:a|p|div|center)\b[^<>]*>/gi, "").trim() === "";
}

interface Section {
  /** The headings that lead to it, outermost first; none for what stands above the first. */
  headings: string[];
  text: string;
}

/** A page's title, and its units without the heading that says it. Where sections are split, their headings are no title. */
function splitTitle(
  page: PageFile,
  fields: Fields,
  { units, deepest }: { units: Unit[]; deepest: number },
): Pick<Page, "title" | "units"> {
  const isTitle = (unit: Unit): boolean =>
    unit.kind === "heading" && (deepest === 0 || levelOf(unit) < SHALLOWEST_SECTION);
  const first = units.find(isTitle);
  const given = textOf(fields.title);
  const title = given ?? ((first && headingText(first)) || basename(page.id).replaceAll(/[-_]+/g, " "));
  const isOnTop = first && units.find((unit) => unit.kind !== "blank") === first;
  const repeatsTitle = isOnTop && (given === null || headingText(first) === title);
  const rest = repeatsTitle ? units.slice(units.indexOf(first) + 1) : units;
  return { title: title.replaceAll(/\s+/g, " "), units: rest };
}

/** `h2`: a page's own title is no section. */
const SHALLOWEST_SECTION = 2;

function splitSections(units: Unit[], deepest: number): Section[] {
  const sections: { headings: string[]; units: Unit[] }[] = [{ headings: [], units: [] }];
  const open: { level: number; text: string }[] = [];
  for (const unit of units) {
    const level = unit.kind === "heading" ? levelOf(unit) : Infinity;
    if (level > deepest) {
      sections.at(-1)!.units.push(unit);
      continue;
    }
    while (open.length > 0 && open.at(-1)!.level >= level) open.pop();
    open.push({ level, text: headingText(unit) });
    sections.push({ headings: open.map(({ text }) => text), units: [] });
  }
  return sections.map(({ headings, units }) => ({ headings, text: textOfUnits(units) }));
}

/** Without blank lines around it; the first line's indentation stays, for it may be code. */
const textOfUnits = (units: Unit[]): string =>
  units
    .map((unit) => unit.text)
    .join("\n")
    .replace(/^(?:[ \t]*\n)+/, "")
    .trimEnd();

const levelOf = (heading: Unit): number => /^\s*(#+)/.exec(heading.text)![1]!.length;

const INLINE_TAG = /<\/?(?:a|b|br|code|em|i|img|kbd|span|strong|sub|sup)\b[^<>]{0,300}>/gi;

/** A heading's words without its marks, tags and anchor. */
function headingText(heading: Unit): string {
  const marked = heading.text
    .trimStart()
    .replaceAll(INLINE_TAG, "")
    .replace(/\{#[^}]{0,300}\}\s*$/, "");
  return Bun.markdown.render(marked).trim() || marked.replaceAll("#", "").trim();
}

// ---------------------------------------------------------------------------------------------------------------------
// Comparing and appending
// In: what the pages say now and what the corpus holds. Out: what is new or changed, in one write.
// ---------------------------------------------------------------------------------------------------------------------

async function readExisting(path: string, outcome: ImportOutcome): Promise<Map<string, Playbook>> {
  const existing = new Map<string, Playbook>();
  if (!fs.existsSync(path)) return existing;
  let skipped = 0;
  for await (const line of readPlaybooks(path)) {
    if ("playbook" in line) supersede(existing, line.playbook.id, line.playbook);
    else if (++skipped <= MAX_NAMED_LINES) outcome.warnings.push(`${path}:${line.number}: ${line.problem}`);
  }
  if (skipped > 1) outcome.warnings.push(skippedLine(path, skipped, existing.size));
  return existing;
}

function compare(records: ImportedPlaybook[], { existing, outcome }: ImportRun): void {
  for (const record of records) {
    const before = existing.get(record.id);
    if (before?.source_run_id === record.source_run_id) {
      outcome.unchanged++;
      continue;
    }
    outcome.added.push({ change: before ? "changed" : "new", record });
    if (before && before.imported_from !== record.imported_from) {
      const what = `replaces a record that did not come from ${record.imported_from}`;
      outcome.warnings.push(`${record.id}: ${what}. Rename the page, or drop the earlier line.`);
    }
  }
}

/**
 * Records of the folders that were given, and of the pages that were named, which no page stands for any more. A page that
 * is there and was only left out, or could not be read, still stands for its own.
 */
function goneRecords(
  pages: PageFile[],
  records: ImportedPlaybook[],
  { options, outcome, existing, known: { places, homesOf } }: ImportRun,
): string[] {
  const produced = new Set(records.map((record) => record.id));
  const unread = outcome.skipped.map(({ path }) => places.file(path));
  const isUnread = (place: string): boolean => unread.some((path) => place === path || isBelow(place, path));
  const folders = options.paths.filter((path) => statsOf(path).isDirectory());
  const names = folders.map((folder) => folderName(folder, options));
  const real = folders.map(places.folder);
  const key = (folder: unknown, path: string): string => `${folder}\0${path}`;
  const byKey = new Map(pages.map((page) => [key(page.folder, page.path), page]));
  const isGone = (record: Playbook): boolean => {
    const [path, folder] = [importedPath(record), record.imported_from];
    if (path === null || typeof folder !== "string" || produced.has(record.id)) return false;
    const page = byKey.get(key(folder, path));
    if (page) return !isUnread(places.file(page.file));
    if (folders.length === 0) return false;
    const given = folders.filter((_, at) => names[at] === folder);
    const homes = [...given, ...homesOf(record).flatMap((home) => (home.isTold ? [home.folder] : []))];
    const files = homes.map((home) => places.file(`${home}/${path}`));
    const isGiven = (file: string): boolean => real.some((one) => isBelow(file, one));
    return files.some(isGiven) && !files.some((file) => fs.existsSync(file) || isUnread(file));
  };
  return [...existing.values()].filter(isGone).map((record) => record.id);
}

function append(path: string, { added }: ImportOutcome): void {
  const isNew = !fs.existsSync(path);
  try {
    appendLines(
      path,
      added.map(({ record }) => toJson(record)),
    );
  } catch (error) {
    if (isNew) removeEmpty(path);
    const what = `the playbooks could not be added (${errorCode(error)}), and none was`;
    throw new DistillError("evidence", `${path}: ${what}. ${writeAdvice(error)}, or name another --corpus.`, {
      cause: error,
    });
  }
}

/** A corpus that was made and could not be written: without a playbook it would be an error to whoever reads it. */
function removeEmpty(path: string): void {
  try {
    // Where a link leads: the link is the user's.
    if (fs.statSync(path).size === 0) fs.rmSync(fs.realpathSync(path));
  } catch {}
}
