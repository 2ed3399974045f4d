import { describe, expect, test } from "bun:test";

import {
  indexCorpus,
  jaccard,
  RANKERS,
  retrieve,
  tokenise,
  weightedTokens,
} from "../../scripts/distillation/replay.ts";
import type { Playbook, Ranker, RetrieveOptions } from "../../scripts/distillation/replay.ts";
import { CLOCK, DISK, playbook, seeded, TASK } from "./support.ts";

const OPTIONS: RetrieveOptions = { topK: 8, minCoverage: 0 };

const find = (
  task: string,
  records: Playbook[],
  ranker: Ranker = "weighted",
  options: Partial<RetrieveOptions> = {},
) => retrieve(task, indexCorpus(records, ranker), { ...OPTIONS, ...options });

const idsOf = (retrieval: ReturnType<typeof find>): string[] => retrieval.hits.map((hit) => hit.playbook.id);

const weightsOf = (task: string): Map<string, number> => find(task, [DISK, CLOCK]).weights;

const WORDS =
  "disk pod pods kube_state maxWalSize lag 503 v2 tls node nodes KubeletDown inode dns backup the".split(" ");

/** Records and a task of a few words each, so that matches, ties and repeats are common. */
function randomCorpus(seed: number): { records: Playbook[]; task: string } {
  const random = seeded(seed);
  const words = (most: number): string =>
    Array.from(
      { length: 1 + Math.floor(random() * most) },
      () => WORDS[Math.floor(random() * WORDS.length)],
    ).join(" ");
  const records = Array.from({ length: 12 }, (_, n) =>
    playbook({
      id: `p${n}`,
      title: words(3),
      content: words(12),
      tags: [words(1)],
      source_run_id: `run:${n % 4}`,
    }),
  );
  return { records, task: words(6) };
}

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

describe("tokenise", () => {
  test.each([
    ["Disk FULL on /var", ["disk", "full", "var"]],
    ["phase 38, v2 of x", ["phase", "38", "v2"]],
    ["max_wal_size=1GB", ["max_wal_size", "1gb"]],
    ["ab cd — über 漢字", ["ber"]],
    ["", []],
  ])("reads %j", (text, tokens) => {
    expect(tokenise(text)).toEqual(tokens);
  });
});

describe("weightedTokens", () => {
  test.each([
    ["KubePVCNotReady", ["kubepvcnotready", "kube", "pvc", "not", "ready"]],
    ["max_wal_size", ["max_wal_size", "max", "wal", "size"]],
    ["getHTTPResponse2", ["gethttpresponse2", "get", "http", "response2"]],
    ["pods replicas policies", ["pod", "replica", "policy"]],
    ["status class dns k8s", ["status", "class", "dns", "k8s"]],
    ["PostgreSQL", ["postgresql", "postgre", "sql"]],
  ])("reads %s", (text, tokens) => {
    expect(weightedTokens(text)).toEqual(tokens);
  });
});

describe("jaccard", () => {
  test.each([
    [["a", "b"], ["b", "c"], 1 / 3],
    [["a"], ["a"], 1],
    [["a"], ["b"], 0],
    [[], ["a"], 0],
    [[], [], 0],
  ])("of %j and %j", (a, b, expected) => {
    expect(jaccard(new Set(a), new Set(b))).toBeCloseTo(expected, 12);
    expect(jaccard(new Set(b), new Set(a))).toBe(jaccard(new Set(a), new Set(b)));
  });
});

