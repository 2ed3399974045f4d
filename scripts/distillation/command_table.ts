/**
 * The subcommands with their options. Parsing, help and shell completion read this table; so do the tests that hold the README
 * against the program.
 */
import {
  DEFAULT_ESCALATION_MODEL,
  DEFAULT_LOCAL_MODEL,
  DEFAULT_MAX_RETRIES,
  DEFAULT_MAX_TOKENS,
  DEFAULT_POLICY,
  DEFAULT_TEMPERATURE,
  DEFAULT_TIMEOUT_MS,
  DEFAULT_TOP_K,
  DOUBTFUL,
  POLICIES,
  RANKERS,
  SUCCESS_SCORES,
} from "./replay.ts";
import { DEFAULT_EXPERIMENT_SEED, SHELLS, SPLIT_LEVELS } from "./command_line.ts";
import type { Command, Option } from "./command_line.ts";

const HELP: Record<string, Option> = {
  help: { short: "h", help: "show this help and exit" },
  version: { short: "V", help: "show the version and exit" },
};

const TASK: Record<string, Option> = {
  task: { value: "TEXT", help: "the task, in your own words: names, numbers and error text help" },
  "task-file": { value: "FILE", help: "read the task from a file, or from standard input with -" },
};

const CORPUS: Record<string, Option> = {
  corpus: {
    value: "FILE",
    help: "the playbooks, JSONL (default: exports/rag/playbooks.jsonl under the root)",
  },
  root: {
    value: "DIR",
    help: "where exports/ and data/ are (default: $LH_DISTILL_ROOT, else this repository)",
  },
};

const RETRIEVAL: Record<string, Option> = {
  ...CORPUS,
  ranker: { value: "NAME", choices: RANKERS, help: "weighted (default) or jaccard" },
  "top-k": { value: "N", help: `how many playbooks to retrieve, 1 to 1000 (default: ${DEFAULT_TOP_K})` },
  "min-coverage": {
    value: "X",
    help: "retrieve nothing if the best hit covers less of the task, 0 to 1 (default: 0)",
  },
};

const MODEL: Record<string, Option> = {
  model: {
    value: "NAME",
    help: `the local model (default: $LH_REPLAY_LOCAL_MODEL, else ${DEFAULT_LOCAL_MODEL})`,
  },
  "allow-escalation": { help: "ask a larger model once if the gate rejects or doubts, or no model answers" },
  "escalation-model": {
    value: "NAME",
    help: `the larger one (default: $LH_REPLAY_ESCALATION_MODEL, else ${DEFAULT_ESCALATION_MODEL})`,
  },
  "local-only": { help: "never escalate, and record that this was asked for" },
  "max-tokens": { value: "N", help: `the longest answer, in tokens (default: ${DEFAULT_MAX_TOKENS})` },
  temperature: { value: "X", help: `0 to 2 (default: ${DEFAULT_TEMPERATURE})` },
  seed: { value: "N", help: "sent to the model if given" },
  "timeout-ms": {
    value: "N",
    help: `total time for one model, retries included (default: ${DEFAULT_TIMEOUT_MS})`,
  },
  "max-retries": { value: "N", help: `0 to 10, after a failed request (default: ${DEFAULT_MAX_RETRIES})` },
};

export function without(options: Record<string, Option>, ...names: string[]): Record<string, Option> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

const GATE: Record<string, Option> = {
  gate: {
    value: "POLICY",
    choices: POLICIES,
    help: `what the gate insists on: ${POLICIES.join(", ")} (default: ${DEFAULT_POLICY})`,
  },
  threshold: {
    value: "X",
    help: `the score from which an answer is doubtful, 0 to 1 (default: ${DOUBTFUL})`,
  },
};

/** As in ab.ts, which is not loaded for the help; a test holds them together. */
export const ARM_NAMES = "none, retrieval, jaccard, random, filler, extract";

