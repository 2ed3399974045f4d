import { describe, expect, test } from "bun:test";

import {
  alterations,
  copiedShare,
  noveltyOf,
  placeholdersIn,
  poolVocabulary,
  readRecords,
  readWording,
  recordFindings,
  repeatedSentence,
  stemOf,
  unknownNames,
  unknownQuotes,
  wordsOf,
} from "../../scripts/distillation/wording.ts";
import { seeded } from "./support.ts";

const SOURCE =
  "A process holds deleted files open. Restart the process within 10 minutes, then check the disk.";

const noveltyAgainst = (answer: string, ...sources: string[]) => {
  const wording = readWording(answer);
  return noveltyOf(wording, poolVocabulary(sources.map(readWording), wording));
};

const knownTo = (answer: string, source = SOURCE) =>
  poolVocabulary([readWording(source)], readWording(answer));

describe("stemOf", () => {
  test.each([
    [["restart", "restarts", "restarting", "restarted"], "restart"],
    [["policy", "policies"], "polici"],
    [["process", "processes"], "proces"],
    [["stop", "stopped", "stopping"], "stop"],
    [["close", "closed", "closing", "closely"], "clos"],
    [["status"], "status"],
    [["ten"], "10"],
    [["1,000"], "1000"],
    [["%"], "percent"],
    [["ids"], "ids"],
  ])("%j is %s", (words, stem) => {
    expect(words.map(stemOf)).toEqual(words.map(() => stem));
  });
});

describe("wordsOf", () => {
  test.each([
    ["It isn't, can't, won't: cannot", "it is not can not will not can not"],
    ["10 % of df -h", "10 percent of df h"],
    ["İstanbul’s Cafés", "İstanbul s café"],
    ["", ""],
  ])("reads %j as %j", (text, stems) => {
    expect(
      wordsOf(text)
        .map(({ stem }) => stem)
        .join(" "),
    ).toBe(stems);
  });

  test("offsets slice back, ascend and never overlap", () => {
    const random = seeded(5);
    const pieces = ["isn't ", "cannot ", "Ünï ", "1,5 ", "% ", "\n- a", "n't ", "“x” ", "t ", "can’t"];
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 12 }, () => pieces[Math.floor(random() * pieces.length)]).join("");
      let last = 0;
      for (const { start, end } of wordsOf(text)) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(text.slice(start, end)).toMatch(/^\S+$/);
        last = end;
      }
    }
  });
});

describe("readWording", () => {
  test.each([
    ['One. Two three! Four? "Five." Six', ["One.", "Two three!", "Four?", '"Five."', "Six"]],
    ["e.g. this, v1.2 and a.b", ["e.g. this, v1.2 and a.b"]],
    ["- first\n\n- second\n", ["- first", "- second"]],
    ["...\n!!!", []],
  ])("splits %j into sentences", (text, sentences) => {
    expect(readWording(text).sentences.map(({ start, end }) => text.slice(start, end).trim())).toEqual(
      sentences,
    );
  });

  test("gives every word to one sentence", () => {
    const { words, sentences } = readWording("One two. Three\nfour? Five");
    expect(sentences.flatMap(({ from, to }) => words.slice(from, to))).toEqual(words);
  });
});

describe("noveltyOf", () => {
  test("is nothing for what the sources say", () => {
    expect(noveltyAgainst(SOURCE, SOURCE)).toEqual({
      share: 0,
      worstSentence: 0,
      thinnestSentence: 0,
      trigrams: 0,
      novelRun: 0,
    });
  });

  test("is all for what they do not", () => {
    const novelty = noveltyAgainst("Unplug coaxial cables, polish chrome handles.", SOURCE);
    expect(novelty).toEqual({
      share: 1,
      worstSentence: 6 / 9,
      thinnestSentence: 1,
      trigrams: 1,
      novelRun: Math.log1p(4),
    });
  });

  test("takes its worst sentence for the answer", () => {
    expect(
      noveltyAgainst(`${SOURCE} Unplug coaxial cables, polish chrome handles.`, SOURCE).worstSentence,
    ).toBe(6 / 9);
  });

  test.each([
    ["an inflexion", "Restarting processes checked the disks."],
    ["a word with a known beginning", "The processing of deletion."],
    ["what is said about the sources", "Based on the passages, the answer follows."],
    ["what the sources lack", "The document does not mention coaxial cables."],
  ])("leaves out %s", (_, answer) => {
    expect(noveltyAgainst(answer, SOURCE).share).toBe(0);
  });

  test("a sentence is thin where its words come from far apart", () => {
    const close = noveltyAgainst("Restart the process within minutes.", SOURCE).thinnestSentence;
    const apart = noveltyAgainst("Deleted files: check the disk within minutes.", SOURCE).thinnestSentence;
    expect(close).toBe(0);
    expect(apart).toBeGreaterThan(0.3);
  });

  test("more sources never make an answer more novel", () => {
    const random = seeded(9);
    const vocabulary = SOURCE.split(" ").concat("coaxial", "chrome", "handles", "reactor.", "Polish");
    const text = (): string =>
      Array.from({ length: 25 }, () => vocabulary[Math.floor(random() * vocabulary.length)]).join(" ");
    for (let round = 0; round < 200; round++) {
      const [answer, first, second] = [text(), text(), text()];
      const less = noveltyAgainst(answer, first);
      const more = noveltyAgainst(answer, first, second);
      for (const name of Object.keys(less) as (keyof typeof less)[])
        expect(more[name]).toBeLessThanOrEqual(less[name]);
    }
  });
});

