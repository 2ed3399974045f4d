import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { meets, scoreRetrieval, toTask } from "../../scripts/distillation/tasks.ts";
import type { RankedTask } from "../../scripts/distillation/tasks.ts";
import { sha256 } from "../../scripts/distillation/replay.ts";
import { CLOCK, DISK, jsonl, rootWith, run, TASK, temporaryFolder, writeFile } from "./support.ts";

describe("toTask", () => {
  test("fills in what a row does not say", () => {
    expect(toTask({ task: "disk full" })).toEqual({
      task: "disk full",
      task_id: sha256("disk full").slice(0, 16),
      relevant_ids: null,
      expects: [],
      rejects: [],
      exclude_ids: [],
      exclude_source_run_ids: [],
    });
  });

  test("takes what a row says", () => {
    const row = {
      task: "t",
      task_id: "x",
      relevant_ids: [],
      expects: ["df -h", "/lsof \\+L1/i"],
      rejects: ["rm -rf"],
      exclude_ids: ["a"],
      exclude_source_run_ids: ["run:a"],
    };
    expect(toTask({ ...row, note: 7 })).toEqual(row);
  });

  test.each([
    [{}, '"task" must be a non-empty string (got nothing). Fix the row or drop it.'],
    [{ task: " " }, '"task" must be a non-empty string (got " "). Fix the row or drop it.'],
    [{ task: "t", task_id: 7 }, '"task_id" must be a string (got 7). Fix the row or drop it.'],
    [
      { task: "t", relevant_ids: "a" },
      '"relevant_ids" must be an array of strings (got "a"). Fix the row or drop it.',
    ],
    [{ task: "t", expects: [1] }, '"expects" must be an array of strings (got [1]). Fix the row or drop it.'],
    [{ task: "t", expects: ["/(/i"] }, '"/(/i" cannot be used. Write a text or a regular expression.'],
    [{ task: "t", expects: ["/a/ii"] }, '"/a/ii" cannot be used. Write a text or a regular expression.'],
    [{ task: "t", expects: [""] }, '"" cannot be used. Write a text or a regular expression.'],
    ...["/lsof -K/gi", "/lsof/ig", "/a|b/g", "/^a/gm", "/a.*b/y", "/\\bdf\\b/gim", "/\\/dev\\/sdg/v"].map(
      (text): [Record<string, unknown>, string] => [
        { task: "t", expects: [text] },
        `${JSON.stringify(text)} has flags that are not supported. Use only i, m, s and u.`,
      ],
    ),
    [{ task: "t", rejects: ["/(/i"] }, '"/(/i" cannot be used. Write a text or a regular expression.'],
  ])("refuses %j", (row, problem) => {
    expect(toTask(row)).toBe(problem);
  });
});

test("toTask reads 200 KB of bars in time", () => {
  const text = `/${"|".repeat(200_000)}`;
  expect(toTask({ task: "t", expects: [text] })).toMatchObject({ expects: [text] });
});

describe("meets", () => {
  test.each([
    ["Run `df -h /var` now.", "df -h", true],
    ["Run `DF -H` now.", "df -h", false],
    ["Run `DF -H` now.", "/df -h/i", true],
    ["a.b", "a.b", true],
    ["axb", "a.b", false],
    ["axb", "/a.b/", true],
    ["see /etc/fstab", "/etc/fstab", true],
    ["two\nlines", "/^lines$/m", true],
    ["two\nlines", "/two\nlines/", true],
    ["the device", "/dev/sdg", false],
    ["on /dev/sdg", "/dev/sdg", true],
    ["", "x", false],
  ])("finds in %j what %j names: %p", (text, expectation, expected) => {
    expect(meets(text, expectation)).toBe(expected);
  });

  test.each([
    "/var/log/messages",
    "/usr/sbin",
    "/dev/sdg",
    "/dev/dm",
    "/sys/d",
    "/mnt/g",
    "/data/img",
    "/usr/lib/python3/dist-packages/gi",
    "/home/$USER/{a,b}/*.d/my",
  ])("takes the path %s for text", (path) => {
    expect(toTask({ task: "t", expects: [path] })).toMatchObject({ expects: [path] });
    expect(meets(`on ${path}`, path)).toBe(true);
  });
});

const ranked = (fields: Partial<RankedTask>): RankedTask => ({
  task_id: "t",
  relevant_ids: ["a"],
  hit_ids: ["a"],
  coverage: 1,
  ...fields,
});

