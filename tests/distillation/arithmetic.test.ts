import { describe, expect, test } from "bun:test";

import { workingsOf } from "../../scripts/distillation/arithmetic.ts";
import { figuresIn } from "../../scripts/distillation/facts.ts";
import { seeded } from "./support.ts";

const TASK = "Fired at 08:52 on 2025-03-11 on db-3, which has 64 GB of memory. 188 of 235 hosts are patched.";
const RECORDS = [
  "First post within 15 minutes, draft within 8 calendar days. Leave 1.5 x the size free. TTL 300 s. Port 6379.",
  "Volume of 4 TB, warning at 85 %. It grows by 18 GB a day, looked at for 14 days. 5 fulls of 620 GB, 21 parts of 42 GB at 250 MB/s.",
  "Nodes cost 0.42 EUR, 730 h a month. Steps: 45 min, 1 h 50 min, 95 min, 25 min; cut-off 05:00. Look back 24 hours, shifts take 6 h.",
  "Of 250 connections 15 are reserved, 250 s, 80 %. 5 % of 230, at a fee of 8,400 less 35 %. 140 hosts, 35 more, 1.8 GB each.",
];

/** What the first place of a figure in an answer is worked out from. */
function worked(answer: string, figure: string): string | null {
  const at = answer.indexOf(figure);
  expect(at).toBeGreaterThanOrEqual(0);
  return workingsOf(answer, [at], { task: TASK, records: RECORDS }).get(at) ?? null;
}

