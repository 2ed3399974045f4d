/**
 * Secrets in texts: private keys, tokens of the well-known shapes, passwords in URLs and beside names that say so, and a run's
 * own keys. Nothing that leaves a run, to a model, a terminal or the log, holds one.
 */
import { mapStrings } from "./replay.ts";
import type { Retrieval } from "./replay.ts";

type Hit = Retrieval["hits"][number];

/** What stands for a value without being one: a variable, a placeholder, what was struck before. */
const NO_VALUE = String.raw`[$<{*%[(]`;
/** A file's path or another place's URL, whole. */
const NO_PLACE = String.raw`(?:@?(?:[.~]{1,2}|\/[\w.-]{1,64})\/[\w./-]{1,255}|[a-z][a-z0-9+.-]{1,20}:\/\/[^\s"',;]{0,255})(?=["',;\s\\]|$)`;
/** Somewhere a digit or a sign, for a plain word tells of a secret and is none. */
const NO_PLAIN_WORD = String.raw`(?=[^\s"',;]{0,255}[\d!#%&+/=@^~])`;
const PASSWORD = String.raw`${NO_PLAIN_WORD}(?!${NO_VALUE})[^\s"'\x60]{4,255}`;
/** JSON within JSON has backslashes before its quotes, more of them the deeper it stands. */
const QUOTE = String.raw`\\{0,7}["']`;
/** Between a key's name and its value. */
const EQUALS = String.raw`(?:\\{0,7}["'\x60*]){0,3}\s{0,4}[:=]\*{0,3}\s{0,4}\*{0,3}`;
/** One character within the quotes that were opened, an escaped one with its backslash; and one that is no blank. */
const QUOTED = String.raw`(?:(?!\k<open>)(?:\\[^\n]|[^\\\n]))`;
const QUOTED_SOLID = String.raw`(?:(?!\k<open>)(?:\\\S|[^\\\s]))`;
/** What is quoted may have blanks. Then it is a sentence, unless it has both a digit and a sign that sentences do without. */
const NO_SENTENCE = String.raw`(?:(?=${QUOTED_SOLID}{0,127}[\d!#%&+/=@^~])(?=${QUOTED_SOLID}{6,128}\k<open>)|(?=${QUOTED}{0,127}\d)(?=${QUOTED}{0,127}[!#%&+=@^~]))`;
const KEY_NAME =
  "(?:pass(?:word|wd|phrase|wort)|[_-]pass|secret|token|(?:api|access|account|encryption|secret)[_-]?key(?:[_-]base)?)";

/**
 * The shapes of secrets that are worth keeping out of a log, each with the part in front that is kept. A value that is a
 * variable, a placeholder, a plain word or the path of a file is none. Repetitions are bounded, so that no input is slow.
 */
