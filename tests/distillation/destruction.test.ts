import { describe, expect, test } from "bun:test";

import { strayDestruction } from "../../scripts/distillation/destruction.ts";

const TASK =
  "Pod cart-7f9 in namespace shop on cluster eu-1 hangs, cart-8b2 is healthy. Host db-3 runs pg@14. Queue mail.dead is full. Disks sdc and sdd are on nas-2.";

/** Holds something of each kind that is compared. */
const RUNBOOK = [
  "# Getting rid of things",
  "",
  "```sh",
  "kubectl -n <namespace> get pod <pod>",
  "kubectl -n <namespace> delete pod <pod> --grace-period=30",
  'docker image prune -a --filter "until=72h"',
  "docker ps -aq --filter status=exited | xargs docker rm",
  "ssh HOST sudo systemctl stop NAME.service",
  "terraform destroy -target=<address>",
  "git push origin --delete login-rework",
  "rabbitmqctl -p media purge_queue thumbs.retry",
  "zfs destroy <pool>/<dataset>@<snapshot>",
  'curl -X DELETE "https://$ES:9200/<index>"',
  "aws s3 rm s3://<bucket>/exports/<day>/ --recursive",
  "lvremove VG/SNAP",
  "```",
  "",
  "```sql",
  "DELETE FROM <table> WHERE created_at < now() - interval '90 days' LIMIT 1000;",
  "DROP INDEX CONCURRENTLY IF EXISTS <index>;",
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '<user>';",
  "```",
  "",
  "Remove the lock file, and delete the job if it is still there. Never delete the PVC.",
  "Never run `docker system prune`, `docker volume prune` or `reboot -f`.",
  "- `docker compose down` stops the whole project.",
  "- `docker compose stop <svc>` does for one of them, and `rm -rf dist/a dist/b dist/c` for what was built.",
  "",
  "Never run:",
  "",
  "```sh",
  "redis-cli flushall",
  "```",
  "",
  "If it does not come back, `systemctl disable watchdog` and start it by hand.",
  'For haproxy: `echo "disable server web/cart-1" | socat stdio /run/haproxy.sock`.',
].join("\n");

const judged = (answer: string, task = TASK): string[] =>
  strayDestruction(answer, { task, records: [RUNBOOK] });

