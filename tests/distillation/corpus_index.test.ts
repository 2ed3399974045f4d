import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { buildIndex } from "../../scripts/distillation/build_index.ts";
import {
  IndexedCorpus,
  indexPath,
  openIndexed,
  readIndex,
  tokenNumber,
} from "../../scripts/distillation/corpus_index.ts";
import { extractFacts } from "../../scripts/distillation/facts.ts";
import { RANKERS, scanCorpus } from "../../scripts/distillation/replay.ts";
import type { OpenCorpus, Playbook, Ranker, RetrieveOptions } from "../../scripts/distillation/replay.ts";
import { jsonl, playbook, rootWith, run, seeded, temporaryFolder, writeFile } from "./support.ts";

const WORDS =
  "ls df-h `ls~-l` /etc/hosts `systemctl~restart~kube_state` --v2 disk pods pod kube_state maxWalSize lag 503 v2 tls nodes KubeletDown inode dns \u212aelvin \u0130stanbul status the 漢字 ü tls~1.2 max_wal_size removes df~-A --follow"
    .split(" ")
    .map((word) => word.replaceAll("~", " "));
/** What tasks are made of: one word of it stands in no corpus. */
const ASKED = [...WORDS, "stranger"];

/** Everything that a test needs to put one corpus to the index and to the scan. */
function place(text: string | Uint8Array) {
  const root = temporaryFolder();
  const corpusPath = writeFile(join(root, "corpus.jsonl"), text);
  return { root, corpusPath, index: indexPath({ root, corpusPath }) };
}

type Place = ReturnType<typeof place>;

async function indexed({ root, corpusPath }: Place, ranker: Ranker = "weighted") {
  const warnings: string[] = [];
  const corpus = await openIndexed({ root, corpusPath }, ranker, { warn: (line) => warnings.push(line) });
  return { corpus, warnings };
}

async function scanned({ corpusPath }: Place, ranker: Ranker = "weighted") {
  const warnings: string[] = [];
  const corpus = await scanCorpus(corpusPath, ranker, (line) => warnings.push(line));
  return { corpus, warnings };
}

const OPTIONS: RetrieveOptions = { topK: 8, minCoverage: 0 };

const kept = ({ index }: Place) => ({ ino: statSync(index).ino, mtimeMs: statSync(index).mtimeMs });

const leftovers = ({ index }: Place): string[] =>
  readdirSync(dirname(index)).filter((name) => !/\.(?:bin|seen)$/.test(name));

/** Where it is kept how a corpus was that has only grown. */
const seenPath = ({ index }: Place): string => index.replace(/bin$/, "seen");

/** The scan is the oracle: whatever it says of these tasks, the index says too, to the bit. */
async function expectSame(at: Place, ranker: Ranker, asked: { task: string; options: RetrieveOptions }[]) {
  const [index, scan] = [await indexed(at, ranker), await scanned(at, ranker)];
  expect(index.corpus?.answeredBy).toBe("index");
  expect(index.warnings).toEqual(scan.warnings);
  expect(countsOf(index.corpus!)).toEqual(countsOf(scan.corpus));
  for (const { task, options } of asked) {
    expect(await index.corpus!.retrieve(task, options)).toEqual(await scan.corpus.retrieve(task, options));
  }
  const ids = asked.flatMap(({ options }) => options.excludeIds ?? []);
  expect(await index.corpus!.find(ids)).toEqual(await scan.corpus.find(ids));
  // No fact of today's has a key without letters or digits of ASCII; one that had would be looked for everywhere.
  const facts = extractFacts(ANSWER);
  for (const fact of [...facts, { ...facts[0]!, key: "漢字" }])
    expect([fact.text, index.corpus!.elsewhere(fact)]).toEqual([fact.text, scan.corpus.elsewhere(fact)]);
  expect(index.corpus!.answeredBy).toBe("index");
  expect(hashOf(index.corpus!, at)).toEqual(index.corpus!.parts);
}

/** Facts that stand in none, some and all of the corpora below, with hints of every length. */
const ANSWER =
  "Run `ls -l`, `ls -l /etc/hosts`, then `df -h` and `systemctl restart kube_state`. Set `maxWalSize`, `nowhere_at_all` or `--v2`; see https://host.example/503/tls and `漢字`. Allow TLSv1.2 and `rm x`, `kubectl get --all-namespaces -f`.";

const countsOf = ({ size, skipped, superseded }: OpenCorpus) => ({ size, skipped, superseded });