const SHAPES: [kind: string, shape: RegExp][] = [
  [
    "private_key",
    // Of a key that is cut off, the lines that look like one; a sentence about its first line goes on behind it.
    /()-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,8192}?-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----|(?:(?:(?:\s|\\[nr]){1,64}(?:[\w+/=]{16,}|(?:Proc-Type|DEK-Info|Version|Comment): [^\n]{0,200}))+(?:(?:\s|\\[nr]){1,64}[\w+/=]{1,15}(?=\s*$))?)?)/g,
  ],
  ["private_key", /()\bAGE-SECRET-KEY-1[A-Z0-9]{50,70}/g],
  ["aws_key", /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ["github_token", /()\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})/g],
  ["gitlab_token", /()\bgl(?:pat|rt|dt|ptt|cbt|ft|soat)-[\w-]{20,255}/g],
  ["slack_token", /()\bxox[abeprs]-[\w-]{10,255}/g],
  ["slack_token", /(\bhooks\.slack\.com\/services\/)\w{8,16}\/\w{8,16}\/\w{16,64}/g],
  ["discord_token", /(\bdiscord(?:app)?\.com\/api\/webhooks\/\d{15,22}\/)[\w-]{40,128}/g],
  ["azure_key", /(\bAccountKey=)[A-Za-z0-9+/]{60,100}={0,2}/g],
  [
    "api_key",
    /()\b(?:sk-[\w-]{20,255}|[sr]k_live_\w{10,255}|AIza[\w-]{35}|ya29\.[\w-]{20,255}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,64}|pypi-[\w-]{50,255}|dckr_pat_[\w-]{20,255}|dop_v1_[a-f0-9]{64}|hvs\.[\w-]{20,255}|SG\.[\w-]{16,64}\.[\w-]{16,64})/g,
  ],
  ["jwt", /()\beyJ[\w-]{8,4096}\.eyJ[\w-]{8,4096}\.[\w-]{8,4096}/g],
  [
    "bearer",
    // "Authorization: token authentication" says how, and not what.
    new RegExp(
      String.raw`(\bauthorization(?:${QUOTE})?\s{0,4}[:=]\s{0,4}(?:${QUOTE})?(?:(?:bearer|basic)\s{1,4}|(?:token|api-?key)\s{1,4}(?=[\w.~+/=-]{0,255}\d)))[\w.~+/=-]{12,4096}`,
      "gi",
    ),
  ],
  [
    "url_password",
    /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@]{0,255}:)(?![$<{*[]|pass(?:word|wd)?@)[^\s/]{1,255}(?=@)/gi,
  ],
  // In a query the next parameter ends the value.
  [
    "url_password",
    new RegExp(
      String.raw`([?&][\w-]{0,32}(?:${KEY_NAME}|sig|signature)=)(?!${NO_VALUE})[^\s"'&#<>]{6,4096}`,
      "gi",
    ),
  ],
  // Kubernetes calls its own users system:serviceaccount:shop:web.
  ["password", /((?:^|\s)(?:-u|--user)[ =](?!system:)[\w.@\\-]{1,64}:)(?![$<{*[]|\/\/)[^\s"']{4,255}/g],
  ["password", new RegExp(String.raw`(\b(?:mysql|mariadb)[\w-]{0,16}\b[^\n|;]{0,200}\s-p)${PASSWORD}`, "g")],
  [
    "password",
    new RegExp(
      String.raw`(\b(?:sshpass\s(?:[^\n|;]{0,200}\s)?-p|docker\slogin\s(?:[^\n|;]{0,200}\s)?-p|redis-cli\s(?:[^\n|;]{0,200}\s)?(?:-a|--pass))\s{1,4}["']?)${PASSWORD}`,
      "g",
    ),
  ],
  ["password", new RegExp(String.raw`(\bpass(?:word|phrase)\s{1,2}is\s{1,2}["'\x60])${PASSWORD}`, "gi")],
  // Not behind "?", "&" (a query) or ":" (the name of a secret's kind in a resource's name).
  [
    "password",
    new RegExp(
      String.raw`(?<![?&][\w-]{0,32}|:)(${KEY_NAME}(?:${EQUALS}(?:${QUOTE})?|\s{1,4}(?<=--[\w-]{1,32}\s{1,4})))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE})${NO_PLAIN_WORD}(?:[^\s"',;\\]|\\(?!\\{0,7}["'])){6,4096}`,
      "gi",
    ),
  ],
  [
    "password",
    new RegExp(
      String.raw`(?<![?&][\w-]{0,32}|:)(${KEY_NAME}${EQUALS}(?<open>\\{0,7}["'\x60]))` +
        String.raw`(?!${NO_VALUE}|${NO_PLACE})${NO_SENTENCE}${QUOTED}{6,128}(?=\k<open>)`,
      "gi",
    ),
  ],
];

export interface Secret {
  kind: string;
  /** UTF-16 offsets; `end` is the first behind it. */
  start: number;
  end: number;
}

/** The secrets in a text, in order. Where two shapes overlap they are one secret, of the kind that stands first in the list. */
export function findSecrets(text: string): Secret[] {
  const matches = SHAPES.flatMap(([kind, shape]) =>
    [...text.matchAll(shape)].map((match) => {
      const start = match.index + match[1]!.length;
      return withoutMarks({ kind, start, end: match.index + match[0].length }, text);
    }),
  );
  return merged(matches);
}

/** A password's place without the marks around it, and without what ends its sentence or bracket. In quotes all of it counts. */
function withoutMarks(place: Secret, text: string): Secret {
  if (place.kind !== "password" || /["']/.test(text[place.end] ?? "")) return place;
  const value = text.slice(place.start, place.end);
  const before = /^[*\x60]{0,3}/.exec(value)![0].length;
  const closing = /[([{]/.test(value) ? /[.,;*\x60]{1,4}$/ : /[.,:;)\]}*\x60]{1,4}$/;
  const behind = closing.exec(value)?.[0].length ?? 0;
  if (value.length - before - behind < 4) return place;
  return { ...place, start: place.start + before, end: place.end - behind };
}

/** Places that overlap as one, of the kind that is given first, in the order of the text. */
function merged(places: Secret[]): Secret[] {
  const ranked = places.map((place, rank) => ({ ...place, rank })).sort((a, b) => a.start - b.start);
  const apart: typeof ranked = [];
  for (const place of ranked) {
    const last = apart.at(-1);
    if (last === undefined || place.start >= last.end) {
      apart.push(place);
      continue;
    }
    if (place.rank < last.rank) Object.assign(last, { kind: place.kind, rank: place.rank });
    last.end = Math.max(last.end, place.end);
  }
  return apart.map(({ kind, start, end }) => ({ kind, start, end }));
}

/** The text with every secret replaced by `[redacted:<kind>]`. */
export const redactSecrets = (text: string): string => replaceAt(findSecrets(text), text);

function replaceAt(secrets: Secret[], text: string): string {
  let redacted = "";
  let at = 0;
  for (const { kind, start, end } of secrets) {
    redacted += `${text.slice(at, start)}[redacted:${kind}]`;
    at = end;
  }
  return redacted + text.slice(at);
}

/** What stands for a secret; taken out of a text by `split`, with what is between. */
const MARKS = /(\[redacted:\w{1,32}\])/;

/** No shape of a secret is shorter: `ab://:x@`. */
const SHORTEST_SHAPE = 8;

/** Secrets shorter than this ("none", "ollama") are words; striking them wherever they stand would spoil the text. */
const MIN_SECRET_CHARS = 8;

/**
 * What one run must not let out: its keys, and every secret seen in a text so far. A secret that the task gives away by
 * its surroundings is thus also struck from an answer that repeats it alone.
 */
export class Secrets {
  private readonly known = new Map<string, string>();
  /** Texts without any: a row says many of its words again and again. */
  private readonly clean = new Set<string>();

  /** @param keys the run's own */
  constructor(keys: string[] = []) {
    for (const key of keys) this.learn("key", key);
  }

  /** The text without what is known already, whatever stands around it. */
  strikeKnown(text: string): string {
    return replaceAt(merged(this.placesOfKnown(text)), text);
  }

  /** The text without what is known and what has the shape of a secret, which is known from now on. */
  strike(text: string): string {
    const found = this.findNew(text);
    for (const { kind, start, end } of found) this.learn(kind, text.slice(start, end));
    const left = replaceAt(merged([...this.placesOfKnown(text), ...found]), text);
    // Once more where something went: a path without its last part is no path and may have the shape of a secret.
    return left === text ? text : this.strike(left);
  }

  /** A JSON value with every string in it struck. */
  strikeAll<T>(value: T): T {
    return mapStrings(value, (text) => this.strike(text));
  }

  /** The hits with their records struck whole: a passage that is cut out of one may begin in the middle of a secret. */
  strikeHits(retrieval: Retrieval): Retrieval {
    const strike = (text: string): string => this.strike(text);
    const strikeHit = ({ playbook, score }: Hit): Hit => {
      const { title, content, tags } = playbook;
      return {
        playbook: { ...playbook, title: strike(title), content: strike(content), tags: tags.map(strike) },
        score,
      };
    };
    // Twice, for a record may say of what stands in an earlier one that it is a secret.
    return { ...retrieval, hits: retrieval.hits.map(strikeHit).map(strikeHit) };
  }

  private findNew(text: string): Secret[] {
    if (text.length < SHORTEST_SHAPE || this.clean.has(text)) return [];
    const found = findSecrets(text);
    if (found.length === 0) this.clean.add(text);
    return found;
  }

  /** All of them, though one may begin with another: whatever is left of the longer one tells of it. */
  private placesOfKnown(text: string): Secret[] {
    const places: Secret[] = [];
    let from = 0;
    for (const [index, part] of this.known.size > 0 ? text.split(MARKS).entries() : []) {
      // A key may be a word like "redacted".
      const isMark = index % 2 === 1;
      for (const [secret, kind] of isMark ? [] : this.known)
        for (let at = part.indexOf(secret); at >= 0; at = part.indexOf(secret, at + secret.length))
          places.push({ kind, start: from + at, end: from + at + secret.length });
      from += part.length;
    }
    return places;
  }

  private learn(kind: string, secret: string): void {
    if (secret.length >= MIN_SECRET_CHARS && !this.known.has(secret)) this.known.set(secret, kind);
  }
}

/** A text without whatever has the shape of a secret, and without every repetition of it. */
export const withoutSecrets = (text: string): string => new Secrets().strike(text);
