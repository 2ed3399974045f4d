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
 * FORMAT, version 2. All numbers are little-endian, every section begins at a multiple of 8.
 *
 *   0           8 bytes   magic: 89 44 58 49 0d 0a 1a 0a
 *   8           u32       version; u32 zero
 *   16          sections, one after the other, in the order of SECTIONS below
 *   end-24-H    H bytes   header: JSON (type `Header`), UTF-8; it says where each section is
 *   end-24      u32 H; u32 CRC-32 of the header; u32 version; u32 zero; the magic again
 *
 * A line of the corpus that is a playbook has a slot, live or superseded by a later line with its id. Slots are numbered
 * segment by segment; a segment is a stretch of SEGMENT_BYTES of the corpus (less in the last ones), and in it they are
 * ordered by how many plain tokens they have, then by their place in the corpus. Short records can score highest under
 * `jaccard`, so a search reads the beginning of each segment and stops. Tokens are numbered as they are met.
 *
 *   per slot S   offset f64 (of its line in the corpus), bytes u32 (of the line), crc u32 (CRC-32 of the line), size u32
 *                (distinct plain tokens), length u32 (weighted tokens with repeats), headStart u32 [S + 1], state u8
 *                (bit 0: superseded, bit 1: `rejected`)
 *   heads        u32      the weighted tokens of title and tags, each once, in the order in which they are met; those of
 *                         slot s from headStart[s] to headStart[s + 1]
 *   ids, runs    f64      hash28(id) · 2^24 + slot of every live slot, ascending; the same of `source_run_id`, "" left out
 *   per token T  textStart u32 [T + 1], postingStart u32 [T + 1], weightedDf u32 (live slots that have it)
 *   text         bytes    the tokens' ASCII text, token t from textStart[t] to textStart[t + 1]
 *   titles       u32      the live slots that have a token in their title or tags, ascending; those of token t from
 *                         titleStart[t] to titleStart[t + 1]; titleStart u32 [T + 1]; peak u8 [T]: the highest count of t
 *   table        u32      a hash table, size a power of two: 1 + token number at hash32(token), linear probing; 0: empty
 *   postings     u32      slot << 8 | plain << 7 | head << 6 | count, ascending; the token stands `count` times in the
 *                         record by weightedTokens (0: not at all; 63: 63 times or more), in its head, in tokenise's list.
 *                         Runs of one or two letters, which are no tokens, have postings of 0: the gate looks for them
 *   manyAt u32, many u32  of the postings with a count of 63, ascending: their number, and the count itself
 *
 * hash32 is FNV-1a over UTF-16 code units, hash28 its upper 28 bits.
 * Limits: 2^24 slots and a file of 4 GiB (what Bun.mmap maps), some 4 million playbooks of 1.4 KB. Beyond, the scan answers.
 *
 * What it is believed by: magic, version, length and the header's checksum (not torn, not foreign, not of another version);
 * path, device, inode, size, mtime and ctime of the corpus with hashes of its head and tail (not stale). A corpus that has
 * only grown keeps its index: hashes of SAMPLES windows over what the index covers have to match, and the rest is read and
 * ranked beside the index. How it was then is kept beside the index, `index-….seen`, JSON with size, mtime and ctime, and the
 * ctime in the header by which it belongs to this index: what is touched later without growing further is stale. Every record
 * that is read through the index is held against its checksum. What cannot be noticed without reading everything: bytes
 * changed in place, at the same length, between the windows, in a record that no task retrieves, where the corpus has also
 * grown since the last run, or its times are what they were (a forged clock, two writes in one tick of it), or lines wait to
 * be folded in and the `.seen` file could not be kept. A fold and `distill index --check` read everything and do notice.
 */
import {
  candidateOf,
  coverageOf,
  DistillError,
  elsewhereAmong,
  elsewhereIn,
  indexRecord,
  jaccard,
  MAX_NAMED_LINES,
  parsePlaybook,
  saturationOf,
  scanCorpus,
  skippedLine,
  splitLines,
  supersede,
  tokenise,
  weightedScore,
  weighTask,
} from "./replay.ts";
import type {
  Candidate,
  Elsewhere,
  IndexedRecord,
  IndexHooks,
  OpenCorpus,
  Playbook,
  Query,
  Ranker,
  Retrieval,
  RetrieveOptions,
  Scorable,
  Statistics,
} from "./replay.ts";

export const VERSION = 2;
export const MAGIC = Uint8Array.of(0x89, 0x44, 0x58, 0x49, 0x0d, 0x0a, 0x1a, 0x0a);
export const PREAMBLE_BYTES = 16;
export const TRAILER_BYTES = 24;
export const SEGMENT_BYTES = 64 * 1024 * 1024;
export const MAX_SLOTS = 2 ** 24;
export const MAX_FILE_BYTES = 2 ** 32 - 1;

export const SLOT_SHIFT = 8;
export const SLOT_SCALE = 2 ** SLOT_SHIFT;
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
  text: Uint8Array,
  table: Uint32Array,
  postings: Uint32Array,
  manyAt: Uint32Array,
  many: Uint32Array,
  titleStart: Uint32Array,
  titles: Uint32Array,
  peak: Uint8Array,
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
  /** The whole file. */
  file: Uint8Array;
}

/** FNV-1a, 32 bits. */
function hash32(text: string): number {
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
  return corpusOver({ path: request.corpusPath, index, ranker }, hooks.warn);
}

/** A corpus and the index that is believed for it. */
interface Indexed {
  path: string;
  index: IndexFile;
}

interface Opened extends Indexed {
  ranker: Ranker;
}