/** The corpus' parts, hashed anew. */
function hashOf({ parts }: OpenCorpus, { corpusPath }: Place): OpenCorpus["parts"] {
  const bytes = readFileSync(corpusPath);
  let end = 0;
  const hashed = parts.map((part) => {
    const text = bytes.subarray(end, (end += part.bytes));
    return {
      bytes: part.bytes,
      sha256: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
    };
  });
  expect(end).toBe(bytes.length);
  return hashed;
}

/** A corpus with everything that a line can be: ties, repeats, later lines with an id, bad and blank lines, CRLF, a BOM. */
function oddCorpus(random: () => number, from = 0): string {
  const words = (most: number): string =>
    Array.from(
      { length: 1 + Math.floor(random() * most) },
      () => WORDS[Math.floor(random() * WORDS.length)],
    ).join(" ");
  const line = (n: number): string => {
    const dice = random();
    if (dice < 0.08) return ["", "  ", "{nope", "[1]", '{"id":"x","title":"t"}'][Math.floor(random() * 5)]!;
    const id = dice < 0.2 ? `p${Math.floor(random() * 20)}` : `p${from + n}`;
    const content = dice > 0.95 ? `${words(3)} ${"pods ".repeat(60 + Math.floor(random() * 10))}` : words(12);
    const record = playbook({
      id,
      title: words(3),
      content,
      tags: [words(1)],
      source_run_id: n % 5 === 0 ? "" : `run:${n % 4}`,
      success_score: n % 7 === 0 ? "rejected" : "accepted",
    });
    return `${dice > 0.9 ? "\ufeff" : ""}${JSON.stringify(record)}`;
  };
  const ends = ["\n", "\r\n"];
  return Array.from(
    { length: 10 + Math.floor(random() * 20) },
    (_, n) => line(n) + ends[Math.floor(random() * 2)],
  ).join("");
}

function oddTasks(random: () => number): { task: string; options: RetrieveOptions }[] {
  const task = (): string =>
    Array.from(
      { length: 1 + Math.floor(random() * 8) },
      () => ASKED[Math.floor(random() * ASKED.length)],
    ).join(" ");
  return [
    { task: task(), options: OPTIONS },
    { task: task(), options: { topK: 1, minCoverage: 0.5 } },
    { task: task(), options: { topK: 100, minCoverage: 0 } },
    { task: task(), options: { ...OPTIONS, excludeIds: ["p1", "p3", "nobody"] } },
    { task: task(), options: { ...OPTIONS, excludeSourceRunIds: ["run:1", "run:2", ""] } },
    { task: task(), options: { ...OPTIONS, excludeIds: ["p2"], excludeSourceRunIds: ["run:3"] } },
    { task: "xylophone", options: OPTIONS },
  ];
}

const SEEDS = Array.from({ length: 16 }, (_, seed) => seed);
const torn = JSON.stringify(playbook({ id: "p2", title: "disk" })).slice(0, 30);

