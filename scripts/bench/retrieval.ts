/**
 * What retrieval costs by the size of the corpus, in whole cold processes, beside `bun -e 0` and the scan of the same run.
 *
 *   ./scripts/bun run bench:retrieval [--sizes 446,10000,100000,1000000] [--runs 15] [--scans 3] [--dir DIR] [--json]
 *
 * Corpora are generated (generate.ts: some 1.45 KB a playbook, a Zipf vocabulary), kept in DIR between runs, and indexed
 * anew at the beginning. The commands of a size take turns, `bun -e 0` among them, so that a busy moment of the machine
 * meets all of them; figures are medians, ratios are to the median of `bun -e 0` in the same turns. The scan of a corpus
 * above --scan-up-to playbooks (default 100,000) is left out: it takes minutes, and gigabytes.
 */
import { appendFileSync, mkdirSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { RANKERS, scanCorpus } from "../distillation/replay.ts";
import type { Ranker } from "../distillation/replay.ts";
import { generateRecord, generateTask, writeCorpus } from "./generate.ts";

const DISTILL = join(import.meta.dir, "../distillation/distill.ts");
const WRAPPER = join(import.meta.dir, "../distill");
const TASKS = 64;
/** Tasks of a batch: enough for the start to weigh little. */
const BATCH_TASKS = 1000;

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "446,10000,100000" },
    runs: { type: "string", default: "15" },
    scans: { type: "string", default: "3" },
    "scan-up-to": { type: "string", default: "100000" },
    dir: { type: "string", default: join(tmpdir(), "distill-bench") },
    json: { type: "boolean", default: false },
    // What a process of its own does for the scan: corpus, ranker, task.
    scan: { type: "string", multiple: true },
  },
});