export const COMMANDS: Record<string, Command> = {
  replay: {
    summary: "retrieve, ask the local model, check the answer, record the run",
    usage: '--task "…" [options]',
    options: {
      ...TASK,
      "dry-run": { help: "no network: answer with the bundle itself; the row is marked" },
      "no-retrieval": { help: "the baseline: ask the model without any playbook" },
      ...RETRIEVAL,
      ...MODEL,
      ...GATE,
      json: { help: "print the record as appended instead of the answer" },
      "show-prompt": { help: "print the whole prompt to stderr" },
      quiet: {
        short: "q",
        help: "print on stderr only errors, rejected answers, a cut prompt and replaced secrets",
      },
      ...HELP,
    },
    examples: [
      'distill replay --dry-run --task "FATAL: sorry, too many clients already on db-3"',
      'distill replay --task "pod web-7c9 is in CrashLoopBackOff" --allow-escalation',
    ],
    load: () => import("./commands/replay.ts"),
  },
  retrieve: {
    summary: "show which playbooks match, without asking a model",
    usage: '--task "…" | --tasks FILE [options]',
    options: {
      ...TASK,
      tasks: {
        value: "FILE",
        help: "many tasks, JSONL {task, task_id?, relevant_ids?, exclude_ids?, …}; relevant_ids are scored",
      },
      ...RETRIEVAL,
      json: { help: "one line per task: {task_id, task, coverage, abstained, hits: […]}" },
      ...HELP,
    },
    examples: [
      'distill retrieve --task "disk full but du finds nothing"',
      "distill retrieve --tasks tasks.jsonl --json",
    ],
    load: () => import("./commands/retrieve.ts"),
  },
  gate: {
    summary: "check answers that exist already against their evidence",
    usage: '--task "…" --evidence FILE … < answer | --rows FILE',
    standardInput: "The answer",
    options: {
      ...TASK,
      evidence: {
        value: "FILE",
        multiple: true,
        help: "a text the answer may draw on; may be given several times",
      },
      rows: {
        value: "FILE",
        help: "many answers, JSONL {id, task, evidence, response}, - for standard input",
      },
      calibrate: { help: "with --rows that have a label: what each threshold accepts and rejects wrongly" },
      corpus: { value: "FILE", help: "playbooks in which a fact may stand elsewhere, JSONL (default: none)" },
      ...GATE,
      json: { help: "print JSON (--rows always does, except with --calibrate)" },
      ...HELP,
    },
    examples: [
      'distill gate --task "restart loop of web" --evidence runbook.md < answer.txt',
      "distill gate --rows answers.jsonl",
      "distill gate --rows labelled.jsonl --calibrate",
    ],
    load: () => import("./commands/gate.ts"),
  },
  ab: {
    summary: "run tasks with and without playbooks and report the difference",
    usage: "--tasks FILE [options] | --report-only [options]",
    options: {
      tasks: {
        value: "FILE",
        help: "JSONL {task, task_id?, expects?, rejects?, relevant_ids?, …}; expects: text or /regex/imsu",
      },
      arms: {
        value: "A,B",
        help: `which arms, of ${ARM_NAMES} (default: the first two)`,
      },
      repeat: { value: "N", help: "how often each task is answered in each arm, 1 to 100 (default: 1)" },
      limit: { value: "N", help: "at most this many tasks, in the seeded order (default: all)" },
      skip: {
        value: "N",
        help: "leave out the first N tasks of that order, to try things out on (default: 0)",
      },
      seed: {
        value: "N",
        help: `orders tasks, draws playbooks, resamples; sent to the model (default: ${DEFAULT_EXPERIMENT_SEED})`,
      },
      concurrency: { value: "N", help: "how many tasks at a time, 1 to 64 (default: 1)" },
      "dry-run": { help: "no network: every arm answers with what it would show; the rows are marked" },
      ...without(RETRIEVAL, "ranker"),
      ...without(MODEL, "seed", "local-only"),
      ...GATE,
      report: {
        value: "FILE.md",
        help: "write the report, and the same as an HTML page beside it, FILE.html",
      },
      title: { value: "TEXT", help: "the report's title" },
      notes: { value: "FILE.md", help: "a text of your own for the top of the report" },
      "report-only": { help: "ask no model: make the report again from the rows" },
      rows: {
        value: "FILE",
        multiple: true,
        help: "kept rows, JSONL or JSONL.zst (default: the log); with --report-only each file is a part",
      },
      experiment: {
        value: "ID",
        help: "with --report-only: which experiment of the log (default: the last)",
      },
      keep: { value: "FILE", help: "write the experiment's rows there, compressed if the name ends in .zst" },
      json: { help: "print the figures as JSON" },
      quiet: { short: "q", help: "no progress on stderr" },
      ...HELP,
    },
    examples: [
      "distill ab --tasks data/tasks/starter.jsonl --limit 20 --report reports/ab.md",
      "distill ab --tasks tasks.jsonl --arms none,retrieval,extract --keep runs/tasks.jsonl.zst",
      "distill ab --report-only --rows runs/tasks.jsonl.zst --report reports/ab.md",
    ],
    load: () => import("./commands/ab.ts"),
  },
  import: {
    summary: "turn Markdown runbooks into playbooks and add them to the corpus",
    usage: "PATH… [options]",
    operands: "paths",
    options: {
      split: {
        value: "LEVEL",
        choices: SPLIT_LEVELS,
        help: "one playbook per section instead of one per page: h2 or h3",
      },
      tags: {
        value: "A,B",
        multiple: true,
        help: "for all of them, beside those of front matter and folders",
      },
      score: {
        value: "SCORE",
        choices: SUCCESS_SCORES,
        help: "for pages that do not name one themselves (default: accepted)",
      },
      ...CORPUS,
      "dry-run": { help: "show what would be added and write nothing" },
      json: { help: "print one JSON object: counts, and the records as added" },
      quiet: { short: "q", help: "on stderr only what is wrong: replaced secrets, skipped pages, bad lines" },
      ...HELP,
    },
    examples: [
      "distill import --dry-run docs/runbooks",
      "distill import docs/runbooks --split h2 --tags payments --corpus team.jsonl",
    ],
    load: () => import("./commands/import.ts"),
  },
  corpus: {
    summary: "show what the corpus holds, or check it",
    usage: "[check] [options]",
    operands: ["check"],
    options: {
      ...CORPUS,
      strict: { help: "check: warnings count as errors" },
      json: { help: "print one JSON object" },
      ...HELP,
    },
    examples: ["distill corpus", "distill corpus check --strict --corpus team.jsonl"],
    load: () => import("./commands/corpus.ts"),
  },
  index: {
    summary: "build or check the index that a large corpus is answered from",
    usage: "[options]",
    options: {
      ...CORPUS,
      check: { help: "read all of index and corpus and say what is wrong; write nothing" },
      rebuild: { help: "build it anew in any case" },
      workers: { value: "N", help: "threads that read the corpus, 1 to 16 (default: as many as pay)" },
      quiet: { short: "q", help: "no progress on stderr" },
      ...HELP,
    },
    examples: ["distill index --corpus team.jsonl", "distill index --check"],
    load: () => import("./commands/index_corpus.ts"),
  },
  completion: {
    summary: "print the completion script for your shell",
    usage: SHELLS.join("|"),
    operands: SHELLS,
    options: { ...HELP },
    examples: [
      "source <(distill completion bash)",
      "distill completion fish > ~/.config/fish/completions/distill.fish",
    ],
    load: async () => (await import("./commands/completion.ts")).completionOf(COMMANDS),
  },
};
