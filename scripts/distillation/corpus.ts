/**
 * What a corpus holds, and what is wrong with it.
 *
 * Two readings of the same lines. `surveyCorpus` counts: records by score, category and tag, sizes, checks. `checkCorpus`
 * finds, line by line, what keeps a record from being found, shown or trusted. Errors are lines that are lost or must not
 * be shown to anybody (bad lines, ids that take each other's place, secrets); warnings are records that load and serve
 * their user badly. Lines that a later import of their page superseded are history, so they are counted and not found.
 */
import {
  ADD_PLAYBOOKS,
  counted,
  DistillError,
  INVISIBLE,
  readPlaybooks,
  shown,
  supersede,
  TEMPLATE_TOKENS,
  tokenise,
  validationSteps,
  wholeText,
} from "./replay.ts";
import type { Playbook } from "./replay.ts";
import { findSecrets } from "./secrets.ts";

/** Token Jaccard from which two records say the same. Retrieval holds back what is nearer than 0.6 from one prompt. */
const NEAR_DUPLICATE_FROM = 0.8;
/** Characters. Less says too little to act on; more is several runbooks, of which a bundle shows one passage. */
const SHORTEST_CONTENT = 200;
const LONGEST_CONTENT = 20_000;

interface CorpusRecord {
  /** 1-based. */
  line: number;
  playbook: Playbook;
}

/** A corpus read for its maintainer: every line is accounted for. */
export interface CorpusLines {
  path: string;
  /** What a replay would load, in file order. */
  records: CorpusRecord[];
  bad: { line: number; problem: string }[];
  /** Lines that a later line with the same id replaced, and that line; `byImport` where both are one page's. */
  superseded: { line: number; id: string; by: number; byImport: boolean }[];
}

/** @throws DistillError `input` where the file is missing, unreadable or holds no line at all. */
export async function readCorpusLines(path: string): Promise<CorpusLines> {
  const live = new Map<string, CorpusRecord>();
  const corpus: CorpusLines = { path, records: [], bad: [], superseded: [] };
  for await (const line of readPlaybooks(path)) {
    if ("problem" in line) {
      corpus.bad.push({ line: line.number, problem: line.problem });
      continue;
    }
    const { number, playbook } = line;
    const before = live.get(playbook.id);
    if (before) {
      const byImport = isSamePage(before.playbook, playbook);
      corpus.superseded.push({ line: before.line, id: playbook.id, by: number, byImport });
    }
    supersede(live, playbook.id, { line: number, playbook });
  }
  corpus.records = [...live.values()];
  if (corpus.records.length + corpus.bad.length > 0) return corpus;
  throw new DistillError("input", `${path}: the corpus is empty. ${ADD_PLAYBOOKS}`);
}

/**
 * The page that an import made a record of, below the imported folder; null for a record of another origin. Its name may have
 * line breaks.
 */
export const importedPath = ({ source_run_id }: Playbook): string | null =>
  /^import:(.*)@[0-9a-f]+$/s.exec(source_run_id)?.[1] ?? null;

const isSamePage = (a: Playbook, b: Playbook): boolean =>
  importedPath(a) !== null && importedPath(a) === importedPath(b) && a.imported_from === b.imported_from;

// ---------------------------------------------------------------------------------------------------------------------
// Survey
// ---------------------------------------------------------------------------------------------------------------------

export interface Count {
  name: string;
  records: number;
}

export interface CorpusSurvey {
  records: number;
  skipped: number;
  superseded: number;
  /** Most frequent first, then by name. */
  by_score: Count[];
  by_category: Count[];
  by_tag: Count[];
  /** Characters of a record's content. */
  chars: { min: number; median: number; p90: number; max: number };
  /** Records with at least one check that a bundle can show. */
  with_checks: number;
  /** Records that came from a page. */
  imported: number;
}

export function surveyCorpus({ records, bad, superseded }: CorpusLines): CorpusSurvey {
  const playbooks = records.map((record) => record.playbook);
  const sizes = playbooks.map((playbook) => playbook.content.length).sort((a, b) => a - b);
  const quantile = (share: number): number =>
    sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))] ?? 0;
  return {
    records: records.length,
    skipped: bad.length,
    superseded: superseded.length,
    by_score: countBy(playbooks.map((playbook) => playbook.success_score)),
    by_category: countBy(playbooks.map((playbook) => playbook.source_category || "(none)")),
    by_tag: countBy(playbooks.flatMap((playbook) => [...new Set(playbook.tags)])),
    chars: { min: quantile(0), median: quantile(0.5), p90: quantile(0.9), max: quantile(1) },
    with_checks: playbooks.filter(hasChecks).length,
    imported: playbooks.filter((playbook) => importedPath(playbook) !== null).length,
  };
}

