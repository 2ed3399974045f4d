/**
 * The corpus index: a file derived from a corpus, so that a task costs the same however many playbooks there are, with
 * exactly the scan's results. It is a module of its own because it is storage and no stage of the pipeline: `openIndexed`
 * stands behind loadCorpus and retrieve of replay.ts, which stay the path for small corpora and the oracle of the tests.
 * build_index.ts writes the file, so that a run that only reads does not load the writer.
 *
 * One file a corpus, `data/_kb/index-<16 hex of the SHA-256 of the corpus' real path>.bin`. It is immutable: written beside
 * its place, flushed and renamed, so that a reader has the old one or the new one, whole. It is mapped into memory, and for
 * that reason must never be truncated or written in place (that would kill a reader with SIGBUS). The corpus is not mapped,
 * for it belongs to its user: the few records that are asked for are read from it by offset, and checked.
 *
 * FORMAT, version 1. All numbers are little-endian, every section begins at a multiple of 8.
 *
 *   0           8 bytes   magic: 89 44 58 49 0d 0a 1a 0a
 *   8           u32       version; u32 zero
 *   16          sections, one after the other, in the order of SECTIONS below
 *   end-24-H    H bytes   header: JSON (type `Header`), UTF-8; it says where each section is
 *   end-24      u32 H; u32 CRC-32 of the header; u32 version; u32 zero; the magic again
 *
 * A line of the corpus that is a playbook has a slot, live or superseded by a later line with its id. Slots are numbered
 * segment by segment; a segment is a stretch of SEGMENT_SLOTS slots of the corpus (fewer in the last ones), and in it they
 * are ordered by how many plain tokens they have, then by their place in the corpus. Short records can score highest under
 * `jaccard`, so a search reads the beginning of each segment and stops. Tokens are numbered as they are met.
 *
 *   per slot S   offset f64 (of its line in the corpus), bytes u32 (of the line), crc u32 (CRC-32 of the line), size u32
 *                (distinct plain tokens), length u32 (weighted tokens with repeats), headStart u32 [S + 1], state u8
 *                (bit 0: superseded, bit 1: `rejected`)
 *   heads        u32      the weighted tokens of title and tags, each once, in the order in which they are met; those of
 *                         slot s from headStart[s] to headStart[s + 1]
 *   ids, runs    f64      hash28(id) · 2^24 + slot of every live slot, ascending; the same of `source_run_id`, "" left out
 *   per token T  textStart u32 [T + 1], postingStart u32 [T + 1], weightedDf u32, plainDf u32 (live slots that have it)
 *   text         bytes    the tokens' ASCII text, token t from textStart[t] to textStart[t + 1]
 *   table        u32      a hash table, size a power of two: 1 + token number at hash32(token), linear probing; 0: empty
 *   postings     u32      slot << 8 | plain << 7 | head << 6 | count, ascending; the token stands `count` times in the
 *                         record by weightedTokens (0: not at all; 63: 63 times or more), in its head, in tokenise's list
 *   manyAt u32, many u32  of the postings with a count of 63, ascending: their number, and the count itself
 *
 * hash32 is FNV-1a over UTF-16 code units, hash28 its upper 28 bits.
 * Limits: 2^24 slots and a file of 4 GiB (what Bun.mmap maps), some 4 million playbooks of 1.4 KB. Beyond, the scan answers.
 *
 * What it is believed by: magic, version, length and the header's checksum (not torn, not foreign, not of another version);
 * path, device, inode, size, mtime and ctime of the corpus with hashes of its head and tail (not stale). A corpus that has
 * only grown keeps its index: hashes of SAMPLES windows over what the index covers have to match, and the rest is read and
 * ranked beside the index. Every record that is read through the index is held against its checksum. What cannot be noticed
 * without reading everything: bytes changed in place, at the same length, between the windows, in a record that no task
 * retrieves, together with an append or with a forged clock. A fold and `distill index --check` read everything and do notice.
 */
import {
  coverageOf,
  DistillError,
  indexRecord,
  jaccard,
  parsePlaybook,
  saturationOf,
  scanCorpus,
  skippedLine,
  splitLines,
  tokenise,
  weightedScore,
  weighTask,
} from "./replay.ts";
import type {
  IndexedRecord,
  IndexHooks,
  OpenCorpus,
  Playbook,
  Query,
  Ranker,
  Retrieval,
  RetrieveOptions,
  Statistics,
} from "./replay.ts";