/** A whole process, from its start to its end. */
async function timed(argv: string[]): Promise<{ ms: number; stderr: string }> {
  const startedAt = performance.now();
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "pipe", env: process.env });
  const [, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const ms = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}: ${stderr}`);
  return { ms, stderr };
}

/** MB that a Bun process has resident at most, by another run of it; NaN where the system does not say. */
async function peakOf([bun, ...argv]: string[]): Promise<number> {
  if (bun !== process.execPath) return NaN;
  const preload = ["--preload", join(import.meta.dir, "memory.ts")];
  const { stderr } = await timed([bun, ...preload, ...argv]);
  return Number(/^peak (\d+) kB$/m.exec(stderr)?.[1] ?? NaN) / 1000;
}

interface Place {
  size: number;
  root: string;
  corpus: string;
}

/** A root of its own with a corpus of this size; one that is there already is taken. */
function placeFor(size: number): Place {
  const root = join(values.dir, String(size));
  const corpus = join(root, "corpus.jsonl");
  mkdirSync(join(root, "data/_kb"), { recursive: true });
  const done = join(root, "generated");
  if (!statSync(done, { throwIfNoEntry: false })) {
    writeCorpus(corpus, size);
    appendFileSync(done, "");
  }
  return { size, root, corpus };
}

const at = ({ root, corpus }: Place): string[] => ["--root", root, "--corpus", corpus];

const retrieveArgs = (place: Place, ranker: Ranker, turn: number): string[] => {
  const task = generateTask((turn * 7919) % place.size, place.size);
  return ["retrieve", "--json", "--ranker", ranker, "--task", task, ...at(place)];
};

/** Every command that is measured at a size, by name; each gets the number of its turn. */
function commandsFor(place: Place): Record<string, (turn: number) => string[]> {
  const bun = process.execPath;
  return {
    "bun -e 0": () => [bun, "-e", "0"],
    ...Object.fromEntries(
      RANKERS.map((ranker) => [
        `retrieve, ${ranker}`,
        (turn: number) => [bun, DISTILL, ...retrieveArgs(place, ranker, turn)],
      ]),
    ),
    "scripts/distill retrieve": (turn) => [WRAPPER, ...retrieveArgs(place, "weighted", turn)],
    "replay --dry-run": (turn) => {
      const task = generateTask((turn * 7919) % place.size, place.size);
      return [bun, DISTILL, "replay", "--dry-run", "--quiet", "--task", task, ...at(place)];
    },
  };
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

interface Line {
  size: number;
  command: string;
  ms: number;
  worst: number;
  ratio: number;
  megabytes: number;
}

/** Takes turns between the commands and returns their medians. */
async function measure(
  size: number,
  commands: Record<string, (turn: number) => string[]>,
  runs: number,
): Promise<Line[]> {
  const taken = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]));
  // The first turn warms the page cache.
  for (let turn = 0; turn <= runs; turn++)
    for (const [name, argv] of Object.entries(commands)) {
      const { ms } = await timed(argv(turn % TASKS));
      if (turn > 0) taken.get(name)!.push(ms);
    }
  const base = median(taken.get("bun -e 0")!);
  const lines: Line[] = [];
  for (const [command, all] of taken) {
    const peaks: number[] = [];
    for (let turn = 1; turn <= Math.min(5, runs); turn++) peaks.push(await peakOf(commands[command]!(turn)));
    const ms = median(all);
    lines.push({ size, command, ms, worst: Math.max(...all), ratio: ms / base, megabytes: median(peaks) });
  }
  return lines;
}

async function build(place: Place): Promise<Line & { rate: number }> {
  const argv = [process.execPath, DISTILL, "index", "--rebuild", ...at(place)];
  const { ms } = await timed(argv);
  const rate = statSync(place.corpus).size / 1e6 / (ms / 1000);
  const megabytes = await peakOf(argv);
  return { size: place.size, command: "index --rebuild", ms, worst: ms, ratio: NaN, megabytes, rate };
}

/** Tasks a second in one process, its start included: a difference of two noisy runs can be anything. */
async function batch(place: Place, ranker: Ranker): Promise<{ ranker: Ranker; perSecond: number }> {
  const tasks = join(place.root, "tasks.jsonl");
  const rows = Array.from({ length: BATCH_TASKS }, (_, n) =>
    JSON.stringify({ task: generateTask((n * 104_729 + 1) % place.size, place.size) }),
  );
  await Bun.write(tasks, `${rows.join("\n")}\n`);
  const argv = [
    process.execPath,
    DISTILL,
    "retrieve",
    "--json",
    "--ranker",
    ranker,
    ...at(place),
    "--tasks",
    tasks,
  ];
  const { ms } = await timed(argv);
  return { ranker, perSecond: BATCH_TASKS / (ms / 1000) };
}

/** What one appended record adds to the next run; the corpus is put back to its length. */
async function appended(place: Place, runs: number): Promise<Line[]> {
  const { size: before } = statSync(place.corpus);
  const retrieve = (turn: number): string[] => [
    process.execPath,
    DISTILL,
    ...retrieveArgs(place, "weighted", turn),
  ];
  appendFileSync(place.corpus, `${JSON.stringify(generateRecord(place.size, place.size, 2))}\n`);
  try {
    const commands = {
      "bun -e 0": () => [process.execPath, "-e", "0"],
      "retrieve after an append": retrieve,
    };
    return (await measure(place.size, commands, runs)).slice(1);
  } finally {
    truncateSync(place.corpus, before);
  }
}

async function bench(size: number): Promise<void> {
  const place = placeFor(size);
  const runs = Number(values.runs);
  const built = await build(place);
  const lines: Line[] = await measure(size, commandsFor(place), runs);
  if (size <= Number(values["scan-up-to"])) {
    const scan = (turn: number): string[] => {
      const task = generateTask((turn * 7919) % size, size);
      const words = [place.corpus, "weighted", task].flatMap((word) => ["--scan", word]);
      return [process.execPath, import.meta.path, ...words];
    };
    const scans = { "bun -e 0": () => [process.execPath, "-e", "0"], "the scan, weighted": scan };
    lines.push(...(await measure(size, scans, Number(values.scans))).slice(1));
  }
  const batches = [await batch(place, "jaccard"), await batch(place, "weighted")];
  // Last: a corpus that was put back to its length counts as rewritten.
  lines.push(...(await appended(place, runs)));
  const result: Result = { size, built, lines, batches };
  if (values.json) console.log(JSON.stringify(result));
  else print(result);
}

interface Result {
  size: number;
  built: Line & { rate: number };
  lines: Line[];
  batches: { ranker: Ranker; perSecond: number }[];
}

function print({ size, built, lines, batches }: Result): void {
  console.log(`\n| ${size.toLocaleString("en")} playbooks | p50 ms | worst ms | times bun -e 0 | MB |`);
  console.log("| --- | --- | --- | --- | --- |");
  for (const { command, ms, worst, ratio, megabytes } of lines)
    console.log(
      `| ${command} | ${ms.toFixed(1)} | ${worst.toFixed(1)} | ${ratio.toFixed(2)} | ${Number.isNaN(megabytes) ? "" : megabytes.toFixed(0)} |`,
    );
  console.log(
    `\nindex: ${(built.ms / 1000).toFixed(1)} s, ${built.rate.toFixed(1)} MB/s, ${built.megabytes.toFixed(0)} MB at most`,
  );
  for (const { ranker, perSecond } of batches)
    console.log(`batch, ${ranker}: ${perSecond.toFixed(0)} tasks a second`);
}

async function scanOnce([corpus, ranker, task]: string[]): Promise<void> {
  const opened = await scanCorpus(corpus!, ranker === "jaccard" ? "jaccard" : "weighted", () => {});
  console.log((await opened.retrieve(task!, { topK: 8, minCoverage: 0 })).hits.length);
}

if (values.scan) await scanOnce(values.scan);
else for (const size of values.sizes.split(",")) await bench(Number(size));