describe("a pasted line of a log", () => {
  const SAID = "FATAL: sorry, too many clients already";

  test.each([
    `2026-01-01 12:00:00 UTC ${SAID}`,
    `2026-01-01T12:00:00.123Z ${SAID}`,
    `2026-03-14T09:12:01+01:00 ${SAID}`,
    `[2026-01-01 12:00:00,123] ${SAID}`,
    `2026/01/01 12:00:00 ${SAID}`,
    `Jan  1 12:00:00 ${SAID}`,
    `I0314 09:12:01.123456 ${SAID}`,
    `Thu, 01 Jan 2026 12:00:00 GMT ${SAID}`,
    `[01/Jan/2026:12:00:00 +0100] ${SAID}`,
    `12:00:00.5 ${SAID}`,
    `<163>1 2026-01-01T12:00:00Z ${SAID}`,
    `<13>Jan  1 12:00:00 ${SAID}`,
    JSON.stringify({ ts: "2026-01-01T12:00:00Z", "log.level": "FATAL", msg: SAID.slice("FATAL: ".length) }),
  ])("is searched for without its head: %s", (line) => {
    expect(weightsOf(line)).toEqual(weightsOf(SAID));
  });

  const HEAD = [
    "Received: from mx1.pagerduty.com (10.20.30.40)",
    "\tby mail.acme.io with ESMTPS id 4XyZ1234; Thu, 1 Jan 2026 12:00:00 +0000",
    "Message-ID: <01f0a9.3344@alerts.pagerduty.com>",
    "From: PagerDuty <no-reply@pagerduty.com>",
    "To: oncall-database@acme.io",
  ];
  const TAIL = ["Date: Thu, 1 Jan 2026 12:00:00 +0000", "X-Mailer: notifier-3", "", "It pages since noon."];

  test.each(["\n", "\r\n"])("is a mail's head of which the subject counts, with %j", (newline) => {
    const mail = [...HEAD, `Subject: ${SAID}`, "\ton db-3", ...TAIL].join(newline);
    expect(weightsOf(mail)).toEqual(weightsOf(`${SAID} on db-3 It pages since noon.`));
  });

  test("is none where the names are of something else", () => {
    const response = "HTTP/1.1 502\nDate: today\nContent-Type: text/html\nX-Cache: MISS";
    expect([...weightsOf(response).keys()]).toContain("cache");
    expect([...weightsOf("From: host-7\nTo: host-8").keys()]).toContain("host");
    expect([...weightsOf("From: bob@acme.io wrote in").keys()]).toContain("acme");
  });

  test.each([
    ["a date", "certificate expires on 2026-01-01", ["2026", "01"]],
    ["a version", "upgrade to 2026.01.01", ["2026", "01"]],
    ["a CVE", "CVE-2026-0101 10:30", ["2026", "0101", "10", "30"]],
    ["quoted words", 'it says "ECONNREFUSED": connect', ["econnrefused"]],
  ])("is not what %s is", (_, task, tokens) => {
    expect([...weightsOf(task).keys()]).toEqual(expect.arrayContaining(tokens));
  });

  test("may be any length", () => {
    for (const part of ["2026-01-01 ", "12:00:", '{"a"  ', "Jan ", "0".repeat(9), "From: a\n b\n", "<12>"])
      expect(() => weightsOf(part.repeat(20_000))).not.toThrow();
  });
});