export const VERSION = 1;
export const MAGIC = Uint8Array.of(0x89, 0x44, 0x58, 0x49, 0x0d, 0x0a, 0x1a, 0x0a);
export const PREAMBLE_BYTES = 16;
export const TRAILER_BYTES = 24;
export const SEGMENT_SLOTS = 65_536;
export const MAX_SLOTS = 2 ** 24;
export const MAX_FILE_BYTES = 2 ** 32 - 1;

export const SLOT_SHIFT = 8;
export const PLAIN = 0x80;
export const IN_HEAD = 0x40;
export const COUNT_MASK = 0x3f;
export const SUPERSEDED = 1;
export const REJECTED = 2;

/** Windows of the corpus whose hashes are kept, from its first bytes to the last that are covered. */
const SAMPLES = 16;
const SAMPLE_BYTES = 4096;

/**
 * Bytes behind the covered ones that are read at every run before they are folded in. 256 KiB cost some 15 ms a run; a fold
 * costs in proportion to the corpus, so that a large one may wait for a larger tail.
 */
const foldBytes = (covered: number): number => Math.max(256 * 1024, covered / 1024);

export const SECTIONS = {
  offset: Float64Array,
  bytes: Uint32Array,
  crc: Uint32Array,
  size: Uint32Array,
  length: Uint32Array,
  headStart: Uint32Array,
  state: Uint8Array,
  heads: Uint32Array,
  ids: Float64Array,
  runs: Float64Array,
  textStart: Uint32Array,
  postingStart: Uint32Array,
  weightedDf: Uint32Array,
  plainDf: Uint32Array,
  text: Uint8Array,
  table: Uint32Array,
  postings: Uint32Array,
  manyAt: Uint32Array,
  many: Uint32Array,
} as const;
export type SectionName = keyof typeof SECTIONS;
export type Sections = { [name in SectionName]: InstanceType<(typeof SECTIONS)[name]> };

/** What can be had of a corpus file without reading it. */
export interface CorpusStat {
  bytes: number;
  mtimeMs: number;
  ctimeMs: number;
  ino: number;
  dev: number;
}

export interface Segment {
  slot: number;
  /** Where it begins in the corpus, in bytes, and how many lines stand before. */
  offset: number;
  lines: number;
}

export interface Header {
  corpus: CorpusStat & {
    /** The real path. */
    path: string;
    /** Bytes from the beginning that the index speaks of: up to the last newline. */
    covered: number;
    /** Of the covered bytes. */
    sha256: string;
    /** How many lines they hold. */
    lines: number;
    /** CRC-32 of the windows of the covered bytes. */
    samples: number[];
  };
  slots: number;
  live: number;
  /** Of the live slots. */
  totalLength: number;
  /** Lines that are no playbook, 1-based, with what is wrong with them. */
  bad: [line: number, problem: string][];
  segments: Segment[];
  /** Offset and length, in bytes. */
  sections: Record<SectionName, [offset: number, bytes: number]>;
  /** CRC-32 of everything before the header. */
  crc: number;
}

export interface IndexFile extends Sections {
  header: Header;
}

/** FNV-1a, 32 bits. */
export function hash32(text: string): number {
  let hash = FNV_BASIS;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash >>> 0;
}

/** Signed, so that a loop over it stays one over 32-bit whole numbers. */
export const FNV_BASIS = 0x811c9dc5 | 0;
export const FNV_PRIME = 0x01000193;

/** The key of a slot in `ids` or `runs`: exact, since 28 + 24 bits are fewer than a double's 53. */
export const keyOf = (text: string, slot: number): number => (hash32(text) >>> 4) * MAX_SLOTS + slot;

// ---------------------------------------------------------------------------------------------------------------------
// Opening
// ---------------------------------------------------------------------------------------------------------------------

export interface IndexRequest {
  corpusPath: string;
  /** The folder that holds `data/_kb`. */
  root: string;
}

/**
 * The corpus at `corpusPath`, answered from its index, which is built, rebuilt or extended where it has to be.
 * Null where only the scan can answer: no regular file, no playbooks, an index that cannot be written (then with a warning).
 */
export async function openIndexed(
  request: IndexRequest,
  ranker: Ranker,
  hooks: IndexHooks,
): Promise<OpenCorpus | null> {
  const index = await freshIndex(request, hooks);
  if (index === null || index.header.live === 0) return null;
  const corpus = await IndexedCorpus.over(request.corpusPath, index, ranker);
  for (const [line, problem] of corpus.bad) hooks.warn(`${request.corpusPath}:${line}: ${problem}`);
  if (corpus.skipped > 1) hooks.warn(skippedLine(request.corpusPath, corpus.skipped, corpus.size));
  return corpus;
}

