import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { gate, GATE_DEFAULTS, recordSource, taskSource } from "../../scripts/distillation/replay.ts";
import type { GateResult } from "../../scripts/distillation/replay.ts";
import { onOneLine, REPOSITORY } from "./support.ts";

interface Answer {
  id: string;
  task: string;
  evidence: string[];
  response: string;
  label: "supported" | "hallucinated";
  /** The honest answer that this one is, but for one fact. */
  honest_id?: string;
}

const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");

/** A set's honest answers by id, and the others. */
function answersOf(name: string): { honest: Map<string, Answer>; altered: Answer[]; all: Answer[] } {
  const all = read(`data/answers/${name}.jsonl`)
    .trim()
    .split("\n")
    .map((line): Answer => JSON.parse(line));
  const honest = new Map(all.flatMap((row) => (row.label === "supported" ? [[row.id, row]] : [])));
  return { honest, altered: all.filter((row) => row.label === "hallucinated"), all };
}

/** As `distill gate --rows` judges a row. */
const judge = ({ task, evidence, response }: Answer): GateResult =>
  gate({
    ...GATE_DEFAULTS,
    answer: response,
    without: "form",
    sources: [taskSource(task), ...evidence.map((text, n) => recordSource(`evidence ${n + 1}`, text))],
  });

/** Whether what was altered is what the gate objects to, beside what it may object to in the honest answer. */
function isCaught(altered: GateResult, honest: GateResult): boolean {
  const claimsOf = ({ claims }: GateResult): Map<string, number> =>
    new Map(
      claims.flatMap((claim) =>
        claim.support === "nowhere" ? [[`${claim.kind} ${claim.text}`, claim.weight]] : [],
      ),
    );
  const known = claimsOf(honest);
  const added = claimsOf(altered)
    .entries()
    .filter(([claim]) => !known.has(claim));
  const reasonOf = ({ checks }: GateResult, wanted: string): string | null =>
    checks.find(({ name }) => name === wanted)?.reason ?? null;
  const objects = (check: string): boolean => {
    const reason = reasonOf(altered, check);
    return reason !== null && reason !== reasonOf(honest, check);
  };
  return (
    added.reduce((sum, [, weight]) => sum + weight, 0) >= 1 || objects("contradicted") || objects("destroys")
  );
}

const SETS = [
  "ops",
  "adapted",
  "held-out",
  "computed",
  "computed-held-out",
  "destructive",
  "destructive-held-out",
];

describe.each(SETS)("data/answers/%s.jsonl", (name) => {
  const { honest, altered, all } = answersOf(name);

  test("holds honest answers, and each of them with one place altered", () => {
    expect(new Set(all.map((row) => row.id)).size).toBe(all.length);
    for (const { honest_id, response, task, evidence } of altered) {
      const own = honest.get(honest_id!)!;
      expect([own.task, own.evidence]).toEqual([task, evidence]);
      let before = 0;
      while (response[before] === own.response[before]) before++;
      let behind = 0;
      while (response.at(-1 - behind) === own.response.at(-1 - behind)) behind++;
      expect(response.length - before - behind).toBeLessThan(160);
    }
  });

  test("is judged as the gate's report says", () => {
    const results = new Map(honest.values().map((row) => [row.id, judge(row)]));
    const passed = [...results.values()].filter(({ verdict }) => verdict === "pass").length;
    const caught = altered.filter((row) => isCaught(judge(row), results.get(row.honest_id!)!)).length;
    const report = onOneLine(read("reports/distillation/gate-report.md"));
    const row = report.match(/\| `[\w-]+` \|[^|]*\|[^|]*\|/g)?.find((cells) => cells.includes(`\`${name}\``));
    expect(row).toBe(`| \`${name}\` | ${passed} of ${honest.size} | ${caught} of ${altered.length} |`);
    if (name === "held-out")
      expect(onOneLine(read("README.md"))).toContain(
        `${passed} pass, and of ${altered.length} such answers with one place altered ${caught} are rejected`,
      );
  }, 60_000);
});
