/** What the shipped reports say is what their rows say. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadExperiment } from "../../scripts/distillation/ab.ts";
import { analyse, figure, outcomeOf, summaryOf } from "../../scripts/distillation/ab_report.ts";
import { readJsonLines, sha256 } from "../../scripts/distillation/replay.ts";
import { REPOSITORY, run, temporaryFolder } from "./support.ts";

const REPORTS = join(REPOSITORY, "reports/distillation");
const read = (path: string): string => readFileSync(path, "utf8");

/** The command that stands in the report, word for word. */
const COMMAND = /^\.\/scripts\/distill (ab --report-only .+)$/m.exec(
  read(join(REPORTS, "runs/NOTICE.md")),
)![1]!;

describe("phase7-replay-report", () => {
  test("is made again from its rows, byte for byte", async () => {
    const folder = temporaryFolder();
    const argv = COMMAND.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ""));
    const path = argv.indexOf("--report") + 1;
    const { code } = await run(argv.with(path, join(folder, "report.md")), { cwd: REPOSITORY });
    expect(code).toBe(0);
    for (const extension of ["md", "html"])
      expect(read(join(folder, `report.${extension}`))).toBe(
        read(join(REPOSITORY, argv[path]!.replace(/md$/, extension))),
      );
  });

  test("rests on rows of shipped tasks, none of them of the development set", async () => {
    const tasks = new Map<string, string>();
    for await (const line of readJsonLines(join(REPOSITORY, "data/tasks/starter.jsonl")))
      if ("value" in line) {
        const { task_id, task } = line.value as { task_id: string; task: string };
        tasks.set(task_id, task);
      }
    const apart = [...tasks.keys()]
      .toSorted((a, b) => (sha256(`7:${a}`) < sha256(`7:${b}`) ? -1 : 1))
      .slice(0, 30);
    const rows = await loadExperiment(join(REPORTS, "runs/starter-1.5b.jsonl.zst"), null);
    for (const { experiment, task_hash } of rows) {
      expect(task_hash).toBe(sha256(tasks.get(experiment.task_id)!));
      expect(apart).not.toContain(experiment.task_id);
    }
  });

  test("has its main figures in the README", async () => {
    const rows = await loadExperiment(join(REPORTS, "runs/starter-1.5b.jsonl.zst"), null);
    const { arms } = analyse(rows, { seed: 7 });
    const readme = read(join(REPOSITORY, "README.md")).replaceAll(/\s+/g, " ");
    const percent = (arm: string): string => {
      const summary = summaryOf(
        arms.find((one) => one.arm === arm)!,
        "expects_met",
      );
      return `${Math.round(100 * summary.interval!.mean)} %`;
    };
    expect(readme).toContain(
      `a 1.5B model meets ${percent("retrieval")} of what a right answer contains with playbooks and ${percent("none")} without; the playbook itself holds ${percent("extract")}`,
    );
    expect(figure(0.5, outcomeOf("expects_met"))).toBe(".50");
  });
});