/** An index that may be believed for the corpus as it is now, or null. */
async function freshIndex(request: IndexRequest, hooks: IndexHooks): Promise<IndexFile | null> {
  const stat = await statCorpus(request.corpusPath);
  if (stat === null) return null;
  const path = indexPath(request);
  const index = await readIndex(path);
  const state = index ? await freshnessOf(index, stat, request.corpusPath) : "stale";
  const tail = index ? stat.bytes - index.header.corpus.covered : 0;
  if (index && (state === "same" || (state === "grown" && tail <= foldBytes(index.header.corpus.covered))))
    return index;
  try {
    const { buildIndex } = await import("./build_index.ts");
    await buildIndex({ ...request, path, base: state === "grown" ? index : null, hooks });
  } catch (error) {
    if (!(error instanceof DistillError)) throw error;
    hooks.warn(error.message);
    return state === "grown" ? index : null;
  }
  const built = await readIndex(path);
  const now = await statCorpus(request.corpusPath);
  if (built && now && (await freshnessOf(built, now, request.corpusPath)) !== "stale") return built;
  hooks.warn(`${request.corpusPath}: changed while it was being indexed. The whole corpus is read instead.`);
  return null;
}

/** Null for what is no regular file. */
export async function statCorpus(path: string): Promise<CorpusStat | null> {
  try {
    const { size: bytes, mtimeMs, ctimeMs, ino, dev, ...stat } = await Bun.file(path).stat();
    return (stat.mode & 0o170000) === 0o100000 ? { bytes, mtimeMs, ctimeMs, ino, dev } : null;
  } catch {
    return null;
  }
}

/** Where the index of a corpus is, by the corpus' real path. */
export function indexPath({ corpusPath, root }: IndexRequest): string {
  const name = new Bun.CryptoHasher("sha256").update(realPath(corpusPath)).digest("hex").slice(0, 16);
  return `${root}/data/_kb/index-${name}.bin`;
}

/** Bun's resolver follows links, and costs a tenth of what loading node:fs for it would. */
export function realPath(path: string): string {
  try {
    return Bun.resolveSync(path, "/");
  } catch {
    return path;
  }
}

/** The index file at `path`; null where there is none, or one that is torn, foreign or of another version. */
export async function readIndex(path: string): Promise<IndexFile | null> {
  const bytes = await mapFile(path);
  if (bytes === null || bytes.length < PREAMBLE_BYTES + TRAILER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const trailer = bytes.length - TRAILER_BYTES;
  const headerBytes = view.getUint32(trailer, true);
  const isOurs =
    hasMagic(bytes, 0) &&
    hasMagic(bytes, bytes.length - MAGIC.length) &&
    view.getUint32(8, true) === VERSION &&
    view.getUint32(trailer + 8, true) === VERSION &&
    headerBytes <= trailer - PREAMBLE_BYTES;
  if (!isOurs) return null;
  const json = bytes.subarray(trailer - headerBytes, trailer);
  if (Bun.hash.crc32(json) !== view.getUint32(trailer + 4, true)) return null;
  const header = JSON.parse(new TextDecoder().decode(json)) as Header;
  return sectionsOf(bytes, header);
}

const hasMagic = (bytes: Uint8Array, at: number): boolean =>
  MAGIC.every((byte, index) => bytes[at + index] === byte);

/** Mapped; read where it cannot be mapped, which wants the right to write. */
async function mapFile(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return Bun.mmap(path, { shared: false });
  } catch {
    return Bun.file(path)
      .bytes()
      .catch(() => null);
  }
}

function sectionsOf(bytes: Uint8Array<ArrayBuffer>, header: Header): IndexFile {
  const sections = Object.entries(SECTIONS).map(([name, Type]) => {
    const [offset, length] = header.sections[name as SectionName];
    return [name, new Type(bytes.buffer, bytes.byteOffset + offset, length / Type.BYTES_PER_ELEMENT)];
  });
  return { header, ...(Object.fromEntries(sections) as Sections) };
}

/** "same": nothing has changed. "grown": only lines were added. */
async function freshnessOf(
  { header: { corpus } }: IndexFile,
  now: CorpusStat,
  path: string,
): Promise<"same" | "grown" | "stale"> {
  const isSameFile = corpus.ino === now.ino && corpus.dev === now.dev && corpus.path === realPath(path);
  if (!isSameFile || now.bytes < corpus.bytes) return "stale";
  const isUntouched =
    now.bytes === corpus.bytes && now.mtimeMs === corpus.mtimeMs && now.ctimeMs === corpus.ctimeMs;
  // Touched at the same size is rewritten.
  if (!isUntouched && now.bytes === corpus.bytes) return "stale";
  const windows = Array.from({ length: SAMPLES }, (_, n) => n);
  const looked = isUntouched ? [0, SAMPLES - 1] : windows;
  const matches = await Promise.all(
    looked.map(async (n) => Bun.hash.crc32(await readSample(path, corpus.covered, n)) === corpus.samples[n]),
  );
  if (!matches.every(Boolean)) return "stale";
  return isUntouched ? "same" : "grown";
}

