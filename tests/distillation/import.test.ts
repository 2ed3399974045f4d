import { describe, expect, spyOn, test } from "bun:test";
import fs, {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { printable } from "../../scripts/distillation/command_line.ts";
import { isBelow } from "../../scripts/distillation/import.ts";
import { takeLock } from "../../scripts/distillation/lock.ts";
import { loadCorpus } from "../../scripts/distillation/replay.ts";
import type { Playbook } from "../../scripts/distillation/replay.ts";
import {
  evidenceRows,
  playbook,
  jsonl,
  REPOSITORY,
  run,
  spawn,
  temporaryFolder,
  writeFile,
} from "./support.ts";
import type { Run } from "./support.ts";

/** A folder `runbooks` with these pages, and a corpus beside it that does not exist yet. */
function pages(files: Record<string, string | Uint8Array>): { folder: string; corpus: string; cwd: string } {
  const cwd = temporaryFolder();
  for (const [path, text] of Object.entries(files)) writeFile(join(cwd, "runbooks", path), text);
  return { cwd, folder: join(cwd, "runbooks"), corpus: join(cwd, "corpus.jsonl") };
}

const importInto = ({ cwd, corpus }: { cwd: string; corpus: string }, ...argv: string[]) =>
  run(["import", "--corpus", corpus, ...argv], { cwd });

/** The records of one page, imported with these flags. */
async function recordsOf(
  text: string,
  { path = "page.md", flags = [] as string[] } = {},
): Promise<Playbook[]> {
  const place = pages({ [path]: text });
  const { code } = await importInto(place, "runbooks", ...flags);
  expect(code).toBe(0);
  return (await loadCorpus(place.corpus, () => {})).records;
}

const recordOf = async (text: string, options?: { path?: string; flags?: string[] }): Promise<Playbook> =>
  (await recordsOf(text, options))[0]!;

const FULL_PAGE = `---
title: Replica lag on the orders database
tags: [postgresql, lag]
---

# Replica lag

[![ci](https://ci.internal/badge.svg)](https://ci.internal) ![](https://img.shields.io/badge/owner-db-blue)

<!-- reviewed
last spring -->

## Contents

- [Symptoms](#symptoms)
  - [Fix](#fix)

## Symptoms

Lag above 60 s.

\`\`\`sh
<!-- stays -->
psql -c "SELECT 1"   # [x](#y)
\`\`\`

## Fix

- Verify that \`lag\` is below 5 s.
`;

describe("isBelow", () => {
  test.each([
    ["/a/b", "/a", true],
    ["/a/b/c", "/a", true],
    ["/a", "/", true],
    ["/a", "/a", false],
    ["/ab", "/a", false],
  ])("of %j in %j says %j", (path, folder, is) => {
    expect(isBelow(path, folder)).toBe(is);
  });
});

describe("import", () => {
  test("makes a playbook of a page", async () => {
    const record = await recordOf(FULL_PAGE, { path: "db/Lag.md", flags: ["--tags", "db,orders"] });
    expect(record).toEqual({
      id: "db/Lag",
      title: "Replica lag on the orders database",
      content: [
        "# Replica lag",
        "",
        "## Symptoms",
        "",
        "Lag above 60 s.",
        "",
        "```sh",
        "<!-- stays -->",
        'psql -c "SELECT 1"   # [x](#y)',
        "```",
        "",
        "## Fix",
        "",
        "- Verify that `lag` is below 5 s.",
      ].join("\n"),
      source_run_id: expect.stringMatching(/^import:db\/Lag\.md@[0-9a-f]{16}$/),
      success_score: "accepted",
      tags: ["postgresql", "lag", "db", "orders"],
      source_category: "runbook",
      imported_from: "runbooks",
    });
  });

  test("answers a replay from what it imported", async () => {
    const place = pages({ "lag.md": FULL_PAGE });
    await importInto(place, "runbooks");
    const root = temporaryFolder();
    const task = "replica lag above 60 s on the orders database";
    const argv = ["replay", "--dry-run", "--task", task, "--corpus", place.corpus, "--root", root];
    const { code, stdout } = await run(argv);
    expect(code).toBe(0);
    expect(stdout).toContain("Verify that `lag` is below 5 s.");
    expect(evidenceRows(root)[0]!.retrieved_artifacts.rag_ids).toEqual(["lag"]);
  });

  test("adds only what changed when run again", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "b.md": "# B\n\nTwo." });
    const summary = async (): Promise<string> => (await importInto(place, "runbooks")).stdout;
    expect(await summary()).toBe("2 new, 0 changed, 0 unchanged, 0 skipped: corpus.jsonl\n");
    expect(await summary()).toBe("0 new, 0 changed, 2 unchanged, 0 skipped: corpus.jsonl\n");
    writeFile(join(place.folder, "b.md"), "# B\n\nThree.");
    expect(await summary()).toBe("0 new, 1 changed, 1 unchanged, 0 skipped: corpus.jsonl\n");
    const { records, superseded } = await loadCorpus(place.corpus, () => {});
    expect(records.map(({ id, content }) => [id, content])).toEqual([
      ["a", "One."],
      ["b", "Three."],
    ]);
    expect(superseded).toBe(1);
  });

  test("takes other tags, score or title for a change", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    await importInto(place, "runbooks");
    for (const flags of [
      ["--tags", "x"],
      ["--score", "rejected"],
    ]) {
      const { stdout } = await importInto(place, "runbooks", ...flags);
      expect(stdout).toStartWith("0 new, 1 changed,");
    }
  });

  test("leaves a record alone that was edited by hand since", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    await importInto(place, "runbooks");
    const text = readFileSync(place.corpus, "utf8");
    writeFile(place.corpus, text.replace('"accepted"', '"rejected"'));
    const { stdout } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("0 new, 0 changed, 1 unchanged");
  });

  test("writes nothing in a dry run and shows what it would", async () => {
    const place = pages({ "a.md": "# A title\n\nOne.\n- Check `df`: 5 GB.", "db/b.md": "# B\n\nTwo." });
    expect(await importInto(place, "runbooks", "--dry-run")).toEqual({
      code: 0,
      stdout: [
        "new      a",
        "         A title",
        "         24 characters, 1 check, accepted",
        "new      db/b",
        "         B",
        "         4 characters, 0 checks, accepted, tags db",
        "2 new, 0 changed, 0 unchanged, 0 skipped (dry run: corpus.jsonl stays as it is)",
        "",
      ].join("\n"),
      stderr: "",
    });
    expect(existsSync(place.corpus)).toBe(false);
  });

  test("prints counts and records as one JSON object", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "empty.md": "" });
    const { stdout, stderr } = await importInto(place, "runbooks", "--json");
    expect(JSON.parse(stdout)).toEqual({
      corpus: place.corpus,
      dry_run: false,
      new: 1,
      changed: 0,
      unchanged: 0,
      skipped: [{ path: join(place.folder, "empty.md"), reason: "empty" }],
      left_out: [],
      retired: [],
      gone: [],
      redactions: [],
      warnings: [],
      records: [JSON.parse(readFileSync(place.corpus, "utf8"))],
    });
    expect(stderr).toEndWith("distill: 1 new, 0 changed, 0 unchanged, 1 skipped: corpus.jsonl\n");
  });

  test("names what it skips, with the reason", async () => {
    const place = pages({
      "bytes.md": Buffer.from([0x23, 0xff, 0xfe]),
      "empty.md": " \n\n",
      "good.md": "# Good\n\nText.",
      "huge.md": "x".repeat(1024 * 1024 + 1),
      "largest.md": `# Largest\n\n${"x".repeat(1024 * 1024 - 11)}`,
      "title.md": "# Only a title\n",
    });
    const { code, stdout, stderr } = await importInto(place, "runbooks");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "2 new, 0 changed, 0 unchanged, 4 skipped: corpus.jsonl\n",
    });
    expect(stderr.trimEnd().split("\n").sort()).toEqual([
      "distill: runbooks/bytes.md: skipped: not UTF-8 text. Save it as UTF-8.",
      "distill: runbooks/empty.md: skipped: empty.",
      "distill: runbooks/huge.md: skipped: over 1 MiB.",
      "distill: runbooks/title.md: skipped: empty: no text besides its title.",
    ]);
  });

  test("leaves index pages out unless they are named", async () => {
    const place = pages({
      "README.md": "# R\n\nText.",
      "SUMMARY.MD": "# S\n\nText.",
      "sub/index.md": "# I\n\nText.",
      "sub/_index.markdown": "# I\n\nText.",
      "_sidebar.md": "# S\n\nText.",
      "a.md": "# A\n\nText.",
      "B.Markdown": "# B\n\nText.",
      "rebuild-index.md": "# C\n\nText.",
      "index.md.old.md": "# D\n\nText.",
    });
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("4 new, 0 changed, 0 unchanged, 0 skipped");
    expect(stderr).toBe(
      "distill: index pages left out: runbooks/README.md, runbooks/SUMMARY.MD, runbooks/_sidebar.md and 2 more. Name them to import them.\n",
    );
    const named = await importInto(place, "runbooks/README.md");
    expect(named.stdout).toStartWith("1 new,");
  });

  test("names a secret's line below empty ones", async () => {
    const place = pages({ "a.md": "\n\nText.\npassword: hunter2x" });
    expect((await importInto(place, "runbooks")).stderr).toContain("runbooks/a.md:4: a secret");
  });

  test("leaves hidden files and folders and installed packages out", async () => {
    const place = pages({
      ".a.md": "# A\n\nText.",
      ".git/a.md": "# A\n\nText.",
      "node_modules/x/b.md": "# B\n\nText.",
      "c.md": "# C\n\nText.",
    });
    await importInto(place, "runbooks");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["c"]);
  });

  test("skips what is called a page and is no file", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    Bun.spawnSync(["mkfifo", join(place.folder, "pipe.md")]);
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new, 0 changed, 0 unchanged, 1 skipped");
    expect(stderr).toBe("distill: runbooks/pipe.md: skipped: not a file.\n");
  });

  test("names the root itself with a dot", async () => {
    const { folder, corpus } = pages({ "a.md": "# A\n\nOne." });
    await run(["import", ".", "--root", ".", "--corpus", corpus], { cwd: folder });
    const [record] = (await loadCorpus(corpus, () => {})).records;
    expect(record).toMatchObject({ id: "a", imported_from: "." });
  });

  test.each([[[]], [["--split", "h2"]]])(
    "calls the second of two pages with one path by its folder, too %p",
    async (flags) => {
      const section = flags.length > 0 ? "#fix" : "";
      const page = (text: string): string => `# A\n\n## Fix\n\n${text}\n\n## Check\n\nLook.`;
      const place = pages({ "a.md": page("One.") });
      writeFile(join(place.cwd, "other/a.md"), page("Two."));
      const first = await importInto(place, "runbooks", "other", ...flags);
      expect(first.stderr).toBe("");
      const ids = async () => (await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id);
      expect(await ids()).toEqual(expect.arrayContaining([`a${section}`, `other/a${section}`]));
      // Whichever is imported alone then, each is known again.
      writeFile(join(place.cwd, "other/a.md"), page("Three."));
      for (const [paths, told] of [
        [["runbooks"], "0 new, 0 changed"],
        [["other"], "0 new, 1 changed"],
        [["other", "runbooks"], "0 new, 0 changed"],
      ] as const) {
        const { stdout, stderr } = await importInto(place, ...paths, ...flags);
        expect([stdout.startsWith(told), stderr]).toEqual([true, ""]);
      }
      expect((await ids()).filter((id) => id.endsWith(`a${section}`)).sort()).toEqual([
        `a${section}`,
        `other/a${section}`,
      ]);
    },
  );

  test("keeps a page its id where a folder in it begins like the page", async () => {
    const folders = ["x", "b/disk-alerts", "ap/disk-alerts"];
    const place = pages({});
    for (const folder of folders) writeFile(join(place.cwd, folder, "disk.md"), `# A\n\n${folder}.`);
    expect((await importInto(place, ...folders)).stdout).toStartWith("3 new, 0 changed");
    const ids = ["disk", "disk-alerts/disk", "ap/disk-alerts/disk"];
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(ids);
    // Its name is free for a new page, but not for one that has its own.
    rmSync(join(place.cwd, "x/disk.md"));
    const again = await importInto(place, "ap/disk-alerts");
    expect(again.stdout).toStartWith("0 new, 0 changed, 1 unchanged");
  });

  const ALIKE = ["a.MD", "a.Md", "a.markdown", "a.md"];

  test.each([
    ["beside the corpus", "kb", ["a", "kb/a"]],
    ["in the corpus' folder itself", "", ["a"]],
    ["two folders below it", "kb/db", ["a", "db/a", "kb/db/a"]],
  ])("names no folder above the corpus' for pages of one path, %s", async (_, folder, ids) => {
    const place = pages({});
    for (const name of ALIKE) writeFile(join(place.cwd, folder, name), `# A\n\n${name}.`);
    const { stdout, stderr } = await importInto(place, folder || ".");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(ids);
    const skipped = ALIKE.slice(ids.length);
    expect(stdout).toStartWith(`${ids.length} new, 0 changed, 0 unchanged, ${skipped.length} skipped`);
    for (const name of skipped)
      expect(stderr).toContain(`${join(folder, name)}: skipped: the same path as another page, id a.\n`);
  });

  test("names a folder elsewhere by its last name alone", async () => {
    const place = pages({});
    const elsewhere = temporaryFolder();
    for (const name of ALIKE) writeFile(join(elsewhere, "team/kb", name), `# A\n\n${name}.`);
    await importInto(place, join(elsewhere, "team/kb"));
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["a", "kb/a"]);
  });

  test("takes a page that is given twice once", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo." });
    const { stdout } = await importInto(place, "runbooks", "runbooks/a.md", "runbooks/db/b.md", "runbooks");
    expect(stdout).toBe("2 new, 0 changed, 0 unchanged, 0 skipped: corpus.jsonl\n");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["a", "db/b"]);
  });

  test("follows links inside the folder and none out of it", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", ".data/hidden.md": "# H\n\nText." });
    const outside = writeFile(join(place.cwd, "secret.md"), "# Secret\n\nText.");
    symlinkSync(outside, join(place.folder, "out.md"));
    symlinkSync(place.cwd, join(place.folder, "up"));
    const beside = writeFile(join(place.cwd, "runbooks-2/secret.md"), "# Secret\n\nText.");
    symlinkSync(beside, join(place.folder, "beside.md"));
    symlinkSync(".", join(place.folder, "loop"));
    symlinkSync("a.md", join(place.folder, "alias.md"));
    symlinkSync(".data/hidden.md", join(place.folder, "shown.md"));
    symlinkSync("gone.md", join(place.folder, "broken.md"));
    symlinkSync("round.md", join(place.folder, "round.md"));
    symlinkSync("shown.md", join(place.folder, "shown2.md"));
    const { stderr } = await importInto(place, "runbooks");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["a", "shown"]);
    expect(stderr.trimEnd().split("\n").sort()).toEqual([
      "distill: runbooks/beside.md: skipped: a symbolic link that leads out of the folder.",
      "distill: runbooks/broken.md: skipped: a symbolic link that leads nowhere.",
      "distill: runbooks/out.md: skipped: a symbolic link that leads out of the folder.",
      "distill: runbooks/round.md: skipped: a symbolic link that leads nowhere.",
      "distill: runbooks/up: skipped: a symbolic link that leads out of the folder.",
    ]);
  });

  test("names records whose page is gone and keeps them", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "b.md": "# B\n\nTwo." });
    await importInto(place, "runbooks");
    rmSync(join(place.folder, "b.md"));
    const again = await importInto(place, "runbooks");
    expect(again.stderr).toBe(
      "distill: b: its page or section is gone; the record is kept. To drop it, delete every line with its id.\n",
    );
    expect((await loadCorpus(place.corpus, () => {})).records).toHaveLength(2);
  });

  test("takes no record of another folder or a skipped page for gone", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFile(join(place.cwd, "other/b.md"), "# B\n\nTwo.");
    await importInto(place, "runbooks", "other");
    writeFile(join(place.folder, "a.md"), "");
    writeFile(join(place.folder, "c.md"), "# C\n\nThree.");
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toBe("distill: runbooks/a.md: skipped: empty.\n");
    expect((await importInto(place, "runbooks/c.md")).stderr).toBe("");
  });

  test("takes no index page that was named once for gone", async () => {
    const place = pages({ "README.md": "# R\n\nText.", "a.md": "# A\n\nOne." });
    await importInto(place, "runbooks/README.md");
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toBe("distill: index pages left out: runbooks/README.md. Name them to import them.\n");
  });

  test("says when quiet only what is wrong", async () => {
    const place = pages({ "README.md": "# I", "a.md": "# A\n\npassword: hunter2x\n", "b.md": " \n" });
    const { stderr } = await importInto(place, "runbooks", "-q", "--json");
    expect(stderr).toBe(
      "distill: runbooks/a.md:3: a secret (password) is replaced by [redacted:password]. Revoke it, and take it out of the page.\n" +
        "distill: runbooks/b.md: skipped: empty.\n",
    );
  });

  test("waits for another import, and adds nothing of it again", async () => {
    const { cwd, corpus } = pages({ "a.md": "# A\n\nText.\n", "b.md": "# B\n\nText.\n" });
    const into = (onStderr?: () => void): Promise<Run> =>
      run(["import", "--corpus", corpus, "runbooks"], { cwd, onStderr });
    const other = takeLock("import", corpus)!;
    const waited = await into(() => {
      writeFileSync(corpus, `${jsonl([{ id: "c", title: "C", content: "Text." }])}\n`);
      other[Symbol.dispose]();
    });
    expect(waited).toEqual({
      code: 0,
      stdout: "2 new, 0 changed, 0 unchanged, 0 skipped: corpus.jsonl\n",
      stderr: "distill: corpus.jsonl: waiting for another import into it.\n",
    });
    const { stdout } = await into();
    expect(stdout).toBe("0 new, 0 changed, 2 unchanged, 0 skipped: corpus.jsonl\n");
  });

  test("names what is gone from a folder that has no page left", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFile(join(place.cwd, "other/b.md"), "# B\n\nTwo.");
    await importInto(place, "runbooks", "other");
    rmSync(join(place.cwd, "other/b.md"));
    const { stderr } = await importInto(place, "runbooks", "other");
    expect(stderr).toBe(
      "distill: other: no Markdown page (.md) there. Check the path.\ndistill: b: its page or section is gone; the record is kept. To drop it, delete every line with its id.\n",
    );
  });

  test("tells folders with one name apart where the corpus lies beside them", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFile(join(place.cwd, "team/runbooks/a.md"), "# A\n\nTwo.");
    writeFile(join(place.cwd, "team/runbooks/b.md"), "# B\n\nThree.");
    await importInto(place, "runbooks");
    expect((await importInto(place, "team/runbooks")).stderr).toBe("");
    const { records } = await loadCorpus(place.corpus, () => {});
    expect(records.map(({ id }) => id)).toEqual(["a", "runbooks/a", "b"]);
    rmSync(join(place.cwd, "team/runbooks/b.md"));
    expect((await importInto(place, "runbooks")).stderr).not.toContain("its page or section is gone");
  });

  test("leaves the sections of another folder's page their id", async () => {
    const place = pages({
      "db/a.md": "# A\n\n## Fix\n\nOne.",
      "web/a.md": "# A\n\n## Fix\n\nTwo.",
    });
    await importInto(place, "runbooks/db", "--split", "h2");
    await importInto(place, "runbooks/web", "--split", "h2");
    const { records } = await loadCorpus(place.corpus, () => {});
    expect(records.map(({ id }) => id)).toEqual(["a#fix", "web/a#fix"]);
  });

  test("names what is gone with its whole folder", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo." });
    await importInto(place, "runbooks/db");
    rmSync(join(place.folder, "db"), { recursive: true });
    expect((await importInto(place, "runbooks")).stderr).toStartWith(
      "distill: b: its page or section is gone; the record is kept.",
    );
  });

  test("knows a page that is named alone by the folder it was imported with", async () => {
    const place = pages({ "db/a.md": "# A\n\nOne." });
    await importInto(place, "runbooks");
    writeFile(join(place.folder, "db/a.md"), "# A\n\nTwo.");
    const { stdout } = await importInto(place, "runbooks/db/a.md");
    expect(stdout).toStartWith("0 new, 1 changed, 0 unchanged");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["db/a"]);
  });

  test("knows the pages of a folder within one that was imported", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo.", "db/c.md": "# C\n\nThree." });
    await importInto(place, "runbooks", "--split", "h2");
    rmSync(join(place.folder, "db/c.md"));
    writeFile(join(place.folder, "db/d.md"), "# D\n\nFour.");
    const { stdout, stderr } = await importInto(place, "runbooks/db", "--split", "h2");
    expect(stdout).toStartWith("1 new, 0 changed, 1 unchanged");
    expect(stderr).toStartWith("distill: db/c: its page or section is gone");
    expect(stderr).not.toContain("distill: a:");
    const { records } = await loadCorpus(place.corpus, () => {});
    expect(records.map(({ id }) => id)).toEqual(["a", "db/b", "db/c", "db/d"]);
    expect(new Set(records.map(({ imported_from }) => imported_from))).toEqual(new Set(["runbooks"]));
  });

  test("knows the pages of a folder when the one around it is imported", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo." });
    await importInto(place, "runbooks/db");
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new, 0 changed, 1 unchanged");
    expect(stderr).toBe("");
    expect((await loadCorpus(place.corpus, () => {})).records.map(({ id }) => id)).toEqual(["b", "a"]);
  });

  const importedInto = async (corpus: string): Promise<[string, unknown][]> =>
    (await loadCorpus(corpus, () => {})).records.map(({ id, imported_from }) => [id, imported_from]);

  test("leaves a page its id where a new page of the folder around has the same path", async () => {
    const place = pages({ "db/a.md": "# A\n\nOne." });
    await importInto(place, "runbooks/db");
    writeFile(join(place.folder, "a.md"), "# A\n\nTwo.");
    for (const [paths, fresh] of [
      [["runbooks"], 1],
      [["runbooks", "runbooks/db"], 0],
      [["runbooks/db"], 0],
    ] as const) {
      const { stdout, stderr } = await importInto(place, ...paths);
      expect(stdout).toStartWith(`${fresh} new, 0 changed`);
      expect(stderr).toBe("");
    }
    expect(await importedInto(place.corpus)).toEqual([
      ["a", "runbooks/db"],
      ["runbooks/a", "runbooks"],
    ]);
  });

  test("knows where a page is in a root with the corpus below it", async () => {
    const root = temporaryFolder();
    const importDocs = (...paths: string[]) => run(["import", "--root", root, ...paths], { cwd: root });
    writeFile(join(root, "docs/a.md"), "# A\n\nOne.");
    writeFile(join(root, "other/a.md"), "# A\n\nTwo.");
    await importDocs("docs");
    await importDocs("other");
    writeFile(join(root, "exports/rag/docs/a.md"), "# A\n\nThree.");
    await importDocs("exports/rag/docs");
    for (const folder of ["docs", "other", "exports/rag/docs"])
      expect((await importDocs(folder)).stdout).toStartWith("0 new, 0 changed, 1 unchanged");
    expect(await importedInto(join(root, "exports/rag/playbooks.jsonl"))).toEqual([
      ["a", "docs"],
      ["other/a", "other"],
      ["docs/a", "exports/rag/docs"],
    ]);
  });

  test("leaves a section its id where a new page is called like it", async () => {
    const place = pages({ "a.md": "# A\n\nText.\n\n## B\n\nOne." });
    await importInto(place, "runbooks", "--split", "h2");
    writeFile(join(place.folder, "a#b.md"), "# AB\n\nTwo.");
    const { stdout } = await importInto(place, "runbooks", "--split", "h2");
    expect(stdout).toStartWith("1 new, 0 changed, 2 unchanged");
    expect((await importedInto(place.corpus)).map(([id]) => id)).toEqual(["a", "a#b", "runbooks/a#b"]);
  });

  test("takes no folder for imported of which a page was named alone", async () => {
    const place = pages({ "notes.md": "# N\n\nOne.", "db/a.md": "# A\n\nTwo." });
    await importInto(place, "runbooks/notes.md");
    await importInto(place, "runbooks/db");
    expect(await importedInto(place.corpus)).toEqual([
      ["notes", "runbooks"],
      ["a", "runbooks/db"],
    ]);
  });

  test("keeps the names of two folders, one within the other, that were both imported", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo." });
    await importInto(place, "runbooks/db");
    await importInto(place, "runbooks");
    writeFile(join(place.folder, "db/c.md"), "# C\n\nThree.");
    await importInto(place, ".");
    for (const paths of [["runbooks/db"], ["runbooks"], ["."], ["runbooks/db/c.md"]])
      expect((await importInto(place, ...paths)).stdout).toStartWith("0 new, 0 changed,");
    expect((await importedInto(place.corpus)).map(([id]) => id)).toEqual(["b", "a", "runbooks/db/c"]);
  });

  test("knows the pages of a folder that is reached by a link", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "db/b.md": "# B\n\nTwo.", "db/c.md": "# C\n\nThree." });
    symlinkSync(place.folder, join(place.cwd, "all"));
    symlinkSync(join(place.folder, "db"), join(place.cwd, "current"));
    await importInto(place, "all");
    rmSync(join(place.folder, "db/c.md"));
    writeFile(join(place.folder, "db/d.md"), "# D\n\nFour.");
    const { stdout, stderr } = await importInto(place, "current");
    expect(stdout).toStartWith("1 new, 0 changed, 1 unchanged");
    expect(stderr).toStartWith("distill: db/c: its page or section is gone");
    expect((await importInto(place, "runbooks")).stdout).toStartWith("0 new, 0 changed, 3 unchanged");
    expect(await importedInto(place.corpus)).toEqual(["a", "db/b", "db/c", "db/d"].map((id) => [id, "all"]));
  });

  test("takes no record for gone of a folder elsewhere whose name is not found", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    const elsewhere = temporaryFolder();
    writeFile(join(elsewhere, "team/b.md"), "# B\n\nTwo.");
    await importInto(place, join(elsewhere, "team"));
    expect((await importInto(place, ".")).stderr).toBe("");
  });

  test("knows the pages of an import of the whole machine", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "b.md": "# B\n\nTwo." });
    await importInto(place, "runbooks/a.md");
    const below = place.folder.slice(1);
    const [record] = (await loadCorpus(place.corpus, () => {})).records;
    const source_run_id = record!.source_run_id.replace("import:", `import:${below}/`);
    const whole = { ...record!, id: `${below}/a`, source_run_id, imported_from: "/" };
    writeFileSync(place.corpus, jsonl([whole]));
    expect((await importInto(place, "runbooks")).stdout).toStartWith("1 new, 1 changed,");
    expect(await importedInto(place.corpus)).toEqual([
      [`${below}/a`, "/"],
      [`${below}/b`, "/"],
    ]);
  });

  test("skips a page whose name is not UTF-8", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFileSync(
      Buffer.concat([Buffer.from(`${place.folder}/b`), Buffer.from([0xff]), Buffer.from(".md")]),
      "# B\n\nTwo.",
    );
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new, 0 changed, 0 unchanged, 1 skipped");
    expect(stderr).toEndWith(".md: skipped: its name is not UTF-8 text.\n");
  });

  test.each(["a\nb.md", "a\nb/c.md", "a\rb.md", "a\tb.md", "a\u2028b.md", "a\u2029b.md", "\x1b[31m.md"])(
    "knows a page again whose name is %j, and tells that it is gone",
    async (name) => {
      const place = pages({ [name]: "# Odd\n\nOne.", "z.md": "# Z\n\nTwo." });
      expect((await importInto(place, "runbooks")).stdout).toStartWith("2 new,");
      writeFile(join(place.folder, name), "# Odd\n\nThree.");
      expect((await importInto(place, "runbooks")).stdout).toStartWith("0 new, 1 changed, 1 unchanged");
      rmSync(join(place.folder, name));
      const { stdout, stderr } = await importInto(place, "runbooks");
      expect(stdout).toStartWith("0 new, 0 changed, 1 unchanged");
      expect(stderr).toBe(
        `distill: ${printable(name.slice(0, -3))}: its page or section is gone; the record is kept. To drop it, delete every line with its id.\n`,
      );
    },
  );

  test("says where one of several folders holds no page", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    mkdirSync(join(place.cwd, "empty"));
    const { code, stderr } = await importInto(place, "empty", "runbooks");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "distill: empty: no Markdown page (.md) there. Check the path.\n",
    });
  });

  /** The superuser may read anywhere, so these folders are shut here. */
  const shut = (...names: string[]) => {
    const read = fs.readdirSync;
    return spyOn(fs, "readdirSync").mockImplementation(((path: string, options: object) => {
      if (names.some((name) => path.endsWith(`/${name}`)))
        throw Object.assign(new Error("no"), { code: "EACCES" });
      return read(path, options as never);
    }) as never);
  };

  test.each([
    ["runbooks", ["runbooks"]],
    ["runbooks/db", ["runbooks"]],
    ["runbooks", ["empty", "runbooks", "empty"]],
  ])("says that %s cannot be read where that leaves no page of %j", async (name, paths) => {
    const place = pages({ "db/a.md": "# A\n\nOne." });
    mkdirSync(join(place.cwd, "empty"));
    using _ = shut(name);
    expect(await importInto(place, ...paths)).toEqual({
      code: 3,
      stdout: "",
      stderr: `distill: ${name}: not readable (EACCES). Check its permissions.\n`,
    });
    expect(existsSync(place.corpus)).toBe(false);
  });

  test.each(["other", "other/db"])(
    "skips %s that cannot be read, and takes nothing in it for gone",
    async (name) => {
      const place = pages({ "a.md": "# A\n\nOne." });
      writeFile(join(place.cwd, "other/db/b.md"), "# B\n\nTwo.");
      await importInto(place, "runbooks", "other");
      using _ = shut(name);
      const { code, stdout, stderr } = await importInto(place, "runbooks", "other");
      expect({ code, stderr }).toEqual({
        code: 0,
        stderr: `distill: ${name}: skipped: not readable (EACCES).\n`,
      });
      expect(stdout).toStartWith("0 new, 0 changed, 1 unchanged, 1 skipped");
    },
  );

  test("says of a page that it is listed and not let at", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "b.md": "# B\n\nTwo." });
    const { realpathSync, statSync } = fs;
    const shutB = (read: (path: string) => unknown) =>
      ((path: string) => {
        if (path.endsWith("/b.md")) throw Object.assign(new Error("no"), { code: "EACCES" });
        return read(path);
      }) as never;
    using _ = spyOn(fs, "realpathSync").mockImplementation(shutB(realpathSync));
    using __ = spyOn(fs, "statSync").mockImplementation(shutB(statSync));
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new, 0 changed, 0 unchanged, 1 skipped");
    expect(stderr).toBe("distill: runbooks/b.md: skipped: not readable (EACCES).\n");
  });

  test("names the pages that it takes for retired", async () => {
    const place = pages({
      "a.md": "# A\n\nOne.",
      "archive/c.md": "# C\n\nThree.",
      "b.md": "# B\n\n> Deprecated.\n\nTwo.",
      "d.md": "---\ntags: [draft]\n---\n# D\n\nFour.",
    });
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toBe(
      "distill: taken as needs_human_review, because they call themselves deprecated or a draft, or lie in a folder for such: archive/c, b, d.\n",
    );
  });

  test("leaves a record alone that came from no page, and warns where one of another folder gives way", async () => {
    const place = pages({ "a.md": "# A\n\nOne.", "b.md": "# B\n\nTwo." });
    const elsewhere = { source_run_id: "import:b.md@0123456789abcdef", imported_from: "elsewhere" };
    writeFile(place.corpus, jsonl([playbook({ id: "a" }), { ...playbook({ id: "b" }), ...elsewhere }]));
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new, 1 changed");
    expect(stderr).toBe(
      "distill: b: replaces a record that did not come from runbooks. Rename the page, or drop the earlier line.\n",
    );
    expect(await importedInto(place.corpus)).toEqual([
      ["a", undefined],
      ["runbooks/a", "runbooks"],
      ["b", "runbooks"],
    ]);
    expect((await importInto(place, "runbooks")).stdout).toStartWith("0 new, 0 changed, 2 unchanged");
  });

  test("names ten bad lines of the corpus and counts the others", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFile(place.corpus, `${"[]\n".repeat(12)}${jsonl([playbook()])}`);
    const lines = (await importInto(place, "runbooks")).stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[9]).toStartWith("distill: corpus.jsonl:10: expected a JSON object");
    expect(lines[10]).toBe(
      "distill: corpus.jsonl: 2 more bad lines, 12 skipped in all, 1 playbook left. Run distill corpus check to see each.",
    );
  });

  test("names bad lines of the corpus and goes on", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    writeFile(place.corpus, "{torn");
    const { stdout, stderr } = await importInto(place, "runbooks");
    expect(stdout).toStartWith("1 new");
    expect(stderr).toStartWith("distill: corpus.jsonl:1: not valid JSON");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(readFileSync(place.corpus, "utf8")).toStartWith('{torn\n{"id":"a"');
  });

  test.each([
    [["import"], 2, "distill: import: name the pages, or folders of them: distill import docs/runbooks.\n"],
    [["import", ""], 2, "distill: import: an argument is empty. Is a variable not set?\n"],
    [["import", "none"], 3, "distill: none: no such file or folder. Check the path.\n"],
    [["import", "notes.txt/a.md"], 3, "distill: notes.txt/a.md: not readable (ENOTDIR). Check the path.\n"],
    [["import", "."], 3, ": no Markdown page (.md) there. Check the path.\n"],
    [
      ["import", "notes.txt"],
      3,
      "distill: notes.txt: not a Markdown page. Name a .md file, or a folder of them.\n",
    ],
    [["import", "x", "--split", "h4"], 2, 'distill: --split: expected h2 or h3 (got "h4").\n'],
    [["import", "x", "--score", "good"], 2, "distill: --score: expected accepted or "],
  ])("refuses %j in one line", async (argv, code, expected) => {
    const cwd = temporaryFolder();
    writeFile(join(cwd, "notes.txt"), "x");
    const result = await run([...argv, "--corpus", "c.jsonl"], { cwd });
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toContain(expected);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(join(cwd, "c.jsonl"))).toBe(false);
  });

  test("says that only index pages are there", async () => {
    const { stderr } = await importInto(pages({ "README.md": "# R\n\nText." }), "runbooks");
    expect(stderr).toContain("no Markdown page (.md) there but index pages. Name them to import them.");
  });

  test.each([
    [
      "a file in place of its folder",
      (corpus: string) => symlinkSync("/dev/null/corpus.jsonl", corpus),
      5,
      "(ENOTDIR), and none was. Check the path",
    ],
    ["a folder in its place", (corpus: string) => mkdirSync(corpus), 3, "a folder, not a file."],
  ])("ends in an error where the corpus cannot be written: %s", async (_, spoil, expected, told) => {
    const place = pages({ "a.md": "# A\n\nOne." });
    spoil(place.corpus);
    const { code, stdout, stderr } = await importInto(place, "runbooks");
    expect({ code, stdout }).toEqual({ code: expected, stdout: "" });
    expect(stderr).toContain(told);
  });

  test("ends in an error and adds nothing where the disk is full", async () => {
    const place = pages({ "a.md": "# A\n\nOne." });
    using write = spyOn(fs, "writeSync").mockImplementation(() => {
      throw Object.assign(new Error("full"), { code: "ENOSPC" });
    });
    const { code, stdout, stderr } = await importInto(place, "runbooks");
    expect(write).toHaveBeenCalled();
    expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
    expect(stderr).toContain("(ENOSPC), and none was. Make room, or");
    expect(existsSync(place.corpus)).toBe(false);
  });

  test("keeps an empty corpus that was there where the disk is full, and a link", async () => {
    using _ = spyOn(fs, "writeSync").mockImplementation(() => {
      throw Object.assign(new Error("full"), { code: "ENOSPC" });
    });
    const there = pages({ "a.md": "# A\n\nOne." });
    writeFile(there.corpus, "");
    expect((await importInto(there, "runbooks")).code).toBe(5);
    expect(readFileSync(there.corpus, "utf8")).toBe("");
    const linked = pages({ "a.md": "# A\n\nOne." });
    symlinkSync("elsewhere.jsonl", linked.corpus);
    expect((await importInto(linked, "runbooks")).code).toBe(5);
    expect(readlinkSync(linked.corpus)).toBe("elsewhere.jsonl");
    expect(existsSync(join(linked.cwd, "elsewhere.jsonl"))).toBe(false);
  });

  test.each([[], ["--dry-run"], ["--json"]])(
    "ends with 3 where no page can be taken and there is no corpus: %j",
    async (...flags) => {
      const place = pages({ "a.md": "", "b.md": Buffer.from([0x64, 0xe9]) });
      const { code, stdout, stderr } = await importInto(place, "runbooks", ...flags);
      expect(code).toBe(3);
      expect(flags.includes("--json") ? stderr : stdout).toContain(
        "0 new, 0 changed, 0 unchanged, 2 skipped: there is no playbook, so corpus.jsonl is not made\n",
      );
      expect(existsSync(place.corpus)).toBe(false);
      writeFile(place.corpus, "");
      expect((await importInto(place, "runbooks", ...flags)).code).toBe(0);
    },
  );

  test("says that it has made a folder for the corpus", async () => {
    const { cwd } = pages({ "a.md": "# A\n\nOne." });
    const into = (...flags: string[]) =>
      importInto({ cwd, corpus: "new/folder/c.jsonl" }, "runbooks", ...flags);
    expect((await into("--dry-run")).stderr).toBe("");
    expect((await into()).stderr).toBe(
      "distill: new/folder: made for the corpus, since there was no such folder.\n",
    );
    expect((await into()).stderr).toBe("");
  });

  test.each(["/dev/full", "/dev/null", "pipe", "link", "-"])("adds to no %s", async (corpus) => {
    const { cwd } = pages({ "a.md": "# A\n\nOne." });
    Bun.spawnSync(["mkfifo", join(cwd, "pipe")]);
    symlinkSync("/dev/stdout", join(cwd, "link"));
    const { code, stdout, stderr } = await importInto({ cwd, corpus }, "runbooks");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `distill: --corpus: expected a file to add playbooks to (got "${corpus}"). To print them alone: --dry-run --json.\n`,
    );
    expect(existsSync(join(cwd, "-"))).toBe(false);
  });

  test("adds to no file that its own output goes to", async () => {
    const { cwd } = pages({ "a.md": "# A\n\nOne." });
    const command = `"${join(REPOSITORY, "scripts/distill")}" import --corpus /dev/stdout runbooks > out.jsonl`;
    const { code, stderr } = await spawn(["sh", "-c", command], { cwd });
    expect({ code, out: readFileSync(join(cwd, "out.jsonl"), "utf8") }).toEqual({ code: 2, out: "" });
    expect(stderr).toStartWith("distill: --corpus: expected a file to add playbooks to");
  });

  test("shows progress on a terminal and wipes it", async () => {
    const { cwd, corpus } = pages({ "a.md": "# A\n\nOne." });
    const { stderr } = await run(["import", "--corpus", corpus, "runbooks"], { cwd, tty: true });
    expect(stderr).toBe("\r\x1b[K[import] 1 of 1 page\r\x1b[K");
  });
});

