import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { FINDINGS } from "../../scripts/distillation/corpus.ts";
import { didYouMean, EXIT, printable, sized } from "../../scripts/distillation/command_line.ts";
import { COMMANDS } from "../../scripts/distillation/command_table.ts";
import { helpFor, overview } from "../../scripts/distillation/commands/help.ts";
import {
  BEST_EXEMPLAR_CHARS,
  CHECKS,
  DOUBTFUL,
  ECHO_SHARE,
  QUOTED_SHARE,
  realDeps,
  replay,
} from "../../scripts/distillation/replay.ts";
import type { ReplayEvent, ReplayOptions } from "../../scripts/distillation/replay.ts";
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
  REPOSITORY,
  rootWith,
  run,
  spawn,
  TASK,
  temporaryFolder,
  writeFile,
} from "./support.ts";

const DISTILL = join(REPOSITORY, "scripts/distill");

describe("help", () => {
  test("is golden on the top level", () => {
    expect(overview(COMMANDS)).toMatchSnapshot();
  });

  test.each(Object.keys(COMMANDS))("is golden for %s", (name) => {
    expect(helpFor(name, COMMANDS[name]!)).toMatchSnapshot();
  });

  test.each([
    [["--help"], "Usage: distill <command>"],
    [["-h"], "Usage: distill <command>"],
    [["help"], "Usage: distill <command>"],
    [["help", "gate"], "Usage: distill gate"],
    [["replay", "--help"], "Usage: distill replay"],
    [["retrieve", "-h"], "Usage: distill retrieve"],
    [["--version"], "distill 0."],
    [["gate", "--version"], "distill 0."],
  ])("answers %j on stdout with 0", async (argv, expected) => {
    const { code, stdout, stderr } = await run(argv);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(expected);
  });

  test("fits a terminal of 120 columns", () => {
    const pages = [
      overview(COMMANDS),
      ...Object.entries(COMMANDS).map(([name, command]) => helpFor(name, command)),
    ];
    expect(pages.flatMap((page) => page.split("\n")).filter((line) => Bun.stringWidth(line) > 120)).toEqual(
      [],
    );
  });
});

describe("usage errors", () => {
  test.each([
    [["repaly"], 'unknown command "repaly". Did you mean replay?'],
    [["--vresion"], 'unknown option "--vresion".'],
    [["frobnicate"], 'unknown command "frobnicate". See distill --help.'],
    [["constructor"], 'unknown command "constructor".'],
    [["replay", "--tsak", "x"], 'unknown option "--tsak". Did you mean --task?'],
    [["replay", "--task", "x", "-z"], 'unknown option "-z".'],
    [["replay", "--task"], "--task: needs a value, TEXT."],
    [["replay", "--task", "--json"], "--task: needs a value, TEXT."],
    [["replay", "--task", "x", "--json=1"], "--json: takes no value."],
    [["replay"], "no task."],
    [["replay", "--task", "  "], "--task: the task is empty."],
    [["replay", "disk full"], 'A task goes into quotes behind --task: --task "disk full".'],
    [
      ["replay", "--task", "disk", "full", "on", "/var"],
      'unexpected "full". A task of several words goes into quotes: --task "disk full on /var".\n',
    ],
    [["replay", "--task-file", "t.txt", "u.txt"], 'replay: unexpected "u.txt".\n'],
    [
      ["gate", "--task", "x", "--evidence", "ev.md", "ok.txt"],
      'gate: unexpected "ok.txt". The answer comes from standard input: < ok.txt. Give --evidence before each file. A task of several words goes into quotes.\n',
    ],
    [
      ["gate", "--task-file", "t.txt", "ok.txt"],
      'gate: unexpected "ok.txt". The answer comes from standard input: < ok.txt.\n',
    ],
    [["gate", "--rows", "a.jsonl", "b.jsonl"], 'gate: unexpected "b.jsonl". --rows takes one file.\n'],
    [["gate", "ok.txt"], 'A task goes into quotes behind --task: --task "ok.txt".\n'],
    [["retrieve", "--tasks", "a", "b"], 'retrieve: unexpected "b". --tasks takes one file.\n'],
    [["ab", "--report-only", "--rows", "a", "b"], 'ab: unexpected "b". Give --rows before each file.\n'],
    [["replay", "--task", "x", "--task-file", "y"], "give one of the two"],
    [["replay", "--task", "x", "--local-only", "--allow-escalation"], "exclude each other"],
    [
      ["replay", "--task", "x", "--ranker", "jacard"],
      '--ranker: expected weighted or jaccard (got "jacard"). Did you mean jaccard?',
    ],
    [["replay", "--task", "x", "--top-k", "0"], '--top-k: expected a whole number from 1 to 1000 (got "0").'],
    [["replay", "--task", "x", "--top-k", "2.5"], "--top-k: expected a whole number"],
    [["replay", "--task", "x", "--min-coverage", "2"], "--min-coverage: expected a number from 0 to 1"],
    [["replay", "--task", "x", "--temperature", "warm"], "--temperature: expected a number from 0 to 2"],
    [["replay", "--task", "x", "--root", ""], "--root: the value is empty."],
    [["import", "x", "--tags", ""], "--tags: the value is empty."],
    [["replay", "--task", "x", "--model", "  "], "--model: the value is empty."],
    [["gate", "--task", "x", "--evidence", "f", "--evidence", ""], "--evidence: the value is empty."],
    [["ab", "--report-only", "--rows", ""], "--rows: the value is empty."],
    [["gate", "--rows", "a", "--rows", "b"], "--rows: given twice. Give it once."],
    [["replay", "--task", "x", "--top-k", "1", "--top-k=1"], "--top-k: given twice. Give it once."],
    [["completion", "bash", "zsh"], 'completion: unexpected "zsh".'],
    [["replay", "--task", "x", "--min-coverage", "-0.1"], "--min-coverage: expected a number from 0 to 1"],
    [["replay", "--task", "x", "--timeout-ms", "1e999"], "--timeout-ms: expected a whole number"],
    [
      ["replay", "--task", "x", "--root", "/nonexistent-root"],
      '--root: "/nonexistent-root": no such folder. Check the path.',
    ],
    [["replay", "--task", "x", "--root", "/dev/null"], '--root: "/dev/null"'],
    [["-v"], 'unknown option "-v". Did you mean -V?'],
    [["retrieve", "--tasks", "f", "--task", "x"], "--tasks goes without --task"],
    [["gate", "--rows", "f", "--task", "x"], "--rows goes without --task"],
    [["replay", "--task", "x", "--top-k", "0x5"], "--top-k: expected a whole number"],
    [
      ["replay", "--task", "x", "--seed", "4294967296"],
      '--seed: expected a whole number from -2147483648 to 4294967295 (got "4294967296").',
    ],
    [["gate", "--task", "x", "--evidence", "-"], "--evidence: standard input is the answer here"],
    [["gate", "--task-file", "-"], "standard input is the answer here"],
    [["completion"], "name your shell"],
    [["completion", "tcsh"], 'completion: expected bash or zsh or fish (got "tcsh").\n'],
    [["completion", "bsh"], 'completion: expected bash or zsh or fish (got "bsh"). Did you mean bash?'],
  ])("are one line and exit code 2: %j", async (argv, expected) => {
    const { code, stdout, stderr } = await run(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toStartWith("distill: ");
    expect(stderr).toContain(expected);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("show the overview where nothing was asked", async () => {
    expect(await run([])).toEqual({ code: 2, stdout: "", stderr: overview(COMMANDS) });
  });

  test("say that an escalation model alone does nothing", async () => {
    const flags = ["--dry-run", "--escalation-model", "large"];
    const { code, stderr } = await run(["replay", "--task", TASK, "--root", rootWith(), ...flags]);
    expect(code).toBe(0);
    expect(stderr).toContain("distill: --escalation-model does nothing without --allow-escalation.\n");
  });

  test("append nothing", async () => {
    const root = rootWith();
    await run(["replay", "--task", TASK, "--root", root, "--top-k", "x"]);
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: "localhost:1" } });
    expect(evidenceRows(root)).toEqual([]);
  });

  test("name the variable that holds a wrong URL", async () => {
    const env = { LH_GATEWAY_URL: "user:secret@host" };
    const { code, stderr } = await run(["replay", "--task", TASK, "--root", rootWith()], { env });
    expect(code).toBe(2);
    expect(stderr).toStartWith("distill: LH_GATEWAY_URL: ");
    expect(stderr).not.toContain("secret");
  });
});

