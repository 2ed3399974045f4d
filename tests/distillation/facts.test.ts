import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import {
  commandLines,
  extractFacts,
  type Fact,
  type FactKind,
  findAdapted,
  findFact,
  hintsOf,
  prepareEvidence,
  replacedBy,
  WEAK,
} from "../../scripts/distillation/facts.ts";
import { REPOSITORY, seeded } from "./support.ts";

/** `kind text` of every fact, weak ones with a question mark behind. */
function listed(answer: string): string[] {
  return extractFacts(answer).map(({ kind, text, weight }) => `${kind} ${text}${weight < 1 ? "?" : ""}`);
}

function only(kind: FactKind, answer: string): Fact {
  const found = extractFacts(answer).filter((fact) => fact.kind === kind);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function weightUnsupported(answer: string, ...evidence: string[]): number {
  const prepared = evidence.map(prepareEvidence);
  const unsupported = extractFacts(answer).filter((fact) =>
    prepared.every((one) => findFact(fact, one) === null),
  );
  return unsupported.reduce((sum, { weight }) => sum + weight, 0);
}

/** Whole numbers below a limit: the same ones on every run. */
function drawing(seed: number): (below: number) => number {
  const random = seeded(seed);
  return (below) => Math.floor(random() * below);
}

const FRAGMENTS = [
  "Restart `haproxy-ingress` within 15 minutes.",
  "The pod web-7c9 failed with HTTP 503 at 5:45 PM.",
  "\n```sh\n$ kubectl -n payments logs web-7c9 --previous\n```\n",
  "See [the guide](https://docs.example.dev/a_(b)/c#top), or `~/notes/run.md`.",
  "\n1. Set `spec.replicas` to 12\\_000 (up 12.5 %) on April 9, 2011.\n",
  "“Error K16970” in /var/log/app.log, _never_ `E23283`.",
  "\n```yaml\nimage: nginx:1.21.3\nlimits: {memory: 512Mi}\n```\n",
  "`unclosed and ``odd`` ticks",
  "Between $1.5 million and 3,200,000 rows; 10.0.0.7:8080 refused (ECONNREFUSED).",
  "KubePodCrashLooping fires after `for: 15m`; İstanbul — naïve.",
  "Use -xe, --since=2h, and <namespace> or $POD.",
  "v4.16.3 fixed OC_ENABLE_RISKS and foo_bar().",
];

function randomText(next: (below: number) => number): string {
  return Array.from({ length: 1 + next(6) }, () => FRAGMENTS[next(FRAGMENTS.length)]).join(" ");
}

const RANDOM_TEXTS = (() => {
  const next = drawing(20_240_611);
  return Array.from({ length: 300 }, () => randomText(next));
})();

describe("extractFacts", () => {
  test.each<[string, string[]]>([
    ["It ended with exit code 137.", ["code exit code 137"]],
    ["The API answers HTTP 503, then SQLSTATE 53300.", ["code HTTP 503", "code SQLSTATE 53300"]],
    ["connect: ECONNREFUSED (error K16970)", ["code ECONNREFUSED", "code K16970"]],
    ["Value 0xDEADBEEF at commit 3b7702e71d", ["code 0xDEADBEEF", "code 3b7702e71d"]],
    [
      "Look at /etc/haproxy/haproxy.cfg, or src/main.go.",
      ["path /etc/haproxy/haproxy.cfg", "path src/main.go"],
    ],
    ["Save it as backup-keys.json.", ["path backup-keys.json"]],
    ["`df -h > /tmp/df.txt`, then `rm /tmp/df.txt`", ["command rm"]],
    ["Then:\n\ndf -h | tee ~/df.log\n\nand send ~/df.log.", ["flag -h?"]],
    ["`jcmd 7 -o heap.json`, read heap.json", ["command jcmd", "number 7", "flag -o?"]],
    ["`df -h > /etc/motd`, read /etc/motd", ["path /etc/motd"]],
    ["`cat < /tmp/df.txt`, then `wc /tmp/df.txt`", ["path /tmp/df.txt"]],
    ["`rm /tmp/df.txt`, then `df -h > /tmp/df.txt`", ["command rm", "path /tmp/df.txt", "path /tmp/df.txt"]],
    ["load > limits.conf means trouble", ["path limits.conf"]],
    ["`cp /etc/app.yml /etc/app.yml.bak`, then `rm /etc/app.yml.bak`", ["path /etc/app.yml", "command rm"]],
    ["`cp -a /etc/app.yml /etc/app.yml.20260101`", ["path /etc/app.yml"]],
    [
      "`rm /etc/app.yml.bak`, then `cp /etc/app.yml /etc/app.yml.bak`",
      ["command rm", "path /etc/app.yml.bak", "path /etc/app.yml"],
    ],
    ["`cp /etc/app.yml /srv/app.yml.bak`", ["path /etc/app.yml", "path /srv/app.yml.bak"]],
    ["`mv /etc/app.yml /etc/app.yml.bak`", ["path /etc/app.yml", "path /etc/app.yml.bak"]],
    [
      "`sed -i 's/max_conn 512;/max_conn 4096;/' /etc/app.conf`",
      ["identifier max_conn", "number 512", "number 4096", "path /etc/app.conf"],
    ],
    [
      "`sed -i.bak 's|/var/a_b|/srv/c_d|g' /etc/app.conf`, then `cat /etc/app.conf.bak`",
      ["path /var/a_b", "path /srv/c_d", "path /etc/app.conf"],
    ],
    ["`sed -n '/BEGIN/,/END x_y/p' /var/data/a.log`", ["identifier x_y", "path /var/data/a.log"]],
    ["`cat /etc/a/ /etc/d`, 's/a/b/'", ["path /etc/a/", "path /etc/d"]],
    ["`timeout 60 jcmd 7`, `watch -n 5 jcmd 7`", ["number 60?", "command jcmd", "number 7", "flag -n?"]],
    ["`grep --line-buffered x`, `jcmd --all`", ["flag --line-buffered?", "command jcmd", "flag --all"]],
    ["```sh\nif true; then\n  date\nfi\n```", []],
    [
      "(https://en.wikipedia.org/wiki/Bash_(Unix_shell)).",
      ["url https://en.wikipedia.org/wiki/Bash_(Unix_shell)"],
    ],
    ["Fork github.com/acme/tool first", ["url github.com/acme/tool"]],
    ["The node 10.1.2.3:9100 is down", ["host 10.1.2.3:9100"]],
    ["card 0000:3b:00.0 of 52:54:00:ab:12:9f", ["code 0000:3b:00.0", "code 52:54:00:ab:12:9f"]],
    ["from 0011.22ab.4455 to 52-54-00-ab-12-9f", ["code 0011.22ab.4455", "code 52-54-00-ab-12-9f"]],
    ["It offers HTTP/4, then HTTP/1.1", ["code HTTP/4"]],
    ["ping fe80::5054:ff:fe12:9f and 2001:db8::5", ["code fe80::5054:ff:fe12:9f", "code 2001:db8::5"]],
    [
      "KubePodCrashLooping and spec.template.spec",
      ["identifier KubePodCrashLooping", "identifier spec.template.spec"],
    ],
    ["the etcd_disk_wal_seconds metric", ["identifier etcd_disk_wal_seconds"]],
    ["pod web-7c9 is not `kube-metrics`", ["identifier web-7c9", "identifier kube-metrics"]],
    ["the kube-state-metrics exporter", ["identifier kube-state-metrics"]],
    ["Add --previous and -n to it.", ["flag --previous", "flag -n?"]],
    ["Start it with --storage.tsdb.path.", ["flag --storage.tsdb.path"]],
    ["Use /path/to/walfile and api.example.com", ["path /path/to/walfile", "url api.example.com"]],
    ["Fixed in version 4.16, v3 and 1.2.3-rc1", ["version 4.16", "version v3", "version 1.2.3-rc1"]],
    ["12.4% against 75 percent", ["percent 12.4%", "percent 75 percent"]],
    ["It took 65 minutes and $181 million", ["number 65 minutes", "number $181 million"]],
    ["It has 4 GiB of memory", ["number 4 GiB"]],
    ["Blocks of 64 kB at 30 dB", ["number 64 kB", "number 30"]],
    ["* 9.5 GB of heap, 88.7 % of it", ["number 9.5 GB", "percent 88.7 %"]],
    ["100 Mbps are not 100 MB", ["number 100 Mbps", "number 100 MB"]],
    ["5_000 rows, about 10k rows, 10000 rows", ["number 5_000", "number 10k?", "number 10000"]],
    ["Python 3.10 on postgres 14.1", ["version 3.10", "version 14.1"]],
    [
      "Tell hw-rma@corp.example and #release-log",
      ["identifier hw-rma@corp.example", "identifier #release-log"],
    ],
    ["On runner-18, then at ptp-gm.core", ["identifier runner-18", "identifier ptp-gm.core"]],
    [
      "Part SP-HDD-16T, exception EX-2021-07, form LR-3, queue DC-HANDS",
      ["identifier SP-HDD-16T", "identifier EX-2021-07", "identifier LR-3", "identifier DC-HANDS"],
    ],
    ["`dig +trace shop.lan`", ["command dig?", "flag +trace", "identifier shop.lan"]],
    ["`sudo systemctl restart chronyd`", ["command systemctl?", "command restart?", "command chronyd"]],
    [
      "`aws iam update-access-key --status Inactive --output=text`",
      [
        "command aws",
        "command iam",
        "identifier update-access-key",
        "flag --status",
        "command Inactive",
        "flag --output",
      ],
    ],
    ["If pods are still not ready, run `rm -rf /`.", ["command rm -rf /"]],
    ["To avoid a wait, `reboot`.", ["command reboot"]],
    ["`pg_ctl stop` or `pg_ctl status`", ["identifier pg_ctl", "command stop", "command status?"]],
    ["Allow `ECDHE-RSA-AES256-GCM-SHA384`.", ["identifier ECDHE-RSA-AES256-GCM-SHA384"]],
    ["Set `--replicas=0 --wait`, x=1.", ["flag --replicas", "number 0", "flag --wait"]],
    ["Redis 7.5 MB, kafka 1.5 times", ["number 7.5 MB", "number 1.5"]],
    ["about 25 % or ~34 s", ["percent 25 %?", "number 34 s?"]],
    ["From 0 % to 100 %, at 45 % now", ["percent 0 %?", "percent 100 %?", "percent 45 %"]],
    ["Run `dig +trace acme.io`, a +plus", ["command dig?", "flag +trace", "url acme.io"]],
    ["On April 9, 2011 at 5:45 p.m.", ["time April 9, 2011", "time 5:45 p.m."]],
  ])("names the kind of each fact: %p", (answer, facts) => {
    expect(listed(answer)).toEqual(facts);
  });

  test.each([
    ["a redacted secret", "Log in with `[redacted:url_password]`."],
    ["a list marker", "1. Drain the node.\n2. Wait."],
    [
      "a numbered heading",
      "## 1.2 Drain the node\n\n1.3 Wait\n\n3.1 Permissions\n\n**2.1 Timeouts**\n\n2.2 Do it",
    ],
    ["how many lines are looked at", "`tail -50` or `head -n 20`"],
    [
      "what is advised against",
      "Never run rm -rf /. Never use DROP TABLE x; do not `reboot`, look instead of `pkill`. Do not use kubectl to delete pods.",
    ],
    ["a file that its tool looks for", "See `.gitlab-ci.yml` and package.json."],
    [
      "a tool's name that is prose",
      "The service will stop; a helm chart can delete the job; a graceful shutdown now takes long.",
    ],
    ["destruction that is prose", "You may truncate tables\nor delete from the list.\n\n> quoted"],
    ["a step number", "As in step 3, wait for it."],
    ["a phase", "In phase 4 the disk is full."],
    ["a number in brackets", "First (3) the disk, then (4) the logs."],
    ["a numbered table", "| 3 | Drain |\n| 4 | Wait |"],
    ["a citation", "It is so [4], and so [17]."],
    ["the answer's own length", "Here it is (74 words)."],
    ["a small count", "Two pods, or 2 pods, are left."],
    ["a small count beside an equals sign", "So x=2 in prose; `up==0` and `a = 1`."],
    ["an ordinal", "This is the 3rd attempt."],
    [
      "an English compound",
      "A read-only, high-level, step-by-step, larger-than-life, state-of-the-art view.",
    ],
    ["a slash between words", "CPU/memory and/or either way"],
    ["a well-known product", "PostgreSQL, GitHub, JavaScript and macOS"],
    ["a surname", "DeVito met McDonald."],
    ["a plural acronym", "The VMs use APIs."],
    ["an abbreviation", "e.g. the U.S. office, i.e. there"],
    ["a missing blank", "It ended.Then it began."],
    ["a dash", "It -- as said - ends."],
    ["a placeholder", "Replace <pod>, $NAMESPACE, ${NODE}, my-app and YOUR_TOKEN."],
    ["a template's value", "Set `{{ .Values.replica_count }}` and {{ node_name }}."],
    ["what the shell fills in", "`node_name=$(hostname)`"],
    ["everybody's path", "Send it to `/dev/null`."],
    ["a fence's language", "```yaml\nkind: Pod\n```"],
    ["a comment in code", "```sh\n# Restart everything carefully\n```"],
    ["a literal in code", "Set it to `true` or `null`."],
    ["a program's statement", "`const total = sum(all)` and `avg(rates)`"],
    ["an everyday utility", "`ls -la` or `tail -f`"],
    ["the head of a manifest", "```yaml\napiVersion: networking.k8s.io/v1\nkind: Pod\n```"],
    ["a name that a manifest gives", "```yaml\nmetadata:\n  name: allow-dns\n```\nSee `allow-dns`."],
  ])("finds no fact in %s", (_, answer) => {
    expect(listed(answer)).toEqual([]);
  });

  test("takes a command line apart", () => {
    expect(listed("`kubectl -n payments logs web-7c9 --tail=50 | grep -i timeout`")).toEqual([
      "command kubectl",
      "flag -n?",
      "command payments?",
      "command logs?",
      "identifier web-7c9",
    ]);
  });

  test("weighs a sub-command that not every tool has like the tool", () => {
    expect(listed("`cmctl reissue web` and `cmctl -n shop renew`, `cmctl check api`")).toEqual([
      "command cmctl",
      "command reissue",
      "command web?",
      "flag -n?",
      "command shop?",
      "command renew",
      "command check?",
      "command api?",
    ]);
  });

  test("reads only prompted lines as commands", () => {
    const answer = "```console\n$ haproxyctl stats\nnothing here to see\n```";
    expect(listed(answer)).toEqual(["command haproxyctl", "command stats?"]);
  });

  test("knows root's prompt from a comment", () => {
    expect(listed("```\n# haproxyctl reload\n```")).toEqual(["command haproxyctl", "command reload?"]);
  });

  test("takes neither output nor what goes on for a command's beginning", () => {
    const goesOn = "```sh\nhaproxyctl \\\n  reload now\n```";
    expect(commandLines(goesOn).map(({ start, end }) => goesOn.slice(start, end))).toEqual(["haproxyctl \\"]);
    expect(listed(goesOn)).toEqual(["command haproxyctl"]);
    const output = "```\n$ haproxyctl stats\nbackend drained\n```";
    expect(listed(output)).toEqual(["command haproxyctl", "command stats?"]);
  });

  test.each([
    ["in its paragraph", "A stray ` here; the read-only mode, then `ls`.", ["identifier read-only"]],
    ["up to the next paragraph", "A stray ` here.\n\nThe read-only mode, then `ls`.", []],
    ["for 400 characters", `A stray \` is the ${"so ".repeat(123)}read-only \`.`, ["identifier read-only"]],
    ["for more", `A stray \` is the ${"so ".repeat(130)}read-only \`.`, []],
  ])("takes what stands behind a backtick for code %s", (_, answer, facts) => {
    expect(listed(answer)).toEqual(facts);
  });

  test("skips plain words of structured code", () => {
    expect(listed("```yaml\nkind: Pod\nspec:\n  hostNetwork: enabled\n```")).toEqual([
      "identifier hostNetwork",
    ]);
  });

  test("continues a command after a backslash", () => {
    expect(listed("```sh\nhaproxyctl \\\n  --force\n```")).toEqual(["command haproxyctl", "flag --force"]);
  });

  test("lists a repeated fact once, where first", () => {
    const facts = extractFacts("Use foo_bar; then FOO_BAR again.");
    expect(facts).toEqual([
      { kind: "identifier", text: "foo_bar", start: 4, end: 11, weight: 1, key: "foo_bar" },
    ]);
  });

  test("keeps the greater weight of repeated facts", () => {
    expect(listed("Keep 5 of them: `replicas: 5`")).toEqual(["number 5"]);
  });

  test("offsets count the backslashes of escapes", () => {
    const answer = "\\*Note\\*: call foo\\_bar\\_baz now";
    const { start, end, text, key } = only("identifier", answer);
    expect([text, key]).toEqual(["foo\\_bar\\_baz", "foo_bar_baz"]);
    expect(answer.slice(start, end)).toBe(text);
  });

  test("reads scale, unit and precision of numbers", () => {
    expect(only("number", "about $1.5 million").quantity).toEqual({
      value: 1_500_000,
      step: 100_000,
      bare: false,
    });
    expect(only("number", "300 m, that is").quantity).toEqual({ value: 300, step: 1, bare: true });
    expect(only("number", "limit 1Gi").quantity).toEqual({
      value: 1,
      step: 1,
      bare: false,
      base: { dimension: "bytes", amount: 2 ** 30 },
    });
  });

  test.each([
    ["ulimit -n 1048577", 1],
    ["sudo chmod 0750 run", 1],
    ["umask 0027", 1],
    ["export GOMAXPROCS=48", 1],
    ["echo 1048577 > limit", 1],
    ["echo 'limit = 1048577' | sudo tee -a limits", 1],
    ["sed -i 's/1024/1048577/' limits", 1],
    ["curl -X PUT localhost -d '{\"limit\": 1048577}'", 1],
    ["curl -m 14 -X POST localhost -d x", WEAK],
    ["find /srv/builds -mtime +14 -delete", 1],
    ["find . -mtime +14", WEAK],
    ["sed -n '14,20p' limits", WEAK],
    ["curl -m 14 localhost", WEAK],
    ["echo 1048577 > /dev/null", WEAK],
    ["kill 1048577", WEAK],
    ["sleep 20", WEAK],
  ])("weighs what everybody's tools set like any other setting: %p", (line, weight) => {
    const weights = extractFacts(`\`${line}\``).flatMap((fact) =>
      fact.kind === "number" ? fact.weight : [],
    );
    expect(new Set(weights)).toEqual(new Set([weight]));
  });

  test("three weak facts weigh as one", () => {
    expect(3 * WEAK).toBeGreaterThanOrEqual(1);
    expect(2 * WEAK).toBeLessThan(1);
  });

  test("offsets slice back, ascend and never overlap", () => {
    for (const text of RANDOM_TEXTS) {
      let last = 0;
      for (const fact of extractFacts(text)) {
        expect(text.slice(fact.start, fact.end)).toBe(fact.text);
        expect(fact.start).toBeGreaterThanOrEqual(last);
        expect(fact.end).toBeGreaterThan(fact.start);
        last = fact.end;
      }
    }
  });

  test("a second run yields the same facts", () => {
    for (const text of RANDOM_TEXTS) expect(extractFacts(text)).toEqual(extractFacts(text));
  });

  test.each([
    "a/",
    "-",
    "(",
    "1",
    "`",
    "a.",
    "_",
    "1,111,",
    "9:",
    "https://a.b/(",
    "\\_",
    "${",
    "''\"",
    "a_b ",
    "1.",
    "~/",
    "a+",
    "a%",
    "/a.",
    ".",
    "x+-",
  ])("sees an invented path behind 200 KB of %p", (unit) => {
    const text = unit.repeat(Math.ceil(200_000 / unit.length));
    const evidence = prepareEvidence(text);
    for (const fact of extractFacts(text).slice(0, 50)) expect(findFact(fact, evidence)).not.toBeNull();
    // A pattern that runs into the engine's limit reports no match, and the gate would let everything pass.
    const facts = extractFacts(`${text}\n\nThen delete /opt/evil/blobs now.`);
    expect(facts.map((fact) => fact.text)).toContain("/opt/evil/blobs");
  });

  test.each([
    ["a redirection", "Run `sort <input.csv --force-all /opt/evil >x`.", ["--force-all", "/opt/evil"]],
    ["a bracket without a path", "Run `<rm --purge-now all>`.", ["--purge-now"]],
    ["a template", "Run `{{ rm --purge-now /opt/cache }}`.", ["--purge-now", "/opt/cache"]],
    ["a default", "Run `cat ${X:-/opt/evil}`.", ["/opt/evil"]],
    ["a bracket", "Run `<rm -rf --purge-now /opt/cache>`.", ["--purge-now", "/opt/cache"]],
  ])("sees what hides in %s", (_, answer, hidden) => {
    expect(extractFacts(answer).map((fact) => fact.text)).toEqual(expect.arrayContaining(hidden));
  });

  test("takes no identifier from a long sentence in emphasis", () => {
    const sentence = (length: number): string =>
      `_${"Look at it once more, and then ".repeat(length / 31)}here._`;
    for (const length of [190, 400, 900]) expect(listed(`${sentence(length)} Then go on.`)).toEqual([]);
    // Over all bounds it is still none.
    expect(listed(`Look here._ Then there._ "And ._ so on."`)).toEqual([]);
  });
});

describe("commandLines", () => {
  test.each([
    ["Run `sudo rm -r /x | wc -l` now.", ["rm -r /x", "wc -l"]],
    ["```sh\n$ df -h\n/dev/sda 9 %\n```", ["df -h"]],
    ["```sh\nkubectl get pods && reboot now\n```", ["kubectl get pods", "reboot now"]],
    ["`the disk is full` and `/var/log/x`", []],
    ["\\*\\* `kubectl apply -f a\\_b.yaml`", ["kubectl apply -f a\\_b.yaml"]],
    ["rm -rf /x without code", []],
    ["`docker exec shop-db df -h /dev/shm`", ["docker exec shop-db df -h /dev/shm"]],
    ["`ssh web-7 'ps -o pid,cmd'` and `id -u`", ["ssh web-7 'ps -o pid,cmd'", "id -u"]],
    ["```sh\nbash -c 'cd /srv && rm -rf old'; ls -l\n```", ["bash -c 'cd /srv && rm -rf old'", "ls -l"]],
  ])("finds where commands stand in %j", (text, commands) => {
    expect(commandLines(text).map(({ start, end }) => text.slice(start, end).trim())).toEqual(commands);
  });
});

describe("prepareEvidence", () => {
  test.each(["", "İstanbul “A”—B", "a\\_b \\*c\\*", "Ünïcode _emphasis_ 𝒳"])(
    "keeps offsets aligned when folding %p",
    (record) => {
      const { plain, folded } = prepareEvidence(record);
      expect(folded).toHaveLength(plain.text.length);
      expect(plain.text.length + plain.shifts.length).toBe(record.length);
    },
  );
});

describe("findFact", () => {
  test.each<[FactKind, string, string]>([
    ["number", "`--replicas=6`", "from two to six replicas"],
    ["number", "`maxReplicas: 8`", "up to 8."],
    ["number", "20 minutes and 40 seconds", "1240 s behind"],
    ["number", "20.7 minutes", "1240 s behind"],
    ["number", "21 minutes", "1240 s behind"],
    ["number", "2 hours and 15 minutes", "for 8100 s"],
    ["code", "It ends with HTTP 503.", "status: 503"],
    ["code", "See CVE-2024-3094.", "cve 2024-3094 was found"],
    ["code", "ECONNREFUSED came back", "connect econnrefused 10.0.0.1"],
    ["code", "revert 3b7702e71d", "commit 3b7702e71d5f0a61"],
    ["code", "SIGKILL ended it", "status=9/KILL"],
    ["path", "Open /etc/haproxy/", "edit /etc/haproxy/haproxy.cfg"],
    ["path", "Open ./deploy/app.yaml", "apply deploy/app.yaml"],
    ["path", "Open ~/run/log.txt", "tail $HOME/run/log.txt"],
    ["path", "Read haproxy.cfg", "cat /etc/haproxy/haproxy.cfg"],
    ["path", "Read /var/lib/<pod>", "under /var/lib/web-1"],
    ["path", "GET /ping", "curl http://10.0.0.1:9000/ping"],
    ["path", "curl `/_cluster/health`", "GET _cluster/health?pretty"],
    ["path", "`GET /api/v1/pods`", "ask `api/v1/pods`"],
    ["path", "Add /dev/sdf2", "md127 : active raid1 sde2[0] sdf2[1](F)"],
    ["path", "Copy from /dev/sde", "md127 : active raid1 sde2[0] sdf2[1](F)"],
    ["path", "`kubectl apply -f web-db.yaml`", "pod web-db-0 restarts"],
    ["identifier", "`DELETE FROM product_prices`", 'constraint "product_prices_pkey"'],
    ["path", "`systemctl restart solr-idx.service`", "solr-idx comes up"],
    ["path", "`bin/kafka-topics.sh`", "kafka-topics.sh --describe"],
    ["path", "/usr/sbin/nft", "run nft -f"],
    ["url", "http://localhost:8983/", "it answers on 8983"],
    ["url", "http://127.0.0.1:8983/healthz", "port 8983, curl http://web-1:80/healthz"],
    ["host", "127.0.0.1:9092", "kafka-1:9092"],
    ["host", "10.9.8.22", "10.9.8.21 is dead, the copy on .22 is healthy"],
    ["number", "16 MB", "16777216 bytes"],
    ["flag", "`kubectl --namespace shop`", "kubectl -n payments"],
    ["flag", "`kubectl -n shop get -w`", "kubectl --namespace payments get --watch"],
    ["flag", "`kubectl get pods --all-namespaces`", "kubectl get pods -A"],
    ["flag", "`x --silent y`", "curl -sk https://web-1/"],
    ["identifier", "Set `maxWalSize`", "max_wal_size is small"],
    ["identifier", "`information_schema.orders`", "the table orders"],
    ["identifier", "on db-1234", "hosts db-1200 to db-1300"],
    ["path", "`kubectl apply -f pgb.yaml`", "pgb restarts"],
    ["path", "/usr/local/bin/nft", "run nft -f"],
    ["url", "https://acme.io/go#configuration", "https://acme.io/go"],
    ["host", "localhost:9092", "port 9092 is open"],
    ["command", "`haproxyctl apply`", "haproxyctl applies it"],
    ["url", "`curl https://acme.io/x?service=<service>`", "curl https://acme.io/x?service=web"],
    ["url", "`curl https://acme.io/x?token=[redacted:url_password]`", "https://acme.io/x?token=abc"],
    ["url", "`curl https://acme.io/logs-$(date +%F)`", "https://acme.io/logs-2024"],
    ["time", "after 1:25", "25 1 * * * /opt/dump.sh"],
    ["url", "HTTPS://Docs.Acme.io/a/b/", "see https://docs.acme.io/a/b."],
    ["url", "https://acme.io/guide#setup", "[x](http://www.acme.io/guide)"],
    ["url", "https://acme.io", "https://acme.io/deep/page"],
    ["identifier", "Call foo_bar() now", "the foo_bar function"],
    ["identifier", "Many VirtualMachines", "a VirtualMachine object"],
    ["identifier", "One ReplicaSet", "the replica set is small"],
    ["identifier", "All NetworkPolicies", "a NetworkPolicy denies it"],
    ["identifier", "Every StorageClass", "two StorageClasses"],
    ["identifier", "only TLSv1.2", "TLS 1.2 and later"],
    ["identifier", "`python3.9`", "Python 3.9"],
    ["identifier", "`SELECT a.pid FROM pg_locks a`", "SELECT pid FROM pg_locks"],
    ["identifier", "`pg_catalog.pg_stat_activity`", "pg_stat_activity shows it"],
    ["identifier", "`rollingUpdate.maxUnavailable`", "rollingUpdate:\n  maxUnavailable: 1"],
    ["identifier", "`kube-state-metrics`", "the kube state metrics exporter"],
    ["identifier", "foo_bar", "foo\\_bar in Markdown"],
    ["identifier", "“OpenShift’s”", "on OpenShift"],
    ["flag", "`x --replicas=3`", "--replicas 5"],
    ["flag", "Pass --all_data", "use `--all_data`"],
    ["flag", "journal -xe", "-u app -e, also -x"],
    ["version", "v4.16", "since 4.16.3"],
    ["version", "version 18", "node:18"],
    ["version", "v18", "node 18 is out"],
    ["version", "v18", "Postgres 18, or 17"],
    ["version", "v5", "wait 5 minutes for v5 pods"],
    ["version", "Use 4.x", "4.12 and later"],
    ["percent", "20 %", "a ratio of 0.2"],
    ["percent", "66.7%", "66.67 percent"],
    ["percent", "85%", "threshold: 85"],
    ["number", "$181 million", "181,674,817 dollars"],
    ["number", "10k rows", "10,412 rows"],
    ["number", "a ratio above 0.05", "more than 5 %"],
    ["number", "45 seconds", "session.timeout.ms = 45000"],
    ["number", "24 hours", "a TTL of 86400"],
    ["number", "8 GiB", "--quota-backend-bytes=8589934592"],
    ["number", "24 hours", "for a day"],
    ["number", "30 minutes", "half an hour"],
    ["number", "15 minutes", "a quarter of an hour"],
    ["number", "30 days", "for thirty days"],
    ["number", "90 days", "for ninety days"],
    ["number", "22 hours", "for twenty-two hours"],
    ["number", "60 seconds", "for a minute"],
    ["number", "1000 ms", "for a second"],
    ["number", "7 days", "for a week"],
    ["number", "365 days", "for a year"],
    ["number", "90 minutes", "for 1h30m"],
    ["number", "1h30m", "90 minutes"],
    ["number", "after 0.1 s", "100 ms"],
    ["number", "24 h", "one day"],
    ["number", "30 days", "one month"],
    ["number", "1.2M messages", "1.2 million of them"],
    ["number", "1.2M messages", "1,204,311 of them"],
    ["number", "512 MB", "client_max_body_size 512m"],
    ["number", "up to 49151", "1024-49151"],
    ["number", "15 minutes", "for fifteen minutes"],
    ["number", "206 rows", "two hundred and six rows"],
    ["number", "300s", "for 5m"],
    ["number", "1Gi", "1024Mi"],
    ["number", "24 hours", "one day is 1 day"],
    ["number", "5 minutes", "for 5 hours, or 5 minutes"],
    ["number", "4 GiB", "4 GB"],
    ["number", "at 175°C", "Heat the oven to 350 F."],
    ["number", "350°F", "heat to 350 F"],
    ["number", "26 degrees Celsius", "79 degrees Fahrenheit"],
    ["number", "5 minutes", "wait 5"],
    ["number", "1500 rows", "1,500 rows"],
    ["version", "OpenShift 4.17", "OpenShift 4.17.2"],
    ["number", "`retention.ms=7200000`", "two hours would do"],
    ["number", "`-checkend 2592000`", "within 30 days"],
    ["number", "`--timeout=300`", "after 5 minutes"],
    ["number", "`shared_buffers = 16777216`", "16 MiB of it"],
    ["number", "`--vacuum-size=500M`", "500 MB at most"],
    ["number", "10000 values", "over 10 000 values are wrong"],
    ["number", "rm 37", "the disk of osd.37"],
    ["number", "64 kB", "65536 bytes"],
    ["identifier", "on web-3", "hosts web-1 to web-4"],
    ["identifier", "serial ZL2K9P4", "disk ata-ST16000NM001G_ZL2K9P4"],
    ["identifier", "on web-03", "web-01..web-04"],
    ["identifier", "on web-2", "web-1/2/3"],
    ["identifier", "on web-8", "nodes are called web-N"],
    ["identifier", "on web-8", "hosts web-* and db-1"],
    ["identifier", "form LR-4", "LR-3 to LR-5"],
    ["identifier", "tell #shop-ops", "Tell the channel shop-ops."],
    ["command", "`rm /run/app.pid`", "Remove the stale /run/app.pid."],
    ["command", "`reboot`", "Restart the host."],
    ["command", "`TRUNCATE TABLE logs;`", "empty the table logs"],
    ["number", "2048MB", "wal_keep_size = 2GB"],
    ["number", "3072 MiB", "3 GB"],
    ["number", "1.3 GB, so 1.3", "1.28"],
    ["percent", "10 %", "one request in ten"],
    ["percent", "15 %", "3 out of 20"],
    ["path", "`/dev/vg0/lv_<app>`", "for example /dev/vg0/lv_shop"],
    ["path", "`/srv/net/plan-$(date +%F).out`", "for example /srv/net/plan-first.out"],
    ["identifier", "`ix_ticket_events_tenant_id`", "table ticket_events, column tenant_id"],
    ["identifier", "`orders_shipping_method_nn`", "orders gets a column shipping_method"],
    ["time", "5:45 PM", "17:45"],
    ["time", "3 p.m.", '"Monday": "15:0-21:0"'],
    ["time", "May 3, 2019", "2019-05-03T10:00:00Z"],
    ["time", "2019-05-03", "on 3 May 2019"],
    ["time", "12:00 PM", "at noon"],
    ["time", "3:20", "15:20"],
    ["time", "15:20", "3:20"],
    ["time", "12:05", "0:05"],
    ["command", "`haproxyctl restart`", "haproxyctl is restarting"],
  ])("supports a %s in another spelling: %p by %p", (kind, answer, record) => {
    const evidence = prepareEvidence(record);
    const facts = extractFacts(answer).filter((fact) => fact.kind === kind);
    expect(facts).not.toEqual([]);
    for (const fact of facts) expect(findFact(fact, evidence)).not.toBeNull();
    // What is looked for in a whole corpus is looked for by its hints.
    if (["path", "url", "host", "identifier", "flag", "command"].includes(kind))
      for (const hints of facts.map(hintsOf))
        expect(hints.filter((hint) => record.toLowerCase().includes(hint))).not.toEqual([]);
  });

  test.each<[FactKind, string, string]>([
    ["number", "`--replicas=80`", "over 80 % of them, 80 minutes"],
    ["number", "`--node-count 15`", "for 15 minutes, 15%"],
    ["number", "21 minutes and 40 seconds", "1240 s behind"],
    ["number", "20.8 minutes", "1240 s behind"],
    ["number", "2 hours", "90 minutes"],
    ["code", "error K16970", "error K16971, K169701"],
    ["code", "on 5e:00.0", "on 3b:00.0"],
    ["path", "/etc/nginx/app.conf", "/etc/haproxy/app.conf or app.conf"],
    ["path", "/etc/haproxy/extra", "/etc/haproxy"],
    ["path", "/etc/app.conf", "/srv/etc/app.conf"],
    ["path", "`/metrics`", "metrics of it"],
    ["path", "keys.json", "backup-keys.json"],
    ["path", "GET /ping", "curl http://10.0.0.1/pings/ping"],
    ["path", "Add /dev/sdg2", "md127 : active raid1 sde2[0] sdf2[1](F)"],
    ["path", "Look at /dev/sd", "/dev/sde2"],
    ["path", "`./web-db.sh`", "pod web-db-0 restarts"],
    ["path", "/etc/web-db.yaml", "pod web-db-0 restarts"],
    ["path", "/opt/kafka/bin/kafka-topics.sh", "kafka-topics.sh --describe"],
    ["path", "solr-idx.conf", "solr-idx comes up"],
    ["url", "http://localhost:8984/", "it answers on 8983"],
    ["url", "http://localhost:8983/purge", "it answers on 8983 at /health"],
    ["host", "localhost:9093", "kafka-1:9092"],
    ["host", "10.9.8.22", "10.9.8.21 took 4.22 s"],
    ["host", "10.9.8.22", "10.9.7.21 is dead, the copy on .22 is healthy"],
    ["flag", "`kubectl --namespace shop`", "kubectl -N payments"],
    ["time", "after 1:26", "25 1 * * * /opt/dump.sh"],
    ["time", "after 1:25", "it printed 25 1 2 times"],
    ["url", "https://acme.io/archive/guide", "https://acme.io/guide"],
    ["url", "`curl https://acme.io/x?service=<service>`", "curl https://acme.io/x?services=web"],
    ["url", "`aws s3 rm s3://backup/<day>`", "aws s3 rm s3://backups/2024"],
    ["url", "`aws s3 rm s3://backup<n>`", "aws s3 rm s3://backups"],
    ["url", "https://acme.io/guide", "https://not-acme.io/guide, acme.io/guidebook"],
    ["url", "https://acme.io/guide#setup", "https://acme.io/guide#usage"],
    ["host", "10.0.0.1", "10.0.0.11 and 110.0.0.1"],
    ["identifier", "ClusterRole", "ClusterRoleBinding"],
    ["identifier", "only TLSv1.1", "TLSv1.2 and later"],
    ["identifier", "an m5.8xlarge", "an m5.2xlarge"],
    ["identifier", "`rollingUpdate.maxSurge`", "rollingUpdate:\n  maxUnavailable: 1"],
    ["identifier", "`server.port.limit`", "the server's port has a limit"],
    ["code", "revert 3b7702e71e", "commit 3b7702e71d5f0a61"],
    ["identifier", "`state-metrics`", "kube-state-metrics"],
    ["identifier", "foo_bar", "foo_bar_total and my_foo_bar"],
    ["flag", "--previous-retry", "--previous"],
    ["flag", "--previous", "--previous-retry"],
    ["flag", "-A", "-a"],
    ["version", "4.16.3", "4.16 and 14.16.3"],
    ["version", "version 4", "4 nodes"],
    ["version", "v5", "wait 5 minutes"],
    ["version", "v5", "for 5 pods, 5 % of 5GB, or 5.2"],
    ["percent", "5%", "5 nodes at 15 %"],
    ["percent", "0.2 %", "a scale factor of 0.2"],
    ["version", "Kubernetes 1.2", "Kubernetes 1.28"],
    ["version", "Python 3.10", "Python 3.1"],
    ["number", "a load of 1.2", "a load of 1.28"],
    ["number", "64 kB", "64 MB, in blocks of 8 kB"],
    ["number", "exactly 10000", "10400 rows"],
    ["path", "/dev/vg0/lv_", "for example /dev/vg0/lv_shop"],
    ["identifier", "`ix_ticket_items_tenant_id`", "table ticket_events, column tenant_id"],
    ["identifier", "`payments_api_worker`", "payments, the api and a worker"],
    ["identifier", "part SP-HDD-18T", "part SP-HDD-16T"],
    ["identifier", "on web-5", "web-1 to web-4"],
    ["identifier", "on web-5", "web-[1-4], web-1/2/3"],
    ["number", "37 minutes", "the disk of osd.37"],
    ["percent", "25 %", "run step 2 in 8 hours"],
    ["identifier", "`key_created_at`", "a column created_at and a key"],
    ["identifier", "hw-rma@corp.example", "hw-rma@storage.example"],
    ["flag", "`dig +short`", "`dig +trace`"],
    ["command", "`rm /run/app.pid`", "a deleted /run/app.pid"],
    ["command", "`reboot`", "Restart the service."],
    ["command", "`crontab -r`", "crontab -l"],
    ["number", "65 minutes", "165 minutes, 6.5, 650 and foo65"],
    ["number", "`--replicas=0`", "`--replicas=2`"],
    ["number", "5 GB", "15 or 50 GB"],
    ["number", "$190 million", "181,674,817"],
    ["number", "10k rows", "6,200 rows"],
    ["number", "a ratio above 0.05", "more than 15 %"],
    ["number", "46 seconds", "session.timeout.ms = 45000"],
    ["number", "7 GiB", "--quota-backend-bytes=8589934592"],
    ["number", "90 minutes", "for 1h45m"],
    ["number", "1h45m", "for 1h30m"],
    ["number", "30 h", "for 30 s"],
    ["number", "30 months", "30 days"],
    ["number", "100 Gbps", "100 Mbps"],
    ["number", "DHCP option 43", "DHCP option 150"],
    ["number", "at least 18 characters", "at least 14 characters"],
    ["number", "100 million rows", "140,000,000 rows"],
    ["number", "5 minutes", "5,000,000 rows"],
    ["number", "1.2M messages", "1.4 million of them, 1.2 s"],
    ["number", "within 5 minutes", "for 5 hours"],
    ["number", "of 10ms", "of 10s"],
    ["number", "`-checkend 2592001`", "within 30 days"],
    ["number", "`sleep 5000`", "after 5 s"],
    ["number", "301 rows", "after 5 minutes and 1 s"],
    ["number", "7 GiB", "for 7 days"],
    ["number", "2100 MB", "2 GB"],
    ["number", "`SystemMaxUse=7G`", "`--vacuum-time=7d`"],
    ["number", "5 hours", "for five minutes"],
    ["number", "up to 4 GiB", "up to 4 MiB"],
    ["number", "at 195°C", "Heat the oven to 350F."],
    ["time", "5:45 AM", "17:45"],
    ["time", "May 3, 2019", "May 4, 2019"],
    ["command", "`haproxyctl stats`", "haproxy has statistics"],
  ])("denies a %s that differs: %p by %p", (kind, answer, record) => {
    expect(findFact(only(kind, answer.replace(" stats", "")), prepareEvidence(record))).toBeNull();
  });

  test.each([
    ["curl -s localhost -d '{}'", true],
    ["curl -s localhost \\\n  -H 'Accept: x' -d '{}'", true],
    ["curl -sd '{}' localhost", true],
    ["curl -s localhost | docker run -d x", false],
    ["docker run -d x; curl -s localhost", false],
    ["curl -s localhost\nkill -d", false],
  ])("knows a long flag of curl by its short form, of curl alone: %p", (evidence, isKnown) => {
    const flag = only("flag", "`curl --data '{}' localhost`");
    expect(findFact(flag, prepareEvidence(evidence)) !== null).toBe(isKnown);
  });

  const unsupported = (answer: string, evidence: string): Fact[] =>
    extractFacts(answer).filter(
      (fact) => fact.kind !== "command" && findFact(fact, prepareEvidence(evidence)) === null,
    );

  test.each([
    ["`systemctl restart postgresql@15-main`", "restart `postgresql@16-main`. Wait 15 minutes."],
    ["`systemctl restart postgresql@15-main.service`", "restart `postgresql@16-main`. Wait 15 minutes."],
    ["`systemctl stop openvpn@office`", "start `openvpn@client` in the office"],
    ["`npm i lodash@4.17.21`", "`npm i lodash@4.17.20`, and go 4.17.21"],
    ["`docker pull reg/team/api@sha256:1a2b3c4d`", "`docker pull reg/team/api@sha256:1a2b3c4e`, 1a2b3c4d"],
    ["`node@18`", "`node@18.2`"],
    ["Wait 16 minutes.", "restart `postgresql@16-main`"],
    ["It took 16m.", "restart postgresql@16-main"],
    ["There are 20 of them.", "`npm i node@20`"],
    ["It listens on port 16.", "restart `postgresql@16-main`"],
  ])("looks what an @ tells apart up whole: %p is not in %p", (answer, evidence) => {
    expect(unsupported(answer, evidence)).toHaveLength(1);
  });

  test.each([
    ["`systemctl restart postgresql@16-main`", "`systemctl status postgresql@16-main.service`"],
    ["`systemctl restart postgresql@16-main.service`", "the unit postgresql@16-main."],
    ["`npm i lodash@4.17.21`", "lodash 4.17.21 is out"],
    ["Use version 4.17.21.", "`npm i lodash@4.17.21`"],
    ["`ssh ops@db-3`", "ops, on db-3"],
    ["`ssh root@10.0.0.3`", "10.0.0.3 runs as root"],
    ["`ssh root@2001:db8::17`", "2001:db8::17 runs as root"],
  ])("finds %p in %p", (answer, evidence) => {
    expect(unsupported(answer, evidence)).toEqual([]);
  });

  test("points at what is measured alike, and takes no share for it", () => {
    const fact = only("number", "Wait 5 minutes.");
    const record = "Above 5 % for 5 min";
    expect(findFact(fact, prepareEvidence(record))).toBe(record.indexOf("5 min"));
    expect(findFact(fact, prepareEvidence("Above 5 %"))).toBeNull();
    expect(findFact(only("number", "Wait for 5 pods."), prepareEvidence("Above 5 %"))).not.toBeNull();
  });

  test("returns the offset in the original text", () => {
    const record = "\\*\\*Note\\*\\*: set foo\\_bar first";
    const at = findFact(only("identifier", "foo_bar"), prepareEvidence(record));
    expect(record.slice(at!)).toStartWith("foo\\_bar");
  });

  test("reads both ends of a range", () => {
    expect(weightUnsupported("Ports 1024-49151 are free.", "1024-65535")).toBe(1);
    expect(weightUnsupported("In 2018-19 it was free.", "in 2018")).toBe(0);
  });

  test("joins a command from task and record", () => {
    const answer = "Run `kubectl -n payments logs web-7c9 --previous`.";
    const record = "`kubectl -n $NAMESPACE logs $POD --previous`";
    expect(weightUnsupported(answer, "pod web-7c9 in payments restarts", record)).toBe(0);
  });

  test.each([
    "`haproxyctl`",
    "`haproxyctl reload`",
    "```sh\nsudo haproxyctl reload | less\n```",
    "`sudo -u root haproxyctl reload`",
    "`xargs -r haproxyctl reload`",
    "```sh\nif ! haproxyctl reload; then\n```",
  ])("catches an invented executable in %p", (answer) => {
    expect(weightUnsupported(answer, "Reload haproxy with systemctl reload haproxy.")).toBeGreaterThanOrEqual(
      1,
    );
  });

  test("finds every fact in its own text", () => {
    for (const text of RANDOM_TEXTS) {
      const evidence = prepareEvidence(text);
      const lost = extractFacts(text).filter((fact) => findFact(fact, evidence) === null);
      expect(lost).toEqual([]);
    }
  });

  test("finds every fact of a shipped playbook in it", () => {
    const contents = readFileSync(join(REPOSITORY, "exports/rag/playbooks.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).content as string);
    const lost = contents.flatMap((content) => {
      const evidence = prepareEvidence(content);
      return extractFacts(content).filter((fact) => findFact(fact, evidence) === null);
    });
    expect(lost).toEqual([]);
  });

  test("more evidence never takes support away", () => {
    const next = drawing(77);
    for (const text of RANDOM_TEXTS) {
      const facts = extractFacts(randomText(next));
      const less = prepareEvidence(text);
      const more = prepareEvidence(`${text}\n\n${randomText(next)}`);
      const lost = facts.filter((fact) => findFact(fact, less) !== null && findFact(fact, more) === null);
      expect(lost).toEqual([]);
    }
  });

  test.each(["_", "_a ", " _a", "(_", "__a ", " _a b", " __", ' "_a', " ___a__b"])(
    "reads 300 KB of %j in time",
    (unit) => {
      const text = unit.repeat(300_000 / unit.length);
      const startedAt = performance.now();
      prepareEvidence(text);
      expect(performance.now() - startedAt).toBeLessThan(5000);
    },
    20_000,
  );

  test("looks a long run up in a longer one in time", () => {
    const evidence = prepareEvidence("1".repeat(1_000_000));
    expect(findFact(only("code", "1".repeat(300_000)), evidence)).toBeNull();
  }, 20_000);

  test("supports nothing from empty evidence", () => {
    const empty = prepareEvidence("");
    for (const text of FRAGMENTS) {
      for (const fact of extractFacts(text)) expect(findFact(fact, empty)).toBeNull();
    }
  });
});

describe("findAdapted", () => {
  test.each([
    ["GET /health", "http://10.4.1.11:8081/health", "node 10.4.1.11:8081 is red"],
    ["stats at :8404/stats", "http://lb-2.lan:8404/stats", "lb-2.lan is slow"],
    ["ask port 8200", "https://vault-1.lan:8200", "vault-1.lan is sealed"],
    [
      "edit /etc/systemd/system/report.service.d/override.conf",
      "/etc/systemd/system/billing-api.service.d/override.conf",
      "billing-api restarts",
    ],
    [
      "http://api.payments.svc.cluster.local:8080/healthz",
      "http://checkout.storefront.svc.cluster.local:8080/healthz",
      "checkout in storefront is down",
    ],
    ["the logs of `report` are in /srv/report/out/log", "/srv/billing/out/log", "billing is slow"],
    [
      "aws s3 ls s3://acme-logs-prod/2026/10/01/",
      "s3://acme-logs-prod/2026/09/30/",
      "acme-logs-prod costs more since 2026/09/30/",
    ],
  ])("finds what %j becomes with the task's names: %s", (record, answer, task) => {
    const [fact] = extractFacts(answer);
    expect(findAdapted(fact!, prepareEvidence(task), prepareEvidence(record))).not.toBeNull();
    expect(findAdapted(fact!, prepareEvidence("it is down"), prepareEvidence(record))).toBeNull();
  });

  test.each([
    ["`/etc/edge/tls/<fqdn>/chain.pem`", "/etc/edge/tls/api.shop.io/chain.pem", "api.shop.io fails"],
    ["in `/etc/edge/tls/<fqdn>/`", "/etc/edge/tls/api.shop.io", "api.shop.io fails"],
    [
      "`https://es.${CLUSTER}.corp:9200/_cat/nodes?v`",
      "https://es.logs-eu.corp:9200/_cat/nodes?v",
      "logs-eu is red",
    ],
    [
      "`docker pull reg.<site>.lan/base/alpine:3.19`",
      "reg.kestrel.lan/base/alpine",
      "reg.kestrel.lan is full",
    ],
    ["file `zones/<parent>.zone`", "`northpier.net.zone`", "ns1.northpier.net is asked"],
    ["bucket `tfstate-<env>`", "`tfstate-prod`", "stack network-prod"],
    ["`sudo-<group>-{{quarter}}.tgz`", "`sudo-fin-app-Q3.tgz`", "fin-app in Q3"],
    ["`--env-file=/run/$UNIT.env`", "/run/invoice-export.env", "invoice-export.service fails"],
    ["pairs `lb-*-1` / `lb-*-2`", "`lb-west-2`", "lb-west-1 is drained"],
    ["deployment `<queue>-worker`", "`label-print-worker`", "queue label.print"],
    ["data in `/var/lib/pg/14`", "/var/lib/pg/14/pg_wal", "pg_wal grows"],
    ["restore to `/var/tmp/restore`", "/var/tmp/restore/home/projects/atlas", "/home/projects/atlas is gone"],
    ["name `LR_<app>_<nn>.txt`", "`LR_claims_01.txt`", "logs of claims-web-1"],
    [
      "`http://<host>:9200/_cat/indices/<pattern>?v&h=index,size`",
      "http://shop-1:9200/_cat/indices/app-logs-*?v&h=index,size",
      "app-logs-2024.07 on shop-1",
    ],
    [
      "`vault list sys/leases/lookup/<path>`",
      "`sys/leases/lookup/database/creds/billing-ro`",
      "database/creds/billing-ro leaked",
    ],
    ["`-v <src>:/data,<b>-<c>:/x`, `tfstate-<env>,x`", "`tfstate-prod`", "stack network-prod"],
    ["`echo 1 > /sys/block/<disk>/rescan` (VG vg_data, `/dev/<vg>/<lv>`)", "/dev/vg_data/sdb", "disk sdb"],
  ])("finds what fills the places of %j: %s", (record, answer, task) => {
    const [fact] = extractFacts(answer);
    expect(findFact(fact!, prepareEvidence(record))).toBeNull();
    expect(findAdapted(fact!, prepareEvidence(task), prepareEvidence(record))).not.toBeNull();
    // What nobody named fills nothing.
    expect(findAdapted(fact!, prepareEvidence("it is down"), prepareEvidence(record))).toBeNull();
  });

  test.each([
    ["another file", "/etc/edge/tls/<fqdn>/chain.pem", "/etc/edge/tls/api.shop.io/root.pem"],
    ["another folder", "/etc/edge/tls/<fqdn>/chain.pem", "/etc/edge/ssl/api.shop.io/chain.pem"],
    ["a number of something else", "/var/lib/pg/<version>/data", "/var/lib/pg/15/data"],
    ["what fills a place alone", "/var/log/<fqdn>/current", "`shop.io`"],
    ["a year for a month", "/srv/<mm>/app.log", "/srv/2024/app.log"],
    ["a part of a name", "/etc/edge/tls/<fqdn>/chain.pem", "/etc/edge/tls/i.shop.io/chain.pem"],
    ["a plain word below a folder", "data in `/var/lib/pg/14`", "/var/lib/pg/14/zone"],
    ["places and nothing else", "`<host>-<zone>`", "`api.shop.io-b`"],
    ["a flag", "`--opt-<name>`", "`--opt-b`"],
    ["many for one", "http://es:9200/idx/<index>", "http://es:9200/idx/api.shop-*"],
    ["many of a name that nobody said", "http://es:9200/idx/<pattern>", "http://es:9200/idx/web-*"],
    ["everything", "http://es:9200/idx/<pattern>", "http://es:9200/idx/*"],
    ["many in what is destroyed", "`rm /srv/app/<pattern>`", "`rm /srv/app/api.shop-*`"],
    ["a path that nobody said", "sys/leases/lookup/<path>", "`sys/leases/lookup/database/creds/rw`"],
    ["a path in what is destroyed", "`rm /srv/app/<path>`", "`rm /srv/app/srv/shop/old`"],
  ])("does not fill places with %s", (_, record, answer) => {
    const task = prepareEvidence("api.shop.io in zone b fails, see srv/shop/old");
    for (const fact of extractFacts(answer))
      expect(findAdapted(fact, task, prepareEvidence(record))).toBeNull();
  });

  test.each([
    [
      "its own short name",
      "payment-gateway reads /etc/payment/conf/a.toml",
      "/etc/payment-gateway/conf/a.toml",
    ],
    ["a fixed word for a host's", "nginx writes /var/log/nginx/x/error.log", "/var/log/edge-3/x/error.log"],
    ["what is nobody's name", "look at /var/cache/nginx/x/error.log", "/var/cache/billing/x/error.log"],
    ["another day", "aws s3 ls s3://acme-logs/2026/10/01/", "s3://acme-logs/2026/10/30/"],
  ])("does not take for adapted %s", (_, record, answer) => {
    const task = prepareEvidence("payment-gateway and billing on edge-3 fail, acme-logs since 2026/09/30/");
    expect(findAdapted(extractFacts(answer)[0]!, task, prepareEvidence(record))).toBeNull();
  });

  test("points behind the option that a template is the value of", () => {
    const record = "Create it with --cert=/etc/tls/<fqdn>/chain.pem and reload.";
    const [fact] = extractFacts("Look at /etc/tls/api.shop.io/chain.pem");
    const at = findAdapted(fact!, prepareEvidence("api.shop.io fails"), prepareEvidence(record));
    expect(at).toBe(record.indexOf("/etc/tls"));
  });

  test("fills no places that nothing separates: comparing them takes the cube of their length", () => {
    const task = prepareEvidence("api.shop.io is down");
    const find = (answer: string, record: string) =>
      findAdapted(extractFacts(answer)[0]!, task, prepareEvidence(record));
    expect(find("/srv/api.shop.io-7/app.log", "/srv/<host>-<n>/app.log")).not.toBeNull();
    expect(find("/srv/api.shop.io7/app.log", "/srv/<host><n>/app.log")).toBeNull();
  });

  test.each([
    ["`systemctl stop ceph-osd@<id>`", "`systemctl stop ceph-osd@41`", true],
    ["`systemctl stop ceph-osd@<id>`", "`systemctl stop ceph-osd@42`", false],
    ["`systemctl stop ceph-osd@<id>`", "`systemctl stop ceph-osd@30`", false],
    ["`systemctl stop ceph-osd@7`", "`systemctl stop ceph-osd@41`", true],
    ["`systemctl stop redis@<port>.service`", "`systemctl stop redis@6380`", true],
    ["`systemctl stop redis@<port>.service`", "`systemctl stop redis@6381`", false],
    ["`systemctl stop ceph-mon@7`", "`systemctl stop ceph-osd@41`", false],
    ["`wg-quick@wg0` in the office", "`systemctl stop wg-quick@office`", false],
    ["`wg-quick@wg0` in the office", "`systemctl stop wg-quick@stor-c-6`", true],
  ])("knows from %j what the task calls %s: %p", (record, answer, isKnown) => {
    const task = prepareEvidence("osd.41 and 6380 on host stor-c-6 are down in the office, for 30 minutes");
    const found = extractFacts(answer).findLast(({ kind }) => kind === "identifier")!;
    expect(findAdapted(found, task, prepareEvidence(record)) !== null).toBe(isKnown);
  });

  test("leaves numbers and dates to whoever counts", () => {
    const task = prepareEvidence("it is down");
    const find = (answer: string) =>
      findAdapted(extractFacts(answer)[0]!, task, prepareEvidence("see /srv/<yyyy>/<mm>/app_<nn>.log"));
    expect(find("/srv/2024/05/app_01.log")).not.toBeNull();
    expect(find("/srv/202/05/app_01.log")).toBeNull();
  });

  test("takes the path of an address from the task, its port from the record", () => {
    const record = prepareEvidence("curl -I http://<edge>:6081/path");
    const task = prepareEvidence("/assets/app.css is stale on edge-par-3");
    const find = (answer: string) => findAdapted(extractFacts(answer)[0]!, task, record);
    expect(find("http://edge-par-3:6081/assets/app.css")).not.toBeNull();
    expect(find("http://edge-par-3:6082/assets/app.css")).toBeNull();
    expect(find("http://edge-par-3:6081/assets/app.js")).toBeNull();
  });

  const RECORD = prepareEvidence(
    "Put it into /etc/certs.d/registry.shop:5000/ca.crt and ask http://web-1.shop.internal:9100/metrics, then /var/log/pods.",
  );
  const TASK_TEXT = prepareEvidence(
    "hub.lan:8443 and 10.4.7.18:9256 are down, pods in lib restart, lb-2 does not",
  );
  const adapted = (answer: string): number | null => findAdapted(extractFacts(answer)[0]!, TASK_TEXT, RECORD);

  test.each([
    ["a path with the task's host in it", "cp x `/etc/certs.d/hub.lan:8443/ca.crt`", 12],
    ["its directory", "mkdir /etc/certs.d/hub.lan:8443", 12],
    ["an address at the task's host and port", "http://10.4.7.18:9256/metrics", 59],
    ["an address at the task's host, its port the record's", "http://10.4.7.18:9100/metrics", 59],
    ["a port at the task's host", "10.4.7.18:9100", 59],
    ["a file that is named after the task's host", "/etc/certs.d/hub.lan:5000/ca.crt", 12],
    ["a host of the same domain", "http://lb-2.shop.internal:9100/metrics", 59],
    ["an address at the task's host, without its port", "http://10.4.7.18/metrics", 59],
  ])("finds %s", (_, answer, offset) => {
    expect(adapted(answer)).toBe(offset);
  });

  test.each([
    ["another file of the host", "`/etc/certs.d/hub.lan:8443/cert.pem`"],
    ["a host that nobody named", "`/etc/certs.d/hub.com:8443/ca.crt`"],
    ["a path of another address", "http://10.4.7.18:9256/health"],
    ["a port that nobody named", "http://10.4.7.18:9101/metrics"],
    ["a host of the domain that nobody named", "http://lb-3.shop.internal:9100/metrics"],
    ["a network of another size", "10.4.7.18/24"],
    ["the task's name alone", "`/hub.lan:8443/`"],
    ["a plain word in a short path", "/var/lib"],
    ["what is no path", "`hub_lan`"],
  ])("does not find %s", (_, answer) => {
    expect(adapted(answer)).toBeNull();
  });
});

const target = (command: string): Fact =>
  extractFacts(`Run \`${command}\`.`).find(({ isTarget }) => isTarget)!;

describe("findAdapted of what is destroyed", () => {
  const LOCK = "import@us-2 hangs: lock file /var/lock/import/us-2.lock exists";
  const DUMP = "/var is full, the core dump /var/crash/core.4711 has 40 GB";

  test.each([
    ["an example's name in the place of the task's", "`rm -f /var/lock/import/eu-1.lock`", LOCK, "us-2.lock"],
    ["a place that the task has a word for", "Delete it with `rm -f <dump>`", DUMP, "core.4711"],
    ["an order not to forget", "Don't forget to run `rm -f <dump>`", DUMP, "core.4711"],
  ])("is found by %s", (_, record, task, name) => {
    const path = /\/var\/\w+\/\S*/.exec(task)![0];
    expect(path).toEndWith(name);
    const find = (command: string, of: string) =>
      findAdapted(target(command), prepareEvidence(task), prepareEvidence(of));
    expect(find(`rm -f ${path}`, record)).not.toBeNull();
    expect(find(`rm -f ${path}`, record.replaceAll("rm -f", "cat").replace("Delete it", "See"))).toBeNull();
    expect(find(`rm -f ${path}`, `Never run ${record}`.replace("Don't forget to run ", ""))).toBeNull();
    expect(find("rm -rf /var", record)).toBeNull();
  });

  test.each([
    [
      "a folder of the task's that others are in",
      "`rm -rf <dump>`",
      `${DUMP}, beside /var/crash/core.4711/x`,
    ],
    ["what a place is no word for", "`rm -f <archive>`", DUMP],
    ["a place in another folder", "`rm -f /srv/<dump>`", DUMP],
    ["another folder's file", "`rm -f /run/import/eu-1.lock`", DUMP],
    ["what is called otherwise", "`rm -f /var/crash/old`", DUMP],
    ["a part of another name", "`rm -f /var/crash/core.tmp`", DUMP.replaceAll("4711", "data")],
    ["what the task keeps", "`rm -f <dump>`", "/var is full; never touch the dump /var/crash/core.4711"],
  ])("is not %s", (_, record, task) => {
    const fact = target(`rm -f ${/\/var\/crash\/core\.\w+/.exec(task)![0]}`);
    expect(findAdapted(fact, prepareEvidence(task), prepareEvidence(record))).toBeNull();
  });
});

describe("replacedBy", () => {
  const replaced = (fact: Fact, task: string, record: string): string | null =>
    replacedBy(fact, prepareEvidence(task), prepareEvidence(record));
  const RECORD = "`rm -f /var/lock/import/eu-1.lock`, then start import@eu-1.";

  test.each([
    ["import@us-2 hangs on /var/lock/import/us-2.lock", "/var/lock/import/us-2.lock"],
    ["it hangs on /var/lock/import/us-2.lock", null],
    ["import@us-2 hangs on /var/lock/export/us-2.log", null],
    ["import@us-2 hangs on /var/lock/import/us-2.lock, import@eu-1 does not", null],
    ["import hangs on /var/lock/import/import.lock", null],
  ])("knows whose lock is meant: %s", (task, meant) => {
    expect(replaced(target("rm /var/lock/import/eu-1.lock"), task, RECORD)).toBe(meant);
  });

  test("takes no other fact for an example", () => {
    const task = "import@us-2 hangs on /var/lock/import/us-2.lock";
    const [looked] = extractFacts("See `/var/lock/import/eu-1.lock`.");
    expect(replaced(looked!, task, RECORD)).toBeNull();
    // A file beside it, by another ending.
    const own = target("rm /var/lock/import/eu-1.tmp");
    expect(replaced(own, task, "`rm /var/lock/import/eu-1.tmp` of import@eu-1")).toBeNull();
  });

  test("ends on many paths of many tasks", () => {
    const lines = (name: string) =>
      Array.from({ length: 2000 }, (_, n) => `/var/lock/x/${name}-${n}.lock ${name}-${n}`).join("\n");
    const [task, record] = [prepareEvidence(lines("us")), prepareEvidence(lines("eu"))];
    const facts = extractFacts(lines("rm /var/lock/x/eu")).filter(({ kind }) => kind === "path");
    const started = performance.now();
    for (const fact of facts.slice(0, 100)) replacedBy({ ...fact, isTarget: true }, task, record);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("knows the task's id from an example's, where it has one", () => {
    const [mine, theirs] = ["0e3d1a22-77aa-4b0c-9b1f-0b6c7f0f9f55", "5a2d1c3e-9c1b-4f6e-a0d1-6b1f5d5f3a11"];
    const fact = only("code", `Run \`terraform force-unlock ${theirs}\`.`);
    expect(replaced(fact, `lock ${mine} is held`, `ID: ${theirs}`)).toBe(mine);
    expect(replaced(fact, "the lock is held", `ID: ${theirs}`)).toBeNull();
    expect(replaced(fact, `not ${mine} but ${theirs}`, `ID: ${theirs}`)).toBeNull();
  });
});