describe("import and secrets", () => {
  test("replaces secrets before anything is written and names their lines", async () => {
    const place = pages({
      "a.md": [
        "# A",
        "",
        "Connect: postgres://app:hunter2x@db-3/app",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEabc",
        "-----END RSA PRIVATE KEY-----",
        "",
        "password: s3cret99, token: s3cret98",
      ].join("\n"),
    });
    const { stdout, stderr } = await importInto(place, "runbooks", "--json");
    expect(stderr.split("\n").slice(0, 4)).toEqual([
      expect.stringMatching(/^distill: runbooks\/a\.md:3: a secret \(url_password\) is replaced by/),
      expect.stringMatching(/^distill: runbooks\/a\.md:4: a secret \(private_key\) is replaced by/),
      expect.stringMatching(/^distill: runbooks\/a\.md:8: a secret \(password\) is replaced by/),
      expect.stringMatching(/^distill: runbooks\/a\.md:8: a secret \(password\) is replaced by/),
    ]);
    for (const text of [stdout, stderr, readFileSync(place.corpus, "utf8")])
      expect(text).not.toMatch(/hunter2x|MIIEabc|s3cret9/);
    const [record] = (await loadCorpus(place.corpus, () => {})).records;
    expect(record!.content).toBe(
      "Connect: postgres://app:[redacted:url_password]@db-3/app\n[redacted:private_key]\n\npassword: [redacted:password], token: [redacted:password]",
    );
  });

  test("replaces every mention of a page's secret and names its line", async () => {
    const place = pages({
      "a.md": [
        "---",
        "title: Log in with hunter2x99",
        "tags: [db, hunter2x99]",
        "---",
        "## Log in",
        "",
        "It was changed from hunter2x99.",
        "",
        "- password: hunter2x99",
        "",
        "## Check hunter2x99",
        "",
        "```sh",
        "psql -W hunter2x99",
        "```",
      ].join("\n"),
      "b.md": "# B\n\nThe host hunter2x99 is up.",
    });
    const { stderr } = await importInto(place, "runbooks", "--split", "h2");
    expect(stderr.match(/(?<=a\.md:)\d+/g)).toEqual(["2", "3", "7", "9", "11", "14"]);
    const { records } = await loadCorpus(place.corpus, () => {});
    expect(JSON.stringify(records.slice(0, 2))).not.toContain("hunter2x99");
    expect(records.map(({ content }) => content)).toEqual([
      "It was changed from [redacted:password].\n\n- password: [redacted:password]",
      "```sh\npsql -W [redacted:password]\n```",
      "The host hunter2x99 is up.",
    ]);
  });

  test("replaces every mention of a secret that a comment held apart", async () => {
    const text =
      "# Not hunter2x99\n\n## Old: hunter2x99\n\nText.\n\n## New\n\npassword: <!-- x -->hunter2x99";
    expect(JSON.stringify(await recordsOf(text, { flags: ["--split", "h2"] }))).not.toContain("hunter2x99");
  });

  test("leaves no secret that a comment held apart", async () => {
    const record = await recordOf("Text.\n\npassword: <!-- x -->hunter2x");
    expect(record.content).toBe("Text.\n\npassword: [redacted:password]");
  });

  test.each(["secret", "password", "token"])(
    "keeps the fence behind a line that ends in %s:",
    async (name) => {
      const text = `Delete only the pending ${name}:\n\n~~~console\n$ kubectl get x\n~~~`;
      expect((await recordOf(`# X\n\n${text}\n`)).content).toBe(text);
    },
  );

  test("counts lines as an editor does in a file with CRLF", async () => {
    const place = pages({ "a.md": "# A\r\n\r\npassword: s3cret99\r\n" });
    expect((await importInto(place, "runbooks")).stderr).toContain("a.md:3: a secret");
  });
});

