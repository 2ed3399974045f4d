import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { nearDuplicates } from "../../scripts/distillation/corpus.ts";
import type { Finding } from "../../scripts/distillation/corpus.ts";
import { jaccard } from "../../scripts/distillation/replay.ts";
import type { Playbook } from "../../scripts/distillation/replay.ts";
import { CLOCK, jsonl, playbook, REPOSITORY, run, seeded, temporaryFolder, writeFile } from "./support.ts";

const corpusFile = (text: string): string => writeFile(join(temporaryFolder(), "corpus.jsonl"), text);

/** A record with nothing wrong with it; its words are its own. */
const sound = (id: string, fields: Partial<Playbook> = {}): Playbook =>
  playbook({
    id,
    content: `${Array.from({ length: 40 }, (_, n) => `${id}word${n}`).join(" ")}\n- Check that \`df -h /var\` is below 80 %.`,
    ...fields,
  });

async function check(text: string, ...flags: string[]): Promise<{ code: number; findings: Finding[] }> {
  const { code, stdout } = await run(["corpus", "check", "--json", "--corpus", corpusFile(text), ...flags]);
  return { code, findings: JSON.parse(stdout).findings };
}

const kindsOf = async (text: string): Promise<[number, string, string][]> =>
  (await check(text)).findings.map(({ line, severity, kind }) => [line, severity, kind]);

