/** Rows of an experiment for the tests of its report, each with only what a test is about. */
import type {
  AttemptRecord,
  Claim,
  EvidenceRow,
  Outcomes,
  RetrievedPlaybook,
} from "../../scripts/distillation/replay.ts";

const PLAIN: Outcomes = {
  unsupported: 0,
  supported: 0,
  supported_share: null,
  truncated: false,
  chars: 100,
  tokens_in: 300,
  tokens_out: 50,
  latency_ms: 1500,
  echo: 0,
  expects_met: null,
  rejects_said: null,
  relevant_f1: null,
  relevant_found: null,
  relevant_shown: null,
};

export interface TrialFields {
  arm: string;
  task: string;
  repeat?: number;
  position?: number;
  /** Null: no model answered. */
  outcomes?: Partial<Outcomes> | null;
  verdict?: EvidenceRow["verdict"];
  answer?: string;
  claims?: Claim[];
  attempts?: AttemptRecord[];
  shown?: string[];
  leftOut?: string[];
  taskInTopHit?: number;
  recordedAt?: string;
  command?: string;
}

export function attempt(fields: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    role: "local",
    requested_model: "small",
    returned_model: "small-q4",
    system_fingerprint: "b1",
    endpoint: null,
    provider: null,
    status: 200,
    retries: 0,
    requests: [],
    duration_ms: 1500,
    finish_reason: "stop",
    usage: null,
    prompt_token_estimate: 300,
    prompt_cut: false,
    reasoning_chars: 0,
    error: null,
    verdict: "pass",
    reasons: [],
    response_sha256: "",
    response: null,
    gate: null,
    ...fields,
  };
}

/** A fact at its first place in the answer. */
export function claim(answer: string, text: string, support: Claim["support"]): Claim {
  const offset = answer.indexOf(text);
  return {
    kind: "code",
    text,
    offset,
    weight: 1,
    support,
    supported_by: null,
    support_offset: null,
    working: null,
  };
}

const passage = (id: string): RetrievedPlaybook => ({
  rag_id: id,
  source_run_id: `run:${id}`,
  title: id,
  content_preview: "",
  success_score: "accepted",
  tags: [],
  score: 0.5,
});

const bundleOf = (shown: string[]): EvidenceRow["context_bundle"] =>
  shown.length === 0
    ? null
    : {
        retrieved_playbooks: shown.map(passage),
        prior_successful_outputs: shown.map(passage),
        failure_patterns: [],
        commands: [],
        validation_steps: [],
        held_back: [],
        bundle_token_estimate: 100,
      };

const gateOf = (claims: Claim[], verdict: EvidenceRow["verdict"]): EvidenceRow["gate"] => ({
  version: "3",
  policy: "standard",
  verdict: verdict === "pass" ? "pass" : "fail",
  grounding: "grounded",
  score: 0.1,
  threshold: 0.41,
  doubtful: false,
  checks: [],
  claims,
  evidence_ids: [],
});

export function trialRow(fields: TrialFields): EvidenceRow {
  const { arm, task, repeat = 0, outcomes = {}, answer = "An answer.", claims = [], shown = [] } = fields;
  const verdict = fields.verdict ?? (outcomes === null ? "error" : "pass");
  const attempts = fields.attempts ?? [attempt({ verdict })];
  return {
    schema: "replay_run.v1",
    recorded_run_id: `run-${task}-${arm}-${repeat}`,
    recorded_at: fields.recordedAt ?? "2026-05-01T10:00:00.000Z",
    duration_ms: 1500,
    input_task: `What about ${task}?`,
    task_hash: task,
    dry_run: false,
    local_only: true,
    allow_escalation: attempts.length > 1,
    no_retrieval: arm === "none",
    ranker: "weighted",
    corpus: {
      path: "exports/rag/playbooks.jsonl",
      answered_by: "scan",
      records: 176,
      skipped: 0,
      superseded: 0,
      sha256: "0123456789abcdef".repeat(4),
      parts: null,
    },
    retrieved_artifacts: { rag_ids: shown, coverage: 0.5, abstained: false },
    context_bundle: bundleOf(shown),
    prompt_version: "1",
    prompt_sha256: "",
    sampling: { max_tokens: 1500, temperature: 0.1, seed: 1 + repeat },
    attempts,
    escalation_path: attempts.map((one) => one.requested_model),
    model_used: attempts.at(-1)!.requested_model,
    model_response: outcomes === null ? "" : answer,
    response_sha256: "",
    verdict,
    validation_result: { passed: verdict === "pass", reasons: [] },
    gate: outcomes === null ? null : gateOf(claims, verdict),
    redactions: {},
    experiment: {
      id: "ab:0123456789ab",
      arm,
      task_id: task,
      repeat,
      position: fields.position ?? 0,
      command: fields.command ?? "ab --tasks tasks.jsonl",
      ran_on: "Bun 1.4.5, linux x64",
      left_out: fields.leftOut ?? [],
      task_in_top_hit: fields.taskInTopHit ?? 0,
      outcomes: outcomes && { ...PLAIN, chars: answer.length, ...outcomes },
    },
  };
}

/** Two rows a task: what `none` and what `retrieval` met of its expectations. */
export const metPairs = (pairs: [number, number][]): EvidenceRow[] =>
  pairs.flatMap(([none, retrieval], at) => [
    trialRow({ arm: "none", task: `t${at}`, position: at % 2, outcomes: { expects_met: none } }),
    trialRow({
      arm: "retrieval",
      task: `t${at}`,
      position: (at + 1) % 2,
      outcomes: { expects_met: retrieval },
    }),
  ]);
