/**
 * Commands on a record's example where the task names its own thing of that kind: `helm -n shop rollback orders` in reply to "release
 * invoicer, ns erp". Small models keep the names of what they imitate, and every word of such a command stands in the record.
 *
 * Said only where all of it is plain: the task names kind and thing ("namespace erp", `-n erp`); a record's own command has the
 * other name in that place, and the task has it nowhere; no command of the answer has the task's; and that record never leaves the place
 * to the reader (`-n <ns>`), for then what it writes out is meant.
 */
import { commandsOn, openPage } from "./command_reader.ts";
import { isVerb } from "./destruction.ts";
import { fold } from "./facts.ts";
import { KINDS } from "./shell_reader.ts";
import type { Read } from "./shell_reader.ts";

/** What an answer's commands act on in place of what the task names, each with both names; none where all is in order. */
export function keptExamples(
  answer: string,
  { task: asked, records }: { task: string; records: string[] },
): string[] {
  if (!MAY_ACT.test(answer)) return [];
  const task = fold(asked);
  const named = namedIn(task);
  if (named.size === 0) return [];
  const used = Map.groupBy(placedIn(answer), ({ kind }) => kind);
  let given: Placed[][] | undefined;
  return [...named].flatMap(([kind, own]) => {
    const uses = used.get(kind) ?? [];
    const isOwn = ({ name }: Placed): boolean =>
      [...own].some((one) => name.includes(one) || one.includes(name));
    if (uses.some(isOwn)) return [];
    const foreign = uses.filter(({ name }) => !task.includes(name));
    if (foreign.length > 0) given ??= records.map(placedIn);
    const kept = foreign.find((use) => given!.some((placed) => givesAsExample(placed, use)));
    return kept ? `${JSON.stringify(kept.text)} for the task's ${kind} ${[...own].join(" or ")}` : [];
  });
}

/** Whether a record has this in the same place, and never leaves that place to the reader. */
function givesAsExample(placed: Placed[], { tool, kind, name }: Placed): boolean {
  const alike = placed.filter((one) => one.kind === kind);
  return (
    alike.some((one) => one.name === name && one.tool === tool) &&
    !alike.some((one) => IS_PLACE.test(one.name))
  );
}

// ---- What a task names ----------------------------------------------------------------------------------

/** UTF-16 units of a task that are read: a longer one is a log. */
const MAX_TASK_CHARS = 20_000;

const NAME = String.raw`[a-z0-9](?:[\w.-]{0,80}[a-z0-9])?`;
/** A kind and what stands behind it, in quotes or not. */
const NAMED = new RegExp(
  String.raw`(?<![\w-])([a-z]{2,30})(?=[ \t:=]{1,2}(["'\x60“‘]?)(${NAME})(?![\w-])([^\n]?))`,
  "g",
);
const NAMESPACE_FLAG = new RegExp(String.raw`(?<=\s(?:-n|--namespace)[ =])(${NAME})(?![\w-])`, "g");
/** Words behind a kind that are no names of one. */
const NO_NAME =
  /^(?:[a-z]{1,2}|[a-z]+(?:ed|ing|ly)|since|when|that|which|with|from|after|before|keeps?|does|dont|will|can|cannot|has|have|had|was|were|are|and|but|the|for|not|any|all|its|our|runs?|fails?|hangs?|says?|shows?|gets?|goes|dies|still|again|side|name|names|level|wide|than|then|there|this|only|into|over|under|just|also|even|more|less|once)$/;
/** Where the system's own parts live, whatever is asked about. */
const IS_SYSTEMS =
  /^(?:kube-|openshift-|istio|ingress|cert-manager|linkerd|flux|argo)|-system$|^(?:default|monitoring|logging)$/;

/** The things that a task calls by their kind, by kind. */
function namedIn(task: string): Map<string, Set<string>> {
  const named = new Map<string, Set<string>>();
  if (task.length > MAX_TASK_CHARS) return named;
  const take = (kind: string, name: string): void => {
    if (!IS_SYSTEMS.test(name)) named.set(kind, (named.get(kind) ?? new Set()).add(name));
  };
  for (const [, word, quote, name, next] of task.matchAll(NAMED)) {
    const kind = KINDS.get(word!);
    if (kind === undefined || KINDS.has(name!) || NO_NAME.test(name!)) continue;
    const isPlain = quote === "" && /^[a-z]+$/.test(name!);
    if (!isPlain || kind === "namespace" || /^[,.;:)]?$/.test(next!)) take(kind, name!);
  }
  for (const [name] of task.matchAll(NAMESPACE_FLAG)) take("namespace", name);
  return named;
}

// ---- What commands act on -------------------------------------------------------------------------------

interface Placed {
  tool: string;
  kind: string;
  /** Folded. */
  name: string;
  /** The command. */
  text: string;
}

const MAY_ACT = /(?<![\w-])(?:kubectl|oc|helm|docker|gcloud)(?![\w-])/;
const TOOLS = new Set(["kubectl", "helm", "docker", "gcloud"]);
/** Left to the reader. */
const IS_PLACE = /[<>${}*]|^[A-Z_]+$/;
/** Where helm has its release, and docker its container. */
const TAKES = new Map([
  ["helm", { kind: "release", verbs: /^(?:rollback|uninstall|delete|upgrade|status|history)$/ }],
  ["docker", { kind: "container", verbs: /^(?:stop|start|restart|rm|logs|inspect|kill|pause|top)$/ }],
]);

function placedIn(text: string): Placed[] {
  const commands = commandsOn(openPage(text), TOOLS);
  return commands.filter(({ head, isWarnedOf }) => TOOLS.has(head) && !isWarnedOf).flatMap(objectsOf);
}

function objectsOf({ head, words, flags, text }: Read): Placed[] {
  const found: Placed[] = [];
  const take = (kind: string, name: string | undefined): void => {
    if (name !== undefined)
      found.push({ tool: head, kind, name: IS_PLACE.test(name) ? name : fold(name), text });
  };
  if (head === "kubectl" || head === "helm")
    for (const name of flags.get("-n") ?? []) take("namespace", name);
  for (const [at, word] of words.slice(0, 6).entries()) {
    const kind = KINDS.get(word);
    const next = words.slice(at + 1).find((one) => !isVerb(one));
    if (kind !== undefined && next !== undefined && !KINDS.has(next)) take(kind, next);
  }
  const taken = TAKES.get(head);
  if (taken?.verbs.test(words[0] ?? "")) take(taken.kind, words[1]);
  return found;
}
