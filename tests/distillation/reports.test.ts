/** What the shipped reports say is what their rows say. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ARMS, inSeededOrder, loadExperiment } from "../../scripts/distillation/ab.ts";
import { analyse, figure, outcomeOf, summaryOf } from "../../scripts/distillation/ab_report.ts";
import type { Analysis } from "../../scripts/distillation/ab_report.ts";
import { readJsonLines, sha256 } from "../../scripts/distillation/replay.ts";
import { onOneLine, REPOSITORY, run, temporaryFolder } from "./support.ts";

const REPORTS = join(REPOSITORY, "reports/distillation");
const read = (path: string): string => readFileSync(path, "utf8");

/** The command that stands beside the rows, word for word, its line ends escaped. */
const ARGV = /^\.\/scripts\/distill (ab --report-only (?:\\\n|.)+)$/m
  .exec(read(join(REPORTS, "runs/NOTICE.md")))![1]!
  .replaceAll("\\\n", " ")
  .match(/"[^"]*"|\S+/g)!
  .map((word) => word.replaceAll('"', ""));
const valuesOf = (flag: string): string[] => ARGV.filter((_, at) => ARGV[at - 1] === flag);

const SEED = 7;
const APART = 30;
const figuresOf = async (path: string): Promise<Analysis> =>
  analyse(await loadExperiment(path, null), { seed: SEED });

describe("phase7-replay-report", () => {
  test("is made again from its rows, byte for byte", async () => {
    const folder = temporaryFolder();
    const [path] = valuesOf("--report");
    const argv = ARGV.with(ARGV.indexOf(path!), join(folder, "report.md"));
    const { code } = await run(argv, { cwd: REPOSITORY });
    expect(code).toBe(0);
    for (const extension of ["md", "html"])
      expect(read(join(folder, `report.${extension}`))).toBe(
        read(join(REPOSITORY, path!.replace(/md$/, extension))),
      );
  }, 60_000);

  test("rests on rows of shipped tasks, none of them of the development set", async () => {
    const tasks = new Map<string, string>();
    for await (const line of readJsonLines(join(REPOSITORY, "data/tasks/starter.jsonl")))
      if ("value" in line) {
        const { task_id, task } = line.value as { task_id: string; task: string };
        tasks.set(task_id, task);
      }
    const apart = new Set(inSeededOrder([...tasks.keys()], SEED, (id) => id).slice(0, APART));
    const ofStarter = valuesOf("--rows").filter((file) => basename(file).startsWith("starter-"));
    expect(ofStarter).not.toBeEmpty();
    for (const path of ofStarter)
      for (const { experiment, task_hash } of await loadExperiment(join(REPOSITORY, path), null)) {
        expect(task_hash).toBe(sha256(tasks.get(experiment.task_id)!));
        expect(apart).not.toContain(experiment.task_id);
      }
  });

  test("has the expectations that each arm meets in its notes", async () => {
    const notes = onOneLine(read(join(REPOSITORY, valuesOf("--notes")[0]!)));
    const figures = await Promise.all(
      valuesOf("--rows").map(async (path) => ({ path, ...(await figuresOf(join(REPOSITORY, path))) })),
    );
    const met = figures.filter(({ primary }) => primary === "expects_met");
    expect(met).not.toBeEmpty();
    for (const { path, arms, primary } of met) {
      const n = Math.max(...arms.map((arm) => summaryOf(arm, primary).values.length));
      const cells = ARMS.map((name) => {
        const arm = arms.find((one) => one.arm === name);
        const { values, interval } = arm ? summaryOf(arm, primary) : { values: [], interval: null };
        if (interval === null) return "-";
        const [mean, low, high] = [interval.mean, interval.low, interval.high].map((value) =>
          figure(value, outcomeOf(primary)),
        );
        return `${mean} [${low}, ${high}]${values.length === n ? "" : ` (n ${values.length})`}`;
      });
      const name = basename(path, ".jsonl.zst");
      expect(notes).toContain(["", `\`${name}\``, n, ...cells, ""].join(" | ").trim());
    }
  });

  test("has its main figures in the README", async () => {
    const { arms } = await figuresOf(join(REPORTS, "runs/starter-1.5b.jsonl.zst"));
    const percent = (name: string): string => {
      const arm = arms.find((one) => one.arm === name)!;
      return `${Math.round(100 * summaryOf(arm, "expects_met").interval!.mean)} %`;
    };
    expect(onOneLine(read(join(REPOSITORY, "README.md")))).toContain(
      `a 1.5B model meets ${percent("retrieval")} of what a right answer contains with playbooks and ${percent("none")} without; the playbook itself holds ${percent("extract")}`,
    );
  });
});
