/** `distill replay`: the flags of a run, and what is said on stderr while it goes on. */
import {
  ADD_PLAYBOOKS,
  DEFAULT_ESCALATION_MODEL,
  DEFAULT_GATEWAY_URL,
  DEFAULT_LOCAL_MODEL,
  DEFAULT_MAX_RETRIES,
  DEFAULT_MAX_TOKENS,
  DEFAULT_TEMPERATURE,
  DEFAULT_TIMEOUT_MS,
  DistillError,
  counted,
  endpointsFor,
  isAtLimit,
  promptText,
  realDeps,
  replay,
  toJson,
} from "../replay.ts";
import type {
  Attempt,
  AttemptRecord,
  Check,
  Claim,
  GateResult,
  ModelTarget,
  ReplayEvent,
  ReplayOptions,
  ReplayOutcome,
  Support,
} from "../replay.ts";
import {
  EXIT,
  INDEXING_SILENT_MS,
  Progress,
  forStdout,
  fromHere,
  gateOptions,
  indexingLine,
  placeOf,
  printable,
  printableLines,
  rankerOf,
  retrieveOptions,
  seconds,
  taskOf,
  usage,
  variable,
  warner,
} from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
  const options = await replayOptions(flags, io);
  const task = await taskOf(flags, io);
  const watcher = new Watcher(flags, io);
  const outcome = await io
    .interruptible((signal) =>
      replay(task, options, { ...realDeps(), signal, ...io.deps, onEvent: watcher.onEvent }),
    )
    .finally(() => watcher.stopWaiting())
    .catch(orBaseline);
  watcher.summarise(outcome);
  if (flags.on("json")) await io.stdout(`${toJson(outcome.row)}\n`);
  else if (outcome.row.verdict === "pass")
    await io.stdout(forStdout(`${outcome.answer?.replace(/^(?:[ \t]*\n)+/, "").trimEnd()}\n`, io));
  return exitCodeOf(outcome);
}

/** Of a corpus without a playbook: no other command can go on without one. */
function orBaseline(error: unknown): never {
  if (!(error instanceof DistillError) || !error.message.endsWith(ADD_PLAYBOOKS)) throw error;
  const message = error.message.replace(/\.$/, ", or ask for the baseline with --no-retrieval.");
  throw new DistillError(error.code, message, { cause: error });
}

function exitCodeOf({ row, interrupted, appendError }: ReplayOutcome): number {
  if (interrupted) return EXIT.interrupted;
  if (appendError) return EXIT.evidence;
  return { pass: EXIT.accepted, fail: EXIT.rejected, error: EXIT.noAnswer }[row.verdict];
}

export async function replayOptions(flags: Flags, io: Io): Promise<ReplayOptions> {
  if (flags.on("local-only") && flags.on("allow-escalation")) {
    throw usage("--local-only and --allow-escalation exclude each other. Give one of the two.");
  }
  if (flags.text("escalation-model") !== undefined && !flags.on("allow-escalation"))
    warner(io)("--escalation-model does nothing without --allow-escalation.");
  const options: ReplayOptions = {
    ...(await placeOf(flags, io)),
    ...retrieveOptions(flags),
    ranker: rankerOf(flags),
    noRetrieval: flags.on("no-retrieval"),
    dryRun: flags.on("dry-run"),
    localOnly: flags.on("local-only"),
    local: localTarget(flags, io),
    escalation: flags.on("allow-escalation") ? escalationTarget(flags, io) : null,
    ...gateOptions(flags),
    sampling: {
      maxTokens: flags.number("max-tokens", DEFAULT_MAX_TOKENS, { min: 1, max: 1_000_000 }),
      temperature: flags.number("temperature", DEFAULT_TEMPERATURE, { min: 0, max: 2, fraction: true }),
      seed: flags.number("seed", null, { min: -(2 ** 31), max: 2 ** 32 - 1 }),
    },
    timeoutMs: flags.number("timeout-ms", DEFAULT_TIMEOUT_MS, { min: 1, max: 86_400_000 }),
    maxRetries: flags.number("max-retries", DEFAULT_MAX_RETRIES, { min: 0, max: 10 }),
  };
  // Here, so that a wrong URL is told before any work is done.
  for (const target of [options.local, options.escalation]) if (target) endpointsFor(target);
  return options;
}