describe("openIndexed", () => {
  test.each(RANKERS)("says what the scan says, before and after appends (%s)", async (ranker) => {
    for (const seed of SEEDS) {
      const random = seeded(seed);
      const at = place(oddCorpus(random) + jsonl([playbook({ id: "last" })]));
      await expectSame(at, ranker, oddTasks(random));
      const built = kept(at);
      appendFileSync(at.corpusPath, oddCorpus(random, 30));
      await expectSame(at, ranker, oddTasks(random));
      appendFileSync(at.corpusPath, torn);
      await expectSame(at, ranker, oddTasks(random));
      expect(kept(at)).toEqual(built);
    }
  });

  test.each(RANKERS)("says what the scan says after folds (%s)", async (ranker) => {
    const random = seeded(7);
    const at = place(oddCorpus(random));
    const filler = `${"x y ".repeat(70_000)}\n`;
    for (let fold = 0; fold < 4; fold++) {
      await expectSame(at, ranker, oddTasks(random));
      const built = kept(at);
      appendFileSync(
        at.corpusPath,
        oddCorpus(random, 30 * fold) + jsonl([playbook({ id: `big${fold}`, content: filler })]),
      );
      await expectSame(at, ranker, oddTasks(random));
      expect(kept(at)).not.toEqual(built);
    }
    expect((await readIndex(at.index))!.header.segments.length).toBeLessThan(4);
  });

  test.each(RANKERS)("says what the scan says over many blocks and segments (%s)", async (ranker) => {
    const random = seeded(3);
    const words = (count: number): string =>
      Array.from({ length: count }, () => `w${Math.floor(random() ** 3 * 400)}`).join(" ");
    const records = (from: number, count: number): string =>
      jsonl(
        Array.from({ length: count }, (_, n) =>
          playbook({ id: `r${from + n}`, title: words(3), content: words(3 + (n % 9)) }),
        ),
      );
    const at = place(records(0, 7000));
    await indexed(at);
    appendFileSync(at.corpusPath, records(7000, 1700));
    const asked = Array.from({ length: 12 }, (_, n) => ({
      task: words(1 + n),
      options: { ...OPTIONS, topK: 1 + 3 * n },
    }));
    await expectSame(at, ranker, asked);
    expect((await readIndex(at.index))!.header.segments.length).toBe(2);
  });

  test("builds the same bytes again", async () => {
    const text = oddCorpus(seeded(1));
    const at = place(text);
    await indexed(at);
    const first = readFileSync(at.index);
    writeFileSync(at.index, "");
    await indexed(at);
    expect(readFileSync(at.index).equals(first)).toBe(true);
  });

  test("finds a fact by a run too short for a token", async () => {
    const bare = { title: "moon", content: "on node a: df -h", source_run_id: "" };
    const at = place(jsonl([playbook({ id: "a", ...bare })]));
    const [flag] = extractFacts("Try it with -h at first.");
    expect(flag!.key).toBe("-h");
    expect((await indexed(at)).corpus!.elsewhere(flag!)).toMatchObject({ id: "a" });
    await expectSame(at, "weighted", []);
  });

  test("names what stands behind the last line of a record that was appended twice", async () => {
    const at = place(jsonl([A, B]));
    await indexed(at);
    const holder = (id: string) => playbook({ id, content: "Run it with --zap-all." });
    appendFileSync(at.corpusPath, jsonl([playbook({ id: "twice" }), holder("between"), holder("twice")]));
    const flag = extractFacts("Use `kubectl get pods --zap-all` now.").find(({ kind }) => kind === "flag")!;
    const { corpus } = await indexed(at);
    expect(corpus!.elsewhere(flag)).toMatchObject({ id: "between" });
    expect((await scanned(at)).corpus.elsewhere(flag)).toEqual(corpus!.elsewhere(flag));
    expect(corpus!.answeredBy).toBe("index");
  });

  test("names ten bad lines, those behind its end included, and counts the others as the scan does", async () => {
    const at = place(`${"[]\n".repeat(8)}${jsonl([A])}`);
    await indexed(at);
    appendFileSync(at.corpusPath, `${"{torn\n".repeat(5)}${jsonl([B])}`);
    await expectSame(at, "weighted", []);
    const { warnings } = await indexed(at);
    expect(warnings.slice(7)).toEqual([
      expect.stringContaining(":8: expected a JSON object"),
      expect.stringContaining(":10: not valid JSON"),
      expect.stringContaining(":11: not valid JSON"),
      expect.stringMatching(
        /: 3 more bad lines, 13 skipped in all, 2 playbooks left\. Run distill corpus check /,
      ),
    ]);
  });

  test("leaves it to the scan where there is no playbook", async () => {
    for (const text of ["", "\n", "nope\n", torn]) expect((await indexed(place(text))).corpus).toBeNull();
  });
});

const A = playbook({ id: "a", title: "disk full", content: "disk disk full" });
const B = playbook({ id: "b", title: "clock skew", content: "clock" });
const CHANGED = { ...A, title: "tape full" };

/** A corpus longer than the windows that are hashed, with A somewhere between two of them. */
function longCorpus(length = 400): { records: Playbook[]; before: number } {
  const filler = (n: number): Playbook => playbook({ id: `f${n}`, content: "lorem ipsum ".repeat(60) });
  const records = Array.from({ length }, (_, n) => filler(n));
  const window = (jsonl(records).length - 4096) / 15;
  const before = records.findIndex((_, n) => jsonl(records.slice(0, n)).length > 3 * window + 6000);
  records.splice(before, 0, A);
  return { records, before };
}