describe("retrieve", () => {
  test("puts the golden set in this order", () => {
    const records = [
      // Says "disk" in passing: matches one common word.
      playbook({
        id: "passing",
        title: "Nightly report",
        content: "The report covers disk, memory and load of every host.",
      }),
      // The right topic under another name: body matches, title does not.
      playbook({
        id: "body",
        title: "Space is gone",
        content: "When /var is full and du finds nothing, a deleted file is open.",
      }),
      // Title and body match: the right one.
      DISK,
      // The title's one word hits by chance, and nothing else does.
      playbook({ id: "chance", title: "Nothing", content: "An essay on emptiness, unrelated to machines." }),
      // Shares no word at all: not a hit.
      playbook({ id: "stranger", title: "Cooking", content: "Peel three onions." }),
    ];
    expect(idsOf(find(TASK, records))).toEqual([DISK.id, "body", "chance", "passing"]);
  });

  test("tells numbered phases apart by their digits", () => {
    const phases = [38, 39, 40].map((n) =>
      playbook({ id: `phase-${n}`, title: `Phase ${n} review`, content: "Review notes." }),
    );
    expect(idsOf(find("review of phase 40", phases))[0]).toBe("phase-40");
  });

  test("finds an identifier by its parts", () => {
    const alert = playbook({
      id: "alert",
      title: "KubePersistentVolumeFillingUp",
      content: "Free some space.",
    });
    expect(idsOf(find("persistent volume filling up", [CLOCK, alert]))[0]).toBe("alert");
  });

  test("does not let one pasted log drown the alert above it", () => {
    const alert = playbook({
      id: "alert",
      title: "KubeletDown",
      content: "The kubelet has disappeared from discovery.",
    });
    // The log's words are everyday words of the corpus, as they are in any corpus of runbooks.
    const everyday = ["api", "proxy", "queue", "cache", "cron"].map((id) =>
      playbook({
        id,
        title: `${id} request log`,
        content: "level info msg request method status of each request",
      }),
    );
    const log = "level=info msg=request method=GET status=200\n".repeat(20);
    const task = `KubeletDown: target disappeared from discovery\n${log}`;
    expect(idsOf(find(task, [...everyday, alert]))[0]).toBe("alert");
  });

  test.each(RANKERS)("breaks score ties by corpus order (%s)", (ranker) => {
    const twins = ["b", "a", "c"].map((id) => ({ ...DISK, id }));
    expect(idsOf(find(TASK, twins, ranker))).toEqual(["b", "a", "c"]);
  });

  test.each(RANKERS)("finds nothing for a task without known words (%s)", (ranker) => {
    for (const task of ["xylophone", "a b c", "—"])
      expect(find(task, [DISK, CLOCK], ranker)).toMatchObject({ hits: [], coverage: 0 });
  });

  test.each(RANKERS)("keeps scores in (0, 1], sorted, whatever it is given (%s)", (ranker) => {
    for (const seed of SEEDS) {
      const { records, task } = randomCorpus(seed);
      const scores = find(task, records, ranker, { topK: 100 }).hits.map((hit) => hit.score);
      expect(scores.every((score) => score > 0 && score <= 1)).toBe(true);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    }
  });

  test.each(RANKERS)("starts the top five with the top three (%s)", (ranker) => {
    for (const seed of SEEDS) {
      const { records, task } = randomCorpus(seed);
      const five = find(task, records, ranker, { topK: 5 }).hits;
      expect(find(task, records, ranker, { topK: 3 }).hits).toEqual(five.slice(0, 3));
    }
  });

  test.each(RANKERS)("leaves records out as if they had never been there (%s)", (ranker) => {
    for (const seed of SEEDS) {
      const { records, task } = randomCorpus(seed);
      const without = records.filter(({ id, source_run_id }) => id !== "p3" && source_run_id !== "run:1");
      const excluded = find(task, records, ranker, {
        excludeIds: ["p3", "unknown"],
        excludeSourceRunIds: ["run:1"],
      });
      expect(excluded).toEqual(find(task, without, ranker));
    }
  });

  test("leaves out half of 60,000 records in one go", () => {
    const records = Array.from({ length: 60_000 }, (_, at) =>
      playbook({ id: `p${at}`, title: `disk ${at}`, content: "full" }),
    );
    const excludeIds = records.slice(0, 30_000).map(({ id }) => id);
    expect(idsOf(find("disk full", records, "weighted", { excludeIds, topK: 1 }))).toEqual(["p30000"]);
  });

  test("does not leave out records without a run of their own", () => {
    expect(
      idsOf(find(TASK, [{ ...DISK, source_run_id: "" }], "weighted", { excludeSourceRunIds: [""] })),
    ).toEqual([DISK.id]);
  });

  test("scores weighted by the documented formula", () => {
    for (const seed of SEEDS) {
      const { records, task } = randomCorpus(seed);
      for (const { playbook: record, score } of find(task, records, "weighted", { topK: 100 }).hits) {
        expect(score).toBeCloseTo(oracle(task, record, records), 12);
      }
    }
  });

  test("never scores above the bound by matched weight", () => {
    for (const seed of SEEDS) {
      const { records, task } = randomCorpus(seed);
      const { hits, weights } = find(task, records, "weighted", { topK: 100 });
      const all = records.flatMap(textOf);
      const weigh = (tokens: string[]): number =>
        [...weights].reduce((sum, [token, weight]) => sum + (tokens.includes(token) ? weight : 0), 0);
      for (const { playbook: record, score } of hits) {
        expect(score).toBeLessThanOrEqual(
          (weigh(headOf(record)) + weigh(textOf(record))) / (2 * weigh(all)) + 1e-12,
        );
      }
    }
  });

  test("scores jaccard by the textbook", () => {
    const [hit] = find(
      "disk full",
      [playbook({ id: "a", title: "disk", content: "full of sand", tags: ["beach"] })],
      "jaccard",
    ).hits;
    expect(hit!.score).toBe(2 / 4);
  });

  test("covers the whole task, strangers' words included", () => {
    const records = [
      playbook({ id: "a", title: "alpha", content: "alpha" }),
      playbook({ id: "b", title: "beta", content: "beta" }),
    ];
    expect(find("alpha", records).coverage).toBe(1);
    expect(find("alpha unknown", records).coverage).toBeCloseTo(0.5, 12);
  });

  test("abstains below the asked-for coverage and says so", () => {
    const coverage = find(TASK, [DISK, CLOCK]).coverage;
    expect(find(TASK, [DISK, CLOCK], "weighted", { minCoverage: coverage })).toMatchObject({
      abstained: false,
    });
    expect(find(TASK, [DISK, CLOCK], "weighted", { minCoverage: coverage + 0.01 })).toMatchObject({
      abstained: true,
      hits: [],
      coverage,
    });
  });
});

const headOf = ({ title, tags }: Playbook): string[] => weightedTokens(`${title} ${tags.join(" ")}`);
const textOf = (record: Playbook): string[] => [...headOf(record), ...weightedTokens(record.content)];

/** ½(c·p + s), written out naively from its definition. */
function oracle(task: string, record: Playbook, records: Playbook[]): number {
  const count = (token: string, tokens: string[]): number => tokens.filter((entry) => entry === token).length;
  const df = (token: string): number => records.filter((entry) => textOf(entry).includes(token)).length;
  const v = (token: string): number => Math.log(1 + records.length / df(token));
  const said = weightedTokens(task);
  const a = [...new Set(said)].filter((token) => df(token) > 0);
  const t = [...new Set(headOf(record))];
  const w = (token: string): number => v(token) * Math.min(count(token, said), 2);
  const sum = (tokens: string[], weigh: (token: string) => number): number =>
    tokens.map(weigh).reduce((x, y) => x + y, 0);
  const both = a.filter((token) => t.includes(token));
  const length = textOf(record).length;
  const average =
    sum(
      records.map((entry) => entry.id),
      (id) => textOf(records.find((entry) => entry.id === id)!).length,
    ) / records.length;
  const k = 1.5 * (1 / 4 + (3 / 4) * (length / average));
  const f = (token: string): number => count(token, textOf(record));
  const s = sum(a, (token) => (w(token) * f(token)) / (f(token) + k)) / sum(a, w);
  return ((sum(both, w) / sum(a, w)) * (sum(both, v) / sum(t, v)) + s) / 2;
}