function localTarget(flags: Flags, io: Io): ModelTarget {
  return {
    role: "local",
    model: flags.text("model") || variable(io, "LH_REPLAY_LOCAL_MODEL") || DEFAULT_LOCAL_MODEL,
    baseUrl: variable(io, "LH_GATEWAY_URL") ?? null,
    key: variable(io, "LH_GATEWAY_KEY") ?? null,
  };
}

/** The gateway's key goes along only where the escalation has the gateway's own origin. */
function escalationTarget(flags: Flags, io: Io): ModelTarget {
  const local = localTarget(flags, io);
  const baseUrl = variable(io, "LH_ESCALATION_URL") ?? local.baseUrl;
  const origin = (url: string | null): string | undefined => URL.parse(url ?? DEFAULT_GATEWAY_URL)?.origin;
  const sharedKey = origin(baseUrl) === origin(local.baseUrl) ? local.key : null;
  return {
    role: "escalation",
    model:
      flags.text("escalation-model") ||
      variable(io, "LH_REPLAY_ESCALATION_MODEL") ||
      DEFAULT_ESCALATION_MODEL,
    baseUrl,
    key: variable(io, "LH_ESCALATION_KEY") ?? sharedKey,
  };
}

/** Says on stderr what a replay does, while it does it, and in the end what came of it. */
class Watcher {
  private timer: Timer | undefined;
  private readonly quiet: boolean;
  private readonly showPrompt: boolean;
  private readonly escalates: boolean;
  private readonly indexing: Progress;
  /** Secrets that were replaced in what was sent, by kind. */
  private sent: Record<string, number> = {};

  constructor(
    flags: Flags,
    private readonly io: Io,
  ) {
    this.indexing = new Progress(io, indexingLine, INDEXING_SILENT_MS);
    this.quiet = flags.on("quiet");
    this.showPrompt = flags.on("show-prompt");
    this.escalates = flags.on("allow-escalation");
  }

  readonly onEvent = (event: ReplayEvent): void => {
    this.stopWaiting();
    if (event.kind === "indexing")
      return this.quiet ? undefined : this.indexing.show(event.done, event.total);
    this.indexing.clear();
    if (event.kind === "started") this.say(`run_id=${event.runId}`);
    if (event.kind === "warning") this.say(event.message);
    if (event.kind === "asking") for (const line of retrievalLines(event)) this.say(line);
    if (event.kind === "asking") this.sent = event.redactions;
    if (event.kind === "asking" && this.showPrompt) {
      this.io.stderr(`${printableLines(promptText(event.prompt))}\n`);
    }
    if (event.kind === "calling") this.wait(event.model, event.endpoint);
    if (event.kind === "retrying")
      this.say(`${event.model}: ${event.error} Trying again in ${seconds(event.waitMs)}.`);
    if (event.kind === "judged") this.tell(event.attempt);
  };

  /** The last lines of a run: who answered, how long it took, the verdict and why. */
  summarise({ row, untaken, appendError }: ReplayOutcome): void {
    if (untaken) this.leave(untaken);
    for (const attempt of row.attempts) {
      // What failed was told when it had.
      if (!attempt.error && !row.dry_run) this.say(callLine(attempt));
      if (attempt.prompt_cut) this.complain(cutPromptLine(attempt));
    }
    this.say(
      `escalation path: ${row.escalation_path.join(" -> ")}${row.dry_run ? " (dry run, not asked)" : ""}`,
    );
    this.say(
      `verdict: ${row.verdict}${row.gate ? ` (${groundingWords(row.gate)})` : ""} in ${seconds(row.duration_ms)}`,
    );
    // What the gate rejected was told with the answer, what went wrong with a call above.
    if (row.verdict === "pass") for (const reason of row.validation_result.reasons) this.say(`  ${reason}`);
    for (const line of redactionLines(row.redactions, this.sent)) this.complain(line);
    if (appendError) this.complain(appendError.message);
  }