describe("workingsOf", () => {
  test.each([
    ["The first post is due 15 minutes after the start, so **09:07** UTC.", "09:07", "08:52 + 15 minutes"],
    ["It starts 45 min before the cut-off at 05:00, at 04:15.", "04:15", "05:00 - 45 min"],
    ["The shift begins 6 h before the cut-off at 05:00, at 23:00.", "23:00", "05:00 - 6 h"],
    ["From the cut-off at 05:00 to 08:52 it is 3 h 52 min.", "3 h 52 min", "08:52 - 05:00"],
    ["The others are 47 hosts.", "47", "235 - 188"],
    ["Ack by 09:07 (15 minutes after 08:52).", "09:07", "08:52 + 15 minutes"],
    ["| Draft | 8 calendar days | 2025-03-19 |", "2025-03-19", "2025-03-11 + 8 calendar days"],
    ["You need 96 GB free (1.5 x).", "96 GB", "64 GB × 1.5 x"],
    ["Wait 10 minutes (2 x the TTL of 300 s).", "10 minutes", "2 x × 300 s"],
    ["188 of 235 hosts, that is exactly 80 %.", "80 %", "188 of 235"],
    ["- Warning: 85 % of 4 TB = 3.4 TB.", "3.4 TB", "85 % × 4 TB"],
    ["Of 4 TB it warns at 85 %, so at 3.4 TB.", "3.4 TB", "4 TB × 85 %"],
    ["5 fulls of 620 GB + 21 parts of 42 GB = **3,982 GB**", "3,982 GB", "5 × 620 GB + 21 × 42 GB"],
    ["(140 + 35) × 1.8 GB = 315 GB a day", "315 GB", "(140 + 35) × 1.8 GB"],
    ["There are 315 GB a day ((140 + 35) × 1.8 GB).", "315 GB", "(140 + 35) × 1.8 GB"],
    ["| Nodes | 6 × 0.42 × 730 h | 1,839.60 |", "1,839.60", "6 × 0.42 × 730 h"],
    [
      "45 min + 1 h 50 min + 95 min + 25 min = 4 h 35 min.",
      "4 h 35 min",
      "45 min + 1 h 50 min + 95 min + 25 min",
    ],
    ["The 4 TB at 250 MB/s take 16,000 s.", "16,000 s", "4 TB / 250 MB"],
    ["At 18 GB a day that makes 252 GB in 14 days.", "252 GB", "18 GB × 14 days"],
    ["Of 250 connections 15 are reserved, which leaves 235 connections.", "235 conn", "250 - 15"],
    ["5 % of 230, rounded up, gives 12.", "12", "5 % × 230"],
    ["5 % of 230, rounded down, gives 11.", "11", "5 % × 230"],
    ["The fee of 8,400 less 35 % is 5,460.", "5,460", "8,400 less 35 %"],
    ["It should be below 80 %, 5 points less than 85 %.", "5 points", "85 % - 80 %"],
    ["With MaxRAMPercentage=85 the 4 TB are 3.4 TB.", "3.4 TB", "4 TB × 85"],
    ["That was 300 s before 08:52, at 08:47.", "08:47", "08:52 - 300 s"],
    ["It began at 08:48, 250 s before 08:52.", "08:48", "08:52 - 250 s"],
    ["It began at 08:47, 250 s before 08:52.", "08:47", "08:52 - 250 s"],
    ["Of 250 and 15 make `--limit=235`", "235`", "250 - 15"],
  ])("%s", (answer, figure, working) => {
    expect(worked(answer, figure)).toBe(working);
  });

  test.each([
    ["a wrong sum", "The first post is due 15 minutes after the start, so **09:17** UTC.", "09:17"],
    ["a wrong product", "5 fulls of 620 GB + 21 parts of 42 GB = **3,892 GB**", "3,892 GB"],
    ["what an expression does not come to", "The first 15 minutes + 45 min = 30 min.", "30 min"],
    ["what a bracket holds alone", "Each has 64 GB / (6 × 2) = 12 GB.", "12 GB"],
    ["what would be without its bracket", "It is 64 GB × (6 - 2) = 382 GB.", "382 GB"],
    ["what is left for a sum", "Of 250 connections 15 are reserved, which leaves 265.", "265"],
    ["a sum for what is left", "250 and 15 are 235 in all.", "235"],
    ["before for after", "The shift takes 6 h from 08:52, until 02:52.", "02:52"],
    ["a wrong share", "188 of 235 hosts, that is exactly 85 %.", "85 %"],
    ["another unit", "Wait 10 hours (2 x the TTL of 300 s).", "10 hours"],
    ["what should be rounded down", "5 % of 230, rounded down, gives 12.", "12"],
    ["what should be rounded up", "5 % of 230, rounded up, gives 11.", "11"],
    ["a product of small counts without a sign", "In 3 racks with 7 hosts each there are 21.", "21"],
    [
      "an expression that ends far away",
      `45 min + 25 min + 15 minutes${", and so on".repeat(7)}: 85 min.`,
      "85 min",
    ],
    ["a share of a port", "Of 10.0.0.7:6500 take 5 %, so 325.", "325"],
    ["a share of an exit code", "Of exit code 140 take 5 %, so 7.", "7."],
    ["a rounded setting", "Of 235 hosts at 35 %: `--replicas=82`", "82"],
    ["nothing", "Of 15 take 5 %, so 0.", "0."],
    ["points of what is no percentage", "Of 250 connections 15 are reserved, 235 points.", "235 points"],
    ["a minute that is beside it", "It began at 08:46, 250 s before 08:52.", "08:46"],
    ["operands that nobody knows", "200 GB in all (2 × 100 GB).", "200 GB"],
    ["two of the records", "The volume is full at 2,920 h.", "2,920 h"],
    ["the double of what the task says", "With 64 GB it needs 128 GB.", "128 GB"],
    ["the double of what stands there", 'journalctl -k --since "48 hours ago"', "48 hours"],
    ["the long way round the clock", "From 08:52 to the cut-off at 05:00 it is 20 h.", "20 h"],
    ["what lies a little beside", "redis-cli -p 6394, not 6379, and 15 of them", "6394"],
    ["what its own row does not come to", "| 04:15 | 15 minutes | 05:00 |\n| Start | 45 min | |", "04:15"],
    [
      "what stands in another paragraph",
      "It takes 45 min.\n\nIt starts at 04:15, the cut-off is at five.",
      "04:15",
    ],
  ])("does not take %s for worked out", (_, answer, figure) => {
    expect(worked(answer, figure)).toBeNull();
  });

  test.each([
    [
      "45 min + 25 min = 70 min, and 70 min + 15 minutes = 85 min",
      { "70 min": "45 min + 25 min", "85 min": "70 min + 15 minutes" },
    ],
    [
      "45 min + 25 min = 70 min.\n\nFrom 05:00 on it ends at 06:10.",
      { "70 min": "45 min + 25 min", "06:10": "05:00 + 70 min" },
    ],
    [
      "It ends at 06:10, 70 min (45 min + 25 min) after 05:00.",
      { "06:10": "05:00 + 70 min", "70 min": "45 min + 25 min" },
    ],
  ])("goes on from what it has worked out: %s", (answer, workings) => {
    const figures = Object.keys(workings);
    const open = figures.map((figure) => answer.indexOf(figure));
    const found = workingsOf(answer, open, { task: TASK, records: RECORDS });
    expect(Object.fromEntries(figures.map((figure, n) => [figure, found.get(open[n]!)]))).toEqual(workings);
  });

  test("reads several deadlines in one clause each by its own rule", () => {
    const answer = "Ack by 09:07 (15 minutes), done by 09:37 (45 min), closed at 14:52 (6 h).";
    const open = ["09:07", "09:37", "14:52"].map((figure) => answer.indexOf(figure));
    const workings = workingsOf(answer, open, { task: TASK, records: RECORDS });
    expect(open.map((at) => workings.get(at))).toEqual([
      "08:52 + 15 minutes",
      "08:52 + 45 min",
      "08:52 + 6 h",
    ]);
  });

  test("makes nothing of a task that is all figures", () => {
    const answer = "It took 53 ms beside 40 ms.";
    const task = (count: number): string =>
      `took ${Array.from({ length: count }, (_, n) => `${13 + 7 * n} ms`).join(", ")}`;
    const found = (count: number): Map<number, string> =>
      workingsOf(answer, [answer.indexOf("53 ms")], { task: task(count), records: ["40 ms"] });
    expect([...found(4).values()]).toEqual(["40 ms + 13 ms"]);
    expect(found(40).size).toBe(0);
  });

  test("works out nothing of figures that it has made up itself", () => {
    const answer = "It takes 70 min: 30 min + 40 min. That is 30 min of 70 min.";
    const open = ["70 min", "30 min", "40 min"].map((figure) => answer.indexOf(figure));
    expect(workingsOf(answer, open, { task: TASK, records: [] }).size).toBe(0);
  });

  test("ends on an answer of nothing but numbers", () => {
    const random = seeded(1);
    const numbers = Array.from({ length: 10_000 }, () => Math.floor(random() * 1e5));
    const open = Array.from({ length: 2000 }, (_, n) => 7 * n);
    for (const between of [" GB, ", "\n", " x ", " + "])
      expect(() => workingsOf(numbers.join(between), open, { task: TASK, records: RECORDS })).not.toThrow();
  });
});

