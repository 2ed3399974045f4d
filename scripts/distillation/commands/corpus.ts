/** `distill corpus` and `distill corpus check`. */
import type { CorpusSurvey, Count, Finding } from "../corpus.ts";
import { counted, MAX_NAMED_LINES, skippedLine, toJson } from "../replay.ts";
import { EXIT, columns, forStdout, fromHere, placeOf, printable, usage, warner } from "../command_line.ts";
import type { Flags, Io } from "../command_line.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
  if (flags.words[0] === "check") return runCheck(flags, io);
  if (flags.on("strict")) throw usage("--strict goes with check: distill corpus check --strict.");
  const { readCorpusLines, surveyCorpus } = await import("../corpus.ts");
  const corpus = await readCorpusLines((await placeOf(flags, io)).corpusPath);
  const survey = surveyCorpus(corpus);
  const text = flags.on("json") ? `${toJson({ path: corpus.path, ...survey })}\n` : surveyTable(survey);
  await io.stdout(forStdout(text, io));
  const warn = warner(io);
  const { path, bad } = corpus;
  for (const { line, problem } of bad.slice(0, MAX_NAMED_LINES)) warn(`${path}:${line}: ${problem}`);
  if (bad.length > MAX_NAMED_LINES) warn(skippedLine(path, bad.length, survey.records));
  return survey.records > 0 ? EXIT.accepted : EXIT.input;
}

async function runCheck(flags: Flags, io: Io): Promise<number> {
  const { checkCorpus, readCorpusLines } = await import("../corpus.ts");
  const corpus = await readCorpusLines((await placeOf(flags, io)).corpusPath);
  const findings = checkCorpus(corpus, { isStrict: flags.on("strict") });
  const errors = findings.filter((finding) => finding.severity === "error").length;
  const warnings = findings.length - errors;
  const [records, skipped, superseded] = [corpus.records, corpus.bad, corpus.superseded].map(
    (list) => list.length,
  );
  const path = fromHere(corpus.path, io);
  const text = flags.on("json")
    ? toJson({ path: corpus.path, records, skipped, superseded, errors, warnings, findings })
    : [
        ...findings.map((finding) => findingLine(path, finding)),
        `${path}: ${counted(records!, "playbook")}, ${counted(errors, "error")}, ${counted(warnings, "warning")}; ${counted(superseded!, "superseded line")}`,
      ].join("\n");
  await io.stdout(forStdout(`${text}\n`, io));
  return errors > 0 ? EXIT.input : EXIT.accepted;
}

function findingLine(path: string, { line, severity, id, message }: Finding): string {
  return `${path}:${line}: ${severity}: ${id === null ? "" : `${printable(id)}: `}${printable(message)}`;
}

/** Tags that the table shows; all of them are in --json. */
const TABLE_TAGS = 20;

function surveyTable(survey: CorpusSurvey): string {
  const { records, skipped, superseded, chars, with_checks, imported, by_tag } = survey;
  const named = (counts: Count[]): string =>
    counts.map(({ name, records }) => `${printable(name)} ${records}`).join(", ");
  const more = by_tag.length > TABLE_TAGS ? `, and ${by_tag.length - TABLE_TAGS} more` : "";
  return `${counted(records, "playbook")}, ${counted(skipped, "bad line")}, ${counted(superseded, "superseded line")}
${columns([
  ["score", named(survey.by_score)],
  ["category", named(survey.by_category)],
  ["tags", by_tag.length === 0 ? "(none)" : named(by_tag.slice(0, TABLE_TAGS)) + more],
  ["characters", `${chars.min} to ${chars.max}, median ${chars.median}, nine of ten up to ${chars.p90}`],
  ["checks", `in ${with_checks} of ${records}`],
  ["imported", String(imported)],
])}
`;
}