describe("a page's title", () => {
  test.each([
    ["front matter", "---\ntitle: 'From: front matter'\n---\n# Heading\n\nText.", "From: front matter"],
    ["a number in front matter", "---\ntitle: 504\n---\nText.", "504"],
    ["TOML front matter", '+++\ntitle = "From TOML"\n+++\nText.', "From TOML"],
    ["the first heading", "# A `code` **heading** [link](x)\n\nText.", "A code heading link"],
    ["a heading underlined with dashes", "Text.\n\nLater\n-----\n\nText.", "Later"],
    ["a heading with an anchor", '# <a name="x"></a>A <b>heading</b> {#x}\n\nText.', "A heading"],
    ["several lines of front matter", "---\ntitle: |\n  Two\n  lines\n---\nText.", "Two lines"],
    ["an underlined heading", "A heading\n=========\n\nText.", "A heading"],
    ["a heading behind a paragraph", "Text.\n\n## Later\n\nText.", "Later"],
    ["the file's name", "Text without a heading.", "disk full"],
    ["the file's name where the first heading is empty", "# \n\nText.", "disk full"],
    ["no comment in code", "```sh\n# not a heading\n```\n", "disk full"],
  ])("comes from %s", async (_, text, title) => {
    expect(await recordOf(text, { path: "disk-full.md" })).toMatchObject({ title });
  });

  test("stands in the content only where it is another one", async () => {
    const other = await recordOf("---\ntitle: Other\n---\n## Symptoms\n\nText.");
    expect(other.content).toBe("## Symptoms\n\nText.");
    expect((await recordOf("# Title\n\nText.")).content).toBe("Text.");
    expect((await recordOf("---\ntitle: Same\n---\n## Same\n\nText.")).content).toBe("Text.");
    expect((await recordOf("# Same\nText.")).content).toBe("Text.");
    expect((await recordOf("---\ntitle: Other\n---\nPage\n---\n\nText.")).content).toBe("## Page\n\nText.");
    const alert = await recordOf("---\ntitle: Runbook 12\n---\n\n# CheckoutQueueAge fires\n\nRestart it.");
    expect(alert.content).toBe("# CheckoutQueueAge fires\n\nRestart it.");
  });
});

