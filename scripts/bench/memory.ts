/**
 * Preloaded into a process, says on stderr what it had resident at most. A parent cannot tell: what the system reports of a
 * child begins with what the parent had when it started it.
 */
process.on("exit", () => {
  const { readFileSync, writeSync } = process.getBuiltinModule("node:fs");
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  writeSync(2, `peak ${peak} kB\n`);
});
