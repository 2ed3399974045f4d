import { describe, expect, test } from "bun:test";

import { keptExamples } from "../../scripts/distillation/example_names.ts";

const RUNBOOK = [
  "# A release hangs",
  "",
  "```sh",
  "helm -n shop status orders",
  "helm -n shop rollback orders 6 --wait",
  "kubectl -n shop describe ingress orders",
  "kubectl -n shop rollout restart deployment/orders",
  "docker logs orders-api",
  "```",
].join("\n");

const TASK =
  "UPGRADE FAILED: another operation is in progress. Release invoicer, ns erp; history shows 30 deployed.";

const found = (answer: string, { task = TASK, records = [RUNBOOK] } = {}): string[] =>
  keptExamples(answer, { task, records });

describe("keptExamples", () => {
  test("names the example, and what the task has in its place", () => {
    expect(found("Fix: `helm -n shop rollback orders 6 --wait`.")).toEqual([
      '"helm -n shop rollback orders 6 --wait" for the task\'s release invoicer',
      '"helm -n shop rollback orders 6 --wait" for the task\'s namespace erp',
    ]);
  });

  test.each([
    ["namespace=erp", "KubePodCrashLooping namespace=erp", "`kubectl -n shop describe ingress orders`"],
    ["in quotes", "Pods in namespace `erp` hang.", "`kubectl --namespace shop describe ingress orders`"],
    ["in a command", "`kubectl -n erp get pods` shows nothing", "`kubectl -n shop describe ingress orders`"],
    ["another kind", "Deployment cart-api is stale.", "`kubectl rollout restart deployment/orders`"],
    ["a container", "Container web-1 restarts.", "`docker logs orders-api`"],
  ])("hears what the task names: %s", (_, task, answer) => {
    const rest = { records: [RUNBOOK, "`kubectl rollout restart deployment/orders`"] };
    expect(found(answer, { task, ...rest })).toHaveLength(1);
  });

  test.each([
    ["the task's names", "`helm -n erp rollback invoicer 30 --wait`"],
    [
      "an example beside the task's",
      "`helm -n erp status invoicer`, and `kubectl -n shop describe ingress orders`",
    ],
    ["what no record has", "`helm -n billing rollback billing-api 3`"],
    ["a place", '`helm -n "$NS" rollback "$RELEASE" 30`'],
    [
      "what it advises against",
      "Never run `helm -n shop rollback orders 6 --wait`, nor `helm -n shop status orders`.",
    ],
    ["words that are no commands", "The release orders in namespace shop is the example."],
  ])("takes %s", (_, answer) => {
    // One place in the answer is as good as all.
    expect(found(answer)).toEqual([]);
  });

  test.each([
    ["it names no thing of the kind", "helm says that another operation is in progress"],
    ["it names the example itself", "release orders in namespace shop hangs behind release invoicer, ns erp"],
    [
      "a plain word follows the kind",
      "the namespace keeps hanging and the release fails, the container never starts",
    ],
    ["it names a part of the system", "Alert from namespace monitoring: release does not finish"],
  ])("finds nothing where %s", (_, task) => {
    expect(found("`helm -n shop rollback orders 6 --wait`", { task })).toEqual([]);
  });

  test("finds the name behind a verb that follows its kind", () => {
    const records = ["`gcloud sql instances patch orders-db --tier=db-n1`, `docker volume rm orders-data`"];
    const told = { task: "Instance crm-primary is slow, volume crm-data is full.", records };
    expect(found("`gcloud sql instances patch crm-primary`, `docker volume rm crm-data`", told)).toEqual([]);
    expect(
      found("`gcloud sql instances patch orders-db`, `docker volume rm orders-data`", told),
    ).toHaveLength(2);
  });

  test("finds nothing where the record leaves that place to the reader elsewhere", () => {
    const records = [`${RUNBOOK}\nThen \`kubectl -n <namespace> get pods\` and \`helm status <release>\`.`];
    expect(found("`helm -n shop rollback orders 6 --wait`", { records })).toEqual([]);
  });

  test("reads no task that is a log", () => {
    const task = `${TASK}\n${"x ".repeat(20_000)}`;
    expect(found("`helm -n shop rollback orders 6 --wait`", { task })).toEqual([]);
  });
});
