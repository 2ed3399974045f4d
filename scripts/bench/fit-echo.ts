/**
 * Fits the threshold of the check `echo`: the share of copied words that best tells parrots from honest answers.
 *
 *   ./scripts/bun scripts/bench/fit-echo.ts --playbooks FILE --tasks FILE [--data DIR]
 *
 * Parrots are made: for each task the passage of the best exemplar as the prompt shows it, behind two sentences of the
 * model's own. Honest are the answers of the grounding sets whose label is good, held against their own evidence. Best is
 * Youden's J, the share of parrots caught minus the share of honest answers hit.
 */
import { parseArgs } from "node:util";

import {
  buildBundle,
  buildPrompt,
  DEFAULT_TOP_K,
  DistillError,
  ECHO_RUN,
  ECHO_SHARE,
  indexCorpus,
  isObject,
  loadCorpus,
  promptText,
  readJsonLines,
  retrieve,
} from "../distillation/replay.ts";
import { copiedShare, wordsOf } from "../distillation/wording.ts";
import { dataFolder, readSets } from "./grounding.ts";

const LEAD_IN =
  "The likely cause and the way out of it are described below. Here are the steps that fix the problem:";

const echoOf = (answer: string, shown: string): number =>
  copiedShare(wordsOf(answer), wordsOf(shown), ECHO_RUN);

async function parrots(playbooks: string, tasks: string): Promise<number[]> {
  const index = indexCorpus((await loadCorpus(playbooks, () => {})).records, "weighted");
  const shares: number[] = [];
  for await (const line of readJsonLines(tasks)) {
    if (!("value" in line) || !isObject(line.value)) continue;
    const task = String(line.value.task);
    const bundle = buildBundle(retrieve(task, index, { topK: DEFAULT_TOP_K, minCoverage: 0 }));
    const [best] = bundle.prior_successful_outputs;
    if (best === undefined) continue;
    shares.push(echoOf(`${LEAD_IN}\n${best.content_preview}`, promptText(buildPrompt(task, bundle))));
  }
  return shares;
}

const shareFrom = (shares: number[], threshold: number): number =>
  shares.filter((share) => share >= threshold).length / shares.length;

const { values } = parseArgs({
  options: {
    playbooks: { type: "string" },
    tasks: { type: "string" },
    data: { type: "string" },
  },
});

async function fit({ playbooks, tasks }: { playbooks: string; tasks: string }): Promise<void> {
  const copied = await parrots(playbooks, tasks);
  const rows = (await readSets(dataFolder(values.data))).filter(
    (row) => !row.bad && row.set !== "synth-tech",
  );
  const honest = rows.map(({ task, evidence, response }) => echoOf(response, `${task}\n${evidence}`));
  if (copied.length === 0 || honest.length === 0)
    throw new DistillError(
      "input",
      `${copied.length} parrots and ${honest.length} honest answers: nothing to fit.`,
    );
  const grid = Array.from({ length: 17 }, (_, step) => (10 + 5 * step) / 100);
  const lines = grid.map((threshold) => {
    const caught = shareFrom(copied, threshold);
    const hit = shareFrom(honest, threshold);
    return { threshold, caught, hit, worth: caught - hit };
  });
  console.log(
    `${copied.length} parrots, ${honest.length} honest answers\nthreshold  parrots caught  honest hit`,
  );
  for (const { threshold, caught, hit } of lines)
    console.log(`     ${threshold.toFixed(2)}           ${caught.toFixed(3)}       ${hit.toFixed(3)}`);
  const best = lines.reduce((a, b) => (b.worth > a.worth ? b : a));
  console.log(`\nECHO_SHARE = ${best.threshold}; the code has ${ECHO_SHARE}.`);
}

const { playbooks, tasks } = values;
if (playbooks === undefined || tasks === undefined) {
  console.error("fit-echo: name the corpus with --playbooks FILE and its tasks with --tasks FILE.");
  process.exitCode = 2;
} else
  await fit({ playbooks, tasks }).catch((error) => {
    if (!(error instanceof DistillError)) throw error;
    console.error(error.message);
    process.exitCode = 3;
  });
