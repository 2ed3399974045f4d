import { describe, expect, test } from "bun:test";

import { gate, ground, recordSource, taskSource } from "../../scripts/distillation/replay.ts";
import type { GateInput } from "../../scripts/distillation/replay.ts";
import { DISK, GOOD_ANSWER, INVENTED_ANSWER, TASK } from "./support.ts";

const STEPS = ["Verify that `df -h /var` falls below 80 % after the restart."];
const SOURCES = [taskSource(TASK), recordSource(DISK.id, DISK.content)];
const PROSE =
  "The process that was restarted last month still writes to the old file, so the space is not given back before it ends.";

const input = (fields: Partial<GateInput> = {}): GateInput => ({
  answer: GOOD_ANSWER,
  finishReason: "stop",
  reasoningChars: 0,
  sources: SOURCES,
  validationSteps: STEPS,
  ...fields,
});

const failed = (fields: Partial<GateInput>): string[] =>
  gate(input(fields)).checks.flatMap(({ name, passed }) => (passed ? [] : name));

describe("gate", () => {
  test("passes a grounded answer and names its evidence", () => {
    const result = gate(input());
    expect(result).toMatchObject({
      version: "1",
      verdict: "pass",
      grounding: "grounded",
      evidence_ids: [DISK.id],
    });
    expect(result.claims.every((claim) => claim.supported_by !== null)).toBe(true);
  });

  test.each([
    ["empty", { answer: " \n" }, ["empty"]],
    ["reasoning alone", { answer: "", reasoningChars: 900 }, ["reasoning_only"]],
    ["cut at the token limit", { finishReason: "length" }, ["truncated"]],
    ["cut by a content filter", { finishReason: "content_filter" }, ["truncated"]],
    ["79 characters", { answer: `verify ${"x".repeat(72)}`, validationSteps: [] }, ["too_short"]],
    ["80 characters", { answer: `verify ${"x".repeat(73)}`, validationSteps: [] }, []],
    ["deaf to its checks", { answer: PROSE.replace("restarted", "started") }, ["checklist"]],
    [
      "sharing only a verb and stop words",
      { answer: `Verify after that. ${PROSE.replace("restarted", "started")}` },
      ["checklist"],
    ],
    ["given no checks", { answer: PROSE, validationSteps: [] }, []],
    ["cut by a tool call", { finishReason: "tool_calls" }, ["truncated"]],
    [
      "the form, unfilled",
      { answer: `Finding: the likely cause, one sentence. ${GOOD_ANSWER}` },
      ["scaffold"],
    ],
    ["repeating the prompt's frame", { answer: `⟦reference 1⟧ ${GOOD_ANSWER}` }, ["scaffold"]],
    ["of no finish reason", { finishReason: null }, []],
    ["of an unknown finish reason", { finishReason: "eos" }, []],
    ["invented in part", { answer: INVENTED_ANSWER }, ["ungrounded"]],
  ])("judges an answer that is %s", (_, fields, names) => {
    expect(failed(fields)).toEqual(names);
  });

  test.each([
    ["As an AI, ", true],
    ["I cannot help. ", true],
    ["I'm sorry, but no. ", true],
    ["I’m sorry, but no. ", true],
    ["I don't have access. ", true],
    ["I don’t have access. ", true],
    ["I am unable to do so. ", true],
    ["I  cannot help. ", true],
    ["As an\nAI ", true],
    ["I **cannot** help. ", true],
    ["The API cannot answer. ", false],
    ["As an aide, ", false],
    ["I'm sorry. ", false],
    ["Sorry, but ", false],
  ])("knows whether %j is a hedge", (phrase, hedged) => {
    expect(failed({ answer: phrase + GOOD_ANSWER })).toEqual(hedged ? ["hedge"] : []);
  });

  test("gives every failed check its reason", () => {
    const { verdict, checks } = gate(input({ answer: "I cannot.", finishReason: "length" }));
    expect(verdict).toBe("fail");
    expect(checks.filter(({ passed }) => !passed)).toEqual([
      { name: "truncated", passed: false, reason: "it ran into the token limit" },
      { name: "too_short", passed: false, reason: "9 characters, under 80" },
      { name: "hedge", passed: false, reason: 'it says "I cannot"' },
      { name: "checklist", passed: false, reason: "it takes up none of the checks it was given" },
    ]);
  });
});

describe("ground", () => {
  test("names for each fact the text that supports it", () => {
    const claims = ground("On host db-3 run `lsof +L1`.", SOURCES).claims;
    expect(claims.map(({ supported_by }) => supported_by)).toEqual(expect.arrayContaining([DISK.id]));
    for (const { text, offset } of claims)
      expect("On host db-3 run `lsof +L1`.".slice(offset)).toStartWith(text);
  });

  test("prefers the task over the records", () => {
    const [claim] = ground("Look at /var/log/app.log now.", [
      taskSource("see /var/log/app.log"),
      recordSource("r", "/var/log/app.log"),
    ]).claims;
    expect(claim).toMatchObject({
      kind: "path",
      text: "/var/log/app.log",
      supported_by: "task",
      support_offset: 4,
    });
  });

  test("lists what stands nowhere, with its kind", () => {
    const result = ground(INVENTED_ANSWER, SOURCES);
    expect(result.grounding).toBe("ungrounded");
    expect(result.reason).toContain("--purge-now");
    expect(result.reason).toContain("/opt/cache/blobs");
  });

  test.each([
    ["without evidence", INVENTED_ANSWER, [SOURCES[0]!]],
    ["with empty evidence", INVENTED_ANSWER, [SOURCES[0]!, recordSource("evidence:0", " ")]],
    ["without facts", PROSE, SOURCES],
    ["without an answer", "", SOURCES],
  ])("has nothing to check %s", (_, answer, sources) => {
    expect(ground(answer, sources)).toMatchObject({ grounding: "nothing_to_check", reason: null });
  });

  // One fact of weight 1 fails; facts that are often common knowledge weigh 0.34, so it takes three of them.
  test.each([
    ["one invented path", "Look at /srv/none.", "ungrounded"],
    ["one invented short flag", "Run `lsof -Z`.", "grounded"],
    ["two invented short flags", "Run `lsof -Z -Q`.", "grounded"],
    ["three invented short flags", "Run `lsof -Z -Q -Y`.", "ungrounded"],
  ] as const)("draws the line at a weight of 1: %s", (_, answer, grounding) => {
    expect(ground(answer, SOURCES).grounding).toBe(grounding);
  });

  test("does not take a record for the task because of its id", () => {
    expect(ground(INVENTED_ANSWER, [taskSource(TASK), recordSource("task", DISK.content)]).grounding).toBe(
      "ungrounded",
    );
  });

  test("scores doubt higher the more is invented", () => {
    const more = `${INVENTED_ANSWER} See also /srv/none and --force-all.`;
    const scores = [GOOD_ANSWER, INVENTED_ANSWER, more].map((answer) => ground(answer, SOURCES).score);
    expect(scores[0]).toBeLessThan(0.5);
    expect(scores[1]).toBeGreaterThanOrEqual(0.75);
    expect(scores[2]).toBeGreaterThan(scores[1]!);
    expect(scores[2]).toBeLessThanOrEqual(1);
  });

  test("doubts unfamiliar words more where no fact decides", () => {
    const known = "The process holds deleted files open, restart the process that holds them.";
    const strange = "Unplug every coaxial cable beneath the reactor and polish its chrome handles.";
    expect(ground(known, SOURCES).score).toBeLessThan(ground(strange, SOURCES).score);
  });
});