/** CRC-32 of each window of the first `covered` bytes. */
export const sampleCorpus = (path: string, covered: number): Promise<number[]> =>
  Promise.all(
    Array.from({ length: SAMPLES }, async (_, n) => Bun.hash.crc32(await readSample(path, covered, n))),
  );

function readSample(path: string, covered: number, n: number): Promise<Uint8Array> {
  const start = Math.floor((Math.max(0, covered - SAMPLE_BYTES) * n) / (SAMPLES - 1));
  return Bun.file(path)
    .slice(start, Math.min(covered, start + SAMPLE_BYTES))
    .bytes();
}

// ---------------------------------------------------------------------------------------------------------------------
// Looking up
// ---------------------------------------------------------------------------------------------------------------------

/** A token's number, or -1. */
export function tokenNumber({ table, textStart, text }: IndexFile, token: string): number {
  const mask = table.length - 1;
  for (let at = hash32(token) & mask; table[at] !== 0; at = (at + 1) & mask) {
    const number = table[at]! - 1;
    const start = textStart[number]!;
    if (textStart[number + 1]! - start !== token.length) continue;
    let same = 0;
    while (same < token.length && text[start + same] === token.charCodeAt(same)) same++;
    if (same === token.length) return number;
  }
  return -1;
}

/** The first place in [start, end) of an ascending array whose value is at least `value`; `end` where there is none. */
export function lowerBound(
  values: Uint32Array | Float64Array,
  value: number,
  start: number,
  end: number,
): number {
  while (start < end) {
    const middle = (start + end) >>> 1;
    if (values[middle]! < value) start = middle + 1;
    else end = middle;
  }
  return start;
}

/** Slots whose key has the hash of `text`: those that may have it. */
export function slotsWithKey(keys: Float64Array, text: string): number[] {
  const first = keyOf(text, 0);
  const slots: number[] = [];
  for (
    let at = lowerBound(keys, first, 0, keys.length);
    at < keys.length && keys[at]! < first + MAX_SLOTS;
    at++
  )
    slots.push(keys[at]! - first);
  return slots;
}

/** How often token number `token` stands in a slot, by weightedTokens. */
function countIn(index: IndexFile, token: number, slot: number): number {
  const { postings, postingStart, manyAt, many } = index;
  const end = postingStart[token + 1]!;
  const at = lowerBound(postings, slot * 256, postingStart[token]!, end);
  if (at === end || postings[at]! >>> SLOT_SHIFT !== slot) return 0;
  const count = postings[at]! & COUNT_MASK;
  return count < COUNT_MASK ? count : many[lowerBound(manyAt, at, 0, manyAt.length)]!;
}

/** Thrown where a record is no longer what the index says: the index is stale although nothing else tells. */
export class StaleIndex extends Error {}

/** The records in these slots, read from the corpus. @throws StaleIndex */
export const readSlots = (path: string, index: IndexFile, slots: number[]): Promise<Playbook[]> =>
  Promise.all(
    slots.map(async (slot) => {
      const start = index.offset[slot]!;
      const line = await Bun.file(path)
        .slice(start, start + index.bytes[slot]!)
        .bytes();
      if (Bun.hash.crc32(line) !== index.crc[slot]) throw new StaleIndex();
      const playbook = parsePlaybook(line);
      if (playbook === null || typeof playbook === "string") throw new StaleIndex();
      return playbook;
    }),
  );

// ---------------------------------------------------------------------------------------------------------------------
// Ranking
// ---------------------------------------------------------------------------------------------------------------------

interface Candidate {
  score: number;
  /** Of its line in the corpus: what ties are broken by. */
  offset: number;
  /** A slot of the index, or a record that was appended since. */
  found: number | IndexedRecord;
}

/** The best K so far, best first, ties in corpus order. */
class Best {
  readonly kept: Candidate[] = [];

  constructor(readonly k: number) {}

  /** What a score has to reach to get in; 0 while there is room. */
  get floor(): number {
    return this.kept.length < this.k ? 0 : this.kept[this.k - 1]!.score;
  }

