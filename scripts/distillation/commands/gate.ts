/** `distill gate`: answers that exist already, one or a file of them, and what each threshold would let pass. */
import type { CalibrationLine, LabelledAnswer, Rate } from "../calibrate.ts";
import {
  DistillError,
  GATE_DEFAULTS,
  gate,
  isObject,
  isStringArray,
  nameOf,
  readText,
  recordSource,
  sha256,
  shown,
  taskSource,
  toJson,
} from "../replay.ts";
import type { Claim, GateResult } from "../replay.ts";
import {
  EXIT,
  corpusOf,
  fileOf,
  forStdout,
  gateOptions,
  nonEmpty,
  readRows,
  taskOf,
  usage,
  warner,
} from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";
import { groundingWords } from "./replay.ts";

interface AnswerRow {
  id: string | number;
  task: string;
  evidence: string[];
  response: string;
}

export async function run(flags: Flags, io: Io): Promise<number> {
  const file = flags.text("rows");
  if (flags.on("calibrate") && file === undefined)
    throw usage("--calibrate: needs rows with labels. Name them with --rows FILE.");
  const judge = await judgeOf(flags, io);
  if (file === undefined) return gateOne(judge, flags, io);
  if ((flags.text("task") ?? flags.text("task-file") ?? flags.texts("evidence")[0]) !== undefined) {
    throw usage("--rows goes without --task and --evidence: each row brings its own.");
  }
  let bad = 0;
  const warn = (message: string): void => (bad++, warner(io)(message));
  const path = fileOf(file, io);
  if (flags.on("calibrate")) {
    const answers = readRows(path, (value) => toLabelledAnswer(value, judge), warn);
    await io.stdout(await calibrationOf(await Array.fromAsync(answers), flags));
  } else {
    for await (const row of readRows(path, toAnswerRow, warn))
      if (!(await io.stdout(`${toJson(rowOut(row, judge(row)))}\n`))) return EXIT.accepted;
  }
  return bad > 0 ? EXIT.input : EXIT.accepted;
}

function toAnswerRow(value: Record<string, unknown>): AnswerRow | string {
  const { id, task, evidence, response } = value;
  if (typeof id !== "string" && typeof id !== "number") return mustBe("id", "a string or a number", id);
  if (typeof task !== "string") return mustBe("task", "a string", task);
  if (typeof response !== "string") return mustBe("response", "a string", response);
  const texts = typeof evidence === "string" ? [evidence] : evidence;
  if (!isStringArray(texts)) return mustBe("evidence", "a string or an array of strings", evidence);
  return { id, task, evidence: texts, response };
}

const mustBe = (field: string, expected: string, value: unknown): string =>
  `"${field}" must be ${expected} (got ${shown(value)}). Fix the row or drop it.`;

type Judge = (row: AnswerRow) => GateResult;

/** The gate as the flags set it; a corpus is read only where one is named. Without a model there is no form to insist on. */
async function judgeOf(flags: Flags, io: Io): Promise<Judge> {
  const { policy, doubtThreshold: threshold } = gateOptions(flags);
  const corpus = flags.text("corpus");
  const opened = corpus === undefined ? null : await corpusOf(flags, io, "weighted");
  const elsewhere = opened && opened.elsewhere;
  return ({ task, evidence, response }) => {
    const sources = [
      taskSource(task),
      ...evidence.map((text, index) => recordSource(`evidence:${index}`, text)),
    ];
    return gate({
      ...GATE_DEFAULTS,
      answer: response,
      sources,
      policy,
      threshold,
      elsewhere,
      without: "form",
    });
  };
}

function rowOut({ id }: AnswerRow, result: GateResult): object {
  const { verdict, grounding, score, doubtful, checks, claims, version, policy, threshold } = result;
  return { id, verdict, grounding, score, doubtful, checks, claims, version, policy, threshold };
}

async function gateOne(judge: Judge, flags: Flags, io: Io): Promise<number> {
  if (flags.text("task-file") === "-")
    throw usage("--task-file: standard input is the answer here. Name a file.");
  if (flags.texts("evidence").includes("-"))
    throw usage("--evidence: standard input is the answer here. Name a file.");
  const task = await taskOf(flags, io);
  const files = flags.texts("evidence");
  const evidence = await Promise.all(files.map((file) => evidenceIn(fileOf(file, io))));
  const response = nonEmpty(
    await readText("-"),
    new DistillError("input", "standard input: the answer is empty."),
  );
  const row = { id: sha256(task).slice(0, 16), task, evidence, response };
  const result = judge(row);
  const text = flags.on("json") ? `${toJson(rowOut(row, result))}\n` : gateReport(response, result, files);
  await io.stdout(forStdout(text, io));
  return result.verdict === "fail" ? EXIT.rejected : EXIT.accepted;
}