/** The corpus, its bad lines told to `warn` as loadCorpus does; null where the index turns out to be stale. */
export async function corpusOver(opened: Opened, warn: IndexHooks["warn"]): Promise<OpenCorpus | null> {
  const { path } = opened;
  const corpus = await IndexedCorpus.over(opened).catch((error) => {
    if (error instanceof StaleIndex) return null;
    throw error;
  });
  if (corpus === null) return null;
  for (const [line, problem] of corpus.bad.slice(0, MAX_NAMED_LINES)) warn(`${path}:${line}: ${problem}`);
  if (corpus.skipped > 1) warn(skippedLine(path, corpus.skipped, corpus.size));
  return corpus;
}

/** An index that may be believed for the corpus as it is now, or null. */
async function freshIndex(request: IndexRequest, hooks: IndexHooks): Promise<IndexFile | null> {
  const found = await findIndex(request);
  if (found === null) return null;
  const { path, index, state, tail, unseen } = found;
  if (index && unseen && state === "grown") await rememberSeen(path, index, unseen);
  if (index && (state === "same" || (state === "grown" && tail <= foldBytes(index.header.corpus.covered))))
    return index;
  const base = state === "grown" ? index : null;
  try {
    const { buildIndex } = await import("./build_index.ts");
    await buildIndex({ ...request, path, base, hooks });
  } catch (error) {
    if (!(error instanceof DistillError)) throw error;
    hooks.warn(error.message);
    return base;
  }
  const built = await findIndex(request);
  if (built?.index && built.state !== "stale") return built.index;
  hooks.warn(`${request.corpusPath}: changed while it was being indexed, so the whole corpus is read.`);
  return null;
}

export interface FoundIndex {
  /** Where it is, or would be. */
  path: string;
  /** Null where there is none that can be read. */
  index: IndexFile | null;
  state: "same" | "grown" | "stale";
  /** Bytes of the corpus behind those that it covers. */
  tail: number;
  /** The corpus, where no run before has found it with this size and these times. */
  unseen: CorpusStat | null;
}

/** The index of a corpus as it stands, believed or not; null where there is no regular file to index. */
export async function findIndex(request: IndexRequest): Promise<FoundIndex | null> {
  const stat = await statCorpus(request.corpusPath);
  if (stat === null) return null;
  const path = indexPath(request);
  const index = await readIndex(path);
  if (index === null) return { path, index, state: "stale", tail: 0, unseen: stat };
  const seen = await lastSeen(path, index, stat);
  const state = await freshnessOf(index, { now: stat, seen }, request.corpusPath);
  const unseen = isUntouched(seen, stat) ? null : stat;
  return { path, index, state, tail: stat.bytes - index.header.corpus.covered, unseen };
}

/** Null for what is no regular file. */
async function statCorpus(path: string): Promise<CorpusStat | null> {
  try {
    const { size: bytes, mtimeMs, ctimeMs, ino, dev, ...stat } = await Bun.file(path).stat();
    return (stat.mode & 0o170000) === 0o100000 ? { bytes, mtimeMs, ctimeMs, ino, dev } : null;
  } catch {
    return null;
  }
}

/** Where the index of a corpus is, by the corpus' real path. */
export function indexPath({ corpusPath, root }: IndexRequest): string {
  const name = new Bun.CryptoHasher("sha256").update(realPathOrSame(corpusPath)).digest("hex").slice(0, 16);
  return `${root}/data/_kb/index-${name}.bin`;
}

/** The real path, or `path` itself where nothing is there. Bun's resolver costs a tenth of what loading node:fs would. */
export function realPathOrSame(path: string): string {
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
  return { header, file: bytes, ...(Object.fromEntries(sections) as Sections) };
}

/** "same": nothing has changed. "grown": only lines were added. */
async function freshnessOf(
  { header: { corpus } }: IndexFile,
  { now, seen }: { now: CorpusStat; seen: Seen },
  path: string,
): Promise<"same" | "grown" | "stale"> {
  const isSameFile = corpus.ino === now.ino && corpus.dev === now.dev && corpus.path === realPathOrSame(path);
  const isAsSeen = isUntouched(seen, now);
  // Touched at the same size is rewritten.
  if (!isSameFile || (!isAsSeen && now.bytes <= seen.bytes)) return "stale";
  const windows = Array.from({ length: SAMPLES }, (_, n) => n);
  const looked = isAsSeen ? [0, SAMPLES - 1] : windows;
  const matches = await Promise.all(
    looked.map(async (n) => Bun.hash.crc32(await readSample(path, corpus.covered, n)) === corpus.samples[n]),
  );
  if (!matches.every(Boolean)) return "stale";
  return now.bytes === corpus.bytes ? "same" : "grown";
}

/** What tells that a corpus was touched. */
type Seen = Pick<CorpusStat, "bytes" | "mtimeMs" | "ctimeMs">;

const isUntouched = (seen: Seen, now: Seen): boolean =>
  seen.bytes === now.bytes && seen.mtimeMs === now.mtimeMs && seen.ctimeMs === now.ctimeMs;

/** The corpus as the last run found it: as it was indexed, or grown since. */
async function lastSeen(path: string, { header: { corpus } }: IndexFile, now: CorpusStat): Promise<Seen> {
  if (now.bytes <= corpus.bytes) return corpus;
  try {
    const seen = await Bun.file(seenPath(path)).json();
    return seen.indexed === corpus.ctimeMs ? seen : corpus;
  } catch {
    return corpus;
  }
}

/**
 * Keeps the state of a corpus that has only grown, so that the next run notices what is rewritten in it meanwhile. Written in
 * its place, which takes a fortieth of loading node:fs to rename it: half of it is no JSON, and is not believed.
 */