  offer(candidate: Candidate): void {
    if (!(candidate.score > 0) || candidate.score < this.floor) return;
    const isBehind = ({ score, offset }: Candidate): boolean =>
      score < candidate.score || (score === candidate.score && offset > candidate.offset);
    const at = this.kept.findIndex(isBehind);
    this.kept.splice(at < 0 ? this.kept.length : at, 0, candidate);
    if (this.kept.length > this.k) this.kept.pop();
  }
}

/** Slots at a time: their counters stay in the cache, and the bound is looked at often enough. */
const BLOCK_SLOTS = 2048;

/**
 * Jaccard over the index. With m of the task's a tokens known, a record of b tokens scores at most m / (a + b - m) where
 * b >= m; b only rises within a segment, so the rest of a segment is left out once that is below the K-th best.
 * Plain loops over typed arrays: this is what a million records cost.
 */
function rankPlain(index: IndexFile, task: Set<string>, best: Best, isOut: (slot: number) => boolean): void {
  const terms = [...task].map((token) => tokenNumber(index, token)).filter((number) => number >= 0);
  const { postings, postingStart, size, offset, header } = index;
  const cursors = new Uint32Array(terms.length);
  const shared = new Uint32Array(BLOCK_SLOTS);
  const touched = new Uint32Array(BLOCK_SLOTS);
  const known = terms.length;
  const bound = (b: number): number => known / (task.size + Math.max(b, known) - known);
  for (const [n, segment] of header.segments.entries()) {
    const last = header.segments[n + 1]?.slot ?? header.slots;
    for (let t = 0; t < known; t++)
      cursors[t] = lowerBound(
        postings,
        segment.slot * 256,
        postingStart[terms[t]!]!,
        postingStart[terms[t]! + 1]!,
      );
    for (let first = segment.slot; first < last; first += BLOCK_SLOTS) {
      if (bound(size[first]!) < best.floor) break;
      const limit = Math.min(first + BLOCK_SLOTS, last) * 256;
      let count = 0;
      for (let t = 0; t < known; t++) {
        const end = postingStart[terms[t]! + 1]!;
        let at = cursors[t]!;
        for (; at < end && postings[at]! < limit; at++) {
          if ((postings[at]! & PLAIN) === 0) continue;
          const place = (postings[at]! >>> SLOT_SHIFT) - first;
          if (shared[place]!++ === 0) touched[count++] = place;
        }
        cursors[t] = at;
      }
      for (let n = 0; n < count; n++) {
        const place = touched[n]!;
        const slot = first + place;
        const score = shared[place]! / (task.size + size[slot]! - shared[place]!);
        shared[place] = 0;
        if (score >= best.floor && !isOut(slot)) best.offer({ score, offset: offset[slot]!, found: slot });
      }
    }
  }
}

interface Term {
  number: number;
  weight: number;
  start: number;
  end: number;
}

/** A bound is computed in another order than the score, so it is widened by more than rounding can differ by. */
const ROUNDING = 1 + 1e-9;
/** Steps of a binary search cost about as much as this many postings read in a row. */
const SEARCH_COST = 24;
/** The bound of a slot that has been scored or cannot get in; not 0, so that it is not met anew. */
const SPENT = -1e300;

/**
 * `weighted` over the index, by the bound that replay.ts gives with the formula: the record's half of a score is summed up
 * from the postings, the title's is taken for W(A∩T) / W(A). Terms go from the rarest to the most common; once the rest of
 * them together stays below the K-th best score, a record that has only those is left out, and their postings are looked up
 * for the candidates alone. Candidates are scored, exactly, in order of their bound until it falls below the K-th best.
 */
class WeightedSearch {
  private readonly terms: Term[];
  /** Every slot that has a bound, in the order in which they were met. */
  private touched = new Uint32Array(4096);
  private touchedCount = 0;

  constructor(
    private readonly index: IndexFile,
    private readonly query: Query<number>,
    private readonly scope: Statistics<number>,
    private readonly best: Best,
    private readonly isOut: (slot: number) => boolean,
    /** By slot, all 0 before and after. */
    private readonly bounds: Float64Array,
  ) {
    const { postingStart } = index;
    this.terms = [...query.weights]
      .map(([number, weight]): Term => {
        return { number, weight, start: postingStart[number]!, end: postingStart[number + 1]! };
      })
      .filter(({ start, end }) => end > start)
      .sort((a, b) => b.weight - a.weight);
  }