describe("a page's front matter", () => {
  test("is left out and named where it cannot be read", async () => {
    const place = pages({ "a.md": "---\ntitle: [open\n---\n# Heading\n\nText." });
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toMatch(
      /^distill: runbooks\/a\.md:1: its front matter is left out, title and tags included: .*\. Correct it; .*\.\n$/,
    );
    const [record] = (await loadCorpus(place.corpus, () => {})).records;
    expect(record).toMatchObject({ title: "Heading", content: "Text." });
  });

  test("is left out and named where its TOML cannot be read", async () => {
    const place = pages({ "a.md": "+++\ntitle = open\n+++\nText." });
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toContain("runbooks/a.md:1: its front matter is left out, title and tags included: ");
    expect((await loadCorpus(place.corpus, () => {})).records[0]!.content).toBe("Text.");
  });

  test("is left out where a comment stands above what cannot be read", async () => {
    const { content } = await recordOf("---\n# of the page\ntitle: [open\n---\nText.");
    expect(content).toBe("Text.");
  });

  test("is text, and named, where it is never closed", async () => {
    const place = pages({ "a.md": "---\ntags: [a]\nText.", "b.md": "---\nA rule, then text." });
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toContain("runbooks/a.md:1: its front matter is never closed, so it is part of the text.");
    expect(stderr).not.toContain("b.md:1");
  });

  test("is not taken for what are two rules", async () => {
    const { content } = await recordOf("---\nJust text.\n\n---\nMore text.");
    expect(content).toBe("---\nJust text.\n\n---\nMore text.");
  });

  test.each([
    ["tags: a, b", ["a", "b", "db"]],
    ["tags: [A, a, 3]", ["A", "3", "db"]],
    ["title: x", ["db"]],
  ])("gives tags: %s", async (line, tags) => {
    expect(await recordOf(`---\n${line}\n---\nText.`, { path: "db/a.md" })).toMatchObject({ tags });
  });

  test.each([
    ["title: 1.10", "---"],
    ["title:   1.10   # the release", "---"],
    ["title:\n  1.10", "---"],
    ["'title': 1.10", "---"],
    ['other: "1.1, 1.2, x"\ntitle: 1.10', "---"],
    ["other: don't, 1.2, 'a'\ntitle: 1.10", "---"],
    ["title = 1.10", "+++"],
    ["title=1.10 # the release", "+++"],
  ])("keeps a title that is a number as it is written: %j", async (block, fence) => {
    expect((await recordOf(`${fence}\n${block}\n${fence}\nText.`)).title).toBe("1.10");
  });

  test.each([
    ["tags: [1.20, 0x10, 010, 1e3, -1.0, +2, k8s-1.20, 'a, 1.0, b']", "---"],
    [
      "tags: # of releases\n  - 1.20\n  - 0x10\n  - 010\n  - 1e3\n  - -1.0\n  - +2\n  - k8s-1.20\n  - a, 1.0, b",
      "---",
    ],
    ['tags: [\n  1.20,\n  0x10,010 , 1e3,-1.0,+2,k8s-1.20,"a, 1.0, b"]', "---"],
    ["tags = [1.20, 0x10, '010', 1e3, -1.0, +2, 'k8s-1.20', \"a, 1.0, b\"]", "+++"],
  ])("keeps tags that are numbers as they are written: %j", async (block, fence) => {
    const { tags } = await recordOf(`${fence}\n${block}\n${fence}\nText.`);
    expect(tags).toEqual(["1.20", "0x10", "010", "1e3", "-1.0", "+2", "k8s-1.20", "a, 1.0, b"]);
  });

  test("keeps a category and a date as they are written, and a flag as what it means", async () => {
    const toml = await recordOf("+++\ncategory = 1.10\ntitle = 2024-01-02\ndraft = 0.0\n+++\nText.");
    expect(toml).toMatchObject({ source_category: "1.10", title: "2024-01-02", success_score: "accepted" });
    const yaml = await recordOf("---\nsource_category: 007\ntitle: 12345678901234567890\n---\nText.");
    expect(yaml).toMatchObject({ source_category: "007", title: "12345678901234567890" });
  });

  test("keeps quotes out of texts that hold numbers", async () => {
    const text = "---\ntitle: >\n  From: 1.10, 1.20\ntags: [see 1.20, 1.30]\n---\nText.";
    expect(await recordOf(text)).toMatchObject({ title: "From: 1.10, 1.20", tags: ["see 1.20", "1.30"] });
  });

  test("gives tags that hold themselves", async () => {
    expect((await recordOf("---\ntags: &loop [1.20, *loop]\n---\nText.")).tags).toEqual(["1.20"]);
  });

  test("is read within 5 s, however long its values are", async () => {
    const startedAt = performance.now();
    const hostile = [" ".repeat(400_000), ", ".repeat(200_000), "1.".repeat(200_000), "- 1:".repeat(100_000)];
    for (const text of hostile)
      expect((await recordOf(`---\na: |\n  ${text}\n---\nText.`)).content).toBe("Text.");
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  test("gives category and score", async () => {
    const text = "---\nsource_category: incident\nsuccess_score: partially_accepted\n---\nText.";
    expect(await recordOf(text)).toMatchObject({
      source_category: "incident",
      success_score: "partially_accepted",
    });
    expect(await recordOf("---\ncategory: incident\n---\nText.")).toMatchObject({
      source_category: "incident",
    });
  });

  test("cannot give an unknown score", async () => {
    const place = pages({ "a.md": "---\nsuccess_score: great\n---\nText." });
    const { stderr } = await importInto(place, "runbooks");
    expect(stderr).toContain('runbooks/a.md: success_score "great" is none of accepted, ');
    const [record] = (await loadCorpus(place.corpus, () => {})).records;
    expect(record!.success_score).toBe("needs_human_review");
  });

  test("is read where its score is no text at all", async () => {
    const record = await recordOf("---\nsuccess_score: &loop [*loop]\n---\nText.");
    expect(record.success_score).toBe("needs_human_review");
  });

  test.each(["---\n---\nText.", "--- \ntitle: page\n--- \nText.", "---\ntitle: ' '\n---\nText."])(
    "stays out of the content: %j",
    async (text) => {
      expect(await recordOf(text)).toMatchObject({ title: "page", content: "Text." });
    },
  );
});

describe("a page that calls itself deprecated, archived or draft", () => {
  test.each([
    "---\ndeprecated: true\n---\nText.",
    "---\ndraft: true\n---\nText.",
    "---\nstatus: Archived\n---\nText.",
    "---\nstate: draft\n---\nText.",
    "---\narchived: 2024-03-01\n---\nText.",
    "---\nobsolete: true\n---\nText.",
    "---\ntags: [kafka, Deprecated]\n---\nText.",
    "---\ntags:\n  - archived\n---\nText.",
    "---\ntags: kafka, draft\n---\nText.",
    '+++\ntags = ["obsolete"]\n+++\nText.',
    "# [DEPRECATED] Restart\n\nText.",
    "# Restart (archived)\n\nText.",
    "# Draft: restart\n\nText.",
    "# A\n\n> **Deprecated**: see the other page.\n\nText.",
    "# A\n\n> [!WARNING]\n> Deprecated. See the other page.\n\nText.",
    '# A\n\n!!! warning "Deprecated"\n    Text.',
    "# A\n\n**Status:** draft\n\nText.",
    "# A\n\nText. This runbook is now deprecated, see the other one.",
    "# A\n\nThis page has been archived.",
    "# A\n\n⚠️ DEPRECATED ⚠️\n\nText.",
    "# A\n\n🚧 This is a draft. 🚧\n\nText.",
    "# A\n\n- Status: Archived\n\nText.",
    "# A\n\n| Status | Deprecated |\n| --- | --- |\n\nText.",
    "# A\n\n<div>Deprecated</div>\n\nText.",
    "# A\n\nSuperseded by the new page.\n\nText.",
    "# A\n\nState: Obsolete.",
    "# A\n\nThis page\nis archived.",
  ])("needs review: %j", async (text) => {
    expect((await recordOf(text)).success_score).toBe("needs_human_review");
  });

  test.each([
    "---\ndeprecated: false\ndraft: false\nstatus: active\n---\nText.",
    "---\ndeprecated: 'false'\ndraft: no\narchived: 0\nobsolete:\n---\nText.",
    "# A\n\nArchived-log shipping stops where draft.yaml is gone.",
    `# A\n\n${"Text.\n".repeat(10)}Deprecated.`,
    "# Deprecated API in use\n\nThe alert fires where a deprecated API version is requested.",
    "# A\n\nThe flag `--foo` is deprecated. The files are archived by `archive_command`.",
    "# A\n\n```sh\nDeprecated: no\n```\nText.",
    "# A\n\nDeprecated: no\n\nText.",
    "# A\n\nDraft: false\n\nText.",
    "# A\n\nArchived segments are in `archive_status`.",
    "# A\n\n<!-- This page is deprecated. -->\nText.",
    "---\ntags: [deprecated-apis, draft-beer, undeprecated]\n---\nText.",
  ])("does not: %j", async (text) => {
    expect((await recordOf(text)).success_score).toBe("accepted");
  });

  test.each(["archive", "Archived", "kafka/deprecated", "drafts/kafka", "obsolete"])(
    "needs review below a folder named %s",
    async (folder) => {
      const record = await recordOf("# A\n\nText.", { path: `${folder}/a.md` });
      expect(record.success_score).toBe("needs_human_review");
    },
  );

  test.each(["wal-archive/a.md", "archives/a.md", "archive.md", "kafka/archive.md"])(
    "does not where its path is %s",
    async (path) => {
      expect((await recordOf("# A\n\nText.", { path })).success_score).toBe("accepted");
    },
  );

  test("does not for a folder around what is imported, or for a tag of --tags", async () => {
    const place = pages({ "archive/a.md": "# A\n\nText." });
    await importInto(place, "runbooks/archive", "--tags", "draft");
    expect((await loadCorpus(place.corpus, () => {})).records).toMatchObject([
      { id: "a", success_score: "accepted" },
    ]);
  });

  test("keeps the score that its front matter gives", async () => {
    const text = "---\nsuccess_score: accepted\ntags: [draft]\n---\n> Deprecated: no, it is not.";
    expect((await recordOf(text, { path: "archive/a.md" })).success_score).toBe("accepted");
  });

  test("takes --score where it says nothing", async () => {
    const flags = ["--score", "partially_accepted"];
    expect((await recordOf("Text.", { flags })).success_score).toBe("partially_accepted");
  });
});

describe("a page's content", () => {
  test.each([
    ["a comment within a line", "Run <!-- not --> this.", "Run  this."],
    ["a comment with a code block in it", "A.\n<!--\n```sh\nrm\n```\n-->\nB.", "A.\n\nB."],
    ["a comment that is never closed", "A <!-- b", "A <!-- b"],
    ["a comment in a code span", "Write `<!-- x -->` here.", "Write `<!-- x -->` here."],
    ["a comment in indented code", "A.\n\n    <!-- x -->\n\nB.", "A.\n\n    <!-- x -->\n\nB."],
    ["a rule below a paragraph of two lines", "A.\nB.\n---\nC.", "A.\nB.\n---\nC."],
    ["a rule below a list", "- A.\n---\nB.", "- A.\n---\nB."],
    [
      "a comment in a quoted code block",
      "> ```sh\n> ls <!-- x -->\n> ```",
      "> ```sh\n> ls <!-- x -->\n> ```",
    ],
    ["a comment in a code block", "~~~html\n<!-- x -->\n~~~", "~~~html\n<!-- x -->\n~~~"],
    ["two comments", "A<!-- 1 -->B<!-- 2 -->C", "ABC"],
    ["badges", "[![a](b/badge.svg)](c) [![d](https://img.shields.io/e)][f]\nText.", "Text."],
    [
      "a picture that is a link",
      "[![flow](flow.png)](flow.svg)\nText.",
      "[![flow](flow.png)](flow.svg)\nText.",
    ],
    ["an HTML badge", '<p><a href="x"><img src="https://img.shields.io/x"></a></p>\nText.', "Text."],
    ["a picture that is no badge", "![diagram](flow.png)\nText.", "![diagram](flow.png)\nText."],
    ["a mark for contents", "[[_TOC_]]\n\n[TOC]\n\n* TOC\n{:toc}\n\nText.", "Text."],
    ["a generator's heading", "**Table of Contents** *generated by it*\n\n- [A](#a)\n\nText.", "Text."],
    [
      "a heading over nothing but contents",
      "## Table of Contents\n\n1. [A](#a)\n\n## A\n\nText.",
      "## A\n\nText.",
    ],
    ["contents in between", "A.\n\n## Contents\n\n- [B](#b)\n\n## B\n\nB.", "A.\n\n## B\n\nB."],
    ["contents at the end", "A.\n\n## Contents\n\n- [B](#b)", "A."],
    [
      "contents with a text",
      "## Contents\n\nWhat the box contains.",
      "## Contents\n\nWhat the box contains.",
    ],
    ["a link to another page", "- [Other](other.md#x)\n\nText.", "- [Other](other.md#x)\n\nText."],
    ["several blank lines", "A.\n\n\n\nB.", "A.\n\nB."],
    ["blank lines in code", "```\na\n\n\n\nb\n```", "```\na\n\n\n\nb\n```"],
    ["a table", "a | b\n--- | ---\n1 | 2", "a | b\n--- | ---\n1 | 2"],
    ["a BOM and CRLF", "\ufeffA.\r\nB.", "A.\nB."],
  ])("is cleaned: %s", async (_, text, content) => {
    const record = await recordOf(
      `---\ntitle: t\n---\n${text}`.replace(/^---\ntitle: t\n---\n(?=\ufeff)/, ""),
    );
    expect(record.content).toBe(content);
  });

  test("is cleaned within 10 s, whatever is in it", async () => {
    const startedAt = performance.now();
    const hostile = [
      "<!--".repeat(60_000),
      "[![".repeat(60_000),
      "`".repeat(200_000),
      "## Contents\n\n".repeat(20_000),
      "![](badge".repeat(50_000),
      "<img badge".repeat(50_000),
      `![](badge)${"<a ".repeat(150_000)}`,
      "password=a1bcdefg\n".repeat(25_000),
      "<pre>\n".repeat(60_000),
      "</pre>\n".repeat(60_000),
      "[source]\n----\n".repeat(30_000),
      "{code}\n".repeat(60_000),
      ".. code::\n".repeat(40_000),
      ` .. code::\n`.repeat(40_000),
      `# a${" ".repeat(200_000)}b${"{#".repeat(200_000)}`,
      `a ${"1 ".repeat(200_000)}a`,
    ];
    for (const text of hostile)
      expect((await recordOf(`Text.\n\n${text}\n\nText.`)).content).toStartWith("Text.");
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  }, 20_000);
});

describe("import --split", () => {
  const page =
    "# Kafka\n\nIntro.\n\n## Lag\n\nA.\n\n### Check\n\n- Verify `a`.\n\n## Disk full!\n\n```sh\n## no heading\n```\n\n## Lag\n\nAgain.\n\n## Empty\n";
  const split = async (level: string, text = page) =>
    (await recordsOf(text, { path: "kafka.md", flags: ["--split", level] })).map(({ id, title, content }) => [
      id,
      title,
      content,
    ]);

  test("makes a record a section with h2", async () => {
    expect(await split("h2")).toEqual([
      ["kafka", "Kafka", "Intro."],
      ["kafka#lag", "Kafka: Lag", "A.\n\n### Check\n\n- Verify `a`."],
      ["kafka#disk-full", "Kafka: Disk full!", "```sh\n## no heading\n```"],
      ["kafka#lag-1", "Kafka: Lag", "Again."],
    ]);
  });

  test("makes a record a subsection with h3", async () => {
    expect((await split("h3")).slice(1, 3)).toEqual([
      ["kafka#lag", "Kafka: Lag", "A."],
      ["kafka#check", "Kafka: Lag: Check", "- Verify `a`."],
    ]);
  });

  test("takes the page's title from its name where all headings are sections", async () => {
    expect(await split("h2", "## One\n\nA.\n\n## Two\n\nB.")).toEqual([
      ["kafka#one", "kafka: One", "A."],
      ["kafka#two", "kafka: Two", "B."],
    ]);
  });

  test("names sections by front matter and by a heading that says something else", async () => {
    const text = "---\ntitle: Runbook 12\n---\n# CheckoutQueueAge\n\n## Fix\n\nRestart it.";
    expect(await split("h2", text)).toEqual([
      ["kafka#fix", "Runbook 12: CheckoutQueueAge: Fix", "Restart it."],
    ]);
  });

  test("cuts no code, set in or in <pre>", async () => {
    const steps = "1. Stop it:\n\n       # as root\n       systemctl stop pg\n\n2. Look.";
    const html = "<pre>\n## in it\n\nls\n</pre>\n\n<pre> is never closed";
    const records = await recordsOf(`# Page\n\n${steps}\n\n${html}\n\n## Fix\n\nText.`, {
      flags: ["--split", "h2"],
    });
    expect(records.map(({ id }) => id)).toEqual(["page", "page#fix"]);
    expect(records[0]!.content).toBe(`${steps}\n\n${html}`);
  });

  test.each([
    ["<table><tr><td><pre><code>", "</code></pre></td></tr></table>"],
    ['{{< highlight bash "linenos=table" >}}', "{{< /highlight >}}"],
    ["{% highlight sh %}", "{% endhighlight %}"],
    ["{code:title=fix.sh}", "{code}"],
    ["{noformat}", "{noformat}"],
    ["[source,bash]\n----", "----"],
  ])("cuts nothing out of the code that %j opens", async (open, close) => {
    const code = `${open}\n## in it\n\n\n<!-- as root -->\n- [x](#y)\n${close}`;
    const records = await recordsOf(`# Page\n\n${code}\n\n## Fix\n\nText.`, { flags: ["--split", "h2"] });
    expect(records.map(({ content }) => content)).toEqual([code, "Text."]);
  });

  test.each([
    ["h1. Page", "h2. Fix"],
    ["= Page", "== Fix"],
  ])("splits a page that begins with %j at %j", async (title, heading) => {
    const text = `${title}\n\n# one\n# two\n\n${heading}\n\nText.\n`;
    const records = await recordsOf(text, { flags: ["--split", "h2"] });
    expect(records.map(({ title, content }) => [title, content])).toEqual([
      ["Page", "# one\n# two"],
      ["Page: Fix", "Text."],
    ]);
  });

  test("cuts no code of reStructuredText", async () => {
    const code = ".. code-block:: bash\n\n   # as root\n   ls";
    const [record, fix] = await recordsOf(`# Page\n\n${code}\n\n## Fix\n\nText.`, {
      flags: ["--split", "h2"],
    });
    expect([record!.content, fix!.content]).toEqual([code, "Text."]);
  });

  test("takes an attribute of AsciiDoc for no heading", async () => {
    const content = "[WARNING]\n====\nNot now.\n====";
    expect(await recordOf(`# Page\n\n${content}\n`)).toMatchObject({ title: "Page", content });
  });

  test.each(['<h1 align="center">API 5xx</h1>', "h1. API 5xx", "= API 5xx", "= API 5xx ="])(
    "takes the title from %j on top",
    async (heading) => {
      const content = "# first step\n# second step";
      expect(await recordOf(`${heading}\n\n${content}\n`)).toMatchObject({ title: "API 5xx", content });
    },
  );

  test.each(["[//]: # (internal)", "[comment]: <> (internal)", "%% internal %%", "{/* internal */}"])(
    "leaves the comment %j out",
    async (comment) => {
      const text = `# Page\n\nText.\n\n${comment}\n\n\`\`\`\n${comment}\n\`\`\`\n`;
      expect((await recordOf(text)).content).toBe(`Text.\n\n\`\`\`\n${comment}\n\`\`\``);
    },
  );

  test("keeps a page without sections whole", async () => {
    expect(await split("h2", "# Kafka\n\nA.")).toEqual([["kafka", "Kafka", "A."]]);
  });

  test("gives every section an id of its own", async () => {
    const text =
      "## Lag 1\n\nA.\n\n## Lag\n\nB.\n\n## Lag\n\nC.\n\n## Lag\n\nD.\n\n## Lag 1\n\nE.\n\n## Lag 2\n\nF.\n\n## ¿?\n\nG.";
    expect((await split("h2", text)).map(([id]) => id)).toEqual([
      "kafka#lag-1",
      "kafka#lag",
      "kafka#lag-2",
      "kafka#lag-3",
      "kafka#lag-1-1",
      "kafka#lag-2-1",
      "kafka#section",
    ]);
  });

  test("leaves an id to the first page or section that has it", async () => {
    const place = pages({ "a#b.md": "# Page\n\nOne.", "a.md": "# A\n\nTwo.\n\n## B\n\nThree." });
    const imported = async (...paths: string[]) => {
      const { stdout, stderr } = await importInto(place, ...paths, "--split", "h2");
      return stdout.split(":")[0] + "\n" + stderr;
    };
    const told = `distill: runbooks/a.md#b: skipped: the same id as a record of ${join(place.folder, "a#b.md")}, a#b.\n`;
    expect(await imported("runbooks")).toBe(`2 new, 0 changed, 0 unchanged, 1 skipped\n${told}`);
    expect(await imported("runbooks")).toBe(`0 new, 0 changed, 2 unchanged, 1 skipped\n${told}`);
    const { records } = await loadCorpus(place.corpus, () => {});
    expect(records.map(({ id, content }) => [id, content])).toEqual([
      ["a#b", "One."],
      ["a", "Two."],
    ]);
    const other = `distill: runbooks/a#b.md: skipped: the same id as a record of ${join(place.folder, "a.md")}, a#b.\n`;
    expect(await imported("runbooks/a.md", "runbooks")).toBe(
      `0 new, 1 changed, 1 unchanged, 1 skipped\n${other}`,
    );
  });

  test("names a section that is gone", async () => {
    const place = pages({ "a.md": "# A\n\n## One\n\nX.\n\n## Two\n\nY." });
    await importInto(place, "runbooks", "--split", "h2");
    writeFile(join(place.folder, "a.md"), "# A\n\n## One\n\nX.");
    const { stderr } = await importInto(place, "runbooks/a.md", "--split", "h2");
    expect(stderr).toBe(
      "distill: a#two: its page or section is gone; the record is kept. To drop it, delete every line with its id.\n",
    );
  });
});