describe("replay", () => {
  test("prints an accepted answer alone on stdout", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(`${GOOD_ANSWER}\n\n`));
    const { code, stdout, stderr } = await run(["replay", "--task", TASK, "--root", root], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${GOOD_ANSWER}\n` });
    const [row] = evidenceRows(root);
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toBe(`[replay] run_id=${row!.recorded_run_id}`);
    expect(lines.every((line) => line.startsWith("[replay] "))).toBe(true);
    expect(stderr).toContain("[replay] escalation path: qwen3.5:latest\n");
    expect(stderr).toContain("[replay] verdict: pass (grounded: ");
  });

  test("prints a rejected answer on stderr only, marked", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(INVENTED_ANSWER));
    const env = { LH_GATEWAY_URL: server.url };
    const { code, stdout, stderr } = await run(["replay", "--task", TASK, "--root", root, "--quiet"], {
      env,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(
      "[replay] rejected answer of qwen3.5:latest, not to be relied on:\n| A process on db-3",
    );
    expect(stderr).toContain("--purge-now");
    expect(evidenceRows(root)).toMatchObject([
      { verdict: "fail", validation_result: { passed: false }, model_response: INVENTED_ANSWER },
    ]);
  });

  test("says error, not fail, where no model answered", async () => {
    const root = rootWith();
    await using server = gateway(() => new Response("down", { status: 503 }));
    const env = { LH_GATEWAY_URL: server.url };
    const { code, stdout, stderr } = await run(["replay", "--task", TASK, "--root", root], { env });
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toContain("[replay] verdict: error");
    expect(evidenceRows(root)).toMatchObject([
      { verdict: "error", model_used: null, model_response: "", gate: null },
    ]);
  });

  test("fails reasoning without an answer for its own reason", async () => {
    const root = rootWith();
    await using server = gateway(() => answered("<think>so many thoughts", { finish_reason: "length" }));
    const { code } = await run(["replay", "--task", TASK, "--root", root], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(code).toBe(1);
    expect(evidenceRows(root)[0]!.validation_result.reasons).toEqual([
      "reasoning_only: 16 characters of reasoning and no answer",
      "truncated: it ran into the token limit",
    ]);
  });

  test("recovers by escalation to another server", async () => {
    const root = rootWith();
    await using local = gateway(() => completion(INVENTED_ANSWER));
    await using larger = gateway(() => completion(GOOD_ANSWER));
    const env = { LH_GATEWAY_URL: local.url, LH_ESCALATION_URL: larger.url, LH_GATEWAY_KEY: "gateway-key" };
    const argv = [
      "replay",
      "--task",
      TASK,
      "--root",
      root,
      "--allow-escalation",
      "--escalation-model",
      "big",
    ];
    const { code, stdout } = await run(argv, { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${GOOD_ANSWER}\n` });
    const [row] = evidenceRows(root);
    expect(row).toMatchObject({
      verdict: "pass",
      escalation_path: ["qwen3.5:latest", "big"],
      model_used: "big",
    });
    expect(row!.validation_result.reasons[0]).toBe("recovered via escalation to big");
    expect(row!.attempts.map(({ verdict, response }) => [verdict, response])).toEqual([
      ["fail", INVENTED_ANSWER],
      ["pass", null],
    ]);
    expect(local.received[0]!.headers.authorization).toBe("Bearer gateway-key");
    expect(larger.received[0]!.headers.authorization).toBeUndefined();
  });

  test.each([
    ["a failed answer and no larger model", INVENTED_ANSWER, null, 1, "fail", "qwen3.5:latest"],
    ["no local model and a larger one", null, GOOD_ANSWER, 0, "pass", "big"],
    ["no local model and a failing larger one", null, INVENTED_ANSWER, 1, "fail", "big"],
    ["nobody", null, null, 4, "error", null],
  ])("settles on an answer where there is one: %s", async (_, first, second, code, verdict, model) => {
    const reply = (text: string | null) => () =>
      text === null ? new Response("no", { status: 400 }) : completion(text);
    const root = rootWith();
    await using local = gateway(reply(first));
    await using larger = gateway(reply(second));
    const env = {
      LH_GATEWAY_URL: local.url,
      LH_ESCALATION_URL: larger.url,
      LH_REPLAY_ESCALATION_MODEL: "big",
    };
    expect((await run(["replay", "--task", TASK, "--root", root, "--allow-escalation"], { env })).code).toBe(
      code,
    );
    expect(evidenceRows(root)).toMatchObject([
      { verdict, model_used: model, escalation_path: ["qwen3.5:latest", "big"] },
    ]);
  });

  // Grounded, and with a name that stands nowhere, which makes it doubtful.
  const DOUBTED = `${GOOD_ANSWER} This was reported by Grace Okafor of Brightwater.`;

  test.each([
    ["is asked", GOOD_ANSWER, "big", "escalated to big"],
    ["doubts too", `${DOUBTED} Twice.`, "big", "escalated to big"],
    ["fails", INVENTED_ANSWER, "qwen3.5:latest", "doubtful (warning): its score is"],
  ])("escalates a doubted answer, and the larger model %s", async (_, second, model, reason) => {
    const root = rootWith();
    await using local = gateway(() => completion(DOUBTED));
    await using larger = gateway(() => completion(second));
    const env = {
      LH_GATEWAY_URL: local.url,
      LH_ESCALATION_URL: larger.url,
      LH_REPLAY_ESCALATION_MODEL: "big",
    };
    const argv = ["replay", "--task", TASK, "--root", root, "--allow-escalation"];
    const { code, stderr } = await run(argv, { env });
    expect(code).toBe(0);
    expect(stderr).toContain("qwen3.5:latest passed, with doubts:");
    const [row] = evidenceRows(root);
    expect(row).toMatchObject({
      verdict: "pass",
      model_used: model,
      escalation_path: ["qwen3.5:latest", "big"],
    });
    expect(row!.validation_result.reasons[0]).toStartWith(reason);
    if (model === "big")
      expect(row!.validation_result.reasons.join()).toContain(
        "qwen3.5:latest: doubtful (soft): its score is",
      );
  });

  test.each([
    ["echo", `${DISK.content}\n${CLOCK.content}`],
    [
      "off_task",
      "Verify that the service restarts, then wait for an hour and see whether it helps anybody at all.",
    ],
  ])("holds an answer against what was shown and asked: %s", async (name, answer) => {
    const root = rootWith();
    await using server = gateway(() => completion(answer));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    expect(evidenceRows(root)[0]!.validation_result.reasons.join("\n")).toContain(`${name} (warning): `);
  });

  test("warns of a doubt where nobody else may be asked", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(DOUBTED));
    const argv = ["replay", "--task", TASK, "--root", root];
    const { code, stderr } = await run(argv, { env: { LH_GATEWAY_URL: server.url } });
    expect(code).toBe(0);
    expect(stderr).toContain("doubtful (warning): its score is");
    expect(stderr).not.toContain("passed, with doubts");
    expect(evidenceRows(root)[0]!.validation_result).toMatchObject({
      passed: true,
      reasons: [expect.stringMatching(/^doubtful \(warning\)/), expect.stringMatching(/^names \(warning\)/)],
    });
  });

  test.each([
    ["strict", 1],
    ["standard", 0],
    ["structural", 0],
  ] as const)("judges a fact from another record by --gate %s", async (policy, code) => {
    const root = rootWith([DISK, playbook({ id: "k8s/rollout", content: "Run `kubectl rollout restart`." })]);
    await using server = gateway(() => completion(`${GOOD_ANSWER} Then \`kubectl rollout restart\`.`));
    const argv = ["replay", "--task", TASK, "--root", root, "--top-k", "1", "--gate", policy];
    const result = await run(argv, { env: { LH_GATEWAY_URL: server.url } });
    expect(result.code).toBe(code);
    expect(result.stderr.includes("2 elsewhere in the corpus)")).toBe(policy === "standard");
    expect(evidenceRows(root)[0]!.gate!.policy).toBe(policy);
  });

  test("tells of a failure when it has failed, and whose it is", async () => {
    const failing = (status: number) => () => new Response("no", { status });
    await using local = gateway(failing(400));
    await using larger = gateway(failing(500), failing(400));
    const env = {
      LH_GATEWAY_URL: `${local.url}/v1`,
      LH_ESCALATION_URL: `${larger.url}/v1`,
      LH_REPLAY_ESCALATION_MODEL: "big",
    };
    const argv = ["replay", "--task", TASK, "--root", rootWith(), "--allow-escalation"];
    const { code, stderr } = await run(argv, { env });
    expect(code).toBe(4);
    const post = (url: string): string => `POST ${url}/v1/chat/completions: HTTP`;
    expect(stderr.split("\n").filter((line) => line.includes("POST"))).toEqual([
      `[replay] qwen3.5:latest: ${post(local.url)} 400: no. Check the server's log.`,
      `[replay] big: ${post(larger.url)} 500: no. Trying again in 0.5 s.`,
      `[replay] big: ${post(larger.url)} 400: no. Check the server's log.`,
    ]);
  });

  test("does not escalate after a pass", async () => {
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", rootWith(), "--allow-escalation"], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(server.received).toHaveLength(1);
  });

  test("escalates to the gateway itself where no other server is named", async () => {
    await using server = gateway(() => completion(INVENTED_ANSWER));
    const env = {
      LH_GATEWAY_URL: server.url,
      LH_GATEWAY_KEY: "gateway-key",
      LH_REPLAY_ESCALATION_MODEL: "big",
    };
    await run(["replay", "--task", TASK, "--root", rootWith(), "--allow-escalation"], { env });
    expect(server.received.map(({ headers, body }) => [headers.authorization, body.model])).toEqual([
      ["Bearer gateway-key", "qwen3.5:latest"],
      ["Bearer gateway-key", "big"],
    ]);
  });

  test("hands every sampling flag on to the server", async () => {
    await using server = gateway(() => completion(GOOD_ANSWER));
    const sampling = ["--seed", "-5", "--max-tokens", "77", "--temperature", "1.5", "--model", "mine"];
    await run(["replay", "--task", TASK, "--root", rootWith(), ...sampling], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(server.received[0]!.body).toMatchObject({
      seed: -5,
      max_tokens: 77,
      temperature: 1.5,
      model: "mine",
    });
  });

  test("obeys --timeout-ms, --max-retries and --top-k", async () => {
    const root = rootWith([DISK, { ...DISK, id: "twin" }]);
    await using hanging = gateway(() => new Promise(() => {}));
    await using busy = gateway(() => new Response("busy", { status: 503 }));
    const argv = ["replay", "--task", TASK, "--root", root, "--top-k", "1"];
    await run([...argv, "--timeout-ms", "30"], { env: { LH_GATEWAY_URL: hanging.url } });
    await run([...argv, "--max-retries", "1"], { env: { LH_GATEWAY_URL: busy.url } });
    const rows = evidenceRows(root);
    expect(rows.map((row) => row.attempts[0]!.requests.length)).toEqual([1, 2]);
    expect(rows.map((row) => row.retrieved_artifacts.rag_ids.length)).toEqual([1, 1]);
  });

  test("does not escalate unless it is allowed", async () => {
    await using server = gateway(() => completion(INVENTED_ANSWER));
    await run(["replay", "--task", TASK, "--root", rootWith(), "--local-only"], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(server.received).toHaveLength(1);
  });

  const flagSets: string[][] = [
    [],
    ["--no-retrieval"],
    ["--allow-escalation"],
    ["--local-only"],
    ["--ranker", "jaccard"],
    ["--min-coverage", "1"],
    ["--top-k", "1"],
    ["--json"],
    ["--gate", "strict"],
    ["--gate", "structural"],
    ["--gate", "strict", "--allow-escalation"],
    ["--threshold", "0", "--allow-escalation"],
  ];
  // What the checks of wording find in a model's answer stands in playbooks too.
  const LOUD = [
    "Fix: TODO, `cp /path/to/x /var`, `curl example.com`, `rm -rf /var/spool/<old>`.",
    ...Array(3).fill("Restart the process that holds them."),
    '{"verbose": false, "depth": null, "note": "disk full on /var"}',
    "verbose: yes",
    'He said "the disk is not full at all", Grace Okafor of Brightwater.',
  ].join("\n");
  test.each(flagSets.map((flags) => ({ flags })))(
    "passes a dry run without network under $flags",
    async ({ flags }) => {
      const hedging = playbook({
        id: "h",
        title: `${DISK.title}: I cannot`,
        content: `I'm sorry, but disk full on /var.\n⟦likely cause, one sentence⟧ password: hunter2x\n${LOUD}`,
        success_score: "partially_accepted",
      });
      const loud = playbook({ id: "l", title: DISK.title, content: `${LOUD}\n${DISK.content}` });
      const root = rootWith([loud, DISK, CLOCK, hedging]);
      const deps = { fetch: () => Promise.reject(new Error("network")) };
      const first = await run(
        ["replay", "--dry-run", "--task", `${TASK}. As an AI, I cannot.`, "--root", root, ...flags],
        { deps },
      );
      const second = await run(
        ["replay", "--dry-run", "--task", `${TASK}. As an AI, I cannot.`, "--root", root, ...flags],
        { deps },
      );
      expect(first.code).toBe(0);
      expect(evidenceRows(root)).toMatchObject([
        { dry_run: true, verdict: "pass", escalation_path: ["qwen3.5:latest"] },
        { dry_run: true },
      ]);
      if (!flags.includes("--json")) expect(second.stdout).toBe(first.stdout);
    },
  );

  test("says in a dry run's answer what is a warning, and says it last", async () => {
    // Its check stands behind what is quoted of it.
    const filler = `${"x".repeat(99)}\n`.repeat(30);
    const worked = playbook({ ...DISK, content: `${filler}\n- Check that \`lsof\` is there.` });
    const failed = playbook({
      id: "old",
      title: `${DISK.title}: old`,
      content: "Run `/opt/legacy/clean.sh --now`.",
      success_score: "needs_human_review",
    });
    const root = rootWith([worked, failed]);
    const { stdout } = await run(["replay", "--dry-run", "--task", DISK.title, "--root", root]);
    expect(stdout.trimEnd().split("\n\n").slice(-4)).toEqual([
      "- Check that `lsof` is there.",
      "Warning: what follows did not fully work, and would be shown as such.",
      failed.title,
      failed.content,
    ]);
  });

  test.each([
    ["missing", undefined],
    ["empty", ""],
  ])("takes a %s corpus for an error, not for a baseline", async (_, text) => {
    const root = temporaryFolder();
    if (text !== undefined) writeFile(join(root, "exports/rag/playbooks.jsonl"), text);
    const refused = await run(["replay", "--dry-run", "--task", TASK, "--root", root]);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toBe("");
    expect(evidenceRows(root)).toEqual([]);
    const baseline = await run(["replay", "--dry-run", "--task", TASK, "--root", root, "--no-retrieval"]);
    expect(baseline.code).toBe(0);
    expect(baseline.stderr).toContain("nothing to check");
    expect(evidenceRows(root)).toMatchObject([
      { no_retrieval: true, context_bundle: null, corpus: null, ranker: null },
    ]);
  });

  test("says so where retrieval finds nothing or abstains", async () => {
    const root = rootWith();
    const stranger = await run(["replay", "--dry-run", "--task", "xylophone quartet", "--root", root]);
    expect(stranger.stderr).toContain("none shares a word with the task");
    const abstained = await run([
      "replay",
      "--dry-run",
      "--task",
      `${TASK} xylophone`,
      "--root",
      root,
      "--min-coverage",
      "0.99",
    ]);
    expect(abstained.stderr).toContain("too little to go by");
    expect(evidenceRows(root)).toMatchObject([
      { retrieved_artifacts: { rag_ids: [], abstained: false }, context_bundle: { retrieved_playbooks: [] } },
      { retrieved_artifacts: { rag_ids: [], abstained: true }, context_bundle: { retrieved_playbooks: [] } },
    ]);
  });

  test("names bad corpus lines and counts them in the row", async () => {
    const root = rootWith();
    writeFile(join(root, "c.jsonl"), `${jsonl([DISK])}{broken\n${jsonl([CLOCK])}`);
    const { code, stderr } = await run(
      ["replay", "--dry-run", "--task", TASK, "--root", root, "--corpus", "c.jsonl"],
      { cwd: root },
    );
    expect(code).toBe(0);
    expect(stderr).toContain("[replay] c.jsonl:2: not valid JSON");
    expect(evidenceRows(root)).toMatchObject([{ corpus: { path: "c.jsonl", records: 2, skipped: 1 } }]);
  });

  test("reads a task from a file without its white space", async () => {
    const root = rootWith();
    writeFile(join(root, "task.txt"), `\n  ${TASK}\r\n\n`);
    await run(["replay", "--dry-run", "--task-file", "task.txt", "--root", "."], { cwd: root });
    expect(evidenceRows(root)[0]!.input_task).toBe(TASK);
  });

  test.each([
    ["empty.txt", "", "the task is empty"],
    ["latin1.txt", Buffer.from([0x64, 0xe9]), "not UTF-8 text"],
  ])("refuses the task file %s with 3", async (name, text, what) => {
    const root = rootWith();
    writeFile(join(root, name), text);
    const { code, stderr } = await run(["replay", "--dry-run", "--task-file", name, "--root", root], {
      cwd: root,
    });
    expect(code).toBe(3);
    expect(stderr).toContain(what);
  });

  test("takes a task that begins with a dash", async () => {
    const root = rootWith();
    await run(["replay", "--dry-run", "--root", root, "--task", "-bash: lsof: command not found"]);
    expect(evidenceRows(root)[0]!.input_task).toBe("-bash: lsof: command not found");
  });

  test("prefers flag over environment over default", async () => {
    const models = async (argv: string[], env: Record<string, string>): Promise<string | null> => {
      const root = rootWith();
      await run(["replay", "--dry-run", "--task", TASK, "--root", root, ...argv], { env });
      return evidenceRows(root)[0]!.model_used;
    };
    expect(await models([], {})).toBe("qwen3.5:latest");
    expect(await models([], { LH_REPLAY_LOCAL_MODEL: "from-env" })).toBe("from-env");
    expect(await models([], { LH_REPLAY_LOCAL_MODEL: "  " })).toBe(await models([], {}));
    expect(await models([], { LH_REPLAY_LOCAL_MODEL: " from-env\n" })).toBe("from-env");
    expect(await models(["--model", "from-flag"], { LH_REPLAY_LOCAL_MODEL: "from-env" })).toBe("from-flag");
    const root = rootWith();
    await run(["replay", "--dry-run", "--task", TASK], { env: { LH_DISTILL_ROOT: root } });
    expect(evidenceRows(root)).toHaveLength(1);
  });

  test("shows the prompt on stderr when asked", async () => {
    const { stdout, stderr } = await run([
      "replay",
      "--dry-run",
      "--task",
      TASK,
      "--root",
      rootWith(),
      "--show-prompt",
      "--quiet",
    ]);
    expect(stderr).toStartWith("You are an experienced operations engineer");
    expect(stderr).toContain("⟦reference 1, worked before: ");
    expect(stdout).not.toContain("⟦");
  });

  test("is silent on stderr when quiet and accepted", async () => {
    expect((await run(["replay", "--dry-run", "--task", TASK, "--root", rootWith(), "-q"])).stderr).toBe("");
  });

  test("says when quiet what --help promises: a cut prompt and replaced secrets", async () => {
    const usage = { prompt_tokens: 20, completion_tokens: 60 };
    await using server = gateway(() => completion(GOOD_ANSWER, { usage }));
    const argv = ["replay", "--task", `${TASK}, password: hunter2x`, "--root", rootWith(), "-q"];
    const { code, stderr } = await run(argv, { env: { LH_GATEWAY_URL: server.url } });
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^\[replay\] warning: .* seems to have seen only a part of the prompt /),
      "[replay] secrets replaced before anything was sent or stored: 1 password",
    ]);
    const words = "only errors, rejected answers, a cut prompt and replaced secrets";
    expect((await run(["replay", "--help"])).stdout).toContain(words);
  });

  test("says of a secret that only a reply held that it came back", async () => {
    await using server = gateway(() => completion(`${GOOD_ANSWER} password: hunter2x, token: s3cret99`));
    const told = async (task: string): Promise<string[]> => {
      const argv = ["replay", "--task", task, "--root", rootWith(), "-q"];
      return (await run(argv, { env: { LH_GATEWAY_URL: server.url } })).stderr.trimEnd().split("\n");
    };
    const cameBack = "[replay] secrets replaced in what came back, before it was printed or stored:";
    expect(await told(TASK)).toEqual([`${cameBack} 2 password`]);
    expect(await told(`${TASK}, password: hunter2x`)).toEqual([
      "[replay] secrets replaced before anything was sent or stored: 1 password",
      `${cameBack} 1 password`,
    ]);
  });

  test("says of a rejected answer that it is empty", async () => {
    await using server = gateway(() => completion(" \n"));
    const argv = ["replay", "--task", TASK, "--root", rootWith()];
    const { code, stderr } = await run(argv, { env: { LH_GATEWAY_URL: server.url } });
    expect(code).toBe(1);
    expect(stderr).toContain(
      "[replay] rejected answer of qwen3.5:latest, not to be relied on: it is empty\n[replay]   empty: ",
    );
  });

  test("escapes control characters for a terminal only", async () => {
    const root = rootWith();
    const answer = `${GOOD_ANSWER}\x1b]0;owned\x07`;
    await using server = gateway(() => completion(answer));
    const env = { LH_GATEWAY_URL: server.url };
    const argv = ["replay", "--task", TASK, "--root", root];
    expect((await run(argv, { env })).stdout).toBe(`${answer}\n`);
    const { stdout, stderr } = await run(argv, { env, tty: true });
    const rejecting = gateway(() => completion(`I cannot.\x1b]0;owned\x07`));
    const rejected = await run(argv, { env: { LH_GATEWAY_URL: rejecting.url } });
    await rejecting[Symbol.asyncDispose]();
    expect(rejected.stderr).toContain("| I cannot.\\x1b]0;owned\\x07\n");
    expect(stdout).toBe(`${GOOD_ANSWER}\\x1b]0;owned\\x07\n`);
    expect(stderr).toContain("[replay] qwen3.5:latest at ");
  });

  test("says which model the server names where that is another", async () => {
    await using server = gateway(() => completion(GOOD_ANSWER));
    const said = async (model: string): Promise<string> => {
      const argv = ["replay", "--task", TASK, "--root", rootWith(), "--model", model];
      return (await run(argv, { env: { LH_GATEWAY_URL: server.url } })).stderr;
    };
    expect(await said("mine")).toContain("[replay] model: mine (the server says served-model), ");
    expect(await said("served-model")).toContain("[replay] model: served-model, ");
  });

  test("warns where the server has cut the prompt", async () => {
    const usage = { prompt_tokens: 20, completion_tokens: 60 };
    await using server = gateway(() => completion(GOOD_ANSWER, { usage }));
    const { stderr } = await run(["replay", "--task", TASK, "--root", rootWith()], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(stderr).toContain("seems to have seen only a part of the prompt (20 tokens counted, about ");
  });

  test("escapes what a hostile corpus says, on every stream", async () => {
    const hostile = { ...DISK, id: "evil\x1b[2J\nid", title: `${DISK.title}\x9b2J\u202e\u200b\u{e0041}` };
    const root = rootWith([hostile]);
    const argv = ["--task", TASK, "--root", root];
    const replayed = await run(["replay", "--dry-run", ...argv], { tty: true });
    const retrieved = await run(["retrieve", ...argv], { tty: true });
    const json = await run(["replay", "--dry-run", "--json", ...argv], { tty: true });
    for (const { stdout, stderr } of [replayed, retrieved, json]) {
      expect(stdout + stderr.replaceAll("\r\x1b[K", "")).not.toMatch(/[\x1b\x9b\u202e\u200b\u{e0041}]/u);
    }
    expect(JSON.parse(json.stdout)).toEqual(evidenceRows(root)[1] as never);
    // Not on a terminal either: a newline in an id must not pose as a line of ours.
    expect((await run(["retrieve", ...argv])).stdout).toContain("evil\\x1b[2J\\nid");
  });

  test("records an interrupt before the call, a dry run's too", async () => {
    const root = rootWith();
    const signal = AbortSignal.abort();
    for (const flags of [[], ["--dry-run"]]) {
      const { code, stdout } = await run(["replay", "--task", TASK, "--root", root, ...flags], { signal });
      expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    }
    expect(evidenceRows(root)).toMatchObject([{ verdict: "error" }, { verdict: "error", dry_run: true }]);
  });

  test("notices an interrupt that came while it was busy", async () => {
    const root = rootWith();
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 0);
    const argv = ["replay", "--dry-run", "--no-retrieval", "--task", TASK, "--root", root];
    expect((await run(argv, { signal: interrupt.signal })).code).toBe(130);
  });

  test("records an interrupt in the escalation as an error", async () => {
    const root = rootWith();
    const interrupt = new AbortController();
    await using local = gateway(() => completion(INVENTED_ANSWER));
    await using larger = gateway(() => {
      interrupt.abort();
      return new Promise(() => {});
    });
    const env = { LH_GATEWAY_URL: local.url, LH_ESCALATION_URL: larger.url };
    const argv = ["replay", "--task", TASK, "--root", root, "--allow-escalation"];
    expect((await run(argv, { env, signal: interrupt.signal })).code).toBe(130);
    expect(evidenceRows(root)).toMatchObject([
      { verdict: "error", attempts: [{ verdict: "fail" }, { verdict: "error" }] },
    ]);
  });

  test.each([[], ["--quiet"], ["--json"]])(
    "shows what has passed where an interrupt came in the escalation: %j",
    async (...flags) => {
      const root = rootWith();
      const interrupt = new AbortController();
      await using local = gateway(() => completion(DOUBTED));
      await using larger = gateway(() => {
        interrupt.abort();
        return new Promise(() => {});
      });
      const env = {
        LH_GATEWAY_URL: local.url,
        LH_ESCALATION_URL: larger.url,
        LH_REPLAY_ESCALATION_MODEL: "big",
      };
      const argv = ["replay", "--task", TASK, "--root", root, "--allow-escalation", ...flags];
      const { code, stdout, stderr } = await run(argv, { env, signal: interrupt.signal });
      expect(code).toBe(130);
      expect(stdout.includes(GOOD_ANSWER)).toBe(flags.includes("--json"));
      expect(stderr).toContain(
        `[replay] answer of qwen3.5:latest, passed with doubts, not taken:\n| ${DOUBTED}\n[replay]   doubtful (soft): `,
      );
      expect(evidenceRows(root)).toMatchObject([{ verdict: "error", model_response: "" }]);
    },
  );

  test("shows the whole of a long answer that an interrupt came behind", async () => {
    const long = `${DOUBTED}\n${"Then see once more whether it has fallen.\n".repeat(2)}${" ".repeat(5000)}End.`;
    const interrupt = new AbortController();
    await using server = gateway(() => completion(long));
    await using larger = gateway(() => (interrupt.abort(), new Promise(() => {})));
    const env = { LH_GATEWAY_URL: server.url, LH_ESCALATION_URL: larger.url };
    const argv = ["replay", "--task", TASK, "--root", rootWith(), "--allow-escalation"];
    expect((await run(argv, { env, signal: interrupt.signal })).stderr).toContain(
      `${" ".repeat(5000)}End.\n`,
    );
  });

  test("records an interrupt in mid-call and ends with 130", async () => {
    const root = rootWith();
    const interrupt = new AbortController();
    await using server = gateway(() => {
      interrupt.abort();
      return new Promise(() => {});
    });
    const env = { LH_GATEWAY_URL: server.url };
    const argv = ["replay", "--task", TASK, "--root", root, "--allow-escalation"];
    expect((await run(argv, { env, signal: interrupt.signal })).code).toBe(130);
    expect(evidenceRows(root)).toMatchObject([{ verdict: "error", escalation_path: ["qwen3.5:latest"] }]);
    expect(evidenceRows(root)[0]!.validation_result.reasons[0]).toContain("interrupted");
  });

  test("counts no answer that an interrupt came behind, and keeps it with its attempt", async () => {
    const root = rootWith();
    const interrupt = new AbortController();
    await using server = gateway(() => completion(GOOD_ANSWER));
    const onEvent = ({ kind }: ReplayEvent): void => void (kind === "judged" && interrupt.abort());
    const deps = { ...realDeps(), signal: interrupt.signal, onEvent };
    const { row, answer, interrupted, untaken } = await replay(TASK, optionsFor(root, server.url), deps);
    expect({ answer, interrupted }).toEqual({ answer: null, interrupted: true });
    expect(untaken?.reply.answer).toBe(GOOD_ANSWER);
    expect(row).toMatchObject({
      verdict: "error",
      validation_result: { passed: false },
      model_used: null,
      model_response: "",
      gate: null,
      attempts: [{ verdict: "pass", response: GOOD_ANSWER, gate: { verdict: "pass" } }],
    });
    expect(row.validation_result.reasons[0]).toBe("interrupted");
  });
});

