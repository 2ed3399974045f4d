import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { takeLock, waitForLock } from "../../scripts/distillation/lock.ts";
import { REPOSITORY, temporaryFolder } from "./support.ts";

describe("takeLock", () => {
  test("gives a lock to one at a time", () => {
    const path = join(temporaryFolder(), "a");
    const first = takeLock("import", path);
    expect(first).not.toBeNull();
    expect(takeLock("import", path)).toBeNull();
    first![Symbol.dispose]();
    using again = takeLock("import", path);
    expect(again).not.toBeNull();
  });

  test("tells works and files apart, and no names of one file", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "real"));
    symlinkSync(join(folder, "real"), join(folder, "link"));
    using _held = takeLock("import", join(folder, "real/a"));
    expect(takeLock("import", join(folder, "link/a"))).toBeNull();
    using other = takeLock("import", join(folder, "real/b"));
    using work = takeLock("ab", join(folder, "real/a"));
    expect([other, work]).not.toContain(null);
  });

  test("follows no link that somebody has put in its place", () => {
    const folder = temporaryFolder();
    const code = `const { takeLock } = await import(${JSON.stringify(`${REPOSITORY}/scripts/distillation/lock.ts`)});
      console.log(takeLock("import", "/a") !== null);`;
    const run = (): string => {
      const env = { ...process.env, TMPDIR: folder };
      return Bun.spawnSync([process.execPath, "-e", code], { env }).stdout.toString();
    };
    expect(run()).toBe("true\n");
    const [name] = readdirSync(folder);
    rmSync(join(folder, name!));
    symlinkSync(join(folder, "elsewhere"), join(folder, name!));
    expect(run()).toBe("true\n");
    expect(readdirSync(folder)).toEqual([name!]);
  });

  test("does not outlive a process that is killed", async () => {
    const path = join(temporaryFolder(), "a");
    const code = `const { takeLock } = await import(${JSON.stringify(`${REPOSITORY}/scripts/distillation/lock.ts`)});
      globalThis.held = takeLock("import", ${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`;
    const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe" });
    await child.stdout.getReader().read();
    expect(takeLock("import", path)).toBeNull();
    child.kill("SIGKILL");
    await child.exited;
    using lock = takeLock("import", path);
    expect(lock).not.toBeNull();
  });
});

describe("waitForLock", () => {
  test("says once that it waits, and ends when the lock is free", async () => {
    const path = join(temporaryFolder(), "a");
    const first = takeLock("import", path)!;
    let waits = 0;
    const onWait = (): void => {
      waits++;
      setTimeout(() => first[Symbol.dispose](), 120);
    };
    const second = waitForLock("import", path, { onWait, patienceMs: 60_000 });
    (await second)![Symbol.dispose]();
    expect(waits).toBe(1);
  });

  test("does not wait for ever", async () => {
    const path = join(temporaryFolder(), "a");
    using _held = takeLock("import", path);
    expect(await waitForLock("import", path, { onWait: () => {}, patienceMs: 60 })).toBeNull();
  });
});