describe("copiedShare", () => {
  const shareOf = (answer: string, shown: string, length = 3): number =>
    copiedShare(wordsOf(answer), wordsOf(shown), length);

  test.each([
    ["a b c d e f", "a b c d e f", 1],
    ["x a b c x x", "a b c", 0.5],
    ["a b x c d", "a b c d", 0],
    ["a b c a b c", "a b c", 1],
    ["", "a b c", 0],
    ["a b", "a b", 0],
  ])("%j of %j is %d", (answer, shown, share) => {
    expect(shareOf(answer, shown)).toBe(share);
  });

  test("agrees with a naive count", () => {
    const random = seeded(3);
    const letters = (): string[] => Array.from({ length: 20 }, () => "abc"[Math.floor(random() * 3)]!);
    for (let round = 0; round < 200; round++) {
      const [answer, shown] = [letters(), letters()];
      const inside = answer.map((_, at) =>
        [0, 1, 2].some((back) => {
          const run = answer.slice(at - back, at - back + 3).join(" ");
          return at >= back && at - back + 3 <= answer.length && shown.join(" ").includes(run);
        }),
      );
      expect(shareOf(answer.join(" "), shown.join(" "))).toBe(inside.filter(Boolean).length / 20);
    }
  });
});

describe("repeatedSentence", () => {
  const LINE = "Restart the process that holds them.";

  test.each([
    ["three times", `${LINE} ${LINE} ${LINE}`, LINE],
    ["twice", `${LINE} ${LINE}`, null],
    ["as numbered steps", `1) ${LINE}\n2) ${LINE}\n13) ${LINE}`, `1) ${LINE}`],
    ["in a code block", `\`\`\`\n${LINE}\n${LINE}\n${LINE}\n\`\`\``, null],
    ["in a block with tildes", `~~~\n${LINE}\n${LINE}\n${LINE}\n~~~`, null],
    ["in a quoted code block", `> \`\`\`\n> ${LINE}\n> ${LINE}\n> ${LINE}\n> \`\`\``, null],
    ["in a block with a fence in it", `~~~\n\`\`\`\nx\n\`\`\`\n${LINE}\n${LINE}\n${LINE}\n~~~`, null],
    ["in a code block that nothing closes", `\`\`\`\n${LINE}\n${LINE}\n${LINE}`, null],
    ["behind a code block", `\`\`\`\nx\n\`\`\`\n${LINE}\n${LINE}\n${LINE}`, LINE],
    ["too short to tell", "Wait for it. Wait for it. Wait for it.", null],
  ])("finds a sentence that stands %s", (_, text, sentence) => {
    expect(repeatedSentence(readWording(text), 3)).toBe(sentence);
  });
});

