/**
 * Wording: what can be measured of a text by its words alone, without knowing what the text is for.
 *
 * Words are compared by their stems, without regard to case, number words as digits. From there on: which words of an
 * answer stand in no source, which runs were copied, which sentences come again, where a copied sentence was altered,
 * which names, quotations and placeholders there are, and where the answer says otherwise than a record does.
 *
 * Everything is linear in the texts. Nothing here decides anything: severities and thresholds are the gate's.
 */

import { fencedBlocks, fold, NUMERALS, spaced, spanAt } from "./facts.ts";
import type { Span } from "./facts.ts";

// ---- 1. Words and sentences -----------------------------------------------------------------------------

export interface Word extends Span {
  stem: string;
  /** Neither a stop word nor a scrap of one or two letters. */
  content: boolean;
}

/** A text as words, with the sentences that they make; a sentence's words are `words.slice(from, to)`. */
export interface Wording {
  text: string;
  words: Word[];
  sentences: (Span & { from: number; to: number })[];
}

const WORD = /\d+(?:[.,]\d+)*|[a-z\u00c0-\u1fff\u3040-\ud7ff]+|%/g;

const STOP_WORDS = new Set(
  (
    "a about above after again against all also although always am an and any are as at be because been before being " +
    "below between both but by can could did do does doing don down during each either else for from further get had " +
    "has have having he her here hers herself him himself his how however i if in into is it its itself just less let " +
    "many may me might more most much must my need next no nor not now of off often on once only or other our out over " +
    "own per please rather same several shall she should since so some still such than that the their them then there " +
    "these they this those though through thus to too under until up upon us use used using very via was we well were " +
    "what when where whether which while who whom whose why will with within without would yes yet you your " +
    "s t d m re ve ll isn aren wasn weren doesn didn won couldn wouldn shouldn hasn haven hadn"
  ).split(" "),
);

const NUMBER_WORDS = new Map([...NUMERALS, ["hundred", 100]]);