function countBy(names: string[]): Count[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, records]) => ({ name, records }))
    .sort((a, b) => b.records - a.records || (a.name < b.name ? -1 : 1));
}

const hasChecks = ({ content }: Playbook): boolean => validationSteps([content]).length > 0;

// ---------------------------------------------------------------------------------------------------------------------
// Check
// ---------------------------------------------------------------------------------------------------------------------

/** What can be found, and how bad it is. */
export const FINDINGS = {
  bad_line: "error",
  duplicate_id: "error",
  secret: "error",
  near_duplicate: "warning",
  no_check: "warning",
  too_short: "warning",
  too_long: "warning",
  empty_title: "warning",
  control_characters: "warning",
  template_tokens: "warning",
} as const;

export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  line: number;
  severity: (typeof FINDINGS)[FindingKind];
  kind: FindingKind;
  /** Null for a line that is no playbook. */
  id: string | null;
  /** What is wrong, with the value, and what to do. */
  message: string;
}

/** Everything that is wrong with a corpus, by line; `isStrict` makes every warning an error. */
export function checkCorpus(corpus: CorpusLines, { isStrict = false } = {}): Finding[] {
  const bad = corpus.bad.map(({ line, problem }): Finding => {
    return finding("bad_line", { line, id: null, message: problem });
  });
  const duplicates = corpus.superseded
    .filter(({ byImport }) => !byImport)
    .map(({ line, id, by }): Finding => {
      const message = `its id is taken again in line ${by}, which wins. Give one of the two another id, or drop this line.`;
      return finding("duplicate_id", { line, id, message });
    });
  const ownFaults = corpus.records.flatMap(faultsOf);
  const findings = [...bad, ...duplicates, ...ownFaults, ...nearDuplicateFindings(corpus.records)];
  const judged = isStrict ? findings.map((found): Finding => ({ ...found, severity: "error" })) : findings;
  return judged.sort((a, b) => a.line - b.line);
}

const finding = (kind: FindingKind, rest: Pick<Finding, "line" | "id" | "message">): Finding => ({
  kind,
  severity: FINDINGS[kind],
  ...rest,
});

/** What is wrong with one record by itself. */
function faultsOf({ line, playbook }: CorpusRecord): Finding[] {
  const { id, title, content } = playbook;
  const text = wholeText(playbook);
  const length = content.trim().length;
  // One by one: a text that ends in "token:" does not make a secret of the next.
  const secrets = stringsIn(playbook).flatMap(findSecrets);
  const hidden = firstMatch(text.replaceAll("\r\n", "\n"), INVISIBLE);
  const token = firstMatch(text, TEMPLATE_TOKENS);
  const faults = {
    secret:
      secrets.length > 0 &&
      `it holds what looks like a secret (${secrets.map((secret) => secret.kind).join(", ")}). Take it out and revoke it.`,
    empty_title:
      title.trim() === "" && "its title is empty, and half of a record's score is its title's. Give it one.",
    too_short:
      length < SHORTEST_CONTENT &&
      `its content has ${counted(length, "character")}, under ${SHORTEST_CONTENT}. Say what to run and what to see.`,
    too_long:
      length > LONGEST_CONTENT &&
      `its content has ${counted(length, "character")}, over ${LONGEST_CONTENT}, and one passage of it is shown. Split it, for example with import --split h2.`,
    no_check:
      !hasChecks(playbook) &&
      "no line of it begins with verify, check, assert, confirm or ensure. Say how to see that it worked.",
    control_characters:
      hidden !== null &&
      `it holds control or invisible characters, such as ${codePoint(hidden)}. Paste it as plain text.`,
    template_tokens:
      token !== null &&
      `it holds ${shown(token)}, which chat templates give a meaning. It is broken up before a model sees it; write it otherwise.`,
  } satisfies Partial<Record<FindingKind, string | false>>;
  return Object.entries(faults).flatMap(([kind, message]) =>
    message === false ? [] : [finding(kind as keyof typeof faults, { line, id, message })],
  );
}

/** The strings in a JSON value, in its order, however deep: an unknown field may be nested deeper than calls can be. */
function stringsIn(value: unknown): string[] {
  const strings: string[] = [];
  const left = [value];
  while (left.length > 0) {
    const part = left.pop();
    if (typeof part === "string") strings.push(part);
    if (typeof part !== "object" || part === null) continue;
    for (const field of Object.values(part).reverse()) left.push(field);
  }
  return strings;
}

const firstMatch = (text: string, shape: RegExp): string | null => text.match(shape)?.[0] ?? null;