describe("figuresIn", () => {
  test.each([
    ["85 % of 4 TB", ["percent 85", "bytes 4000000000000"]],
    ["from 08:52 to 5:10 PM", ["clock 532", "clock 1030"]],
    ["by 04:25: `x`", ["clock 265"]],
    ["on 2025-03-11 and on 9 April", ["date 20158", "count 9"]],
    ["1 h 50 min, 4 hours and 5 minutes, 1h30m", ["seconds 6600", "seconds 14700", "seconds 5400"]],
    [
      "20 minutes and 40 seconds, 1 h 5 min 3 s, 2 days 4 h",
      ["seconds 1240", "seconds 3903", "seconds 187200"],
    ],
    ["10.0.0.2:53, db-1:5432 and port 8443, 7 pods", ["count 7"]],
    ["2.3 points, a MaxRAMPercentage: 75", ["points 2.3", "percent 75"]],
    ["8 calendar days, two hours, three nodes", ["seconds 691200", "seconds 7200", "count 3"]],
    ["65 MB/s, 18 GB a day, 9/s", ["bytes 65000000 per 1", "bytes 18000000000 per 86400", "count 9 per 1"]],
    ["2 x 300 s, 3 times", ["count 2 as a factor", "seconds 300", "count 3 as a factor"]],
  ])("reads %j", (text, figures) => {
    expect(
      figuresIn(text).map(
        ({ kind, value, per, isFactor }) =>
          `${kind} ${value}${per ? ` per ${per}` : ""}${isFactor ? " as a factor" : ""}`,
      ),
    ).toEqual(figures);
  });

  test("says where they stand in the text as it was given", () => {
    const text = "It\\'s \\*\\*15 min\\*\\* - “4 TB” – 1 h 5 min";
    expect(figuresIn(text).map(({ start, end }) => text.slice(start, end))).toEqual([
      "15 min",
      "4 TB",
      "1 h 5 min",
    ]);
  });
});