/** An empty file is a mistake: the gate would have nothing to check by, and pass. @throws DistillError `input` */
const evidenceIn = async (path: string): Promise<string> =>
  nonEmpty(
    await readText(path),
    new DistillError("input", `${path}: the evidence is empty. Name a file with text in it.`),
  );

/** The verdict, the answer with unsupported facts marked, what the checks found, and where each fact stands. */
function gateReport(
  answer: string,
  { verdict, checks, claims, ...result }: GateResult,
  files: string[],
): string {
  const place = ({ supported_by, support_offset, working }: Claim): string => {
    if (supported_by === null) return working ?? "NOT FOUND";
    const [, file] = /^evidence:(\d+)$/.exec(supported_by) ?? [];
    return `${file === undefined ? supported_by : files[Number(file)]} at ${support_offset}`;
  };
  const found = checks.flatMap(({ passed, name, severity, reason }) =>
    passed ? [] : `  ${severity.padEnd(4)} ${name}: ${reason}`,
  );
  const rows = claims.map(
    (claim) => `  ${claim.kind.padEnd(10)} ${claim.text.replaceAll(/\s+/g, " ")}  <- ${place(claim)}`,
  );
  const doubt = `${result.doubtful ? "doubtful, " : ""}score ${result.score.toFixed(2)}`;
  const head = `${verdict} (${groundingWords({ ...result, checks, claims })}; ${doubt})`;
  return `${[head, ...found, "", marked(answer.trimEnd(), claims), "", ...rows].join("\n").trimEnd()}\n`;
}

/** The answer with ⟪ ⟫ around every fact that stands nowhere. */
function marked(answer: string, claims: Claim[]): string {
  let text = "";
  let from = 0;
  for (const { offset, text: fact, support } of claims) {
    if (support !== "nowhere") continue;
    text += `${answer.slice(from, offset)}⟪${fact}⟫`;
    from = offset + fact.length;
  }
  return text + answer.slice(from);
}

async function calibrationOf(answers: LabelledAnswer[], flags: Flags): Promise<string> {
  if (answers.length === 0)
    throw new DistillError(
      "input",
      `${nameOf(flags.text("rows")!)}: no row to compare thresholds by. Correct those named above.`,
    );
  const { doubtThreshold } = gateOptions(flags);
  const { calibrate } = await import("../calibrate.ts");
  const lines = calibrate(answers, doubtThreshold);
  return flags.on("json")
    ? lines.map((line) => `${toJson(line)}\n`).join("")
    : calibrationTable(lines, answers);
}

const GOOD_LABELS = ["supported", "accept", "accepted", "good"];

const BAD_LABELS = ["hallucinated", "reject", "rejected", "bad"];

/** A row to judge, or one that was: a line of the log, or of what `gate --rows` printed, with a label added. */
function toLabelledAnswer(value: Record<string, unknown>, judge: Judge): LabelledAnswer | string {
  const { label } = value;
  if (typeof label !== "string" || ![...GOOD_LABELS, ...BAD_LABELS].includes(label))
    return mustBe("label", `${GOOD_LABELS.join(", ")}, or ${BAD_LABELS.join(", ")}`, label);
  if (value.verdict === "error") return "no model answered, so there is nothing to judge. Drop the row.";
  const isGood = GOOD_LABELS.includes(label);
  const judged = isObject(value.gate) ? value.gate : value;
  if (typeof judged.score === "number" && typeof judged.verdict === "string")
    return { isGood, score: judged.score, failed: judged.verdict !== "pass" };
  const row = toAnswerRow({ id: "", ...value });
  if (typeof row === "string") return row;
  const { score, verdict } = judge(row);
  return { isGood, score, failed: verdict === "fail" };
}

function calibrationTable(lines: CalibrationLine[], answers: LabelledAnswer[]): string {
  const good = answers.filter((answer) => answer.isGood).length;
  const rate = ({ count, of, low, high }: Rate): string => {
    const share = of === 0 ? "-" : `${(100 * (count / of)).toFixed(1)} %`;
    return `${share.padStart(7)}  [${(100 * low).toFixed(1).padStart(4)}, ${(100 * high).toFixed(1).padStart(5)}]`;
  };
  // A threshold with more than two is shown as it was given.
  const digits = (threshold: number): string =>
    String(threshold).length > 4 ? String(threshold) : threshold.toFixed(2);
  const rows = lines.map(
    ({ threshold, is_default, false_accept, false_reject }) =>
      `${is_default ? "*" : " "} ${digits(threshold).padEnd(6)} ${rate(false_accept)}   ${rate(false_reject)}`,
  );
  return `${good} good and ${answers.length - good} bad answers. An answer is counted as rejected where a check fails it, or where its score
reaches the threshold and it is doubted; in brackets the 95 % Wilson interval. * is the threshold in use.

threshold  false accepts            false rejects
${rows.join("\n")}
`;
}
