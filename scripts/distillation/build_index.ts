/**
 * Writes the corpus index that corpus_index.ts describes and reads.
 *
 *   ranges of lines -> tokens by number -> segments, each with its postings in token order -> runs in a file -> merged
 *
 * Memory is what one segment takes, the tokens' texts, and some 60 bytes a playbook; the postings, which are most of an
 * index, go through a file. A fold is the same with a base: the segments of an older index are taken over, postings and all,
 * and only what was appended is tokenised, with the last segments that are small beside it, so that there are never many.
 * Ranges can be read by several Workers (index_worker.ts); tokens are numbered in the order of the ranges, whoever reads
 * them, so that the bytes of an index do not depend on their number.
 *
 * Loops over typed arrays, since a gigabyte of text goes through them. A run of letters, digits and underscores is put to
 * the tokenisers of replay.ts once, when it is first met, so that the index cannot read a text otherwise than the scan does.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
  existsSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import {
  COUNT_MASK,
  findIndex,
  FNV_BASIS,
  FNV_PRIME,
  IN_HEAD,
  keyOf,
  lowerBound,
  MAGIC,
  MAX_FILE_BYTES,
  MAX_SLOTS,
  PLAIN,
  PREAMBLE_BYTES,
  realPathOrSame,
  REJECTED,
  sampleCorpus,
  SECTIONS,
  SEGMENT_BYTES,
  SLOT_SCALE,
  SLOT_SHIFT,
  SUPERSEDED,
  tokenNumber,
  TRAILER_BYTES,
  VERSION,
} from "./corpus_index.ts";
import type {
  CorpusStat,
  FoundIndex,
  Header,
  IndexFile,
  IndexRequest,
  SectionName,
  Segment,
} from "./corpus_index.ts";
import { DistillError, errorCode, parsePlaybook, splitLines, tokenise, weightedTokens } from "./replay.ts";
import type { IndexHooks, Playbook } from "./replay.ts";

export interface BuildRequest extends IndexRequest {
  /** Where the index goes. */
  path: string;
  /** An older index of a corpus that has only grown since. */
  base: IndexFile | null;
  hooks: IndexHooks;
  /** How many threads read the corpus; by default as many as pay. */
  workers?: number;
  /** For tests: corpora of several segments need not be large. */
  segmentBytes?: number;
}

/** A Worker takes longer to start and to hand over its part than it saves below so many bytes. */
const WORKERS_FROM_BYTES = 64 * 1024 * 1024;
/** Reading is what takes the time, but memory grows with every reader. */
const MOST_WORKERS = 4;
const CHUNK_BYTES = 1024 * 1024;
/** Postings that are merged at a time. */
const BATCH_POSTINGS = 2 * 1024 * 1024;

/** The base has turned out to be of another text. */
class Rewritten extends Error {}

/**
 * Builds the index of a corpus, beside its place, and puts it there.
 * @throws DistillError `evidence` where it cannot be written, is too large, or is interrupted; nothing is left behind then.
 */
export async function buildIndex(request: BuildRequest): Promise<void> {
  const { path, base, corpusPath } = request;
  try {
    mkdirSync(dirname(path), { recursive: true });
    sweep(path);
    await buildBeside(request, `${path}.${process.pid}-${Bun.randomUUIDv7()}`);
  } catch (error) {
    if (error instanceof Rewritten && base) return buildIndex({ ...request, base: null });
    if (error instanceof Rewritten) throw changed(corpusPath);
    throw error instanceof DistillError ? error : unwritable(path, error);
  }
}

/** Builds in files of its own and renames the whole one; whatever happens, none of its own is left. */
async function buildBeside(request: BuildRequest, beside: string): Promise<void> {
  const folder = dirname(beside);
  try {
    const builder = new Builder(request, beside);
    try {
      await builder.read();
      await builder.write(`${beside}.tmp`);
    } finally {
      builder.close();
    }
    renameSync(`${beside}.tmp`, request.path);
  } finally {
    for (const name of readdirSync(folder))
      if (name.startsWith(basename(beside))) rmSync(join(folder, name), { force: true });
  }
}

const changed = (path: string): DistillError =>
  new DistillError(
    "evidence",
    `${path}: changed while it was being indexed, so the whole corpus is read. Run distill index.`,
  );

/** What `distill index` did. */
export interface IndexUpdate {
  change: "built" | "extended" | "unchanged";
  path: string;
  index: IndexFile;
}

/**
 * The index of a corpus, brought up to date, or built anew where `rebuild` asks for it.
 * @throws DistillError `input` where there is no such corpus, `evidence` as buildIndex does
 */
export async function updateIndex(
  request: IndexRequest & { rebuild: boolean; workers?: number },
  hooks: IndexHooks,
): Promise<IndexUpdate> {
  const found = await regularFile(request);
  const { path, state, index } = found;
  if (index && !request.rebuild && (state === "same" || (state === "grown" && found.tail === 0)))
    return { change: "unchanged", path, index };
  const base = state === "grown" && !request.rebuild ? index : null;
  await buildIndex({ ...request, path, base, hooks });
  const built = await regularFile(request);
  if (!built.index || built.state === "stale") throw changed(request.corpusPath);
  return { change: base ? "extended" : "built", path, index: built.index };
}

async function regularFile(request: IndexRequest): Promise<FoundIndex> {
  const found = await findIndex(request);
  if (found) return found;
  const isThere = existsSync(request.corpusPath);
  const what = isThere
    ? "a folder, a pipe or a device has no index. Name a file"
    : "no such file. Check the path";
  throw new DistillError("input", `${request.corpusPath}: ${what}.`);
}

/** What is wrong with the index of a corpus, after reading both of them whole; empty where nothing is. */
export async function checkIndex(request: IndexRequest): Promise<{ problems: string[]; found: FoundIndex }> {
  const found = await regularFile(request);
  const { index, state } = found;
  if (!index) return { problems: ["there is no index that can be read"], found };
  const { header, file } = index;
  const problems: string[] = [];
  if (state === "stale") problems.push("it was made of another state of the corpus");
  const end = Math.max(...Object.values(header.sections).map(([offset, bytes]) => offset + bytes));
  if (Bun.hash.crc32(file.subarray(0, end)) !== header.crc) problems.push("it is damaged");
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(request.corpusPath).slice(0, header.corpus.covered).stream())
    hasher.update(chunk);
  if (state !== "stale" && hasher.digest("hex") !== header.corpus.sha256)
    problems.push("lines that it covers were changed in place");
  return { problems, found };
}

function unwritable(path: string, error: unknown): DistillError {
  if (!(error instanceof Error) || !("syscall" in error)) throw error;
  return new DistillError(
    "evidence",
    `${path}: the index cannot be written (${errorCode(error)}), so the whole corpus is read. Make the folder writable, or make room.`,
    { cause: error },
  );
}

