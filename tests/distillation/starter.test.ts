/** What is shipped: the corpus in exports/, the tasks in data/tasks/, and that the one answers the other. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { indexCorpus, loadCorpus, retrieve, wholeText } from "../../scripts/distillation/replay.ts";
import { meets, toTask } from "../../scripts/distillation/tasks.ts";
import type { Task } from "../../scripts/distillation/tasks.ts";
import { REPOSITORY } from "./support.ts";

const { records } = await loadCorpus(join(REPOSITORY, "exports/rag/playbooks.jsonl"), (message) => {
  throw new Error(message);
});
const textOf = new Map(records.map((record) => [record.id, wholeText(record)]));

/** A task of the file with the user's own things that it names. */
type StarterTask = Task & { names: string[] };

const tasks: StarterTask[] = readFileSync(join(REPOSITORY, "data/tasks/starter.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => {
    const value = JSON.parse(line);
    const task = toTask(value);
    if (typeof task === "string") throw new Error(`${value.task_id}: ${task}`);
    return { ...task, names: value.names ?? [] };
  });
const answerable = tasks.filter((task) => task.relevant_ids!.length > 0);

const relevantTexts = (task: Task): string[] => task.relevant_ids!.map((id) => textOf.get(id) ?? "");

/** A name as it stands in a regular expression. */
const escaped = (name: string): string => name.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const namesIn = (task: StarterTask, expectation: string): string[] =>
  task.names.filter((name) => expectation.includes(name) || expectation.includes(escaped(name)));

/** The expectation with anything in place of the task's names, as a regular expression. */
function withoutNames(task: StarterTask, expectation: string): string {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(expectation) ?? [];
  const longestFirst = task.names.toSorted((a, b) => b.length - a.length);
  const opened = longestFirst.reduce(
    (left, name) => left.replaceAll(escaped(name), "[^\\n]*").replaceAll(name, "[^\\n]*"),
    source ?? escaped(expectation),
  );
  return `/${opened}/${flags ?? ""}`;
}

const failing = (check: (task: StarterTask) => unknown[]): [string, unknown[]][] =>
  answerable
    .map((task): [string, unknown[]] => [task.task_id, check(task)])
    .filter(([, found]) => found.length > 0);

describe("the corpus that is shipped", () => {
  test("holds at least 150 playbooks of 600 to 2,500 characters", () => {
    expect(records.length).toBeGreaterThanOrEqual(150);
    const odd = records.filter(({ content }) => content.length < 600 || content.length > 2500);
    expect(odd.map(({ id, content }) => [id, content.length])).toEqual([]);
  });

  test("tells of what went wrong in about one of eight", () => {
    const unaccepted = records.filter((record) => record.success_score !== "accepted").length;
    expect(unaccepted / records.length).toBeGreaterThan(1 / 10);
    expect(unaccepted / records.length).toBeLessThan(1 / 6);
    expect(records.filter((record) => record.success_score === "rejected")).toEqual([]);
  });

  test("has a source run for every record, no two alike, and tags", () => {
    const runs = records.map((record) => record.source_run_id);
    expect(runs.filter((run) => !/^run:\d{4}-\d\d-\d\d:[a-z0-9-]+$/.test(run))).toEqual([]);
    expect(new Set(runs).size).toBe(runs.length);
    expect(records.filter(({ tags }) => tags.length < 3 || tags.length > 8).map(({ id }) => id)).toEqual([]);
  });

  test("says no sentence twice", () => {
    const seen = new Map<string, string>();
    const repeated: string[] = [];
    for (const { id, content } of records) {
      const prose = content.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`]*`/g, "`");
      for (const sentence of prose.match(/[^.!?\n]{40,}[.!?]/g) ?? []) {
        const words = sentence.toLowerCase().match(/[a-z]+/g) ?? [];
        const [key, other] = [words.join(" "), seen.get(words.join(" "))];
        if (words.length >= 8 && other !== undefined && other !== id)
          repeated.push(`${other}, ${id}: ${sentence.trim()}`);
        seen.set(key, id);
      }
    }
    expect(repeated).toEqual([]);
  });
});

describe("the tasks that are shipped", () => {
  test("are at least 120 that the corpus answers, 80 with names, and 15 that it does not", () => {
    expect(answerable.length).toBeGreaterThanOrEqual(120);
    expect(answerable.filter((task) => task.names.length > 0).length).toBeGreaterThanOrEqual(80);
    expect(tasks.length - answerable.length).toBe(15);
    expect(new Set(tasks.map((task) => task.task_id)).size).toBe(tasks.length);
    expect(new Set(tasks.map((task) => task.task)).size).toBe(tasks.length);
  });

  test("name one to three records that exist, two to five expectations, and what is wrong", () => {
    const isOdd = ({ relevant_ids, expects, rejects }: Task): boolean =>
      relevant_ids!.length > 3 ||
      relevant_ids!.some((id) => !textOf.has(id)) ||
      expects.length < 2 ||
      expects.length > 5 ||
      rejects.length === 0;
    expect(answerable.filter(isOdd).map((task) => task.task_id)).toEqual([]);
  });

  test("are met by their playbook where no name of the task is needed", () => {
    const unmet = failing((task) =>
      task.expects.filter(
        (expectation) =>
          namesIn(task, expectation).length === 0 &&
          !relevantTexts(task).some((text) => meets(text, expectation)),
      ),
    );
    expect(unmet).toEqual([]);
  });

  test("join the playbook's command with the task's own name", () => {
    expect(failing((task) => task.names.filter((name) => !task.task.includes(name)))).toEqual([]);
    const apart = answerable.filter(
      (task) =>
        task.names.length > 0 &&
        !task.expects.some(
          (expectation) =>
            namesIn(task, expectation).length > 0 &&
            relevantTexts(task).some((text) => meets(text, withoutNames(task, expectation))),
        ),
    );
    expect(apart.map((task) => [task.task_id, task.expects])).toEqual([]);
  });

  test("are met by neither nothing nor the task's own words", () => {
    expect(
      failing((task) =>
        task.expects.filter((expectation) => meets("", expectation) || meets(task.task, expectation)),
      ),
    ).toEqual([]);
  });

  test("do not reject what their playbook or the task itself says", () => {
    expect(
      failing((task) =>
        task.rejects.filter((rejected) =>
          [task.task, ...relevantTexts(task)].some((text) => meets(text, rejected)),
        ),
      ),
    ).toEqual([]);
  });

  test("find their playbook among the first three hits, nine of ten", () => {
    const index = indexCorpus(records, "weighted");
    const found = answerable.filter((task) =>
      retrieve(task.task, index, { topK: 3, minCoverage: 0 }).hits.some(({ playbook }) =>
        task.relevant_ids!.includes(playbook.id),
      ),
    );
    expect(found.length / answerable.length).toBeGreaterThanOrEqual(0.9);
  });
});