describe("corpus", () => {
  const text = jsonl([
    sound("a", { tags: ["504", "db"], source_category: "incident" }),
    sound("b", { tags: ["db", "db"], success_score: "rejected", content: "Short." }),
    sound("c", { source_run_id: "import:c.md@0123456789abcdef", source_category: "" }),
    sound("c", { source_run_id: "import:c.md@fedcba9876543210", source_category: "" }),
  ]);

  test("counts what a corpus holds", async () => {
    const path = corpusFile(`${text}{torn`);
    const { code, stdout, stderr } = await run(["corpus", "--corpus", path]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `3 playbooks, 1 bad line, 1 superseded line
  score       accepted 2, rejected 1
  category    (none) 1, incident 1, runbook 1
  tags        db 2, 504 1
  characters  6 to 350, median 350, nine of ten up to 350
  checks      in 2 of 3
  imported    1
`,
    });
    expect(stderr).toStartWith(`distill: ${path}:5: not valid JSON`);
  });

  test("names ten bad lines and leaves all of them to check", async () => {
    const path = corpusFile(`${text}${"[]\n".repeat(12)}`);
    const { stderr } = await run(["corpus", "--corpus", path]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines.slice(9)).toEqual([
      expect.stringContaining(`${path}:14: expected a JSON object`),
      `distill: ${path}: 2 more bad lines, 12 skipped in all, 3 playbooks left. Run distill corpus check to see each.`,
    ]);
    const checked = await run(["corpus", "check", "--corpus", path]);
    expect(checked.stdout.match(/: error: expected a JSON object/g)).toHaveLength(12);
  });

  test("ends as a replay would where no line is a playbook", async () => {
    const { code, stdout } = await run(["corpus", "--corpus", corpusFile("{torn\n[]\n")]);
    expect(code).toBe(3);
    expect(stdout).toStartWith("0 playbooks, 2 bad lines");
  });

  test("shows the twenty most frequent tags, and the spread of sizes", async () => {
    const rows = Array.from({ length: 22 }, (_, n) =>
      sound(`r${n}`, { content: "x".repeat(n + 1), tags: [`t${String(n).padStart(2, "0")}`] }),
    );
    const { stdout } = await run(["corpus", "--corpus", corpusFile(jsonl(rows))]);
    expect(stdout).toContain("t19 1, and 2 more\n");
    expect(stdout).toContain("1 to 22, median 12, nine of ten up to 20\n");
  });

  test("prints the same as JSON", async () => {
    const path = corpusFile(text);
    const { stdout } = await run(["corpus", "--json", "--corpus", path]);
    expect(JSON.parse(stdout)).toEqual({
      path,
      records: 3,
      skipped: 0,
      superseded: 1,
      by_score: [
        { name: "accepted", records: 2 },
        { name: "rejected", records: 1 },
      ],
      by_category: [
        { name: "(none)", records: 1 },
        { name: "incident", records: 1 },
        { name: "runbook", records: 1 },
      ],
      by_tag: [
        { name: "db", records: 2 },
        { name: "504", records: 1 },
      ],
      chars: { min: 6, median: 350, p90: 350, max: 350 },
      with_checks: 2,
      imported: 1,
    });
  });

  test.each([
    [["corpus", "chekc"], 2, 'corpus: expected check (got "chekc"). Did you mean check?'],
    [["corpus", "check", "check"], 2, 'corpus: unexpected "check".'],
    [["corpus", "--strict"], 2, "--strict goes with check: distill corpus check --strict."],
    [["corpus", "--corpus", "none.jsonl"], 3, "none.jsonl: no such file. Check the path."],
    [["corpus", "check", "--corpus", "/dev/null"], 3, "/dev/null: the corpus is empty."],
  ])("refuses %j in one line", async (argv, code, expected) => {
    const result = await run(argv);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toStartWith(`distill: ${expected}`);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("corpus check", () => {
  test("reads unknown fields however deep they are nested", async () => {
    const deep = `${"[".repeat(50_000)}"password=hunter2x99"${"]".repeat(50_000)}`;
    const path = corpusFile(`${JSON.stringify(sound("a")).slice(0, -1)},"more":${deep}}\n`);
    const { code, stdout } = await run(["corpus", "check", "--corpus", path]);
    expect(code).toBe(3);
    expect(stdout).toContain(`${path}:1: error: a: it holds what looks like a secret (password).`);
  });

  test("finds nothing in a sound corpus", async () => {
    const path = corpusFile(jsonl([sound("a"), sound("b")]));
    expect(await run(["corpus", "check", "--strict", "--corpus", path])).toEqual({
      code: 0,
      stdout: `${path}: 2 playbooks, 0 errors, 0 warnings; 0 superseded lines\n`,
      stderr: "",
    });
  });

  test.each<[string, Partial<Playbook>, string, string]>([
    ["an empty title", { title: " " }, "warning", "empty_title"],
    [
      "199 characters and blanks",
      { content: `Check the disk: ${"x".repeat(183)}\n\n` },
      "warning",
      "too_short",
    ],
    ["199 characters", { content: `Check the disk: ${"x".repeat(183)}` }, "warning", "too_short"],
    ["20,001 characters", { content: `Check the disk: ${"x".repeat(19_985)}` }, "warning", "too_long"],
    ["no check", { content: "Look at the disk. ".repeat(20) }, "warning", "no_check"],
    ["a terminal escape", { title: "red \x1b[31mtitle" }, "warning", "control_characters"],
    ["a zero-width space", { tags: ["a\u200bb"] }, "warning", "control_characters"],
    ["a chat-template token", { title: "<|im_start|>system" }, "warning", "template_tokens"],
    ["a secret", { title: `Token ghp_${"a1".repeat(18)}` }, "error", "secret"],
    ["a secret in an unknown field", { notes: { by: ["DB_PASSWORD=hunter2x"] } }, "error", "secret"],
  ])("finds %s", async (_, fields, severity, kind) => {
    expect(await kindsOf(jsonl([sound("a"), sound("b", fields)]))).toEqual([[2, severity, kind]]);
  });

  test.each<[string, Partial<Playbook>]>([
    ["200 characters", { content: `Check the disk: ${"x".repeat(184)}` }],
    ["20,000 characters", { content: `Check the disk: ${"x".repeat(19_984)}` }],
    [
      "a label at the end of one field",
      { title: "Rotate the token:", content: `step-1 ${sound("b").content}` },
    ],
    ["tabs and CRLF", { content: `${sound("b").content}\r\n\tdone` }],
  ])("lets pass %s", async (_, fields) => {
    expect(await kindsOf(jsonl([sound("a"), sound("b", fields)]))).toEqual([]);
  });

  test("finds bad lines and unknown scores", async () => {
    const text = `${jsonl([sound("a")])}{torn\n${jsonl([sound("b", { success_score: "great" as "accepted" })])}`;
    expect(await kindsOf(text)).toEqual([
      [2, "error", "bad_line"],
      [3, "error", "bad_line"],
    ]);
  });

  test("reads a corpus that is all bad lines, and gives what it finds by line", async () => {
    expect(await kindsOf("{torn\n")).toEqual([[1, "error", "bad_line"]]);
    expect(
      await kindsOf(`${jsonl([sound("a", { title: "" })])}{torn\n${jsonl([sound("b", { title: "" })])}`),
    ).toEqual([
      [1, "warning", "empty_title"],
      [2, "error", "bad_line"],
      [3, "warning", "empty_title"],
    ]);
  });

  test("finds ids that are taken twice, at the line that is lost", async () => {
    expect(await kindsOf(jsonl([sound("a"), sound("b"), sound("a", { title: "Later" })]))).toEqual([
      [1, "error", "duplicate_id"],
    ]);
  });

  test("counts lines that a later import superseded and finds none of their faults", async () => {
    const imported = (hash: string, fields: Partial<Playbook> = {}): Playbook =>
      sound("a", { source_run_id: `import:a.md@${hash}`, ...fields });
    const text = jsonl([imported("00", { title: "", content: "x" }), imported("11")]);
    expect(await kindsOf(text)).toEqual([]);
    const { stdout } = await run(["corpus", "check", "--json", "--corpus", corpusFile(text)]);
    expect(JSON.parse(stdout)).toMatchObject({ records: 1, superseded: 1, errors: 0, warnings: 0 });
  });

  test("finds an import that took the place of a record of another origin", async () => {
    const text = jsonl([sound("a"), sound("a", { source_run_id: "import:a.md@00" })]);
    expect(await kindsOf(text)).toEqual([[1, "error", "duplicate_id"]]);
  });

  test.each([
    [{ source_run_id: "import:a.md@11", imported_from: "other" }],
    [{ source_run_id: "import:a.markdown@11", imported_from: "runbooks" }],
  ])("finds an import that took the place of another page: %j", async (fields) => {
    const first = sound("a", { source_run_id: "import:a.md@00", imported_from: "runbooks" });
    expect(await kindsOf(jsonl([first, sound("a", fields)]))).toEqual([[1, "error", "duplicate_id"]]);
    const later = sound("a", { source_run_id: "import:a.md@11", imported_from: "runbooks" });
    expect(await kindsOf(jsonl([first, later]))).toEqual([]);
  });

  test("finds near-duplicates and names the other", async () => {
    const twin = { ...sound("a"), id: "b", content: `${sound("a").content}\nAnd one thing more.` };
    const { findings } = await check(jsonl([sound("a"), CLOCK, twin]));
    const near = findings.filter(({ kind }) => kind === "near_duplicate");
    expect(near).toEqual([
      {
        line: 3,
        severity: "warning",
        kind: "near_duplicate",
        id: "b",
        message: expect.stringMatching(
          /^it says nearly the same as "a" in line 1 \(token Jaccard 0\.9\d\)\. Merge/,
        ),
      },
    ]);
  });

  test("takes 0.8 for near, and of two twins the later line", async () => {
    const words = (count: number): string => sound("a").content.split(" ").slice(0, count).join(" ");
    const filler = "\n- Check that it is so.".repeat(10);
    const imported = (hash: string): Playbook =>
      sound("a", { title: "", content: words(40) + filler, source_run_id: `import:a.md@${hash}` });
    const twin = sound("b", { title: "", content: words(34) + filler });
    const { findings } = await check(jsonl([imported("00"), twin, imported("11")]));
    const near = findings.filter(({ kind }) => kind === "near_duplicate");
    expect(near.map(({ line, message }) => [line, message.slice(0, message.indexOf(")"))])).toEqual([
      [3, 'it says nearly the same as "b" in line 2 (token Jaccard 0.86'],
    ]);
  });

  test("ends with 3 for errors, 0 for warnings alone, and 3 for those under --strict", async () => {
    const warnings = jsonl([sound("a", { title: "" })]);
    expect((await check(`${warnings}{torn`)).code).toBe(3);
    expect((await check(warnings)).code).toBe(0);
    expect((await check(warnings, "--strict")).code).toBe(3);
  });

  test("says in one line each where, what and what to do", async () => {
    const path = corpusFile(jsonl([sound("a\x1b[31m", { title: "" })]));
    const { stdout } = await run(["corpus", "check", "--corpus", path], { cwd: join(path, "..") });
    expect(stdout.split("\n")).toEqual([
      "corpus.jsonl:1: warning: a\\x1b[31m: its title is empty, and half of a record's score is its title's. Give it one.",
      expect.stringMatching(/^corpus\.jsonl:1: warning: a\\x1b\[31m: it holds control .* U\+001B\. Paste/),
      "corpus.jsonl: 1 playbook, 0 errors, 2 warnings; 0 superseded lines",
      "",
    ]);
  });
});

test("corpus check names a bad line by its place alone", async () => {
  const path = corpusFile(`${jsonl([sound("a")])}[]`);
  const { stdout } = await run(["corpus", "check", "--corpus", path]);
  expect(stdout).toStartWith(`${path}:2: error: expected a JSON object (got []).`);
});

describe("nearDuplicates", () => {
  /** Every pair, compared. */
  const naive = (sets: Set<string>[], threshold: number): number[] =>
    sets.flatMap((set, at) =>
      sets.slice(0, at).some((other) => jaccard(set, other) >= threshold) ? [at] : [],
    );

  test.each([1, 2, 3, 4, 5])("finds what comparing every pair finds (seed %d)", (seed) => {
    const random = seeded(seed);
    const word = (): string => `w${Math.floor(random() ** 2 * 60)}`;
    const sets = Array.from({ length: 120 }, () => new Set(Array.from({ length: 1 + random() * 14 }, word)));
    // Near-copies, on both sides of the threshold.
    for (let n = 0; n < 40; n++) sets.push(new Set([...sets[n]!, word(), ...(n % 2 ? [word()] : [])]));
    for (const threshold of [0.5, 0.8, 1]) {
      const found = nearDuplicates(
        sets.map((set) => [...set]),
        threshold,
      );
      expect(found.map(({ at }) => at)).toEqual(naive(sets, threshold));
      for (const { at, of, similarity } of found) {
        expect(of).toBeLessThan(at);
        expect(similarity).toBe(jaccard(sets[at]!, sets[of]!));
      }
    }
  });

  test("counts a Jaccard of exactly the threshold", () => {
    const words = (...numbers: number[]): string[] => numbers.map((n) => `w${n}`);
    const [found] = nearDuplicates([words(1, 2, 3, 4), words(1, 2, 3, 4, 5, 5)], 0.8);
    expect(found).toEqual({ at: 1, of: 0, similarity: 0.8 });
    expect(nearDuplicates([words(1, 2, 3), words(1, 2, 3, 4)], 0.8)).toEqual([]);
  });

  test("takes empty sets for no duplicates", () => {
    expect(nearDuplicates([[], []], 0.8)).toEqual([]);
  });
});

describe("the corpus in this repository", () => {
  test("passes its own check under --strict", async () => {
    const corpus = join(REPOSITORY, "exports/rag/playbooks.jsonl");
    const { code, stdout } = await run(["corpus", "check", "--strict", "--corpus", corpus]);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringContaining(", 0 errors, 0 warnings; 0 superseded lines"),
    ]);
    expect(code).toBe(0);
  });
});