async function rememberSeen(path: string, { header }: IndexFile, now: Seen): Promise<void> {
  const { bytes, mtimeMs, ctimeMs } = now;
  const seen = { indexed: header.corpus.ctimeMs, bytes, mtimeMs, ctimeMs };
  // Where it cannot be written, every run compares the windows.
  await Bun.write(seenPath(path), JSON.stringify(seen)).catch(() => {});
}

const seenPath = (path: string): string => path.replace(/\.bin$/, ".seen");

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
export function tokenNumber(
  { table, textStart, text }: Pick<IndexFile, "table" | "textStart" | "text">,
  token: string,
): number {
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

/** The numbers of the tokens that have `part` in their text. */
function tokensWith({ text, textStart }: IndexFile, part: string): number[] {
  const all = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const numbers: number[] = [];
  for (let at = all.indexOf(part, 0, "latin1"); at >= 0;) {
    const token = lowerBound(textStart, at + 1, 0, textStart.length) - 1;
    const end = textStart[token + 1]!;
    // Texts stand side by side, so a match may run from one into the next; then none behind it is within the first.
    if (at + part.length <= end) numbers.push(token);
    at = all.indexOf(part, end, "latin1");
  }
  return numbers;
}

/** The live slots that have a run of word characters with `part` in it, and maybe others, in corpus order. */
function* slotsWith(index: IndexFile, part: string): Generator<number> {
  const { postings, postingStart, header, offset, state } = index;
  const tokens = part === "" ? [] : tokensWith(index, part);
  // Most facts that stand nowhere, in a corpus of any size.
  if (part !== "" && tokens.length === 0) return;
  const isIn = new Uint8Array(header.slots);
  if (part === "") isIn.fill(1);
  for (const token of tokens)
    for (let at = postingStart[token]!; at < postingStart[token + 1]!; at++)
      isIn[postings[at]! >>> SLOT_SHIFT] = 1;
  for (const [n, { slot: first }] of header.segments.entries()) {
    const last = header.segments[n + 1]?.slot ?? header.slots;
    const slots: number[] = [];
    for (let slot = first; slot < last; slot++)
      if (isIn[slot] === 1 && (state[slot]! & SUPERSEDED) === 0) slots.push(slot);
    yield* slots.sort((a, b) => offset[a]! - offset[b]!);
  }
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
function slotsWithKey(keys: Float64Array, text: string): number[] {
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

/** The posting of token number `token` for a slot, or 0. */
function postingIn({ postings, postingStart }: IndexFile, token: number, slot: number): number {
  const end = postingStart[token + 1]!;
  const at = lowerBound(postings, slot * SLOT_SCALE, postingStart[token]!, end);
  return at < end && postings[at]! >>> SLOT_SHIFT === slot ? postings[at]! : 0;
}

/** How often token number `token` stands in a slot, by weightedTokens. */
function countIn(index: IndexFile, token: number, slot: number): number {
  const count = postingIn(index, token, slot) & COUNT_MASK;
  if (count < COUNT_MASK) return count;
  const { postings, postingStart, manyAt, many } = index;
  const at = lowerBound(postings, slot * SLOT_SCALE, postingStart[token]!, postingStart[token + 1]!);
  return many[lowerBound(manyAt, at, 0, manyAt.length)]!;
}

/** Thrown where a record is no longer what the index says: the index is stale although nothing else tells. */
class StaleIndex extends Error {}

/** The records in these slots, read from the corpus. @throws StaleIndex */
async function readSlots(
  { path, index }: Indexed,
  slots: number[],
  fs: FileSystem | null = null,
): Promise<Playbook[]> {
  if (fs === null) {
    const file = Bun.file(path);
    return Promise.all(
      slots.map(async (slot) => {
        const start = index.offset[slot]!;
        return playbookIn(await file.slice(start, start + index.bytes[slot]!).bytes(), index, slot);
      }),
    );
  }
  const file = fs.openSync(path, "r");
  try {
    return slots.map((slot) => readSlot(file, index, slot));
  } finally {
    fs.closeSync(file);
  }
}

function readSlot(file: number, index: IndexFile, slot: number): Playbook {
  const line = new Uint8Array(index.bytes[slot]!);
  fileSystem().readSync(file, line, 0, line.length, index.offset[slot]!);
  return playbookIn(line, index, slot);
}

function playbookIn(line: Uint8Array, index: IndexFile, slot: number): Playbook {
  if (Bun.hash.crc32(line) !== index.crc[slot]) throw new StaleIndex();
  const playbook = parsePlaybook(line);
  if (playbook === null || typeof playbook === "string") throw new StaleIndex();
  return playbook;
}

type FileSystem = typeof import("node:fs");

/** Loaded at first need: for one task that reads eight records it costs more than it saves. */
const fileSystem = (): FileSystem => process.getBuiltinModule("node:fs");

// ---------------------------------------------------------------------------------------------------------------------
// Ranking
// ---------------------------------------------------------------------------------------------------------------------

interface Ranked {
  score: number;
  /** Of its line in the corpus: what ties are broken by. */
  offset: number;
  /** A slot of the index, or a record that was appended since. */
  found: number | IndexedRecord;
}

/** The best K so far, best first, ties in corpus order. */
class Best {
  readonly kept: Ranked[] = [];

  constructor(
    readonly k: number,
    /** Slots that do not count for the task. */
    readonly isOut: (slot: number) => boolean,
  ) {}

  /** What a score has to reach to get in; 0 while there is room. */
  get floor(): number {
    return this.kept.length < this.k ? 0 : this.kept[this.k - 1]!.score;
  }

  offer(candidate: Ranked): void {
    if (!(candidate.score > 0) || candidate.score < this.floor) return;
    const isBehind = ({ score, offset }: Ranked): boolean =>
      score < candidate.score || (score === candidate.score && offset > candidate.offset);
    const at = this.kept.findIndex(isBehind);
    this.kept.splice(at < 0 ? this.kept.length : at, 0, candidate);
    if (this.kept.length > this.k) this.kept.pop();
  }
}

/** Slots at a time: their sums stay in the cache, and bounds are looked at often enough. */
const BLOCK_SLOTS = 8192;
/** Records of the rarest terms that are scored first, times K: the floor is high from the beginning. */
const SEEDS = 1;
/** A binary search takes about as long as reading so many postings in a row. */
const SEARCH_COST = 16;
/** A bound is computed in another order than a score, so it is widened by more than rounding can differ by. */
const ROUNDING = 1 + 1e-9;

/** What the values of terms are read from. */
interface Column {
  values: Uint32Array;
  starts: Uint32Array;
  /** A value of slot s is at least s · scale, and less than (s + 1) · scale. */
  scale: number;
}

/** Slots [first, last). */
interface Block {
  first: number;
  last: number;
}

/**
 * One of the task's tokens and how far its postings have been read. Terms go from the rarest to the most common. In a block
 * those of the common ones that could not lift a record over the floor together are not essential: their postings are only
 * looked up for records that an essential one has found.
 */
class Term {
  /** Where its values for the block at hand begin and end, once it has entered the block. */
  start: number;
  end = -1;
  private readonly last: number;
  private readonly values: Uint32Array;
  private readonly scale: number;

  constructor(
    readonly number: number,
    readonly weight: number,
    { values, starts, scale }: Column,
  ) {
    this.values = values;
    this.scale = scale;
    this.start = starts[number]!;
    this.last = starts[number + 1]!;
  }

  get postings(): number {
    return this.last - this.start;
  }

  /** Finds the values for a block, unless it has; blocks are entered in ascending order. */
  enter({ first, last }: Block): this {
    if (this.end < 0) {
      this.start = this.seek(first);
      this.end = this.seek(last);
    }
    return this;
  }

  /** Before another block. */
  leave(): void {
    if (this.end >= 0) this.start = this.end;
    this.end = -1;
  }

  /** The value for a slot of the block that it has entered, or 0. */
  valueAt(slot: number): number {
    const wanted = slot * this.scale;
    const at = lowerBound(this.values, wanted, this.start, this.end);
    return at < this.end && this.values[at]! < wanted + this.scale ? this.values[at]! : 0;
  }

  /** Steps that double, then a binary search: most blocks are near. */
  private seek(slot: number): number {
    const wanted = slot * this.scale;
    let step = 1;
    let from = this.start;
    while (from + step < this.last && this.values[from + step]! < wanted) {
      from += step;
      step *= 2;
    }
    return lowerBound(this.values, wanted, from, Math.min(this.last, from + step + 1));
  }
}

/** Every block of every segment. One for which `visit` returns false ends its segment. */
function forEachBlock({ header }: IndexFile, visit: (block: Block) => boolean): void {
  for (const [n, { slot }] of header.segments.entries()) {
    const end = header.segments[n + 1]?.slot ?? header.slots;
    for (let first = slot; first < end; first += BLOCK_SLOTS)
      if (!visit({ first, last: Math.min(end, first + BLOCK_SLOTS) })) break;
  }
}

/** Slots of the rarest terms, some for each of K. */
function seedSlots({ postings, postingStart }: IndexFile, terms: Term[], k: number): Set<number> {
  const seeds = new Set<number>();
  for (const { number } of terms) {
    const start = postingStart[number]!;
    const end = Math.min(postingStart[number + 1]!, start + SEEDS * k - seeds.size);
    for (let at = start; at < end; at++) seeds.add(postings[at]! >>> SLOT_SHIFT);
  }
  return seeds;
}

/**
 * Jaccard over the index. A record of b tokens that shares s of the task's a scores s / (a + b - s), so to reach the floor f
 * it has to share f·(a + b) / (1 + f) of them; b only rises within a segment.
 */
class PlainSearch {
  private readonly terms: Term[];
  private readonly shared = new Uint32Array(BLOCK_SLOTS);
  private readonly touched = new Uint32Array(BLOCK_SLOTS);
  private seeds = new Set<number>();
  /** Terms whose postings are read in the block. */
  private essential = 0;

  constructor(
    private readonly index: IndexFile,
    private readonly task: Set<string>,
    private readonly best: Best,
  ) {
    const column = { values: index.postings, starts: index.postingStart, scale: SLOT_SCALE };
    this.terms = [...task]
      .map((token) => tokenNumber(index, token))
      .filter((number) => number >= 0)
      .map((number) => new Term(number, 0, column))
      .sort((a, b) => a.postings - b.postings);
  }

  run(): void {
    const { index, terms, best } = this;
    const seeds = seedSlots(index, terms, best.k);
    for (const slot of seeds) {
      const shared = terms.filter(({ number }) => (postingIn(index, number, slot) & PLAIN) !== 0).length;
      this.offer(slot, shared);
    }
    this.seeds = seeds;
    forEachBlock(index, (block) => this.visit(block));
  }

  private offer(slot: number, shared: number): void {
    const { index, best } = this;
    if (best.isOut(slot) || this.seeds.has(slot)) return;
    const score = shared / (this.task.size + index.size[slot]! - shared);
    if (score >= best.floor) best.offer({ score, offset: index.offset[slot]!, found: slot });
  }

  /** How many tokens a record of `size` has to share; never too many, whatever the rounding. */
  private needed(size: number): number {
    const { floor } = this.best;
    return Math.max(1, Math.ceil((floor * (this.task.size + size)) / (1 + floor) - 1e-9));
  }

  private visit(block: Block): boolean {
    const { terms, shared, touched, index } = this;
    const { first } = block;
    const essential = terms.length - this.needed(index.size[first]!) + 1;
    if (essential <= 0) return false;
    this.essential = essential;
    let count = 0;
    for (let n = 0; n < essential; n++) {
      const { start, end } = terms[n]!.enter(block);
      for (let at = start; at < end; at++) {
        const posting = index.postings[at]!;
        if ((posting & PLAIN) === 0) continue;
        const place = (posting >>> SLOT_SHIFT) - first;
        if (shared[place]!++ === 0) touched[count++] = place;
      }
    }
    for (let n = 0; n < count; n++) {
      const place = touched[n]!;
      this.look(first + place, shared[place]!, block);
      shared[place] = 0;
    }
    for (const term of terms) term.leave();
    return true;
  }

  /** Counts what the other terms share with a record that essential ones have found, as long as it can get in. */
  private look(slot: number, found: number, block: Block): void {
    const { terms, essential } = this;
    const needed = this.needed(this.index.size[slot]!);
    let shared = found;
    for (let n = essential; n < terms.length; n++) {
      if (shared + terms.length - n < needed) return;
      if ((terms[n]!.enter(block).valueAt(slot) & PLAIN) !== 0) shared++;
    }
    if (shared >= needed) this.offer(slot, shared);
  }
}

/** States of a place in a block: it has sums; and it can still get in. */
const TOUCHED = 1;
const OPEN = 2;
/** The share of the floor that terms may make up in titles alone without being looked for there; the rest is the records'. */
const TITLE_SLACK = 0.4;

/**
 * `weighted` over the index, by the bound that replay.ts gives with the formula, and sharper ones:
 *   the record's half is summed up exactly from the postings; what a term can add to it in a block follows from its highest
 *   count and from the shortest record of the block (which has at least as many tokens as different ones);
 *   the title's half is at most W(A∩T) / W(A) · W(A∩T) / (W(A∩T) + u · ln 2), u the number of the title's other tokens,
 *   for no token weighs less than ln 2, and W is at least V.
 * A record that has nothing but common terms, and none of the rarer ones in its title, stays below the floor: so the
 * postings of the common ones are only looked up for records that something else has found, and of those in between only
 * the titles are read. Who may get in is scored exactly, from the index alone.
 */
class WeightedSearch {
  private readonly terms: Term[];
  private readonly termOf: Map<number, Term>;
  private readonly titles: Term[];
  /** By place in the block: W(A∩T), how many tokens that are, and the sum of the record's half. */
  private readonly titleWeight = new Float64Array(BLOCK_SLOTS);
  private readonly titleCount = new Int32Array(BLOCK_SLOTS);
  private readonly sums = new Float64Array(BLOCK_SLOTS);
  private readonly isTouched = new Uint8Array(BLOCK_SLOTS);
  private readonly touched = new Int32Array(BLOCK_SLOTS);
  private touchedCount = 0;
  /** Those of the touched that can still get in. */
  private readonly open = new Int32Array(BLOCK_SLOTS);
  private openCount = 0;
  /** By term, of it and those behind it: the most that they add to the record's half in the block; their weight. */
  private readonly restOfRecord: Float64Array;
  private readonly restOfTitle: Float64Array;
  /** Terms whose postings are read in the block, and those whose titles are. */
  private inRecords = 0;
  private inTitles = 0;
  private seeds = new Set<number>();

  constructor(
    private readonly index: IndexFile,
    private readonly asked: { query: Query<number>; scope: Statistics<number> },
    private readonly best: Best,
  ) {
    const weights = [...asked.query.weights].sort(([, a], [, b]) => b - a);
    const termsIn = (column: Column): Term[] =>
      weights.map(([number, weight]) => new Term(number, weight, column));
    this.terms = termsIn({ values: index.postings, starts: index.postingStart, scale: SLOT_SCALE });
    this.termOf = new Map(this.terms.map((term) => [term.number, term]));
    this.titles = termsIn({ values: index.titles, starts: index.titleStart, scale: 1 });
    this.restOfRecord = new Float64Array(weights.length + 1);
    this.restOfTitle = new Float64Array(weights.length + 1);
    for (let n = weights.length - 1; n >= 0; n--)
      this.restOfTitle[n] = this.restOfTitle[n + 1]! + weights[n]![1];
  }

  run(): void {
    const seeds = seedSlots(this.index, this.terms, this.best.k);
    for (const slot of seeds) this.score(slot, countsOf(this.index, slot));
    this.seeds = seeds;
    forEachBlock(this.index, (block) => this.visit(block));
  }

  private visit(block: Block): true {
    const { terms, titles, touched } = this;
    const { first } = block;
    this.chooseEssential(first);
    for (let n = 0; n < this.inRecords; n++) this.addRecords(terms[n]!, block);
    for (let n = this.inRecords; n < this.inTitles; n++) this.addTitles(titles[n]!, block);
    this.openCount = this.touchedCount;
    this.open.set(touched.subarray(0, this.touchedCount));
    this.narrow(first, this.inRecords);
    for (let n = this.inRecords; n < terms.length && this.openCount > 0; n++) {
      this.addToOpen(n, block);
      this.narrow(first, n + 1);
    }
    for (let n = 0; n < this.openCount; n++) this.scoreIn(first + this.open[n]!, block);
    this.clear();
    for (const term of terms) term.leave();
    for (const term of titles) term.leave();
    return true;
  }

  private clear(): void {
    const { touched, touchedCount, isTouched, sums, titleWeight, titleCount } = this;
    for (let n = 0; n < touchedCount; n++) {
      const place = touched[n]!;
      isTouched[place] = 0;
      sums[place] = 0;
      titleWeight[place] = 0;
      titleCount[place] = 0;
    }
    this.touchedCount = 0;
  }

  private chooseEssential(first: number): void {
    const { terms, restOfRecord, restOfTitle, index } = this;
    const { query, scope } = this.asked;
    const floor = this.best.floor / ROUNDING;
    this.inTitles = terms.length;
    const titleOf = (n: number): number => restOfTitle[n]! / (2 * query.known);
    while (this.inTitles > 0 && titleOf(this.inTitles - 1) < TITLE_SLACK * floor) this.inTitles--;
    const slack = floor - titleOf(this.inTitles);
    const k = saturationOf(index.size[first]!, scope.averageLength);
    this.inRecords = terms.length;
    for (let n = terms.length - 1; n >= 0; n--) {
      const f = index.peak[terms[n]!.number]!;
      restOfRecord[n] = restOfRecord[n + 1]! + this.shareOf(terms[n]!) * (f === COUNT_MASK ? 1 : f / (f + k));
      if (restOfRecord[n]! < slack) this.inRecords = n;
    }
  }

  private shareOf({ weight }: Term): number {
    return weight / (2 * this.asked.query.known);
  }

  private addTitles(term: Term, block: Block): void {
    const { titleWeight, titleCount, isTouched, touched } = this;
    const { titles } = this.index;
    const { weight } = term;
    const { first } = block;
    const { start, end } = term.enter(block);
    let count = this.touchedCount;
    for (let at = start; at < end; at++) {
      const place = titles[at]! - first;
      if (isTouched[place] === 0) {
        isTouched[place] = OPEN;
        touched[count++] = place;
      }
      titleWeight[place]! += weight;
      titleCount[place]!++;
    }
    this.touchedCount = count;
  }

  private addRecords(term: Term, block: Block): void {
    const { sums, titleWeight, titleCount, isTouched, touched } = this;
    const { postings, length } = this.index;
    const { weight } = term;
    const share = this.shareOf(term);
    // K = base + slope · length.
    const base = saturationOf(0, this.asked.scope.averageLength);
    const slope = saturationOf(1, this.asked.scope.averageLength) - base;
    const { first } = block;
    const { start, end } = term.enter(block);
    let count = this.touchedCount;
    for (let at = start; at < end; at++) {
      const posting = postings[at]!;
      const f = posting & COUNT_MASK;
      if (f === 0) continue;
      const slot = posting >>> SLOT_SHIFT;
      const place = slot - first;
      if (isTouched[place] === 0) {
        isTouched[place] = OPEN;
        touched[count++] = place;
      }
      sums[place]! += f === COUNT_MASK ? share : (share * f) / (f + base + slope * length[slot]!);
      if ((posting & IN_HEAD) === 0) continue;
      titleWeight[place]! += weight;
      titleCount[place]!++;
    }
    this.touchedCount = count;
  }

  /** Keeps the records open that can get in, whatever the terms from the n-th on add. */
  private narrow(first: number, n: number): void {
    const { open, sums, titleWeight, titleCount, isTouched, best } = this;
    const { headStart } = this.index;
    const perWeight = ROUNDING / (2 * this.asked.query.known);
    const from = Math.max(n, this.inTitles);
    const floor = best.floor / ROUNDING - this.restOfRecord[n]!;
    const rest = this.restOfTitle[from]!;
    // Terms that may yet turn up in the title are not among its other tokens.
    const more = this.terms.length - from;
    let kept = 0;
    for (let at = 0; at < this.openCount; at++) {
      const place = open[at]!;
      const weight = titleWeight[place]! + rest;
      const needed = floor - sums[place]!;
      // The title as if it had no other tokens comes first, since it takes no division.
      let isOpen = weight * perWeight >= needed;
      if (isOpen && weight > 0) {
        const length = headStart[first + place + 1]! - headStart[first + place]!;
        const others = Math.max(0, length - titleCount[place]! - more);
        isOpen = ((weight * weight) / (weight + others * Math.LN2)) * perWeight >= needed;
      }
      if (isOpen) open[kept++] = place;
      else isTouched[place] = TOUCHED;
    }
    this.openCount = kept;
  }

  /** Adds what the n-th term has for the open records, by reading its postings or by looking them up, whichever is less. */
  private addToOpen(n: number, block: Block): void {
    const term = this.terms[n]!;
    const { postings, length } = this.index;
    const { isTouched, open, sums } = this;
    const share = this.shareOf(term);
    const base = saturationOf(0, this.asked.scope.averageLength);
    const slope = saturationOf(1, this.asked.scope.averageLength) - base;
    const { first } = block;
    const { start, end } = term.enter(block);
    const isFew = this.openCount * SEARCH_COST < end - start;
    const steps = isFew ? this.openCount : end - start;
    for (let step = 0; step < steps; step++) {
      const posting = isFew ? term.valueAt(first + open[step]!) : postings[start + step]!;
      const slot = posting >>> SLOT_SHIFT;
      const f = posting & COUNT_MASK;
      if (f === 0 || isTouched[slot - first] !== OPEN) continue;
      sums[slot - first]! += f === COUNT_MASK ? share : (share * f) / (f + base + slope * length[slot]!);
      // Up to there titles have been read.
      if (n < this.inTitles || (posting & IN_HEAD) === 0) continue;
      this.titleWeight[slot - first]! += term.weight;
      this.titleCount[slot - first]!++;
    }
  }

  /** Scores a slot of the block: its postings are near those that the terms have read. */
  private scoreIn(slot: number, block: Block): void {
    const get = (token: number): number => {
      const count = this.termOf.get(token)!.enter(block).valueAt(slot) & COUNT_MASK;
      return count < COUNT_MASK ? count : countIn(this.index, token, slot);
    };
    this.score(slot, { get });
  }

  private score(slot: number, counts: Scorable<number>["counts"]): void {
    if (this.best.isOut(slot) || this.seeds.has(slot)) return;
    const { heads, headStart, length } = this.index;
    const head = heads.subarray(headStart[slot]!, headStart[slot + 1]!);
    const score = weightedScore(this.asked.query, { head, length: length[slot]!, counts }, this.asked.scope);
    // What does not get in is not looked up any further.
    if (score >= this.best.floor) this.best.offer({ score, offset: this.index.offset[slot]!, found: slot });
  }
}

/** How often tokens stand in a slot, looked up in all of their postings. */
const countsOf = (index: IndexFile, slot: number): Scorable<number>["counts"] => ({
  get: (token) => countIn(index, token, slot),
});

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
  /** Slots that a line of it supersedes. */
  superseding: Map<number, IndexedRecord>;
}

/** Records that do not count for a task, and those that do besides the index: what they add to its statistics. */
interface Change {
  out: Map<number, IndexedRecord>;
  appended: Appended[];
}

/** A corpus that answers from `index`, which is believed, and from what stands behind its covered bytes. */
export class IndexedCorpus implements OpenCorpus {
  /** Set once the index has turned out to be stale. */
  private scanned: OpenCorpus | null = null;

  /** Records that the gate has looked at. */
  private readonly looked = new Map<number, Candidate>();
  /** Set from the second task on: what costs a single task too much pays there. */
  private fs: FileSystem | null = null;
  private tasks = 0;

  private constructor(
    private readonly opened: Opened,
    private readonly tail: Tail,
  ) {}

  /** @throws StaleIndex */
  static async over(opened: Opened): Promise<IndexedCorpus> {
    return new IndexedCorpus(opened, await readTail(opened));
  }

  get path(): string {
    return this.opened.path;
  }

  private get index(): IndexFile {
    return this.opened.index;
  }

  get answeredBy(): "scan" | "index" {
    return this.scanned ? "scan" : "index";
  }

  get size(): number {
    return (
      this.scanned?.size ?? this.index.header.live - this.tail.superseding.size + this.tail.appended.length
    );
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
    return (await this.scan()).retrieve(task, options);
  }

  async find(ids: string[]): Promise<Map<string, Playbook>> {
    try {
      if (!this.scanned) return await this.findIndexed(ids);
    } catch (error) {
      if (!(error instanceof StaleIndex)) throw error;
    }
    return (await this.scan()).find(ids);
  }

  private async scan(): Promise<OpenCorpus> {
    return (this.scanned ??= await scanCorpus(this.path, this.opened.ranker, () => {}));
  }

  private async findIndexed(ids: string[]): Promise<Map<string, Playbook>> {
    const playbooks = this.tail.appended.map(({ record }) => record.playbook);
    const appended = playbooks.filter(({ id }) => ids.includes(id));
    const indexed = (await findBy(this.opened, "ids", ids)).map(([, playbook]) => playbook);
    // What was appended supersedes.
    return new Map([...indexed, ...appended].map((playbook) => [playbook.id, playbook]));
  }

  /** Where a fact stands, read from the records that have one of the fact's hints in one of their tokens. */
  elsewhere: Elsewhere = (fact) => {
    try {
      if (this.scanned === null) return this.look(fact);
    } catch (error) {
      this.elsewhere = this.elsewhereNow(error);
      return this.elsewhere(fact);
    }
    return this.scanned.elsewhere(fact);
  };

  /** The gate does not wait, so a corpus that has changed is read here and now; in one that is gone nothing stands. */
  private elsewhereNow(error: unknown): Elsewhere {
    if (!(error instanceof StaleIndex)) return nowhereIfUnreadable(error);
    try {
      return elsewhereIn(readNow(this.path));
    } catch (unreadable) {
      return nowhereIfUnreadable(unreadable);
    }
  }

  private readonly look = elsewhereAmong((hint) => this.candidates(hint));

  private *candidates(hint: string): Generator<Candidate> {
    const { path, index, tail, looked } = this;
    const file = fileSystem().openSync(path, "r");
    try {
      for (const slot of slotsWith(index, hint)) {
        if ((index.state[slot]! & REJECTED) !== 0 || tail.superseding.has(slot)) continue;
        if (looked.size > MAX_LOOKED) looked.clear();
        const candidate = looked.get(slot) ?? candidateOf(readSlot(file, index, slot));
        looked.set(slot, candidate);
        yield candidate;
      }
    } finally {
      fileSystem().closeSync(file);
    }
    for (const { record } of tail.appended) {
      if (record.playbook.success_score !== "rejected") yield candidateOf(record.playbook);
    }
  }

  private async search(task: string, options: RetrieveOptions): Promise<Retrieval> {
    const { index, ranker } = this.opened;
    if (this.tasks++ === 1) this.fs = fileSystem();
    const change = await this.changeFor(options);
    const scope = scopeOver(index, change);
    const query = weighTask(task, scope);
    const numbers = numbered(index, query);
    const best = new Best(options.topK, (slot) => change.out.has(slot));
    const plain = new Set(tokenise(task));
    for (const { record, offset } of change.appended) {
      const score = record.tokens ? jaccard(plain, record.tokens) : weightedScore(query, record, scope);
      best.offer({ score, offset, found: record });
    }
    const asked = { query: numbers, scope: { ...scope, df: scope.dfOf } };
    if (ranker === "jaccard") new PlainSearch(index, plain, best).run();
    else if (query.known > 0) new WeightedSearch(index, asked, best).run();
    return this.retrievalOf(best.kept, { query, numbers, minCoverage: options.minCoverage });
  }

  private async retrievalOf(
    kept: Ranked[],
    { query, numbers, minCoverage }: { query: Query<string>; numbers: Query<number>; minCoverage: number },
  ): Promise<Retrieval> {
    const { index, ranker } = this.opened;
    const [first] = kept;
    const coverage =
      first === undefined
        ? 0
        : typeof first.found === "number"
          ? coverageOf(numbers, { counts: countsOf(index, first.found) })
          : coverageOf(query, first.found);
    const abstained = coverage < minCoverage;
    const shown = abstained ? [] : kept;
    const slots = shown.flatMap(({ found }) => (typeof found === "number" ? [found] : []));
    const playbooks = new Map(
      (await readSlots(this.opened, slots, this.fs)).map((playbook, n) => [slots[n]!, playbook]),
    );
    const hits = shown.map(({ found, score }) => {
      return { playbook: typeof found === "number" ? playbooks.get(found)! : found.playbook, score };
    });
    return { ranker, hits, coverage, abstained, weights: query.weights };
  }

  private async changeFor({ excludeIds = [], excludeSourceRunIds = [] }: RetrieveOptions): Promise<Change> {
    const { opened, tail } = this;
    const { superseding } = tail;
    const runs = excludeSourceRunIds.filter((run) => run !== "");
    if (excludeIds.length + runs.length === 0) return { out: superseding, appended: tail.appended };
    const out = new Map(superseding);
    const excluded = [...(await findBy(opened, "ids", excludeIds)), ...(await findBy(opened, "runs", runs))];
    for (const [slot, playbook] of excluded)
      if (!out.has(slot)) out.set(slot, indexRecord(playbook, opened.ranker));
    const [outIds, outRuns] = [new Set(excludeIds), new Set(runs)];
    const appended = tail.appended.filter(
      ({ record: { playbook } }) => !outIds.has(playbook.id) && !outRuns.has(playbook.source_run_id),
    );
    return { out, appended };
  }
}

/** The system's errors have a code; anything else is a bug. */
function nowhereIfUnreadable(error: unknown): Elsewhere {
  if (error instanceof Error && "code" in error) return () => null;
  throw error;
}

/** Records that are kept for the gate's next fact. */
const MAX_LOOKED = 2000;

/** The playbooks of a corpus, read at once. */
function readNow(path: string): Playbook[] {
  const bytes = fileSystem().readFileSync(path);
  const byId = new Map<string, Playbook>();
  for (const { playbook } of linesOf(bytes)) {
    if (typeof playbook === "object") supersede(byId, playbook.id, playbook);
  }
  return [...byId.values()];
}

/** The lines that are not blank, each with its number, its offset, and its playbook or what is wrong with it. */
function* linesOf(
  bytes: Uint8Array,
): Generator<{ number: number; start: number; playbook: Playbook | string }> {
  let number = 0;
  for (const { start, end } of splitLines(bytes)) {
    number++;
    const playbook = parsePlaybook(bytes.subarray(start, end));
    if (playbook !== null) yield { number, start, playbook };
  }
}

/** @throws StaleIndex */
async function readTail(opened: Opened): Promise<Tail> {
  const { path, index, ranker } = opened;
  const { covered, lines } = index.header.corpus;
  const file = Bun.file(path);
  const bytes = file.size > covered ? await file.slice(covered).bytes() : new Uint8Array();
  const bad: Tail["bad"] = [];
  let playbooks = 0;
  const byId = new Map<string, { playbook: Playbook; offset: number }>();
  for (const { number, start, playbook } of linesOf(bytes)) {
    if (typeof playbook === "string") {
      bad.push([lines + number, playbook]);
      continue;
    }
    playbooks++;
    supersede(byId, playbook.id, { playbook, offset: covered + start });
  }
  const superseded = await findBy(opened, "ids", [...byId.keys()]);
  return {
    appended: [...byId.values()].map((one) => ({
      record: indexRecord(one.playbook, ranker),
      offset: one.offset,
    })),
    bad,
    playbooks,
    bytes: bytes.length,
    sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
    superseding: new Map(superseded.map(([slot, playbook]) => [slot, indexRecord(playbook, ranker)])),
  };
}

/** What slots are found by. */
const KEYED = {
  ids: ({ id }: Playbook) => id,
  runs: ({ source_run_id }: Playbook) => source_run_id,
};

/** The live slots of records that have one of `texts` there, with the records. @throws StaleIndex */
async function findBy(
  corpus: Indexed,
  key: keyof typeof KEYED,
  texts: string[],
): Promise<[number, Playbook][]> {
  const slots = [...new Set(texts.flatMap((text) => slotsWithKey(corpus.index[key], text)))];
  const playbooks = await readSlots(corpus, slots);
  const wanted = new Set(texts);
  return slots.flatMap((slot, n): [number, Playbook][] =>
    wanted.has(KEYED[key](playbooks[n]!)) ? [[slot, playbooks[n]!]] : [],
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