describe("a corpus that has changed", () => {
  const changes: [string, (at: Place) => void][] = [
    ["rewritten at its size", ({ corpusPath }) => writeFileSync(corpusPath, jsonl([CHANGED, B]))],
    [
      "replaced by another file",
      ({ corpusPath }) => {
        writeFileSync(`${corpusPath}.new`, jsonl([CHANGED, B]));
        renameSync(`${corpusPath}.new`, corpusPath);
      },
    ],
    ["cut", ({ corpusPath }) => writeFileSync(corpusPath, jsonl([CHANGED]))],
    ["rewritten and longer", ({ corpusPath }) => writeFileSync(corpusPath, jsonl([CHANGED, B, A]))],
  ];
  test.each(changes)("is indexed anew when %s", async (_, change) => {
    const at = place(jsonl([A, B]));
    await indexed(at);
    change(at);
    await expectSame(at, "weighted", [{ task: "tape and disk full", options: OPTIONS }]);
    expect(leftovers(at)).toEqual([]);
  });

  test("is scanned when a line was added for a record that was changed in place", async () => {
    const { records, before } = longCorpus();
    const at = place(jsonl(records));
    await indexed(at);
    const changed = jsonl(records.with(before, CHANGED));
    expect(changed.length).toBe(jsonl(records).length);
    writeFileSync(at.corpusPath, `${changed}${jsonl([{ ...A, title: "tape torn" }])}`);
    expect((await indexed(at)).corpus).toBeNull();
  });

  test("is read anew for the gate when rewritten behind an open index", async () => {
    const at = place(jsonl([playbook({ id: "a", content: "on node a: df --zap-all" }), B]));
    const { corpus } = await indexed(at);
    const flag = extractFacts("Try it with --zap-all at first.").find(({ kind }) => kind === "flag")!;
    const torn = "{torn\n\n";
    const holder = playbook({ id: "c", content: "on node c: df --zap-all" });
    writeFileSync(
      at.corpusPath,
      `${torn}${jsonl([holder, B, { ...holder, content: "no more" }, { ...holder, id: "d" }])}`,
    );
    expect(corpus!.elsewhere(flag)).toMatchObject({ id: "d" });
    // Once it has been read, it is not read again.
    rmSync(at.corpusPath);
    expect(corpus!.elsewhere(flag)).toMatchObject({ id: "d" });
  });

  test("holds no fact for the gate once it is gone", async () => {
    const at = place(jsonl([playbook({ id: "a", content: "on node a: df -h" })]));
    const { corpus } = await indexed(at);
    rmSync(at.corpusPath);
    expect(corpus!.elsewhere(extractFacts("Try it with -h at first.")[0]!)).toBeNull();
  });

  test("is indexed anew when rewritten between the windows, at its size, with its old time", async () => {
    const { records, before } = longCorpus();
    const at = place(jsonl(records));
    utimesSync(at.corpusPath, 1e9, 1e9);
    await indexed(at);
    records[before] = CHANGED;
    writeFileSync(at.corpusPath, jsonl(records));
    utimesSync(at.corpusPath, 1e9, 1e9);
    await expectSame(at, "weighted", [{ task: "disk full tape", options: OPTIONS }]);
  });

  test("is never quoted from an index that does not know a record's new text", async () => {
    const { records, before } = longCorpus();
    const at = place(jsonl(records));
    await indexed(at);
    records[before] = CHANGED;
    writeFileSync(at.corpusPath, jsonl([...records, B]));
    const { corpus } = await indexed(at);
    const hits = (await corpus!.retrieve("disk full", OPTIONS)).hits;
    expect(hits[0]!.playbook).toEqual(CHANGED);
    expect(corpus!.answeredBy).toBe("scan");
  });

  test("is counted and hashed as the scan does once the index has turned out to be stale", async () => {
    const { records } = longCorpus();
    const at = place(jsonl(records));
    await indexed(at);
    // A bad line in the place of a record: what the index counts is wrong.
    const { length } = jsonl([A]);
    const lines = jsonl(records).replace(jsonl([A]), `${"{".padEnd(length - 1)}\n`);
    writeFileSync(at.corpusPath, `${lines}[]\n${jsonl([B, B])}`);
    const { corpus } = await indexed(at);
    expect(countsOf(corpus!)).toEqual({ size: records.length + 1, skipped: 1, superseded: 1 });
    await corpus!.retrieve("disk full", OPTIONS);
    expect(corpus!.answeredBy).toBe("scan");
    expect(countsOf(corpus!)).toEqual(countsOf((await scanned(at)).corpus));
    expect(countsOf(corpus!)).toEqual({ size: records.length, skipped: 2, superseded: 1 });
    expect(hashOf(corpus!, at)).toEqual(corpus!.parts);
  });

  test("is indexed anew when rewritten between the windows, at its size, while appended lines wait", async () => {
    const at = place(jsonl(longCorpus().records));
    await indexed(at);
    const asked = [{ task: "tape", options: OPTIONS }];
    for (const [n, title] of ["tape full", "lamp full"].entries()) {
      appendFileSync(at.corpusPath, jsonl([playbook({ id: `new${n}` })]));
      const built = kept(at);
      await expectSame(at, "weighted", asked);
      expect(kept(at)).toEqual(built);
      const text = readFileSync(at.corpusPath, "utf8");
      writeFileSync(at.corpusPath, text.replace(/(?:disk|tape) full(?=","content":"disk disk)/, title));
      utimesSync(at.corpusPath, 1e9 + n, 1e9);
      await expectSame(at, "weighted", asked);
      expect(kept(at)).not.toEqual(built);
    }
  });

  test("is indexed anew when cut to no less than what was indexed", async () => {
    const { records, before } = longCorpus();
    const at = place(jsonl(records));
    await indexed(at);
    appendFileSync(at.corpusPath, jsonl([B, { ...B, id: "c" }]));
    await indexed(at);
    writeFileSync(at.corpusPath, jsonl([...records.with(before, CHANGED), B]));
    await expectSame(at, "weighted", [{ task: "tape", options: OPTIONS }]);
  });

  test.each(["", "null", "{torn", "[]", '{"indexed":1,"bytes":9e9}'])(
    "keeps its index with %j for how it was last",
    async (seen) => {
      const at = place(jsonl([A, B]));
      await indexed(at);
      const built = kept(at);
      appendFileSync(at.corpusPath, jsonl([CHANGED]));
      writeFileSync(seenPath(at), seen);
      await expectSame(at, "weighted", [{ task: "tape and disk full", options: OPTIONS }]);
      expect(kept(at)).toEqual(built);
      expect(JSON.parse(readFileSync(seenPath(at), "utf8"))).toMatchObject({
        bytes: statSync(at.corpusPath).size,
      });
    },
  );

  test("keeps its index where it cannot be kept how it was last", async () => {
    const at = place(jsonl([A, B]));
    await indexed(at);
    const built = kept(at);
    mkdirSync(seenPath(at));
    appendFileSync(at.corpusPath, jsonl([CHANGED]));
    await expectSame(at, "weighted", [{ task: "tape and disk full", options: OPTIONS }]);
    expect(kept(at)).toEqual(built);
  });

  test("is not taken for one that has only grown once indexing it anew was interrupted", async () => {
    const { records } = longCorpus();
    const at = place(jsonl(records));
    await indexed(at);
    // In the midst, and so that the first and the last window are as they were.
    const middle = records.map((one, n) => (n > 100 && n < 300 ? { ...one, title: `tape full ${n}` } : one));
    writeFileSync(at.corpusPath, jsonl([...middle, B]));
    await openIndexed(at, "weighted", { warn: () => {}, signal: AbortSignal.abort() });
    await expectSame(at, "weighted", [{ task: "tape full", options: OPTIONS }]);
  });

  test("is found out by a fold wherever it was changed", async () => {
    const { records, before } = longCorpus(1200);
    const at = place(jsonl(records));
    await indexed(at);
    records[before] = CHANGED;
    const long = playbook({ id: "long", content: "word ".repeat(60_000) });
    writeFileSync(at.corpusPath, jsonl([...records, long]));
    await expectSame(at, "weighted", [{ task: "disk full tape", options: OPTIONS }]);
  });
});

