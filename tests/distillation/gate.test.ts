import { describe, expect, test } from "bun:test";

import { extractFacts } from "../../scripts/distillation/facts.ts";
import {
  CHECKS,
  elsewhereIn,
  gate,
  GATE_DEFAULTS,
  indexCorpus,
  POLICIES,
  promptText,
  buildBundle,
  buildPrompt,
  recordSource,
  retrieve,
  taskSource,
} from "../../scripts/distillation/replay.ts";
import type { GateInput, GateResult, Severity, Source } from "../../scripts/distillation/replay.ts";
import { CLOCK, DISK, GOOD_ANSWER, INVENTED_ANSWER, playbook, TASK } from "./support.ts";

const STEPS = ["Verify that `df -h /var` falls below 80 % after the restart."];
const SOURCES = [taskSource(TASK), recordSource(DISK.id, DISK.content, "accepted")];
const STITCHED_ANSWER = `${GOOD_ANSWER} Nothing above 1 GiB may be left. Step the clock with \`chronyc makestep\` until the offset is under 500 ms.`;
const PROSE =
  "The process that was restarted last month still writes to the old file, so the space is not given back before it ends.";

const input = (fields: Partial<GateInput> = {}): GateInput => ({
  ...GATE_DEFAULTS,
  answer: GOOD_ANSWER,
  finishReason: "stop",
  sources: SOURCES,
  validationSteps: STEPS,
  ...fields,
});

const found = (fields: Partial<GateInput>, severity: Severity): string[] =>
  gate(input(fields)).checks.flatMap((entry) =>
    !entry.passed && entry.severity === severity ? entry.name : [],
  );

const failed = (fields: Partial<GateInput>): string[] => found(fields, "fail");

const reasonOf = (result: GateResult, name: string): string | null =>
  result.checks.find((entry) => entry.name === name)?.reason ?? null;

