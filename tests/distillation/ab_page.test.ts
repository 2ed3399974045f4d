import { describe, expect, test } from "bun:test";
import { htmlReport } from "../../scripts/distillation/ab_page.ts";
import { analyse } from "../../scripts/distillation/ab_report.ts";
import type { EvidenceRow } from "../../scripts/distillation/replay.ts";
import { claim, metPairs, trialRow } from "./ab_rows.ts";

function pageOf(
  rows: EvidenceRow[],
  { notes = null, name = "Part" }: { notes?: string | null; name?: string } = {},
): string {
  const part = { name, command: "distill ab <x>", analysis: analyse(rows, { seed: 1 }), rows };
  return htmlReport([part], { title: "Title & <co>", notes });
}

/** Elements that are opened, less those that are closed, by name; void ones and doctype aside. */
function unclosed(page: string): Record<string, number> {
  const depth: Record<string, number> = {};
  for (const [, slash, name, own] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
    if (own === "/" || name === "meta") continue;
    depth[name!] = (depth[name!] ?? 0) + (slash === "/" ? -1 : 1);
  }
  return Object.fromEntries(Object.entries(depth).filter(([, count]) => count !== 0));
}

const text = (page: string): string => page.replaceAll(/<[^>]*>/g, "");

describe("htmlReport", () => {
  const answer = '</pre></div><script>alert(1)</script> "q" & /opt/x then df -h';
  const hostile = ["none", "retrieval"].map((arm) =>
    trialRow({
      arm,
      task: `"><img src=x onerror=alert(1)>`,
      answer,
      shown: ["</code><b>id"],
      claims: [claim(answer, "/opt/x", "nowhere"), claim(answer, "df -h", "retrieved")],
    }),
  );

  test("escapes what models, users and corpora wrote", () => {
    const page = pageOf(hostile, { name: "<i>name" });
    expect(page).not.toMatch(/<script|<img|<b>|<i>|<co>/);
    expect(page).toContain(
      "&lt;/pre&gt;&lt;/div&gt;&lt;script&gt;alert(1)&lt;/script&gt; &quot;q&quot; &amp; ",
    );
    expect(unclosed(page)).toEqual({});
  });

  test("marks facts that stand nowhere and underlines supported ones", () => {
    const page = pageOf(hostile);
    expect(page).toContain('<mark>/opt/x</mark> then <span class="supported">df -h</span>');
  });

  test("marks rejected answers and counts them under the figures", () => {
    const [none, retrieval] = metPairs([[0, 1]]);
    const page = pageOf([none!, { ...retrieval!, verdict: "fail" }]);
    expect(page).toContain("<div><p><strong>none</strong>: expects met .00, pass; shown no record</p>");
    expect(page).toContain(
      '<div class="rejected"><p><strong>retrieval, rejected by the gate</strong>: expects met 1.00; shown no record</p>',
    );
    const note =
      " Answers that the gate rejected are drawn like the others (retrieval: 1 of 1).</figcaption>";
    // Under the pairs and under the distribution.
    expect(page.split(note)).toHaveLength(3);
    expect(pageOf([none!, retrieval!])).not.toContain("that the gate rejected");
  });

  test("asks nothing of any other place", () => {
    const page = pageOf(hostile, { notes: "![picture](https://example.com/x.png)" });
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/<script|<link|<iframe|@import|url\(/);
  });

  test("shows markup in the notes as text", () => {
    const page = pageOf(hostile, {
      notes: "A **bold** <script>x</script>\n\n<div>y</div>\n\n| a |\n| - |\n| 1 |",
    });
    expect(page).toContain("A <strong>bold</strong> &lt;script&gt;x&lt;/script&gt;");
    expect(page).toContain("&lt;div&gt;y&lt;/div&gt;");
    expect(page).toMatch(
      /<section class="notes">[^]*<div class="scroll"[^>]*><table>[^]*<\/table><\/div>[^]*<\/section>/,
    );
    expect(unclosed(page)).toEqual({});
  });

  test("puts the verdicts before everything else", () => {
    const page = pageOf(metPairs(Array(6).fill([0, 1])), { notes: "My notes." });
    expect(text(page.slice(page.indexOf("<main>"), page.indexOf("<h2")))).toBe(
      "\nTitle &amp; &lt;co&gt;\n\nPart: retrieval raises the share of expectations met by 1.00 [1.00, 1.00] over none (better; 6 tasks, sign test p\u00a0=\u00a0.031).\n\n\nMy notes.\n\n\n",
    );
  });

  test("draws each pair of values once, sized by its tasks", () => {
    const page = pageOf(
      metPairs([
        [0, 1],
        [0, 1],
        [0, 1],
        [0, 1],
        [0.5, 0.5],
        [1, 0.5],
      ]),
    );
    const [paired] = page.match(/<svg[^]*?<\/svg>/g)!.filter((svg) => svg.includes("upwards"));
    const circles = [...paired!.matchAll(/<circle class="(\w+)" cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"/g)];
    // Left 46, right 14, bottom 46 and 17 for a circle at either end leave 246 between 0 and 1.
    expect(circles.map((circle) => circle.slice(1))).toEqual([
      ["better", "63", "31", "17"],
      ["equal", "186", "154", "8.5"],
      ["worse", "309", "154", "8.5"],
    ]);
  });

  test("draws gains to the right, also where less is better", () => {
    const rows = Array.from({ length: 6 }, (_, at) => [
      trialRow({ arm: "none", task: `t${at}`, outcomes: { unsupported: 3 } }),
      trialRow({ arm: "retrieval", task: `t${at}`, outcomes: { unsupported: 1, supported: 0 } }),
    ]).flat();
    const forest = pageOf(rows)
      .match(/<svg[^]*?<\/svg>/g)!
      .find((svg) => svg.includes("minus"))!;
    // The line is at 170, and 2 of 2 facts reach the end of the scale, 12 from the edge.
    expect(forest).toMatch(
      />unsupported facts<[^]*?>−2\.00 \[−2\.00, −2\.00\]<[^]*?<circle class="better" cx="328"/,
    );
  });

  test("gives every figure a text in its place", () => {
    const page = pageOf(metPairs(Array(6).fill([0, 1])));
    const figures = page.match(/<svg [^>]*>\s*<title>[^<]*<\/title>/g)!;
    expect(figures).toHaveLength(3);
    for (const figure of figures) {
      const [, label] = /role="img" aria-label="([^"]+)"/.exec(figure)!;
      expect(figure).toContain(`<title>${label}</title>`);
    }
    expect(page).toContain(
      "none 6 at 0, 0 at to .25, 0 at to .50, 0 at to .75, 0 at under 1, 0 at 1; retrieval 0 at 0,",
    );
  });

  test.each<[string, EvidenceRow[]]>([
    ["no rows", []],
    ["one arm", [trialRow({ arm: "none", task: "a" })]],
    ["errors only", ["none", "retrieval"].map((arm) => trialRow({ arm, task: "a", outcomes: null }))],
    ["one pair", metPairs([[0, 0]])],
    [
      "large counts",
      ["none", "retrieval"].map((arm) => trialRow({ arm, task: "a", outcomes: { unsupported: 123 } })),
    ],
  ])("is whole with %s", (_, rows) => {
    const page = pageOf(rows);
    expect(page).not.toMatch(/NaN|undefined|Infinity|null/);
    expect(unclosed(page)).toEqual({});
  });

  test("stays as it is under the formatter", () => {
    const page = pageOf(hostile, { notes: "Said before." });
    const { stdout } = Bun.spawnSync([process.execPath, "fmt", "--stdin-filepath=report.html"], {
      stdin: Buffer.from(page),
    });
    expect(stdout.toString()).toBe(page);
  });

  test("is the same from rows in another order", () => {
    const rows = metPairs([
      [0, 1],
      [0.5, 1],
      [1, 0],
      [0.25, 0.25],
    ]);
    expect(pageOf(rows.toReversed())).toBe(pageOf(rows));
  });

  test("keeps text and figures at a contrast of 4.5 and 3", () => {
    const colours = (block: string) =>
      Object.fromEntries([...block.matchAll(/--([\w-]+): (#\w+)/g)].map((m) => [m[1]!, m[2]!]));
    const [light, dark] = [...pageOf([]).matchAll(/:root \{([^}]*)\}/g)].map((m) => colours(m[1]!));
    for (const scheme of [light!, dark!]) {
      for (const ink of ["ink", "muted", "better"]) {
        expect(contrast(scheme[ink]!, scheme.paper!)).toBeGreaterThan(4.5);
        expect(contrast(scheme[ink]!, scheme.panel!)).toBeGreaterThan(4.5);
      }
      for (const shape of ["better", "worse", "equal"])
        expect(contrast(scheme[shape]!, scheme.paper!)).toBeGreaterThan(4.5);
      expect(contrast(scheme["mark-ink"]!, scheme.mark!)).toBeGreaterThan(4.5);
    }
  });
});

/** WCAG 2's contrast of two colours in hex. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string): number => {
    const digits =
      hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit) : hex.slice(1).match(/../g)!;
    const [red, green, blue] = digits.map((digit) => {
      const share = Number.parseInt(digit, 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}
