import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { loadCorpus, readJsonLines } from "../../scripts/distillation/replay.ts";
import type { JsonLine } from "../../scripts/distillation/replay.ts";
import { jsonl, playbook, temporaryFolder, writeFile } from "./support.ts";

const corpusFile = (text: string | Uint8Array): string =>
  writeFile(join(temporaryFolder(), "corpus.jsonl"), text);

async function load(text: string | Uint8Array) {
  const problems: string[] = [];
  const path = corpusFile(text);
  const corpus = await loadCorpus(path, (message) => problems.push(message.replace(path, "FILE")));
  return { ...corpus, ids: corpus.records.map((record) => record.id), problems };
}

const A = JSON.stringify(playbook({ id: "a" }));
const B = JSON.stringify(playbook({ id: "b" }));

const CHECK = "Run distill corpus check to see each.";

describe("loadCorpus", () => {
  test.each([
    ["plain lines", `${A}\n${B}\n`],
    ["CRLF", `${A}\r\n${B}\r\n`],
    ["a BOM", `\ufeff${A}\n${B}\n`],
    ["blank lines", `\n${A}\n  \n${B}\n\n`],
    ["no last newline", `${A}\n${B}`],
  ])("survives %s", async (_, text) => {
    expect(await load(text)).toMatchObject({ ids: ["a", "b"], skipped: 0, problems: [] });
  });

  test("keeps unknown fields and fills in absent ones", async () => {
    const { records } = await load('{"id":"a","title":"","content":"c","note":7,"tags":null}\n');
    expect(records).toEqual([
      {
        id: "a",
        title: "",
        content: "c",
        note: 7,
        tags: [],
        source_run_id: "",
        source_category: "",
        success_score: "needs_human_review",
      },
    ]);
  });

  const bad = (fields: object): string => JSON.stringify({ id: "x", title: "t", content: "c", ...fields });
  test.each([
    ["not JSON", "{nope", "not valid JSON"],
    ["an array", "[1]", "expected a JSON object (got [1])."],
    ["a missing content", '{"id":"x","title":"t"}', '"content" must be a string (got nothing).'],
    ["a null content", bad({ content: null }), '"content" must be a string (got null).'],
    ["an empty id", bad({ id: "" }), '"id" must be a non-empty string (got "").'],
    ["a number for a title", bad({ title: 7 }), '"title" must be a string (got 7).'],
    ["a number for a run", bad({ source_run_id: 7 }), '"source_run_id" must be a string (got 7).'],
    [
      "tags that are no strings",
      bad({ tags: ["a", 1] }),
      '"tags" must be an array of strings (got ["a",1]).',
    ],
    ["an unknown score", bad({ success_score: "great" }), '"success_score" must be one of accepted, '],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "not UTF-8 text."],
    ["a torn last line", A.slice(0, 20), "not valid JSON (cut off"],
  ])("names a line with %s and goes on", async (_, line, problem) => {
    const text = Buffer.concat([Buffer.from(`${A}\n`), Buffer.from(line as string), Buffer.from(`\n${B}\n`)]);
    const corpus = await load(text);
    expect(corpus).toMatchObject({ ids: ["a", "b"], skipped: 1 });
    expect(corpus.problems).toHaveLength(1);
    expect(corpus.problems[0]).toStartWith(`FILE:2: ${problem}`);
  });

  test("counts several bad lines in the end", async () => {
    const { problems } = await load(`x\n${A}\ny\n`);
    expect(problems.at(-1)).toBe("FILE: 2 bad lines skipped, 1 playbook left.");
  });

  test.each([
    [10, ["FILE: 10 bad lines skipped, 2 playbooks left."]],
    [11, [`FILE: 1 more bad line, 11 skipped in all, 2 playbooks left. ${CHECK}`]],
    [5000, [`FILE: 4990 more bad lines, 5000 skipped in all, 2 playbooks left. ${CHECK}`]],
  ])("names ten bad lines of %d and says how many more there are", async (count, told) => {
    const { problems, skipped } = await load(`${A}\n${"x\n".repeat(count)}${B}\n`);
    expect(skipped).toBe(count);
    expect(problems.slice(0, 10).map((line) => line.split(" ")[0])).toEqual(
      Array.from({ length: 10 }, (_, n) => `FILE:${n + 2}:`),
    );
    expect(problems.slice(10)).toEqual(told);
  });

  test("lets the later of two lines with one id win", async () => {
    const again = JSON.stringify(playbook({ id: "a", title: "later" }));
    const corpus = await load(`${A}\n${B}\n${again}\n`);
    expect(corpus).toMatchObject({ ids: ["b", "a"], superseded: 1, skipped: 0 });
    expect(corpus.records[1]!.title).toBe("later");
  });

  test("reads lines that span the chunks of a large file", async () => {
    const records = Array.from({ length: 300 }, (_, n) =>
      playbook({ id: `p${n}`, content: `ü漢🎉${"x".repeat(n * 20)}` }),
    );
    const corpus = await load(jsonl(records));
    expect(corpus.records).toEqual(records);
  });

  test("fingerprints the file's bytes", async () => {
    const { sha256 } = await load(`${A}\n`);
    expect(sha256).toBe(new Bun.CryptoHasher("sha256").update(`${A}\n`).digest("hex"));
  });

  test.each([
    ["an empty file", "", "the corpus is empty"],
    ["only blank lines", "\n\n", "the corpus is empty"],
    ["one bad line", "x\n", "no playbook in its 1 line"],
    ["only bad lines", "x\ny\n", "no playbook in its 2 lines"],
  ])("refuses %s", async (_, text, what) => {
    await expect(load(text)).rejects.toThrow(`${what}. Add playbooks, for example with import.`);
  });

  test("names a field that is nested deeper than it can be shown", async () => {
    const deep = `{"id":"b","title":"t","content":"c","tags":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
    const { problems } = await load(`${A}\n${deep}\n`);
    expect(problems).toEqual([
      'FILE:2: "tags" must be an array of strings (got [...]). Fix the line or drop it.',
    ]);
    // To run out of its stack takes Bun a second, and more where the machine is busy.
  }, 30_000);

  test.each([
    ["/dev/null", () => "/dev/null", "the corpus is empty"],
    ["a missing file", () => join(temporaryFolder(), "none.jsonl"), "no such file"],
    ["a folder", temporaryFolder, "a folder, not a file"],
  ])("refuses %s", async (_, path, what) => {
    expect(loadCorpus(path(), () => {})).rejects.toThrow(what);
  });
});

describe("readJsonLines", () => {
  test("numbers lines as an editor does", async () => {
    const lines: JsonLine[] = [];
    for await (const line of readJsonLines(corpusFile("\n1\n\n{\n2"))) lines.push(line);
    expect(lines).toEqual([
      { number: 2, value: 1 },
      { number: 4, problem: expect.stringContaining("not valid JSON") },
      { number: 5, value: 2 },
    ]);
  });
});