describe("tokenNumber", () => {
  test("knows a token that begins another for another", () => {
    const text = new TextEncoder().encode("port");
    // In whichever place of the table it is looked for.
    for (const table of [Uint32Array.of(1, 0), Uint32Array.of(0, 1)]) {
      const index = { table, text, textStart: Uint32Array.of(0, text.length) };
      expect(["por", "ports", "pot"].map((token) => tokenNumber(index, token))).toEqual([-1, -1, -1]);
    }
  });
});

describe("an index file", () => {
  const damages: [string, (bytes: Buffer) => Uint8Array][] = [
    ["empty", () => Buffer.alloc(0)],
    ["cut", (bytes) => bytes.subarray(0, bytes.length - 100)],
    ["only begun", (bytes) => bytes.subarray(0, 40)],
    ["of another version", (bytes) => (bytes.writeUInt32LE(99, 8), bytes)],
    ["foreign", (bytes) => Buffer.from("#!/bin/sh\n".repeat(bytes.length / 10))],
    ["damaged in its header", (bytes) => (bytes.write("9", bytes.length - 60), bytes)],
    ["all zeros at the end", (bytes) => bytes.fill(0, bytes.length - 200)],
  ];
  test.each(damages)("is not believed and replaced when %s", async (_, damage) => {
    const at = place(jsonl([A, B]));
    await indexed(at);
    writeFileSync(at.index, damage(readFileSync(at.index)));
    await expectSame(at, "weighted", [{ task: "disk full", options: OPTIONS }]);
  });

  test("is not believed for another corpus", async () => {
    const at = place(jsonl([A, B]));
    const other = place(jsonl([CHANGED, B]));
    await indexed(at);
    await indexed(other);
    writeFileSync(at.index, readFileSync(other.index));
    await expectSame(at, "weighted", [{ task: "disk full", options: OPTIONS }]);
  });

  test("that cannot be written costs one line of warning", async () => {
    const root = temporaryFolder();
    const corpusPath = writeFile(join(root, "corpus.jsonl"), jsonl([A, B]));
    writeFile(join(root, "data"), "in the way");
    const warnings: string[] = [];
    const corpus = await openIndexed({ root, corpusPath }, "weighted", {
      warn: (line) => warnings.push(line),
    });
    expect(corpus).toBeNull();
    expect(warnings).toEqual([
      expect.stringMatching(
        /index-[0-9a-f]{16}\.bin: the index cannot be written \(ENOTDIR\), so the whole corpus is read\./,
      ),
    ]);
  });

  test("is built by several at once without harm", async () => {
    const at = place(oddCorpus(seeded(5)));
    const asked = oddTasks(seeded(6));
    await Promise.all(Array.from({ length: 4 }, () => expectSame(at, "weighted", asked)));
    expect(leftovers(at)).toEqual([]);
  });

  test("that was interrupted leaves nothing behind", async () => {
    const at = place(jsonl([A, B]));
    const warnings: string[] = [];
    const signal = AbortSignal.abort();
    const hooks = { warn: (line: string) => warnings.push(line), signal };
    expect(await openIndexed(at, "weighted", hooks)).toBeNull();
    expect(warnings).toEqual([`${at.corpusPath}: interrupted while it was being indexed.`]);
    expect(readdirSync(dirname(at.index))).toEqual([]);
  });

  test("says of an error in a Worker what one in its own thread says", async () => {
    const at = place(jsonl([A, B]));
    // Only what is written beside it has too long a name.
    const path = join(dirname(at.index), "x".repeat(230));
    const request = { ...at, path, base: null, hooks: { warn: () => {} }, segmentBytes: 16 };
    const said = (workers: number): Promise<unknown> =>
      buildIndex({ ...request, workers }).catch(({ code, message, cause }) => [code, message, cause.syscall]);
    const own = await said(1);
    expect(own).toEqual(["evidence", expect.stringContaining("ENAMETOOLONG"), "open"]);
    expect(await said(2)).toEqual(own);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test("sweeps up after a builder that was killed, and leaves others alone", async () => {
    const at = place(jsonl([A, B]));
    const dead = Bun.spawnSync(["true"]).pid;
    writeFile(`${at.index}.${dead}-x.tmp`, "torn");
    writeFile(`${at.index}.${process.pid}-x.tmp`, "still at work");
    await indexed(at);
    expect(existsSync(`${at.index}.${dead}-x.tmp`)).toBe(false);
    expect(existsSync(`${at.index}.${process.pid}-x.tmp`)).toBe(true);
  });
});

describe("IndexedCorpus", () => {
  test.each(RANKERS)("answers from beyond 2^31 bytes (%s)", async (ranker) => {
    const at = place(jsonl([A, B]));
    await indexed(at);
    const index = (await readIndex(at.index))!;
    const shift = 2 ** 31 + 12_345;
    const far = join(at.root, "far.jsonl");
    const file = openSync(far, "w");
    ftruncateSync(file, shift);
    writeSync(file, jsonl([A, B, CHANGED]), shift);
    closeSync(file);
    const moved = {
      ...index,
      offset: index.offset.map((offset) => offset + shift),
      header: {
        ...index.header,
        corpus: { ...index.header.corpus, covered: index.header.corpus.covered + shift },
      },
    };
    const corpus = await IndexedCorpus.over({ path: far, index: moved, ranker });
    const scan = await scanned(place(jsonl([A, B, CHANGED])), ranker);
    for (const task of ["disk full", "clock tape", "full"])
      expect(await corpus.retrieve(task, OPTIONS)).toEqual(await scan.corpus.retrieve(task, OPTIONS));
  });
});

describe("buildIndex", () => {
  test("writes the same bytes with any number of Workers", async () => {
    const random = seeded(11);
    const at = place(Array.from({ length: 12 }, (_, n) => oddCorpus(random, 30 * n)).join(""));
    mkdirSync(dirname(at.index), { recursive: true });
    const built: Buffer[] = [];
    for (const workers of [1, 3]) {
      const hooks = { warn: () => {} };
      await buildIndex({ ...at, path: at.index, base: null, hooks, workers, segmentBytes: 4096 });
      built.push(readFileSync(at.index));
    }
    expect((await readIndex(at.index))!.header.segments.length).toBeGreaterThan(5);
    expect(built[1]!.equals(built[0]!)).toBe(true);
    expect(leftovers(at)).toEqual([]);
    for (const ranker of RANKERS) await expectSame(at, ranker, oddTasks(random));
  });

  test("says what keeps it from being written", async () => {
    const at = place(jsonl([A, B]));
    const path = join(at.root, "none/index.bin");
    writeFile(join(at.root, "none"), "in the way");
    const request = { ...at, path, base: null, hooks: { warn: () => {} } };
    await expect(buildIndex(request)).rejects.toThrow("the index cannot be written (");
  });
});

describe("distill index", () => {
  const index = async ({ root, corpusPath }: Place, ...flags: string[]) =>
    run(["index", ...flags, "--root", root, "--corpus", corpusPath], { cwd: root });

  test("builds, extends, keeps and rebuilds, and says which", async () => {
    const at = place(jsonl([A, B]));
    const path = at.index.slice(at.root.length + 1);
    const said = async (...flags: string[]) =>
      (await index(at, ...flags)).stdout
        .replace(/\d+\.\d s/, "T s")
        .replace(/\d+ kB/, "SIZE")
        .replace(path, "PATH");
    expect(await said()).toBe("corpus.jsonl: built in T s: 2 playbooks in SIZE, PATH\n");
    expect(await said()).toBe("corpus.jsonl: up to date: 2 playbooks in SIZE, PATH\n");
    appendFileSync(at.corpusPath, jsonl([CHANGED, playbook({ id: "c" })]));
    expect(await said()).toBe("corpus.jsonl: extended in T s: 3 playbooks in SIZE, PATH\n");
    expect(await said("--rebuild", "--workers", "1")).toStartWith("corpus.jsonl: built in T s: 3 playbooks");
    await expectSame(at, "weighted", [{ task: "disk full tape", options: OPTIONS }]);
  });

  test("checks that index and corpus are what they were", async () => {
    const at = place(jsonl([A, B]));
    expect(await index(at, "--check")).toMatchObject({
      code: 3,
      stdout: expect.stringContaining(
        `: there is no index that can be read. Run distill index --root ${at.root} --corpus ${at.corpusPath} --rebuild.\n`,
      ),
    });
    await index(at);
    expect(await index(at, "--check")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/bin: whole, and made of corpus.jsonl as it stands\n$/),
    });
    const bytes = readFileSync(at.index);
    bytes[100]! ^= 1;
    writeFileSync(at.index, bytes);
    const damaged = await index(at, "--check");
    expect(damaged).toMatchObject({ code: 3, stdout: expect.stringContaining(": it is damaged. ") });
    writeFileSync(at.corpusPath, jsonl([CHANGED]));
    const stale = await index(at, "--check");
    expect(stale.stdout).toContain(": it was made of another state of the corpus. ");
    const plain = await run(["index", "--check"], { env: { LH_DISTILL_ROOT: rootWith() } });
    expect(plain.stdout).toEndWith("Run distill index --rebuild.\n");
  });

  test.each([
    [["--check", "--rebuild"], 2, "--check and --rebuild exclude each other"],
    [["--check", "--workers", "zebra"], 2, "--workers does nothing with --check."],
    [["--workers", "0"], 2, "--workers: expected a whole number from 1 to 16"],
    [["--corpus", "none.jsonl"], 3, "none.jsonl: no such file. Check the path."],
  ])("refuses %j", async (flags, code, what) => {
    const result = await run(["index", ...flags, "--root", temporaryFolder()]);
    expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(what) });
  });

  test("names bad lines as retrieve does, whether it builds, finds or checks", async () => {
    const at = place(`{torn\n${jsonl([A])}[]\n${jsonl([B])}`);
    const told = [
      expect.stringMatching(/^distill: corpus\.jsonl:1: not valid JSON/),
      expect.stringMatching(/^distill: corpus\.jsonl:3: expected a JSON object/),
      "distill: corpus.jsonl: 2 bad lines skipped, 2 playbooks left.",
    ];
    for (const flags of [[], [], ["--check"]]) {
      const { code, stderr } = await index(at, ...flags);
      expect({ code, told: stderr.trimEnd().split("\n") }).toEqual({ code: 0, told });
    }
  });

  test("sees behind the last newline", async () => {
    const torn = await index(place(`${jsonl([A])}{torn`));
    expect(torn).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("corpus.jsonl:2: not valid JSON"),
    });
    expect(await index(place(JSON.stringify(A)))).toMatchObject({ code: 0, stderr: "" });
  });

  test.each(["{torn\n", "{torn", "\n", ""])("ends with 3 where no line is a playbook: %j", async (text) => {
    const at = place(text);
    for (const flags of [[], ["--check"]]) {
      const { code, stderr } = await index(at, ...flags);
      expect(code).toBe(3);
      expect(stderr).toEndWith(
        "distill: corpus.jsonl: there is no playbook in it. Add some, for example with import.\n",
      );
    }
  });

  test("draws nothing on a terminal where that takes less", async () => {
    const { root, corpusPath } = place(jsonl([A, B]));
    const { stderr } = await run(["index", "--root", root, "--corpus", corpusPath], { cwd: root, tty: true });
    expect(stderr).toBe("");
  });

  test("says how far it is where that takes more than a second", async () => {
    const at = place(jsonl([A, B]));
    const [realNow, lines] = [Date.now, [] as string[]];
    let now = realNow();
    Date.now = () => (now += 1500);
    try {
      const { stderr } = await index(at);
      lines.push(stderr);
    } finally {
      Date.now = realNow;
    }
    expect(lines.join("")).toMatch(/^\[index\] \d+ % of \d+ kB, once for many runs\n$/);
  });
});