describe("gate", () => {
  test("passes a grounded answer and names its evidence", () => {
    const result = gate(input());
    expect(result).toMatchObject({
      version: "9",
      policy: "standard",
      verdict: "pass",
      grounding: "grounded",
      doubtful: false,
      evidence_ids: [DISK.id],
    });
    expect(result.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(result.claims.every((claim) => claim.supported_by !== null)).toBe(true);
  });

  test.each([
    ["empty", { answer: " \n" }, ["empty"]],
    ["reasoning alone", { answer: "", reasoningChars: 900 }, ["reasoning_only"]],
    ["cut at the token limit", { finishReason: "length" }, ["truncated"]],
    ["cut at the limit, as Mistral says it", { finishReason: "model_length" }, ["truncated"]],
    ["cut at the limit, as Anthropic says it", { finishReason: "max_tokens" }, ["truncated"]],
    ["cut by a content filter", { finishReason: "content_filter" }, ["truncated"]],
    ["79 characters", { answer: `verify ${"x".repeat(72)}`, validationSteps: [] }, ["too_short"]],
    ["80 characters", { answer: `verify ${"x".repeat(73)}`, validationSteps: [] }, []],
    ["deaf to its checks", { answer: PROSE.replace("restarted", "started") }, ["checklist"]],
    [
      "sharing only a verb and stop words",
      { answer: `Verify after that. ${PROSE.replace("restarted", "started")}` },
      ["checklist"],
    ],
    [
      "taking up its checks in another form",
      { answer: PROSE, validationSteps: ["Verify that restarts have ended"] },
      [],
    ],
    ["given no checks", { answer: PROSE, validationSteps: [] }, []],
    ["cut by a tool call", { finishReason: "tool_calls" }, ["truncated"]],
    ["cut by a function call", { finishReason: "function_call" }, ["truncated"]],
    ["of no finish reason", { finishReason: null }, []],
    ["of an unknown finish reason", { finishReason: "eos" }, []],
    ["invented in part", { answer: INVENTED_ANSWER }, ["ungrounded", "destroys"]],
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
    ["I do not know. ", true],
    ["I don't know. ", true],
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

  test("hedge is not what the task says itself", () => {
    const answer = `Users say: I cannot log in. ${GOOD_ANSWER}`;
    const asked = [taskSource("Users report: I cannot log in to db-3"), ...SOURCES.slice(1)];
    expect(failed({ answer, sources: asked })).not.toContain("hedge");
    expect(failed({ answer: `I cannot help. ${answer}`, sources: asked })).toContain("hedge");
    expect(failed({ answer })).toContain("hedge");
  });

  test.each([
    ['Users say "I cannot log in". ', false],
    ["Users say “I don’t know which one is good”. ", false],
    ['Users say "it is down". I cannot help. Is it "up"? ', true],
    ["I cannot see your cluster from here, so run these yourself: ", false],
    ["I cannot see your cluster from here. ", true],
    ["I cannot help with that, so ask somebody who can: ", true],
  ])("knows whose word a hedge is, and what goes on: %s", (phrase, hedged) => {
    expect(failed({ answer: phrase + GOOD_ANSWER })).toEqual(hedged ? ["hedge"] : []);
    if (phrase.startsWith("I cannot see")) expect(failed({ answer: phrase + PROSE })).toContain("hedge");
  });

  test("gives every failed check its reason", () => {
    const { verdict, checks } = gate(input({ answer: "I cannot.", finishReason: "length" }));
    expect(verdict).toBe("fail");
    expect(checks.filter(({ passed, severity }) => !passed && severity === "fail")).toEqual([
      { name: "truncated", severity: "fail", passed: false, reason: "it ran into the token limit" },
      { name: "too_short", severity: "fail", passed: false, reason: "9 characters, under 80" },
      { name: "hedge", severity: "fail", passed: false, reason: 'it says "I cannot"' },
      {
        name: "checklist",
        severity: "fail",
        passed: false,
        reason: "it takes up none of the checks it was given",
      },
    ]);
  });

  test("fails on no soft check and on no warning", () => {
    const answer = `${GOOD_ANSWER} This was reported by Grace Okafor of Brightwater.`;
    const result = gate(input({ answer }));
    expect(result).toMatchObject({ verdict: "pass", doubtful: true });
    expect(reasonOf(result, "doubtful")).toMatch(/^its score is 0\.\d\d, threshold 0\.41$/);
    expect(reasonOf(result, "names")).toBe('names that stand nowhere: "Grace Okafor", "Brightwater"');
  });

  test("judges form alone under structural, all else under the others", () => {
    const families = (policy: GateInput["policy"]): string[] =>
      gate(input({ policy })).checks.map(({ name }) => name);
    const all = CHECKS.map(({ name }) => name);
    expect(POLICIES.map(families)).toEqual([
      all,
      all,
      ["empty", "reasoning_only", "truncated", "too_short", "hedge", "checklist"],
    ]);
    expect(gate(input({ policy: "structural", answer: INVENTED_ANSWER })).verdict).toBe("pass");
  });

  test("leaves out the family that it is told to", () => {
    expect(failed({ answer: "I cannot.", without: "form" })).toEqual([]);
    expect(failed({ answer: `⟦reference 1⟧ ${GOOD_ANSWER}`, without: "wording" })).toEqual([]);
  });
});

describe("facts", () => {
  test("names for each fact the text that supports it", () => {
    const answer = "On host db-3 run `lsof +L1`.";
    const { claims } = gate(input({ answer }));
    expect(claims.map(({ supported_by }) => supported_by)).toEqual(expect.arrayContaining([DISK.id]));
    for (const { text, offset } of claims) expect(answer.slice(offset)).toStartWith(text);
  });

  test("prefers the task over the records", () => {
    const sources = [taskSource("see /var/log/app.log"), recordSource("r", "/var/log/app.log")];
    const [claim] = gate(input({ answer: "Look at /var/log/app.log now.", sources })).claims;
    expect(claim).toEqual({
      kind: "path",
      text: "/var/log/app.log",
      offset: 8,
      weight: 1,
      support: "task",
      supported_by: "task",
      support_offset: 4,
      working: null,
    });
  });

  test("may be worked out from figures that are known", () => {
    const sources = [
      taskSource("Alert fired at 08:52 on db-3. When is the first post due?"),
      recordSource("r", "The first post is due 15 minutes after the alert."),
    ];
    const judge = (time: string): GateResult =>
      gate(
        input({
          without: "form",
          answer: `Count 15 minutes from the alert on db-3, so post by ${time} at the latest.`,
          sources,
        }),
      );
    const right = judge("09:07");
    expect(right.verdict).toBe("pass");
    expect(right.claims.find(({ text }) => text === "09:07")).toMatchObject({
      support: "computed",
      supported_by: null,
      support_offset: null,
      working: "08:52 + 15 minutes",
    });
    expect(judge("09:17").checks.find(({ name }) => name === "ungrounded")?.passed).toBe(false);
  });

  test("may be a record's path with the task's name in it", () => {
    const record = recordSource("tls", "Put it into /etc/certs.d/registry.shop:5000/ca.crt.");
    const sources = [taskSource("hub.lan:8443 is not trusted"), record];
    const [claim] = gate(input({ answer: "Use `/etc/certs.d/hub.lan:8443/ca.crt`.", sources })).claims;
    expect(claim).toMatchObject({ support: "retrieved", supported_by: "tls", support_offset: 12 });
  });

  test("lists what stands nowhere, with its kind", () => {
    const result = gate(input({ answer: INVENTED_ANSWER }));
    expect(result.grounding).toBe("ungrounded");
    expect(reasonOf(result, "ungrounded")).toBe(
      'in neither the task nor the retrieved records: command "rm", flag "--purge-now", path "/opt/cache/blobs"',
    );
  });

  test.each([
    ["without evidence", INVENTED_ANSWER, [SOURCES[0]!]],
    ["with empty evidence", INVENTED_ANSWER, [SOURCES[0]!, recordSource("evidence:0", " ")]],
    ["without facts", PROSE, SOURCES],
    ["without an answer", "", SOURCES],
  ])("are nothing to check %s", (_, answer, sources) => {
    const result = gate(input({ answer, sources }));
    expect(result.grounding).toBe("nothing_to_check");
    expect(reasonOf(result, "ungrounded")).toBeNull();
  });

  // One fact of weight 1 fails; facts that are often common knowledge weigh 0.34, so it takes three of them.
  test.each([
    ["one invented path", "Look at /srv/none.", "ungrounded"],
    ["one invented short flag", "Run `lsof -Z`.", "grounded"],
    ["two invented short flags", "Run `lsof -Z -Q`.", "grounded"],
    ["three invented short flags", "Run `lsof -Z -Q -Y`.", "ungrounded"],
  ] as const)("are too many from a weight of 1: %s", (_, answer, grounding) => {
    expect(gate(input({ answer })).grounding).toBe(grounding);
  });

  const DESTRUCTIVE = [
    "rm -rf /",
    "rm -rf /var",
    "reboot",
    "shutdown -h now",
    "chmod 777 /var",
    "dd if=/dev/zero of=/var",
    "kill -9 1",
    "systemctl stop rsyslog",
    "npm uninstall rsyslog",
    "DROP TABLE logs;",
    "TRUNCATE logs;",
    "DELETE FROM logs;",
    "ALTER TABLE logs DROP COLUMN host",
    "redis-cli FLUSHALL",
    "git reset --hard",
    "git push --force",
    "find /var -name x -delete",
    ": > /var",
  ];

  test.each(DESTRUCTIVE)("count %p in code, with a record for it only", (command) => {
    for (const answer of [
      `${GOOD_ANSWER} Run \`${command}\`.`,
      `${GOOD_ANSWER}\n\n\`\`\`sh\n${command}\n\`\`\``,
    ]) {
      expect(gate(input({ answer })).grounding).toBe("ungrounded");
      const own = recordSource("own", `As the last means \`${command}\`.`);
      expect(gate(input({ answer, sources: [...SOURCES, own] })).grounding).toBe("grounded");
    }
  });

  test.each([
    "rm -rf /var",
    "rm -rf /",
    "shutdown -h now",
    "DROP TABLE logs;",
    "DELETE FROM logs",
    "systemctl stop rsyslog",
  ])("count %p in prose", (command) => {
    expect(gate(input({ answer: `${GOOD_ANSWER} Then run ${command} on it.` })).grounding).toBe("ungrounded");
  });

  test.each([
    "Do not forget to rm -rf /var first.",
    "Don't hesitate to rm -rf /var.",
    "Never fail to rm -rf /var.",
    "Do not wait to rm -rf /var.",
    "Without delay rm -rf /var.",
    "Never neglect to rm -rf /var, and do not omit to.",
    "Rather than restart rm -rf /var.",
    "Without waiting rm -rf /var.",
  ])("count what is ordered in words of refusal: %p", (order) => {
    expect(gate(input({ answer: `${GOOD_ANSWER} ${order}` })).grounding).toBe("ungrounded");
  });

  test.each(["run", "use", "execute", "issue", "type", "try", "call"])(
    "do not count what is advised against, whatever the form of %p",
    (verb) => {
      const gerund = verb === "run" ? "running" : `${verb.replace(/e$/, "")}ing`;
      for (const refusal of [`Never ${verb}`, `Avoid ${gerund}`, `Look at it instead of ${gerund}`]) {
        const answer = `${GOOD_ANSWER} ${refusal} \`kubectl delete pod\`.`;
        expect(gate(input({ answer })).claims.map(({ text }) => text)).not.toContain("delete");
      }
    },
  );

  test.each([
    ["`rm -rf /var/lib/docker/tmp/cache-2024`", "`rm -rf /var/lib/docker`"],
    ["`rm -rf /var/lib/docker/tmp/cache-2024`", "`sudo rm -r /var`"],
    ["rm -rf /var/lib/docker/tmp/cache-2024", "rm -rf /var/lib/docker"],
    ["`rm -rf build/docker/cache-2024/tmp`", "`rm -rf docker`"],
    ["`find /srv/builds/old -mtime +30 -delete`", "`find /srv -mtime +30 -delete`"],
    ["`find /srv/builds/old -mtime +30 -delete`", "`find / -mtime +30 -delete`"],
    ["`DROP TABLE audit_2019;`", "`DROP TABLE audit;`"],
    ["`DROP TABLE IF EXISTS audit_2019;`", "`DROP TABLE IF EXISTS audit;`"],
    ["`rm -rf /srv/cache/old`\nsee `df -h /srv/cache`", "`rm -rf /srv/cache`"],
    ["`rm -rf /srv/cache/old`, never delete /srv/cache/kept", "`rm -rf /srv/cache/kept`"],
    ["`rm -rf /etc/tls/<host>/old`", "`rm -rf /etc/tls`"],
    ["`rm -rf /etc/tls/<host>/old`", "`rm -rf /etc/tls/db-3`"],
    ["`rm -rf /srv/x/db-3`\ndumps land in `/srv/dumps/<host>/`", "`rm -rf /srv/dumps/db-3`"],
    ["`kubectl delete ns ci-scratch`, see /srv/docker/x", "`kubectl delete ns docker`"],
    ["`kubectl delete ns ci-scratch`", "`kubectl delete namespace ingress`"],
    ["`kubectl delete ns ci-scratch`", "`kubectl delete namespace default`"],
    ["`systemctl stop ci-agent`, see /srv/docker/x", "`systemctl stop docker`"],
    ["`aws s3 rm s3://ci-artifacts/tmp/ --recursive`", "`aws s3 rm s3://ci-artifacts --recursive`"],
    ["`git push origin --delete feature/old-1`", "`git push origin --delete main`"],
    ["`Remove-Item C:\\Temp\\spool\\PRINTERS\\*.* -Force`", "`Remove-Item C:\\Temp\\spool\\* -Force`"],
  ])("hold what is destroyed against the whole of what stands there: %p, %p", (known, other) => {
    const judge = (command: string): GateResult =>
      gate(
        input({
          answer: `${GOOD_ANSWER} Then ${command}.`,
          sources: [...SOURCES, recordSource("own", known)],
        }),
      );
    expect(judge(known).grounding).toBe("grounded");
    expect(judge(other).grounding).toBe("ungrounded");
    // Looked at only, or advised against, a part of it does no harm.
    expect(judge(`never ${other}`).grounding).toBe("grounded");
  });

  test.each([
    "ssh db-3 reboot",
    "ssh -p 22 -i key root@db-3 rm /var",
    "ssh db-3 'shutdown now'",
    "sudo ssh db-3 userdel root",
    "find /var -size +100M -exec rm {} +",
    "find /var -size +100M -execdir chmod 000 {} \\;",
    "find /var -name x | xargs rm",
    "find /var -name x | xargs -n 1 rm",
    "bash -c 'rm /var'",
    'sudo sh -xc "kill 1"',
    "ssh db-3 find /var -exec sh -c 'rm {}' ';'",
    "docker exec -it db-3 reboot",
    "kubectl -n db exec db-3 -- kill 1",
  ])("count what a command has another one destroy: %p", (command) => {
    const own = recordSource("own", `As the last means \`${command}\`.`);
    const lookedAt = recordSource("own", command.replaceAll(/rm|reboot|shutdown|userdel|chmod|kill/g, "ls"));
    const answer = `${GOOD_ANSWER} Then run \`${command}\`.`;
    const judge = (source: Source): string =>
      gate(input({ answer, sources: [...SOURCES, source] })).grounding;
    expect(judge(own)).toBe("grounded");
    expect(judge(lookedAt)).toBe("ungrounded");
  });

  test.each(["ssh db-3 reboot", "ssh db-3 'kill 1'", "bash -c 'reboot'", "find /var -exec rm {} +"])(
    "do not count what a command that is advised against has another one destroy: %p",
    (command) => {
      const answer = `${GOOD_ANSWER} Never run \`${command}\`.`;
      expect(gate(input({ answer })).grounding).toBe("grounded");
    },
  );

  test.each([
    [
      "ssh -i /srv/keys/ops_key db-3 rm -rf /data/tmp/old",
      "The key is /srv/keys/ops_key. rm -rf /data/tmp/old",
    ],
    [
      "docker compose -f /srv/app/compose.yml stop web",
      "It is in /srv/app/compose.yml. docker compose stop web",
    ],
    [
      "kubectl -n shop delete pod web-1 --force",
      "In namespace payments/shop: kubectl delete pod web-1 --force -n <ns>",
    ],
    ["systemctl stop nginx", "systemctl stop nginx.service"],
    ["systemctl stop nginx.service", "systemctl stop nginx"],
  ])("let %p be for %p", (command, known) => {
    const answer = `${GOOD_ANSWER} Then \`${command}\`.`;
    const { claims } = gate(input({ answer, sources: [...SOURCES, recordSource("own", `\`${known}\``)] }));
    expect(claims.filter(({ support, weight }) => support === "nowhere" && weight === 1)).toEqual([]);
  });

  test.each([
    ["a place", "aws s3 ls s3://<bucket>/tmp/", "aws s3 rm s3://<bucket>/tmp/", "aws s3 rm s3://db-3/tmp/"],
    ["a name", "# Look at /srv/web-1/tmp/old", "# Delete /srv/web-1/tmp/old", "rm -r /srv/db-3/tmp/old"],
  ])("may be destroyed where a runbook looks first, with %s of its own", (_, look, destroy, own) => {
    const judge = (record: string): string => {
      const answer = `${GOOD_ANSWER} Then run \`${own}\`.`;
      return gate(input({ answer, sources: [...SOURCES, recordSource("own", record)] })).grounding;
    };
    const block = (lines: string): string => `\`\`\`sh\n${lines}\n\`\`\``;
    expect(judge(`${block(look)}\n\nThen:\n\n${block(destroy)}`)).toBe("grounded");
    expect(judge(`${block(look)}\n\nThen remove it with rm.`)).toBe("ungrounded");
  });

  test.each([
    ["wipefs -a /dev/disk/by-id/ata-WD_42", "wipefs -a /dev/disk/by-id/ata-WD_42", true],
    ["wipefs -a /dev/disk/by-id/<disk>", "wipefs -a /dev/disk/by-id/db-3", true],
    ["docker volume destroy /srv/app/old", "docker volume destroy /srv/app/old", true],
    ["x`. Run wipefs -a /dev/disk/by-id/ata-WD_42. `y", "wipefs -a /dev/disk/by-id/ata-WD_42", true],
    ["wipefs -a /dev/sdx`\n`ls /dev/disk/by-id/ata-WD_42", "wipefs -a /dev/disk/by-id/ata-WD_42", false],
    ["docker compose -f /srv/app/old.yml stop web", "rm /srv/app/old.yml", false],
  ])("know from %p what %p destroys: %p", (known, command, isKnown) => {
    const answer = `${GOOD_ANSWER} Then \`${command}\`.`;
    const { claims } = gate(input({ answer, sources: [...SOURCES, recordSource("own", `\`${known}\``)] }));
    expect(claims.findLast(({ kind }) => kind === "path")!.support !== "nowhere").toBe(isKnown);
  });

  test("are looked for in their own line, however many escapes stand before it", () => {
    const text = `${"\\\\*".repeat(40)}\nConfig: \`/etc/keys/app.yml\`.\nThen rm the rest of it, all that there is.`;
    const sources = [taskSource("retire the old keys of web-1"), recordSource("own", text)];
    const answer =
      "Retire them with `rm -f /etc/keys/app.yml` on web-1, and look at what the others still need.";
    expect(gate(input({ answer, sources })).grounding).toBe("ungrounded");
  });

  test("leave alone what stands behind a command that destroys, and a file of the answer's own", () => {
    const record = recordSource(
      "own",
      "`rm -rf /srv/old`, `patronictl -c /etc/patroni.yml list`, `gh-ost --postpone-flag-file=<file>`",
    );
    for (const commands of [
      "rm -rf /srv/old\npatronictl -c /etc/patroni.yml list",
      "gh-ost --postpone-flag-file=/srv/old\nrm /srv/old",
    ]) {
      const answer = `${GOOD_ANSWER}\n\n\`\`\`sh\n${commands}\n\`\`\``;
      expect(gate(input({ answer, sources: [...SOURCES, record] })).grounding).toBe("grounded");
    }
  });

  test.each([
    ["a number", "In wave-2 look at it.", "In wave-1 look at it."],
    ["capitals", "Then it is GO-LIVE.", "Then it is GO-AWAY."],
    ["a form", "Fill in LR-5.", "Fill in LR-3."],
  ])("are names with %s only where others of the kind are known", (_, answer, sibling) => {
    const of = (extra: Source[]) =>
      gate(input({ answer: `${GOOD_ANSWER} ${answer}`, sources: [...SOURCES, ...extra] }));
    expect(of([]).grounding).toBe("grounded");
    expect(of([recordSource("other", sibling)]).grounding).toBe("ungrounded");
    expect(of([recordSource("other", `${sibling} ${answer}`)]).grounding).toBe("grounded");
  });

  test("do not take another target of rm for everything", () => {
    const own = recordSource("own", "Then `rm -rf /var/tmp/x`.");
    const of = (answer: string) =>
      gate(input({ answer: `${GOOD_ANSWER} ${answer}`, sources: [...SOURCES, own] }));
    expect(of("Run `rm -rf /var/tmp/x`.").grounding).toBe("grounded");
    expect(of("Run `rm -rf /`.").grounding).toBe("ungrounded");
    expect(of("Run `rm -rf /*`.").grounding).toBe("ungrounded");
  });

  test("say of what stands there for something else that it does", () => {
    const record = recordSource("own", "Look at /srv/app/old.db.\nThen `rm /srv/app/tmp.db`.");
    const answer = `${GOOD_ANSWER} Then \`rm /srv/app/old.db /srv/app/new.db\`.`;
    const { checks } = gate(input({ answer, sources: [...SOURCES, record] }));
    expect(checks.find(({ name }) => name === "ungrounded")!.reason).toBe(
      'in neither the task nor the retrieved records: path "/srv/app/new.db"; named there, but for something else: path "/srv/app/old.db"',
    );
  });

  test("may be an example's id where the answer has the task's, too", () => {
    const [mine, theirs] = ["0e3d1a22-77aa-4b0c-9b1f-0b6c7f0f9f55", "5a2d1c3e-9c1b-4f6e-a0d1-6b1f5d5f3a11"];
    const sources = [taskSource(`lock ${mine} is held on web-1`), recordSource("own", `role ${theirs}`)];
    const of = (ids: string) => gate(input({ answer: `${ids} on web-1. `.repeat(2), sources })).grounding;
    expect(of(`Unlock ${theirs}`)).toBe("ungrounded");
    expect(of(`Unlock ${mine} as ${theirs}`)).toBe("grounded");
  });

  test("do not take a record for the task because of its id", () => {
    const sources = [taskSource(TASK), recordSource("task", DISK.content)];
    expect(gate(input({ answer: INVENTED_ANSWER, sources })).grounding).toBe("ungrounded");
  });
});

describe("elsewhere", () => {
  const ROLLOUT = playbook({
    id: "k8s/rollout",
    content: "`kubectl rollout restart deploy/web --now` takes 45 s.",
  });
  const REJECTED = playbook({
    id: "bad",
    content: "Try `haproxyctl --purge-all`.",
    success_score: "rejected",
  });
  const elsewhere = elsewhereIn([CLOCK, ROLLOUT, REJECTED]);
  const general = `${GOOD_ANSWER} Then run \`kubectl rollout restart\`.`;

  test("warns about facts of other records and names them", () => {
    const result = gate(input({ answer: general, elsewhere }));
    expect(result.verdict).toBe("pass");
    expect(reasonOf(result, "elsewhere")).toBe(
      'only in other records: command "kubectl" in k8s/rollout, command "rollout" in k8s/rollout',
    );
    expect(result.claims.find(({ text }) => text === "kubectl")).toMatchObject({
      support: "elsewhere",
      supported_by: "k8s/rollout",
      support_offset: expect.any(Number),
    });
  });

  test.each([
    ["strict", general, elsewhere],
    ["standard", general, null],
    ["standard", `${GOOD_ANSWER} Wait 45 s.`, elsewhere],
    ["standard", `${GOOD_ANSWER} Then run \`haproxyctl --purge-all\`.`, elsewhere],
  ] as const)("excuses nothing under %s: %p", (policy, answer, look) => {
    expect(failed({ policy, answer, elsewhere: look })).toEqual(["ungrounded"]);
  });

  test("finds another spelling elsewhere", () => {
    const look = elsewhereIn([playbook({ id: "k8s/rs", content: "The replica set is scaled to 0." })]);
    const result = gate(input({ answer: `${GOOD_ANSWER} Look at the ReplicaSet.`, elsewhere: look }));
    expect(reasonOf(result, "elsewhere")).toBe('only in other records: identifier "ReplicaSet" in k8s/rs');
  });

  test.each([
    ["--all-namespaces", "kubectl get pods -A"],
    ["TLSv1.2", "TLS 1.2 and later"],
    ["`haproxyctl apply`", "haproxyctl applies it"],
    ["`rm -r`", "Remove it with `-r`."],
  ])("finds %p in a record that spells it %p", (said, content) => {
    const facts = extractFacts(`Use ${said} now.`);
    const look = elsewhereIn([playbook({ id: "none", content: "Look." }), playbook({ id: "it", content })]);
    expect(facts).not.toEqual([]);
    for (const fact of facts) expect([fact.text, look(fact)?.id]).toEqual([fact.text, "it"]);
  });

  test("looks for a letter that stands everywhere in a bounded number of records", () => {
    const [flag] = extractFacts("run tool -z now");
    const common = Array.from({ length: 10_000 }, (_, at) =>
      playbook({ id: `n${at}`, content: "The size." }),
    );
    const telling = playbook({ id: "it", content: "Run `tool -z`." });
    expect(elsewhereIn([...common.slice(1), telling])(flag!)?.id).toBe("it");
    expect(elsewhereIn([...common, telling])(flag!)).toBeNull();
    // Records without the letter do not count.
    const others = common.map((record) => ({ ...record, content: "The width." }));
    expect(elsewhereIn([...others, telling])(flag!)?.id).toBe("it");
  });

  test("asks the corpus for a bounded number of facts", () => {
    let asked = 0;
    const answer = Array.from({ length: 300 }, (_, at) => `Look at /srv/none/${at}x.`).join(" ");
    gate(input({ answer, elsewhere: () => (asked++, null) }));
    expect(asked).toBe(200);
  });

  test("counts a fact in angle brackets under no policy", () => {
    const answer = `${GOOD_ANSWER} Then look at \`/var/log/<service>.log\`.`.replace(
      "/var/log/<service>.log",
      "<path>",
    );
    for (const policy of POLICIES) expect(failed({ policy, answer })).toEqual([]);
  });
});

describe("contradicted", () => {
  const RUNBOOK =
    "The alert fires when at least 10 percent of etcd requests failed in the past 15 minutes. The update is stuck waiting for the replaced pod.";
  const against = (answer: string, text = RUNBOOK, task = "etcd fails"): string[] =>
    failed({ answer, sources: [taskSource(task), recordSource("r", text)], without: "form" });

  test.each([
    ["the sentence as it stands", RUNBOOK, []],
    ["an exchanged number", RUNBOOK.replace("15 minutes", "10 minutes"), ["contradicted"]],
    ["a number in words", RUNBOOK.replace("15 minutes", "fifteen minutes"), []],
    ["a percent sign", RUNBOOK.replace("10 percent", "10%"), []],
    ["an added not", RUNBOOK.replace("is stuck", "is not stuck"), ["contradicted"]],
    ["an added contraction", RUNBOOK.replace("is stuck", "isn't stuck"), ["contradicted"]],
    ["its own words", "Within 15 minutes, 10 percent of the requests may fail.", []],
  ])("knows %s", (_, answer, names) => {
    expect(against(answer)).toEqual(names);
  });

  test("lets the task's own numbers take the place of the record's", () => {
    const answer = RUNBOOK.replace("10 percent", "40 percent");
    expect(against(answer, RUNBOOK, "40 percent of the etcd requests fail")).toEqual([]);
  });

  test("calls an answer without an unsupported fact ungrounded", () => {
    const answer = RUNBOOK.replace("is stuck", "is not stuck");
    const result = gate(
      input({ answer, sources: [taskSource("etcd"), recordSource("r", RUNBOOK)], without: "form" }),
    );
    expect(result).toMatchObject({ verdict: "fail", grounding: "ungrounded" });
    expect(reasonOf(result, "ungrounded")).toBeNull();
  });

  test("accepts a number that another source has at the same place", () => {
    const answer = RUNBOOK.replace("10 percent", "40 percent");
    const sources = [taskSource("etcd"), recordSource("a", RUNBOOK), recordSource("b", answer)];
    expect(failed({ answer, sources, without: "form" })).toEqual([]);
  });

  test.each([
    ["They take reservations and have outdoor seating.", ["contradicted"]],
    ["They take no reservations but have outdoor seating.", []],
    ["They take no reservations. There is no outdoor seating.", ["contradicted"]],
    ["They have music.", []],
  ])("holds %p against a record", (answer, names) => {
    const record =
      '{"RestaurantsReservations": false, "RestaurantsTakeOut": true, "OutdoorSeating": true, "Music": null, "stars": 4}';
    expect(against(answer, record)).toEqual(names);
  });
});

describe("wording", () => {
  test.each([
    ["a line of the frame", "⟦reference 1⟧"],
    ["the unfilled form", "Finding: the likely cause, one sentence."],
    [
      "an instruction",
      "Go through the listed commands one by one: each that helps with this task belongs under Confirm or Fix, exactly as it stands, but with the task's own names put in.",
    ],
    ["a part of the form", "3. Fix: the steps in order, with their commands."],
    ["a rule of the system message", "Choose what fits the task and leave out what does not."],
  ])("scaffold fails on %s", (_, line) => {
    expect(failed({ answer: `${GOOD_ANSWER}\n${line}` })).toEqual(["scaffold"]);
  });

  test.each([
    ["Run `cat /path/to/walfile`.", "fail"],
    ["Run `curl https://api.example.com/health`.", "fail"],
    ["Run `systemctl restart XXX`.", "fail"],
    ["Fix: TODO", "warn"],
    ["TODO: run `systemctl restart rsyslog`.", "warn"],
    ["Ask the owner of example.com.", "warn"],
  ] as const)("placeholder in %p is a %s", (line, severity) => {
    expect(found({ answer: `${GOOD_ANSWER}\n${line}` }, severity)).toContain("placeholder");
  });

  test.each(["Run `ls <path>`.", "HTTP 5XX and 4xx.", "The todo list."])(
    "placeholder is silent on %p",
    (line) => {
      for (const severity of ["fail", "warn"] as const)
        expect(found({ answer: `${GOOD_ANSWER}\n${line}` }, severity)).not.toContain("placeholder");
    },
  );

  test("placeholder is the asker's where the task has it", () => {
    const sources = [taskSource("example.com is down"), ...SOURCES.slice(1)];
    expect(failed({ answer: `${GOOD_ANSWER} Run \`ping example.com\`.`, sources })).not.toContain(
      "placeholder",
    );
  });

  test.each([
    [3, ["repeats"]],
    [2, []],
  ])("repeats fails on the same sentence %d times", (times, names) => {
    const loop = Array.from({ length: times }, (_, at) => `${at + 1}. Restart the process that holds them.`);
    expect(failed({ answer: `${GOOD_ANSWER}\n${loop.join("\n")}` })).toEqual(names);
  });

  test.each([
    [
      `${TASK}. Confirm: the commands. Fix: the steps. Done when: the disk on /var is not full and du finds it.`,
      true,
    ],
    [`The disk is full on /var of host db-3 although du finds nothing. Fix: run \`lsof +L1\`.`, false],
    [PROSE, false],
    [
      `${TASK}, because logging daemons quietly keep rotated archives alive until their owner exits: disk full on host /var.`,
      false,
    ],
  ])("restates is told from an answer: %p", (answer, restates) => {
    expect(failed({ answer, validationSteps: [] }).includes("restates")).toBe(restates);
  });

  test("restates lets a long task be answered in its own words and eight new ones", () => {
    const task =
      "alerts for payments and checkout fire at night while the cluster upgrade drains nodes, volumes detach slowly, operators page twice and dashboards show gaps between scrapes";
    const sources = [taskSource(task)];
    const say = (more: string): string[] =>
      failed({ answer: `${task} because ${more}`, sources, validationSteps: [] });
    const words = "kubelets silently evict everything before storage notices missing heartbeats".split(" ");
    expect(say(words.join(" "))).toEqual([]);
    expect(say(words.slice(0, 5).join(" "))).toEqual(["restates"]);
  });
});

describe("copies", () => {
  const retrieval = retrieve(TASK, indexCorpus([DISK, CLOCK], "weighted"), { topK: 8, minCoverage: 0 });
  const shown = promptText(buildPrompt(TASK, buildBundle(retrieval)));
  const soft = (fields: Partial<GateInput>): string[] =>
    found({ shown, weights: retrieval.weights, ...fields }, "soft");

  test("echo is raised by a copy of what was shown and not by an answer", () => {
    expect(soft({})).toEqual([]);
    expect(soft({ answer: DISK.content })).toEqual(["echo"]);
    expect(reasonOf(gate(input({ answer: DISK.content, shown })), "echo")).toBe(
      "100 % of its words are copied in runs of 8 or more, threshold 60 %",
    );
  });

  test.each(["", "2026-01-01 12:00:00 UTC "])(
    "off_task is content with most of a message whose rarest words are its least: %s",
    (head) => {
      const records = [
        DISK,
        CLOCK,
        playbook({ id: "pg", content: "Too many clients already on the server." }),
      ];
      const task = `${head}FATAL: sorry, too many clients already on db-3`;
      const { weights } = retrieve(task, indexCorpus(records, "weighted"), { topK: 8, minCoverage: 0 });
      const say = (answer: string): string[] =>
        found(
          { answer, weights, sources: [taskSource(task), recordSource("pg", records[2]!.content)] },
          "soft",
        );
      expect(say("Too many clients are connected already; close those that idle.")).not.toContain("off_task");
      expect(say("Look at the disk and restart what holds deleted files.")).toContain("off_task");
    },
  );

  test.each([
    [GOOD_ANSWER, []],
    ["Restart the service and see whether the memory is given back after a while.", ["off_task"]],
  ] as [string, string[]][])(
    "off_task is raised where no word of the task is taken up: %p",
    (answer, names) => {
      expect(soft({ answer }).filter((name) => name !== "doubtful")).toEqual(names);
    },
  );

  test("off_task is content with the task's host, or several of its words", () => {
    const task = "FATAL: sorry, too many clients already on db-3";
    const answer =
      "On db-3 too many clients are idle in transaction. Terminate them with `pg_terminate_backend(pid)`, set " +
      "`idle_in_transaction_session_timeout` to 60s for the role, and verify that used slots stay under 80 %.";
    const weights = new Map(Object.entries({ sorry: 9, fatal: 8, many: 3, already: 3, client: 3, "3": 1 }));
    const say = (text: string): string[] =>
      found({ answer: text, weights, sources: [taskSource(task), SOURCES[1]!] }, "soft");
    expect(say(answer)).not.toContain("off_task");
    expect(say("On db-3 the disk is full, so restart what holds deleted files.")).not.toContain("off_task");
    expect(say("Many of the clients hold deleted files, so restart them.")).not.toContain("off_task");
    expect(say("On db-4 many files are deleted, so restart what holds them.")).toContain("off_task");
  });

  test.each([
    ["host", "10.0.0.7"],
    ["identifier", "KubePodCrashLooping"],
    ["path", "/srv/carts/today"],
    ["url", "https://shop.internal/carts"],
    ["code", "ORA-01555"],
  ])("off_task is content with the %s that the task names", (_, name) => {
    const task = `FATAL: sorry, too many clients already, says ${name} to every one of us since this morning`;
    const sources = [taskSource(task), SOURCES[1]!];
    const weights = new Map([["sorry", 9]]);
    const say = (answer: string): string[] => found({ answer, weights, sources }, "soft");
    expect(say(`Look at ${name}, and restart what holds deleted files.`)).not.toContain("off_task");
    expect(say("Look at the disk, and restart what holds deleted files.")).toContain("off_task");
  });

  test("off_task names words as they stand in the task", () => {
    const weights = new Map(Object.entries({ pgreplicationlagbyte: 9, zrh: 8, replication: 7, policy: 6 }));
    const sources = [taskSource("PGReplicationLagBytes on esx-zrh-3: which policies?"), SOURCES[1]!];
    const answer = "Restart the process which holds the deleted files, and see what is free.";
    expect(reasonOf(gate(input({ answer, weights, sources })), "off_task")).toContain(
      "(PGReplicationLagBytes, esx-zrh-3)",
    );
  });

  test("off_task reads a task's names in parts without retrieval", () => {
    const sources = [taskSource("KubePVCNotReady fires")];
    const say = (answer: string): string[] => found({ answer, sources, shown: null }, "soft");
    expect(say("The PVC waits for its volume.")).toEqual([]);
    expect(say("The claim waits for its volume.")).toEqual(["off_task"]);
  });
});

describe("records that do not belong", () => {
  const WAL =
    "Do not run `pg_resetwal -f /var/lib/pg` on a live server. `pg_controldata /var/lib/pg` shows the state.";
  const from = (answer: string, extra: Source[] = []): string[] =>
    failed({ answer, without: "form", sources: [...SOURCES, ...extra] });
  const warning = recordSource("pg/lost", WAL, "partially_accepted");

  test("not_adapted fails on an example's names where the task says its own, but not in a dry run", () => {
    const sources = [
      taskSource("helm: another operation is in progress, release invoicer, ns erp"),
      recordSource("helm/pending", "Roll back: `helm -n shop rollback orders 6 --wait`.", "accepted"),
    ];
    const answer = "Roll the release back: `helm -n shop rollback orders 6 --wait`.";
    expect(failed({ answer, sources, without: "form" })).toEqual(["not_adapted"]);
    expect(failed({ answer, sources, without: "wording" })).not.toContain("not_adapted");
    const adapted = answer.replace("shop", "erp").replace("orders", "invoicer");
    expect(failed({ answer: adapted, sources, without: "form" })).toEqual([]);
  });

  test("from_warning fails on a decisive command that only a warning has", () => {
    const answer = `${GOOD_ANSWER} Then run \`pg_resetwal -f /var/lib/pg\`.`;
    expect(from(answer, [warning])).toEqual(["from_warning"]);
    expect(from(GOOD_ANSWER, [warning])).toEqual([]);
    expect(from(answer, [warning, recordSource("pg/saved", WAL, "accepted")])).toEqual([]);
    expect(from(answer, [recordSource("pg/by-hand", WAL)])).toEqual([]);
    expect(from(answer, [warning, recordSource("pg/by-hand", WAL)])).toEqual([]);
  });

  test("from_warning knows a command by the task's names, softly", () => {
    const sources = [taskSource("namespace hotel hangs"), recordSource(DISK.id, DISK.content, "accepted")];
    const text = "`kubectl -n shop patch bucket/reports --type=merge` was wrong.";
    const judged = (answer: string, ...extra: Source[]): string | null =>
      reasonOf(
        gate(input({ answer, sources: [...sources, recordSource("k8s/x", text, "rejected"), ...extra] })),
        "from_warning",
      );
    const answer = "Run `kubectl -n hotel patch bucket/reports --type=merge`.";
    expect(judged(answer)).toEndWith("is from k8s/x, which did not fully work, with the task's names");
    expect(judged("Run `kubectl -n motel patch bucket/reports --type=merge`.")).toBeNull();
    const exemplar = "`kubectl -n ops patch bucket/reports --type=merge`";
    expect(judged(answer, recordSource("k8s/y", exemplar, "accepted"))).toBeNull();
    expect(
      found({ answer, sources: [...sources, recordSource("k8s/x", text, "rejected")] }, "fail"),
    ).not.toContain("from_warning");
  });

  test("from_warning is about what the model was shown", () => {
    const answer = `${GOOD_ANSWER} Then run \`pg_resetwal -f /var/lib/pg\`.`;
    const of = (shown: string): string[] =>
      found({ answer, shown, without: "form", sources: [...SOURCES, warning] }, "fail");
    expect(of("pg_controldata shows the state")).toEqual([]);
    expect(of("Do not run `pg_resetwal  -f /var/lib/pg`")).toEqual(["from_warning"]);
  });

  test("from_warning lets a command look", () => {
    const text = "`kubectl get pods -A` listed nothing.";
    const source = recordSource("k8s/x", text, "needs_human_review");
    expect(from(`${GOOD_ANSWER} Run \`kubectl get pods -A\`.`, [source])).toEqual([]);
  });

  test.each(["rm -rf logs", "kubectl delete events --all", "kubectl -n logs delete pod x"])(
    "from_warning sees that %s does more than look",
    (command) => {
      const warning = recordSource("k8s/x", `\`${command}\` made it worse.`, "partially_accepted");
      expect(from(`${GOOD_ANSWER} Run \`${command}\`.`, [warning])).toEqual(["from_warning"]);
    },
  );

  test("mixed names two unrelated records that an answer stitches together", () => {
    const answer = STITCHED_ANSWER;
    const clock = recordSource(CLOCK.id, CLOCK.content, "accepted");
    const result = gate(input({ answer, sources: [...SOURCES, clock] }));
    expect(reasonOf(result, "mixed")).toMatch(
      /^\d+ facts are from linux\/deleted-open-files and 3 from linux\/clock-skew/,
    );
    const steps = CLOCK.content.replaceAll(
      "500 ms",
      "500 ms although du finds deleted files open, lists them, restarts the process that holds them",
    );
    const related = recordSource("twin", steps, "accepted");
    expect(found({ answer, sources: [...SOURCES, related] }, "soft")).not.toContain("mixed");
  });
});

describe("score", () => {
  test("rises with what is invented", () => {
    const more = `${INVENTED_ANSWER} See also /srv/none and --force-all.`;
    const scores = [GOOD_ANSWER, INVENTED_ANSWER, more].map((answer) => gate(input({ answer })).score);
    expect(scores).toEqual(scores.toSorted((a, b) => a - b));
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
    expect(gate(input({ answer: INVENTED_ANSWER })).doubtful).toBe(true);
  });

  test("doubts unfamiliar words more where no fact decides", () => {
    const known = "The process holds deleted files open, restart the process that holds them.";
    const strange = "Unplug every coaxial cable beneath the reactor and polish its chrome handles.";
    const [low, high] = [known, strange].map((answer) => gate(input({ answer })).score);
    expect(low).toBeLessThan(high!);
  });

  test("is 0 and doubts nothing where there is no evidence", () => {
    const sources = [taskSource(TASK)];
    const answer = `${INVENTED_ANSWER} It was seen by Grace Okafor, "as clear as daylight".`;
    const result = gate(input({ answer, sources, threshold: 0 }));
    expect(result).toMatchObject({ verdict: "pass", score: 0, doubtful: false });
    expect(result.checks.filter(({ passed }) => !passed)).toEqual([]);
  });

  test("says of an empty answer only that it is empty", () => {
    const fields = { answer: " ", shown: "x", threshold: 0, weights: new Map([["disk", 1]]) };
    expect(gate(input(fields)).checks.flatMap(({ name, passed }) => (passed ? [] : name))).toEqual(["empty"]);
  });

  test("makes an answer doubtful from the threshold on", () => {
    const { score } = gate(input({ answer: INVENTED_ANSWER }));
    const doubtful = (threshold: number): boolean =>
      gate(input({ answer: INVENTED_ANSWER, threshold })).doubtful;
    expect([score, score + 1e-9].map(doubtful)).toEqual([true, false]);
  });
});

describe("hostile answers", () => {
  test("are read for facts to the end, for wording as far as anybody would read", () => {
    const loop = " Restart the process that holds them.".repeat(4);
    const answer = `${"a ".repeat(60_000)}${loop} Look at /srv/none.`;
    expect(failed({ answer, without: "form" })).toEqual(["ungrounded"]);
    expect(failed({ answer: answer.slice(100_000), without: "form" })).toEqual(["repeats", "ungrounded"]);
  });

  test.each([
    "a ",
    "not ",
    "1 minute ",
    '"',
    "“",
    "Ab ",
    "a: no\n",
    "/path/to/",
    "XX ",
    "TODO ",
    "`x y` ",
    "$ rm x\n",
    "'t",
    "The ",
  ])(
    "are judged within 10 s: 300 KB of %p",
    (unit) => {
      const startedAt = performance.now();
      const answer = unit.repeat(Math.ceil(300_000 / unit.length));
      gate(input({ answer, shown: answer, sources: [taskSource(answer), recordSource("r", answer)] }));
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    },
    20_000,
  );
});

// What the gate says of these is what changes when GATE_VERSION does: a line here says what moved.
describe("golden answers", () => {
  const clock = recordSource(CLOCK.id, CLOCK.content, "accepted");
  const GOLDEN: [name: string, fields: Partial<GateInput>][] = [
    ["grounded", {}],
    ["invented", { answer: INVENTED_ANSWER }],
    ["invented, without records", { answer: INVENTED_ANSWER, sources: SOURCES.slice(0, 1) }],
    ["invented, structural", { answer: INVENTED_ANSWER, policy: "structural" }],
    ["prose that fits", { answer: `${PROSE} Restart the process that holds the deleted files.` }],
    [
      "prose that does not",
      {
        answer: "Most teams prefer to double the memory of every machine before they look at anything else.",
      },
    ],
    ["one honest general command", { answer: `${GOOD_ANSWER} Then \`kubectl get nodes\`.` }],
    ["the same, strict", { answer: `${GOOD_ANSWER} Then \`kubectl get nodes\`.`, policy: "strict" }],
    [
      "a swapped value",
      {
        answer:
          "Verify that `df -h /var` falls below 95 % after the restart. `df -h /var` says 80 %, `du -xsh /var` adds up to far less.",
      },
    ],
    ["a copy", { answer: DISK.content, shown: DISK.content }],
    [
      "two records stitched together",
      {
        answer: STITCHED_ANSWER,
        sources: [...SOURCES, clock],
      },
    ],
    ["a loop", { answer: Array(9).fill("Restart the process that holds them.").join(" ") }],
    ["a template", { answer: `${GOOD_ANSWER} Run \`tar -C /path/to/dir -x\`.` }],
    ["cut off", { finishReason: "length" }],
    ["nothing", { answer: " \n" }],
    ["nothing, its form left out", { answer: " \n", without: "form" }],
    [
      "an apology",
      { answer: "I'm sorry, but I cannot help with a disk that is full although du finds nothing on it." },
    ],
    [
      "the task again",
      {
        answer: `The task is: ${TASK}. The likely cause is that the disk on /var of host db-3 is full.`,
        validationSteps: [],
      },
    ],
  ];

  test.each(GOLDEN)("%s", (_, fields) => {
    const { version, policy, verdict, grounding, score, doubtful, checks } = gate(input(fields));
    const reasons = checks.flatMap(({ passed, name, severity, reason }) =>
      passed ? [] : `${severity} ${name}: ${reason}`,
    );
    expect({
      version,
      policy,
      verdict,
      grounding,
      score: score.toFixed(2),
      doubtful,
      reasons,
    }).toMatchSnapshot();
  });
});
