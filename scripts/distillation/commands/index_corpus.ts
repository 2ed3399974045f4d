/** `distill index`. */
import type { IndexFile } from "../corpus_index.ts";
import { counted } from "../replay.ts";
import {
  EXIT,
  INDEXING_SILENT_MS,
  Progress,
  forStdout,
  fromHere,
  indexingLine,
  placeOf,
  seconds,
  sized,
  usage,
  warner,
} from "../command_line.ts";
import type { Flags, Io, Place } from "../command_line.ts";

export async function run(flags: Flags, io: Io): Promise<number> {
  if (flags.on("check") && flags.on("rebuild"))
    throw usage("--check and --rebuild exclude each other. Give one of the two.");
  if (flags.on("check") && flags.text("workers") !== undefined)
    throw usage("--workers does nothing with --check. Leave one of the two out.");
  const request = await placeOf(flags, io);
  const corpus = fromHere(request.corpusPath, io);
  const { checkIndex, updateIndex } = await import("../build_index.ts");
  if (flags.on("check")) {
    const { problems, found } = await checkIndex(request);
    const index = fromHere(found.path, io);
    const advice = `Run distill ${flags.line(["check"])} --rebuild.`;
    const lines = problems.map((problem) => `${index}: ${problem}. ${advice}`);
    const whole = `${index}: whole, and made of ${corpus} as it stands`;
    await io.stdout(forStdout(`${lines.join("\n") || whole}\n`, io));
    // An index of another state knows the lines of that.
    return problems.length > 0 ? EXIT.input : sayBadLines(request, found.index!, io);
  }
  const startedAt = Date.now();
  const progress = new Progress(io, indexingLine, flags.on("quiet") ? Infinity : INDEXING_SILENT_MS);
  const hooks = { warn: warner(io), onProgress: progress.show };
  const workers = flags.number("workers", undefined, { min: 1, max: 16 });
  const update = await updateIndex({ ...request, rebuild: flags.on("rebuild"), workers }, hooks).finally(
    progress.clear,
  );
  const { header, file } = update.index;
  const what = `${counted(header.live, "playbook")} in ${sized(file.length)}, ${fromHere(update.path, io)}`;
  const done =
    update.change === "unchanged" ? "up to date" : `${update.change} in ${seconds(Date.now() - startedAt)}`;
  await io.stdout(forStdout(`${corpus}: ${done}: ${what}\n`, io));
  return sayBadLines(request, update.index, io);
}

/** Names the bad lines of an indexed corpus as retrieve does. Returns the exit code: 3 where there is no playbook. */
async function sayBadLines({ corpusPath }: Place, index: IndexFile, io: Io): Promise<number> {
  const { corpusOver } = await import("../corpus_index.ts");
  const warn = warner(io);
  const corpus = await corpusOver({ path: corpusPath, index, ranker: "weighted" }, warn);
  if (corpus === null || corpus.size > 0) return EXIT.accepted;
  warn(`${corpusPath}: there is no playbook in it. Add some, for example with import.`);
  return EXIT.input;
}
