/** `distill --help`, `distill <command> --help` and `distill --version`. */
import { columns, REPOSITORY } from "../command_line.ts";
import type { Command } from "../command_line.ts";
import { DEFAULT_ESCALATION_MODEL, DEFAULT_GATEWAY_URL, DEFAULT_LOCAL_MODEL, isObject } from "../replay.ts";

/** `distill --help`. */
export function overview(commands: Record<string, Command>): string {
  const names = Object.keys(commands);
  return `distill: makes a small local language model answer like someone who has done the job before.

Usage: distill <command> [options]

${columns(names.map((name) => [name, commands[name]!.summary]))}

Start with
  distill replay --dry-run --task "FATAL: sorry, too many clients already on db-3"

${columns([
  ["LH_GATEWAY_URL", `the model server (default: ${DEFAULT_GATEWAY_URL}, else Ollama on port 11434)`],
  ["LH_GATEWAY_KEY", "its key, if it wants one"],
  ["LH_REPLAY_LOCAL_MODEL", `the local model (default: ${DEFAULT_LOCAL_MODEL})`],
  ["LH_REPLAY_ESCALATION_MODEL", `the larger model (default: ${DEFAULT_ESCALATION_MODEL})`],
  ["LH_ESCALATION_URL", "its server (default: LH_GATEWAY_URL)"],
  ["LH_ESCALATION_KEY", "its key (default: LH_GATEWAY_KEY, at the same origin)"],
  ["LH_DISTILL_ROOT", "where exports/ and data/ are (default: this repository)"],
])}

Exit codes
${columns([
  ["0", "accepted, or done"],
  ["1", "the gate rejected the answer"],
  ["2", "usage: a flag or a variable is wrong"],
  ["3", "input: a file is missing or holds bad data"],
  ["4", "no model answered"],
  ["5", "the run could not be recorded, or stdout not written"],
  ["130", "interrupted; replay and ab record the run as an error"],
])}

distill <command> --help tells more.
`;
}

/** `distill <command> --help`. */
export function helpFor(name: string, command: Command): string {
  const rows = Object.entries(command.options).map(([flag, { value, short, help }]): [string, string] => [
    `${short ? `-${short}, ` : ""}--${flag}${value ? ` ${value}` : ""}`,
    help,
  ]);
  return `distill ${name}: ${command.summary}.

Usage: distill ${name} ${command.usage}

${columns(rows)}

Examples
${command.examples.map((example) => `  ${example}`).join("\n")}
`;
}

/** `distill --version`. */
export async function versionLine(): Promise<string> {
  const manifest: unknown = await Bun.file(`${REPOSITORY}/package.json`).json();
  const version = isObject(manifest) ? String(manifest.version) : "";
  return `distill ${version} (Bun ${Bun.version})\n`;
}
