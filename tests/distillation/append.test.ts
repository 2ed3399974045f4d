import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

import {
  appendLines,
  EVIDENCE_LOG,
  runIdPrefix,
  sha256,
  writeWhole,
} from "../../scripts/distillation/replay.ts";
import { findSecrets, Secrets, withoutSecrets } from "../../scripts/distillation/secrets.ts";
import {
  CLOCK,
  DISK,
  evidenceRows,
  gateway,
  GOOD_ANSWER,
  INVENTED_ANSWER,
  completion,
  rootWith,
  run,
  seeded,
  TASK,
  temporaryFolder,
  writeFile,
} from "./support.ts";

const dryRun = (root: string, ...flags: string[]) =>
  run(["replay", "--dry-run", "--task", TASK, "--root", root, ...flags]);

describe("the evidence row", () => {
  test("holds the whole run of a passed answer", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(GOOD_ANSWER));
    const now = (): Date => new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
    let ticks = 0;
    const uptimeMs = (): number => 10 * ticks++;
    const env = { LH_GATEWAY_URL: server.url, LH_REPLAY_LOCAL_MODEL: "small" };
    const { code, stdout } = await run(["replay", "--task", TASK, "--root", root, "--json"], {
      env,
      deps: { now, uptimeMs, uniqueId: () => "0001" },
    });
    const [row] = evidenceRows(root);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(row as never);
    const port = new URL(server.url).port;
    const stable = JSON.parse(stdout.replaceAll(`:${port}/`, ":PORT/"));
    expect(stable).toMatchSnapshot();
    expect(row!.task_hash).toBe(sha256(TASK));
  });

  test("measures time by a clock that nobody sets back", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(GOOD_ANSWER));
    let ticks = 0;
    const now = (): Date => new Date(Date.UTC(2026, 0, 2) - 60_000 * ticks++);
    const env = { LH_GATEWAY_URL: server.url };
    await run(["replay", "--task", TASK, "--root", root], { env, deps: { now } });
    const [row] = evidenceRows(root);
    const [call] = row!.attempts;
    for (const ms of [row!.duration_ms, call!.duration_ms, call!.requests[0]!.duration_ms])
      expect(Number.isInteger(ms) && ms >= 0).toBe(true);
  });

  test("keeps an answer over 4,000 characters whole in a file", async () => {
    const root = rootWith();
    const answer = `${GOOD_ANSWER} ${"More of the same process. ".repeat(200)}`;
    await using server = gateway(() => completion(answer));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    const [row] = evidenceRows(root);
    expect(row!.model_response).toBe(answer.slice(0, 4000));
    expect(row!.response_sha256).toBe(sha256(answer));
    const folder = join(root, "data/_kb/responses");
    expect(readdirSync(folder)).toEqual([`${sha256(answer)}.txt`]);
    expect(readFileSync(join(folder, `${sha256(answer)}.txt`), "utf8")).toBe(answer);
  });

  test("sends and stores no secret of the task", async () => {
    const root = rootWith();
    const task = `${TASK}, DB_PASSWORD=hunter2_prod9 and postgres://app:s3cr3t-of-app@db-3/app, header Authorization: Bearer abcDEF_ghij0123456`;
    await using server = gateway(() =>
      completion(`${GOOD_ANSWER} Log in with hunter2_prod9 or s3cr3t-of-app.`),
    );
    const { stdout, stderr } = await run(["replay", "--task", task, "--root", root], {
      env: { LH_GATEWAY_URL: server.url },
    });
    const [row] = evidenceRows(root);
    expect(row!.input_task).toBe(
      `${TASK}, DB_PASSWORD=[redacted:password] and postgres://app:[redacted:url_password]@db-3/app, header Authorization: Bearer [redacted:bearer]`,
    );
    expect(row!.task_hash).toBe(sha256(row!.input_task));
    expect(row!.recorded_run_id).toStartWith(`replay:${row!.task_hash.slice(0, 16)}:`);
    expect(row!.response_sha256).toBe(sha256(row!.model_response));
    expect(row!.redactions).toEqual({ bearer: 1, password: 1, url_password: 1 });
    const everything = JSON.stringify([row, server.received, stdout, stderr]);
    expect(everything).not.toMatch(/hunter2|s3cr3t|abcDEF_ghij/);
    expect(stderr).toContain(
      "secrets replaced before anything was sent or stored: 1 password, 1 url_password, 1 bearer",
    );
  });

  test("sends and stores no secret of a playbook", async () => {
    const root = rootWith([{ ...DISK, content: `${DISK.content}\nLog in with password: hunter2_prod9` }]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    const { code } = await run(["replay", "--task", TASK, "--root", root], {
      env: { LH_GATEWAY_URL: server.url },
    });
    expect(code).toBe(0);
    expect(JSON.stringify(server.received)).toContain("password: [redacted:password]");
    expect(JSON.stringify([server.received, evidenceRows(root)])).not.toContain("hunter2");
    expect(evidenceRows(root)[0]!.redactions).toEqual({ password: 1 });
  });

  test("counts no mark that a playbook or a task had before", async () => {
    const root = rootWith([
      { ...DISK, content: `${DISK.content}\nLog in with password: [redacted:password]` },
    ]);
    await using server = gateway(() => completion(`${GOOD_ANSWER} The key is [redacted:key].`));
    const task = `${TASK}, token: [redacted:password]`;
    const env = { LH_GATEWAY_URL: server.url };
    const { stderr } = await run(["replay", "--task", task, "--root", root], { env });
    expect(JSON.stringify(evidenceRows(root))).toContain("[redacted:password]");
    expect(evidenceRows(root)[0]!.redactions).toEqual({});
    expect(stderr).not.toContain("secrets replaced");
  });

  test.each([
    ["an answer", (key: string) => completion(`${GOOD_ANSWER} The key is ${key}, sent as Bearer ${key}.`)],
    ["an error", (key: string) => new Response(`no such key: Bearer ${key}, ${key}`, { status: 400 })],
  ])("counts a key that %s repeats once, in whatever form", async (_, reply) => {
    const root = rootWith();
    const LH_GATEWAY_KEY = "own-local-key";
    await using server = gateway(() => reply(LH_GATEWAY_KEY));
    const env = { LH_GATEWAY_URL: server.url, LH_GATEWAY_KEY };
    await run(["replay", "--task", TASK, "--root", root], { env });
    expect(evidenceRows(root)[0]!.redactions).toEqual({ key: 1 });
  });

  test("counts a secret of a playbook whose passage does not show it", async () => {
    const history = "Nothing of note stands in this part. ".repeat(90);
    const content = `${DISK.content}\n\n${history}\n\nLog in with password: hunter2_prod9`;
    const root = rootWith([{ ...DISK, content }]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    expect(JSON.stringify(evidenceRows(root))).not.toContain("redacted:");
    expect(evidenceRows(root)[0]!.redactions).toEqual({ password: 1 });
  });

  /** A page of which no passage of 2,600 characters that holds the right paragraph holds the first line of its key, too. */
  const keyLine = "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY7PuoAoGCCqGSM49";
  const history = (sentences: number): string =>
    "Nothing of note stands in this part. ".repeat(sentences).trim();
  const pageWithKey = {
    ...DISK,
    content: [
      `${history(65)} The key of the host:`,
      `-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n${keyLine}\n${keyLine}\n-----END EC PRIVATE KEY-----`,
      `${history(10)} ${DISK.content}`,
      history(65),
    ].join("\n"),
  };

  test("sends and stores no key that a passage begins within", async () => {
    const root = rootWith([pageWithKey, CLOCK]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    const everything = JSON.stringify([server.received, evidenceRows(root)]);
    expect(everything).toContain("lsof +L1");
    expect(everything).not.toContain(keyLine.slice(0, 20));
  });

  test.each(["retrieval", "jaccard", "random", "filler", "extract"])(
    "sends and stores no such key in the arm %s",
    async (arm) => {
      const root = rootWith([pageWithKey, { ...pageWithKey, id: "other" }]);
      const tasks = writeFile(join(root, "tasks.jsonl"), `${JSON.stringify({ task: TASK })}\n`);
      await using server = gateway(() => completion(GOOD_ANSWER));
      const argv = ["ab", "--tasks", tasks, "--arms", arm, "--root", root, "--top-k", "1"];
      await run(argv, { env: { LH_GATEWAY_URL: server.url } });
      expect(evidenceRows(root)).toHaveLength(1);
      expect(JSON.stringify([server.received, evidenceRows(root)])).not.toContain(keyLine.slice(0, 20));
    },
  );

  test("strikes from one playbook what a later one says is a secret", async () => {
    const told = {
      ...CLOCK,
      content: `${CLOCK.content}\nOn the disk of db-3 the password: hunter2_prod9 is set.`,
    };
    const root = rootWith([{ ...DISK, content: `${DISK.content}\nIt asks for hunter2_prod9.` }, told]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    const [row] = evidenceRows(root);
    expect(row!.retrieved_artifacts.rag_ids).toEqual([DISK.id, CLOCK.id]);
    const everything = JSON.stringify([row, server.received]);
    expect(everything).toContain("It asks for [redacted:password].");
    expect(everything).not.toContain("hunter2");
  });

  test("sends no secret that a title has only on one line", async () => {
    const root = rootWith([{ ...DISK, title: `${DISK.title}: mysql -u root\n  -phunter2_99!` }]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    expect(JSON.stringify(server.received)).toContain("mysql -u root -p[redacted:password]");
  });

  test("strikes what a later playbook says is a secret before a passage is cut within it", async () => {
    const line = `${"disk full var ".repeat(42)} correct horse 1! ${"disk full var ".repeat(300)}`;
    const told = { ...CLOCK, content: `The disk of db-3: password="correct horse 1!" is set.` };
    const root = rootWith([{ ...DISK, content: line }, told]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", TASK, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    const [row] = evidenceRows(root);
    expect(row!.retrieved_artifacts.rag_ids).toEqual([DISK.id, CLOCK.id]);
    const { content_preview } = row!.context_bundle!.retrieved_playbooks[0]!;
    expect(content_preview).toEndWith("disk full var");
    expect(JSON.stringify([row, server.received])).not.toContain("correct");
  });

  const answerOf = async (task: string, answer: string, env: Record<string, string> = {}) => {
    const root = rootWith();
    await using server = gateway(() => completion(answer));
    await run(["replay", "--task", task, "--root", root], { env: { LH_GATEWAY_URL: server.url, ...env } });
    const [row] = evidenceRows(root);
    return row!;
  };

  test.each([
    [
      "another that it begins with",
      "old password: hunter2xy, new password: hunter2xy99",
      "hunter2xy99",
      "[redacted:password]",
    ],
    [
      "another, told by its surroundings",
      "password: hunter2xy",
      "password: hunter2xy99",
      "password: [redacted:password]",
    ],
    [
      "another that it overlaps",
      "password: abcdefg1, secret: efg1hijk",
      "abcdefg1hijk",
      "[redacted:password]",
    ],
  ])("leaves nothing of a secret beside %s", async (_, told, said, expected) => {
    const row = await answerOf(`${TASK}, ${told}`, `${GOOD_ANSWER} Then log in with ${said} there.`);
    expect(row.model_response).toBe(`${GOOD_ANSWER} Then log in with ${expected} there.`);
  });

  test("hashes and judges the task without what only a playbook gives away", async () => {
    const told = { ...DISK, content: `${DISK.content}\nThe old password: Zx9-quokka-77 was used on db-3.` };
    const root = rootWith([told, CLOCK]);
    await using server = gateway(() => completion(`On db-3 now: ${GOOD_ANSWER}`));
    const { stderr } = await run(["replay", "--task", `Zx9-quokka-77 is refused, ${TASK}`, "--root", root], {
      env: { LH_GATEWAY_URL: server.url },
    });
    const [row] = evidenceRows(root);
    expect(row!.input_task).toBe(`[redacted:password] is refused, ${TASK}`);
    expect(JSON.stringify(server.received)).not.toContain("Zx9");
    expect(row!.task_hash).toBe(sha256(row!.input_task));
    expect(stderr).toContain(`run_id=${row!.recorded_run_id}`);
    const own = row!.gate!.claims.filter((claim) => claim.supported_by === "task");
    expect(
      own.map(({ support_offset, text }) => row!.input_task.substr(support_offset!, text.length)),
    ).toEqual(own.map(({ text }) => text));
    expect(own).not.toEqual([]);
  });

  test("strikes from task and earlier answer what a later one gives away", async () => {
    const root = rootWith();
    const long = `Log in with Kangaroo-44-x. ${INVENTED_ANSWER} ${"More of the same process. ".repeat(200)}`;
    await using local = gateway(() => completion(long));
    await using larger = gateway(() => completion(`${GOOD_ANSWER} The password: Kangaroo-44-x is right.`));
    const env = { LH_GATEWAY_URL: local.url, LH_ESCALATION_URL: larger.url };
    const task = `Kangaroo-44-x is refused, ${TASK}`;
    await run(["replay", "--task", task, "--root", root, "--allow-escalation"], { env });
    const [row] = evidenceRows(root);
    const stored = long.replace("Kangaroo-44-x", "[redacted:password]");
    expect(row!.task_hash).toBe(sha256(row!.input_task));
    expect(row!.attempts.map((attempt) => attempt.response_sha256)).toEqual([
      sha256(stored),
      sha256(row!.model_response),
    ]);
    expect(readFileSync(join(root, `data/_kb/responses/${sha256(stored)}.txt`), "utf8")).toBe(stored);
    expect(readdirSync(join(root, "data/_kb/responses"))).toHaveLength(1);
    expect(JSON.stringify(row)).not.toContain("Kangaroo");
    for (const { offset, text } of row!.attempts[0]!.gate!.claims)
      expect(stored.slice(offset, offset + text.length)).toBe(text);
  });

  test("begins the ids of one task alike, however often it says its secret", async () => {
    const root = rootWith();
    const task = `${TASK}, password: hunter2x99, and hunter2x99 is refused`;
    await run(["replay", "--dry-run", "--task", task, "--root", root]);
    expect(evidenceRows(root)[0]!.recorded_run_id).toStartWith(runIdPrefix(withoutSecrets(task)));
  });

  test("strikes a short secret each time that the same text comes", async () => {
    // Six characters are too few to be looked for wherever they stand: the text has to be read again.
    const root = rootWith();
    const answer = `${INVENTED_ANSWER} Log in with password: hun1er`;
    await using server = gateway(() => completion(answer));
    await run(["replay", "--task", TASK, "--root", root, "--allow-escalation"], {
      env: { LH_GATEWAY_URL: server.url },
    });
    const [row] = evidenceRows(root);
    const stored = answer.replace("hun1er", "[redacted:password]");
    expect([row!.attempts[0]!.response, row!.model_response]).toEqual([stored, stored]);
    expect(row!.redactions).toEqual({ password: 1 });
  });

  test("strikes no key from what stands for one", async () => {
    const row = await answerOf(`${TASK}, the key is redacted, password: hunter2x99`, GOOD_ANSWER, {
      LH_GATEWAY_KEY: "redacted",
    });
    expect(row.input_task).toBe(`${TASK}, the key is [redacted:key], password: [redacted:password]`);
  });

  test("strikes what is left of a path once its last part is struck", async () => {
    const row = await answerOf(`${TASK}, token: /run/secrets/own-local-key`, GOOD_ANSWER, {
      LH_GATEWAY_KEY: "own-local-key",
    });
    expect(row.input_task).toBe(`${TASK}, token: [redacted:password]`);
    expect(row.recorded_run_id).toStartWith(runIdPrefix(row.input_task));
  });

  test("stores no key of either model", async () => {
    const root = rootWith();
    const reply = () => completion(`${INVENTED_ANSWER} The keys are own-local-key and own-larger-key.`);
    await using local = gateway(reply);
    await using larger = gateway(reply);
    const env = {
      LH_GATEWAY_URL: local.url,
      LH_GATEWAY_KEY: "own-local-key",
      LH_ESCALATION_URL: larger.url,
      LH_ESCALATION_KEY: "own-larger-key",
    };
    await run(["replay", "--task", `${TASK} own-larger-key`, "--root", root, "--allow-escalation"], { env });
    const [row] = evidenceRows(root);
    expect(JSON.stringify(row)).not.toMatch(/own-l/);
    expect(row!.task_hash).toBe(sha256(row!.input_task));
    expect(larger.received[0]!.headers.authorization).toBe("Bearer own-larger-key");
  });

  test("keeps every attempt's answer and gate", async () => {
    const root = rootWith();
    const long = `${INVENTED_ANSWER} ${"More of the same process. ".repeat(200)}`;
    await using local = gateway(() => completion(long));
    await using larger = gateway(() => completion(GOOD_ANSWER));
    const env = { LH_GATEWAY_URL: local.url, LH_ESCALATION_URL: larger.url };
    await run(["replay", "--task", TASK, "--root", root, "--allow-escalation"], { env });
    const [row] = evidenceRows(root);
    expect(row!.attempts).toMatchObject([
      { verdict: "fail", response_sha256: sha256(long), gate: { verdict: "fail" } },
      { verdict: "pass", response_sha256: row!.response_sha256, response: null, gate: null },
    ]);
    expect(readFileSync(join(root, `data/_kb/responses/${sha256(long)}.txt`), "utf8")).toBe(long);
  });

  test("keeps lone surrogates out of every JSON reader's way", async () => {
    const root = rootWith([{ ...DISK, id: "lone\ud800" }]);
    const { stdout } = await dryRun(root, "--json");
    expect(evidenceRows(root)[0]!.retrieved_artifacts.rag_ids).toEqual(["lone\ufffd"]);
    expect(stdout).toBe(readFileSync(join(root, EVIDENCE_LOG), "utf8"));
  });

  test("strikes even a short key behind its scheme", async () => {
    const root = rootWith();
    await using server = gateway(({ headers }) =>
      Response.json({ error: `wrong key ${headers.authorization}` }, { status: 401 }),
    );
    const env = { LH_GATEWAY_URL: `${server.url}/v1`, LH_GATEWAY_KEY: "short1" };
    const { stderr } = await run(["replay", "--task", TASK, "--root", root], { env });
    expect(stderr).toContain("wrong key [redacted:key]");
    expect(JSON.stringify(evidenceRows(root)) + stderr).not.toContain("short1");
  });

  test("records which flags were asked for", async () => {
    const root = rootWith();
    await dryRun(root);
    await dryRun(root, "--local-only");
    await dryRun(root, "--allow-escalation");
    expect(evidenceRows(root).map((row) => [row.local_only, row.allow_escalation])).toEqual([
      [false, false],
      [true, false],
      [false, true],
    ]);
  });

  test("leaves rejected records out of the evidence", async () => {
    const root = rootWith([CLOCK, { ...DISK, success_score: "rejected" }]);
    await using server = gateway(() => completion(GOOD_ANSWER));
    await run(["replay", "--task", `${TASK} clock`, "--root", root], { env: { LH_GATEWAY_URL: server.url } });
    const [row] = evidenceRows(root);
    expect(row!.retrieved_artifacts.rag_ids).toContain(DISK.id);
    expect(row!.gate).toMatchObject({ evidence_ids: [CLOCK.id], grounding: "ungrounded" });
  });

  test("names paths relative to the root, or by file alone", async () => {
    const inside = rootWith();
    const outside = rootWith();
    await dryRun(inside);
    await dryRun(inside, "--corpus", join(outside, "exports/rag/playbooks.jsonl"));
    expect(evidenceRows(inside).map((row) => row.corpus!.path)).toEqual([
      "exports/rag/playbooks.jsonl",
      "playbooks.jsonl",
    ]);
    expect(readFileSync(join(inside, EVIDENCE_LOG), "utf8")).not.toContain(inside);
  });

  test("gives ids that sort by time and never collide", async () => {
    const root = rootWith();
    for (let round = 0; round < 5; round++) await Promise.all([dryRun(root), dryRun(root), dryRun(root)]);
    const ids = evidenceRows(root).map((row) => row.recorded_run_id);
    expect(new Set(ids).size).toBe(15);
    expect(ids.every((id) => /^replay:[0-9a-f]{16}:[0-9a-f-]{36}$/.test(id))).toBe(true);
  });
});

describe("writeWhole", () => {
  test("leaves nothing beside a file that cannot be written", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "taken"));
    expect(() => writeWhole(join(folder, "taken"), "text")).toThrow();
    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  test("writes what a link leads to and keeps the link", () => {
    const folder = temporaryFolder();
    const target = writeFile(join(folder, "real/report.md"), "old");
    const link = join(folder, "report.md");
    symlinkSync(target, link);
    writeWhole(link, "new");
    expect(readFileSync(target, "utf8")).toBe("new");
    expect(readlinkSync(link)).toBe(target);
    expect(readdirSync(folder).toSorted()).toEqual(["real", "report.md"]);
  });

  test.each(["later/report.md", "../absent/report.md"])(
    "writes what a link to nothing leads to: %s",
    (target) => {
      const folder = join(temporaryFolder(), "reports");
      mkdirSync(folder);
      symlinkSync(target, join(folder, "second.md"));
      symlinkSync("second.md", join(folder, "first.md"));
      writeWhole(join(folder, "first.md"), "new");
      expect(readFileSync(join(folder, target), "utf8")).toBe("new");
      expect(readlinkSync(join(folder, "first.md"))).toBe("second.md");
      expect(readlinkSync(join(folder, "second.md"))).toBe(target);
    },
  );

  test("replaces no link that leads in a circle", () => {
    const link = join(temporaryFolder(), "report.md");
    symlinkSync("report.md", link);
    expect(() => writeWhole(link, "new")).toThrow("ELOOP");
    expect(readlinkSync(link)).toBe("report.md");
  });

  test.each([0o600, 0o444, 0o666])("keeps a file's mode: %o", (mode) => {
    const path = writeFile(join(temporaryFolder(), "report.md"), "old");
    chmodSync(path, mode);
    writeWhole(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(mode);
  });

  test("replaces no pipe and no device", () => {
    const folder = temporaryFolder();
    Bun.spawnSync(["mkfifo", join(folder, "pipe")]);
    symlinkSync("/dev/null", join(folder, "device"));
    for (const name of ["pipe", "device"])
      expect(() => writeWhole(join(folder, name), "text")).toThrow("not a regular file");
    expect(readdirSync(folder).toSorted()).toEqual(["device", "pipe"]);
    expect(statSync(join(folder, "pipe")).isFIFO()).toBe(true);
  });
});

describe("appendLines", () => {
  const file = (): string => join(temporaryFolder(), "log/rows.jsonl");

  test("creates the folder and ends every line", () => {
    const path = file();
    appendLines(path, ["one"]);
    appendLines(path, ["two"]);
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  });

  test("gives a torn last line its newline first", () => {
    const path = file();
    appendLines(path, ["one"]);
    appendFileSync(path, '{"half":');
    appendLines(path, ["two"]);
    expect(readFileSync(path, "utf8")).toBe('one\n{"half":\ntwo\n');
  });

  test("takes back what stands half written when the disk is full", async () => {
    const path = file();
    appendLines(path, ["one"]);
    const script = `import { appendLines } from ${JSON.stringify(join(import.meta.dir, "../../scripts/distillation/replay.ts"))};
      try { appendLines(${JSON.stringify(path)}, ["two", "x".repeat(100_000)]); } catch (error) { console.log(error.code); }`;
    // A limit on the size of a file stands in for the disk.
    const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" -e "$1"`;
    const { stdout } = Bun.spawnSync(["sh", "-c", limited, process.execPath, script]);
    expect(stdout.toString()).toBe("EFBIG\n");
    expect(readFileSync(path, "utf8")).toBe("one\n");
  });

  test("creates no file for no lines", () => {
    const path = file();
    appendLines(path, []);
    expect(existsSync(path)).toBe(false);
  });

  test("keeps the lines of several writers at once whole", async () => {
    const path = file();
    const script = `import { appendLines } from ${JSON.stringify(join(import.meta.dir, "../../scripts/distillation/replay.ts"))};
      for (let n = 0; n < 100; n++) appendLines(${JSON.stringify(path)}, [process.argv[1].repeat(8000)]);`;
    const writers = ["a", "b", "c"].map((name) =>
      Bun.spawn([process.execPath, "-e", script, name], { stderr: "inherit" }),
    );
    expect(await Promise.all(writers.map((writer) => writer.exited))).toEqual([0, 0, 0]);
    const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
    expect(lines).toHaveLength(300);
    expect(lines.every((line) => line.length === 8000 && new Set(line).size === 1)).toBe(true);
  });
});

describe("a log that cannot be written", () => {
  const unwritable = [
    ["a full disk", (log: string) => symlinkSync("/dev/full", log), "(ENOSPC). Make room, or"],
    [
      "a folder in its place",
      (log: string) => mkdirSync(log),
      "(EISDIR). Check the path and its permissions, or",
    ],
  ] as const;

  test.each(unwritable)("costs exit code 5 and not the answer: %s", async (_, spoil, told) => {
    const root = rootWith();
    const log = join(root, EVIDENCE_LOG);
    mkdirSync(join(log, ".."), { recursive: true });
    spoil(log);
    const plain = await dryRun(root);
    expect(plain.code).toBe(5);
    expect(plain.stdout).toStartWith("Dry run: no model was asked.");
    expect(plain.stderr).toContain(`${log}: this run could not be recorded ${told} name another --root.`);
    const json = await dryRun(root, "--json");
    expect(json.code).toBe(5);
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: "replay_run.v1", input_task: TASK });
  });

  test("outranks a verdict of fail or error", async () => {
    const root = rootWith();
    mkdirSync(join(root, EVIDENCE_LOG), { recursive: true });
    await using server = gateway(
      () => completion("I cannot."),
      () => new Response("", { status: 400 }),
    );
    const env = { LH_GATEWAY_URL: `${server.url}/v1` };
    for (const _ of ["fail", "error"])
      expect((await run(["replay", "--task", TASK, "--root", root], { env })).code).toBe(5);
  });
});

describe("withoutSecrets", () => {
  test.each([
    ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[redacted:private_key]"],
    [
      "It begins with -----BEGIN PRIVATE KEY-----. Then restart nginx.",
      "It begins with [redacted:private_key]. Then restart nginx.",
    ],
    [
      `-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,00\n\n${"MIIE".repeat(16)}\nabc=`,
      "[redacted:private_key]",
    ],
    ["AKIAIOSFODNN7EXAMPLE", "[redacted:aws_key]"],
    ["It sent eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl-_ along.", "It sent [redacted:jwt] along."],
    [`ghp_${"a1".repeat(18)}`, "[redacted:github_token]"],
    ["glpat-abcdefghij0123456789", "[redacted:gitlab_token]"],
    ["xoxb-1234567890-abc", "[redacted:slack_token]"],
    ["sk-abcdefghij0123456789", "[redacted:api_key]"],
    ["Authorization: Bearer abcdefghijkl0123", "Authorization: Bearer [redacted:bearer]"],
    ["https://user:pa55@host/x", "https://user:[redacted:url_password]@host/x"],
    ["password: hunter2x", "password: [redacted:password]"],
    ['"api_key": "abc123def"', '"api_key": "[redacted:password]"'],
    ["PGPASSWORD=s3cret! psql", "PGPASSWORD=[redacted:password] psql"],
    ["postgres://app:p@ss1word@db/app", "postgres://app:[redacted:url_password]@db/app"],
    [`token=${"a1".repeat(200)}`, "token=[redacted:password]"],
    ['{"Authorization": "Bearer abcdefghijkl0123"}', '{"Authorization": "Bearer [redacted:bearer]"}'],
    ["psql --password s3cret!x", "psql --password [redacted:password]"],
    ["curl -u admin:hunter2x https://h", "curl -u admin:[redacted:password] https://h"],
    [`sk_live_${"a1".repeat(8)}`, "[redacted:api_key]"],
    [`hf_${"aB".repeat(17)}`, "[redacted:api_key]"],
    [`hvs.${"aB1".repeat(10)}`, "[redacted:api_key]"],
    [`SG.${"a1".repeat(11)}.${"b2".repeat(20)}`, "[redacted:api_key]"],
    ["glrt-abcdefghij0123456789", "[redacted:gitlab_token]"],
    [
      `https://hooks.slack.com/services/T0000000A/B0000000A/${"aB1".repeat(8)}`,
      "https://hooks.slack.com/services/[redacted:slack_token]",
    ],
    [`AccountKey=${"aB1/".repeat(21)}==;x`, "AccountKey=[redacted:azure_key];x"],
    [
      "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----",
      "[redacted:private_key]",
    ],
    ["Open `https://h/x?token=abc123def`.", "Open `https://h/x?token=[redacted:url_password]`."],
    ["https://h/x?token=`abc123def` there", "https://h/x?token=`[redacted:url_password]` there"],
    ["(see https://h/x?sig=abc123def).", "(see https://h/x?sig=[redacted:url_password])."],
    ["**https://h/x?pass=abc123def**", "**https://h/x?pass=[redacted:url_password]**"],
    ["It is https://h/x?api_key=abc123def.", "It is https://h/x?api_key=[redacted:url_password]."],
    ["ftp://app:pa55.*@h/x", "ftp://app:[redacted:url_password]@h/x"],
    ["Send Authorization: Bearer abcdefghijkl0123.", "Send Authorization: Bearer [redacted:bearer]."],
    ["password=abc123def&user=bob", "password=[redacted:password]&user=bob"],
    ["password=abc123&def!", "password=[redacted:password]"],
    ["DB_PASSWORD=kT9pLmQ2&xq=7fZ2wQ9s", "DB_PASSWORD=[redacted:password]"],
    [`${"-".repeat(64)}eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl`, `${"-".repeat(64)}[redacted:jwt]`],
    ["It sent x-eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl along.", "It sent x-[redacted:jwt] along."],
    ["**Password:** hunter2x", "**Password:** [redacted:password]"],
    ["**Password**: hunter2x", "**Password**: [redacted:password]"],
    ["password: **hunter2x**", "password: **[redacted:password]**"],
    ["Log in (password: hunter2x).", "Log in (password: [redacted:password])."],
    ["password: `hunter2x`, then", "password: `[redacted:password]`, then"],
    ['password: "hunter2x."', 'password: "[redacted:password]"'],
    ["- `password`: hunter2x", "- `password`: [redacted:password]"],
    ["SECRET_KEY=abc123def456", "SECRET_KEY=[redacted:password]"],
    ["encryption-key: a1b2c3d4", "encryption-key: [redacted:password]"],
    ["account_key: a1b2c3d4", "account_key: [redacted:password]"],
    [`ya29.${"a1".repeat(20)}`, "[redacted:api_key]"],
    [`pypi-${"aB1".repeat(20)}`, "[redacted:api_key]"],
    [`dckr_pat_${"aB1".repeat(9)}`, "[redacted:api_key]"],
    [`dop_v1_${"a1".repeat(32)}`, "[redacted:api_key]"],
    ["glsoat-abcdefghij0123456789", "[redacted:gitlab_token]"],
    [`AGE-SECRET-KEY-1${"QPZRY9X8".repeat(7)}`, "[redacted:private_key]"],
    [
      `https://discord.com/api/webhooks/123456789012345678/${"aB3_".repeat(17)}`,
      "https://discord.com/api/webhooks/123456789012345678/[redacted:discord_token]",
    ],
    ["mysqldump -u root -pS3cret99 shop", "mysqldump -u root -p[redacted:password] shop"],
    ["sshpass -p 'S3cret99' ssh db-3", "sshpass -p '[redacted:password]' ssh db-3"],
    ["redis-cli -h r-1 -a S3cret99 ping", "redis-cli -h r-1 -a [redacted:password] ping"],
    ["docker login -u ci -p S3cret99 reg.internal", "docker login -u ci -p [redacted:password] reg.internal"],
    ["the password is `hunter2x`, for now", "the password is `[redacted:password]`, for now"],
    ["ansible_become_pass: S3cretPw1", "ansible_become_pass: [redacted:password]"],
    ["secret_key_base: a1b2c3d4e5", "secret_key_base: [redacted:password]"],
    [
      "https://api.shop.internal/v1?token=a1b2c3d4&region=eu&dry=1",
      "https://api.shop.internal/v1?token=[redacted:url_password]&region=eu&dry=1",
    ],
    ["passphrase: correct1horse", "passphrase: [redacted:password]"],
    [
      String.raw`{"msg":"failed {\"user\":\"app\",\"password\":\"hunter2xyz!\"}"}`,
      String.raw`{"msg":"failed {\"user\":\"app\",\"password\":\"[redacted:password]\"}"}`,
    ],
    [String.raw`\\\"api_key\\\": \\\"a1b2c3d4\\\"`, String.raw`\\\"api_key\\\": \\\"[redacted:password]\\\"`],
    [
      String.raw`\"token\": \"a 1!b, c\", \"user\": \"b2\"`,
      String.raw`\"token\": \"[redacted:password]\", \"user\": \"b2\"`,
    ],
    ['DB_PASSWORD="correct horse 1!"', 'DB_PASSWORD="[redacted:password]"'],
    ['"password": "abc, 12!x"', '"password": "[redacted:password]"'],
    [`password='it"s 1!'`, "password='[redacted:password]'"],
    [String.raw`"password": "ab\"cd1!, e"`, '"password": "[redacted:password]"'],
    ['password: "x,y,z!1"', 'password: "[redacted:password]"'],
    ["- **Password**: `my dog 7!`", "- **Password**: `[redacted:password]`"],
    ['password="hunter2x", user="bob 2!"', 'password="[redacted:password]", user="bob 2!"'],
    ["Authorization: Token 0123456789abcdef0123", "Authorization: Token [redacted:bearer]"],
    ["authorization: ApiKey aGVsbG8xMjM0NTY3ODkw", "authorization: ApiKey [redacted:bearer]"],
    [
      String.raw`{\"Authorization\": \"Bearer abcdefghijkl0123\"}`,
      String.raw`{\"Authorization\": \"Bearer [redacted:bearer]\"}`,
    ],
    ["Server=db;Uid=sa;Pwd=Sup3rS3cret1;", "Server=db;Uid=sa;Pwd=[redacted:password];"],
    ["pass: Sup3rS3cret1", "pass: [redacted:password]"],
    ["pass=Sup3rS3cret1", "pass=[redacted:password]"],
    ["user: root, pass: winter24, host: db-3", "user: root, pass: [redacted:password], host: db-3"],
    ["pass: Sup3rS3cret1 is refused", "pass: [redacted:password] is refused"],
    ["login failed: user=app pass=Sup3rS3cret1", "login failed: user=app pass=[redacted:password]"],
    ["$pass = 'Sup3rS3cret1';", "$pass = '[redacted:password]';"],
    ["pw: Sup3rS3cret1", "pw: [redacted:password]"],
    ["pwd: Sup3rS3cret1", "pwd: [redacted:password]"],
    ["MYSQL_PWD=Sup3rS3cret1 mysql", "MYSQL_PWD=[redacted:password] mysql"],
    ["dbPwd: Sup3rS3cret1", "dbPwd: [redacted:password]"],
    ['"pwd": "my dog 7!"', '"pwd": "[redacted:password]"'],
    ["https://h/login?pw=Sup3rS3cret1&x=1", "https://h/login?pw=[redacted:url_password]&x=1"],
    ["Kennwort: Sup3rS3cret1", "Kennwort: [redacted:password]"],
    ["API key: 9f8e7d6c5b4a39281706", "API key: [redacted:password]"],
    ["**API key (prod):** 9f8e7d6c5b4a", "**API key (prod):** [redacted:password]"],
    ["Encryption key: 9f8e7d6c5b4a", "Encryption key: [redacted:password]"],
    ["Token for the webhook: 9f8e7d6c5b4a", "Token for the webhook: [redacted:password]"],
    ["Password for root: Sup3rS3cret1", "Password for root: [redacted:password]"],
    ["Password for root: winter24. Change it.", "Password for root: [redacted:password]. Change it."],
    ["Passwort für `root` auf db-3: Sup3rS3cret1", "Passwort für `root` auf db-3: [redacted:password]"],
    ["Password (root): Sup3rS3cret1", "Password (root): [redacted:password]"],
    ["**Password** (root): `Sup3rS3cret1`", "**Password** (root): `[redacted:password]`"],
    ["mysqldump --password='Sup3r S3cret1'", "mysqldump --password='[redacted:password]'"],
    ["'password' => 'Sup3rS3cret1'", "'password' => '[redacted:password]'"],
    [':password  => "Sup3rS3cret1"', ':password  => "[redacted:password]"'],
    ['pass := "Sup3rS3cret1"', 'pass := "[redacted:password]"'],
    ["<password>Sup3rS3cret1</password>", "<password>[redacted:password]</password>"],
    [
      '<db:keyPassword id="x">\n  my dog 7!\n</db:keyPassword>',
      '<db:keyPassword id="x">\n  [redacted:password]\n</db:keyPassword>',
    ],
    ["ALTER ROLE app PASSWORD 'Sup3rS3cret1'", "ALTER ROLE app PASSWORD '[redacted:password]'"],
    ["CREATE USER a IDENTIFIED BY 'Sup3r''S3cret1';", "CREATE USER a IDENTIFIED BY '[redacted:password]';"],
    ["SET PASSWORD FOR 'a'@'%' = 'Sup3rS3cret1'", "SET PASSWORD FOR 'a'@'%' = '[redacted:password]'"],
    ["requirepass Sup3rS3cret1", "requirepass [redacted:password]"],
    ['masterauth "Sup3rS3cret1"', 'masterauth "[redacted:password]"'],
    ["| password | Sup3rS3cret1 |", "| password | [redacted:password] |"],
    ["> | **DB_PASSWORD** | `winter24` | app |", "> | **DB_PASSWORD** | `[redacted:password]` | app |"],
    ["| API key | 9f8e7d6c5b4a, rotated |", "| API key | [redacted:password], rotated |"],
    ["| root | Password | Sup3rS3cret1 |", "| root | Password | [redacted:password] |"],
    [String.raw`DB_PASSWORD=ab\cd1efg`, "DB_PASSWORD=[redacted:password]"],
    ["пароль: Qwerty123456", "пароль: [redacted:password]"],
    ["Пароль для root: Qwerty123456", "Пароль для root: [redacted:password]"],
    ["パスワード: Sakura2024x", "パスワード: [redacted:password]"],
    ["密码：Huawei@2024，请修改", "密码：[redacted:password]，请修改"],
    ["Contraseña del root: Verano2024!", "Contraseña del root: [redacted:password]"],
    ["mot de passe : Soleil2024!", "mot de passe : [redacted:password]"],
    ["| Senha | Brasil2024! |", "| Senha | [redacted:password] |"],
    [
      String.raw`net use \\srv\share /user:DOM\bob P@ssw0rd1`,
      String.raw`net use \\srv\share /user:DOM\bob [redacted:password]`,
    ],
    [
      String.raw`net use Z: \\srv\share P@ssw0rd1 /user:bob`,
      String.raw`net use Z: \\srv\share [redacted:password] /user:bob`,
    ],
    ["Login with admin / Adm1nPass99", "Login with admin / [redacted:password]"],
    ["Log in as `root` / `S3cr3tR00t`.", "Log in as `root` / `[redacted:password]`."],
    ["The credentials are admin:Adm1nPass99.", "The credentials are admin:[redacted:password]."],
    [
      String.raw`psexec \\srv -u DOM\bob -p P@ssw0rd1 cmd`,
      String.raw`psexec \\srv -u DOM\bob -p [redacted:password] cmd`,
    ],
    ["sqlcmd -S srv -U sa -P S3cr3tPass1", "sqlcmd -S srv -U sa -P [redacted:password]"],
    ["ldapsearch -x -D cn=admin -w S3cr3tPass1", "ldapsearch -x -D cn=admin -w [redacted:password]"],
    ["smbclient //srv/share -U bob%P@ssw0rd1", "smbclient //srv/share -U bob%[redacted:password]"],
    ["The root password is Sup3rS3cret1.", "The root password is [redacted:password]."],
    ["reset the password to `Sup3rS3cret1`", "reset the password to `[redacted:password]`"],
    ["Password – Sup3rS3cret1", "Password – [redacted:password]"],
    ["machine db-1 login app password S3cr3tPass1", "machine db-1 login app password [redacted:password]"],
    ["Password:\n\n```text\nSup3rS3cret1\n```", "Password:\n\n```text\n[redacted:password]\n```"],
    ["password:\n  hunter2x\nuser: app", "password:\n  [redacted:password]\nuser: app"],
    ["PGPASSWORD='S3cr3t Pass1' psql", "PGPASSWORD='[redacted:password]' psql"],
    ["DD_APP_KEY=9f8e7d6c5b4a39281706", "DD_APP_KEY=[redacted:password]"],
    ["psk=S3cr3tWifi1", "psk=[redacted:password]"],
    ['{"auth": "YWRtaW46UEBzc3cwcmQxMjM="}', '{"auth": "[redacted:password]"}'],
    [`xapp-1-A0123456789-${"a1".repeat(20)}`, "[redacted:slack_token]"],
    [`glsa_${"aB1".repeat(11)}_a1b2c3d4`, "[redacted:api_key]"],
    [`123456789:AA${"aB1".repeat(11)}`, "[redacted:api_key]"],
    [`GOCSPX-${"aB1_".repeat(7)}`, "[redacted:api_key]"],
    [`vault login s.${"aB1".repeat(8)}`, "vault login [redacted:api_key]"],
    ["- name: DB_PASSWORD\n  value: winter24", "- name: DB_PASSWORD\n  value: [redacted:password]"],
    ['{"name": "API_TOKEN", "value": "a1b2c3d4e5"}', '{"name": "API_TOKEN", "value": "[redacted:password]"}'],
    ['<add key="DbPwd" value="Sup3rS3cret1" />', '<add key="DbPwd" value="[redacted:password]" />'],
    ["echo 'root:S3cret99' | sudo chpasswd", "echo 'root:[redacted:password]' | sudo chpasswd"],
    ["htpasswd -bB .htpasswd admin S3cret99", "htpasswd -bB .htpasswd admin [redacted:password]"],
    ["rabbitmqctl add_user app S3cret99", "rabbitmqctl add_user app [redacted:password]"],
    ["net user bob S3cret99 /add", "net user bob [redacted:password] /add"],
    ["keytool -list -storepass S3cret99", "keytool -list -storepass [redacted:password]"],
    [
      "aws configure set aws_secret_access_key wJalrXUtnFEMI/K7MDENG",
      "aws configure set aws_secret_access_key [redacted:password]",
    ],
    ["Integration key: 9f8e7d6c5b4a", "Integration key: [redacted:password]"],
    [`APP_KEY=base64:${"aB1".repeat(14)}=`, "APP_KEY=[redacted:password]"],
    [`https://${"9f8e7d6c".repeat(4)}@o1.ingest.io/1`, "https://[redacted:url_password]@o1.ingest.io/1"],
    ["login: admin/Adm1nPass99", "login: admin/[redacted:password]"],
    ["admin / Adm1nPass99", "admin / [redacted:password]"],
    // What was no value is searched for others.
    ["token:\n  password=hunter2x99 here", "token:\n  password=[redacted:password] here"],
    // Two shapes over one value are one secret, of the kind that tells more.
    ["token=glpat-abcdefghij0123456789,x", "token=[redacted:gitlab_token],x"],
    [`password=AKIA${"A1".repeat(8)}+tail9`, "password=[redacted:aws_key]"],
  ])("replaces %j", (text, expected) => {
    expect(withoutSecrets(text)).toBe(expected);
    expect(findSecrets(text)).toHaveLength(1);
    expect(withoutSecrets(expected)).toBe(expected);
  });

  test.each([
    "password: $DB_PASSWORD",
    "password=<your-password-1>",
    "Password: check whether it expired",
    "postgres://app:$PW@db/app",
    "token bucket of 100 tokens",
    "kubectl get secret web-tls-1 -o yaml",
    "kubectl config set-context x --user system:serviceaccount:shop:web",
    "curl -u https://api.shop.internal/x1",
    "date -u +%Y-%m-%dT%H:%M:%SZ",
    "mysql://user:password@db/app",
    "openvpn --secret /etc/openvpn/static.key1 2",
    "password_file: ./secrets/db-1.txt",
    "token: /run/secrets/token-1",
    "arn:aws:secretsmanager:eu-west-1:1234:secret:prod/db-AbCdEf",
    "password: op://vault/item/field1",
    "mysql -p$DB_PASSWORD shop",
    "mysql -P 3306 -p shop1",
    "curl -u admin:[redacted:password] https://h",
    "token: ~/.config/token-1",
    "curl --data password=@/run/secrets/pw-1",
    "mysql://user:passwd@db/app",
    "**Password:** <your-password-1>",
    "password: ********",
    "Rotate the token:\n\n* step-1 of 2",
    "kind: secretKeyRef, name: web-tls-1",
    "password: see the vault",
    'password: "see the vault, section 3"',
    '"password": "It must have at least 8 characters, and/or a sign."',
    `the token's value isn't "5"`,
    'secret: "none" # see ticket #12',
    'token="$TOKEN of app 1!"',
    String.raw`{\"token\": \"/run/secrets/token-1\"}`,
    String.raw`{\"password\": \"$DB_PASSWORD1\"}`,
    "Authorization: token authentication is off",
    'password: "[redacted:password]"',
    "pass: 12 of 15 tests",
    "pass: ok (3 checks)",
    "pass: build-123 ran on ci",
    "test pass=3",
    "pass=1200000",
    "pass: build-12, fail: build-13",
    "PASS: TestReplayOfX2b",
    "--- PASS: TestReplay1 (0.00s)",
    "openssl pkey -passin pass: 2>/dev/null",
    "compass: 120",
    "bypass=true1",
    "pass = decrypt2(x)",
    "pass: build-12, failed: 3",
    "pass: build-12, failures=3",
    "FAILURE: 3, pass: build-12",
    "https://h/x?pass=120000",
    "'pwd' => '$DB_PW of 1!'",
    "'pwd' => '/etc/ssl/db-1.pem'",
    "--password '/etc/ssl/db-1.pem'",
    "curl --user admin:$DB_PW1 https://h",
    "pw: winter24 is old",
    "pw: winter24 (2)",
    "pw: winter24 or user: x",
    "pw: see vault",
    "pw = pw[:-1]",
    "pw: john2@shop.internal",
    "docker run -v $PWD:/workspace1 app",
    "OLDPWD=/home/deploy1",
    "Password for root: ask the on-call",
    "Password for db-1 expired: restart-2 it",
    "Password for root: OPS-1234",
    "Password for root: 2026-11-30",
    "Password (root): see https://vault.internal/x1",
    "Password of root: kv/team/db-1",
    "Secret for the ingress: web-tls-1",
    "API key: rotate it every 90 days",
    "API key: 90-days",
    "Encryption key: AES-256-GCM",
    "--password='$DB_PASSWORD 1'",
    "'password' => 'required|string|min:8'",
    "<password>${env.DB_PW1}</password>",
    "mysql -h <host> -p<password> <db-1>",
    "the password 'none' is refused",
    "IDENTIFIED BY '<password-1>'",
    "requirepass and/or masterauth",
    "requirepass is set on redis-1",
    "| password | stored in kv/team/db |",
    "| password | kv/team/db-1 |",
    "| password | varchar(255) |",
    "| password | [redacted:password] |",
    "| Pass | 120/125 |",
    "| secret | web-tls-1 |",
    "echo password | sha256sum1",
    "pwd: 2>/dev/null",
    "pwd: >db-1.txt",
    "pwd: --stdin-2",
    "pwd: HASH1(salt)",
    "pwd: /etc/ssl/db-1.pem",
    String.raw`pwd: C:\keys\db1`,
    "pwd: https://wiki.shop.internal/x1",
    "pwd: 10.0.0.1:5432",
    "pwd: 2026-11-30T19:58Z",
    "pwd: 2026-11-30T19:58",
    "pwd: getpass1(",
    "mysql://user:pass@db/app",
    "pwd: 12h30m",
    "pwd: #060B14",
    "pwd: 0xdeadbeef",
    "pwd: argon2id",
    "pwd: k8s-secret",
    "pwd: String!",
    "delete only the pending secret:\n\n~~~console\n$ kubectl get secret\n~~~",
    "Read the password:\n\n```sh2\nshow it\n```",
    "The password:\n![shot1](img.png)",
    "token:\n::: tip1\n",
    "secret:\n  key1: a\n",
    "Use `--from-file=token=./token.txt`.",
    "--from-file=password=password1.txt",
    "password: !vault |",
    "password: !Ref DbPassword1",
    "password: ENC[AES256_GCM,data:abc123]",
    "existingSecret: redis-auth-v2",
    "--set auth.existingSecret=redis-auth-v2",
    "gcloud run deploy --secret=db-app-2024",
    "fencing token: 184467440737",
    "session token: 3600seconds",
    "max token = 2048tokens",
    "secret: arn:aws:secretsmanager:eu-west-1:1234:secret:prod/db-AbCdEf",
    "secret: projects/123/secrets/db-pw/versions/2",
    "password = var.db_password1",
    "token = decode64(raw)",
    "api_key: YOUR_API_KEY_1",
    "パスワード：8文字以上の英数字",
    "пароль: $DB_PASSWORD1",
    String.raw`net use \\srv\share1 /user:DOM\bob *`,
    "net use Z: /delete",
    "Login with SSO / Okta2",
    "[user accounts]: https://developers.acme.io/docs/OAuth2Login#installed2",
    "desenha: 12-a13",
    'existingSecret: "redis-auth-v2"',
    'secret: "projects/p1/secrets/db"',
    "- name: WEB_SECRET\n  value: redis-auth-v2",
    "token = tokens[i1]",
    "secret = Secret.from_name_v2(scope, id)",
    "mongorestore -p --archive=/backup/2024-01-01.gz",
    "Log in to grafana.internal/Dashboards2Go first.",
    `cache-key-${"9f8e7d6c".repeat(4)}`,
    "- name: DB_PASSWORD\n  valueFrom: vault-12",
    "- name: WEB_SECRET\n  value: $WEB_SECRET1",
    "net user bob /delete",
    "The net effect: every user sees error-503 now",
    "net loss per user was 12.50/month",
    "password: •••••••1",
    "Log in at the portal/page2",
    "routing_key: orders.v2.created",
    "mongosh --port 27017 -p",
    "password authentication failed for user-1",
    "password – see vault-2024",
    "Password:\n\n```sh\nvault kv get kv/db1\n```",
  ])("leaves %j alone", (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });

  const KEY_BEGIN = "-----BEGIN RSA PRIVATE KEY-----";
  const KEY_LINE = "MIIE".repeat(8);
  test.each([
    ["aws_key", [`ASIA${"A1".repeat(8)}`]],
    ["github_token", [`github_pat_${"a1_".repeat(10)}`]],
    ["gitlab_token", ["glptt", "gldt", "glcbt", "glft"].map((kind) => `${kind}-abcdefghij0123456789`)],
    ["api_key", [`AIza${"aB1-_".repeat(7)}`, `npm_${"a1".repeat(18)}`]],
    [
      "private_key",
      [
        `${KEY_BEGIN}\\n${KEY_LINE}\\n${KEY_LINE}\\nab1=`,
        ...["Proc-Type", "DEK-Info", "Version", "Comment"].map(
          (name) => `${KEY_BEGIN}\n${name}: 1\n${KEY_LINE}`,
        ),
      ],
    ],
  ] as [string, string[]][])("knows a whole %s: %j", (kind, secrets) => {
    for (const secret of secrets) expect(withoutSecrets(secret)).toBe(`[redacted:${kind}]`);
  });

  const SECRET = "Sup3rS3cret1";
  test.each([
    ["bearer", "Authorization: Basic ", "dXNlcjpwYTU1d29yZA==", ""],
    ["url_password", "HTTPS://user:", "pa55", "@h/x"],
    ["url_password", "https://h/x?signature=", SECRET, "&x=1"],
    ["url_password", "https://h/x?pwd=", SECRET, "&x=1"],
    ["url_password", "https://h/x?pass=", "run-12b", ""],
    ["password", "-u admin:", SECRET, " https://h"],
    ["password", "curl --user admin:", SECRET, " https://h"],
    ["password", "mariadb-dump -u root -p", SECRET, " shop"],
    ["password", "docker login -p ", SECRET, " reg.internal"],
    ["password", "redis-cli -a ", SECRET, " ping"],
    ["password", "redis-cli --pass ", SECRET, " ping"],
    ["password", 'the passphrase is "', SECRET, '"'],
    ["password", "'pwd' => '", SECRET, "'"],
    ["password", "PASSWORD('", SECRET, "')"],
    ["password", "<pwd>", SECRET, "</pwd>"],
    ["password", "<pass>", SECRET, "</pass>"],
    ["password", "apikey for CI: ", SECRET, ""],
    ["password", "Secret for the hook: ", SECRET, ""],
    ["password", "pw: ", "abcdefg1=", " is old"],
    ["password", "pw: ", "ABCDEFG1!", " is old"],
    ["password", "pw: ", "ABCD1EFG", " is old"],
    ...["access", "account", "encryption", "secret"].map((name) => ["password", `${name} key: `, SECRET, ""]),
    ...[
      "pass",
      "token",
      "api-key",
      "apikey",
      "access-key",
      "account-key",
      "encryption-key",
      "secret-key",
    ].map((name) => ["password", `x --${name} "`, "my dog 7", '"']),
  ] as [string, string, string, string][])("strikes a %s behind %j: %s", (kind, before, secret, behind) => {
    expect(withoutSecrets(before + secret + behind)).toBe(`${before}[redacted:${kind}]${behind}`);
  });

  test.each([
    "",
    ".",
    ". Change it.",
    " (old)",
    " - old",
    " – old",
    " user: x",
    " and user: x",
    " und user = x",
    "; x",
  ])("strikes what may be a host as well where no more is said: %j", (behind) => {
    expect(withoutSecrets(`pw: winter24${behind}`)).toBe(`pw: [redacted:password]${behind}`);
  });

  test.each([
    [
      "where it is kept",
      "vault: Vault: env: file: kv: ssm: sops: gopass: keepass: bitwarden: 1password:",
      "db-1a",
    ],
    ["what is counted", "1000", "ms min kb gib 0k 0s 0m 0h 0d 0w 1st 2nd 3rd 4th MB"],
    [
      "an algorithm",
      "base32 base58 base64 sha256 sha-256 md5 utf8 utf-8 argon2 pbkdf2 x509 aes256 aes-256",
      "-key",
    ],
    ["another", "rsa4096 rsa-4096 rfc6238 rfc-6238 oauth2 oauth-2 2fa uint64 int64 SHA256", "-key"],
    ["a product", "e2e k8s ec2 s3 v12 K8S", "-key"],
    ["a type", "string bytes boolean optional required String", "!"],
    ["one with its size", "char( varchar(", "255)"],
  ])("takes %s for no password: %s and %s", (_, beginnings, ends) => {
    for (const beginning of beginnings.split(" "))
      for (const end of ends.split(" ")) {
        const text = `pwd: ${beginning}${end}`;
        expect(withoutSecrets(text)).toBe(text);
      }
  });
});

describe("findSecrets", () => {
  const inTable = (...lines: string[]): string[] => {
    const text = lines.join("\n");
    return findSecrets(text).map(({ start, end }) => text.slice(start, end));
  };

  test("finds what stands below a password's head", () => {
    const rows = [
      "| root | Sup3rS3cret1 | db-3 |",
      "| app | winter24 | kv/x1 |",
      "| web | in the vault | db-4 |",
    ];
    expect(inTable("| user | password | host-1 |", "|:---|---:|---|", ...rows)).toEqual([
      "Sup3rS3cret1",
      "winter24",
    ]);
    expect(inTable("user | Passwort (neu)", "--- | ---", "root | a\\|Sup3rS3cret1")).toEqual([
      "a\\|Sup3rS3cret1",
    ]);
  });

  test("finds no names, counts or next columns in tables", () => {
    expect(inTable("| Secret | Used by |", "|---|---|", "| default-token-x7k2p | k8s-1 |")).toEqual([]);
    expect(inTable("| Suite | Pass |", "|---|---|", "| gate-1 | 1200000 |", "| gate-2 | run-12b |")).toEqual(
      [],
    );
    expect(inTable("| Password | Host-12 |", "|---|---|", "| ask the on-call | db-3-old |")).toEqual([]);
    expect(inTable("| Token | Value |", "|---|---|", "| `--ink-900` | `#060B14FF` |")).toEqual([]);
  });

  test("takes what follows a table for none of it", () => {
    expect(inTable("| password |", "|---|", "| Sup3rS3cret1 |", "", "| S3cret2Name |")).toEqual([
      "Sup3rS3cret1",
    ]);
  });

  test("keeps two apart that touch", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
    expect(findSecrets(`${key}AKIA${"A1".repeat(8)}`)).toHaveLength(2);
  });

  test("gives kind and place of each, in order", () => {
    const text = "password: hunter2x and AKIAIOSFODNN7EXAMPLE";
    const found = findSecrets(text);
    expect(found.map(({ kind, start, end }) => [kind, text.slice(start, end)])).toEqual([
      ["password", "hunter2x"],
      ["aws_key", "AKIAIOSFODNN7EXAMPLE"],
    ]);
  });
});

describe("Secrets", () => {
  test("counts what it replaced, each secret once and by its kind", () => {
    const secrets = new Secrets([["own-key-1", "Bearer own-key-1"], ["other-key-2"]]);
    secrets.strike("pw: Sup3rS3cret1, password: [redacted:password]");
    secrets.strike("Sup3rS3cret1 again, and pw: 0therS3cret2");
    secrets.strikeKeys("Authorization: Bearer own-key-1, or own-key-1");
    expect(secrets.counts).toEqual({ password: 2, key: 1 });
  });

  test.each([
    ["Open `https://h/x?token=abc123def`.", "url_password"],
    ["Send Authorization: Bearer abc123def456.", "bearer"],
    ["Send password=abc123def&user=bob", "password"],
    ["Send password=abc123def&client_secret=zyx987wvu", "password"],
    ["Open https://h/login?pass=abc123def&x=1", "url_password"],
  ])("knows the bare value again that %j gives away", (text, kind) => {
    const secrets = new Secrets();
    secrets.strike(text);
    const [bare] = /abc123\w+/.exec(text)!;
    expect(secrets.strike(`They used ${bare} before`)).toBe(`They used [redacted:${kind}] before`);
  });

  test.each(
    (
      "user username user_name login mail email grant_type client_id client_secret scope redirect_uri redirect_url state " +
      "next submit action"
    ).split(" "),
  )("ends a form's value before its field %s", (field) => {
    const secrets = new Secrets();
    secrets.strike(`password=abc123def&${field}=x`);
    expect(secrets.strike("They used abc123def before")).toBe("They used [redacted:password] before");
  });

  test("counts nothing that it only knows", () => {
    const secrets = new Secrets([["own-key-1"]]);
    expect(secrets.placesIn("password: hunter2x99")).toHaveLength(1);
    expect(secrets.counts).toEqual({});
  });

  test("finds what it knows as one search for each does", () => {
    const random = seeded(7);
    const word = (length: number): string =>
      Array.from({ length }, () => "abé"[Math.floor(random() * 3)]).join("");
    for (let round = 0; round < 300; round++) {
      const forms = Array.from({ length: 1 + (round % 40) }, () => word(8 + Math.floor(random() * 9)));
      const text = Array.from({ length: 30 }, () => (random() < 0.3 ? forms[0] : word(4))).join("");
      const places = new Secrets(forms.map((form) => [form])).placesIn(text);
      expect(places.flatMap(unitsOf)).toEqual(unitsOfAll(forms, text));
    }
  });
});

const unitsOf = ({ start, end }: { start: number; end: number }): number[] =>
  Array.from({ length: end - start }, (_, at) => start + at);

function unitsOfAll(forms: string[], text: string): number[] {
  const units = new Set<number>();
  for (const form of forms)
    for (let start = text.indexOf(form); start >= 0; start = text.indexOf(form, start + form.length))
      for (const unit of unitsOf({ start, end: start + form.length })) units.add(unit);
  return [...units].sort((a, b) => a - b);
}

describe("withoutSecrets on hostile input", () => {
  test.each([
    "token:",
    "token*:*",
    "token`:  ",
    "eyJ-",
    "-eyJ",
    "password=a1&b=",
    "?token=a1&b=",
    "-----BEGIN PRIVATE KEY",
    "ab://x:",
    "sk-",
    "--token ",
    'token:"',
    'token="a ',
    "token:\\",
    'token\\"',
    'token="1!',
    "password='a1! ",
    'password:"\\',
    "authorization:token ",
    "pass: a1 ",
    "pwdPwd",
    "pw=1h",
    "password for a b ",
    "password (x) ",
    "api key (",
    "<password ",
    "<token>1! ",
    "password => '1! ",
    "--password='1 ",
    "password ''",
    "identified with x by ",
    "requirepass a1",
    "| password ",
    "|-",
    "| a | password |\n|---|---|\n",
    "net use /user:a ",
    "user:a:",
    "login ",
    "mongo -p ",
    "password -",
    "パスワード：あ",
    "token:\n```\n",
    "app_key:",
    "a(password=1",
  ])("survives 400 KB of %j", (unit) => {
    const text = `${unit.repeat(400_000 / unit.length)} password=hunter2x99 end`;
    expect(withoutSecrets(text)).not.toContain("hunter2x99");
  });

  test("reads what tokens begin with about as fast as other words", () => {
    const timeOf = (unit: string): number => {
      const text = unit.repeat(250_000);
      const startedAt = performance.now();
      expect(withoutSecrets(text)).toBe(text);
      return performance.now() - startedAt;
    };
    // Thirty times as long where each beginning is followed up.
    expect(timeOf("-eyJ") / timeOf("-abc")).toBeLessThan(15);
  });

  // Looked for one by one, each in the whole text, they took minutes.
  test("survives 400 KB of different secrets", () => {
    const values = Array.from({ length: 16_000 }, (_, at) => `a1bc${at}efg`);
    const text = withoutSecrets(values.map((value) => `DB password=${value}`).join("\n"));
    expect(text).toBe(values.map(() => "DB password=[redacted:password]").join("\n"));
  });

  test("survives secrets of which each begins like all others, where all of them begin", () => {
    const secrets = new Secrets(Array.from({ length: 600 }, (_, at) => [`${"a1".repeat(at + 4)}!`]));
    expect(secrets.strike(`${"a1".repeat(20_000)}!`)).toEndWith("[redacted:key]");
  }, 30_000);
});

test("a dry run passes over a record whose address has a secret in its query", async () => {
  const content = `${DISK.content}\nThen \`curl https://acme.io/x?token=abc123def456\`.`;
  const { code, stdout } = await dryRun(rootWith([{ ...DISK, content }]));
  expect(stdout).toContain("Then `curl https://acme.io/x?token=[redacted:url_password]`.\n");
  expect(code).toBe(0);
});

test("a dry run writes nothing but its row", async () => {
  const root = rootWith();
  await dryRun(root);
  expect(readdirSync(join(root, "data/_kb"))).toEqual(["replay_runs.jsonl"]);
  expect(existsSync(join(root, "data/_kb/responses"))).toBe(false);
});