describe("alterations", () => {
  const changes = (answer: string, source = SOURCE): string[] =>
    alterations(readWording(answer), [readWording(source)], readWording("on db-40"));

  test("says what was exchanged and what stands there", () => {
    expect(changes(SOURCE.replace("10 minutes", "25 minutes"))).toEqual([
      '"the process within 25 minutes, then check" (10 in the source)',
    ]);
  });

  test("takes no bare number for one: it may count steps", () => {
    const bare = SOURCE.replace("10 minutes", "10 apples");
    expect(changes(bare.replace("10", "25"), bare)).toEqual([]);
  });

  test.each([
    ["a number of the task", SOURCE.replace("10 minutes", "40 minutes")],
    ["a word in place of the number", SOURCE.replace("10 minutes", "several minutes")],
    ["a sentence that is not copied", "It may take 25 minutes until the disk is free."],
    ["a short phrase", "within 25 minutes"],
  ])("does not take %s for one", (_, answer) => {
    expect(changes(answer)).toEqual([]);
  });

  test("sees the second number of a sentence, though it ends there", () => {
    const source = "Verify that the rate is below 0.1 % for 15 minutes.";
    expect(changes(source.replace("15", "53"), source)).toEqual([
      '"0.1 % for 53 minutes" (15 in the source)',
    ]);
    expect(changes(source, source)).toEqual([]);
  });

  test.each([
    ["`helm uninstall` does not delete the volumes of it.", "`helm uninstall` deletes the volumes of it.", 1],
    ["`helm uninstall` does not delete the volumes of it.", "`helm uninstall` keeps the volumes of it.", 0],
    ["In the middle of the incident it needs no restart.", "middle of the incident it needs a restart", 1],
    [
      "In the middle of the incident it needs no restart.",
      "middle of the incident it needs a full restart",
      1,
    ],
    ["In the middle of the incident it needs no restart.", "middle of the incident it needs no restart", 0],
    ["In the middle of the incident it needs no restart.", "middle of the incident it needs a full break", 0],
  ])("knows %j from %j by its verb", (answer, source, count) => {
    expect(changes(answer, source)).toHaveLength(count);
  });

  test("tells a not that was put in from one that stands there", () => {
    const negated = SOURCE.replace("holds deleted", "never holds deleted");
    expect(changes(negated)).toHaveLength(1);
    expect(changes(negated, negated)).toEqual([]);
    expect(changes(`If ${negated}`)).toEqual([]);
    expect(changes(`If it is full. ${negated}`)).toHaveLength(1);
    expect(changes(`If ${negated}`, `If ${SOURCE}`)).toHaveLength(1);
    const said = alterations(readWording(negated), [readWording(SOURCE)], readWording(negated));
    expect(said).toEqual([]);
  });
});

describe("readRecords", () => {
  test("reads yes, no and nothing from JSON and from lines", () => {
    const json = '{"outdoor_seating": true, "WiFi": "no", "music": null, "stars": 4.5}';
    const yaml = "outdoor seating: yes\nWiFi: no\nname: Tinker\nmusic:\n";
    expect(readRecords([json])).toEqual([
      { name: "outdoor_seating", key: ["outdoor", "seat"], value: true },
      { name: "WiFi", key: ["wi", "fi"], value: false },
      { name: "music", key: ["music"], value: null },
    ]);
    expect(readRecords([yaml])?.map(({ value }) => value)).toEqual([true, false]);
  });

  test.each([
    ["prose", ["It holds deleted files open.\nRestart it.\nCheck."]],
    [
      "a dialogue",
      [`passage 1: ${"long ".repeat(40)}\npassage 2: ${"long ".repeat(40)}\npassage 3: ${"x ".repeat(60)}`],
    ],
    ["records beside prose", ['{"a": true}', "It holds."]],
    ["broken JSON", ['{"a": tru']],
    ["no text", []],
  ])("takes %s for no record", (_, texts) => {
    expect(readRecords(texts)).toBeNull();
  });

  test("leaves out keys that two settings share or that are said elsewhere", () => {
    expect(
      readRecords(['{"casual": false, "review": "so casual", "street lot": true, "parking lot": false}']),
    ).toEqual([
      { name: "street lot", key: ["street"], value: true },
      { name: "parking lot", key: ["park"], value: false },
    ]);
  });
});

describe("recordFindings", () => {
  const settings = readRecords(['{"reservations": false, "terrace": true, "music": null, "stars": 3}'])!;

  test.each([
    ["It takes reservations.", 1, 0],
    ["It takes no reservations.", 0, 0],
    ["It has no terrace.", 1, 0],
    ["It has a terrace, but no reservations.", 0, 0],
    ["There is live music.", 0, 1],
    ["The data does not mention music.", 0, 0],
    ['"reservations": false', 0, 0],
    ["reservations: false", 0, 0],
  ])("of %j", (answer, contradictions, beyond) => {
    const found = recordFindings(answer, settings);
    expect([found.contradictions.length, found.beyond]).toEqual([contradictions, beyond]);
  });
});