const codePoint = (char: string): string =>
  `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;

function nearDuplicateFindings(records: CorpusRecord[]): Finding[] {
  // One by one: the tokens of a large corpus take ten times its room.
  const texts = records.values().map(({ playbook }) => tokenise(wholeText(playbook)));
  return nearDuplicates(texts, NEAR_DUPLICATE_FROM).map(({ at, of, similarity }): Finding => {
    const { line, playbook } = records[at]!;
    const twin = records[of]!;
    const message = `it says nearly the same as ${shown(twin.playbook.id)} in line ${twin.line} (token Jaccard ${similarity.toFixed(2)}). Merge the two.`;
    return finding("near_duplicate", { line, id: playbook.id, message });
  });
}

/**
 * For every text (its tokens, repeats allowed) that is near to an earlier one, one such and their Jaccard. A text without
 * tokens is near to none.
 *
 * Exact, by prefix and positional filtering (Chaudhuri et al., 2006; Xiao et al., 2008): with the tokens of every set sorted
 * by rarity, two sets of a Jaccard of at least t share a token among the first |x| - ceil(t·|x|) + 1 of each, and what stands
 * before the first one that they share stands in one of them alone. The work grows with how many records share their
 * rarest fifth of tokens: about linearly for a corpus of texts, and for a thousand copies of one, since a set is compared
 * until a first twin is found; with the square for texts without rare tokens.
 */
export function nearDuplicates(
  texts: Iterable<string[]>,
  threshold: number,
): { at: number; of: number; similarity: number }[] {
  const sets = rankedSets(texts);
  const index: PrefixIndex = { holders: new Map(), comparedTo: new Int32Array(sets.length).fill(-1) };
  return sets.flatMap((set, at) => {
    const prefix = set.subarray(0, set.length - Math.ceil(threshold * set.length) + 1);
    const twin = firstNear(at, sets, { prefix, index, threshold });
    for (const [place, token] of prefix.entries()) {
      const list = index.holders.get(token);
      if (list) list.push(at, place);
      else index.holders.set(token, [at, place]);
    }
    return twin === null ? [] : [{ at, ...twin }];
  });
}

interface PrefixIndex {
  /** For each token the sets that have it in their prefix, each followed by its place there. */
  holders: Map<number, number[]>;
  /** The set that each was last compared to: nothing is compared twice. */
  comparedTo: Int32Array;
}

/** Every text's distinct tokens as numbers, rarest token first and lowest; a number takes a tenth of a string's room. */
function rankedSets(texts: Iterable<string[]>): Uint32Array[] {
  const codes = new Map<string, number>();
  const frequency: number[] = [];
  const coded = Array.from(texts, (tokens) => {
    const set = new Set(
      tokens.map((token) => codes.get(token) ?? (codes.set(token, codes.size), codes.size - 1)),
    );
    for (const code of set) frequency[code] = (frequency[code] ?? 0) + 1;
    return Uint32Array.from(set);
  });
  const byRarity = frequency.map((_, code) => code).sort((a, b) => frequency[a]! - frequency[b]! || a - b);
  const rank = new Uint32Array(byRarity.length);
  for (const [place, code] of byRarity.entries()) rank[code] = place;
  return coded.map((set) => set.map((code) => rank[code]!).sort());
}

function firstNear(
  at: number,
  sets: Uint32Array[],
  { prefix, index, threshold }: { prefix: Uint32Array; index: PrefixIndex; threshold: number },
): { of: number; similarity: number } | null {
  for (const [place, token] of prefix.entries()) {
    const list = index.holders.get(token) ?? [];
    for (let next = 0; next < list.length; next += 2) {
      const of = list[next]!;
      if (index.comparedTo[of] === at) continue;
      index.comparedTo[of] = at;
      const similarity = jaccardFrom(sets[at]!, sets[of]!, { i: place, j: list[next + 1]!, threshold });
      if (similarity !== null) return { of, similarity };
    }
  }
  return null;
}

/**
 * The Jaccard of two ascending lists that share no number before `a[i]` and `b[j]`, or null where it is under the threshold:
 * that is known as soon as too many numbers stand in one of the two alone, and rare ones, which come first, mostly do.
 */
function jaccardFrom(
  a: Uint32Array,
  b: Uint32Array,
  { i, j, threshold }: { i: number; j: number; threshold: number },
): number | null {
  const total = a.length + b.length;
  // A hair more than needed, for rounding; the quotient below decides.
  const mostAlone = Math.floor((total * (1 - threshold)) / (1 + threshold) + 1e-6);
  let alone = Math.abs(a.length - b.length) > mostAlone ? total : i + j;
  while (i < a.length && j < b.length && alone <= mostAlone) {
    const x = a[i]!;
    const y = b[j]!;
    if (x !== y) alone++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  if (alone > mostAlone) return null;
  alone += a.length - i + (b.length - j);
  const shared = (total - alone) / 2;
  const similarity = shared / (total - shared);
  return similarity >= threshold ? similarity : null;
}