/** The words of a text in order: "Restarting pods isn't 10 %" is restart, pod, is, not, 10, percent. */
export function wordsOf(text: string): Word[] {
  const folded = fold(text);
  const words: Word[] = [];
  let end = 0;
  // What lies between two words holds no letter, so the next one is found where it first stands.
  for (const word of folded.match(WORD) ?? []) {
    const start = folded.indexOf(word, end);
    end = start + word.length;
    if (word === "cannot") {
      words.push(wordAt("can", start), wordAt("not", start + 3));
    } else if (word === "t" && words.length > 0 && /n['’]$/.test(folded.slice(start - 2, start))) {
      const before = words.at(-1)!;
      before.stem = NEGATED_VERBS[before.stem] ?? before.stem.replace(/n$/, "");
      words.push({ ...wordAt("not", start), end: start + 1 });
    } else words.push(wordAt(word, start));
  }
  return words;
}

/** What is left of a verb before "n't" where an n less does not make it whole. */
const NEGATED_VERBS: Record<string, string> = { can: "can", won: "will", shan: "shall" };

function wordAt(word: string, start: number): Word {
  const known = READ.get(word) ?? readWord(word);
  return { stem: known.stem, start, end: start + word.length, content: known.content };
}

/** Words come again and again; forgotten all at once, so that a long run does not grow without end. */
const READ = new Map<string, Pick<Word, "stem" | "content">>();
const MAX_READ = 50_000;

function readWord(word: string): Pick<Word, "stem" | "content"> {
  const stop = STOP_WORDS.has(word);
  const read = { stem: stop ? word : stemOf(word), content: !stop && (word.length > 2 || /\d/.test(word)) };
  if (READ.size >= MAX_READ) READ.clear();
  READ.set(word, read);
  return read;
}

/** "policies" and "policy" are polici, "restarting", "restarted" and "restart" are restart, "ten" is 10. */
export function stemOf(word: string): string {
  if (word === "%") return "percent";
  const value = NUMBER_WORDS.get(word);
  if (value !== undefined) return String(value);
  if (/\d/.test(word)) return word.replaceAll(",", "");
  if (word.length <= 3) return word;
  let stem = word.endsWith("ies") ? `${word.slice(0, -3)}y` : word.replace(/(?<=[^su])s$/, "");
  const ending = /(?:(?<=.{3})(?:ing|ly)|(?<=.{3})ed)$/.exec(stem)?.[0] ?? "";
  stem = stem.slice(0, stem.length - ending.length);
  if (stem.length > 4)
    stem = stem
      .replace(/e$/, "")
      .replace(/y$/, "i")
      .replace(/(.)\1$/, "$1");
  return stem;
}

const SENTENCE_END = /\n+|[.!?]["')\]]*\s+(?=["'(\[*`]?[A-Z0-9])/g;

/** A line is a sentence of its own; within it one ends before a capital or a digit. Blank ones are left out. */
export function readWording(text: string): Wording {
  const words = wordsOf(text);
  const sentences: Wording["sentences"] = [];
  let start = 0;
  let from = 0;
  const endAt = (end: number): void => {
    let to = from;
    while (to < words.length && words[to]!.start < end) to++;
    if (to > from) sentences.push({ start, end, from, to });
    start = end;
    from = to;
  };
  for (const match of text.matchAll(SENTENCE_END)) endAt(match.index + match[0].length);
  endAt(text.length);
  return { text, words, sentences };
}

// ---- 2. Novelty -----------------------------------------------------------------------------------------
// Which of an answer's words, triples and sentences its sources do not have.

/** The words of all sources together, made ready for questions about one answer. */
export interface Vocabulary {
  stems: Set<string>;
  /** The first five letters of longer stems: "congestion" is known to a source that says "congested". */
  beginnings: Set<string>;
  /** Those of the answer's word triples that a source has. */
  trigrams: Set<string>;
  /** For each content stem of the answer the sentences, counted through all sources, that have it; the first MAX_PLACES. */
  places: Map<string, number[]>;
}

const BEGINNING = 5;
/** A word of more sentences than this says little about which one was meant, and would make look-ups slow. */
const MAX_PLACES = 64;

export function poolVocabulary(sources: Wording[], answer: Wording): Vocabulary {
  const said = new Set(answer.words.map((word) => word.stem));
  const pool: Vocabulary = {
    stems: new Set(),
    beginnings: new Set(),
    trigrams: new Set(),
    places: new Map(),
  };
  let sentence = 0;
  for (const { words, sentences } of sources) {
    // How many words in a row the answer has too: only such can make a triple of it.
    let shared = 0;
    for (let at = 0; at < words.length; at++) {
      const { stem, content } = words[at]!;
      pool.stems.add(stem);
      if (content && stem.length >= BEGINNING) pool.beginnings.add(stem.slice(0, BEGINNING));
      shared = said.has(stem) ? shared + 1 : 0;
      if (shared >= 3) pool.trigrams.add(trigram(words, at));
    }
    for (const { from, to } of sentences) {
      for (let at = from; at < to; at++) {
        const { stem, content } = words[at]!;
        if (content && said.has(stem)) notePlace(pool, stem, sentence);
      }
      sentence++;
    }
  }
  return pool;
}

const trigram = (words: Word[], last: number): string =>
  `${words[last - 2]!.stem} ${words[last - 1]!.stem} ${words[last]!.stem}`;

function notePlace({ places }: Vocabulary, stem: string, sentence: number): void {
  const known = places.get(stem);
  if (known === undefined) places.set(stem, [sentence]);
  else if (known.length < MAX_PLACES && known.at(-1) !== sentence) known.push(sentence);
}

const isKnown = ({ stems, beginnings }: Vocabulary, stem: string): boolean =>
  stems.has(stem) || (stem.length >= BEGINNING && beginnings.has(stem.slice(0, BEGINNING)));

/** What an answer says about its sources and about itself, which no source says. */
const ABOUT_SOURCES = new Set(
  (
    "answer article based below content context data describe document evidence example explain figure follow format " +
    "given guide help include information instruction json list mention note number overview passage point provide " +
    "question record reference runbook say section sentence source state step structure summarize summary text various word"
  )
    .split(" ")
    .map(stemOf),
);

/** "The passages do not say …": about what the sources lack, so that its words cannot stand in them. */
const SOURCE_SILENT =
  /\b(?:passages?|documents?|contexts?|texts?|articles?|data|information|sources?|references?|question)\b[^.!?\n]{0,80}\b(?:not|no|nor|unable|cannot|without|n['’]t)\b|\b(?:not|no|unable|cannot|n['’]t)\b[^.!?\n]{0,80}\b(?:passages?|documents?|contexts?|texts?|articles?|data|sources?|references?|specif\w{1,12}|mention\w{0,4}|provided?)\b/i;

/** How much of an answer is its own. */
export interface Novelty {
  /** Share of content words that no source has, [0, 1]. */
  share: number;
  /** The same of the worst sentence, damped for short ones: novel / (all + 3). */
  worstSentence: number;
  /** For the sentence that fits worst: 1 - the share of its words which the best single sentence of a source has. */
  thinnestSentence: number;
  /** Share of word triples that no source has, [0, 1]. */
  trigrams: number;
  /** ln(1 + the longest run of such triples): a passage told in the answer's own words. */
  novelRun: number;
}

/** Below this a sentence's share jumps too much to compare. */
const MIN_SENTENCE_WORDS = 3;
const DAMPING = 3;

export function noveltyOf(answer: Wording, known: Vocabulary): Novelty {
  const told = answer.sentences.filter(({ start, end }) => !isAboutSilence(answer.text.slice(start, end)));
  const novelty = { share: 0, worstSentence: 0, thinnestSentence: 0, ...tripleNovelty(answer, told, known) };
  let content = 0;
  let novel = 0;
  for (const { from, to } of told) {
    const words = answer.words
      .slice(from, to)
      .filter((word) => word.content && !ABOUT_SOURCES.has(word.stem));
    const unknown = words.filter(({ stem }) => !isKnown(known, stem)).length;
    content += words.length;
    novel += unknown;
    if (words.length < MIN_SENTENCE_WORDS) continue;
    novelty.worstSentence = Math.max(novelty.worstSentence, unknown / (words.length + DAMPING));
    novelty.thinnestSentence = Math.max(novelty.thinnestSentence, 1 - bestPlaceShare(words, known));
  }
  return { ...novelty, share: novel / Math.max(1, content) };
}

/** Triples within a sentence; a run of novel ones goes on from sentence to sentence. */
function tripleNovelty({ words }: Wording, told: Wording["sentences"], { trigrams }: Vocabulary) {
  let all = 0;
  let novel = 0;
  let run = 0;
  let longest = 0;
  for (const { from, to } of told) {
    for (let at = from + 2; at < to; at++) {
      all++;
      run = trigrams.has(trigram(words, at)) ? 0 : run + 1;
      if (run > 0) novel++;
      longest = Math.max(longest, run);
    }
  }
  return { trigrams: novel / Math.max(1, all), novelRun: Math.log1p(longest) };
}

const isAboutSilence = (sentence: string): boolean =>
  SOURCE_SILENT.test(sentence.slice(0, MAX_SENTENCE_CHARS));

/** Of a sentence only so much is searched for what it says about its sources. */
const MAX_SENTENCE_CHARS = 2000;

/** The share of these words that the one sentence of a source which has most of them has. */
function bestPlaceShare(words: Word[], { places }: Vocabulary): number {
  const stems = new Set(words.map((word) => word.stem));
  const counts = new Map<number, number>();
  let best = 0;
  for (const stem of stems) {
    for (const place of places.get(stem) ?? []) {
      const count = (counts.get(place) ?? 0) + 1;
      counts.set(place, count);
      best = Math.max(best, count);
    }
  }
  return best / stems.size;
}

// ---- 3. Copies and repetitions --------------------------------------------------------------------------

/** The share of an answer's words that lie in runs of `length` or more words, all copied from `shown`; [0, 1]. */
export function copiedShare(answer: Word[], shown: Word[], length: number): number {
  const runs = new Set<string>();
  for (let at = 0; at + length <= shown.length; at++) runs.add(gram(shown, at, at + length));
  let copied = 0;
  let until = 0;
  for (let at = 0; at + length <= answer.length; at++) {
    if (!runs.has(gram(answer, at, at + length))) continue;
    copied += at + length - Math.max(at, until);
    until = at + length;
  }
  return answer.length === 0 ? 0 : copied / answer.length;
}

function gram(words: Word[], from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += `${words[at]!.stem} `;
  return text;
}

/** Shorter ones ("Check the logs.") may honestly come again. */
const MIN_REPEATED_WORDS = 5;

/** A sentence of five words or more that stands `times` times outside fenced code, as it stands first; null where none does. */
export function repeatedSentence({ text, words, sentences }: Wording, times: number): string | null {
  const fenced = fencedBlocks(text);
  const seen = new Map<string, { count: number; first: string }>();
  for (const { start, end, from, to } of sentences) {
    if (spanAt(fenced, start)) continue;
    // A loop often counts: "13. Check the log." comes again as "14. Check the log."
    const first = /^\d{1,3}$/.test(words[from]!.stem) ? from + 1 : from;
    if (to - first < MIN_REPEATED_WORDS) continue;
    const key = gram(words, first, to);
    const entry = seen.get(key) ?? { count: 0, first: text.slice(start, end).trim() };
    seen.set(key, entry);
    if (++entry.count >= times) return entry.first;
  }
  return null;
}

// ---- 4. Altered copies ----------------------------------------------------------------------------------
// Six words around a place, copied word for word, say that the place was copied too. A number there that no source has at
// this place was exchanged, and a "not" was put in. Only numbers with a unit: bare ones number steps and passages.

/** How many words before and behind the place. */
const AROUND: [before: number, behind: number][] = [
  [3, 3],
  [4, 2],
  [2, 4],
  [5, 1],
  [1, 5],
];
/** With fewer the six words are a phrase that stands anywhere. */
const MIN_AROUND_CONTENT = 2;

const MEASURED = new Set(
  (
    "percent nanosecond microsecond millisecond second minute hour day week month year ms sec min hr degree byte kb mb gb " +
    "tb kib mib gib tib mbps gbps mhz ghz hundred thousand million billion time fold inch foot feet mile meter metre " +
    "kilometer km cm mm dollar euro pound pod node replica core connection point retry attempt"
  )
    .split(" ")
    .map(stemOf),
);

const NEGATIONS = new Set(["not", "never", "no"]);

const isNumber = (word: Word | undefined): boolean => word !== undefined && /^\d/.test(word.stem);

/** The six words around `at` without the one there, for each way to lay them; those that are too common left out. */
function surroundings(words: Word[], at: number): string[] {
  return AROUND.flatMap(([before, behind]) => {
    if (at < before || at + behind >= words.length) return [];
    let content = 0;
    for (let i = at - before; i <= at + behind; i++)
      if (i !== at && (words[i]!.content || words[i]!.stem === "percent") && !isNumber(words[i])) content++;
    return content < MIN_AROUND_CONTENT
      ? []
      : gram(words, at - before, at) + gram(words, at + 1, at + behind + 1);
  });
}

/** "If the pods cannot resolve names" denies nothing, unless the source has a condition there, too. */
const CONDITION = /\b(?:if|when|whenever|whether|unless|until)\b(?:[^.,;:!?\n]|\n(?!\s)){0,80}$/i;

const isInCondition = (text: string, at: number): boolean =>
  CONDITION.test(text.slice(Math.max(0, at - 90), at));

/**
 * Where an answer copies a sentence of its sources and changes a measured number or puts in a "not"; said in words. What the
 * task says is no alteration, nor a condition.
 */
export function alterations(answer: Wording, sources: Wording[], task: Wording): string[] {
  const { text } = answer;
  const words = withoutSupport(answer.words);
  const mine = new Set(task.words.filter(isNumber).map((word) => word.stem));
  const isMeasured = ({ stem }: Word, at: number): boolean =>
    isNumber(words[at]) && MEASURED.has(words[at + 1]?.stem ?? "") && !mine.has(stem);
  const places = words.flatMap((word, at): Place[] => {
    if (!isMeasured(word, at) && !NEGATIONS.has(word.stem)) return [];
    const around = surroundings(words, at);
    return around.length > 0 ? [{ at, stem: word.stem, around }] : [];
  });
  if (places.length === 0) return [];
  const copied = findPlaces(places, sources);
  const asked = findPlaces(places, [task]);
  return places.flatMap(({ at, stem, around }) => {
    if (around.some((key) => asked.get(key)?.has(stem))) return [];
    const there = new Set(around.flatMap((key) => [...(copied.get(key) ?? [])]));
    const near = text.slice(
      words[Math.max(0, at - 3)]!.start,
      words[Math.min(words.length - 1, at + 3)]!.end,
    );
    const what = NEGATIONS.has(stem)
      ? alteredNegation(stem, there, isInCondition(text, words[at]!.start))
      : alteredNumber(stem, there);
    return what === null ? [] : [`${JSON.stringify(near)} (${what})`];
  });
}

/** A place of the answer that may have been altered, with what stands around it. */
interface Place {
  at: number;
  stem: string;
  around: string[];
}

/** "does not delete" denies "deletes": the words without the verb that only carries a "not". */
const withoutSupport = (words: Word[]): Word[] =>
  words.filter(({ stem }, at) => !(/^(?:do|does|did)$/.test(stem) && words[at + 1]?.stem === "not"));

/** "needs a restart", "needs a full restart": where "no" would stand. */
const ARTICLES = new Set(["a", "an"]);
const ARTICLE = "a";

const articleSurroundings = (words: Word[], at: number): string[] => {
  const from = Math.max(0, at - 6);
  const before = words.slice(from, at + 1);
  return [0, 1].flatMap((skipped) =>
    surroundings([...before, ...words.slice(at + 1 + skipped, at + 8 + skipped)], at - from),
  );
};

/** Stand for no word at all between what is around a place: in a statement, and in a condition. */
const NOTHING = "";
const NOTHING_IF = " ";

/** For what stands around a place of the answer: the numbers, negations, or nothing that the sources have there. */
function findPlaces(places: Place[], sources: Wording[]): Map<string, Set<string>> {
  const found = new Map(places.flatMap(({ around }) => around.map((key) => [key, new Set<string>()])));
  const isDenied = places.some(({ stem }) => stem === "no");
  const firsts = new Set([...found.keys()].map((key) => key.slice(0, key.indexOf(" "))));
  for (const { text, words: all } of sources) {
    const words = withoutSupport(all);
    for (const [at, word] of words.entries()) {
      // Whichever way the six lie around the missing word, it would come after the first at the earliest.
      const there = firsts.has(word.stem) && at + 6 <= words.length && found.get(gram(words, at, at + 6));
      if (there) there.add(isInCondition(text, words[at + 1]!.start) ? NOTHING_IF : NOTHING);
      if (isDenied && ARTICLES.has(word.stem))
        for (const key of articleSurroundings(words, at)) found.get(key)?.add(ARTICLE);
      if (!isNumber(word) && !NEGATIONS.has(word.stem)) continue;
      for (const key of surroundings(words, at)) found.get(key)?.add(word.stem);
    }
  }
  return found;
}

/** What the sources have where the answer has another number; null where one of them has this one too, or none any. */
function alteredNumber(stem: string, there: Set<string>): string | null {
  const numbers = [...there].filter((entry) => /^\d/.test(entry));
  return numbers.length === 0 || there.has(stem) ? null : `${numbers[0]} in the source`;
}

function alteredNegation(stem: string, there: Set<string>, isCondition: boolean): string | null {
  const isThere =
    there.has(NOTHING_IF) || (!isCondition && (there.has(NOTHING) || (stem === "no" && there.has(ARTICLE))));
  return isThere && !NEGATIONS.values().some((entry) => there.has(entry))
    ? "not negated in the source"
    : null;
}

// ---- 5. Records -----------------------------------------------------------------------------------------
// Evidence that is itself a record, JSON or `key: value` lines, says yes or no to its keys. Only there can polarity be
// held against an answer: on prose the same comparison made half of all false alarms.

/** One key of a record that is answered with yes, no, or nothing. */
export interface Setting {
  /** The key as it stands in the record. */
  name: string;
  /** Stems that must all stand in a clause for it to speak of this key, e.g. outdoor, seat. */
  key: string[];
  /** Null: the record leaves it open. */
  value: boolean | null;
}

const YES = /^(?:yes|true|on|enabled|free)$/i;
const NO = /^(?:no|none|false|off|disabled|never)$/i;

/** The keys of these records that are answered with yes, no or nothing; null where not every text is a record. */
export function readRecords(texts: string[]): Setting[] | null {
  const records = texts.map((text) => jsonPairs(text) ?? linePairs(text));
  if (records.length === 0 || records.includes(null)) return null;
  const pairs = records.flatMap((record) => record ?? []);
  const settings = pairs.flatMap(([key, value]): Setting[] => {
    const answer = value === null ? null : YES.test(value) ? true : NO.test(value) ? false : undefined;
    return answer === undefined ? [] : [{ name: key, key: keyStems(key), value: answer }];
  });
  // A word that two keys share, or that is said elsewhere in the records, does not tell which key is meant.
  const prose = pairs.flatMap(([, value]) =>
    value === null || YES.test(value) || NO.test(value) ? [] : value,
  );
  const said = new Set(wordsOf(prose.join("\n")).map((word) => word.stem));
  const counts = new Map<string, number>();
  for (const { key } of settings)
    for (const stem of new Set(key)) counts.set(stem, (counts.get(stem) ?? 0) + 1);
  return settings
    .map((setting) => ({ ...setting, key: setting.key.filter((stem) => counts.get(stem) === 1) }))
    .filter(({ key }) => key.length > 0 && !key.some((stem) => said.has(stem)));
}

type Pair = [key: string, value: string | null];

function jsonPairs(text: string): Pair[] | null {
  if (!/^\s*[{[]/.test(text)) return null;
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return null;
  }
  const pairs: Pair[] = [];
  const open: [key: string, value: unknown][] = [["", root]];
  // Grows while it is read, so that depth costs no stack.
  for (const [key, value] of open) {
    if (Array.isArray(value)) for (const entry of value) open.push([key, entry]);
    else if (typeof value === "object" && value !== null)
      for (const entry of Object.entries(value)) open.push(entry);
    else pairs.push([key, value === null ? null : String(value)]);
  }
  return pairs;
}

/** At least three lines, four fifths of them `key: value` with a short value; the others are values without a key. */
function linePairs(text: string): Pair[] | null {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const pairs = lines.map((line): Pair => {
    const match = /^[ \t]{0,16}([A-Za-z][\w .-]{0,40}):[ \t]*(\S.{0,80})?$/.exec(line);
    // A key with nothing behind it opens a list in YAML: it leaves nothing open.
    return match ? [match[1]!, match[2] ?? ""] : ["", line];
  });
  const keyed = pairs.filter(([key]) => key !== "").length;
  return lines.length >= 3 && keyed >= 0.8 * lines.length ? pairs : null;
}

/** "RestaurantsReservations" -> restaurant, reservation; a stop word counts too: "TakeOut" is not any "take". */
function keyStems(key: string): string[] {
  return wordsOf(spaced(key).replaceAll("_", " ")).map((word) => word.stem);
}

/** How an answer stands to a record: what it says otherwise, and how much of what the record leaves open. */
export interface RecordFindings {
  contradictions: string[];
  /** Clauses that answer a key which the record leaves open. */
  beyond: number;
}

const NEGATED =
  /\b(?:not?|never|without|lacks?|lacking|neither|nor|unavailable|absent|excluding|none|cannot|prohibited)\b|n['’]t\b/i;
/** "Enable backups" says that there are none. */
const CALLED_FOR = /\b(?:enable|activate|turn on|switch on|set|configure|make sure|ensure|should|must)\b/i;
/** Data quoted as it stands, which is no statement. */
const QUOTED_DATA = /"\s{0,4}:|^\s*[-\w .]{1,60}:/;
const CLAUSE_END = /[.;!?\n]+|\b(?:but|however|although|though|while|whereas)\b/gi;

/**
 * What an answer says otherwise than its records: in a word or two of a clause, or outright ("TLS is not enabled", "TLS: no"). What
 * the task says outright is the asker's, and no contradiction.
 */
export function recordFindings(answer: string, settings: Setting[], task = ""): RecordFindings {
  const findings: RecordFindings = { contradictions: [], beyond: 0 };
  if (settings.length === 0) return findings;
  const asked = new Set(statementsIn(task, settings).map(({ name, said }) => `${said} ${name}`));
  const statements = statementsIn(answer, settings);
  const outright = Map.groupBy(statements, ({ clause }) => clause);
  const byStem = new Map(settings.map((setting) => [setting.key[0]!, setting]));
  const deny = ({ name, value }: Setting): void => {
    findings.contradictions.push(`${name} is ${value ? "yes" : "no"} in the record`);
  };
  for (const [number, { start, end }] of clausesOf(answer).entries()) {
    const clause = answer.slice(start, end);
    const stated = outright.get(number) ?? [];
    for (const { setting, said, name } of stated)
      if (setting.value !== null && said !== setting.value && !asked.has(`${said} ${name}`)) deny(setting);
    if (QUOTED_DATA.test(clause)) continue;
    const words = wordsOf(clause);
    const at = new Map(words.map((word, index) => [word.stem, index]));
    const negated = NEGATED.test(clause);
    for (const [stem, index] of at) {
      const setting = byStem.get(stem);
      if (!setting?.key.every((part) => at.has(part))) continue;
      const { value } = setting;
      const before = clause.slice(words[Math.max(0, index - 3)]!.start, words[index]!.start);
      const isOtherwise =
        value === null ? false : value ? NEGATED.test(before) : !negated && !CALLED_FOR.test(clause);
      // "Backup is disabled" denies nothing where the record says no.
      if (isOtherwise && !stated.some((entry) => entry.setting === setting)) deny(setting);
      if (value === null && !isAboutSilence(clause)) findings.beyond++;
    }
  }
  return findings;
}

function clausesOf(text: string): Span[] {
  const clauses: Span[] = [];
  let start = 0;
  for (const { 0: mark, index } of text.matchAll(CLAUSE_END)) {
    clauses.push({ start, end: index });
    start = index + mark.length;
  }
  return [...clauses, { start, end: text.length }];
}

/** A yes or no that a clause gives a key outright. */
interface Statement {
  /** The clause's number. */
  clause: number;
  setting: Setting;
  name: string;
  said: boolean;
}

/** Ends of a key's name that say no more than its value does: `http2_enabled`. */
const STATES = new Set(["enabled", "active", "available", "supported", "allowed", "on"].map(stemOf));

const SAYS_YES = "yes|true|on|enabled|active|activated|available|supported|present";
const SAYS_NO = "no|none|false|off|disabled|inactive|deactivated|unavailable|unsupported|absent";
const SAID = `(?:(${SAYS_YES})|${SAYS_NO})`;
const MARKS = "[*_\"'\x60]{0,3}";
/** "by default", "for guests", "on port 80": less than the whole is said to be so. */
const SAID_OF_ALL = String.raw`(?=${MARKS}\s*(?:$|[,;:()]|(?:and|but|so|because|here|now)\b|(?:on|for|at|in) (?:it|(?:the|this) (?:server|host|node|machine|record|instance)|[\w.-]{0,60}\d[\w.-]{0,60})\s*(?:$|[,;:()]|and\b)))`;
const OUTRIGHT = new RegExp(
  String.raw`^${MARKS}\s+(?:is|are|remains?|stays?)(\s+not|n['’]t|\s+no longer)?(?:\s+(?:currently|now|set to|turned|switched)){0,2}\s+${MARKS}${SAID}${SAID_OF_ALL}`,
  "i",
);
const AS_PAIR = new RegExp(String.raw`^${MARKS}\s*[:=]\s*${MARKS}${SAID}${MARKS}\s*(?:$|,)`, "i");
/** What may stand before the key: with another word it is another thing ("mutual TLS"). */
const BEFORE_KEY =
  /(?:^|[,(:]|\b(?:the|its|and|because|that|since|so|then|as|says?|shows?)|['’]s)\s{0,4}["'*\x60]{0,3}$/i;
const BEFORE_PAIR = /(?:^|,)\s*(?:[-*+•]\s|\d{1,2}[.)]\s)?\s*["'*_\x60]{0,3}$/;
/** Not said to be so, but asked, supposed or called for. */
const SUPPOSED =
  /\b(?:if|when|whenever|whether|unless|until|once|after|before|where|why|check|verify|ensure|confirm|assert|make sure|should|would|could|may|might|suppose|assume|expect)\b/i;

function statementsIn(text: string, settings: Setting[]): Statement[] {
  const named = settings.map((setting) => ({ setting, stems: headStems(setting.name) }));
  // "TLS" may be any of `tls` and `tls_enabled`.
  const telling = named.filter(({ setting, stems }) => stems.every((stem) => setting.key.includes(stem)));
  const byFirst = Map.groupBy(telling, ({ stems }) => stems[0]);
  const code = fencedBlocks(text);
  return clausesOf(text).flatMap(({ start, end }, clause) => {
    if (spanAt(code, start)) return [];
    const words = wordsOf(text.slice(start, end));
    return words.flatMap(({ stem }, at): Statement[] => {
      const fitting = byFirst
        .get(stem)
        ?.find(({ stems }) => stems.every((part, n) => words[at + n]?.stem === part));
      if (fitting === undefined) return [];
      const { setting, stems } = fitting;
      const key = { start: start + words[at]!.start, end: start + words[at + stems.length - 1]!.end };
      const said = saidOf(text, { start, end }, key);
      return said === null ? [] : [{ clause, setting, name: setting.name, said }];
    });
  });
}

/** A key's stems without the state at its end. */
function headStems(name: string): string[] {
  const stems = keyStems(name);
  return stems.length > 1 && STATES.has(stems.at(-1)!) ? stems.slice(0, -1) : stems;
}

/** So much before and behind a key says what is said of it. */
const BESIDE_KEY = 160;

/** What a clause says of the key that stands there, or null. */
function saidOf(text: string, clause: Span, key: Span): boolean | null {
  const before = text.slice(Math.max(clause.start, key.start - BESIDE_KEY), key.start);
  const behind = text.slice(key.end, Math.min(clause.end, key.end + BESIDE_KEY));
  const stated = OUTRIGHT.exec(behind);
  if (stated !== null) {
    const isSaid = BEFORE_KEY.test(before) && !SUPPOSED.test(before) && text[clause.end] !== "?";
    return isSaid ? (stated[2] !== undefined) === (stated[1] === undefined) : null;
  }
  const pair = BEFORE_PAIR.test(before) ? AS_PAIR.exec(behind) : null;
  return pair === null || isToBeSet(text, key.end) ? null : pair[1] !== undefined;
}

/** How far back the line is looked for that a list goes with. */
const MAX_LEAD_CHARS = 400;
const IN_LIST = /^\s*(?:$|[-*+•]|\d{1,2}[.)]\s|[\w .\x60"'*-]{1,60}[:=]\s*\S)/;
const CHANGES =
  /\b(?:set|change|switch|turn|put|add|edit|apply|update|use|make|enable|disable|configure|correct|should|must|want|need)\w{0,3}\b/i;

/** A pair in code, or in a list of what is to be changed, says how things should be. */
function isToBeSet(text: string, at: number): boolean {
  const lines = text.slice(Math.max(0, at - MAX_LEAD_CHARS), at).split("\n");
  const ticks = lines.pop()!.match(/\x60/g)?.length ?? 0;
  return ticks % 2 === 1 || CHANGES.test(lines.findLast((line) => !IN_LIST.test(line)) ?? "");
}

// ---- 6. Names, quotations, placeholders -----------------------------------------------------------------

const NAME = /(?<=[\p{Ll},] )\p{Lu}\p{Ll}{2,}(?:[ -]\p{Lu}\p{Ll}{2,}){0,4}(?![\p{L}\p{N}_])/gu;

/** Capitalised, and nobody's name. */
const CALENDAR = new Set(
  (
    "january february march april may june july august september october november december monday tuesday wednesday " +
    "thursday friday saturday sunday fahrenheit celsius english according unable"
  )
    .split(" ")
    .map(stemOf),
);

/** Names in the middle of a sentence of which no source has a single word, in order. */
export function unknownNames(answer: string, known: Vocabulary): (Span & { text: string })[] {
  return [...answer.matchAll(NAME)].flatMap((match) => {
    const isUnknown = wordsOf(match[0]).every(
      ({ stem, content }) =>
        content && !CALENDAR.has(stem) && !ABOUT_SOURCES.has(stem) && !isKnown(known, stem),
    );
    return isUnknown ? { start: match.index, end: match.index + match[0].length, text: match[0] } : [];
  });
}

/** Quotes in pairs, as they follow each other in a line. */
const QUOTATION = /"([^"\n]{0,1000})"|“([^“”\n]{0,1000})”/g;
const MIN_QUOTED_WORDS = 3;

/** Quotations of three words or more, questions apart, that no source has word for word, in order. */
export function unknownQuotes(answer: string, known: Vocabulary): (Span & { text: string })[] {
  return [...answer.matchAll(QUOTATION)].flatMap((match) => {
    const text = match[1] ?? match[2]!;
    const words = wordsOf(text);
    // A question in quotes is the asker's; what begins with a blank stands between two quotations.
    if (words.length < MIN_QUOTED_WORDS || /^\s|\?$/.test(text) || isSaid(words, known)) return [];
    return { start: match.index, end: match.index + match[0].length, text };
  });
}

/** True where each three words in a row stand in a source. */
function isSaid(words: Word[], { trigrams }: Vocabulary): boolean {
  for (let at = 2; at < words.length; at++) if (!trigrams.has(trigram(words, at))) return false;
  return true;
}

const PLACEHOLDER =
  /(?<![\w-])(?:TODO|TBD|(?<!\w\.)X{2,12})(?![\w-])|(?<![\w.])x{1,3}(?:\.x{1,3}){3}(?![\w.])|(?<![\w.-])\/?path\/to(?:\/[\w.-]{1,100})?|\b(?:[\w-]{1,63}\.)?example\.(?:com|org|net)\b|\bYOUR[_-][A-Z_]{1,40}\b/g;

/** What stands for something that nobody filled in. `<name>` in angle brackets says so itself and is none. */
export function placeholdersIn(text: string): (Span & { text: string })[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => {
    return { start: match.index, end: match.index + match[0].length, text: match[0] };
  });
}
