/** The experiment: what runs, in which order, judged by what, resumed how. The report has tests of its own. */
import { describe, expect, spyOn, test } from "bun:test";
import fs, { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ARMS,
  drawInstead,
  extractOf,
  fillBundle,
  loadExperiment,
  planUnits,
  retrieveFairly,
  weightedF1,
  withRowsIn,
} from "../../scripts/distillation/ab.ts";
import type { Arm } from "../../scripts/distillation/ab.ts";
import { ARM_NAMES } from "../../scripts/distillation/command_table.ts";
import {
  buildBundle,
  buildPrompt,
  EVIDENCE_LOG,
  indexCorpus,
  promptText,
  retrieve,
  scanCorpus,
} from "../../scripts/distillation/replay.ts";
import type { EvidenceRow, Playbook, Retrieval } from "../../scripts/distillation/replay.ts";
import { toTask } from "../../scripts/distillation/tasks.ts";
import type { Task } from "../../scripts/distillation/tasks.ts";
import {
  answered,
  CLOCK,
  completion,
  DISK,
  evidenceRows,
  gateway,
  GOOD_ANSWER,
  INVENTED_ANSWER,
  jsonl,
  playbook,
  rootWith,
  run,
  seeded,
  TASK,
  writeFile,
} from "./support.ts";

function task(fields: Partial<Task> = {}): Task {
  const made = toTask({ task: TASK, ...fields });
  if (typeof made === "string") throw new Error(made);
  return made;
}

const tasks = (count: number): Task[] =>
  Array.from({ length: count }, (_, n) => task({ task_id: `t${n}`, task: `${TASK}, case ${n}` }));

const plan = (fields: Partial<Parameters<typeof planUnits>[0]> = {}): ReturnType<typeof planUnits> =>
  planUnits({
    tasks: tasks(8),
    arms: ["none", "retrieval"],
    repeat: 1,
    limit: null,
    skip: 0,
    seed: 1,
    ...fields,
  });

const TASK_FILE = [
  {
    task_id: "disk",
    task: TASK,
    relevant_ids: [DISK.id],
    expects: ["lsof +L1", "logrotate"],
    rejects: ["rm -rf"],
  },
  { task_id: "clock", task: "clock skew on host db-9 breaks tokens", relevant_ids: [CLOCK.id] },
];

/** A root with a corpus and a tasks file, and what `distill ab` makes of it at a scripted server. */
function lab(fields: { playbooks?: Playbook[]; tasks?: object[] } = {}) {
  const root = rootWith(fields.playbooks);
  const file = writeFile(join(root, "tasks.jsonl"), jsonl(fields.tasks ?? TASK_FILE));
  const ab = (url: string, ...more: string[]) =>
    run(["ab", "--root", root, "--tasks", file, "--quiet", "--max-retries", "0", ...more], {
      env: { LH_GATEWAY_URL: `${url}/v1` },
      cwd: root,
    });
  const rows = (): EvidenceRow[] => evidenceRows(root);
  return { root, file, ab, rows };
}

const systemPlusUser = (body: Record<string, unknown>): string =>
  (body.messages as { content: string }[]).map(({ content }) => content).join("\n\n");