const optionsFor = (root: string, baseUrl: string): ReplayOptions => ({
  root,
  corpusPath: join(root, "exports/rag/playbooks.jsonl"),
  noRetrieval: false,
  ranker: "weighted",
  topK: 8,
  minCoverage: 0,
  dryRun: false,
  localOnly: false,
  local: { role: "local", model: "qwen3.5:latest", baseUrl, key: null },
  escalation: null,
  policy: "standard",
  doubtThreshold: DOUBTFUL,
  sampling: { maxTokens: 1500, temperature: 0.1, seed: null },
  timeoutMs: 10_000,
  maxRetries: 0,
});

describe("retrieve", () => {
  test("prints a readable table", async () => {
    const { code, stdout } = await run(["retrieve", "--task", TASK, "--root", rootWith()]);
    expect(code).toBe(0);
    expect(stdout).toMatchSnapshot();
  });

  test("prints one JSON line a task, in order, leaving out what a task excludes", async () => {
    const root = rootWith([DISK, { ...DISK, id: "copy", source_run_id: "run:copy" }, CLOCK]);
    const tasks = [
      { task: TASK },
      { task_id: "t2", task: TASK, exclude_ids: [DISK.id] },
      { task_id: "t3", task: TASK, exclude_ids: [DISK.id], exclude_source_run_ids: ["run:copy"] },
    ];
    writeFile(join(root, "tasks.jsonl"), jsonl(tasks));
    const { code, stdout } = await run(["retrieve", "--tasks", "tasks.jsonl", "--json", "--root", root], {
      cwd: root,
    });
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.map((row) => row.task_id)).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), "t2", "t3"]);
    expect(rows.map((row) => row.hits.map((hit: { rag_id: string }) => hit.rag_id))).toEqual([
      [DISK.id, "copy"],
      ["copy"],
      [],
    ]);
    expect(Object.keys(rows[0].hits[0])).toEqual([
      "rag_id",
      "score",
      "title",
      "content_preview",
      "success_score",
    ]);
  });

  test("names bad task lines, does the others, and exits with 3", async () => {
    const root = rootWith();
    const path = writeFile(
      join(root, "tasks.jsonl"),
      `${jsonl([{ task: TASK }])}{"task":7}\n[]\n${jsonl([{ task: TASK, exclude_ids: "x" }])}`,
    );
    const { code, stdout, stderr } = await run(["retrieve", "--tasks", path, "--json", "--root", root]);
    expect(code).toBe(3);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toBe(
      [
        `distill: ${path}:2: "task" must be a non-empty string (got 7). Fix the row or drop it.`,
        `distill: ${path}:3: expected a JSON object (got []). Fix the row or drop it.`,
        `distill: ${path}:4: "exclude_ids" must be an array of strings (got "x"). Fix the row or drop it.`,
        "",
      ].join("\n"),
    );
  });

  test("exits with 0 and says so without hits", async () => {
    const { code, stdout } = await run(["retrieve", "--task", "xylophone quartet", "--root", rootWith()]);
    expect(code).toBe(0);
    expect(stdout).toContain("no playbook shares a word with this task");
  });
});