/** Removes what builders that were killed have left; their process' number is in the name. */
function sweep(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const pid = Number(/^\d+/.exec(name.slice(basename(path).length + 1))?.[0]);
    if (!Number.isNaN(pid) && !isAlive(pid)) rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

type Growable = Uint8Array | Int32Array | Uint32Array | Float64Array;

/** The array itself where it has room for `length`, else a copy at least twice as long. */
function roomFor<T extends Growable>(array: T, length: number): T {
  if (length <= array.length) return array;
  const grown = new (array.constructor as new (length: number) => T)(Math.max(length, array.length * 2));
  grown.set(array as never);
  return grown;
}

/** A typed array that grows as it is filled. */
class Column<T extends Growable> {
  length = 0;

  /** `values` is longer than what has been filled. */
  constructor(public values: T) {}

  push(value: number): void {
    if (this.length === this.values.length) this.values = roomFor(this.values, this.length + 1);
    this.values[this.length++] = value;
  }

  /** Room for `more` values, to be filled by the caller. */
  reserve(more: number): void {
    this.values = roomFor(this.values, this.length + more);
    this.length += more;
  }

  /** The same, as an array of its own. */
  extend(more: number): T {
    this.reserve(more);
    return this.values.subarray(this.length - more, this.length) as T;
  }

  append(values: T): void {
    this.extend(values.length).set(values as never);
  }

  get view(): T {
    return this.values.subarray(0, this.length) as T;
  }
}

const u8 = (): Column<Uint8Array> => new Column(new Uint8Array(1024));
const u32 = (): Column<Uint32Array> => new Column(new Uint32Array(1024));
const f64 = (): Column<Float64Array> => new Column(new Float64Array(1024));

// ---------------------------------------------------------------------------------------------------------------------
// Tokens by number
// ---------------------------------------------------------------------------------------------------------------------

/** By byte of UTF-8: 1 for a word character. */
const WORD = new Uint8Array(256);
for (let code = 0; code < 128; code++) if (/\w/.test(String.fromCharCode(code))) WORD[code] = 1;

/** The runs of word characters in a text: where they are, their FNV-1a hashes, and their numbers. */
class Words {
  starts = new Int32Array(4096);
  ends = new Int32Array(4096);
  hashes = new Int32Array(4096);
  runs = new Int32Array(4096);
  /** Where the vocabulary has what is probably the same run, and the first byte there: fetched before it is compared. */
  places = new Int32Array(4096);
  firsts = new Uint8Array(4096);
  count = 0;

  /** Finds them in text[0, length). */
  read(text: Uint8Array, length: number): void {
    this.reserve(length / 2 + 1);
    const { starts, ends, hashes } = this;
    // So that the last run ends, too.
    text[length] = 0;
    let count = 0;
    let start = -1;
    let hash = FNV_BASIS;
    for (let at = 0; at <= length; at++) {
      const code = text[at]!;
      if (WORD[code] === 1) {
        if (start < 0) start = at;
        hash = Math.imul(hash ^ code, FNV_PRIME);
      } else if (start >= 0) {
        starts[count] = start;
        ends[count] = at;
        hashes[count++] = hash;
        start = -1;
        hash = FNV_BASIS;
      }
    }
    this.count = count;
  }

  private reserve(count: number): void {
    if (count <= this.starts.length) return;
    for (const name of ["starts", "ends", "hashes", "runs", "places"] as const)
      this[name] = new Int32Array(Math.ceil(count) * 2);
    this.firsts = new Uint8Array(Math.ceil(count) * 2);
  }
}

/** The run text[start, end), with its FNV-1a hash. */
interface Word {
  start: number;
  end: number;
  hash: number;
}

/**
 * Numbers for tokens, and for every run of word characters the numbers of the tokens it stands for. Runs are numbered as they
 * are met, so that those of the common words lie side by side, and in the processor's cache; what is wanted of every word lies
 * in one place, what only odd runs need in arrays of their own.
 */
class Vocabulary {
  // Signed: whole numbers up to 2^31 stay whole numbers to the compiler, those up to 2^32 become doubles.
  /**
   * By run, two numbers side by side: where it begins in `bytes`, and the number + 1 of the token that it is to both
   * tokenisers; 0 where they differ, or see more than one.
   */
  hot = new Int32Array(8192);
  /**
   * By run: its plain token's number + 1; of a run that is no token the same, negative. Where its weighted tokens begin in
   * `weighted`.
   */
  plain = new Int32Array(4096);
  from = new Int32Array(4096);
  weighted = new Int32Array(4096);
  readonly texts: string[] = [];
  private readonly numbers = new Map<string, number>();
  private runs = 0;
  private table = new Int32Array(16_384);
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(65_536);

  /**
   * Numbers the runs of a text. In passes, since what takes the time is fetching from memory: a pass that does nothing else
   * lets the processor fetch for many words at once.
   */
  number(text: Uint8Array, words: Words): void {
    const { starts, ends, hashes, runs, places, firsts, count } = words;
    const { table, hot, bytes } = this;
    const mask = table.length - 1;
    for (let n = 0; n < count; n++) {
      const hash = hashes[n]!;
      runs[n] = table[(hash ^ (hash >>> 15)) & mask]!;
    }
    for (let n = 0; n < count; n++) places[n] = hot[2 * Math.max(1, runs[n]!) - 2]!;
    for (let n = 0; n < count; n++) firsts[n] = bytes[places[n]!]!;
    for (let n = 0; n < count; n++)
      runs[n] = this.find(text, { start: starts[n]!, end: ends[n]!, hash: hashes[n]! }, runs[n]!);
  }

  private find(text: Uint8Array, word: Word, guess: number): number {
    const { start, end } = word;
    const { hot, bytes } = this;
    const shift = guess === 0 ? 0 : hot[2 * guess - 2]! - start;
    if (guess !== 0 && hot[2 * guess]! - shift === end) {
      let same = start;
      while (same < end && bytes[shift + same] === text[same]) same++;
      if (same === end) return guess - 1;
    }
    return this.run(text, word);
  }

  private run(text: Uint8Array, { start, end, hash }: Word): number {
    const { table, hot, bytes } = this;
    const mask = table.length - 1;
    let at = (hash ^ (hash >>> 15)) & mask;
    for (let entry = table[at]!; entry !== 0; entry = table[at]!) {
      const shift = hot[2 * entry - 2]! - start;
      if (hot[2 * entry]! - shift === end) {
        let same = start;
        while (same < end && bytes[shift + same] === text[same]) same++;
        if (same === end) return entry - 1;
      }
      at = (at + 1) & mask;
    }
    this.add(text.subarray(start, end));
    table[at] = this.runs;
    if (this.runs * 2 > table.length) this.enlarge();
    return this.runs - 1;
  }

  private add(text: Uint8Array): void {
    const run = this.runs++;
    const start = this.hot[2 * run]!;
    this.bytes = roomFor(this.bytes, start + text.length);
    this.bytes.set(text, start);
    for (const name of ["plain", "from"] as const) this[name] = roomFor(this[name], run + 2);
    this.hot = roomFor(this.hot, 2 * run + 4);
    this.hot[2 * run + 2] = start + text.length;
    const own = ascii.decode(text);
    const [token] = tokenise(own);
    const plain =
      token === undefined ? -1 - this.tokenNumber(own.toLowerCase()) : this.tokenNumber(token) + 1;
    const weighted = weightedTokens(own).map((token) => this.tokenNumber(token));
    this.plain[run] = plain;
    this.hot[2 * run + 1] = weighted.length === 1 && weighted[0]! + 1 === plain ? plain : 0;
    this.from[run + 1] = this.from[run]! + weighted.length;
    this.weighted = roomFor(this.weighted, this.from[run + 1]!);
    this.weighted.set(weighted, this.from[run]);
  }

  private enlarge(): void {
    this.table = new Int32Array(this.table.length * 2);
    const mask = this.table.length - 1;
    for (let run = 0; run < this.runs; run++) {
      let hash = FNV_BASIS;
      for (let at = this.hot[2 * run]!; at < this.hot[2 * run + 2]!; at++)
        hash = Math.imul(hash ^ this.bytes[at]!, FNV_PRIME);
      let at = (hash ^ (hash >>> 15)) & mask;
      while (this.table[at] !== 0) at = (at + 1) & mask;
      this.table[at] = run + 1;
    }
  }

  get tokenCount(): number {
    return this.texts.length;
  }

  private tokenNumber(token: string): number {
    const known = this.numbers.get(token);
    if (known !== undefined) return known;
    const number = this.texts.length;
    this.texts.push(token);
    this.numbers.set(token, number);
    return number;
  }
}

const ascii = new TextDecoder();
const utf8 = new TextEncoder();

// ---------------------------------------------------------------------------------------------------------------------
// Segments
// ---------------------------------------------------------------------------------------------------------------------

/** What is known of a token within one record: how often it stands there, and two marks. */
const COUNT_BITS = 0xffffff;
const HEAD_MARK = 1 << 24;
const PLAIN_BIT = 25;
const PLAIN_MARK = 1 << PLAIN_BIT;
const SHORT_MARK = 1 << 26;
/** Kept from record to record: the reader's numbering has met the token. */
const MET_MARK = 1 << 27;

/** Characters whose lower case is a word character: only there do the two tokenisers see different runs. */
const FOLDS_TO_ASCII = /[\u0130\u212a]/;

/** Which tokens of a text count, and where. */
interface Reading {
  isHead: boolean;
  weighted: boolean;
  plain: boolean;
}

const HEAD: Reading = { isHead: true, weighted: true, plain: true };
const CONTENT: Reading = { isHead: false, weighted: true, plain: true };

/** The records of one segment, in corpus order until it is finished. Tokens have the numbers of its reader. */
class SegmentWriter {
  records = 0;
  private readonly tokens = u32();
  private readonly marks = u8();
  private readonly heads = u32();
  /** By record: where its entries end in `tokens` and `marks`, and in `heads`. */
  private readonly ends = u32();
  private readonly headEnds = u32();
  private readonly offset = f64();
  private readonly bytes = u32();
  private readonly crc = u32();
  private readonly size = u32();
  private readonly length = u32();
  private readonly state = u8();
  /** Keys without their slots; -1 for none. */
  private readonly ids = f64();
  private readonly runs = f64();
  private many: { token: number; record: number; count: number }[] = [];
  private marked = new Int32Array(4096);
  private touched = new Int32Array(4096);
  private touchedCount = 0;
  /** The tokens of title and tags of the record at hand. */
  private head = new Int32Array(4096);
  private headCount = 0;
  private buffer: Uint8Array<ArrayBuffer> = new Uint8Array(65_536);
  private readonly words = new Words();
  private weightedLength = 0;
  private plainSize = 0;

  constructor(
    private readonly vocabulary: Vocabulary,
    private readonly numbering: Numbering,
  ) {}

  /** For the next segment, with the room that this one took. */
  clear(): void {
    for (const column of Object.values(this)) if (column instanceof Column) column.length = 0;
    this.records = 0;
    this.many = [];
  }

  add(playbook: Playbook, line: Uint8Array, offset: number): void {
    const { title, tags, content, id, source_run_id, success_score } = playbook;
    this.weightedLength = 0;
    this.plainSize = 0;
    this.read(title, true);
    for (const tag of tags) this.read(tag, true);
    this.read(content, false);
    this.keepTokens();
    this.records++;
    this.headEnds.push(this.heads.length);
    this.ends.push(this.tokens.length);
    this.offset.push(offset);
    this.bytes.push(line.length);
    this.crc.push(Bun.hash.crc32(line));
    this.size.push(this.plainSize);
    this.length.push(this.weightedLength);
    this.state.push(success_score === "rejected" ? REJECTED : 0);
    this.ids.push(keyOf(id, 0));
    this.runs.push(source_run_id === "" ? -1 : keyOf(source_run_id, 0));
  }

  private read(text: string, isHead: boolean): void {
    if (!FOLDS_TO_ASCII.test(text)) return this.scan(text, isHead ? HEAD : CONTENT);
    this.scan(text, { isHead, weighted: true, plain: false });
    this.scan(text.toLowerCase(), { isHead, weighted: false, plain: true });
  }

  private scan(text: string, reading: Reading): void {
    this.buffer = roomFor(this.buffer, text.length * 3 + 1);
    const { buffer, words } = this;
    const { written } = utf8.encodeInto(text, buffer);
    words.read(buffer, written);
    this.vocabulary.number(buffer, words);
    if (reading === CONTENT) return this.markContent(words);
    for (let n = 0; n < words.count; n++) this.mark(words.runs[n]!, reading);
  }

  /** What `mark` does to each word of a content, without a branch that the processor would have to guess. */
  private markContent({ runs, count }: Words): void {
    const { hot, tokenCount } = this.vocabulary;
    if (tokenCount > this.marked.length) this.enlarge(tokenCount);
    const { marked, touched } = this;
    let found = this.touchedCount;
    let plain = 0;
    let weighted = 0;
    for (let n = 0; n < count; n++) {
      const token = hot[2 * runs[n]! + 1]! - 1;
      if (token < 0) {
        this.touchedCount = found;
        this.mark(runs[n]!, CONTENT);
        found = this.touchedCount;
        continue;
      }
      const mark = marked[token]!;
      touched[found] = token;
      found += ((mark & ~MET_MARK) - 1) >>> 31;
      plain += 1 ^ ((mark >>> PLAIN_BIT) & 1);
      weighted++;
      marked[token] = (mark | PLAIN_MARK) + 1;
    }
    this.touchedCount = found;
    this.plainSize += plain;
    this.weightedLength += weighted;
  }

  private mark(run: number, { isHead, weighted, plain }: Reading): void {
    const { vocabulary } = this;
    const both = vocabulary.hot[2 * run + 1]!;
    if (both > 0 && weighted && plain) {
      this.markPlain(both - 1);
      this.markWeighted(both - 1, isHead);
      return;
    }
    const token = vocabulary.plain[run]!;
    if (plain && token > 0) this.markPlain(token - 1);
    if (plain && token < 0) this.markShort(-1 - token);
    if (!weighted) return;
    const end = vocabulary.from[run + 1]!;
    for (let at = vocabulary.from[run]!; at < end; at++) this.markWeighted(vocabulary.weighted[at]!, isHead);
  }

  private enlarge(tokens: number): void {
    this.marked = roomFor(this.marked, tokens);
    // One more, for one is written before it is known to be new.
    this.touched = roomFor(this.touched, tokens + 1);
    this.head = roomFor(this.head, tokens);
  }

  private markPlain(token: number): void {
    if (token >= this.marked.length) this.enlarge(token + 1);
    const mark = this.marked[token]!;
    if ((mark & PLAIN_MARK) !== 0) return;
    if ((mark & ~MET_MARK) === 0) this.touched[this.touchedCount++] = token;
    this.marked[token] = mark | PLAIN_MARK;
    this.plainSize++;
  }

  /** A run that is no token has a posting, too: the gate looks for facts by whatever runs they have. */
  private markShort(token: number): void {
    if (token >= this.marked.length) this.enlarge(token + 1);
    const mark = this.marked[token]!;
    if ((mark & ~MET_MARK) !== 0) return;
    this.touched[this.touchedCount++] = token;
    this.marked[token] = mark | SHORT_MARK;
  }

  private markWeighted(token: number, isHead: boolean): void {
    if (token >= this.marked.length) this.enlarge(token + 1);
    let mark = this.marked[token]!;
    if ((mark & ~MET_MARK) === 0) this.touched[this.touchedCount++] = token;
    if (isHead && (mark & HEAD_MARK) === 0) {
      this.head[this.headCount++] = token;
      mark |= HEAD_MARK;
    }
    this.marked[token] = mark + 1;
    this.weightedLength++;
  }

  private keepTokens(): void {
    const { marked, touched, touchedCount } = this;
    const start = this.tokens.length;
    this.tokens.reserve(touchedCount);
    this.marks.reserve(touchedCount);
    const tokens = this.tokens.values;
    const marks = this.marks.values;
    for (let n = 0; n < touchedCount; n++) {
      const token = touched[n]!;
      const mark = marked[token]!;
      const count = mark & COUNT_BITS;
      if ((mark & MET_MARK) === 0) this.numbering.meet(token);
      tokens[start + n] = token;
      marks[start + n] =
        ((mark & PLAIN_MARK) === 0 ? 0 : PLAIN) |
        ((mark & HEAD_MARK) === 0 ? 0 : IN_HEAD) |
        Math.min(count, COUNT_MASK);
      if (count >= COUNT_MASK) this.many.push({ token, record: this.records, count });
      marked[token] = MET_MARK;
    }
    for (let n = 0; n < this.headCount; n++) this.heads.push(this.head[n]!);
    this.touchedCount = 0;
    this.headCount = 0;
  }

  /** Orders the records, numbers them from `firstSlot`, and tokens as the whole index does. */
  finish(firstSlot: number, tokens: number): FinishedSegment {
    const order = this.inOrder();
    const slotOf = new Uint32Array(this.records);
    for (let rank = 0; rank < order.length; rank++) slotOf[order[rank]!] = firstSlot + rank;
    const slots = emptyColumns();
    for (const name of ["offset", "bytes", "crc", "size", "length", "state", "ids"] as const)
      gather(this[name].values, order, slots[name].extend(order.length));
    const ids = slots.ids.values;
    for (let rank = 0; rank < order.length; rank++) ids[rank]! += firstSlot + rank;
    const { numbers } = this.numbering;
    const heads = this.heads.values;
    const headEnds = this.headEnds.values;
    for (const record of order) {
      const start = record === 0 ? 0 : headEnds[record - 1]!;
      for (let at = start; at < headEnds[record]!; at++) slots.heads.push(numbers[heads[at]!]!);
      slots.headStart.push(slots.heads.length);
      if (this.runs.values[record]! >= 0) slots.runs.push(this.runs.values[record]! + slotOf[record]!);
    }
    const many = this.many.map(({ token, record, count }): [number, number] => {
      return [manyKey(numbers[token]!, slotOf[record]!), count];
    });
    return { slots: viewsOf(slots), many, ...this.postingsBy(order, firstSlot, tokens) };
  }

  private inOrder(): Uint32Array {
    // Size and place in one number, for typed arrays sort numbers far faster than by a function.
    const packed = Float64Array.from(this.size.view, (size, record) => size * MAX_SLOTS + record);
    return Uint32Array.from(packed.sort(), (key) => key % MAX_SLOTS);
  }

  private postingsBy(order: Uint32Array, firstSlot: number, size: number): Run {
    const tokens = this.tokens.view;
    const marks = this.marks.view;
    const ends = this.ends.values;
    const { numbers } = this.numbering;
    const counts = new Uint32Array(size);
    for (let at = 0; at < tokens.length; at++) {
      tokens[at] = numbers[tokens[at]!]!;
      counts[tokens[at]!]!++;
    }
    const next = new Uint32Array(size);
    for (let token = 1; token < size; token++) next[token] = next[token - 1]! + counts[token - 1]!;
    const postings = new Uint32Array(tokens.length);
    for (let rank = 0; rank < order.length; rank++) {
      const record = order[rank]!;
      const slot = (firstSlot + rank) * 256;
      for (let at = record === 0 ? 0 : ends[record - 1]!; at < ends[record]!; at++)
        postings[next[tokens[at]!]!++] = slot + marks[at]!;
    }
    return { counts, postings };
  }
}

/** from[order[n]] into to[n]. */
function gather(from: Growable, order: Uint32Array, to: Growable): void {
  for (let n = 0; n < order.length; n++) to[n] = from[order[n]!]!;
}

/** What a reader's tokens are called in the whole index; -1 for those that it has not told of yet. */
class Numbering {
  numbers = new Int32Array(4096).fill(-1);
  /** Met since the last telling, in that order. */
  readonly unknown: number[] = [];

  meet(token: number): void {
    if (token >= this.numbers.length) {
      const { length } = this.numbers;
      this.numbers = roomFor(this.numbers, token + 1).fill(-1, length);
    }
    if (this.numbers[token] !== -1) return;
    this.numbers[token] = -2;
    this.unknown.push(token);
  }

  learn(numbers: Uint32Array): void {
    for (const [n, token] of this.unknown.entries()) this.numbers[token] = numbers[n]!;
    this.unknown.length = 0;
  }
}

/** Postings in the order of their tokens, and how many each token has. */
interface Run {
  counts: Uint32Array;
  postings: Uint32Array<ArrayBuffer>;
}

/** A segment, ready to be put to the others. */
interface FinishedSegment extends Run {
  slots: SlotViews;
  many: [key: number, count: number][];
}

const manyKey = (token: number, slot: number): number => token * MAX_SLOTS + slot;

interface SlotColumns {
  offset: Column<Float64Array>;
  bytes: Column<Uint32Array>;
  crc: Column<Uint32Array>;
  size: Column<Uint32Array>;
  length: Column<Uint32Array>;
  /** Where the tokens of each slot end in `heads`. */
  headStart: Column<Uint32Array>;
  state: Column<Uint8Array>;
  heads: Column<Uint32Array>;
  ids: Column<Float64Array>;
  runs: Column<Float64Array>;
}
type SlotViews = { [name in keyof SlotColumns]: SlotColumns[name]["values"] };

const emptyColumns = (): SlotColumns => ({
  offset: f64(),
  bytes: u32(),
  crc: u32(),
  size: u32(),
  length: u32(),
  headStart: u32(),
  state: u8(),
  heads: u32(),
  ids: f64(),
  runs: f64(),
});

const viewsOf = (columns: SlotColumns): SlotViews =>
  Object.fromEntries(Object.entries(columns).map(([name, { view }]) => [name, view])) as SlotViews;

// ---------------------------------------------------------------------------------------------------------------------
// Readers
// ---------------------------------------------------------------------------------------------------------------------

/** A stretch of the corpus, in bytes; a line belongs to the range that it begins in. */
export interface Range {
  start: number;
  end: number;
}

/** What a reader says of a range before its tokens have their numbers in the whole index. */
export interface ReadRange {
  lines: number;
  records: number;
  /** Offset of the first record, and how many of the range's lines stand before it. */
  first: { offset: number; lines: number };
  bad: [line: number, problem: string][];
  /** Tokens that this reader has not told of yet, in the order in which it met them. */
  texts: string[];
}

/** What the index says to that. */
export interface RangeNumbers {
  /** Of the texts. */
  numbers: Uint32Array;
  /** How many tokens the index has so far. */
  tokens: number;
  firstSlot: number;
}

/** A finished range: its postings stand in the reader's file. */
export interface FinishedRange extends Omit<FinishedSegment, "postings"> {
  file: string;
  at: number;
}

/** Reads ranges, one after the other: first `read`, then `finish`. */
export interface Reader {
  read: (range: Range) => Promise<ReadRange>;
  finish: (numbers: RangeNumbers) => Promise<FinishedRange>;
  close: () => void;
}

/** A reader in this thread. */
export class RangeReader implements Reader {
  private readonly vocabulary = new Vocabulary();
  private readonly numbering = new Numbering();
  private readonly segment = new SegmentWriter(this.vocabulary, this.numbering);
  private readonly corpus: number;
  private readonly file: number;
  private written = 0;

  constructor(
    corpusPath: string,
    private readonly runsPath: string,
    /** Called with the bytes that were read since the last call; may throw to stop. */
    private readonly onProgress: (bytes: number) => Promise<void>,
  ) {
    this.corpus = openSync(corpusPath, "r");
    this.file = openSync(runsPath, "wx");
  }

  async read(range: Range): Promise<ReadRange> {
    this.segment.clear();
    const found: ReadRange = { lines: 0, records: 0, first: { offset: 0, lines: 0 }, bad: [], texts: [] };
    for await (const { bytes, offset } of this.wholeLines(range))
      for (const { start, end } of splitLines(bytes))
        if (offset + start < range.end) this.take(bytes.subarray(start, end), offset + start, found);
    found.records = this.segment.records;
    found.texts = this.numbering.unknown.map((token) => this.vocabulary.texts[token]!);
    return found;
  }

  private take(line: Uint8Array, offset: number, found: ReadRange): void {
    const playbook = parsePlaybook(line);
    if (typeof playbook === "string") found.bad.push([found.lines + 1, playbook]);
    else if (playbook !== null) {
      if (this.segment.records === 0) found.first = { offset, lines: found.lines };
      this.segment.add(playbook, line, offset);
    }
    found.lines++;
  }

  /** Chunks that end with a line, from the first line that begins in the range to the last one. */
  private async *wholeLines({ start, end }: Range): AsyncGenerator<{ bytes: Buffer; offset: number }> {
    let buffer = Buffer.allocUnsafe(CHUNK_BYTES * 2);
    let filled = 0;
    let at = start;
    let offset = start;
    let isAtLine = start === 0 || this.byteAt(start - 1) === NEWLINE;
    while (offset < end) {
      if (buffer.length - filled < CHUNK_BYTES)
        buffer = Buffer.concat([buffer.subarray(0, filled)], buffer.length * 2);
      const read = readSync(this.corpus, buffer, filled, CHUNK_BYTES, at);
      if (read === 0) return;
      at += read;
      filled += read;
      const whole = buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
      const skip = isAtLine || whole === 0 ? 0 : buffer.indexOf(NEWLINE) + 1;
      isAtLine ||= whole > 0;
      if (isAtLine) yield { bytes: buffer.subarray(skip, whole), offset: offset + skip };
      buffer.copyWithin(0, whole, filled);
      filled -= whole;
      offset += whole;
      await this.onProgress(read);
    }
  }

  private byteAt(at: number): number | undefined {
    const byte = new Uint8Array(1);
    readSync(this.corpus, byte, 0, 1, at);
    return byte[0];
  }

  async finish({ numbers, tokens, firstSlot }: RangeNumbers): Promise<FinishedRange> {
    this.numbering.learn(numbers);
    const { postings, ...segment } = this.segment.finish(firstSlot, tokens);
    writeAll(this.file, new Uint8Array(postings.buffer));
    this.written += postings.byteLength;
    return { ...segment, file: this.runsPath, at: this.written - postings.byteLength };
  }

  close(): void {
    closeSync(this.corpus);
    closeSync(this.file);
  }
}

const NEWLINE = 0x0a;

/** What goes to a Worker and comes back. */
export type ToReader =
  { open: { corpusPath: string; runsPath: string } } | { read: Range } | { finish: RangeNumbers };
export type FromReader =
  | { progress: number }
  | { read: ReadRange }
  | { finished: FinishedRange }
  | { error: { message: string; code: unknown; syscall: unknown } };

/** A reader in a Worker. */
class RemoteReader implements Reader {
  private readonly worker = new Worker(new URL("./index_worker.ts", import.meta.url));
  private answered: (answer: FromReader) => void = () => {};

  constructor(corpusPath: string, runsPath: string, onProgress: (bytes: number) => void) {
    this.worker.onmessage = ({ data }: MessageEvent<FromReader>) =>
      "progress" in data ? onProgress(data.progress) : this.answered(data);
    this.worker.onerror = ({ message }) =>
      this.answered({ error: { message, code: "ERR_WORKER", syscall: "worker" } });
    this.tell({ open: { corpusPath, runsPath } });
  }

  private tell(message: ToReader): void {
    this.worker.postMessage(message);
  }

  private async ask(message: ToReader): Promise<FromReader> {
    const { promise, resolve } = Promise.withResolvers<FromReader>();
    this.answered = resolve;
    this.tell(message);
    const answer = await promise;
    if ("error" in answer) throw Object.assign(new Error(answer.error.message), answer.error);
    return answer;
  }

  async read(range: Range): Promise<ReadRange> {
    const answer = await this.ask({ read: range });
    if ("read" in answer) return answer.read;
    throw new TypeError("a reader answered out of turn");
  }

  async finish(numbers: RangeNumbers): Promise<FinishedRange> {
    const answer = await this.ask({ finish: numbers });
    if ("finished" in answer) return answer.finished;
    throw new TypeError("a reader answered out of turn");
  }

  close(): void {
    this.worker.terminate();
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The whole
// ---------------------------------------------------------------------------------------------------------------------

class Builder {
  private readonly segments: Segment[];
  private readonly slots: SlotColumns;
  /** Where the first segment begins that is not taken over. */
  private readonly resume: Segment;
  private readonly bad: [number, string][];
  private readonly many = new Map<number, number>();
  /** Tokens that the base does not have, in the order of their numbers. */
  private readonly texts: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly finished: FinishedRange[] = [];
  private readonly corpus: number;
  private readonly stat: CorpusStat;
  private readonly covered: number;
  private sha256 = "";
  private lines: number;
  private records: number;
  private totalLength = 0;
  private live = 0;
  private done = 0;
  private readonly open: number[] = [];

  constructor(
    private readonly request: BuildRequest,
    private readonly beside: string,
  ) {
    const { base } = request;
    this.corpus = openSync(request.corpusPath, "r");
    this.open.push(this.corpus);
    const { size: bytes, mtimeMs, ctimeMs, ino, dev } = fstatSync(this.corpus);
    this.stat = { bytes, mtimeMs, ctimeMs, ino, dev };
    this.covered = this.lastLineEnd();
    this.segments = base ? keptSegments(base, this.covered, this.segmentBytes) : [];
    this.resume = resumePoint(base, this.segments.length);
    this.lines = this.resume.lines;
    this.records = this.resume.slot;
    this.slots = slotsOf(base, this.resume.slot);
    this.bad = base ? base.header.bad.filter(([line]) => line <= this.resume.lines) : [];
  }

  close(): void {
    for (const file of this.open) closeSync(file);
  }

  private get segmentBytes(): number {
    return this.request.segmentBytes ?? SEGMENT_BYTES;
  }

  private get baseTokens(): number {
    return this.request.base?.weightedDf.length ?? 0;
  }

  private get tokens(): number {
    return this.baseTokens + this.texts.length;
  }

  /** Where the last whole line ends. */
  private lastLineEnd(): number {
    const window = Buffer.alloc(65_536);
    for (let end = this.stat.bytes; end > 0; end -= window.length) {
      const start = Math.max(0, end - window.length);
      const read = readSync(this.corpus, window, 0, end - start, start);
      const at = read === 0 ? -1 : window.lastIndexOf(NEWLINE, read - 1);
      if (at >= 0) return start + at + 1;
    }
    return 0;
  }

  /** Reads the corpus up to its last newline. @throws Rewritten where the base is of another text */
  async read(): Promise<void> {
    // A fold learns first whether its base still holds; a whole build hashes while Workers read.
    if (this.request.base) await this.hash();
    await Promise.all([this.request.base ? null : this.hash(), this.readRanges()]);
    for (const { slots, many } of this.finished) {
      const heads = this.slots.heads.length;
      slots.headStart.forEach((end, n) => (slots.headStart[n] = heads + end));
      for (const name of Object.keys(slots) as (keyof SlotViews)[]) appendTo(this.slots[name], slots[name]);
      for (const [key, count] of many) this.many.set(key, count);
    }
  }

  private async readRanges(): Promise<void> {
    const ranges = this.ranges();
    const readers = this.readersFor(ranges);
    const turns = ranges.map(() => Promise.withResolvers<void>());
    let next = 0;
    const work = async (reader: Reader): Promise<void> => {
      for (let at = next++; at < ranges.length; at = next++) {
        const found = await reader.read(ranges[at]!);
        // Numbers are given in the order of the ranges.
        if (at > 0) await turns[at - 1]!.promise;
        const numbers = this.numbersFor(found);
        turns[at]!.resolve();
        this.finished[at] = await reader.finish(numbers);
      }
    };
    const { promise: interrupted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(this.interrupted());
    this.request.hooks.signal?.addEventListener("abort", onAbort);
    try {
      await Promise.race([Promise.all(readers.map(work)), interrupted]);
    } finally {
      this.request.hooks.signal?.removeEventListener("abort", onAbort);
      for (const reader of readers) reader.close();
    }
  }

  private ranges(): Range[] {
    const ranges: Range[] = [];
    for (let start = this.resume.offset; start < this.covered;) {
      const end = Math.min(this.covered, (Math.floor(start / this.segmentBytes) + 1) * this.segmentBytes);
      ranges.push({ start, end });
      start = end;
    }
    return ranges;
  }

  private readersFor(ranges: Range[]): Reader[] {
    const bytesToRead = this.covered - this.resume.offset;
    const paying =
      bytesToRead < WORKERS_FROM_BYTES ? 1 : Math.min(MOST_WORKERS, navigator.hardwareConcurrency);
    const count = Math.min(this.request.workers ?? paying, ranges.length);
    const { corpusPath } = this.request;
    const progress = (bytes: number): void => {
      this.done += bytes;
      this.request.hooks.onProgress?.(this.done, bytesToRead);
    };
    if (count > 1)
      return Array.from(
        { length: count },
        (_, n) => new RemoteReader(corpusPath, `${this.beside}.${n}.runs`, progress),
      );
    return [
      new RangeReader(corpusPath, `${this.beside}.0.runs`, async (bytes) => (progress(bytes), this.pause())),
    ];
  }

  private numbersFor({ lines, records, first, bad, texts }: ReadRange): RangeNumbers {
    const firstSlot = this.records;
    const numbers = Uint32Array.from(texts, (text) => this.numberOf(text));
    for (const [line, problem] of bad) this.bad.push([this.lines + line, problem]);
    if (records > 0)
      this.segments.push({ slot: firstSlot, offset: first.offset, lines: this.lines + first.lines });
    this.lines += lines;
    this.records += records;
    if (this.records > MAX_SLOTS) throw this.tooLarge();
    return { numbers, tokens: this.tokens, firstSlot };
  }

  private numberOf(text: string): number {
    const { base } = this.request;
    const known = this.numbers.get(text) ?? (base ? tokenNumber(base, text) : -1);
    if (known >= 0) return known;
    const number = this.tokens;
    this.texts.push(text);
    this.numbers.set(text, number);
    return number;
  }

  /** Everything is hashed, what the base covers too: that is when a change within it comes out. */
  private async hash(): Promise<void> {
    const hasher = new Bun.CryptoHasher("sha256");
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const base = this.request.base?.header.corpus;
    for (let at = 0; at < this.covered;) {
      // Up to where the base ends, so that its hash can be compared there.
      const end = base && at < base.covered ? base.covered : this.covered;
      const read = readSync(this.corpus, chunk, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (read === 0) throw new Rewritten();
      hasher.update(chunk.subarray(0, read));
      at += read;
      if (at === base?.covered && hasher.copy().digest("hex") !== base.sha256) throw new Rewritten();
      await this.pause();
    }
    this.sha256 = hasher.digest("hex");
  }

  /** Lets timers, messages and signals have their turn. */
  private async pause(): Promise<void> {
    await new Promise(setImmediate);
    if (this.request.hooks.signal?.aborted) throw this.interrupted();
  }

  private interrupted(): DistillError {
    return new DistillError(
      "evidence",
      `${this.request.corpusPath}: interrupted while it was being indexed.`,
    );
  }

  private tooLarge(): DistillError {
    return new DistillError(
      "evidence",
      `${this.request.corpusPath}: too large for an index (the limits are ${MAX_SLOTS} playbooks and 4 GiB of index), so the whole corpus is read. Split it.`,
    );
  }

  /** Writes the index file; it is flushed to the disk, and whole, when this returns. */
  async write(path: string): Promise<void> {
    this.supersede();
    const file = new SectionWriter(path);
    try {
      file.raw(preamble());
      const merged = await this.mergePostings(file);
      const { slots } = this;
      const columns = {
        ...mapColumns(slots),
        ...merged,
        ...this.tokenTexts(),
        ids: this.liveKeys(slots.ids),
        runs: this.liveKeys(slots.runs),
      };
      for (const [name, column] of Object.entries(columns)) file.section(name as SectionName, column);
      if (file.bytes > MAX_FILE_BYTES) throw this.tooLarge();
      const header = await this.header(file);
      file.raw(header);
      file.raw(trailer(header));
      file.flush();
    } finally {
      file.close();
    }
  }

  private async header(file: SectionWriter): Promise<Uint8Array> {
    const { corpusPath } = this.request;
    const header: Header = {
      corpus: {
        ...this.stat,
        path: realPathOrSame(corpusPath),
        covered: this.covered,
        sha256: this.sha256,
        lines: this.lines,
        samples: await sampleCorpus(corpusPath, this.covered),
      },
      slots: this.slots.offset.length,
      live: this.live,
      totalLength: this.totalLength,
      bad: this.bad,
      segments: this.segments,
      sections: file.sections,
      crc: file.crc,
    };
    return new TextEncoder().encode(JSON.stringify(header));
  }

  /** Marks the slots whose id a later line has. Equal hashes are rare but for that; the lines themselves decide. */
  private supersede(): void {
    const { ids, state, offset, length } = this.slots;
    const keys = ids.view.sort();
    const hashOf = (key: number): number => Math.floor(key / MAX_SLOTS);
    for (let start = 0, end = 0; start < keys.length; start = end) {
      while (end < keys.length && hashOf(keys[end]!) === hashOf(keys[start]!)) end++;
      if (end - start < 2) continue;
      const latest = new Map<string, number>();
      for (const key of keys.subarray(start, end)) {
        const slot = key % MAX_SLOTS;
        const id = this.idAt(slot);
        const other = latest.get(id);
        const [older, newer] =
          other === undefined || offset.values[other]! < offset.values[slot]! ? [other, slot] : [slot, other];
        latest.set(id, newer);
        if (older !== undefined) state.values[older]! |= SUPERSEDED;
      }
    }
    for (let slot = 0; slot < offset.length; slot++) {
      if (this.isDead(slot)) continue;
      this.live++;
      this.totalLength += length.values[slot]!;
    }
  }

  private isDead(slot: number): boolean {
    return (this.slots.state.values[slot]! & SUPERSEDED) !== 0;
  }

  private idAt(slot: number): string {
    const line = new Uint8Array(this.slots.bytes.values[slot]!);
    readSync(this.corpus, line, 0, line.length, this.slots.offset.values[slot]!);
    const playbook = parsePlaybook(line);
    // Whoever rewrites a corpus under our hands gets a new index at the next run.
    if (playbook === null || typeof playbook === "string") throw new Rewritten();
    return playbook.id;
  }

  private liveKeys(column: Column<Float64Array>): Float64Array {
    return column.view.filter((key) => !this.isDead(key % MAX_SLOTS)).sort();
  }

  /** Token by token, what each run has for it, in the order of the runs: that is the order of the slots. */
  private async mergePostings(file: SectionWriter): Promise<MergedColumns> {
    const merge = new Merge(this.tokens, this.sources(), {
      isDead: this.live < this.slots.offset.length ? (slot) => this.isDead(slot) : null,
      countOf: (token, slot) => this.many.get(manyKey(token, slot)) ?? 0,
    });
    file.begin("postings");
    while (!merge.done) {
      file.raw(merge.next());
      if (file.bytes > MAX_FILE_BYTES) throw this.tooLarge();
      await this.pause();
    }
    file.end("postings");
    return merge.columns;
  }

  private sources(): Source[] {
    const { base } = this.request;
    const files = new Map(this.finished.map(({ file }) => [file, openSync(file, "r")]));
    this.open.push(...files.values());
    const spilled = this.finished.map(({ counts, file, at }): Source => {
      let next = at;
      const read = (postings: number): Uint32Array => {
        const bytes = new Uint8Array(postings * 4);
        readSync(files.get(file)!, bytes, 0, bytes.length, next);
        next += bytes.length;
        return new Uint32Array(bytes.buffer);
      };
      return { counts, read };
    });
    return base && this.resume.slot > 0 ? [this.baseSource(base), ...spilled] : spilled;
  }

  /** The base's postings, as far as its slots are kept. */
  private baseSource(base: IndexFile): Source {
    const { postings, postingStart, manyAt, many } = base;
    const limit = this.resume.slot * SLOT_SCALE;
    const isWhole = this.resume.slot === base.header.slots;
    const size = base.weightedDf.length;
    const endOf = (token: number): number => {
      const end = postingStart[token + 1]!;
      return isWhole ? end : lowerBound(postings, limit, postingStart[token]!, end);
    };
    const counts = Uint32Array.from({ length: size }, (_, token) => endOf(token) - postingStart[token]!);
    let token = 0;
    const read = (wanted: number): Uint32Array => {
      const taken = new Uint32Array(wanted);
      for (let filled = 0; filled < wanted; token++) {
        const start = postingStart[token]!;
        taken.set(postings.subarray(start, start + counts[token]!), filled);
        filled += counts[token]!;
      }
      return taken;
    };
    for (const [n, at] of manyAt.entries()) {
      const slot = postings[at]! >>> SLOT_SHIFT;
      const token = lowerBound(postingStart, at + 1, 0, size + 1) - 1;
      if (slot < this.resume.slot) this.many.set(manyKey(token, slot), many[n]!);
    }
    return { counts, read };
  }

  private tokenTexts(): Pick<Columns, "textStart" | "text" | "table"> {
    const { base } = this.request;
    const { baseTokens, texts } = this;
    const textStart = new Uint32Array(this.tokens + 1);
    if (base) textStart.set(base.textStart);
    let end = textStart[baseTokens]!;
    for (const [n, text] of texts.entries()) {
      end += text.length;
      textStart[baseTokens + n + 1] = end;
    }
    const text = new Uint8Array(end);
    if (base) text.set(base.text);
    for (const [n, token] of texts.entries())
      utf8.encodeInto(token, text.subarray(textStart[baseTokens + n]!));
    return { textStart, text, table: hashTable(textStart, text) };
  }
}

type Columns = { [name in SectionName]: Growable };
type MergedColumns = Pick<
  Columns,
  "postingStart" | "weightedDf" | "manyAt" | "many" | "titleStart" | "titles" | "peak"
>;

/** The segments of the base that stay: a last one that is short beside what comes is done again together with it. */
function keptSegments({ header }: IndexFile, covered: number, segmentBytes: number): Segment[] {
  const kept = [...header.segments];
  let end = header.corpus.covered;
  for (let last = kept.at(-1); last; last = kept.at(-1)) {
    const bytes = end - last.offset;
    if (bytes > segmentBytes / 2 || bytes > 2 * (covered - end)) break;
    end = last.offset;
    kept.pop();
  }
  return kept;
}

/** Each column by its own kind. */
function appendTo(column: SlotColumns[keyof SlotColumns], values: Growable): void {
  column.extend(values.length).set(values as never);
}

function resumePoint(base: IndexFile | null, kept: number): Segment {
  if (!base) return { slot: 0, offset: 0, lines: 0 };
  const { segments, slots, corpus } = base.header;
  return segments[kept] ?? { slot: slots, offset: corpus.covered, lines: corpus.lines };
}

function slotsOf(base: IndexFile | null, kept: number): SlotColumns {
  const slots = emptyColumns();
  if (!base) {
    slots.headStart.push(0);
    return slots;
  }
  slots.offset.append(base.offset.subarray(0, kept));
  slots.bytes.append(base.bytes.subarray(0, kept));
  slots.crc.append(base.crc.subarray(0, kept));
  slots.size.append(base.size.subarray(0, kept));
  slots.length.append(base.length.subarray(0, kept));
  slots.state.append(base.state.subarray(0, kept));
  slots.headStart.append(base.headStart.subarray(0, kept + 1));
  slots.heads.append(base.heads.subarray(0, base.headStart[kept]!));
  slots.ids.append(base.ids.filter((key) => key % MAX_SLOTS < kept));
  slots.runs.append(base.runs.filter((key) => key % MAX_SLOTS < kept));
  return slots;
}

const mapColumns = (slots: SlotColumns) => ({
  offset: slots.offset.view,
  bytes: slots.bytes.view,
  crc: slots.crc.view,
  size: slots.size.view,
  length: slots.length.view,
  headStart: slots.headStart.view,
  state: slots.state.view,
  heads: slots.heads.view,
});

function hashTable(textStart: Uint32Array, text: Uint8Array): Uint32Array {
  const tokens = textStart.length - 1;
  const table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, tokens * 2))));
  const mask = table.length - 1;
  for (let token = 0; token < tokens; token++) {
    let hash = FNV_BASIS;
    for (let at = textStart[token]!; at < textStart[token + 1]!; at++)
      hash = Math.imul(hash ^ text[at]!, FNV_PRIME);
    let at = (hash >>> 0) & mask;
    while (table[at] !== 0) at = (at + 1) & mask;
    table[at] = token + 1;
  }
  return table;
}

interface Source {
  /** Postings by token; shorter than the vocabulary where later tokens are not in it. */
  counts: Uint32Array;
  /** The next so many postings, in the order of their tokens. */
  read: (postings: number) => Uint32Array;
}

/** The merged postings, a batch of whole tokens at a time, and the columns that follow from them. */
class Merge {
  private token = 0;
  private written = 0;
  private readonly postingStart: Uint32Array;
  private readonly weightedDf: Uint32Array;
  private readonly titleStart: Uint32Array;
  private readonly titles = u32();
  private readonly peak: Uint8Array;
  private readonly manyAt = u32();
  private readonly many = u32();

  constructor(
    private readonly size: number,
    private readonly sources: Source[],
    private readonly look: {
      isDead: ((slot: number) => boolean) | null;
      countOf: (token: number, slot: number) => number;
    },
  ) {
    this.postingStart = new Uint32Array(size + 1);
    this.weightedDf = new Uint32Array(size);
    this.titleStart = new Uint32Array(size + 1);
    this.peak = new Uint8Array(size);
  }

  get done(): boolean {
    return this.token === this.size;
  }

  get columns(): MergedColumns {
    const { postingStart, weightedDf, titleStart, peak } = this;
    const [manyAt, many, titles] = [this.manyAt.view, this.many.view, this.titles.view];
    return { postingStart, weightedDf, manyAt, many, titleStart, titles, peak };
  }

  next(): Uint8Array {
    const first = this.token;
    const [last, total] = this.batchFrom(first);
    const parts = this.sources.map(({ counts, read }) => {
      let postings = 0;
      for (let token = first; token < Math.min(last, counts.length); token++) postings += counts[token]!;
      return { counts, postings: read(postings), at: 0 };
    });
    const out = new Uint32Array(total);
    let filled = 0;
    for (let token = first; token < last; token++) {
      for (const part of parts) {
        const end = part.at + (part.counts[token] ?? 0);
        filled = this.copy(token, part.postings.subarray(part.at, end), { out, filled });
        part.at = end;
      }
      this.postingStart[token + 1] = this.written + filled;
      this.titleStart[token + 1] = this.titles.length;
    }
    this.token = last;
    this.written += filled;
    return new Uint8Array(out.buffer, 0, filled * 4);
  }

  /** As many tokens as have at most BATCH_POSTINGS postings together, but one at least. */
  private batchFrom(first: number): [last: number, postings: number] {
    let last = first;
    let total = 0;
    for (; last < this.size; last++) {
      let postings = 0;
      for (const { counts } of this.sources) postings += counts[last] ?? 0;
      if (last > first && total + postings > BATCH_POSTINGS) break;
      total += postings;
    }
    return [last, total];
  }

  /** Returns how far `out` is filled then. */
  private copy(
    token: number,
    postings: Uint32Array,
    { out, filled }: { out: Uint32Array; filled: number },
  ): number {
    const { isDead, countOf } = this.look;
    let weighted = 0;
    let peak = this.peak[token]!;
    for (let at = 0; at < postings.length; at++) {
      const posting = postings[at]!;
      if (isDead !== null && isDead(posting >>> SLOT_SHIFT)) continue;
      const count = posting & COUNT_MASK;
      if (count > 0) weighted++;
      if ((posting & IN_HEAD) !== 0) this.titles.push(posting >>> SLOT_SHIFT);
      if (count > peak) peak = count;
      if (count === COUNT_MASK) {
        this.manyAt.push(this.written + filled);
        this.many.push(countOf(token, posting >>> SLOT_SHIFT));
      }
      out[filled++] = posting;
    }
    this.weightedDf[token]! += weighted;
    this.peak[token] = peak;
    return filled;
  }
}

/** A kernel that keeps what was written at once as one piece maps the whole of it where one byte is read: 2 MiB for a number. */
const WRITE_BYTES = 256 * 1024;

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(fd, bytes, done, Math.min(WRITE_BYTES, bytes.length - done));
}