  run(): void {
    const { best, terms } = this;
    // rest[n]: what a record scores at most that has only the terms from the n-th on.
    const rest = new Float64Array(terms.length + 1);
    for (let n = terms.length - 1; n >= 0; n--)
      rest[n] = rest[n + 1]! + (terms[n]!.weight / this.query.known) * ROUNDING;
    let n = 0;
    for (; n < terms.length && rest[n]! >= best.floor; n++) {
      this.addAll(terms[n]!);
      this.scoreFirst(best.k);
    }
    let candidates = this.above(best.floor - rest[n]!, this.touched.subarray(0, this.touchedCount)).sort();
    for (; n < terms.length; n++) {
      this.addTo(candidates, terms[n]!);
      candidates = this.above(best.floor - rest[n + 1]!, candidates);
    }
    this.scoreAll(candidates);
    for (let n = 0; n < this.touchedCount; n++) this.bounds[this.touched[n]!] = 0;
  }

  /** What one posting adds to a bound: `share` for the title, less for the record the longer it is. */
  private addAll({ start, end, weight }: Term): void {
    const { postings, length } = this.index;
    const { bounds } = this;
    const share = weight / (2 * this.query.known);
    // K = base + slope · length.
    const base = saturationOf(0, this.scope.averageLength);
    const slope = saturationOf(1, this.scope.averageLength) - base;
    const touched = this.reserve(end - start);
    let count = this.touchedCount;
    for (let at = start; at < end; at++) {
      const posting = postings[at]!;
      const f = posting & COUNT_MASK;
      if (f === 0) continue;
      const slot = posting >>> SLOT_SHIFT;
      const covered = f === COUNT_MASK ? 1 : f / (f + base + slope * length[slot]!);
      const bound = bounds[slot]!;
      if (bound === 0) touched[count++] = slot;
      bounds[slot] = bound + share * ((posting & IN_HEAD) === 0 ? covered : covered + 1);
    }
    this.touchedCount = count;
  }

  private reserve(more: number): Uint32Array {
    if (this.touchedCount + more > this.touched.length) {
      const grown = new Uint32Array(Math.max(this.touchedCount + more, this.touched.length * 2));
      grown.set(this.touched.subarray(0, this.touchedCount));
      this.touched = grown;
    }
    return this.touched;
  }

  /** The same for slots in ascending order only. */
  private addTo(slots: Uint32Array, { start, end, weight }: Term): void {
    const { postings, length } = this.index;
    const share = weight / (2 * this.query.known);
    const isDense = slots.length * SEARCH_COST > end - start;
    let at = start;
    for (let n = 0; n < slots.length && at < end; n++) {
      const slot = slots[n]!;
      if (isDense) while (at < end && postings[at]! >>> SLOT_SHIFT < slot) at++;
      else at = lowerBound(postings, slot * 256, at, end);
      const posting = at < end ? postings[at]! : 0;
      const f = posting & COUNT_MASK;
      if (posting >>> SLOT_SHIFT !== slot || f === 0) continue;
      const covered = f === COUNT_MASK ? 1 : f / (f + saturationOf(length[slot]!, this.scope.averageLength));
      this.bounds[slot]! += share * ((posting & IN_HEAD) === 0 ? covered : covered + 1);
    }
  }

  private above(floor: number, slots: Uint32Array): Uint32Array {
    return slots.filter((slot) => this.bounds[slot]! * ROUNDING >= floor);
  }

  /** Scores the `wanted` most promising slots early, so that every further term is held against a higher floor. */
  private scoreFirst(wanted: number): void {
    const first = new Best(wanted);
    for (let n = 0; n < this.touchedCount; n++) {
      const slot = this.touched[n]!;
      const score = this.bounds[slot]!;
      if (score > first.floor) first.offer({ score, offset: slot, found: slot });
    }
    for (const { offset: slot } of first.kept) this.score(slot);
  }

  private scoreAll(candidates: Uint32Array): void {
    const { bounds, best } = this;
    const open = candidates.filter((slot) => bounds[slot]! * ROUNDING >= best.floor);
    for (const slot of open.sort((a, b) => bounds[b]! - bounds[a]!)) {
      if (bounds[slot]! * ROUNDING < best.floor) return;
      this.score(slot);
    }
  }

  private score(slot: number): void {
    if (this.bounds[slot]! < 0) return;
    this.bounds[slot] = SPENT;
    if (this.isOut(slot)) return;
    const score = weightedScore(this.query, slotRecord(this.index, slot), this.scope);
    this.best.offer({ score, offset: this.index.offset[slot]!, found: slot });
  }
}

