import { describe, expect, test } from "bun:test";
import { planUnits } from "../../scripts/distillation/ab.ts";
import type { Arm } from "../../scripts/distillation/ab.ts";
import {
  OUTCOMES,
  analyse,
  comparisonSentence,
  figure,
  markFacts,
  markdownReport,
  outcomesTable,
  primaryOf,
  readingNotes,
  runTable,
  verdictSentence,
  verdictSentences,
} from "../../scripts/distillation/ab_report.ts";
import type { Analysis, ArmSummary, OutcomeKey, ReportPart } from "../../scripts/distillation/ab_report.ts";
import type { EvidenceRow } from "../../scripts/distillation/replay.ts";
import { toTask } from "../../scripts/distillation/tasks.ts";
import type { Task } from "../../scripts/distillation/tasks.ts";
import { attempt, claim, metPairs, trialRow } from "./ab_rows.ts";
import type { TrialFields } from "./ab_rows.ts";
import { seeded } from "./support.ts";

const SEED = 1;
const analysed = (rows: EvidenceRow[]): Analysis => analyse(rows, { seed: SEED });

const armOf = (analysis: Analysis, name: string): ArmSummary =>
  analysis.arms.find(({ arm }) => arm === name)!;

const meanOf = (analysis: Analysis, arm: string, key: OutcomeKey): number | undefined =>
  armOf(analysis, arm).outcomes.find((summary) => summary.key === key)!.interval?.mean;

/** Ten tasks in three arms and two repeats, with gaps and errors, by seed. */
function randomRows(seed: number): EvidenceRow[] {
  const random = seeded(seed);
  const tasks = Array.from({ length: 10 }, (_, at) => `task-${at}`);
  return tasks.flatMap((task) =>
    ["none", "retrieval", "extract"].flatMap((arm) =>
      [0, 1].map((repeat) => {
        const outcomes = {
          expects_met: Math.floor(random() * 4) / 3,
          unsupported: Math.floor(random() * 5),
          supported_share: random() < 0.3 ? null : random(),
        };
        const answered = random() < 0.9;
        return trialRow({
          arm,
          task,
          repeat,
          outcomes: answered ? outcomes : null,
          answer: `${arm} ${task}`,
        });
      }),
    ),
  );
}

/** Rows of so many tasks, each arm in the turn that is planned for it. */
function plannedRows(count: number, arms: Arm[], fields: Pick<TrialFields, "command" | "recordedAt">) {
  const tasks = Array.from(
    { length: count },
    (_, at) => toTask({ task: `t${at}`, task_id: `t${at}` }) as Task,
  );
  const plan = planUnits({ tasks, arms, repeat: 1, limit: null, skip: 0, seed: SEED });
  return plan
    .flat()
    .map(({ task, arm, position }) => trialRow({ ...fields, arm, position, task: task.task_id }));
}