function preamble(): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(8, VERSION, true);
  return bytes;
}

function trailer(header: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.length, true);
  view.setUint32(4, Bun.hash.crc32(header), true);
  view.setUint32(8, VERSION, true);
  bytes.set(MAGIC, TRAILER_BYTES - MAGIC.length);
  return bytes;
}

/** A file of aligned sections. */
class SectionWriter {
  bytes = 0;
  crc = 0;
  readonly sections = {} as Header["sections"];
  private readonly fd: number;

  constructor(path: string) {
    this.fd = openSync(path, "wx");
  }

  begin(name: SectionName): void {
    this.raw(new Uint8Array(-this.bytes & 7));
    this.sections[name] = [this.bytes, 0];
  }

  end(name: SectionName): void {
    this.sections[name][1] = this.bytes - this.sections[name][0];
  }

  section(name: SectionName, column: Growable): void {
    if (!(column instanceof SECTIONS[name])) throw new TypeError(`${name}: ${column.constructor.name}`);
    this.begin(name);
    this.raw(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
    this.end(name);
  }

  raw(bytes: Uint8Array): void {
    this.crc = Bun.hash.crc32(bytes, this.crc);
    writeAll(this.fd, bytes);
    this.bytes += bytes.length;
  }

  flush(): void {
    fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }
}