  stopWaiting(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.io.stderr("\r\x1b[K");
  }

  /** A line that is rewritten every second while a model works; on a terminal only. */
  private wait(model: string, endpoint: string): void {
    if (this.quiet || !this.io.stderrIsTty) return;
    const startedAt = Date.now();
    const draw = (): void => {
      const waited = Date.now() - startedAt;
      const loading = waited > 5000 ? " (a first call may include loading the model)" : "";
      const line = `[replay] ${model} at ${endpoint} works, ${Math.round(waited / 1000)} s${loading}`;
      this.io.stderr(`\r\x1b[K${printable(line).slice(0, (process.stderr.columns || 80) - 1)}`);
    };
    draw();
    this.timer = setInterval(draw, 1000);
  }

  /** What came of an attempt, as soon as it is known: another may take minutes. */
  private tell(attempt: Attempt): void {
    const { requested_model: model, error } = attempt.reply.record;
    if (error !== null) this.complain(`${model}: ${error}`);
    if (attempt.verdict === "fail") this.reject(attempt);
    if (attempt.doubted && this.escalates) this.doubt(attempt);
  }

  private doubt({ reply, reasons }: Attempt): void {
    if (reply.record.role === "local") this.say(`${reply.record.requested_model} passed, with doubts:`);
    for (const reason of reply.record.role === "local" ? reasons : []) this.say(`  ${reason}`);
  }

  private reject(attempt: Attempt): void {
    this.mark(`rejected answer of ${attempt.reply.record.requested_model}, not to be relied on:`, attempt);
  }

  /** An interrupt made an error of the run, but what has passed was waited for. */
  private leave(attempt: Attempt): void {
    const how = attempt.doubted ? "passed with doubts" : "passed";
    this.mark(`answer of ${attempt.reply.record.requested_model}, ${how}, not taken:`, attempt);
  }

  /** An answer that does not count, each line of it marked, and why. */
  private mark(head: string, { reply, reasons }: Attempt): void {
    const answer = reply.answer?.trim() ?? "";
    this.complain(answer === "" ? `${head} it is empty` : head);
    if (answer !== "") this.io.stderr(`${printableLines(answer).replaceAll(/^/gm, "| ")}\n`);
    for (const reason of reasons) this.complain(`  ${reason}`);
  }

  private say(line: string): void {
    if (!this.quiet) this.complain(line);
  }

  private complain(line: string): void {
    this.io.stderr(`[replay] ${printable(fromHere(line, this.io))}\n`);
  }
}

function retrievalLines({ retrieval, bundle, records }: Extract<ReplayEvent, { kind: "asking" }>): string[] {
  if (!retrieval || !bundle) return ["no retrieval: the model is asked without playbooks, as a baseline"];
  const { hits, ranker, coverage, abstained } = retrieval;
  const found = `retrieved ${hits.length} of ${counted(records, "playbook")} (${ranker}, coverage ${coverage.toFixed(2)})`;
  if (abstained) return [`${found}: too little to go by, so the model is shown none`];
  if (hits.length === 0) return [`${found}: none shares a word with the task, so the model is shown none`];
  const { prior_successful_outputs, failure_patterns, validation_steps, bundle_token_estimate } = bundle;
  const shown = [
    counted(prior_successful_outputs.length, "exemplar"),
    counted(failure_patterns.length, "warning"),
    counted(validation_steps.length, "check"),
  ].join(", ");
  const quoted = [...prior_successful_outputs, ...failure_patterns];
  return [
    `${found}; shown: ${shown}, ~${bundle_token_estimate} tokens`,
    ...quoted.map(({ rag_id, score, success_score }) => `  ${score.toFixed(3)} ${rag_id} (${success_score})`),
  ];
}