function shuffled<T>(values: T[], seed: number): T[] {
  const random = seeded(seed);
  return values
    .map((value) => ({ value, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

describe("analyse", () => {
  test("averages a task's repeats before anything else", () => {
    const rows = [
      trialRow({ arm: "none", task: "a", repeat: 0, outcomes: { expects_met: 0 } }),
      trialRow({ arm: "none", task: "a", repeat: 1, outcomes: { expects_met: 1 } }),
      trialRow({ arm: "none", task: "b", repeat: 0, outcomes: { expects_met: 1 } }),
    ];
    // (0.5 + 1) / 2, where the mean over answers would be 2/3.
    expect(meanOf(analysed(rows), "none", "expects_met")).toBe(0.75);
  });

  test("compares by hand-computed differences and tests", () => {
    const analysis = analysed(
      metPairs([...Array(6).fill([0, 0.5]), [0.5, 0.5], [1, 0.5]] as [number, number][]),
    );
    const [comparison] = analysis.comparisons;
    const { interval, better, equal, worse, p, holm } = primaryOf(comparison!)!;
    // (6 * 0.5 + 0 - 0.5) / 8; 6 of 7 signs: 2 (1 + 7) / 2^7, the smallest p of five outcomes.
    expect({ mean: interval!.mean, better, equal, worse, p, holm }).toEqual({
      mean: 0.3125,
      better: 6,
      equal: 1,
      worse: 1,
      p: 0.125,
      holm: 0.625,
    });
    expect(comparison!.differences.map(({ key }) => key)).toEqual([
      "expects_met",
      "passed",
      "unsupported",
      "supported",
      "truncated",
    ]);
  });

  test("counts fewer as better where lower is better", () => {
    const rows = ["a", "b", "c"].flatMap((task) => [
      trialRow({ arm: "none", task, outcomes: { unsupported: 2 } }),
      trialRow({ arm: "retrieval", task, outcomes: { unsupported: 1 } }),
    ]);
    const { interval, better, worse } = primaryOf(analysed(rows).comparisons[0]!)!;
    expect([interval!.mean, better, worse]).toEqual([-1, 3, 0]);
  });

  test("leaves a pair with an error out of the comparison", () => {
    const rows = [...metPairs([[0, 1]]), trialRow({ arm: "none", task: "t9" })];
    rows.push(trialRow({ arm: "retrieval", task: "t9", outcomes: null }));
    const analysis = analysed(rows);
    expect(analysis.comparisons[0]).toMatchObject({ pairs: 1, leftOut: 1, alone: 0 });
    expect(armOf(analysis, "retrieval")).toMatchObject({ answers: 1, errors: 1, passed: 1, failed: 0 });
  });

  test("tells tasks that ran in one arm alone from those that lack an answer", () => {
    const analysis = analysed([...metPairs([[0, 1]]), trialRow({ arm: "none", task: "t9" })]);
    expect(analysis.comparisons[0]).toMatchObject({ pairs: 1, leftOut: 0, alone: 1 });
    expect(comparisonSentence(analysis.comparisons[0]!)).toEndWith(
      "0 tasks left out for want of an answer in both arms, 1 task that ran in one of the arms alone.",
    );
    expect(outcomesTable(analysis).rows[0]).toEqual([
      "expects met (primary)",
      "higher",
      ".00 [.00, .00] (n 1)",
      "1.00 [1.00, 1.00] (n 1)",
    ]);
  });

  test("pairs only repeats that both arms answered", () => {
    const met = (arm: string, repeat: number, expects_met: number | null) =>
      trialRow({ arm, task: "a", repeat, outcomes: expects_met === null ? null : { expects_met } });
    const rows = [met("none", 0, 1), met("none", 1, 0), met("retrieval", 0, null), met("retrieval", 1, 1)];
    const [pair] = primaryOf(analysed(rows).comparisons[0]!)!.pairs;
    expect(pair).toEqual({ task_id: "a", control: 0, treatment: 1, difference: 1 });
  });

  test("leaves a pair without a value out of that outcome", () => {
    const rows = metPairs([
      [0, 1],
      [1, 1],
    ]);
    rows[0]!.experiment!.outcomes!.supported_share = 0.5;
    rows[1]!.experiment!.outcomes!.supported_share = 1;
    const found = analysed(rows).comparisons[0]!.differences.find(({ key }) => key === "supported_share");
    expect(found!.pairs.map(({ difference }) => difference)).toEqual([0.5]);
  });

  test("takes the last arm for the treatment without retrieval", () => {
    const rows = ["filler", "none", "random"].map((arm) => trialRow({ arm, task: "a" }));
    const analysis = analysed(rows);
    expect(analysis.arms.map(({ arm }) => arm)).toEqual(["none", "random", "filler"]);
    expect(analysis.comparisons.map(({ treatment, control }) => [treatment, control])).toEqual([
      ["filler", "none"],
      ["filler", "random"],
    ]);
  });

  test("counts escalations and those that recovered", () => {
    const both = (first: "pass" | "fail", verdict: "pass" | "fail", task: string) =>
      trialRow({
        arm: "retrieval",
        task,
        verdict,
        attempts: [
          attempt({ verdict: first }),
          attempt({ role: "escalation", requested_model: "large", verdict }),
        ],
      });
    const rows = [both("fail", "pass", "a"), both("fail", "fail", "b"), both("pass", "pass", "c")];
    rows.push(trialRow({ arm: "retrieval", task: "d", verdict: "fail" }));
    expect(armOf(analysed(rows), "retrieval")).toMatchObject({
      escalated: 3,
      rejectedFirst: 2,
      recovered: 1,
      passed: 2,
      failed: 2,
    });
  });

  test("counts relevant records only of tasks that name some", () => {
    const row = (task: string, relevant_found: boolean | null) =>
      trialRow({
        arm: "retrieval",
        task,
        outcomes: { relevant_found, relevant_shown: relevant_found && false },
      });
    const arm = armOf(analysed([row("a", true), row("b", false), row("c", null)]), "retrieval");
    expect([arm.relevantFound, arm.relevantShown]).toEqual([
      { yes: 1, of: 2 },
      { yes: 0, of: 2 },
    ]);
  });

  test("chooses the pairs by gain, ties in the tasks' order", () => {
    const { pairs } = analysed(
      metPairs([
        [1, 0],
        [0, 0],
        [0, 1],
        [0, 0.5],
        [0.5, 0.25],
      ]),
    );
    expect(pairs.map(({ place, task_id, difference }) => [place, task_id, difference])).toEqual([
      ["best", "t2", 1],
      ["median", "t1", 0],
      ["worst", "t0", -1],
    ]);
  });

  test("takes the tasks in the order in which they run", () => {
    const rows = metPairs(Array(9).fill([0, 1]));
    const tasks = [...new Set(rows.map((row) => row.experiment!.task_id))].map(
      (id) => toTask({ task: id, task_id: id }) as Task,
    );
    const plan = planUnits({ tasks, arms: ["none"], repeat: 1, limit: null, skip: 0, seed: SEED });
    const { pairs } = primaryOf(analysed(rows).comparisons[0]!)!;
    expect(pairs.map(({ task_id }) => task_id)).toEqual(plan.flat().map(({ task }) => task.task_id));
  });

  test("calls the pair with fewer unsupported facts best", () => {
    const rows = [3, 0].flatMap((unsupported, at) => [
      trialRow({ arm: "none", task: `t${at}`, outcomes: { unsupported: 1 } }),
      trialRow({ arm: "retrieval", task: `t${at}`, outcomes: { unsupported } }),
    ]);
    expect(analysed(rows).pairs.map(({ place, task_id }) => [place, task_id])).toEqual([
      ["best", "t1"],
      ["worst", "t0"],
    ]);
  });

  test("shows three different pairs where all are equal", () => {
    const { pairs } = analysed(metPairs(Array(4).fill([0.5, 0.5])));
    expect(new Set(pairs.map(({ task_id }) => task_id)).size).toBe(3);
  });

  test("counts what was left out, and names leaks above half", () => {
    const rows = [
      trialRow({ arm: "none", task: "a", leftOut: ["x", "y"], taskInTopHit: 0.5 }),
      trialRow({ arm: "retrieval", task: "a", leftOut: ["x"], taskInTopHit: 0.5 }),
      trialRow({ arm: "none", task: "b", taskInTopHit: 0.51 }),
    ];
    expect(analysed(rows).leakage).toEqual({
      tasks: 1,
      records: 2,
      verbatim: [{ task_id: "b", share: 0.51 }],
    });
  });

  test("describes the run from the rows, without asking extract", () => {
    const rows = [
      trialRow({
        arm: "extract",
        task: "a",
        attempts: [attempt({ requested_model: "extract" })],
        position: 1,
      }),
      trialRow({ arm: "retrieval", task: "a", repeat: 2, recordedAt: "2026-05-02T00:00:00.000Z" }),
    ];
    expect(analysed(rows).setting).toEqual({
      experiments: ["ab:0123456789ab"],
      dryRun: false,
      first: "2026-05-01T10:00:00.000Z",
      last: "2026-05-02T00:00:00.000Z",
      repeats: 2,
      models: [
        {
          role: "local",
          requested: "small",
          returned: "small-q4",
          fingerprint: "b1",
          calls: 1,
          unanswered: 0,
        },
      ],
      corpora: [{ path: "exports/rag/playbooks.jsonl", records: 176, fingerprint: "0123456789abcdef" }],
      promptVersions: ["1"],
      gates: ["version 3, policy standard, doubtful from .41"],
      samplings: ["temperature 0.1, at most 1,500 tokens, seed 1 plus the number of the repeat"],
      ranOn: ["Bun 1.4.5, linux x64"],
      opened: [
        { arm: "retrieval", units: 1 },
        { arm: "extract", units: 1 },
      ],
      addedTo: 0,
    });
  });

  test("counts calls that came to nothing with the model that was asked", () => {
    const rows = ["a", "b", "c"].map((task) => trialRow({ arm: "none", task }));
    const lost = attempt({ verdict: "error", returned_model: null, system_fingerprint: null });
    rows.push(trialRow({ arm: "none", task: "d", outcomes: null, attempts: [lost] }));
    expect(analysed(rows).setting.models).toEqual([
      { role: "local", requested: "small", returned: "small-q4", fingerprint: "b1", calls: 3, unanswered: 1 },
    ]);
    expect(analysed([rows[3]!]).setting.models).toMatchObject([{ returned: null, calls: 1, unanswered: 1 }]);
  });

  test("does not count a task as opened to which an arm was added later", () => {
    const at = (arm: string, task: string, position: number) => trialRow({ arm, task, position });
    const rows = [at("none", "a", 0), at("retrieval", "a", 1), at("none", "b", 0), at("extract", "b", 0)];
    expect(analysed(rows).setting).toMatchObject({
      addedTo: 1,
      opened: [
        { arm: "none", units: 1 },
        { arm: "retrieval", units: 0 },
        { arm: "extract", units: 0 },
      ],
    });
  });

  test("counts every task to which an arm was added, whatever its turn", () => {
    const rows = plannedRows(30, ["none", "retrieval"], { command: "ab" });
    const later = { command: "ab --arms none,retrieval,extract", recordedAt: "2026-05-02T10:00:00.000Z" };
    const added = plannedRows(30, ["none", "retrieval", "extract"], later).filter(
      ({ experiment }) => experiment!.arm === "extract",
    );
    expect(analysed(rows).setting).toMatchObject({
      addedTo: 0,
      opened: [
        { arm: "none", units: 15 },
        { arm: "retrieval", units: 15 },
      ],
    });
    expect(analysed([...rows, ...added]).setting.addedTo).toBe(30);
  });

  test("counts how often each control came before the treatment", () => {
    const turnsOf = (rows: EvidenceRow[]) =>
      runTable(analysed(rows)).rows.find(([name]) => name === "came before retrieval")?.[1];
    // Every other round of three runs backwards, so that each pair of arms stands either way round in six tasks.
    const balanced = plannedRows(12, ["none", "retrieval", "extract"], {});
    expect(turnsOf(balanced)).toBe("none in 6 of 12, extract in 6 of 12");
    const turns = [
      ["none", "retrieval", "extract"],
      ["retrieval", "extract", "none"],
      ["extract", "none", "retrieval"],
    ];
    const turned = turns.flatMap((arms, at) =>
      arms.map((arm, position) => trialRow({ arm, task: `t${at}`, position })),
    );
    expect(turnsOf(turned)).toBe("none in 2 of 3, extract in 1 of 3");
    // An answer that did not come is in no pair.
    const lost = trialRow({ arm: "retrieval", task: "t0", position: 1, outcomes: null });
    expect(turnsOf([turned[0]!, lost, ...turned.slice(2)])).toBe("none in 1 of 2, extract in 1 of 2");
    expect(turnsOf([turned[0]!, lost])).toBeUndefined();
  });

  test("does not count a task as opened by an answer that was asked for again", () => {
    const rows = plannedRows(4, ["none", "retrieval"], { recordedAt: "2026-05-01T10:00:00.000Z" });
    rows[0]!.recorded_at = "2026-05-01T12:00:00.000Z";
    expect(analysed(rows).setting).toMatchObject({
      addedTo: 1,
      opened: [
        { arm: "none", units: 1 },
        { arm: "retrieval", units: 2 },
      ],
    });
  });

  test("has neither comparison nor pairs without rows", () => {
    expect(analysed([])).toMatchObject({
      tasks: 0,
      arms: [],
      comparisons: [],
      pairs: [],
      primary: "unsupported",
    });
  });

  test.each([1, 2, 3])("does not depend on the order of rows, seed %d", (seed) => {
    const rows = randomRows(seed);
    expect(analysed(shuffled(rows, seed + 50))).toEqual(analysed(rows));
  });

  test("changes no mean when an error is added", () => {
    const rows = randomRows(4);
    const errors = ["none", "retrieval"].flatMap((arm) => [
      trialRow({ arm, task: "task-0", repeat: 7, outcomes: null }),
      trialRow({ arm, task: "new", outcomes: null }),
    ]);
    const before = analysed(rows);
    const after = analysed([...rows, ...errors]);
    expect(after.arms.map(({ outcomes }) => outcomes)).toEqual(before.arms.map(({ outcomes }) => outcomes));
    const figuresOf = ({ comparisons }: Analysis) => comparisons.map(({ differences }) => differences);
    expect(figuresOf(after)).toEqual(figuresOf(before));
    expect(armOf(after, "none").errors).toBe(armOf(before, "none").errors + 2);
  });

  test("flips every sign when the two arms swap", () => {
    const swap: Record<string, string> = { none: "retrieval", retrieval: "none" };
    const rows = randomRows(5).filter((row) => row.experiment!.arm !== "extract");
    const swapped = rows.map((row) => ({
      ...row,
      experiment: { ...row.experiment!, arm: swap[row.experiment!.arm]! },
    }));
    const one = analysed(rows).comparisons[0]!.differences;
    const other = analysed(swapped).comparisons[0]!.differences;
    expect(other.map(({ better, worse, p }) => [worse, better, p])).toEqual(
      one.map(({ better, worse, p }) => [better, worse, p]),
    );
    for (const [at, { interval }] of other.entries())
      expect(interval!.mean).toBeCloseTo(-one[at]!.interval!.mean, 12);
  });

  test("reads every outcome into its own row", () => {
    const outcomes = {
      unsupported: 1,
      supported: 2,
      supported_share: 0.3,
      truncated: true,
      chars: 5,
      tokens_in: 6,
      tokens_out: 7,
      latency_ms: 8000,
      echo: 0.9,
      expects_met: 0.1,
      rejects_said: false,
      relevant_f1: 0.11,
    };
    const analysis = analysed([trialRow({ arm: "none", task: "a", verdict: "fail", outcomes })]);
    expect(Object.fromEntries(OUTCOMES.map(({ key }) => [key, meanOf(analysis, "none", key)]))).toEqual({
      expects_met: 0.1,
      rejects_said: 0,
      passed: 0,
      unsupported: 1,
      supported: 2,
      supported_share: 0.3,
      truncated: 1,
      relevant_f1: 0.11,
      echo: 0.9,
      chars: 5,
      tokens_in: 6,
      tokens_out: 7,
      latency_s: 8,
    });
  });
});

describe("verdictSentence", () => {
  const repeat = (count: number, pair: [number, number]) => Array<[number, number]>(count).fill(pair);

  test.each<[string, [number, number][], string]>([
    [
      "raises",
      repeat(10, [0.25, 0.5]),
      "retrieval raises the share of expectations met by .25 [.25, .25] over none (better; 10 tasks, sign test p = .002)",
    ],
    [
      "lowers",
      repeat(20, [1, 0]),
      "retrieval lowers the share of expectations met by 1.00 [1.00, 1.00] against none (worse; 20 tasks, sign test p < .001)",
    ],
    [
      "no difference",
      [...repeat(5, [0, 1]), ...repeat(5, [1, 0])],
      "no difference shown between retrieval and none in the share of expectations met: .00 [-.60, .60], sign test p = 1.000; 10 pairs could have seen .93, so with this spread not even the largest possible gain of .50",
    ],
    [
      "equal",
      repeat(7, [0.5, 0.5]),
      "no difference at all between retrieval and none in the share of expectations met: equal in all 7 pairs",
    ],
    [
      "too few",
      repeat(5, [0, 1]),
      "too few pairs to tell a difference between retrieval and none in the share of expectations met: +1.00 [1.00, 1.00], 5 pairs",
    ],
    [
      "one pair",
      [[1, 0]],
      "too few pairs to tell a difference between retrieval and none in the share of expectations met: -1.00 [-1.00, -1.00], 1 pair",
    ],
  ])("%s", (_, pairs, sentence) => {
    expect(verdictSentence(analysed(metPairs(pairs)).comparisons[0]!)).toBe(sentence);
  });

  test("says so where the sign test does not follow", () => {
    // 4 of 4 signs: p = 2 / 2^4. A resample of 40 misses all four in .9^40 = 1.5 %, under the interval's 2.5 %.
    const pairs = [...repeat(4, [0, 1]), ...repeat(36, [0.5, 0.5])];
    expect(verdictSentence(analysed(metPairs(pairs)).comparisons[0]!)).toEndWith(
      "(better; 40 tasks, sign test p = .125; the sign test alone does not show it)",
    );
  });

  const unsupportedPairs = (pairs: [number, number][]) =>
    pairs.flatMap(([none, retrieval], at) => [
      trialRow({ arm: "none", task: `t${at}`, outcomes: { unsupported: none } }),
      trialRow({ arm: "retrieval", task: `t${at}`, outcomes: { unsupported: retrieval } }),
    ]);

  test("says so where most pairs go against the mean", () => {
    // (30 * 1 - 10 * 40) / 40, and 10 of 40 signs.
    const rows = unsupportedPairs([...repeat(30, [0, 1]), ...repeat(10, [40, 0])]);
    const sentence = verdictSentence(analysed(rows).comparisons[0]!);
    expect(sentence).toStartWith("retrieval lowers the number of unsupported facts in an answer by 9.25 [");
    expect(sentence).toEndWith(
      " against none (better; 40 tasks; but more pairs are worse than better: 30 against 10, sign test p = .002)",
    );
  });

  test("says so where most pairs differ one way and the mean does not", () => {
    // (18 * -1 + 2 * 9) / 20: 2 (1 + 20 + 190) / 2^20.
    const rows = unsupportedPairs([...repeat(18, [1, 0]), ...repeat(2, [0, 9])]);
    expect(verdictSentence(analysed(rows).comparisons[0]!)).toContain(
      "], but more pairs are better than worse: 18 against 2, sign test p < .001; 20 pairs could have seen ",
    );
  });

  test("takes what rounding leaves of thirds for nothing", () => {
    // The interval ends at a resample of twice as many losses of 1/3 as gains of 2/3, 1e-9 apart once rounded.
    const pairs = [...repeat(7, [0, 2 / 3]), ...repeat(5, [1 / 3, 0])];
    const [comparison] = analysed(metPairs(pairs)).comparisons;
    expect(primaryOf(comparison!)!.interval).toEqual({ mean: 0.25, low: 0, high: 0.5 });
    expect(verdictSentence(comparison!)).toStartWith("no difference shown between retrieval and none");
  });

  test("says so where not even the largest gain could have been seen", () => {
    // 8 of 10 without a fact, 1 with nine less, 1 with nine more: 2.80 * sqrt(18) / sqrt(10), and the control has 0.9.
    const [facts] = analysed(unsupportedPairs([...repeat(8, [0, 0]), [9, 0], [0, 9]])).comparisons;
    expect(verdictSentence(facts!)).toEndWith(
      "; 10 pairs could have seen 3.76, so with this spread not even the largest possible gain of 0.90",
    );
    // A share that should rise has what is missing from 1.
    const [met] = analysed(metPairs([...repeat(8, [1, 1]), [0, 1], [1, 0]])).comparisons;
    expect(verdictSentence(met!)).toEndWith(
      "; 10 pairs could have seen .42, so with this spread not even the largest possible gain of .10",
    );
  });

  test("calls fewer unsupported facts better, without expectations", () => {
    const rows = unsupportedPairs(repeat(8, [3, 1]));
    expect(verdictSentence(analysed(rows).comparisons[0]!)).toBe(
      "retrieval lowers the number of unsupported facts in an answer by 2.00 [2.00, 2.00] against none (better; 8 tasks, sign test p = .008)",
    );
  });

  test("says nothing of an arm with errors only", () => {
    const rows = ["a", "b"].flatMap((task) => [
      trialRow({ arm: "none", task, outcomes: null }),
      trialRow({ arm: "retrieval", task, outcomes: { expects_met: 1 } }),
    ]);
    const analysis = analysed(rows);
    expect(verdictSentences(analysis)).toEqual([
      "nothing to compare between retrieval and none in the share of expectations met: no task was answered in both",
    ]);
    expect(armOf(analysis, "none")).toMatchObject({ answers: 0, errors: 2, tasks: 0 });
  });

  test("tells answers without the outcome from answers that did not come", () => {
    const without = Array.from({ length: 10 }, (_, at) =>
      ["none", "retrieval"].map((arm) => trialRow({ arm, task: `t${at}` })),
    ).flat();
    const lost = [
      trialRow({ arm: "none", task: "x", outcomes: { expects_met: 1 } }),
      trialRow({ arm: "retrieval", task: "x", outcomes: null }),
    ];
    expect(comparisonSentence(analysed([...without, ...lost]).comparisons[0]!)).toBe(
      "Nothing to compare between retrieval and none in the share of expectations met: no task that both answered has it. 10 pairs in all, 1 task left out for want of an answer in both arms.",
    );
  });

  test("names the only arm", () => {
    expect(verdictSentences(analysed([trialRow({ arm: "none", task: "a" })]))).toEqual([
      "nothing to compare: none is the only arm",
    ]);
  });
});

describe("readingNotes", () => {
  test("says what an interval without width leaves open", () => {
    const rows = [...metPairs(Array(35).fill([0, 0])), trialRow({ arm: "none", task: "without" })];
    expect(readingNotes(analysed(rows))[0]).toEndWith(
      "With fewer than 20 tasks it is too narrow, and where all are equal it is a point: what none of 35 tasks has, up to 10 % of all tasks may have, by the exact binomial interval.",
    );
    const lost = analysed([trialRow({ arm: "none", task: "a", outcomes: null })]);
    expect(readingNotes(lost)[0]).toEndWith("With fewer than 20 tasks it is too narrow.");
  });

  test("names the test behind the smallest difference", () => {
    expect(readingNotes(analysed(metPairs([[0, 1]])))).toContain(
      `"Could have seen" is the smallest true mean difference that so many pairs, as spread as these, show in four of five experiments: by a z-test of the mean at 5 %, not by the sign test beside it, and before Holm.`,
    );
  });
});

describe("figure", () => {
  test.each<[number, "share" | "count", number, string]>([
    [0.214, "share", 2, ".21"],
    [1, "share", 2, "1.00"],
    [-0.05, "share", 2, "-.05"],
    [-0.004, "share", 2, ".00"],
    [0.5, "count", 2, "0.50"],
    [1234567.6, "count", 0, "1,234,568"],
    [1234.5678, "count", 3, "1,234.568"],
    [-1000, "count", 0, "-1,000"],
  ])("writes %d as a %s with %d decimals as %s", (value, unit, digits, text) => {
    expect(figure(value, { unit, digits })).toBe(text);
  });
});

describe("markFacts", () => {
  const marked = (answer: string, claims: ReturnType<typeof claim>[]) => {
    const { gate, model_response } = trialRow({ arm: "none", task: "a", answer, claims });
    return markFacts({ gate, model_response });
  };

  test("marks what stands nowhere and what the records support", () => {
    const answer = "run df -h on db-3, then rm /x";
    const claims = [
      claim(answer, "df -h", "retrieved"),
      claim(answer, "db-3", "task"),
      claim(answer, "/x", "nowhere"),
    ];
    expect(marked(answer, claims)).toEqual([
      { text: "run ", mark: null },
      { text: "df -h", mark: "supported" },
      { text: " on db-3, then rm ", mark: null },
      { text: "/x", mark: "nowhere" },
    ]);
  });

  test("prefers the invented one of two that overlap", () => {
    const answer = "df -h /opt/x";
    const claims = [claim(answer, "df -h /opt", "retrieved"), claim(answer, "/opt/x", "nowhere")];
    expect(marked(answer, claims)).toEqual([
      { text: "df -h ", mark: null },
      { text: "/opt/x", mark: "nowhere" },
    ]);
  });

  test("leaves a fact unmarked that is not at its place", () => {
    const moved = { ...claim("abc /x", "/x", "nowhere"), offset: 1 };
    expect(marked("abc /x", [moved])).toEqual([{ text: "abc /x", mark: null }]);
  });

  test("gives back every character of the answer", () => {
    const answer = "a /x b /x c /y";
    const claims = [claim(answer, "/x", "nowhere"), claim(answer, "/y", "retrieved")];
    const texts = marked(answer, claims).map(({ text }) => text);
    expect(texts.join("")).toBe(answer);
  });
});

const part = (rows: EvidenceRow[], name = "Part one"): ReportPart => ({
  name,
  command: "distill ab --tasks x.jsonl",
  analysis: analysed(rows),
  rows,
});

const HOSTILE = "</pre><script>alert(1)</script>\n````sh\n⟪own⟫ /x\r\n```\n| a | b |\0\n# head\n~~~\n````";

describe("markdownReport", () => {
  test("puts notes under the title, then what all parts show", () => {
    const rows = metPairs(Array(6).fill([0, 1]));
    const text = markdownReport([part(rows), part(rows, "Part two")], {
      title: "T",
      notes: "In my words.\n",
    });
    expect(text).toStartWith(
      [
        "# T",
        "In my words.",
        "## What the figures show",
        "- **Part one**: retrieval raises the share of expectations met by 1.00 [1.00, 1.00] over none (better; 6 tasks, sign test p = .031).\n- **Part two**: retrieval raises the share of expectations met by 1.00 [1.00, 1.00] over none (better; 6 tasks, sign test p = .031).",
        "## Part one",
        "### What was run",
        "```sh\ndistill ab --tasks x.jsonl\n```",
        "|",
      ].join("\n\n"),
    );
  });

  test("keeps an answer inside a fence that it cannot end", () => {
    const rows = [
      trialRow({ arm: "none", task: "a", answer: HOSTILE, claims: [claim(HOSTILE, "/x", "nowhere")] }),
      trialRow({ arm: "retrieval", task: "a", answer: "Fine.", shown: ["id-1"] }),
    ];
    const text = markdownReport([part(rows)], { title: "T", notes: null });
    const block =
      "`````text\n</pre><script>alert(1)</script>\n````sh\n⟪⟪own⟫⟫ ⟪/x⟫\n```\n| a | b |\uFFFD\n# head\n~~~\n````\n`````";
    expect(text).toContain(`**none** (unsupported facts 0.00, pass), shown no record:\n\n${block}\n`);
    expect(text).toContain("**retrieval** (unsupported facts 0.00, pass), shown `id-1`:");
    const html = Bun.markdown.html(text);
    expect(html).not.toContain("<script>");
    // The answer's own heading is none of the page's.
    expect(html.match(/<h1>/g)).toHaveLength(1);
  });

  test("says where an answer is only its beginning", () => {
    const rows = ["none", "retrieval"].map((arm) => trialRow({ arm, task: "a", outcomes: { chars: 5000 } }));
    expect(markdownReport([part(rows)], { title: "T", notes: null })).toContain(
      "pass, the beginning), shown",
    );
  });

  test("marks an answer that the gate rejected", () => {
    const rows = metPairs([[0, 1]]).map((row) =>
      row.experiment!.arm === "none" ? row : { ...row, verdict: "fail" as const },
    );
    const text = markdownReport([part(rows)], { title: "T", notes: null });
    expect(text).toContain("**none** (expects met .00, pass), shown no record:");
    expect(text).toContain("**retrieval, rejected by the gate** (expects met 1.00), shown no record:");
  });

  test("quotes ids with pipes and backticks in a table", () => {
    const rows = metPairs([[0, 1]]).map((row) => ({ ...row, corpus: { ...row.corpus!, path: "a|b`c" } }));
    expect(markdownReport([part(rows)], { title: "T", notes: null })).toContain("``a\\|b`c``, 176 records");
  });

  test.each<[string, EvidenceRow[]]>([
    ["of pairs", metPairs(Array(8).fill([0.25, 0.5]))],
    ["of random rows", randomRows(6)],
    [
      "of hostile answers",
      ["none", "retrieval"].map((arm) => trialRow({ arm, task: "a|`b", answer: HOSTILE })),
    ],
    ["of errors only", ["none", "retrieval"].map((arm) => trialRow({ arm, task: "a", outcomes: null }))],
    ["of one arm", [trialRow({ arm: "retrieval", task: "a" })]],
    ["of no rows", []],
  ])("stays as it is under the formatter, %s", (_, rows) => {
    const text = markdownReport([part(rows)], { title: "T", notes: "Said before." });
    const { stdout, exitCode } = Bun.spawnSync([process.execPath, "fmt", "--stdin-filepath=report.md"], {
      stdin: Buffer.from(text),
    });
    expect({ exitCode, text: stdout.toString() }).toEqual({ exitCode: 0, text });
  });

  test("is the same from rows in another order", () => {
    const rows = randomRows(7);
    const report = (of: EvidenceRow[]) => markdownReport([part(of)], { title: "T", notes: null });
    expect(report(shuffled(rows, 9))).toBe(report(rows));
  });
});