describe("gate", () => {
  const rowsFile = (rows: unknown[]): string => writeFile(join(temporaryFolder(), "rows.jsonl"), jsonl(rows));

  test("judges rows in their order", async () => {
    const rows = [
      { id: "good", task: TASK, evidence: DISK.content, response: GOOD_ANSWER },
      { id: "bad", task: TASK, evidence: [CLOCK.content, DISK.content], response: INVENTED_ANSWER },
      { id: "bare", task: TASK, evidence: [], response: INVENTED_ANSWER },
    ];
    const { code, stdout } = await run(["gate", "--rows", rowsFile(rows), "--json"]);
    expect(code).toBe(0);
    const judged = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(judged).toMatchObject([
      { id: "good", verdict: "pass", grounding: "grounded" },
      { id: "bad", verdict: "fail", grounding: "ungrounded" },
      { id: "bare", verdict: "pass", grounding: "nothing_to_check" },
    ]);
    expect(Object.keys(judged[1])).toEqual(
      "id verdict grounding score doubtful checks claims version policy threshold".split(" "),
    );
    expect(judged.map(({ doubtful }) => doubtful)).toEqual([false, true, false]);
    expect(judged[1].claims).toContainEqual(
      expect.objectContaining({ kind: "flag", text: "--purge-now", supported_by: null }),
    );
  });

  test("fails an empty answer in a row as a replay does", async () => {
    const rows = ["", " \n"].map((response, id) => ({ id, task: TASK, evidence: DISK.content, response }));
    const { code, stdout } = await run(["gate", "--rows", rowsFile(rows)]);
    expect(code).toBe(0);
    for (const line of stdout.trimEnd().split("\n")) {
      const { verdict, checks } = JSON.parse(line);
      expect(verdict).toBe("fail");
      expect(checks.filter(({ passed }: { passed: boolean }) => !passed)).toEqual([
        { name: "empty", severity: "fail", passed: false, reason: "the answer is empty" },
      ]);
      expect(checks.map(({ name }: { name: string }) => name)).not.toContain("too_short");
    }
  });

  test.each([
    [
      { task: "t", evidence: "e", response: "r" },
      '"id" must be a string or a number (got nothing). Fix the row or drop it.',
    ],
    [{ id: "a", evidence: "e", response: "r" }, '"task" must be a string (got nothing).'],
    [
      { id: "a", task: "t", response: "r" },
      '"evidence" must be a string or an array of strings (got nothing).',
    ],
    [{ id: "a", task: "t", evidence: [1], response: "r" }, '"evidence" must be'],
    [{ id: "a", task: "t", evidence: "e", response: null }, '"response" must be a string (got null).'],
  ])("names the bad row %j and exits with 3", async (row, expected) => {
    const { code, stdout, stderr } = await run(["gate", "--rows", rowsFile([row])]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
    expect(stderr).toContain(`rows.jsonl:1: ${expected}`);
  });

  test("takes an empty answer for bad input, not for a pass", async () => {
    const evidence = writeFile(join(temporaryFolder(), "runbook.md"), DISK.content);
    const result = await spawn([DISTILL, "gate", "--task", TASK, "--evidence", evidence]);
    expect(result).toEqual({
      code: 3,
      stdout: "",
      stderr: "distill: standard input: the answer is empty.\n",
    });
  });

  test.each([
    ["", "one file"],
    [" \n\ufeff\n", "another beside a good one"],
  ])("takes the evidence %j for bad input, not for nothing to check: %s", async (text, which) => {
    const folder = temporaryFolder();
    writeFile(join(folder, "runbook.md"), DISK.content);
    writeFile(join(folder, "blank.md"), text);
    const good = which === "one file" ? [] : ["--evidence", "runbook.md"];
    const argv = [DISTILL, "gate", "--task", TASK, ...good, "--evidence", "blank.md"];
    expect(await spawn(argv, { cwd: folder, stdin: INVENTED_ANSWER })).toEqual({
      code: 3,
      stdout: "",
      stderr: "distill: blank.md: the evidence is empty. Name a file with text in it.\n",
    });
  });

  test.each([
    [GOOD_ANSWER, 0, "pass (grounded: "],
    [INVENTED_ANSWER, 1, "fail (ungrounded, destroys what its evidence does not: "],
  ])("judges one answer from standard input", async (answer, code, expected) => {
    const evidence = writeFile(join(temporaryFolder(), "runbook.md"), DISK.content);
    const argv = [DISTILL, "gate", "--task", TASK, "--evidence", evidence];
    const result = await spawn(argv, { stdin: answer });
    expect(result.code).toBe(code);
    expect(result.stdout).toStartWith(expected);
    expect(result.stdout).toContain(code === 0 ? `<- ${evidence}` : "<- NOT FOUND");
  });

  test("shows the answer with what stands nowhere marked, and where the rest stands", async () => {
    const evidence = writeFile(join(temporaryFolder(), "runbook.md"), DISK.content);
    const argv = [DISTILL, "gate", "--task", TASK, "--evidence", evidence];
    const { stdout } = await spawn(argv, { stdin: `${INVENTED_ANSWER}\n` });
    expect(stdout.replaceAll(evidence, "runbook.md")).toMatchSnapshot();
    const json = JSON.parse((await spawn([...argv, "--json"], { stdin: INVENTED_ANSWER })).stdout);
    for (const { text, offset } of json.claims) expect(INVENTED_ANSWER.slice(offset)).toStartWith(text);
  });

  test("shows what a figure is worked out from", async () => {
    const evidence = writeFile(
      join(temporaryFolder(), "policy.md"),
      "First post 15 minutes after the alert.",
    );
    const argv = [DISTILL, "gate", "--task", "alert at 08:52, when is the post due?", "--evidence", evidence];
    const { code, stdout } = await spawn(argv, { stdin: "It is due 15 minutes after 08:52, at 09:07.\n" });
    expect(code).toBe(0);
    expect(stdout).toContain("2 of 3 facts found in the task or its evidence, 1 worked out from them");
    expect(stdout).toContain("09:07  <- 08:52 + 15 minutes\n");
  });

  test("judges by the policy and the threshold it is given", async () => {
    const file = rowsFile([{ id: "a", task: TASK, evidence: DISK.content, response: INVENTED_ANSWER }]);
    const judge = async (...flags: string[]) =>
      JSON.parse((await run(["gate", "--rows", file, ...flags])).stdout);
    const short = rowsFile([{ id: "b", task: TASK, evidence: DISK.content, response: "Run `lsof +L1`." }]);
    expect(JSON.parse((await run(["gate", "--rows", short])).stdout).verdict).toBe("pass");
    expect(JSON.parse((await run(["gate", "--rows", short, "--gate", "structural"])).stdout).verdict).toBe(
      "fail",
    );
    expect(await judge("--gate", "structural")).toMatchObject({ verdict: "pass", policy: "structural" });
    expect(await judge("--gate", "strict")).toMatchObject({ verdict: "fail", policy: "strict" });
    expect(await judge("--threshold", "1")).toMatchObject({ doubtful: false, threshold: 1 });
  });

  test.each([
    ["alone", "They take reservations and have outdoor seating.", "fail (contradicts its evidence; "],
    [
      "beside facts that are found",
      "They take reservations and have outdoor seating; the phone is 805-555-0134.",
      "fail (contradicts its evidence: 3 of 3 facts found in the task or its evidence; ",
    ],
    [
      "beside facts that are not",
      "They take reservations and have outdoor seating; see https://grill.test/menu-7 for it.",
      "fail (ungrounded, contradicts its evidence: 0 of 1 fact found in the task or its evidence; ",
    ],
  ])("names a contradiction in the first line: %s", async (_, answer, head) => {
    const record = { name: "Grill", Reservations: false, OutdoorSeating: false, phone: "805-555-0134" };
    const evidence = writeFile(join(temporaryFolder(), "ev.json"), JSON.stringify(record));
    const argv = [DISTILL, "gate", "--task", "describe the place", "--evidence", evidence];
    const { code, stdout } = await spawn(argv, { stdin: answer });
    expect(stdout).toStartWith(head);
    expect(code).toBe(1);
    expect(JSON.parse((await spawn([...argv, "--json"], { stdin: answer })).stdout).grounding).toBe(
      "ungrounded",
    );
  });

  test("names in the first line what is destroyed without evidence, though each word stands there", async () => {
    const runbook = "Claims are pvc.\n\n```sh\nkubectl -n <ns> delete pod <pod>\n```\n";
    const evidence = writeFile(join(temporaryFolder(), "runbook.md"), runbook);
    const argv = [DISTILL, "gate", "--task", "web-0 in shop hangs", "--evidence", evidence];
    const { code, stdout } = await spawn(argv, { stdin: "Run `kubectl -n shop delete pvc web-0` on it." });
    expect(code).toBe(1);
    expect(stdout).toStartWith("fail (destroys what its evidence does not: 6 of 6 facts found");
  });

  test("reads a corpus only where one is named", async () => {
    const general = `${GOOD_ANSWER} Then step it with \`chronyc makestep\`.`;
    const file = rowsFile([{ id: "a", task: TASK, evidence: DISK.content, response: general }]);
    const corpus = writeFile(join(temporaryFolder(), "corpus.jsonl"), jsonl([CLOCK]));
    const judge = async (...flags: string[]) =>
      JSON.parse((await run(["gate", "--rows", file, ...flags])).stdout);
    expect((await judge()).verdict).toBe("fail");
    const excused = await judge("--corpus", corpus);
    expect(excused.verdict).toBe("pass");
    expect(excused.claims).toContainEqual(
      expect.objectContaining({ text: "chronyc", support: "elsewhere", supported_by: CLOCK.id }),
    );
    expect((await judge("--corpus", corpus, "--gate", "strict")).verdict).toBe("fail");
  });

  describe("--calibrate", () => {
    const labelled = [
      { id: 1, task: TASK, evidence: DISK.content, response: GOOD_ANSWER, label: "supported" },
      { id: 2, task: TASK, evidence: DISK.content, response: INVENTED_ANSWER, label: "hallucinated" },
      { gate: { score: 0.62, verdict: "pass" }, label: "good" },
      { score: 0.3, verdict: "pass", label: "bad" },
    ];

    test("prints a line for each threshold", async () => {
      const { code, stdout } = await run(["gate", "--rows", rowsFile(labelled), "--calibrate"]);
      expect(code).toBe(0);
      expect(stdout).toMatchSnapshot();
    });

    test("prints them as JSON and marks the one in use", async () => {
      const argv = ["gate", "--rows", rowsFile(labelled), "--calibrate", "--json", "--threshold", "0.7"];
      const lines = (await run(argv)).stdout.trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line)).filter((line) => line.is_default)).toEqual([
        {
          threshold: 0.7,
          is_default: true,
          false_accept: { count: 1, of: 2, low: expect.any(Number), high: expect.any(Number) },
          false_reject: { count: 0, of: 2, low: 0, high: expect.any(Number) },
        },
      ]);
    });

    test("prints the threshold in use with the digits that it was given", async () => {
      const argv = ["gate", "--rows", rowsFile(labelled), "--calibrate", "--threshold"];
      const { stdout } = await run([...argv, "0.415"]);
      expect(stdout).toContain("\n  0.40    50.0 %");
      expect(stdout).toContain("\n* 0.415   50.0 %");
      expect((await run([...argv, "0.4"])).stdout).toContain("\n* 0.40    50.0 %");
    });

    test("says of a run without an answer that there is nothing to judge, and takes the others", async () => {
      const root = rootWith();
      for (const reply of [() => new Response("no", { status: 400 }), () => completion(GOOD_ANSWER)]) {
        await using server = gateway(reply);
        await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
      }
      const rows = evidenceRows(root).map((row) => ({ ...row, label: "good" }));
      expect(rows.map(({ verdict }) => verdict)).toEqual(["error", "pass"]);
      const { code, stdout, stderr } = await run(["gate", "--rows", rowsFile(rows), "--calibrate"]);
      expect(code).toBe(3);
      expect(stderr).toEndWith(
        "rows.jsonl:1: no model answered, so there is nothing to judge. Drop the row.\n",
      );
      expect(stdout).toStartWith("1 good and 0 bad answers.");
    });

    test.each([[], ["--json"]])("prints no table where no row has a label: %j", async (...flags) => {
      const rows = rowsFile([{ id: 1, task: TASK, evidence: DISK.content, response: GOOD_ANSWER }]);
      const { code, stdout, stderr } = await run(["gate", "--rows", rows, "--calibrate", ...flags]);
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toContain('rows.jsonl:1: "label" must be ');
      expect(stderr).toEndWith("rows.jsonl: no row to compare thresholds by. Correct those named above.\n");
    });

    test("counts an empty answer as rejected", async () => {
      const empty = [{ task: TASK, evidence: DISK.content, response: "", label: "bad" }];
      const argv = ["gate", "--rows", rowsFile(empty), "--calibrate", "--json", "--threshold", "1"];
      const lines = (await run(argv)).stdout.trimEnd().split("\n");
      expect(JSON.parse(lines.at(-1)!).false_accept).toMatchObject({ count: 0, of: 1 });
    });

    test.each([
      [{ id: "a", task: "t", evidence: "e", response: "r" }, '"label" must be supported, accept'],
      [{ id: "a", task: "t", label: "good" }, '"response" must be a string'],
      [{ label: "perhaps", score: 0.1, verdict: "pass" }, '(got "perhaps")'],
    ])("names the bad row %j and exits with 3", async (row, expected) => {
      const { code, stderr } = await run(["gate", "--rows", rowsFile([row]), "--calibrate"]);
      expect(code).toBe(3);
      expect(stderr).toContain(expected);
    });
  });
});