describe("planUnits", () => {
  test("lets every arm go first equally often", () => {
    const first = plan().map((unit) => unit[0]!.arm);
    expect(first.filter((arm) => arm === "none")).toHaveLength(4);
    expect(first.slice(0, 4)).toEqual(["none", "retrieval", "none", "retrieval"]);
  });

  test.each([2, 3, 4, 6])("lets either of any two of %d arms come first as often", (count) => {
    const arms = ARMS.slice(0, count);
    const units = plan({ arms, tasks: tasks(2 * count) });
    for (const a of arms)
      for (const b of arms.filter((arm) => arm !== a)) {
        const earlier = units.filter((unit) => {
          const place = (arm: Arm): number => unit.findIndex((one) => one.arm === arm);
          return place(a) < place(b);
        });
        expect(earlier).toHaveLength(count);
      }
  });

  test("keeps the arms of a task next to each other and records their places", () => {
    for (const unit of plan({ arms: [...ARMS] })) {
      expect(new Set(unit.map((one) => one.task.task_id)).size).toBe(1);
      expect(unit.map((one) => one.position)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(unit.map((one) => one.arm).toSorted()).toEqual([...ARMS].toSorted());
    }
  });

  test("splits the tasks into those set apart and the rest", () => {
    const ids = (fields: object): string[] => plan(fields).map((unit) => unit[0]!.task.task_id);
    expect([...ids({ limit: 3 }), ...ids({ skip: 3 })]).toEqual(ids({}));
    expect(ids({ skip: 3, limit: 2 })).toEqual(ids({}).slice(3, 5));
  });

  test("orders by seed, whatever the order in the file", () => {
    const order = (fields: object): string[] => plan(fields).map((unit) => unit[0]!.task.task_id);
    expect(order({ tasks: tasks(8).toReversed() })).toEqual(order({}));
    expect(order({ seed: 2 })).not.toEqual(order({}));
  });

  test("moves no task for another one", () => {
    const ids = plan().map((unit) => unit[0]!.task.task_id);
    const more = plan({ tasks: tasks(12) }).map((unit) => unit[0]!.task.task_id);
    expect(more.filter((id) => ids.includes(id))).toEqual(ids);
  });
});

describe("retrieveFairly", () => {
  const corpusOf = (records: Playbook[]) =>
    scanCorpus(join(rootWith(records), "exports/rag/playbooks.jsonl"), "weighted", () => {});

  test("leaves out an accepted answer to the very task", async () => {
    const own = task();
    const hash = new Bun.CryptoHasher("sha256").update(own.task).digest("hex").slice(0, 16);
    const answer = playbook({ ...DISK, id: "answer", source_run_id: `replay:${hash}:1` });
    const other = playbook({ ...DISK, id: "other", source_run_id: "replay:0000000000000000:1" });
    const fair = await retrieveFairly(own, await corpusOf([answer, other, CLOCK]), {
      topK: 8,
      minCoverage: 0,
    });
    expect(fair.leftOut).toEqual(["answer"]);
    expect(fair.retrieval.hits.map((hit) => hit.playbook.id)).not.toContain("answer");
    expect(fair.retrieval.hits[0]!.playbook.id).toBe("other");
  });

  test("leaves out what the task excludes, and names what it would have found", async () => {
    const own = task({ exclude_ids: [DISK.id, "absent"], exclude_source_run_ids: ["run:second"] });
    const second = playbook({ ...DISK, id: "second", source_run_id: "run:second" });
    const { retrieval, leftOut } = await retrieveFairly(own, await corpusOf([DISK, second, CLOCK]), {
      topK: 8,
      minCoverage: 0,
    });
    expect(leftOut.toSorted()).toEqual([DISK.id, "second"].toSorted());
    expect(retrieval.hits.map((hit) => hit.playbook.id)).not.toContain("second");
  });

  test("scores as if the excluded had never been there", async () => {
    const own = task({ exclude_ids: [CLOCK.id] });
    const options = { topK: 8, minCoverage: 0 };
    const { retrieval } = await retrieveFairly(own, await corpusOf([DISK, CLOCK]), options);
    expect(retrieval).toEqual(retrieve(own.task, indexCorpus([DISK], "weighted"), options));
  });
});

const RETRIEVAL: Retrieval = retrieve(TASK, indexCorpus([DISK, CLOCK], "weighted"), {
  topK: 8,
  minCoverage: 0,
});

describe("drawInstead", () => {
  const others = Array.from({ length: 20 }, (_, n) => playbook({ id: `o${n}` }));
  const drawn = [DISK, CLOCK, ...others, playbook({ id: "bad", success_score: "rejected" })];

  test("puts other playbooks of the same standing in the hits' places", () => {
    const { hits } = drawInstead(RETRIEVAL, { task: task(), drawn, random: seeded(1) });
    expect(hits.map((hit) => hit.score)).toEqual(RETRIEVAL.hits.map((hit) => hit.score));
    for (const { playbook } of hits) expect(others).toContainEqual(playbook);
    expect(new Set(hits.map((hit) => hit.playbook.id)).size).toBe(hits.length);
  });

  test("never draws an answer to the task", () => {
    const relevant = task({ relevant_ids: ["o1"], exclude_ids: ["o2"] });
    for (let seed = 0; seed < 50; seed++) {
      const { hits } = drawInstead(RETRIEVAL, {
        task: relevant,
        drawn: drawn.slice(0, 6),
        random: seeded(seed),
      });
      for (const { playbook } of hits) expect([CLOCK.id, "o0", "o3"]).toContain(playbook.id);
    }
  });

  test("looks through the task for secrets once, however much there is to draw", () => {
    let reads = 0;
    const read = {
      ...task(),
      get task() {
        reads++;
        return TASK;
      },
    };
    drawInstead(RETRIEVAL, { task: read, drawn, random: seeded(1) });
    expect(reads).toBe(1);
  });

  test("draws the same for the same seed", () => {
    const ids = (seed: number): string[] =>
      drawInstead(RETRIEVAL, { task: task(), drawn, random: seeded(seed) }).hits.map(
        (hit) => hit.playbook.id,
      );
    expect(ids(7)).toEqual(ids(7));
    expect([ids(8), ids(9), ids(10)]).not.toEqual([ids(7), ids(7), ids(7)]);
  });
});

describe("fillBundle", () => {
  const bundle = buildBundle(RETRIEVAL);
  const filled = fillBundle(bundle);
  const quoted = (one: typeof bundle): string[] => [
    ...one.prior_successful_outputs.flatMap((hit) => [hit.title, hit.content_preview]),
    ...one.commands,
    ...one.validation_steps,
  ];

  test("keeps every length, line and mark", () => {
    const shape = (text: string): string => text.replaceAll(/\p{L}/gu, "x").replaceAll(/\d/g, "0");
    expect(quoted(filled).map(shape)).toEqual(quoted(bundle).map(shape));
  });

  test("keeps no word of three letters and more", () => {
    const words = (text: string): string[] => text.toLowerCase().match(/[a-z]{3,}/g) ?? [];
    const before = new Set(quoted(bundle).flatMap(words));
    expect(
      quoted(filled)
        .flatMap(words)
        .filter((word) => before.has(word)),
    ).toEqual([]);
  });

  test("is as long in the prompt as what it stands for", () => {
    const length = (one: typeof bundle): number => promptText(buildPrompt(TASK, one)).length;
    expect(length(filled)).toBe(length(bundle));
  });
});

describe("extractOf", () => {
  test("answers with the best playbook's text and its checks", () => {
    expect(extractOf(RETRIEVAL)).toContain("`lsof +L1`");
    expect(extractOf(RETRIEVAL)).toContain("- Verify that `df -h /var` falls below 80 % after the restart.");
    expect(extractOf(RETRIEVAL)).not.toContain("chronyc");
  });

  test("is empty where nothing was found", () => {
    expect(extractOf({ ...RETRIEVAL, hits: [] })).toBe("");
  });
});

describe("weightedF1", () => {
  const weights = new Map([
    ["a", 4],
    ["b", 2],
    ["c", 2],
  ]);

  test("weighs what is shared against what either has", () => {
    // Shared 4; one has 6, the other 6: 2 * 4 / 12.
    expect(weightedF1(new Set(["a", "b"]), new Set(["a", "c"]), weights)).toBeCloseTo(2 / 3, 12);
  });

  test("is 1 for equal sets, 0 for strangers, and symmetric", () => {
    expect(weightedF1(new Set(["a", "b"]), new Set(["a", "b"]), weights)).toBe(1);
    expect(weightedF1(new Set(["a"]), new Set(["b"]), weights)).toBe(0);
    expect(weightedF1(new Set(), new Set(), weights)).toBe(0);
    const [x, y] = [new Set(["a", "c"]), new Set(["b", "c"])];
    expect(weightedF1(x, y, weights)).toBe(weightedF1(y, x, weights));
  });
});

describe("distill ab", () => {
  test("names the arms that there are", () => {
    expect(ARM_NAMES).toBe(ARMS.join(", "));
  });

  test("appends an ordinary row for each task and arm", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab();
    expect(await ab(server.url)).toMatchObject({ code: 0 });
    expect(
      rows().map(({ experiment }) => [experiment!.task_id, experiment!.arm, experiment!.position]),
    ).toEqual(
      expect.arrayContaining([
        ["disk", "none", expect.any(Number)],
        ["disk", "retrieval", expect.any(Number)],
        ["clock", "none", expect.any(Number)],
        ["clock", "retrieval", expect.any(Number)],
      ]),
    );
    expect(rows()).toHaveLength(4);
    for (const row of rows()) expect(row).toMatchObject({ schema: "replay_run.v1", dry_run: false });
    expect(new Set(rows().map((row) => row.experiment!.id)).size).toBe(1);
  });

  test("is refused while the same experiment is asked", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab();
    const runs = await Promise.all([ab(server.url), ab(server.url)]);
    expect(runs.map(({ code }) => code).toSorted()).toEqual([0, 3]);
    expect(runs.find(({ code }) => code === 3)!.stderr).toMatch(
      /^distill: \S+: another run of this experiment is asking\. Wait until it is done, or stop it\.\n$/,
    );
    expect(rows()).toHaveLength(4);
    expect(await ab(server.url)).toMatchObject({ code: 0 });
  });

  test("judges the baseline by what retrieval found", async () => {
    await using server = gateway(() => answered(INVENTED_ANSWER));
    const { ab, rows } = lab();
    await ab(server.url);
    const of = (arm: Arm): EvidenceRow =>
      rows().find(({ experiment }) => experiment!.arm === arm && experiment!.task_id === "disk")!;
    expect(of("none").context_bundle).toBeNull();
    expect(of("none").corpus).toBeNull();
    expect(of("none").gate!.evidence_ids).toEqual(of("retrieval").gate!.evidence_ids);
    expect(of("none").gate!.evidence_ids).toContain(DISK.id);
    expect(of("none").verdict).toBe("fail");
    expect(of("none").experiment!.outcomes!.unsupported).toBe(
      of("retrieval").experiment!.outcomes!.unsupported,
    );
  });

  test("judges by a relevant record that retrieval did not find", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const far = playbook({ id: "far/away", title: "Apples", content: "Apples ripen late." });
    const { ab, rows } = lab({
      playbooks: [DISK, CLOCK, far],
      tasks: [{ ...TASK_FILE[0], relevant_ids: ["far/away"] }],
    });
    await ab(server.url);
    for (const row of rows()) {
      expect(row.gate!.evidence_ids).toContain("far/away");
      expect(row.experiment!.outcomes).toMatchObject({ relevant_found: false, relevant_shown: false });
    }
  });

  test("measures an answer as it can be counted by hand", async () => {
    await using server = gateway(() => answered(INVENTED_ANSWER));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url, "--arms", "retrieval");
    const [row] = rows();
    const { outcomes } = row!.experiment!;
    expect(outcomes).toMatchObject({
      truncated: false,
      chars: INVENTED_ANSWER.length,
      tokens_in: 400,
      tokens_out: 60,
      // Neither `lsof +L1` nor logrotate is said.
      expects_met: 0,
      rejects_said: true,
      relevant_found: true,
      relevant_shown: true,
    });
    const supports = row!.gate!.claims.map((claim) => claim.support);
    expect(outcomes!.unsupported).toBe(supports.filter((support) => support === "nowhere").length);
    expect(outcomes!.unsupported).toBeGreaterThanOrEqual(2);
    expect(outcomes!.relevant_f1).toBeGreaterThan(0);
    expect(outcomes!.relevant_f1).toBeLessThan(1);
  });

  test.each(["length", "max_tokens"])("takes %s for truncated", async (finish_reason) => {
    await using server = gateway(() => answered(GOOD_ANSWER, { finish_reason }));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url, "--arms", "retrieval");
    expect(rows()[0]!.experiment!.outcomes).toMatchObject({ truncated: true });
  });

  test("counts half of the expectations as half", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url, "--arms", "none");
    expect(rows()[0]!.experiment!.outcomes).toMatchObject({ expects_met: 0.5, rejects_said: false });
  });

  test("sends one skeleton and one sampling in every arm", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url, "--arms", "none,retrieval,random,filler,jaccard", "--seed", "5");
    expect(server.received).toHaveLength(5);
    const bodies = server.received.map((entry) => entry.body);
    for (const { messages, ...sampling } of bodies) {
      const first = bodies[0]!.messages as object[];
      expect((messages as object[]).slice(0, -1)).toEqual(first.slice(0, -1));
      expect(sampling).toEqual({ model: "qwen3.5:latest", max_tokens: 1500, temperature: 0.1, seed: 5 });
    }
    const references = bodies.map((body) => systemPlusUser(body).split("lsof +L1").length - 1);
    const arms = ["none", "retrieval", "random", "filler", "jaccard"];
    const none = references[arms.indexOf("none")]!;
    expect(references[arms.indexOf("retrieval")]).toBeGreaterThan(none);
    expect(references[arms.indexOf("filler")]).toBe(none);
  });

  test("asks no model for extract", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    expect((await ab(server.url, "--arms", "extract")).code).toBe(0);
    expect(server.received).toEqual([]);
    expect(rows()[0]).toMatchObject({ model_used: "extract", escalation_path: ["extract"], verdict: "pass" });
    expect(rows()[0]!.model_response).toContain("lsof +L1");
  });

  test("goes on where it stopped, and asks again only where no answer came", async () => {
    let down = true;
    await using server = gateway(({ body }) =>
      down && systemPlusUser(body).includes("db-9")
        ? completion(null, { error: "busy" })
        : answered(GOOD_ANSWER),
    );
    const { ab, rows } = lab();
    const first = await ab(server.url);
    expect(first.code).toBe(4);
    expect(first.stderr).toContain("2 of 4 answers missing. Run the same command to go on from here.");
    down = false;
    const before = rows().length;
    expect((await ab(server.url)).code).toBe(0);
    expect(
      rows()
        .slice(before)
        .map((row) => row.experiment!.task_id),
    ).toEqual(["clock", "clock"]);
    const asked = server.received.length;
    expect((await ab(server.url)).code).toBe(0);
    expect(server.received).toHaveLength(asked);
  });

  test("continues an experiment with another arm or repeat", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url);
    await ab(server.url, "--arms", "none,retrieval,filler", "--repeat", "2");
    const done = rows().map(({ experiment }) => `${experiment!.arm} ${experiment!.repeat}`);
    expect(done.toSorted()).toEqual(
      ["none 0", "retrieval 0", "filler 0", "none 1", "retrieval 1", "filler 1"].toSorted(),
    );
    expect(new Set(rows().map((row) => row.experiment!.id)).size).toBe(1);
    expect(server.received.map(({ body }) => body.seed).toSorted()).toEqual([1, 1, 1, 2, 2, 2]);
  });

  test.each([
    ["the temperature", ["--temperature", "0.2"]],
    ["the model", ["--model", "other"]],
    ["the number of hits", ["--top-k", "3"]],
    ["the policy", ["--gate", "strict"]],
    ["the seed", ["--seed", "2"]],
  ])("is another experiment with %s changed", async (_, flags) => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    await ab(server.url, "--arms", "none");
    await ab(server.url, "--arms", "none", ...flags);
    expect(new Set(rows().map((row) => row.experiment!.id)).size).toBe(2);
  });

  test("stops after three errors in a row, whatever extract answers", async () => {
    await using server = gateway(() => completion(null, { error: "no" }));
    const many = tasks(6).map(({ task, task_id }) => ({ task, task_id }));
    const { ab, rows } = lab({ tasks: many });
    const { code, stderr } = await ab(server.url, "--arms", "none,retrieval,extract");
    expect(code).toBe(4);
    expect(stderr).toContain("stopped: 3 answers in a row did not come.");
    expect(rows().filter(({ verdict }) => verdict === "error")).toHaveLength(3);
  });

  test("counts an answer whose escalation did not come as missing", async () => {
    let down = true;
    await using server = gateway(({ body }) =>
      body.model === "large" && down ? completion(null, { error: "no" }) : answered(INVENTED_ANSWER),
    );
    const { ab, rows } = lab({ tasks: [TASK_FILE[0]!] });
    const flags = ["--arms", "retrieval", "--allow-escalation", "--escalation-model", "large"];
    expect((await ab(server.url, ...flags)).code).toBe(4);
    expect(rows()[0]!.experiment!.outcomes).toBeNull();
    down = false;
    expect((await ab(server.url, ...flags)).code).toBe(0);
    expect(rows()[1]).toMatchObject({ escalation_path: ["qwen3.5:latest", "large"] });
    expect(rows()[1]!.experiment!.outcomes!.tokens_out).toBe(120);
  });

  test("says of jaccard what jaccard found", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    // Only an identifier's parts tie the task to it, which the plain ranker does not see.
    const parts = playbook({ id: "parts", title: "VolumeFillingUp", content: "Grow it." });
    const { ab, rows } = lab({
      playbooks: [parts, CLOCK],
      tasks: [{ task_id: "v", task: "volume filling", relevant_ids: ["parts"] }],
    });
    await ab(server.url, "--arms", "retrieval,jaccard");
    const found = (arm: Arm) =>
      rows().find(({ experiment }) => experiment!.arm === arm)!.experiment!.outcomes!;
    expect(found("retrieval").relevant_found).toBe(true);
    expect(found("jaccard").relevant_found).toBe(false);
  });

  test("names relevant records that the corpus does not have", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab } = lab({ tasks: [{ ...TASK_FILE[0], relevant_ids: ["linux/typo"] }] });
    expect((await ab(server.url)).stderr).toContain("relevant, but not in the corpus: linux/typo (disk).");
  });

  test("says in the report that a dry run was one", async () => {
    const { root, ab } = lab();
    const { code, stdout } = await ab("http://127.0.0.1:1", "--dry-run", "--report", join(root, "r.md"));
    expect(code).toBe(0);
    expect(stdout).toContain("dry run");
    expect(readFileSync(join(root, "r.md"), "utf8")).toContain("dry run");
  });

  test("tells of missing notes before any model is asked", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab } = lab();
    const { code, stderr } = await ab(server.url, "--report", "r.md", "--notes", "typo.md");
    expect(code).toBe(3);
    expect(stderr).toContain("typo.md: no such file. Check the path.");
    expect(server.received).toEqual([]);
  });

  test("has a row that cannot be written end the experiment", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    writeFile(join(root, "data/_kb"), "a file where the folder should be");
    const { code, stderr } = await ab(server.url, "--concurrency", "2");
    expect(code).toBe(5);
    expect(stderr).toContain("this run could not be recorded");
  });

  test("says why it stopped on a full disk, and counts no answer that the log does not hold", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { ab, rows } = lab();
    const full = (): never => {
      throw Object.assign(new Error("full"), { code: "ENOSPC" });
    };
    const real = fs.writeSync;
    let written = 0;
    // Room for two rows, and for no report.
    using _rows = spyOn(fs, "writeSync").mockImplementation(((...args: Parameters<typeof real>) =>
      ++written > 2 ? full() : real(...args)) as typeof real);
    using _report = spyOn(fs, "writeFileSync").mockImplementation(full);
    const { code, stderr } = await ab(server.url, "--report", "r.md");
    expect(code).toBe(5);
    expect(rows()).toHaveLength(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/replay_runs\.jsonl: this run could not be recorded \(ENOSPC\)\. Make room, or/),
      "distill: 2 of 4 answers missing. Run the same command to go on from here.",
      "distill: r.md: cannot be written (ENOSPC). Make room, or name another file.",
    ]);
  });

  test("loses nothing to an interrupt", async () => {
    const interrupt = new AbortController();
    await using server = gateway(
      () => answered(GOOD_ANSWER),
      () => {
        interrupt.abort();
        return answered(GOOD_ANSWER);
      },
      () => answered(GOOD_ANSWER),
    );
    const { root, file, ab, rows } = lab();
    const env = { LH_GATEWAY_URL: `${server.url}/v1` };
    const stopped = await run(["ab", "--root", root, "--tasks", file], { env, signal: interrupt.signal });
    expect(stopped.code).toBe(130);
    const kept = rows().filter((row) => row.experiment!.outcomes !== null);
    expect(kept).toHaveLength(1);
    expect((await ab(server.url)).code).toBe(0);
    const answers = rows().filter((row) => row.experiment!.outcomes !== null);
    expect(answers).toHaveLength(4);
    expect(answers[0]).toEqual(kept[0]!);
  });

  test("reports the same from rows that were kept, compressed or not", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const made = join(root, "made.md");
    const plain = join(root, "kept/tasks.jsonl");
    const packed = join(root, "kept/tasks.jsonl.zst");
    await ab(server.url, "--report", made, "--keep", plain);
    await ab(server.url, "--keep", packed);
    const again = (rows: string, name: string) =>
      run(["ab", "--report-only", "--rows", rows, "--report", join(root, name)], {});
    expect((await again(plain, "a.md")).code).toBe(0);
    expect((await again(packed, "b.md")).code).toBe(0);
    const read = (name: string): string => readFileSync(join(root, name), "utf8");
    expect(read("b.md")).toBe(read("a.md"));
    expect(read("b.html")).toBe(read("a.html"));
    expect(read("a.md")).toBe(read("made.md"));
    expect(read("a.html")).toBe(read("made.html"));
    expect(await loadExperiment(packed, null)).toEqual(await loadExperiment(join(root, EVIDENCE_LOG), null));
  });

  test("reports on the arms that were asked for alone", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const kept = join(root, "kept.jsonl");
    await ab(server.url, "--arms", "none,retrieval,extract", "--keep", kept);
    const again = (...flags: string[]) =>
      run(["ab", "--report-only", "--rows", kept, ...flags], { cwd: root });
    const { stdout } = await again("--arms", "none,extract", "--json");
    const { arms, comparisons } = JSON.parse(stdout);
    expect(arms.map(({ arm }: { arm: string }) => arm)).toEqual(["none", "extract"]);
    expect(comparisons).toHaveLength(1);
    const { code, stderr } = await again("--arms", "filler");
    expect(code).toBe(3);
    expect(stderr).toContain("kept.jsonl: no row of --arms filler. It has extract, none, retrieval.");
  });

  test("writes a report over a report and over no other file, and none without an answer", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const report = join(root, "r.md");
    writeFileSync(report, "precious");
    const { code, stderr } = await ab(server.url, "--report", report);
    expect({ code, text: readFileSync(report, "utf8") }).toEqual({ code: 2, text: "precious" });
    expect(stderr).toContain("r.md exists and is not a report of ab, so it is left alone.");
    writeFileSync(report, "");
    expect((await ab(server.url, "--report", report)).code).toBe(0);
    expect((await ab(server.url, "--report", report)).code).toBe(0);
    const made = readFileSync(report, "utf8");
    const silent = await ab("http://127.0.0.1:1", "--model", "absent", "--report", report);
    expect({ code: silent.code, text: readFileSync(report, "utf8") }).toEqual({ code: 4, text: made });
  });

  test("names a line of kept rows that cannot be read", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const kept = join(root, "kept.jsonl");
    await ab(server.url, "--keep", kept);
    const whole = readFileSync(kept, "utf8");
    writeFileSync(kept, whole.replace("{", "{broken "));
    const { code, stderr } = await run(["ab", "--report-only", "--rows", kept], { cwd: root });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^distill: kept\.jsonl:1: .*\n$/);
  });

  test("takes no row for an experiment's that lacks what is read of one", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab, rows } = lab();
    const kept = join(root, "kept.jsonl");
    await ab(server.url, "--keep", kept);
    const [whole] = rows();
    const cut = [
      { schema: "replay_run.v1", experiment: { id: "x" } },
      { ...whole, experiment: { ...whole!.experiment, repeat: "0" } },
      { ...whole, experiment: { ...whole!.experiment, outcomes: {} } },
      { ...whole, sampling: null },
      { ...whole, attempts: [null] },
    ];
    appendFileSync(kept, jsonl(cut));
    const { code, stdout, stderr } = await run(["ab", "--report-only", "--rows", kept, "--json"], {
      cwd: root,
    });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).tasks).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual(
      [5, 6, 7, 8, 9].map(
        (n) => `distill: kept.jsonl:${n}: a row of an experiment that lacks fields. Drop it.`,
      ),
    );
    writeFile(kept, jsonl(cut));
    const none = await run(["ab", "--report-only", "--rows", kept], { cwd: root });
    expect(none.code).toBe(3);
    expect(none.stderr).toEndWith(
      "distill: kept.jsonl: holds no rows of an experiment. Run distill ab first.\n",
    );
    expect((await ab(server.url, "--rows", kept)).code).toBe(0);
  });

  test("adds to a file of rows and takes nothing from it", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const kept = join(root, "kept.jsonl.zst");
    await ab(server.url, "--keep", kept);
    await ab(server.url, "--arms", "extract", "--limit", "1", "--keep", kept);
    const arms = (await loadExperiment(kept, null)).map(({ experiment }) => experiment.arm);
    expect(arms.toSorted()).toEqual(["extract", "none", "none", "retrieval", "retrieval"]);
    await ab(server.url, "--model", "another", "--keep", kept);
    const ids = new Set((await withRowsIn(kept, [])).map(({ experiment }) => experiment.id));
    expect(ids.size).toBe(2);
  });

  test("never writes rows over another file, and says so before anybody is asked", async () => {
    const { root, ab, rows } = lab();
    const file = writeFile(join(root, "notes.jsonl"), jsonl(TASK_FILE));
    const other = await ab("http://127.0.0.1:1", "--keep", file);
    expect(other.code).toBe(3);
    expect(other.stderr).toContain("notes.jsonl:1: no row of an experiment, so nothing is written over it.");
    expect(readFileSync(file, "utf8")).toBe(jsonl(TASK_FILE));
    const log = await ab("http://127.0.0.1:1", "--keep", join(root, EVIDENCE_LOG));
    expect(log).toMatchObject({ code: 2, stderr: expect.stringContaining("is the log too, and would be") });
    expect(rows()).toEqual([]);
  });

  test.each([
    [["--report", "r.md", "--notes", "r.md"], "--report: r.md is --notes too, and would be written over."],
    [["--report", "r.md", "--notes", "r.html"], "the page of --report: r.html is --notes too,"],
    [["--report", "r.md", "--keep", "./r.md"], "--keep: ./r.md is --report too,"],
    [["--report", "r.md", "--keep", "r.html"], "--keep: r.html is the page of --report too,"],
    [["--report", "r.md", "--keep", "link.md"], "--keep: link.md is --report too,"],
    [["--keep", "log.jsonl"], "--keep: log.jsonl is the log too,"],
    [["--keep", "tasks.jsonl"], "--keep: tasks.jsonl is --tasks too,"],
    [["--keep", "exports/rag/playbooks.jsonl"], "is the corpus too,"],
    [["--report", "folder.md"], "--report: folder.md cannot be written: it is a folder. Name another file."],
    [["--report", "page.md"], "the page of --report: page.html cannot be written: it is a folder."],
    [["--keep", "pipe"], "--keep: pipe cannot be written: it is no regular file."],
    [["--keep", "tasks.jsonl/new/k.jsonl"], "tasks.jsonl is not a folder. Name another file."],
    [["--report", "shut/new/r.md"], "nothing can be added to "],
  ])("tells before anybody is asked what it could not write: %j", async (flags, message) => {
    const { root, ab, rows } = lab();
    for (const name of ["folder.md", "page.html", "shut"]) mkdirSync(join(root, name));
    Bun.spawnSync(["mkfifo", join(root, "pipe")]);
    writeFile(join(root, "r.md"), "notes");
    symlinkSync("r.md", join(root, "link.md"));
    writeFile(join(root, EVIDENCE_LOG), "");
    symlinkSync(EVIDENCE_LOG, join(root, "log.jsonl"));
    // The superuser may write anywhere.
    using _ = spyOn(fs, "accessSync").mockImplementation((path) => {
      if (String(path).endsWith("/shut")) throw Object.assign(new Error("no"), { code: "EACCES" });
    });
    const { code, stderr } = await ab("http://127.0.0.1:1", ...flags);
    expect(stderr).toContain(message);
    expect({ code, lines: stderr.trimEnd().split("\n").length }).toEqual({ code: 2, lines: 1 });
    expect(readFileSync(join(root, "r.md"), "utf8")).toBe("notes");
    expect(rows()).toEqual([]);
  });

  test("tells of a folder that it makes for a file before anybody is asked", async () => {
    const { root, ab } = lab();
    mkdirSync(join(root, "there"));
    const files = ["--report", "new/folder/r.md", "--keep", "there/k.jsonl"];
    const told = "distill: new/folder: no such folder yet, so it is made for --report.\n";
    expect((await ab("http://127.0.0.1:1", ...files)).stderr).toStartWith(told);
    await using server = gateway(() => answered(GOOD_ANSWER));
    expect((await ab(server.url, ...files)).stderr).toBe(told);
    expect(readFileSync(join(root, "new/folder/r.md"), "utf8")).toStartWith("# ");
    expect((await ab(server.url, ...files)).stderr).toBe("");
  });

  test("asks for what failed before only after what is new", async () => {
    const first = plan({ tasks: TASK_FILE.map(task) })[0]![0]!.task;
    let broken = true;
    await using server = gateway(({ body }) =>
      broken && systemPlusUser(body).includes(first.task)
        ? new Response("no", { status: 400 })
        : answered(GOOD_ANSWER),
    );
    const { ab, rows } = lab();
    expect((await ab(server.url)).code).toBe(4);
    broken = false;
    const before = rows().length;
    expect((await ab(server.url, "--arms", "none,retrieval,jaccard")).code).toBe(0);
    const asked = rows().slice(before);
    expect(asked).toHaveLength(4);
    expect(asked[0]!.experiment!.task_id).not.toBe(first.task_id);
  });

  test("takes kept rows for done", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, ab } = lab();
    const kept = join(root, "kept.jsonl.zst");
    await ab(server.url, "--keep", kept);
    const elsewhere = lab();
    const asked = server.received.length;
    expect((await elsewhere.ab(server.url, "--rows", kept)).code).toBe(0);
    expect(server.received).toHaveLength(asked);
  });

  test.each([
    [["ab"], "ab: no tasks. Name their file: --tasks FILE."],
    [["ab", "--tasks", "t.jsonl", "--arms", "none,retreival"], 'got "retreival"). Did you mean retrieval?'],
    [["ab", "--tasks", "t.jsonl", "--arms", "none,none"], "an arm is named twice"],
    [["ab", "--report-only", "--tasks", "t.jsonl"], "takes the rows as they are, without --tasks"],
    [["ab", "--report-only", "--repeat", "3"], "takes the rows as they are, without --repeat"],
    [["ab", "--tasks", "t.jsonl", "--experiment", "ab:1"], "--experiment goes with --report-only."],
    [["ab", "--tasks", "t.jsonl", "--notes", "n.md"], "--notes goes with --report."],
    [["ab", "--tasks", "t.jsonl", "--report", "ab.html"], 'a name that ends in .md (got "ab.html")'],
    [["ab", "--tasks", "t.jsonl", "--repeat", "0"], "--repeat: expected a whole number from 1 to 100"],
    [["ab", "--tasks", "t.jsonl", "--skip", "2"], "--skip: 2 of 2 tasks leave none to run."],
  ])("says what is wrong with %p", async (argv, message) => {
    const { root } = lab();
    writeFile(join(root, "t.jsonl"), jsonl(TASK_FILE));
    const { code, stderr } = await run(argv, { cwd: root });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test.each([
    ["a bad row", [{ task: 3 }], 'tasks.jsonl:1: "task" must be a non-empty string'],
    ["an id twice", [TASK_FILE[0], TASK_FILE[0]], 'tasks.jsonl:2: task_id "disk" stands twice'],
    [
      "a misspelt key",
      [TASK_FILE[0], { task: "t", expcts: ["x"] }],
      'distill: tasks.jsonl:2: "expcts" is ignored. Did you mean expects?\n',
    ],
  ])("refuses a tasks file with %s", async (_, rows, message) => {
    const { ab, rows: written } = lab({ tasks: rows as object[] });
    const { code, stderr } = await ab("http://127.0.0.1:1");
    expect(code).toBe(3);
    expect(stderr).toContain(message);
    expect(written()).toEqual([]);
  });

  test("names every problem of a tasks file, and a key that is misspelt throughout once", async () => {
    const { ab, rows } = lab({
      tasks: [
        { task: 3 },
        { task: "t", expcts: ["x"], names: ["t"] },
        { task: "u", expcts: ["y"], relevant_id: ["z"] },
        { task: "u" },
      ],
    });
    const { code, stderr } = await ab("http://127.0.0.1:1");
    expect({ code, rows: rows() }).toEqual({ code: 3, rows: [] });
    expect(stderr.trimEnd().split("\n")).toEqual([
      'distill: tasks.jsonl:1: "task" must be a non-empty string (got 3). Fix the row or drop it.',
      'distill: tasks.jsonl:2: "expcts" is ignored. Did you mean expects?',
      'distill: tasks.jsonl:3: "relevant_id" is ignored. Did you mean relevant_ids?',
      expect.stringMatching(/^distill: tasks\.jsonl:4: task_id "[0-9a-f]{16}" stands twice\./),
      "distill: tasks.jsonl: 4 problems. Correct them: all tasks are run, or none.",
    ]);
  });

  test("names ten problems of a tasks file and counts them all", async () => {
    const { ab } = lab({ tasks: Array.from({ length: 12 }, () => ({ task: 3 })) });
    const { code, stderr } = await ab("http://127.0.0.1:1");
    const lines = stderr.trimEnd().split("\n");
    expect({ code, lines: lines.length }).toEqual({ code: 3, lines: 11 });
    expect(lines[9]).toStartWith("distill: tasks.jsonl:10: ");
    expect(lines[10]).toBe(
      "distill: tasks.jsonl: 12 problems, of which 10 are named. Correct them: all tasks are run, or none.",
    );
  });

  test("refuses rows that are missing, or not what they are called", async () => {
    const { root, ab } = lab();
    const torn = writeFile(join(root, "torn.jsonl.zst"), "not compressed");
    const missing = await ab("http://127.0.0.1:1", "--rows", join(root, "typo.jsonl"));
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining("no such file") });
    const typo = await run(["ab", "--report-only", "--rows", "typo.jsonl.zst"], { cwd: root });
    expect(typo).toMatchObject({ code: 3, stderr: expect.stringContaining("typo.jsonl.zst: no such file") });
    const { code, stderr } = await run(["ab", "--report-only", "--rows", torn], { cwd: root });
    expect(code).toBe(3);
    expect(stderr).toContain("torn.jsonl.zst: cannot be read as Zstandard. Name a file that --keep wrote.");
  });

  test("says what a file without rows lacks", async () => {
    const { root, file } = lab();
    const { code, stderr } = await run(["ab", "--report-only", "--rows", file], { cwd: root });
    expect(code).toBe(3);
    expect(stderr).toContain("tasks.jsonl: holds no rows of an experiment. Run distill ab first.");
  });

  test("shows how far it is", async () => {
    await using server = gateway(() => answered(GOOD_ANSWER));
    const { root, file } = lab({ tasks: [TASK_FILE[0]!] });
    const env = { LH_GATEWAY_URL: `${server.url}/v1` };
    const { stderr } = await run(["ab", "--root", root, "--tasks", file], { env });
    expect(stderr).toMatch(/^\[ab\] ab:[0-9a-f]{12}: 2 answers$/m);
    expect(stderr).toMatch(/^\[ab\] 1 of 2, disk (?:none|retrieval): pass in [\d.]+ s; \d+ s left$/m);
    // Nothing is drawn over where it is no terminal.
    expect(stderr).not.toContain("\x1b");
  });
});