/** A slot as scoring reads a record. */
function slotRecord(index: IndexFile, slot: number) {
  const { heads, headStart, length } = index;
  return {
    head: heads.subarray(headStart[slot]!, headStart[slot + 1]!),
    length: length[slot]!,
    counts: { get: (token: number) => countIn(index, token, slot) },
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// The corpus, answered from its index
// ---------------------------------------------------------------------------------------------------------------------

/** A record behind the covered bytes, and where its line begins. */
interface Appended {
  record: IndexedRecord;
  offset: number;
}

/** What stands behind the covered bytes. */
interface Tail {
  appended: Appended[];
  bad: [line: number, problem: string][];
  /** Lines that are playbooks, superseded ones included. */
  playbooks: number;
  bytes: number;
  sha256: string;
}

/** Records that do not count for a task, and those that do besides the index: what they add to its statistics. */
interface Change {
  out: Map<number, IndexedRecord>;
  appended: Appended[];
}

class IndexedCorpus implements OpenCorpus {
  /** Set once the index has turned out to be stale. */
  private scanned: OpenCorpus | null = null;
  private readonly bounds: Float64Array;

  private constructor(
    readonly path: string,
    private readonly index: IndexFile,
    private readonly ranker: Ranker,
    private readonly tail: Tail,
    /** Slots that a line of the tail supersedes. */
    private readonly superseding: Map<number, IndexedRecord>,
  ) {
    this.bounds = new Float64Array(ranker === "weighted" ? index.header.slots : 0);
  }

  /** @throws StaleIndex */
  static async over(path: string, index: IndexFile, ranker: Ranker): Promise<IndexedCorpus> {
    const tail = await readTail(path, index, ranker);
    const ids = tail.appended.map(({ record }) => record.playbook.id);
    const superseded = await findByIds(path, index, ids);
    const records = superseded.map(([slot, playbook]) => [slot, indexRecord(playbook, ranker)] as const);
    return new IndexedCorpus(path, index, ranker, tail, new Map(records));
  }

  get answeredBy(): "scan" | "index" {
    return this.scanned ? "scan" : "index";
  }

  get size(): number {
    return this.scanned?.size ?? this.index.header.live - this.superseding.size + this.tail.appended.length;
  }

  get skipped(): number {
    return this.scanned?.skipped ?? this.bad.length;
  }

  get superseded(): number {
    return this.scanned?.superseded ?? this.index.header.slots + this.tail.playbooks - this.size;
  }

  get parts(): OpenCorpus["parts"] {
    if (this.scanned) return this.scanned.parts;
    const { covered: bytes, sha256 } = this.index.header.corpus;
    const { tail } = this;
    return [{ bytes, sha256 }, ...(tail.bytes > 0 ? [{ bytes: tail.bytes, sha256: tail.sha256 }] : [])];
  }

  get bad(): [line: number, problem: string][] {
    return [...this.index.header.bad, ...this.tail.bad];
  }

  async retrieve(task: string, options: RetrieveOptions): Promise<Retrieval> {
    try {
      if (!this.scanned) return await this.search(task, options);
    } catch (error) {
      if (!(error instanceof StaleIndex)) throw error;
    }
    this.scanned ??= await scanCorpus(this.path, this.ranker, () => {});
    return this.scanned.retrieve(task, options);
  }

  private async search(task: string, options: RetrieveOptions): Promise<Retrieval> {
    const { index, ranker } = this;
    const change = await this.changeFor(options);
    const scope = scopeOver(index, change);
    const query = weighTask(task, scope);
    const numbers = numbered(index, query);
    const best = new Best(options.topK);
    const plain = new Set(tokenise(task));
    for (const { record, offset } of change.appended) {
      const score = record.tokens ? jaccard(plain, record.tokens) : weightedScore(query, record, scope);
      best.offer({ score, offset, found: record });
    }
    const isOut = (slot: number): boolean => change.out.has(slot);
    const numberedScope = { ...scope, df: scope.dfOf };
    if (ranker === "jaccard") rankPlain(index, plain, best, isOut);
    else if (query.known > 0)
      new WeightedSearch(index, numbers, numberedScope, best, isOut, this.bounds).run();
    return this.retrievalOf(best.kept, { query, numbers, minCoverage: options.minCoverage });
  }

  private async retrievalOf(
    kept: Candidate[],
    { query, numbers, minCoverage }: { query: Query<string>; numbers: Query<number>; minCoverage: number },
  ): Promise<Retrieval> {
    const { index, path, ranker } = this;
    const [first] = kept;
    const coverage =
      first === undefined
        ? 0
        : typeof first.found === "number"
          ? coverageOf(numbers, slotRecord(index, first.found))
          : coverageOf(query, first.found);
    const abstained = coverage < minCoverage;
    const shown = abstained ? [] : kept;
    const slots = shown.flatMap(({ found }) => (typeof found === "number" ? [found] : []));
    const playbooks = new Map(
      (await readSlots(path, index, slots)).map((playbook, n) => [slots[n]!, playbook]),
    );
    const hits = shown.map(({ found, score }) => {
      return { playbook: typeof found === "number" ? playbooks.get(found)! : found.playbook, score };
    });
    return { ranker, hits, coverage, abstained, weights: query.weights };
  }

  private async changeFor({ excludeIds = [], excludeSourceRunIds = [] }: RetrieveOptions): Promise<Change> {
    const { path, index, ranker, superseding, tail } = this;
    const runs = excludeSourceRunIds.filter((run) => run !== "");
    if (excludeIds.length + runs.length === 0) return { out: superseding, appended: tail.appended };
    const out = new Map(superseding);
    const excluded = [
      ...(await findByIds(path, index, excludeIds)),
      ...(await findByKey(path, index, index.runs, runs, (playbook) => playbook.source_run_id)),
    ];
    for (const [slot, playbook] of excluded) if (!out.has(slot)) out.set(slot, indexRecord(playbook, ranker));
    const appended = tail.appended.filter(
      ({ record: { playbook } }) =>
        !excludeIds.includes(playbook.id) && !runs.includes(playbook.source_run_id),
    );
    return { out, appended };
  }
}

async function readTail(path: string, index: IndexFile, ranker: Ranker): Promise<Tail> {
  const { covered, lines } = index.header.corpus;
  const bytes = await Bun.file(path).slice(covered).bytes();
  const tail: Tail = { appended: [], bad: [], playbooks: 0, bytes: bytes.length, sha256: "" };
  if (bytes.length === 0) return tail;
  tail.sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  const byId = new Map<string, { playbook: Playbook; offset: number }>();
  let line = lines;
  for (const { start, end } of splitLines(bytes)) {
    line++;
    const playbook = parsePlaybook(bytes.subarray(start, end));
    if (playbook === null) continue;
    if (typeof playbook === "string") {
      tail.bad.push([line, playbook]);
      continue;
    }
    tail.playbooks++;
    byId.set(playbook.id, { playbook, offset: covered + start });
  }
  tail.appended = [...byId.values()].map(({ playbook, offset }) => {
    return { record: indexRecord(playbook, ranker), offset };
  });
  return tail;
}

const findByIds = (path: string, index: IndexFile, ids: string[]): Promise<[number, Playbook][]> =>
  findByKey(path, index, index.ids, ids, (playbook) => playbook.id);

/** The live slots of records whose `field` is one of `texts`, with the records. @throws StaleIndex */
async function findByKey(
  path: string,
  index: IndexFile,
  keys: Float64Array,
  texts: string[],
  field: (playbook: Playbook) => string,
): Promise<[number, Playbook][]> {
  const slots = [...new Set(texts.flatMap((text) => slotsWithKey(keys, text)))];
  const playbooks = await readSlots(path, index, slots);
  const wanted = new Set(texts);
  return slots.flatMap((slot, n): [number, Playbook][] =>
    wanted.has(field(playbooks[n]!)) ? [[slot, playbooks[n]!]] : [],
  );
}

/** The statistics of a task's scope: the index', less what is out, with what was appended. All sums are of whole numbers. */
function scopeOver(
  index: IndexFile,
  { out, appended }: Change,
): Statistics<string> & { dfOf: (number: number) => number } {
  const change = new Map<string, number>();
  let { totalLength } = index.header;
  const count = (record: IndexedRecord, step: number): void => {
    totalLength += step * record.length;
    for (const token of record.counts.keys()) change.set(token, (change.get(token) ?? 0) + step);
  };
  for (const record of out.values()) count(record, -1);
  for (const { record } of appended) count(record, 1);
  const size = index.header.live - out.size + appended.length;
  const { weightedDf } = index;
  return {
    size,
    averageLength: totalLength / size,
    df: (token) => {
      const number = tokenNumber(index, token);
      return (number < 0 ? 0 : weightedDf[number]!) + (change.get(token) ?? 0);
    },
    dfOf: (number) =>
      weightedDf[number]! + (change.size === 0 ? 0 : (change.get(tokenText(index, number)) ?? 0)),
  };
}

const ascii = new TextDecoder();

function tokenText({ text, textStart }: IndexFile, number: number): string {
  return ascii.decode(text.subarray(textStart[number]!, textStart[number + 1]!));
}

/** A query in the index' numbers. A token that it does not have stands in none of its records and adds nothing there. */
function numbered(index: IndexFile, { weights, known, whole }: Query<string>): Query<number> {
  const numbers = [...weights].map(([token, weight]): [number, number] => [
    tokenNumber(index, token),
    weight,
  ]);
  return { weights: new Map(numbers.filter(([number]) => number >= 0)), known, whole };
}
