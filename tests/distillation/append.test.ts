import { describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { appendLine, EVIDENCE_LOG, redactSecrets, sha256 } from "../../scripts/distillation/replay.ts";
import {
  CLOCK,
  DISK,
  evidenceRows,
  gateway,
  GOOD_ANSWER,
  completion,
  rootWith,
  run,
  TASK,
  temporaryFolder,
} from "./support.ts";

const dryRun = (root: string, ...flags: string[]) =>
  run(["replay", "--dry-run", "--task", TASK, "--root", root, ...flags]);

describe("the evidence row", () => {
  test("holds the whole run of a passed answer", async () => {
    const root = rootWith();
    await using server = gateway(() => completion(GOOD_ANSWER));
    const now = (() => {
      let ticks = 0;
      return () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + 10 * ticks++);
    })();
    const env = { LH_GATEWAY_URL: server.url, LH_REPLAY_LOCAL_MODEL: "small" };
    const { code, stdout } = await run(["replay", "--task", TASK, "--root", root, "--json"], {
      env,
      deps: { now, uniqueId: () => "0001" },
    });
    const [row] = evidenceRows(root);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(row as never);
    const port = new URL(server.url).port;
    const stable = JSON.parse(stdout.replaceAll(`:${port}/`, ":PORT/"));
    expect(stable).toMatchSnapshot();
    expect(row!.task_hash).toBe(sha256(TASK));
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

  test("stores neither secrets nor their hashes", async () => {
    const root = rootWith([DISK, CLOCK]);
    const task = `${TASK}, DB_PASSWORD=hunter2-hunter2 and postgres://app:s3cr3t@db-3/app`;
    await using server = gateway(() => completion(`${GOOD_ANSWER} The key is sk-gateway-key.`));
    const env = { LH_GATEWAY_URL: server.url, LH_GATEWAY_KEY: "sk-gateway-key" };
    await run(["replay", "--task", task, "--root", root], { env });
    const [row] = evidenceRows(root);
    expect(row!.input_task).toBe(
      `${TASK}, DB_PASSWORD=[redacted:password] and postgres://app:[redacted:url_password]@db-3/app`,
    );
    expect(row!.task_hash).toBe(sha256(row!.input_task));
    expect(row!.response_sha256).toBe(sha256(row!.model_response));
    expect(row!.redactions).toMatchObject({ password: 1, url_password: 1 });
    expect(JSON.stringify(row)).not.toMatch(/hunter2|s3cr3t|sk-gateway-key/);
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

describe("appendLine", () => {
  const file = (): string => join(temporaryFolder(), "log/rows.jsonl");

  test("creates the folder and ends every line", () => {
    const path = file();
    appendLine(path, "one");
    appendLine(path, "two");
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  });

  test("gives a torn last line its newline first", () => {
    const path = file();
    appendLine(path, "one");
    appendFileSync(path, '{"half":');
    appendLine(path, "two");
    expect(readFileSync(path, "utf8")).toBe('one\n{"half":\ntwo\n');
  });

  test("keeps the lines of several writers at once whole", async () => {
    const path = file();
    const script = `import { appendLine } from ${JSON.stringify(join(import.meta.dir, "../../scripts/distillation/replay.ts"))};
      for (let n = 0; n < 100; n++) appendLine(${JSON.stringify(path)}, process.argv[1].repeat(8000));`;
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
    ["a full disk", (log: string) => symlinkSync("/dev/full", log), "ENOSPC"],
    ["a folder in its place", (log: string) => mkdirSync(log), "EISDIR"],
  ] as const;

  test.each(unwritable)("costs exit code 5 and not the answer: %s", async (_, spoil, code) => {
    const root = rootWith();
    const log = join(root, EVIDENCE_LOG);
    mkdirSync(join(log, ".."), { recursive: true });
    spoil(log);
    const plain = await dryRun(root);
    expect(plain.code).toBe(5);
    expect(plain.stdout).toStartWith("Dry run: no model was asked.");
    expect(plain.stderr).toContain(
      `${log}: this run could not be recorded (${code}). Make room or name another --root.`,
    );
    const json = await dryRun(root, "--json");
    expect(json.code).toBe(5);
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: "replay_run.v1", input_task: TASK });
  });

  test("outranks a verdict of fail or error", async () => {
    const root = rootWith();
    mkdirSync(join(root, EVIDENCE_LOG), { recursive: true });
    await using server = gateway(() => completion("I cannot."), () => new Response("", { status: 400 })); // prettier-ignore
    const env = { LH_GATEWAY_URL: `${server.url}/v1` };
    for (const _ of ["fail", "error"])
      expect((await run(["replay", "--task", TASK, "--root", root], { env })).code).toBe(5);
  });
});

describe("redactSecrets", () => {
  test.each([
    ["-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[redacted:private_key]"],
    ["AKIAIOSFODNN7EXAMPLE", "[redacted:aws_key]"],
    [`ghp_${"a1".repeat(18)}`, "[redacted:github_token]"],
    ["glpat-abcdefghij0123456789", "[redacted:gitlab_token]"],
    ["xoxb-1234567890-abc", "[redacted:slack_token]"],
    ["sk-abcdefghij0123456789", "[redacted:api_key]"],
    ["Authorization: Bearer abcdefghijkl0123", "Authorization: Bearer [redacted:bearer]"],
    ["https://user:pa55@host/x", "https://user:[redacted:url_password]@host/x"],
    ["password: hunter2x", "password: [redacted:password]"],
    ['"api_key": "abc123def"', '"api_key": "[redacted:password]"'],
    ["PGPASSWORD=s3cret! psql", "PGPASSWORD=[redacted:password] psql"],
  ])("replaces %j", (text, expected) => {
    const kinds: string[] = [];
    expect(redactSecrets(text, (kind) => kinds.push(kind))).toBe(expected);
    expect(kinds).toHaveLength(1);
    expect(redactSecrets(expected)).toBe(expected);
  });

  test.each([
    "password: $DB_PASSWORD",
    "password=<your-password-1>",
    "Password: check whether it expired",
    "postgres://app:$PW@db/app",
    "token bucket of 100 tokens",
    "kubectl get secret web-tls-1 -o yaml",
  ])("leaves %j alone", (text) => {
    expect(redactSecrets(text)).toBe(text);
  });
});

test("a dry run writes nothing but its row", async () => {
  const root = rootWith();
  await dryRun(root);
  expect(readdirSync(join(root, "data/_kb"))).toEqual(["replay_runs.jsonl"]);
  expect(existsSync(join(root, "data/_kb/responses"))).toBe(false);
});