/** What was replaced where: a secret that a model made up or repeated is nothing to look for in the task or a runbook. */
function redactionLines(redactions: Record<string, number>, sent: Record<string, number>): string[] {
  const listed = (counts: [kind: string, count: number][]): string =>
    counts.flatMap(([kind, count]) => (count > 0 ? `${count} ${kind}` : [])).join(", ");
  const before = listed(Object.entries(sent));
  const after = listed(Object.entries(redactions).map(([kind, count]) => [kind, count - (sent[kind] ?? 0)]));
  return [
    ...(before ? [`secrets replaced before anything was sent or stored: ${before}`] : []),
    ...(after ? [`secrets replaced in what came back, before it was printed or stored: ${after}`] : []),
  ];
}

function callLine(attempt: AttemptRecord): string {
  const { requested_model, returned_model, usage, duration_ms } = attempt;
  const other =
    returned_model !== null && returned_model !== requested_model
      ? ` (the server says ${returned_model})`
      : "";
  const tokens = usage
    ? `, ${usage.prompt_tokens ?? "?"} tokens in, ${usage.completion_tokens ?? "?"} out`
    : "";
  return `model: ${requested_model}${other}, ${seconds(duration_ms)}${tokens}`;
}

function cutPromptLine({
  requested_model,
  usage,
  prompt_token_estimate,
  finish_reason,
}: AttemptRecord): string {
  const tokens = usage?.prompt_tokens;
  const what = isAtLimit(finish_reason)
    ? `ran into the end of its context (${tokens} tokens in, ${usage?.completion_tokens} out)`
    : `seems to have seen only a part of the prompt (${tokens} tokens counted, about ${prompt_token_estimate} sent)`;
  return `warning: ${requested_model} ${what}. Give the server a larger context.`;
}

/**
 * What the gate looked up, in words. "Nothing to check" is said, never taken for grounded, and an answer that only contradicts
 * its evidence is not said to lack facts.
 */
export function groundingWords({
  grounding,
  claims,
  checks,
}: Pick<GateResult, "grounding" | "claims" | "checks">): string {
  if (grounding === "nothing_to_check") return "nothing to check";
  const head = grounding === "ungrounded" ? ungroundedWords(claims, checks) : grounding;
  // Then there is nothing but the contradiction.
  if (claims.length === 0) return head;
  const count = (...kinds: Support[]): number =>
    claims.filter(({ support }) => kinds.includes(support)).length;
  const [atHand, computed, elsewhere] = [count("task", "retrieved"), count("computed"), count("elsewhere")];
  const found = `${atHand} of ${counted(claims.length, "fact")} found in the task or its evidence`;
  const others = [
    ...(computed > 0 ? [`, ${computed} worked out from them`] : []),
    ...(elsewhere > 0 ? [`, ${elsewhere} elsewhere in the corpus`] : []),
  ];
  return `${head}: ${found}${others.join("")}`;
}

function ungroundedWords(claims: Claim[], checks: Check[]): string {
  const failed = (name: string): boolean => checks.some((check) => check.name === name && !check.passed);
  // Under a policy that does not look for them it is neither.
  const isChecked = checks.some(({ name }) => name === "ungrounded");
  const lacks = isChecked ? failed("ungrounded") : claims.some(({ support }) => support === "nowhere");
  const destroys = failed("destroys");
  return [
    ...(lacks ? ["ungrounded"] : []),
    ...(failed("contradicted") || (!lacks && !destroys) ? ["contradicts its evidence"] : []),
    ...(destroys ? ["destroys what its evidence does not"] : []),
  ].join(", ");
}