describe("distill retrieve and replay", () => {
  test("print the same with the index as without", async () => {
    const records = Array.from({ length: 300 }, (_, n) =>
      playbook({ id: `p${n}`, title: `disk ${n}`, content: `disk full on host ${n}\n`.repeat(20) }),
    );
    const [large, small] = [place(jsonl(records)), place(jsonl(records.slice(0, 20)))];
    const retrieve = async ({ root, corpusPath }: Place) =>
      run(["retrieve", "--task", "disk full on 7", "--json", "--root", root, "--corpus", corpusPath]);
    const hits = JSON.parse((await retrieve(large)).stdout).hits;
    const scan = await (await scanned(large)).corpus.retrieve("disk full on 7", OPTIONS);
    expect(hits.map((hit: { rag_id: string; score: number }) => [hit.rag_id, hit.score])).toEqual(
      scan.hits.map(({ playbook: { id }, score }) => [id, score]),
    );
    await retrieve(small);
    expect(existsSync(large.index)).toBe(true);
    expect(existsSync(small.index)).toBe(false);
  });

  test("record by what the corpus was answered and in which parts it was hashed", async () => {
    const content = "disk full\n".repeat(100);
    const at = place(jsonl(Array.from({ length: 90 }, (_, n) => playbook({ id: `p${n}`, content }))));
    const replay = async () => {
      const args = ["--task", "disk full", "--root", at.root, "--corpus", at.corpusPath];
      return JSON.parse((await run(["replay", "--dry-run", "--json", ...args])).stdout).corpus;
    };
    const sha256 = new Bun.CryptoHasher("sha256").update(readFileSync(at.corpusPath)).digest("hex");
    const whole = {
      path: "corpus.jsonl",
      answered_by: "index",
      records: 90,
      skipped: 0,
      superseded: 0,
      sha256,
      parts: null,
    };
    expect(await replay()).toEqual(whole);
    const bytes = statSync(at.corpusPath).size;
    appendFileSync(at.corpusPath, jsonl([B]));
    const added = new Bun.CryptoHasher("sha256").update(jsonl([B])).digest("hex");
    const parts = [
      { bytes, sha256 },
      { bytes: jsonl([B]).length, sha256: added },
    ];
    expect(await replay()).toEqual({ ...whole, records: 91, sha256: null, parts });
  });
});