describe("scripts/distill", () => {
  const STRANGER = '{"compilerOptions":{"paths":{"*":["./stranger.ts"]}}}';
  test.each([
    [".env", "LH_DISTILL_ROOT=/nope", "."],
    ["bunfig.toml", 'preload = ["./stranger.ts"]', "."],
    ["tsconfig.json", STRANGER, "."],
    ["tsconfig.json", STRANGER, "project/deep"],
    ["jsconfig.json", STRANGER, "project"],
    ["tsconfig.json", "{", "."],
  ])("reads no %s %s of the folder it is called in, nor of those above it", async (name, text, below) => {
    const folder = temporaryFolder();
    writeFile(join(folder, name), `${text}\n`);
    writeFile(join(folder, "stranger.ts"), 'console.log("stranger");\n');
    const cwd = join(folder, below);
    mkdirSync(cwd, { recursive: true });
    const result = await spawn([DISTILL, "retrieve", "--task", "disk full", "--top-k", "1"], { cwd });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toStartWith("disk full");
  });

  test("runs from another folder through a symbolic link", async () => {
    const folder = temporaryFolder();
    symlinkSync(DISTILL, join(folder, "first"));
    symlinkSync("first", join(folder, "second"));
    const { code, stdout } = await spawn(["./second", "--version"], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toStartWith("distill ");
  });

  test("says in one line that the working directory is gone", async () => {
    const folder = temporaryFolder();
    const script = 'cd "$1" && rmdir "$1" && shift && exec "$@" 2>&1';
    const { code, stdout } = await spawn(["sh", "-c", script, "sh", folder, DISTILL, "corpus"]);
    expect(code).toBe(3);
    // The shell that finds Bun has its say first.
    expect(stdout).toEndWith("distill: the working directory is gone. Change to another.\n");
    expect(stdout.match(/^distill: /gm)).toHaveLength(1);
  });

  test("says in one line that Bun is too old, with what such a one has", async () => {
    const path = join(REPOSITORY, "scripts/distillation/distill.ts");
    const old = "Bun.semver.satisfies = () => false; delete process.getBuiltinModule;";
    const script = `${old} const { main } = await import("${path}"); process.exitCode = await main(["corpus"]);`;
    expect(await spawn([process.execPath, "-e", script])).toEqual({
      code: 2,
      stdout: "",
      stderr: `distill: this Bun is ${Bun.version}, and distill needs >=1.4.5. Run: bun upgrade\n`,
    });
  });

  test("says in one line how to get Bun where there is none", async () => {
    const { code, stdout, stderr } = await spawn([DISTILL, "--version"], {
      env: { PATH: pathWithout("bun", "npx") },
    });
    expect({ code, stdout }).toEqual({ code: 127, stdout: "" });
    expect(stderr).toMatch(/^distill: needs Bun [\d.]+: .*\n$/);
  });

  const npx = async (script: string): Promise<string> => {
    const path = pathWithout("bun", "npx");
    writeFile(join(path, "npx"), `#!/bin/sh\n${script}\n`);
    await spawn(["chmod", "+x", join(path, "npx")]);
    return path;
  };

  test("runs the pinned Bun that npx fetches where there is none", async () => {
    const path = await npx(
      `test "$1 $2" = "--yes bun@1.4.5" || exit 1; shift 2; exec "${process.execPath}" "$@"`,
    );
    const { code, stdout } = await spawn([DISTILL, "--version"], { env: { PATH: path } });
    expect(code).toBe(0);
    expect(stdout).toStartWith("distill ");
  });

  /** Looks into the folder it is called in, as npx does. */
  const LOCAL_FIRST = `shift 2; bun="${process.execPath}"; [ -x node_modules/.bin/bun ] && bun=./node_modules/.bin/bun; exec "$bun" "$@"`;

  test("lets npx run no Bun of a stranger's folder, and Bun work there", async () => {
    const folder = temporaryFolder();
    const stranger = writeFile(join(folder, "node_modules/.bin/bun"), "#!/bin/sh\necho stranger >&2\n");
    await spawn(["chmod", "+x", stranger]);
    writeFile(join(folder, "task.txt"), "disk full");
    const { code, stdout, stderr } = await spawn([DISTILL, "retrieve", "--task-file", "task.txt"], {
      env: { PATH: await npx(LOCAL_FIRST) },
      cwd: folder,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toStartWith("disk full");
  });

  test.each([
    ["says nothing", 'pwd >> "$HOME/asked"'],
    ["fails", 'pwd >> "$HOME/asked"; echo "npm error network" >&2; exit 1'],
    ["names no path", 'pwd >> "$HOME/asked"; echo bun'],
  ])("ends with 127 where npx %s, and asks it nothing else", async (_, script) => {
    const [home, folder] = [temporaryFolder(), temporaryFolder()];
    const { code, stdout, stderr } = await spawn([DISTILL, "--version"], {
      env: { PATH: await npx(script), HOME: home },
      cwd: folder,
    });
    expect({ code, stdout }).toEqual({ code: 127, stdout: "" });
    expect(stderr).toMatch(/^(?:npm .*\n)?distill: needs Bun [\d.]+, and npx did not say where it is: .*\n$/);
    expect(readFileSync(join(home, "asked"), "utf8")).toBe(`${join(REPOSITORY, "scripts")}\n`);
  });

  describe("keeps bytecode of its code", () => {
    /** A copy of its own, with the answer of its first run. */
    async function installed(): Promise<{ folder: string; version: () => ReturnType<typeof spawn> }> {
      const folder = temporaryFolder();
      for (const name of ["scripts", "package.json", "tsconfig.json"])
        cpSync(join(REPOSITORY, name), join(folder, name), { recursive: true });
      return { folder, version: () => spawn([join(folder, "scripts/distill"), "--version"]) };
    }

    const keptIn = (folder: string): string[] => {
      const kept = join(folder, "node_modules/.cache/distill");
      const paths = readdirSync(kept, { recursive: true, withFileTypes: true });
      return paths.filter((path) => path.isFile()).map((path) => join(path.parentPath, path.name));
    };

    test("beside it, and answers the same with it or with what is left of it", async () => {
      const { folder, version } = await installed();
      const first = await version();
      expect(first).toMatchObject({ code: 0, stderr: "" });
      const kept = keptIn(folder);
      const bytes = kept.map((path) => readFileSync(path));
      expect(kept.length).toBeGreaterThan(2);
      expect(await version()).toEqual(first);
      for (const path of kept) writeFile(path, "torn");
      expect(await version()).toEqual(first);
      expect(kept.map((path) => readFileSync(path))).toEqual(bytes);
    });

    test("and runs changed code, not what it has kept", async () => {
      const { folder, version } = await installed();
      await version();
      const help = join(folder, "scripts/distillation/commands/help.ts");
      writeFile(help, readFileSync(help, "utf8").replace("distill ${version}", "changed ${version}"));
      expect((await version()).stdout).toStartWith("changed ");
    });

    test("and does without where there is no place for it", async () => {
      const { folder, version } = await installed();
      writeFile(join(folder, "node_modules"), "");
      expect(await version()).toMatchObject({ code: 0, stderr: "" });
    });
  });

  test("ends quietly when its reader goes away", async () => {
    const tasks = writeFile(
      join(temporaryFolder(), "tasks.jsonl"),
      jsonl(Array.from({ length: 2000 }, () => ({ task: TASK }))),
    );
    const command = `"${DISTILL}" retrieve --tasks "${tasks}" --json --root "${rootWith()}" | head -1 | wc -l`;
    const { stdout, stderr } = await spawn(["sh", "-c", command]);
    expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: "1", stderr: "" });
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends with 130, a row and no stack on %s in mid-call",
    async (signal) => {
      const root = rootWith();
      const asked = Promise.withResolvers<void>();
      await using server = gateway(() => {
        asked.resolve();
        return new Promise(() => {});
      });
      const child = Bun.spawn([DISTILL, "replay", "--task", TASK, "--root", root], {
        env: { PATH: process.env.PATH ?? "", HOME: root, LH_GATEWAY_URL: server.url },
        stdout: "pipe",
        stderr: "pipe",
      });
      await asked.promise;
      // As `timeout` does, which tells the process and then its group.
      child.kill(signal);
      await Bun.sleep(1);
      child.kill(signal);
      expect(await child.exited).toBe(130);
      expect(await child.stdout.text()).toBe("");
      expect(await child.stderr.text()).toContain("interrupted. Run it again.");
      expect(evidenceRows(root)).toMatchObject([{ verdict: "error" }]);
    },
  );

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends by %s where nothing is recorded, as the README says: %d", async (signal, code) => {
    const child = Bun.spawn([DISTILL, "gate", "--rows", "-"], {
      env: { PATH: process.env.PATH ?? "", HOME: temporaryFolder() },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const row = { id: "a", task: TASK, evidence: DISK.content, response: GOOD_ANSWER };
    child.stdin.write(jsonl([row]));
    await child.stdin.flush();
    // Once it has judged a row it waits for more.
    await child.stdout.getReader().read();
    child.kill(signal);
    expect(await child.exited).toBe(code);
    expect(await child.stderr.text()).toBe("");
    const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");
    expect(readme).toContain("a signal ends them as usual: 130, 143 or 129 in a shell.");
  });
});

/** A folder with everything that the launcher needs but these. */
function pathWithout(...names: string[]): string {
  const folder = temporaryFolder();
  for (const tool of ["sh", "readlink", "dirname", "cat"].filter((entry) => !names.includes(entry))) {
    symlinkSync(Bun.which(tool)!, join(folder, tool));
  }
  return folder;
}

describe("completion", () => {
  const complete = async (words: string[]): Promise<string[]> => {
    const script = `source <("${process.execPath}" "${join(REPOSITORY, "scripts/distillation/distill.ts")}" completion bash)
      COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _distill; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await spawn(["bash", "-c", script]);
    return stdout.trimEnd().split("\n");
  };

  test("completes commands, flags and values in bash", async () => {
    expect(await complete(["distill", "re"])).toEqual(["replay", "retrieve"]);
    expect(await complete(["distill", "replay", "--loc"])).toEqual(["--local-only"]);
    expect(await complete(["distill", "replay", "-"])).toContain("-q");
    expect(await complete(["distill", "-V"])).toEqual(["-V"]);
    expect(await complete(["distill", "retrieve", "--ranker", "j"])).toEqual(["jaccard"]);
    expect(await complete(["distill", "completion", "f"])).toEqual(["fish"]);
    expect(await complete(["distill", "corpus", "ch"])).toEqual(["check"]);
    expect(await complete(["distill", "import", "--sp"])).toEqual(["--split"]);
    expect(await complete(["distill", "import", ""])).toEqual([""]);
    expect(await complete(["distill", "replay", "--top-k", ""])).toEqual([""]);
  });

  test("offers files to import in zsh, where they have to be asked for", async () => {
    const { stdout } = await run(["completion", "zsh"]);
    expect(stdout).toMatch(/^ +import\) _arguments '\*:file:_files' /m);
  });

  test("offers files and folders in zsh where a value is one", async () => {
    const { stdout } = await run(["completion", "zsh"]);
    expect(stdout).toMatch(/'--report\[[^']*\]:FILE\.md:_files'/);
    expect(stdout).toMatch(/'--notes\[[^']*\]:FILE\.md:_files'/);
    expect(stdout).toMatch(/'--corpus\[[^']*\]:FILE:_files'/);
    expect(stdout).toMatch(/'--root\[[^']*\]:DIR:_files -\/'/);
  });

  const both = (flag: string, short: string): Record<string, string> => ({
    bash: `--${flag} -${short}`,
    zsh: `'(-${short} --${flag})'{-${short},--${flag}}'[`,
    fish: `-l ${flag} -s ${short}`,
  });

  test.each(["bash", "zsh", "fish"])("names every command and flag for %s", async (shell) => {
    const { code, stdout } = await run(["completion", shell]);
    expect(code).toBe(0);
    for (const [name, { options }] of Object.entries(COMMANDS)) {
      expect(stdout).toContain(name);
      for (const [flag, { short }] of Object.entries(options)) {
        expect(stdout).toContain(shell === "fish" ? `-l ${flag}` : `--${flag}`);
        if (short) expect(stdout).toContain(both(flag, short)[shell]!);
      }
    }
  });
});

test("completion names for fish what stands behind a command", async () => {
  const { stdout } = await run(["completion", "fish"]);
  expect(stdout).toContain("'__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n");
  expect(stdout).toContain("'__fish_seen_subcommand_from corpus' -a 'check'\n");
  expect(stdout).not.toContain("-a ''");
});

describe("a corpus without a playbook", () => {
  const MISSING = "Add playbooks, for example with import";
  test.each([
    [["replay", "--dry-run", "--task", TASK], `${MISSING}, or ask for the baseline with --no-retrieval.`],
    [["retrieve", "--task", TASK], `${MISSING}.`],
    [["ab", "--dry-run", "--tasks", "tasks.jsonl"], `${MISSING}.`],
    [["gate", "--rows", "rows.jsonl"], `${MISSING}.`],
    [["corpus"], `${MISSING}.`],
    [["corpus", "check"], `${MISSING}.`],
  ])("gets advice that %j can follow", async ([command, ...flags], advice) => {
    const cwd = temporaryFolder();
    writeFile(join(cwd, "none.jsonl"), "");
    writeFile(join(cwd, "tasks.jsonl"), jsonl([{ task: TASK }]));
    writeFile(join(cwd, "rows.jsonl"), jsonl([{ id: 1, task: TASK, evidence: "e", response: "r" }]));
    const place = command === "gate" ? [] : ["--root", "."];
    const { code, stderr } = await run([command!, ...flags, "--corpus", "none.jsonl", ...place], { cwd });
    expect(code).toBe(3);
    expect(stderr).toEndWith(`distill: none.jsonl: the corpus is empty. ${advice}\n`);
    for (const flag of advice.match(/--[a-z-]+/g) ?? [])
      expect(COMMANDS[command!]!.options).toHaveProperty(flag.slice(2));
  });
});

describe("didYouMean", () => {
  const SHELLS = ["bash", "zsh", "fish"];
  test.each([
    ["bsh", SHELLS, "bash"],
    ["fihs", SHELLS, "fish"],
    ["BASH", SHELLS, "bash"],
    ["gaet", ["gate", "ab"], "gate"],
    ["retreival", ["none", "retrieval"], "retrieval"],
    ["-v", ["--version", "-V"], "-V"],
    ["--vresion", ["--version"], "--version"],
    ["--tsak", ["--tasks", "--task"], "--task"],
  ])("names for %j among %j the one that was meant", (text, names, meant) => {
    expect(didYouMean(text, names)).toBe(` Did you mean ${meant}?`);
  });

  test.each([
    ["h4", ["h2", "h3"]],
    ["tcsh", SHELLS],
    ["ksh", SHELLS],
    ["xx", ["ab", "gate"]],
    ["ba", ["ab", "gate"]],
    ["", ["ab"]],
    ["--nope", ["--seed", "--root"]],
    ["anything", []],
  ])("names nothing for %j among %j", (text, names) => {
    expect(didYouMean(text, names)).toBe("");
  });
});

describe("sized", () => {
  test.each([
    [1, "1 kB"],
    [1000, "1 kB"],
    [1001, "2 kB"],
    [999_999, "1000 kB"],
    [1_000_000, "1.0 MB"],
    [12_340_000, "12.3 MB"],
  ])("of %d bytes is %s", (bytes, said) => {
    expect(sized(bytes)).toBe(said);
  });
});

describe("printable", () => {
  test.each([
    ["a\x1b[31mb", "a\\x1b[31mb"],
    ["a\nb", "a\\nb"],
    ["a\tb\x9b", "a\\x09b\\x9b"],
    ["\u202ex", "\\u202ex"],
    ["a\u061cb\u200bc\ufeff", "a\\u061cb\\u200bc\\ufeff"],
    ["a\u{e0041}b", "a\\u{e0041}b"],
    ["ü 漢 🎉", "ü 漢 🎉"],
  ])("shows %j", (text, expected) => {
    expect(printable(text)).toBe(expected);
  });
});

describe("README", () => {
  const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");

  test("names every command and every flag", () => {
    for (const [name, { options }] of Object.entries(COMMANDS)) {
      expect(readme).toContain(`\`${name}\``);
      for (const flag of Object.keys(options)) expect(readme).toContain(`\`--${flag}`);
    }
  });

  test("lists the gate's checks with their severities", () => {
    const [, table] = /## How the gate decides([\s\S]*?)\n\n`--gate`/.exec(readme)!;
    const listed = [...table!.matchAll(/^\| `(\w+)` +\| (\w+) /gm)].map(([, name, severity]) => [
      name,
      severity,
    ]);
    expect(listed).toEqual(CHECKS.map(({ name, severity }) => [name, severity]));
  });

  test("states the thresholds that stand in the code", () => {
    expect(readme).toContain(`(default ${DOUBTFUL})`);
    expect(readme).toContain(`${100 * ECHO_SHARE} % of its words or more are copied`);
    expect(readme).toContain(`by its best ${BEST_EXEMPLAR_CHARS.toLocaleString("en")} characters`);
    expect(readme).toContain(`${QUOTED_SHARE} of the best exemplar`);
  });

  test("names no flag, variable or exit code that does not exist", () => {
    const listed = [...readme.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag);
    const known = Object.values(COMMANDS).flatMap(({ options }) =>
      Object.keys(options).map((flag) => `--${flag}`),
    );
    expect(listed.filter((flag) => !known.includes(flag!))).toEqual([]);
    const codes = [...readme.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT).toSorted((a, b) => a - b));
    const flags = new Set(
      Object.values(COMMANDS).flatMap(({ options }) => Object.keys(options).map((flag) => `--${flag}`)),
    );
    const commands = [...readme.matchAll(/distill (?:replay|retrieve|gate|import|corpus)[^\n`]*/g)].flatMap(
      ([line]) => line.match(/--[a-z][a-z-]*/g) ?? [],
    );
    expect(commands.filter((flag) => !flags.has(flag))).toEqual([]);
    const variables = new Set(readme.match(/\bLH_[A-Z_]+/g));
    expect([...variables].sort()).toEqual([...new Set(overview(COMMANDS).match(/\bLH_[A-Z_]+/g))].sort());
  });

  test("shows what its import commands really print", async () => {
    const section = readme.slice(readme.indexOf("## Bring your own runbooks"));
    const [, path, page] = /`(docs\/\S+\.md)` reads\n\n`{4}md\n([\s\S]*?)`{4}/.exec(section)!;
    const [, session] = /```console\n([\s\S]*?)```/.exec(section)!;
    const cwd = temporaryFolder();
    writeFile(join(cwd, path!), page!);
    for (const step of session!.split(/^\$ /m).filter(Boolean)) {
      const [, command, output] = /^\.\/scripts\/distill (.*)\n([\s\S]*)$/.exec(step)!;
      const { stdout } = await spawn(["sh", "-c", `"${DISTILL}" ${command} 2>&1`], { cwd });
      const [head, ...rest] = output!.split(/^…$/m);
      if (rest.length > 0) expect(stdout).toStartWith(head!);
      else expect(stdout).toBe(head!);
    }
  });

  test("names every kind of finding that there is", () => {
    const kinds = [...readme.matchAll(/^\| `([a-z_]+)` +\| (error|warning)/gm)].map(([, kind, severity]) => [
      kind,
      severity,
    ]);
    expect(kinds.toSorted()).toEqual(Object.entries(FINDINGS).toSorted());
  });

  test("shows what its first command really prints", async () => {
    const [, command, output] = /```console\n\$ \.\/scripts\/distill (.*)\n([\s\S]*?)```/.exec(readme)!;
    const root = temporaryFolder();
    const argv = [
      "sh",
      "-c",
      `"${DISTILL}" ${command} --root "${root}" --corpus exports/rag/playbooks.jsonl 2>&1`,
    ];
    const { stdout } = await spawn(argv);
    const stable = (text: string): string =>
      text
        .replace(/run_id=\S+/, "run_id=…")
        .replaceAll(/in \d+\.\d s/g, "in … s")
        .replaceAll(/^\[…\]\n/gm, "")
        .trim();
    for (const part of stable(output!).split(/^…$/m)) expect(stable(stdout)).toContain(part.trim());
  });
});