describe("recordFindings of what is said outright", () => {
  const settings = readRecords(["name: web-1\ntls: yes\nbackup: no\nhttp2_enabled: true\nclient_auth: off"])!;
  const denied = (answer: string, task?: string): string =>
    recordFindings(answer, settings, task)
      .contradictions.map((text) => text.split(" ")[0])
      .join(" ");

  test.each([
    ["TLS: no. Backup: yes.", "tls backup"],
    ["- **TLS**: no\n- Backup: no", "tls"],
    ["TLS: no, backup: yes", "tls backup"],
    ["TLS is not enabled.", "tls"],
    ["TLS isn't enabled and the backup is off.", "tls"],
    ["TLS is disabled.", "tls"],
    ["On web-1 the TLS is off.", "tls"],
    ["TLS is off on web-1.", "tls"],
    ["http2 is not enabled", "http2_enabled"],
    ["HTTP2 is set to false.", "http2_enabled"],
    ["Client auth is on, so certificates are asked for.", "client_auth"],
    ["Backup is enabled.", "backup"],
    ["The backup is not disabled.", "backup"],
  ])("of %j", (answer, keys) => {
    expect(denied(answer)).toBe(keys);
  });

  test.each([
    "TLS is enabled. HTTP2 is on. The backup is disabled, and client auth is off.",
    "TLS: yes. Backup: no.",
    "Backup is not enabled.",
    "If TLS is disabled, look at the listener.",
    "Check that TLS is not disabled.",
    "Until TLS is off, nothing works.",
    "Is it that TLS is disabled?",
    "TLS is not enabled by default.",
    "TLS is off for guests.",
    "TLS is on port 443.",
    "TLS is not the cause.",
    "Mutual TLS is disabled.",
    "Enable the backup, and make sure that client auth is on.",
    "Set `backup: yes` and restart.",
    "Switch on what is missing:\n\n- backup: yes\n- client_auth: on",
    "Edit it:\n\n```yaml\nbackup: yes\n```",
    "`tls: no` is what others have.",
  ])("leaves alone %j", (answer) => {
    expect(denied(answer)).toBe("");
  });

  test("takes no key's word for another's", () => {
    const both = readRecords(["name: a\ntls: no\ntls_enabled: yes\nport: 443"])!;
    expect(recordFindings("TLS is disabled.", both).contradictions).toEqual([]);
  });

  test("excuses what the task says", () => {
    expect(denied("TLS is off on web-1.", "Why is it that TLS is off?")).toBe("tls");
    expect(denied("TLS is off on web-1.", "TLS is off on web-1, says the scan")).toBe("");
  });

  test("takes no longer for many clauses than they are long", () => {
    for (const unit of ["tls: no\n", "tls is off, ", "tls ", "- tls: no\n", "`tls`: no\n"])
      denied(unit.repeat(Math.ceil(300_000 / unit.length)));
  }, 5000);
});

describe("unknownNames", () => {
  const names = (answer: string): string[] => unknownNames(answer, knownTo(answer)).map(({ text }) => text);

  test.each([
    ["It was seen by Grace Okafor of Brightwater.", ["Grace Okafor", "Brightwater"]],
    ["Ask the Process owner.", []],
    ["It runs on OpenShift and KubeVirt.", []],
    ["It began. Then it ended on Monday in May.", []],
    ["Grace saw it.", []],
  ])("of %j are %j", (answer, expected) => {
    expect(names(answer)).toEqual(expected);
  });
});

describe("unknownQuotes", () => {
  const quotes = (answer: string): string[] => unknownQuotes(answer, knownTo(answer)).map(({ text }) => text);

  test.each([
    ['The log says "lease renewal skipped by coordinator".', ["lease renewal skipped by coordinator"]],
    ["The log says “lease renewal skipped”.", ["lease renewal skipped"]],
    ['It says "holds deleted files open".', []],
    ['It says "no" and then it ends in "yes".', []],
    ['You ask "why is the kettle on?"', []],
  ])("of %j are %j", (answer, expected) => {
    expect(quotes(answer)).toEqual(expected);
  });
});

describe("placeholdersIn", () => {
  test.each([
    ["TODO: ask. TBD, XX and XXXX", ["TODO", "TBD", "XX", "XXXX"]],
    [
      "cat /path/to/file and api.example.com, example.org",
      ["/path/to/file", "api.example.com", "example.org"],
    ],
    ["token YOUR_API_TOKEN", ["YOUR_API_TOKEN"]],
    ["from x.x.x.x to path/to/cert.pem", ["x.x.x.x", "path/to/cert.pem"]],
    ["mktemp dump.XXXXXX, <pod>, 5XX, XXL, todo, my/path, 4.x.x, a.path/to/b, an example", []],
  ])("of %j are %j", (text, expected) => {
    expect(placeholdersIn(text).map((entry) => entry.text)).toEqual(expected);
  });
});
