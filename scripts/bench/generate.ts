/**
 * Corpora of any size for the benches and the tests: playbooks of some 1.44 KB with a Zipf vocabulary, the same bytes for
 * the same seed. Words are made of syllables; one in twenty is an identifier in parts, and every record has a rare name that
 * a handful of others share, as hosts, tickets and error codes are in real ones.
 */
import { closeSync, openSync, writeSync } from "node:fs";

import { seeded } from "../distillation/statistics.ts";

export interface GeneratedRecord {
  id: string;
  title: string;
  content: string;
  source_run_id: string;
  success_score: string;
  tags: string[];
  source_category: string;
}

const SYLLABLES = "ka to re mi su no la vi der po tan ge lo ri fa chu net ban sol que dro pix wal zen".split(
  " ",
);
const VOCABULARY = 60_000;
const TABLE_BITS = 20;
const CONTENT_WORDS = 166;
const WRITE_BYTES = 4 * 1024 * 1024;

function word(rank: number): string {
  let text = "";
  for (let rest = rank + SYLLABLES.length; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    text += SYLLABLES[rest % SYLLABLES.length]!;
  if (rank % 40 === 7) return `${text}_${SYLLABLES[rank % 7]!}${rank % 100}`;
  return rank % 40 === 9 ? `${text[0]!.toUpperCase()}${text.slice(1)}Down` : text;
}

/** Words by quantile: entry n of 2^20 is the word that a uniform n / 2^20 stands for under Zipf's law. */
function zipfTable(): string[] {
  const words = Array.from({ length: VOCABULARY }, (_, rank) => word(rank));
  const weights = words.map((_, rank) => 1 / (rank + 2.7));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const size = 2 ** TABLE_BITS;
  const table: string[] = [];
  let sum = 0;
  for (let rank = 0; rank < VOCABULARY; rank++) {
    sum += weights[rank]!;
    while (table.length < (sum / total) * size && table.length < size) table.push(words[rank]!);
  }
  while (table.length < size) table.push(words[VOCABULARY - 1]!);
  return table;
}

let table: string[] | null = null;

/** Record number `n` of the corpus with this seed; a record's length varies by a factor of four. */
export function generateRecord(n: number, size: number, seed = 1): GeneratedRecord {
  table ??= zipfTable();
  const words = table;
  const random = seeded(seed * 0x9e3779b1 + n * 0x85ebca6b);
  const pick = (): string => words[Math.floor(random() * 2 ** TABLE_BITS)]!;
  const sentence = (length: number): string => {
    let text = pick();
    for (let more = 1; more < length; more++) text += ` ${pick()}`;
    return text;
  };
  const rare = `srv${Math.floor(random() * Math.max(1, size / 4))}x`;
  const length = Math.round(CONTENT_WORDS * (0.4 + 1.2 * random()));
  const lines: string[] = [];
  for (let left = length; left > 0; left -= 14) lines.push(sentence(Math.min(14, left)));
  return {
    id: `run/${seed}/${n}`,
    title: `${sentence(5)} ${rare}`,
    content: `${lines.join("\n")}\n- Verify that ${sentence(6)}.`,
    source_run_id: `run:${Math.floor(n / 3)}`,
    success_score: ["accepted", "accepted", "accepted", "partially_accepted", "rejected"][n % 5]!,
    tags: [pick(), pick()],
    source_category: "generated",
  };
}

/** A task that record number `n` answers: some words of its title and of its text, and a name that stands nowhere. */
export function generateTask(n: number, size: number, seed = 1): string {
  const { title, content } = generateRecord(n, size, seed);
  const random = seeded(seed + n * 31);
  const some = (text: string, count: number): string[] => {
    const words = text.split(/\s+/);
    return Array.from({ length: count }, () => words[Math.floor(random() * words.length)]!);
  };
  return [...some(title, 4), ...some(content, 6), `host-${Math.floor(random() * 1e6)}q`].join(" ");
}

/** Writes `size` records to `path`, or appends them as numbers `from` and up. */
export function writeCorpus(path: string, size: number, { seed = 1, from = 0, flags = "w" } = {}): void {
  const file = openSync(path, flags);
  let lines: string[] = [];
  let bytes = 0;
  const flush = (): void => {
    const text = Buffer.from(lines.join(""));
    for (let done = 0; done < text.length;) done += writeSync(file, text, done);
    [lines, bytes] = [[], 0];
  };
  for (let n = from; n < from + size; n++) {
    const line = `${JSON.stringify(generateRecord(n, size, seed))}\n`;
    lines.push(line);
    bytes += line.length;
    if (bytes > WRITE_BYTES) flush();
  }
  flush();
  closeSync(file);
}