describe("strayDestruction", () => {
  test.each([
    ["places filled", "`kubectl -n shop delete pod cart-7f9`"],
    ["flags in another order, and spelt out", "`kubectl delete pod cart-7f9 --namespace=shop`"],
    ["kind and name joined", "`kubectl delete pod/cart-7f9 -n shop`"],
    ["several objects", "`kubectl -n shop delete pod cart-7f9 cart-8c1`"],
    ["a prompt and sudo", "```sh\n$ sudo lvremove vg0/mail_snap\n```"],
    ["a host", "`ssh db-3 sudo systemctl stop pg@14`"],
    ["an example's name replaced by the task's", "`rabbitmqctl -p media purge_queue mail.dead`"],
    ["what is piped into it", "`docker ps -aq --filter status=exited | xargs docker rm`"],
    ["a condition of SQL", "`DELETE FROM mails WHERE created_at < now() - interval '90 days' LIMIT 1000;`"],
    ["a statement in quotes", '`psql -c "DROP INDEX IF EXISTS idx_mail"`'],
    ["an address", "`curl -sS -X DELETE https://es-1:9200/logs-2024.01`"],
    ["a file that words ask to remove", "`rm /run/mail.lock`"],
    ["an object of a kind that words ask to delete", "`kubectl delete job mail-retry`"],
    ["a loop's variable", "`for p in $(git branch -r); do git push origin --delete $p; done`"],
    ["an order behind a condition with a not", "`systemctl disable watchdog`"],
    ["what stands in another tool's quotes", "`disable server web/cart-1`"],
    ["what it advises against", "Never run `docker volume prune`, nor `kubectl delete pvc data`."],
    ["a start of what has such a name", "`systemctl start prune-images`"],
    ["words that only name a command", "The `purge_queue` of `rabbitmqctl` empties it."],
    ["SQL in small letters where its block says so", "```sql\ndrop index idx_mail;\n```"],
    ["names in quotes", '```sql\nDROP INDEX "idx_mail";\n```'],
    ["a tool by its other name", "`docker-compose stop web`, `oc -n shop delete pod cart-7f9`"],
    ["a file of compose", "`docker compose -f /srv/app.yml stop web`"],
    ["fewer files, in another order", "`rm -rf dist/b dist/a`"],
    [
      "a pipeline that is broken behind the bar",
      "```sh\ndocker ps -aq --filter status=exited |\n  xargs docker rm\n```",
    ],
    ["what it forbids in a list", "Never run any of these:\n\n- `docker volume prune`\n- `reboot -f`"],
    [
      "a loop over what it deletes",
      '`for p in cart-7f9 cart-8c1; do kubectl -n shop get pod "$p"; done`, `kubectl -n shop delete pod cart-7f9`',
    ],
    ["what only looks", "`docker ps --filter status=removing`, `git log --remove-empty`"],
  ])("finds nothing in %s", (_, answer) => {
    expect(judged(answer)).toEqual([]);
  });

  test.each([
    ["another kind", "`kubectl -n shop delete pvc cart-7f9`"],
    ["the kind that is not to be", "`kubectl -n shop delete pvc`"],
    ["a kind that no words ask for", "`kubectl delete cronjob mail-retry`"],
    ["another verb", "`rabbitmqctl -p media delete_queue mail.dead`"],
    ["a vhost for a queue", "`rabbitmqctl delete_vhost media`"],
    ["a namespace left out", "`kubectl delete pod cart-7f9`"],
    ["all of them", "`kubectl -n shop delete pod cart-7f9 --all`"],
    ["force", "`kubectl -n shop delete pod cart-7f9 --force`"],
    ["a filter left out", "`docker image prune -a`"],
    ["a filter left out before the pipe", "`docker ps -aq | xargs docker rm`"],
    ["a target left out", "`terraform destroy`"],
    ["a condition left out", "`DELETE FROM mails;`"],
    ["a limit left out", "`DELETE FROM mails WHERE created_at < now() - interval '90 days';`"],
    ["a condition on another column", "`DELETE FROM mails WHERE id < 90 LIMIT 1000;`"],
    ["CASCADE", "`DROP INDEX CONCURRENTLY IF EXISTS idx_mail CASCADE;`"],
    ["a table for an index", "`DROP TABLE mails;`"],
    ["a name that the task has not", "`rabbitmqctl -p media purge_queue orders`"],
    ["a wildcard in a place", '`curl -X DELETE "https://es-1:9200/logs-*"`'],
    ["what is around the place", "`lvremove vg0`"],
    ["what is around the path", "`aws s3 rm s3://exports-eu/exports/ --recursive`"],
    ["what the evidence warns of", "`docker volume prune`"],
    ["the last of what it warns of", "`reboot -f`"],
    ["what it is sorry for", "`docker compose down`"],
    ["a push by force", "`git push --force origin main`"],
    ["a line of its own", "Then:\n\nkubectl delete namespace shop\n\nand wait."],
    ["a line that is set in", "Then:\n\n    kubectl delete namespace shop\n\nand wait."],
    ["a list's line", "1. kubectl delete namespace shop\n2. wait"],
    ["a table in quotes", '`DROP TABLE "mails";`'],
    ["SQL in small letters", "```sql\ndelete from mails;\n```"],
    ["the last statement of a block", "```sql\nSELECT 1;\nDROP TABLE mails\n```"],
    ["a pipeline that lost its filter before a break", "```sh\ndocker ps -aq |\n  xargs docker rm\n```"],
    ["what the evidence forbids in a block", "`redis-cli flushall`"],
    ["what words never ask for", "`rm -rf /srv`"],
    ["a line of rm alone", "Then:\n\nrm -rf /data\n\nand wait."],
    ["a flag that destroys", "`mdadm --zero-superblock /dev/sdc1`"],
    ["what runs for a minute", "`timeout 60 docker volume prune`"],
    ["what runs behind another", "`sleep 5 & docker volume prune`"],
    ["a loop's values", "`for p in a b; do git push origin --delete $p; done`"],
    ["another shell", "`bash -c 'docker volume prune'`"],
    ["another host's shell", "`ssh db-3 'sudo docker volume prune'`"],
  ])("objects to %s", (_, answer) => {
    expect(judged(answer)).toHaveLength(1);
  });

  test.each([
    ["kubectl exec", "`kubectl -n shop exec cart-7f9 -- lvremove vg1`"],
    ["oc exec", "`oc exec cart-7f9 -- lvremove vg1`"],
    ["docker exec", "`docker exec cart lvremove vg1`"],
    ["docker exec with flags", "`docker exec -it -u root -w /srv cart lvremove vg1`"],
    ["docker compose exec", "`docker compose -f app.yml exec -T cart lvremove vg1`"],
    ["docker-compose exec", "`docker-compose exec cart lvremove vg1`"],
    ["ssh with flags", "`ssh -t -i key db-3 lvremove vg1`"],
    ["a tool's whole path", "`/usr/bin/ssh db-3 lvremove vg1`"],
  ])("objects to what is run behind %s", (_, answer) => {
    expect(judged(answer)).toEqual(['"lvremove vg1" where its evidence has "lvremove VG/SNAP"']);
  });

  test.each([
    "sudo",
    "sudo -n",
    "sudo -u root -E",
    "doas",
    "env -i LANG=C",
    "time",
    "timeout 60",
    "timeout -k 5 -s INT 60",
    "nohup",
    "exec",
    "nice -n 19",
    "ionice -c 3",
    "stdbuf -o L",
    "if true; then",
    "LANG=C",
  ])("reads what stands behind %s", (before) => {
    expect(judged(`\`${before} docker volume prune\``)).toHaveLength(1);
    expect(judged(`\`${before} lvremove vg0/mail_snap\``)).toEqual([]);
  });

  test.each([
    [
      "what a comment in code asks for",
      "`rm /run/mail.lock`",
      "```sh\n# Remove the lock file.\nls /run\n```",
    ],
    ["what words ask for in another verb", "`umount /mnt/old`", "Unmount the old share, then go on."],
    ["what nobody is to hesitate with", "`killall cartd`", "Do not hesitate to kill it."],
    ["a kind by its short name", "`kubectl delete po cart-7f9`", "`kubectl delete pod <pod>`"],
    ["a flag spelt out", "`kubectl delete pod cart-7f9 --all-namespaces`", "`kubectl delete pod <pod> -A`"],
    [
      "a host that is looked at by its whole address",
      "`ssh root@db-3.eu systemctl status pg@14`, `ssh db-3.eu systemctl stop pg@14`",
      "`ssh <host> systemctl status <unit>`, `ssh <host> systemctl stop <unit>`",
    ],
  ])("takes %s", (_, answer, record) => {
    expect(strayDestruction(answer, { task: TASK, records: [record] })).toEqual([]);
  });

  test.each([
    ["git", "`git rm -r vendor`", "`git status`"],
    [
      "what another command selects",
      "`kubectl delete pod $(kubectl get pod -o name)`",
      "`kubectl delete pod <pod>`",
    ],
    ["a kind that the words do not name", "`docker image rm web:1`", "Remove the old container."],
    ["what words forbid in the same clause", "`killall cartd`", "Do not wait to kill it."],
  ])("objects to %s by itself", (_, answer, record) => {
    expect(strayDestruction(answer, { task: TASK, records: [record] })).toHaveLength(1);
  });

  test("compares with what begins alike, and with nothing else", () => {
    const answer = "`aws rds delete-db-snapshot --db-snapshot-identifier db-3`";
    const instead = (record: string): string[] => strayDestruction(answer, { task: TASK, records: [record] });
    const alike = "aws rds delete-db-instance --db-instance-identifier db-3";
    expect(instead(`\`${alike}\``)[0]).toEndWith(`where its evidence has "${alike}"`);
    expect(instead("`aws s3 rm s3://exports/day`")[0]).toEndWith("is no command of its evidence");
  });

  test.each([
    "DELETE FROM mails",
    "TRUNCATE mails",
    "DROP TABLE mails",
    "UPDATE mails SET seen = 1",
    "REVOKE ALL ON mails FROM app",
  ])("reads a statement of its own where the next line begins with %s", (next) => {
    expect(judged(`\`\`\`sql\nDROP INDEX idx_mail\n${next};\n\`\`\``)).toEqual([
      expect.stringContaining(`"${next}"`),
    ]);
  });

  test("says what the evidence has instead", () => {
    expect(judged("`kubectl -n shop delete pvc cart-7f9`")).toEqual([
      '"kubectl -n shop delete pvc cart-7f9" where its evidence has "kubectl -n <namespace> delete pod <pod> --grace-period=30"',
    ]);
    expect(judged("`vault lease revoke -prefix db`")).toEqual([
      '"vault lease revoke -prefix db" is no command of its evidence',
    ]);
  });

  describe("where a place is filled otherwise than before", () => {
    const LOOK = "`kubectl -n shop get pod cart-7f9`, then ";

    test("objects to another object than it looks at", () => {
      expect(judged(`${LOOK}\`kubectl -n shop delete pod cart-8b2\``)).toEqual([
        '"kubectl -n shop delete pod cart-8b2", though it looks at "cart-7f9"',
      ]);
    });

    test("objects to the same on another host", () => {
      const records = ["```sh\nssh <host> systemctl status <unit>\nssh <host> systemctl stop <unit>\n```"];
      const answer = "```sh\nssh db-3 systemctl status pg@14\nssh nas-2 systemctl stop pg@14\n```";
      expect(strayDestruction(answer, { task: TASK, records })).toHaveLength(1);
    });

    test("takes what it looks at beside others", () => {
      expect(
        judged(`\`kubectl -n shop get pod cart-8b2\`, ${LOOK}\`kubectl -n shop delete pod cart-7f9\``),
      ).toEqual([]);
    });

    test("takes what the task names in one list with it", () => {
      const task = "Pods cart-7f9, cart-7fa and cart-8b2 in namespace shop hang.";
      expect(judged(`${LOOK}\`kubectl -n shop delete pod cart-8b2\``, task)).toEqual([]);
    });
  });

  /** Of an answer's lines of a shell, over one record. */
  const judgedOver =
    (record: string, task: string) =>
    (lines: string): string[] =>
      strayDestruction(`\`\`\`sh\n${lines}\n\`\`\``, { task, records: [record] });

  describe("over what the shell sets up", () => {
    const judgedHere = judgedOver(
      "Look: `du -xh /srv | sort -h`. Logs of nginx are in `/var/log/nginx`, uploads in `/srv/uploads`.\n\nRemove rotated logs: `rm -f /var/log/nginx/*.gz`",
      "web-4: /srv 98 % full",
    );

    test.each([
      ["a variable", 'LOG=/var/log/nginx\nrm -f "$LOG"/*.gz'],
      ["a folder entered", "cd /var/log/nginx && rm -f *.gz"],
      ["a folder entered in a subshell", "(cd /var/log/nginx && rm -f ./*.gz)"],
      ["a loop", 'for f in /var/log/nginx/*.gz\ndo\n  rm -f "$f"\ndone'],
      ["a function", 'clean() { rm -f "$1"/*.gz; }\nclean /var/log/nginx'],
      ["xargs", "ls /var/log/nginx/*.gz | xargs rm -f"],
      ["find", "find /var/log/nginx -name '*.gz' -exec rm -f {} +"],
      ["a tool by its path", "/bin/rm -f /var/log/nginx/*.gz"],
      ["a file of its own", "OUT=/tmp/du.txt\ndu -xh /srv > $OUT\nrm $OUT"],
      ["a name that a command makes", "OUT=$(mktemp)\nrm -f $OUT"],
      ["a file that is read elsewhere", 'while read -r f; do rm -f "$f"; done < /tmp/list'],
    ])("finds nothing in %s", (_, lines) => {
      expect(judgedHere(lines)).toEqual([]);
    });

    test.each([
      ["a variable", 'D=/srv/uploads\nrm -rf "$D"'],
      ["a variable of a variable", "export S=/srv\nD=$S/uploads; rm -rf ${D:?}/*"],
      ["a folder above", "D=/var; rm -rf $D/*"],
      ["a folder entered", "cd /srv/uploads && rm -rf ./*"],
      ["a folder entered before", "cd /srv\nrm -rf uploads"],
      ["a folder entered in a subshell", "(cd /srv/uploads && rm -rf *)"],
      ["a loop", 'for f in /srv/uploads/*; do rm -rf "$f"; done'],
      ["a loop over a command", 'for f in $(ls /srv/uploads); do rm -rf "/srv/uploads/$f"; done'],
      ["a loop over what is read", 'ls /srv/uploads | while read f; do rm -rf "$f"; done'],
      ["a function", "f() {\n  rm -rf $1\n}\nf /srv/uploads"],
      ["xargs", "ls /srv/uploads | xargs rm -rf"],
      ["xargs with a place", "ls -d /srv/uploads | xargs -I {} rm -rf {}"],
      ["find", "find /srv/uploads -type f -print0 | xargs -0 rm -f"],
      ["a tool by its path", "/bin/rm -rf /srv/uploads"],
      ["braces", "rm -rf /srv/{uploads,old}"],
      ["a condition before it", "[ -d /srv/uploads ] && rm -rf /srv/uploads"],
    ])("objects to %s", (_, lines) => {
      expect(judgedHere(lines)).toHaveLength(1);
    });

    describe("where only one of the two enters a folder", () => {
      const judgedIn = judgedOver(
        "Remove `run/web.pid` in `/opt/app`, then:\n\n```sh\ncd /opt/app\nrm -f run/cache.bin\n```\nData is in /opt/app/data.",
        "app-1 does not start",
      );

      test.each([
        "cd /opt/app && rm -f run/web.pid",
        "rm -f run/cache.bin",
        "rm -f /opt/app/run/cache.bin",
        "case $1 in\n  stop) cd /opt/app; rm run/cache.bin ;;\nesac",
      ])("finds nothing in %j", (lines) => {
        expect(judgedIn(lines)).toEqual([]);
      });

      test.each([
        "cd /opt/app && rm -rf data",
        "cd /opt && rm -rf app",
        "cd /opt/app; rm -rf *",
        "cd /srv; rm -rf *",
      ])("objects to %j", (lines) => {
        expect(judgedIn(lines)).toHaveLength(1);
      });
    });

    test("reads a function with what it is called with", () => {
      const judgedCall = judgedOver("`kubectl -n shop delete pod cart-1`", "Pod cart-1 hangs.");
      expect(judgedCall('drop() {\n  kubectl -n shop delete "$1" cart-1\n}\ndrop pod')).toEqual([]);
      expect(judgedCall('drop() {\n  kubectl -n shop delete "$1" cart-1\n}\ndrop pvc')).toHaveLength(1);
    });

    test("takes the task's value for an example's", () => {
      const record = "```sh\nNS=shop\nkubectl -n $NS delete pod $POD\n```";
      const answer = "NS=mail\nkubectl -n $NS delete pod relay-0";
      expect(judgedOver(record, "Pod relay-0 of namespace mail hangs.")(answer)).toEqual([]);
    });
  });

  describe("over what find finds", () => {
    const FIND = "find /srv/build -maxdepth 1 -type d -name 'tmp-*' -mtime +3 -exec rm -rf {} +";
    const judgedHere = judgedOver(`\`\`\`sh\n${FIND}\n\`\`\``, "ci-1: /srv is 94 % full");

    test.each([
      ["the same", FIND],
      ["tests in another order", FIND.replace(/(-type d) (-name \S+)/, "$2 $1")],
      ["xargs in place of -exec", FIND.replace("-exec rm -rf {} +", "-print0 | xargs -0 rm -rf")],
      ["a look", FIND.replace("-exec rm -rf {} +", "-print")],
      ["one test more", FIND.replace("-exec", "-user ci -exec")],
    ])("finds nothing in %s", (_, line) => {
      expect(judgedHere(line)).toEqual([]);
    });

    test.each([
      ["a folder above", FIND.replace("/srv/build", "/srv")],
      ["the other direction", FIND.replace("+3", "-3")],
      ["a not", FIND.replace("-name", "! -name")],
      ["an or", FIND.replace("-mtime", "-o -mtime")],
      ["a depth left out", FIND.replace("-maxdepth 1 ", "")],
      ["a wider pattern", FIND.replace("tmp-*", "*")],
      ["what it leaves folders for", "find /srv/build -delete"],
      ["the folder itself", "rm -rf /srv/build"],
    ])("objects to %s", (_, line) => {
      expect(judgedHere(line)).toHaveLength(1);
    });
  });

  describe("over conditions of SQL", () => {
    const judgedHere = judgedOver(
      "```sql\nDELETE FROM jobs WHERE state = 'done' AND finished_at < now() - interval '7 days';\nSELECT count(*) FROM jobs WHERE state = 'running';\n```",
      "Table jobs is bloated, keep 14 days.",
    );
    const where = (condition: string): string => `psql -c "DELETE FROM jobs WHERE ${condition}"`;

    test.each([
      ["the same in another order", "finished_at<=NOW()-INTERVAL '7 days' and state='done'"],
      ["the task's value", "state = 'done' AND finished_at < now() - interval '14 days'"],
      ["a list of one", "state IN ('done') AND finished_at < now() - interval '7 days'"],
      ["it the other way round", "state = 'done' AND now() - finished_at > interval '7 days'"],
      ["a cast", "state = 'done' AND finished_at < current_timestamp - '7 days'::interval"],
      ["one more", "state = 'done' AND finished_at < now() - interval '7 days' AND id < 500"],
      ["a parameter", "state = 'done' AND finished_at < :cutoff"],
    ])("finds nothing in %s", (_, condition) => {
      expect(judgedHere(where(condition))).toEqual([]);
    });

    test.each([
      ["OR", "state = 'done' OR finished_at < now() - interval '7 days'"],
      ["!=", "state != 'done' AND finished_at < now() - interval '7 days'"],
      ["NOT", "NOT (state = 'done') AND finished_at < now() - interval '7 days'"],
      [">", "state = 'done' AND finished_at > now() - interval '7 days'"],
      ["+", "state = 'done' AND finished_at < now() + interval '7 days'"],
      ["a longer list", "state IN ('done','running') AND finished_at < now() - interval '7 days'"],
      ["LIKE", "state LIKE '%' AND finished_at < now() - interval '7 days'"],
      ["no interval", "state = 'done' AND finished_at < now()"],
      ["another unit", "state = 'done' AND finished_at < now() - interval '7 minutes'"],
      ["what stands elsewhere", "state = 'running' AND finished_at < now() - interval '7 days'"],
    ])("objects to %s", (_, condition) => {
      expect(judgedHere(where(condition))).toHaveLength(1);
    });

    test("objects to a function that is called for every row", () => {
      const judgedOnce = judgedOver(
        "`SELECT pg_drop_replication_slot('<slot>');`",
        "Slot debezium_old lags.",
      );
      expect(judgedOnce(`psql -c "SELECT pg_drop_replication_slot('debezium_old')"`)).toEqual([]);
      const every = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
      expect(judgedOnce(`psql -c "${every}"`)).toHaveLength(1);
    });

    test("reads quotes within quotes of the shell", () => {
      const within = where("state = 'done' AND finished_at < now() - interval '7 days'").replaceAll(
        "'",
        "'\\''",
      );
      expect(judgedHere(within.replaceAll('"', "'"))).toEqual([]);
      expect(judgedHere(within.replaceAll('"', "'").replace(" < ", " > "))).toHaveLength(1);
    });

    test("reads what a client is given in quotes or piped", () => {
      const statements = [
        "psql -c 'DROP TABLE imports'",
        "echo 'DROP TABLE imports' | psql",
        "psql -c 'drop table jobs cascade'",
      ];
      for (const statement of statements) expect(judgedHere(statement)).toHaveLength(1);
    });
  });

  describe("over what forbids in the evidence", () => {
    const LINE = "rm -rf /data/clicks-0";
    const BLOCK = `\`\`\`sh\n${LINE}\n\`\`\``;
    const INLINE = `\`${LINE}\``;
    const judgedUnder = (record: string): string[] =>
      judgedOver(`Disk full\n\n${record}\n\n- Verify that the log is empty.`, "kafka-1: disk full")(LINE);

    test.each([
      ["a box's title", `!!! danger "Never delete the segments by hand"\n${BLOCK.replaceAll(/^/gm, "    ")}`],
      ["a box that begins so", `:::danger\nDo not run\n\n${BLOCK}\n:::`],
      ["a lead behind another sentence", `Wait. Never use this by hand:\n\n${BLOCK}`],
      ["a heading", `## What not to do\n\n${BLOCK}`],
      ["a heading over a list", `## Don'ts\n\n- restart\n- ${INLINE}`],
      ["a sign", `❌ ${INLINE}`],
      ["a label", `**Wrong:** ${INLINE}`],
      ["a label over a block", `Bad:\n\n${BLOCK}\n\nGood: wait.`],
      ["a label of several words", `Makes it worse: ${INLINE}.`],
      ["a note above", `\`\`\`sh\n# DO NOT RUN: loses data\n${LINE}\n\`\`\``],
      ["a note behind", `\`\`\`sh\n${LINE}   # never do this\n\`\`\``],
      ["a column's head", `| Do | Don't |\n|---|---|\n| lower it | ${INLINE} |`],
      ["another cell", `| Command | Allowed? |\n|---|---|\n| ${INLINE} | no |`],
      ["a stroke", `~~${INLINE}~~ (loses data)`],
      ["the words behind", `${INLINE} must not be used.`],
      ["a list's lead", `Do not:\n\n- restart the broker\n- run ${INLINE}`],
      ["a lead that ends so", `The following are forbidden:\n\n1. restarting\n2. ${INLINE}`],
      ["an or between blocks", `Never run these:\n\n\`\`\`sh\nls\n\`\`\`\n\nor\n\n${BLOCK}`],
    ])("does not take what is forbidden by %s", (_, record) => {
      expect(judgedUnder(record)).toHaveLength(1);
    });

    test.each([
      ["behind an order with a not", `Do not proceed without a backup:\n\n1. Backup\n2. ${INLINE}`],
      ["behind how not to do it", `Do not stop all brokers at once:\n\n- ${INLINE}`],
      ["in a box that only warns", `!!! warning "Data is lost"\n${BLOCK.replaceAll(/^/gm, "    ")}`],
      ["under the next heading", `## What not to do\n\n- restart\n\n## Fix\n\n${BLOCK}`],
      ["under a note of something else", `\`\`\`sh\n# never on the controller\n${LINE}\n\`\`\``],
      ["behind an empty line", `\`\`\`sh\n# DO NOT RUN\nls\n\n${LINE}\n\`\`\``],
      ["in the other column", `| Do | Don't |\n|---|---|\n| ${INLINE} | restart |`],
      ["behind the right way", `Wrong. The right way:\n\n${BLOCK}`],
      ["behind the right label", `Wrong: restarting. Right: ${INLINE}`],
      ["behind a list", `Do not:\n- restart\n- wait\n\n${BLOCK}`],
    ])("takes what stands %s", (_, record) => {
      expect(judgedUnder(record)).toEqual([]);
    });
  });

  describe("over names in patterns and substitutions", () => {
    const judgedHere = judgedOver(
      [
        "```sh",
        "pkill -f 'batch-run nightly'",
        "kill -TERM $(cat /run/builder.pid)",
        "kubectl -n batch delete pod $(kubectl -n batch get pod -l job=nightly -o name)",
        "truncate -s 0 \"$(docker inspect -f '{{.LogPath}}' orders-api)\"",
        "find /srv/dumps -name 'nightly-*.sql.gz' -mtime +14 -delete",
        "kubectl -n batch delete pod nightly-0",
        "zfs destroy tank/?",
        "```",
      ].join("\n"),
      "The batch run of job hourly hangs on batch-3, container web-api logs 12 GB.",
    );

    test.each([
      "pkill -f 'batch-run hourly'",
      "kubectl -n batch delete pod $(kubectl -n batch get pod -l job=hourly -o name)",
      "truncate -s 0 \"$(docker inspect -f '{{.LogPath}}' web-api)\"",
      "find /srv/dumps -name 'hourly-*.sql.gz' -mtime +14 -delete",
      "kubectl -n batch delete pod -l job=hourly",
    ])("takes the task's name in %s", (line) => {
      expect(judgedHere(line)).toEqual([]);
    });

    test.each([
      ["a pattern that fits more", "pkill -f batch"],
      ["another pattern", "pkill -f 'batch-run weekly'"],
      ["a name cut short", "kubectl -n batch delete pod nightly"],
      ["a signal that cannot be caught", "kill -KILL $(cat /run/builder.pid)"],
      ["a pattern where another stands", "zfs destroy tank/*"],
      ["another selection", "kubectl -n batch delete pod $(kubectl -n batch get pod -l job=weekly -o name)"],
    ])("objects to %s", (_, line) => {
      expect(judgedHere(line)).toHaveLength(1);
    });
  });

  describe("over flags", () => {
    const judgedHere = judgedOver(
      [
        "```sh",
        "docker image prune -f",
        "kubectl drain <node> --ignore-daemonsets --timeout=300s",
        "redis-cli --cluster fix rc-1:6379",
        "curl -XDELETE 'http://es-1:9200/logs-2026.10.01'",
        "kubectl -n edge scale deploy/nginx --replicas=<n>",
        "crontab -u batch -l | grep -v nightly | crontab -u batch -",
        "```",
        "`--cluster-fix-with-unreachable-masters` hands slots of a dead node out as empty. Remove the schedule.",
      ].join("\n"),
      "Node worker-9 of rc-1 is full, the oldest index is logs-2026.09.30.",
    );

    test.each([
      "docker image prune --force",
      "kubectl drain worker-9 --ignore-daemonsets --timeout=300s",
      "curl -sXDELETE 'http://es-1:9200/logs-2026.09.30'",
      "kubectl -nedge scale deploy/nginx --replicas=6",
      "crontab -u batch -l",
    ])("finds nothing in %s", (line) => {
      expect(judgedHere(line)).toEqual([]);
    });

    test.each([
      "docker image prune -af",
      "docker image prune --all -f",
      "kubectl drain worker-9 --ignore-daemonsets --disable-eviction --timeout=300s",
      "redis-cli --cluster fix rc-1:6379 --cluster-fix-with-unreachable-masters",
      "curl -XDELETE http://es-1:9200/_all",
      "curl -sXDELETE 'http://es-1:9200/logs-*'",
      "kubectl -n edge scale deploy/nginx --replicas=0",
      "crontab -u batch -r",
    ])("objects to %s", (line) => {
      expect(judgedHere(line)).toHaveLength(1);
    });

    test("takes a signal that words speak of", () => {
      const judgedAsked = judgedOver("Stop it: `kill <pid>`. Only use `kill -9` after 30 seconds.", "Stuck.");
      expect(judgedAsked("kill -9 4711")).toEqual([]);
      for (const wider of ["kill -9 -1", "pkill -9 -f gateway"])
        expect(judgedAsked(wider)).toEqual([expect.stringContaining(wider)]);
    });

    test("takes a scaling to zero that words ask for", () => {
      const judgedAsked = judgedOver("Scale the consumer to zero and back.", "Consumer mailer hangs.");
      expect(judgedAsked("kubectl scale deploy/mailer --replicas=0")).toEqual([]);
    });
  });

  test("takes what the task itself says was run", () => {
    const task = "I ran `helm uninstall cart -n shop`, and it hangs.";
    expect(judged("Run `helm uninstall cart -n shop` again.", task)).toEqual([]);
  });

  test("fills places that have one sign between them in the time of their length", () => {
    const judgedFilled = judgedOver("`rm <a>-<b>-<c>-<d>-<e>-<f>.gz`", "Disk full.");
    const startedAt = performance.now();
    expect(judgedFilled(`rm ${"x-".repeat(100)}`)).toHaveLength(1);
    expect(judgedFilled("rm a-1-2-3-b-4-5.gz")).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  test.each([
    ["an answer of substitutions", "`rm " + "$(".repeat(50_000)],
    ["an answer of quotes", "`rm " + "\"' ".repeat(30_000)],
    ["an answer of places", "`zfs destroy " + "<a>".repeat(20_000) + "`"],
    ["an answer of statements", "`DROP TABLE a " + "SELECT x ".repeat(20_000)],
    ["an answer of commands", "```sh\n" + "kubectl delete pod a --all\n".repeat(20_000) + "```"],
    ["an answer of variables", "```sh\nA=aa\n" + "A=$A$A; rm $A\n".repeat(10_000) + "```"],
    ["an answer of functions", "```sh\nf() { f $1$1; f $1$1; rm $1; }\n" + "f a\n".repeat(10_000) + "```"],
    ["an answer of calls", "```sh\nf() { eval f; eval f; rm $1; }\n" + "f a\n".repeat(10_000) + "```"],
    [
      "an answer of loops",
      "```sh\nfor a in 1 2 3 4 5 6 7 8 9; do\n" + "rm $a$a$a$a\n".repeat(10_000) + "```",
    ],
    [
      "an answer of commands in commands",
      "```sh\nfor a in 1 2 3 4 5 6 7 8 9; do\n" + `${"eval ".repeat(300)}rm $a\n`.repeat(1000) + "```",
    ],
    ["an answer of conditions", "`DELETE FROM a WHERE " + "a = 1 OR ".repeat(20_000)],
    ["an answer of headings", "## Don'ts\n".repeat(20_000) + "`rm a`"],
    ["an answer of list items", "Never:\n" + "- `rm a`\n".repeat(20_000)],
    ["an answer of cells", "| Don't |\n|---|\n|" + " `rm a` |".repeat(20_000)],
    ["an answer of tests", "`find / " + "! -name a ".repeat(20_000) + "-delete`"],
    ["an answer of notes", "```sh\n# DO NOT RUN\n" + "rm a\n".repeat(20_000) + "```"],
    ["an answer of separators", "`rm a " + "| xargs ".repeat(20_000) + "`"],
  ])("reads %s in the time of its length", (_, answer) => {
    const startedAt = performance.now();
    judged(answer);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
