import { describe, expect, test } from "bun:test";

import { openShell, readLine } from "../../scripts/distillation/shell_reader.ts";

/** The commands of a script's lines, with the hosts that they run on. */
function readScript(...lines: string[]): string[] {
  const shell = openShell();
  return lines
    .flatMap((line) => readLine(line, shell))
    .map(({ head, flat, host }) => [host && `${host}:`, head, ...flat].filter(Boolean).join(" "));
}

describe("readLine", () => {
  test("gives a loop's variable one value at a time", () => {
    expect(readScript("for x in a b", "cp $x ${x}-$x.old")).toEqual(["cp a a-a.old", "cp b b-b.old"]);
  });

  test("takes a word whose values grow too long as it stands", () => {
    const value = "v".repeat(300);
    expect(readScript(`x=${value}`, "y=1", `cp $y ${"$x".repeat(20)}`)).toEqual([`cp 1 ${"$x".repeat(20)}`]);
  });

  test("reads what a function carries out elsewhere once, and there", () => {
    const steps = ["f() {", "old=/srv/old", "ssh db-3 rm $old", "}"];
    const read = "db-3: rm /srv/old";
    expect(readScript(...steps)).toEqual([read]);
    expect(readScript(...steps, "f")).toEqual([read, read]);
  });

  test("shows variables as they stand in what is carried out elsewhere", () => {
    const shell = openShell();
    const [read] = ["old=/srv/old", "ssh db-3 rm $old"].flatMap((line) => readLine(line, shell));
    expect([read!.words, read!.raw!.words]).toEqual([["/srv/old"], ["$old"]]);
  });

  test("takes a sign between quotes for no note", () => {
    expect(readScript("grep ' # ' notes && rm a # b")).toEqual(["grep  #  notes", "rm a"]);
  });

  test.each(["sudo", "/usr/bin/env", "watch -n 5", "setsid", "timeout 60", "su - root -c"])(
    "reads what %s runs",
    (wrapper) => {
      expect(readScript(`${wrapper} "rm"`)).toEqual(["rm"]);
    },
  );

  test("reads what find finds and xargs removes with sudo before either", () => {
    const [plain, ...others] = ["find | xargs", "sudo find | xargs", "find | sudo xargs"].map((pipe) =>
      readScript(`${pipe.replace("find", "find /srv -name '*.gz'")} rm -f`),
    );
    expect(plain).toEqual(expect.arrayContaining(["find /srv *.gz"]));
    for (const other of others) expect(other.at(-1)).toBe(plain!.at(-1)!);
  });
});
