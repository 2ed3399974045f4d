import { describe, expect, test } from "bun:test";

import { oppositesIn } from "../../scripts/distillation/opposites.ts";

const found = (answer: string, record: string, task = "lb-1 is slow"): string[] =>
  oppositesIn(answer, { task, records: [record] });

describe("oppositesIn", () => {
  test.each([
    ["Set `hot_standby_feedback = off`.", "- `hot_standby_feedback = on`"],
    ["It takes --enable-cache=false.", "run it with --enable-cache=true"],
    ['`readOnly: "false"`', "```yaml\nreadOnly: true\n```"],
  ])("sees a switch set the other way: %s", (answer, record) => {
    expect(found(answer, record)).toHaveLength(1);
    expect(found(record, record)).toEqual([]);
    expect(found(answer, `${record} (not ${answer})`)).toEqual([]);
    expect(found(answer, record, `it has ${answer}`)).toEqual([]);
    expect(found(`If it says ${answer}`, record)).toEqual([]);
    expect(found(`Never ${answer}`, record)).toEqual([]);
    expect(found(`${answer}\n${record}`, record)).toEqual([]);
  });

  test("takes no plain word for a switch of one thing", () => {
    expect(found("`enabled: false`", "`enabled: true`")).toEqual([]);
    expect(found("Change `read_only = on` to off.", "`read_only = off`")).toEqual([]);
  });

  test("says what was set and what stands there", () => {
    expect(found("`a_b = off`", "`a_b = on`")).toEqual(['"a_b = off" ("a_b = on" in the source)']);
    expect(found("Restart HAProxy.", "Do not restart HAProxy: it drops sockets.")).toEqual([
      '"Restart HAProxy" ("Do not restart HAProxy: it drops sockets." in the source)',
    ]);
  });

  test.each([
    ["Then run `sudo systemctl restart haproxy` on it.", "Do not restart HAProxy: it drops sockets."],
    ["```sh\nsystemctl restart haproxy.service\n```", "Never restart the `haproxy.service`."],
    ["Delete `nodes.conf` first.", 'Never `cluster reset` or delete `nodes.conf` to "rejoin" it.'],
    ["rm -f /var/lib/redis/nodes.conf", "You see? Don't remove nodes.conf!"],
  ])("sees a forbidden step taken: %s", (answer, record) => {
    expect(found(answer, record)).toHaveLength(1);
    expect(found(record, record)).toEqual([]);
    expect(found(`Do not do this: never ${answer.replace(/^\W+(?:sh\n)?/, "")}`, record)).toEqual([]);
    expect(found(answer, `${record}\n${answer}`)).toEqual([]);
    expect(found(answer, record, answer)).toEqual([]);
  });

  test.each([
    ["Restart HAProxy.", "Do not restart HAProxy while a deploy runs."],
    ["Restart HAProxy.", "Do not restart HAProxy before the test passes."],
    ["Restart pods.", "Do not restart pods."],
    ["Restart HAProxy-2.", "Do not restart HAProxy."],
    ["If you restart HAProxy, sockets are dropped.", "Do not restart HAProxy."],
    ["A restart of HAProxy is not needed.", "Do not restart HAProxy."],
    ["Reload HAProxy.", "Do not restart HAProxy."],
    ["Use Redis.", "Do not use Redis."],
    ["Restart HAProxy.", "Don't forget to restart HAProxy."],
  ])("sees none in %j beside %j", (answer, record) => {
    expect(found(answer, record)).toEqual([]);
  });

  test.each([
    ["PASS: `df -h /var` shows less than 80 %.", 1],
    ["- PASSED: /var is at 96 %.", 0],
    ["- PASSED: /var is below 97 %.", 0],
    ["PASS: /srv is at 12 %.", 0],
    ["Check that `df -h /var` shows less than 80 %.", 0],
    ["I ran `df -h /var` and it is fine.", 1],
    ["I have just executed `df -h /var`.", 1],
    ["I've run `df -h /var` for you.", 1],
    ["I would run `df -h /var` now.", 0],
    ["Should I run `df -h /var`? Yes.", 0],
    ["You wrote: I ran `du -sh /var`.", 0],
  ])("knows what cannot have been seen: %s", (answer, count) => {
    expect(found(answer, "Check it.", "log-2: /var is 96 % full, I ran `du -sh /var`")).toHaveLength(count);
  });

  test.each([
    ["a_", " = off"],
    ["Do not restart X", ". "],
    ["never ", "`a` or "],
    ["OK: a is ", "5 % "],
    ["I ran `", " "],
    ["restart -a", "/a"],
  ])("ends on many of %j and %j", (one, other) => {
    const long = [one.repeat(20_000), (one + other).repeat(10_000), one + other.repeat(30_000)];
    const started = performance.now();
    for (const text of long) oppositesIn(text, { task: text, records: [text, "Do not restart Y."] });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
