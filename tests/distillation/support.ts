/** What the tests share: factories, a scripted HTTP server in place of a gateway, and `main` with its streams captured. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export { seeded } from "../../scripts/distillation/statistics.ts";
import { main } from "../../scripts/distillation/distill.ts";
import type { Io } from "../../scripts/distillation/command_line.ts";
import { errorCode, EVIDENCE_LOG } from "../../scripts/distillation/replay.ts";
import type { Deps, EvidenceRow, Playbook } from "../../scripts/distillation/replay.ts";

export const REPOSITORY = join(import.meta.dir, "../..");

export function playbook(fields: Partial<Playbook> = {}): Playbook {
  const id = fields.id ?? "p";
  return {
    id,
    title: `Title of ${id}`,
    content: `Content of ${id}.`,
    source_run_id: `run:${id}`,
    success_score: "accepted",
    tags: [],
    source_category: "runbook",
    ...fields,
  };
}

/** The two playbooks that most tests work with, and a task that the first of them answers. */
export const DISK = playbook({
  id: "linux/deleted-open-files",
  title: "Disk full although du finds nothing",
  content: [
    "`df -h /var` says 100 %, `du -xsh /var` adds up to far less.",
    "A process holds deleted files open: list them with `lsof +L1`.",
    "Restart the process that holds them, for example `systemctl restart rsyslog`.",
    "",
    "- Verify that `df -h /var` falls below 80 % after the restart.",
    "- Check that `lsof +L1` lists nothing larger than 1 GiB.",
  ].join("\n"),
  tags: ["linux", "disk"],
});

export const CLOCK = playbook({
  id: "linux/clock-skew",
  title: "Clock skew breaks tokens",
  content:
    "`chronyc tracking` shows an offset above 500 ms. Step it with `chronyc makestep`.\n- Confirm that the offset is under 10 ms.",
  tags: ["linux", "time"],
});

export const TASK = "disk full on /var of host db-3 although du finds nothing";

/** Grounded in DISK and TASK, long enough, and takes up a check. */
export const GOOD_ANSWER =
  "A process on db-3 still holds deleted files open. List them with `lsof +L1`, restart the one that holds most with `systemctl restart rsyslog`, and see that `df -h /var` falls below 80 %.";

/** The same with a path and a flag that stand nowhere. */
export const INVENTED_ANSWER =
  "A process on db-3 still holds deleted files open. Remove them with `rm -rf --purge-now /opt/cache/blobs` and restart the one that holds most with `systemctl restart rsyslog`.";

/** One folder a run, in the system's place for what may be thrown away, named after its process. */
const SCRATCH = join(tmpdir(), `distill-tests-${process.pid}`);

// Nothing runs behind the last test of the last file, so a run takes away what those before it have left.
for (const name of readdirSync(tmpdir())) {
  const pid = /^distill-tests-(\d+)$/.exec(name)?.[1];
  if (pid && (Number(pid) === process.pid || !isRunning(Number(pid))))
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
}
mkdirSync(SCRATCH);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's, and not ours to take away.
    return errorCode(error) === "EPERM";
  }
}

export const temporaryFolder = (): string => mkdtempSync(join(SCRATCH, "t-"));

export function writeFile(path: string, text: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

export const jsonl = (rows: unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** A root of its own with a corpus in it. */
export function rootWith(playbooks: Playbook[] = [DISK, CLOCK]): string {
  const root = temporaryFolder();
  writeFile(join(root, "exports/rag/playbooks.jsonl"), jsonl(playbooks));
  return root;
}

export function evidenceRows(root: string): EvidenceRow[] {
  let text: string;
  try {
    text = readFileSync(join(root, EVIDENCE_LOG), "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => (line === "" ? [] : JSON.parse(line)));
}

export interface Received {
  path: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

/** A chat completion as most servers send it. */
export function completion(content: unknown, fields: Record<string, unknown> = {}): Response {
  return Response.json({
    model: "served-model",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 400, completion_tokens: 60 },
    ...fields,
  });
}

export const answered = (content: unknown, choice: Record<string, unknown> = {}): Response =>
  completion(content, {
    choices: [{ message: { role: "assistant", content }, finish_reason: "stop", ...choice }],
  });

/** A real HTTP server that gives its replies in order, the last one for ever, and keeps what it was sent. */
export function gateway(...replies: ((request: Received) => Response | Promise<Response>)[]) {
  const received: Received[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const text = await request.text();
      const entry = {
        path: new URL(request.url).pathname,
        headers: request.headers.toJSON(),
        body: text ? JSON.parse(text) : {},
      };
      received.push(entry);
      return replies[Math.min(received.length, replies.length) - 1]!(entry);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, received, [Symbol.asyncDispose]: () => server.stop(true) };
}

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  tty?: boolean;
  deps?: Partial<Deps>;
  signal?: AbortSignal;
  /** Called with what is told on stderr, as it is told. */
  onStderr?: (text: string) => void;
}

/** `main` in this process, with both streams captured, a clean environment and no pauses between retries. */
export async function run(
  argv: string[],
  { env = {}, cwd = temporaryFolder(), tty = false, deps, signal, onStderr }: RunOptions = {},
): Promise<Run> {
  const streams = { stdout: "", stderr: "" };
  const io: Io = {
    stdout: async (text) => {
      streams.stdout += text;
      return true;
    },
    stderr: (text) => {
      streams.stderr += text;
      onStderr?.(text);
    },
    stdoutIsTty: tty,
    stderrIsTty: tty,
    env,
    cwd,
    interruptible: (work) => work(signal ?? new AbortController().signal),
    deps: { sleep: async () => {}, random: () => 0, ...deps },
  };
  const code = await main(argv, io);
  return { code, ...streams };
}

/** The real command in a process of its own. */
export async function spawn(
  argv: string[],
  {
    env = {},
    cwd = REPOSITORY,
    stdin = "",
  }: { env?: Record<string, string>; cwd?: string; stdin?: string } = {},
): Promise<Run> {
  const child = Bun.spawn(argv, {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: temporaryFolder(), ...env },
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** A text to be looked into, however its lines are wrapped. */
export const onOneLine = (text: string): string => text.replaceAll(/\s+/g, " ");
