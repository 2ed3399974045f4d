/** `distill completion`: scripts for three shells, made from the table of commands. */
import { printed, SHELLS, usage } from "../command_line.ts";
import type { Command, Flags, Io, Option } from "../command_line.ts";

type Commands = Record<string, Command>;

/** The command that prints the script for the table that it stands in itself. */
export const completionOf = (commands: Commands): Awaited<ReturnType<Command["load"]>> => ({
  async run(flags: Flags, io: Io): Promise<number> {
    const [shell] = flags.words;
    if (shell === undefined) throw usage(`completion: name your shell: ${SHELLS.join(", ")}.`);
    return printed(io, SCRIPTS[shell]!(commands));
  },
});

const SCRIPTS: Record<string, (commands: Commands) => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

const FILE_VALUES = new Set(["FILE", "FILE.md", "DIR"]);

const wordsOf = ({ operands = [] }: Command): readonly string[] => (operands === "paths" ? [] : operands);

const flagsOf = ({ options }: Command): string[] =>
  Object.entries(options).flatMap(([flag, { short }]) => [`--${flag}`, ...(short ? [`-${short}`] : [])]);

function bashCompletion(commands: Commands): string {
  const words = Object.entries(commands).map(
    ([name, command]) =>
      `    ${name}) ${command.operands === "paths" ? '[[ "$cur" == -* ]] || return; ' : ""}words="${[...wordsOf(command), ...flagsOf(command)].join(" ")}" ;;`,
  );
  const values = allOptions(commands).filter(([, { value, choices }]) => value && !choices);
  const choices = allOptions(commands).filter(([, { choices }]) => choices);
  return `# distill completion for bash: source <(distill completion bash)
_distill() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" words="${Object.keys(commands).join(" ")} help --help -h --version -V"
  COMPREPLY=()
  case "$prev" in
    # A value: nothing of ours, and readline completes file names, spaces and all.
    ${values.map(([flag]) => `--${flag}`).join(" | ")}) return ;;
${choices.map(([flag, { choices }]) => `    --${flag}) COMPREPLY=($(compgen -W "${choices!.join(" ")}" -- "$cur")); return ;;`).join("\n")}
  esac
  if ((COMP_CWORD > 1)); then
    case "\${COMP_WORDS[1]}" in
${words.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _distill distill
`;
}

/** Every option of every command, each flag once. */
function allOptions(commands: Commands): [string, Option][] {
  return Object.entries(Object.assign({}, ...Object.values(commands).map((command) => command.options)));
}

function zshCompletion(commands: Commands): string {
  const quote = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");
  const argument = ([flag, { short, value, help, choices, multiple }]: [string, Option]): string => {
    const action = choices
      ? `(${choices.join(" ")})`
      : value === "DIR"
        ? "_files -/"
        : value && FILE_VALUES.has(value)
          ? "_files"
          : "";
    const names = short ? `(-${short} --${flag})'{-${short},--${flag}}'` : `${multiple ? "*" : ""}--${flag}`;
    return `'${names}[${quote(help)}]${value ? `:${value}:${action}` : ""}'`;
  };
  const cases = Object.entries(commands).map(([name, command]) => {
    const { operands, options } = command;
    const words = wordsOf(command);
    const specs = [
      ...(words.length > 0 ? [`':word:(${words.join(" ")})'`] : []),
      ...(operands === "paths" ? ["'*:file:_files'"] : []),
      ...Object.entries(options).map(argument),
    ];
    return `    ${name}) _arguments ${specs.join(" ")} ;;`;
  });
  return `#compdef distill
# distill completion for zsh: distill completion zsh > "\${fpath[1]}/_distill"
_distill() {
  local -a commands=(${Object.entries(commands)
    .map(([name, { summary }]) => `'${name}:${quote(summary)}'`)
    .join(" ")})
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
compdef _distill distill
`;
}

function fishCompletion(commands: Commands): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const lines = Object.entries(commands).flatMap(([name, command]) => [
    `complete -c distill -f -n __fish_use_subcommand -a ${name} -d ${quote(command.summary)}`,
    ...(wordsOf(command).length > 0
      ? [
          `complete -c distill -f -n '__fish_seen_subcommand_from ${name}' -a ${quote(wordsOf(command).join(" "))}`,
        ]
      : []),
    ...Object.entries(command.options).map(([flag, { short, value, help, choices }]) => {
      const values = choices
        ? ` -x -a ${quote(choices.join(" "))}`
        : value
          ? FILE_VALUES.has(value)
            ? " -r -F"
            : " -x"
          : "";
      const letter = short ? ` -s ${short}` : "";
      return `complete -c distill -n '__fish_seen_subcommand_from ${name}' -l ${flag}${letter}${values} -d ${quote(help)}`;
    }),
  ]);
  return `# distill completion for fish: distill completion fish > ~/.config/fish/completions/distill.fish\n${lines.join("\n")}\n`;
}