describe("scoreRetrieval", () => {
  test("counts hits among the first one and three and names the misses", () => {
    const score = scoreRetrieval([
      ranked({}),
      ranked({ hit_ids: ["x", "y", "a"] }),
      ranked({ task_id: "far", hit_ids: ["x", "y", "z", "a"] }),
      ranked({ task_id: "none", hit_ids: [] }),
    ]);
    expect(score).toMatchObject({
      answerable: 4,
      success_at_1: 0.25,
      success_at_3: 0.5,
      missed: ["far", "none"],
      strangers: 0,
      abstention: null,
    });
  });

  // By hand: DCG = 1/log2(3), the ideal 1/log2(2) + 1/log2(3); DCG = 1/log2(2), the ideal the same.
  test.each([
    [{ relevant_ids: ["a", "b"], hit_ids: ["x", "a"] }, 0.38685],
    [{ relevant_ids: ["a"], hit_ids: ["a", "x"] }, 1],
    [{ relevant_ids: ["a"], hit_ids: [...Array(10).fill("x"), "a"] }, 0],
    [{ relevant_ids: [..."abcdefghijkl"], hit_ids: [..."abcdefghij"] }, 1],
  ])("discounts by rank: %j", (fields, ndcg) => {
    expect(scoreRetrieval([ranked(fields)]).ndcg_at_10).toBeCloseTo(ndcg, 5);
  });

  test("finds the coverage that separates strangers best", () => {
    const stranger = (coverage: number): RankedTask => ranked({ relevant_ids: [], coverage });
    const tasks = [0.6, 0.3, 0.2]
      .map(stranger)
      .concat([0.25, 0.5, 0.8].map((coverage) => ranked({ coverage })));
    // Below 0.21 one stranger of three and no other, and the shares differ by no more further up.
    expect(scoreRetrieval(tasks).abstention).toEqual({
      min_coverage: 0.21,
      strangers_turned_away: 1,
      answerable_turned_away: 0,
    });
  });

  // 0.29 * 100 is 28.999999999999996.
  test.each([0.29, 0.57, 0.58, 0.28, 0])("separates strangers just above %d", (coverage) => {
    const tasks = [ranked({ relevant_ids: [], coverage }), ranked({ coverage: 0.9 })];
    const limit = Number((coverage + 0.01).toFixed(2));
    expect(scoreRetrieval(tasks).abstention).toMatchObject({ min_coverage: limit, strangers_turned_away: 1 });
  });

  test("weighs shares of both kinds, not counts", () => {
    const strangers = [0.1, 0.3].map((coverage) => ranked({ relevant_ids: [], coverage }));
    const answerable = [0.2, 0.25, 0.5, 0.6, 0.7, 0.8].map((coverage) => ranked({ coverage }));
    // Below 0.11 one of two and none of six; below 0.31 both, and two of six: 1/2 against 2/3.
    expect(scoreRetrieval([...answerable, ...strangers]).abstention).toEqual({
      min_coverage: 0.31,
      strangers_turned_away: 2,
      answerable_turned_away: 2,
    });
    expect(scoreRetrieval(strangers).abstention).toBeNull();
  });

  test("scores 20,000 tasks in no time", () => {
    const tasks = Array.from({ length: 20_000 }, (_, n) =>
      ranked({ relevant_ids: n % 2 ? [] : ["a"], coverage: (n % 997) / 997 }),
    );
    expect(scoreRetrieval(tasks).strangers).toBe(10_000);
  });

  test("turns nobody away where coverage tells nothing", () => {
    const tasks = [ranked({ relevant_ids: [], coverage: 0.9 }), ranked({ coverage: 0.1 })];
    expect(scoreRetrieval(tasks).abstention).toEqual({
      min_coverage: 0,
      strangers_turned_away: 0,
      answerable_turned_away: 0,
    });
  });
});

describe("retrieve --tasks", () => {
  const scored = (rows: object[], ...flags: string[]) => {
    const tasks = writeFile(join(temporaryFolder(), "tasks.jsonl"), jsonl(rows));
    return run(["retrieve", "--tasks", tasks, "--json", "--root", rootWith([DISK, CLOCK]), ...flags]);
  };

  test("scores tasks that name what answers them", async () => {
    const { code, stdout, stderr } = await scored([
      { task: TASK, task_id: "disk", relevant_ids: [DISK.id] },
      { task: "tokens are refused, the clock is off", task_id: "clock", relevant_ids: ["elsewhere"] },
      { task: "order new chairs", task_id: "chairs", relevant_ids: [] },
      { task: "disk full", task_id: "unjudged" },
    ]);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(4);
    expect(stderr.split("\n")).toEqual([
      "[retrieve] success@1 0.500, success@3 0.500, nDCG@10 0.500 over 2 tasks",
      "[retrieve] relevant, but not in the corpus: elsewhere (clock). Correct the tasks.",
      "[retrieve] not in the first three: clock",
      expect.stringMatching(
        /^\[retrieve\] --min-coverage 0\.\d\d would turn away 1 of 1 task that nothing answers, and 0 of 2 that something does$/,
      ),
      "",
    ]);
  });

  test("says what there is to say of tasks of one kind alone", async () => {
    const found = await scored([{ task: TASK, relevant_ids: [DISK.id] }]);
    expect(found.stderr).toBe("[retrieve] success@1 1.000, success@3 1.000, nDCG@10 1.000 over 1 task\n");
    expect((await scored([{ task: TASK, relevant_ids: [] }])).stderr).toBe("");
  });

  test("scores ten hits, however few it shows", async () => {
    const task = { task: `${DISK.title} ${CLOCK.title}`, task_id: "both", relevant_ids: [DISK.id, CLOCK.id] };
    const { stdout, stderr } = await scored([task], "--top-k", "1");
    expect(JSON.parse(stdout).hits).toHaveLength(1);
    expect(stderr).toContain("nDCG@10 1.000 over 1 task");
  });

  test("tells of a misspelt key once, where it first stands, and does the tasks", async () => {
    const { code, stdout, stderr } = await scored([
      { task: TASK, names: ["db-3"], note: 7 },
      { task: TASK, relevant_id: [DISK.id], taskId: "t" },
      { task: TASK, relevant_id: [DISK.id] },
    ]);
    expect({ code, tasks: stdout.trimEnd().split("\n").length }).toEqual({ code: 0, tasks: 3 });
    expect(stderr.replaceAll(/\S+tasks\.jsonl/g, "FILE")).toBe(
      [
        'distill: FILE:2: "relevant_id" is ignored. Did you mean relevant_ids?',
        'distill: FILE:2: "taskId" is ignored. Did you mean task_id?',
        "",
      ].join("\n"),
    );
  });

  test("takes a key beside the one that it is near to for another", async () => {
    const row = { task: TASK, tasks: 7, relevant_ids: [DISK.id], relevant_id: DISK.id };
    expect((await scored([row])).stderr).toStartWith("[retrieve] success@1 1.000");
  });

  test("says nothing of tasks that name none", async () => {
    expect((await scored([{ task: TASK }])).stderr).toBe("");
  });
});
