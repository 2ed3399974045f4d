/**
 * The command line of distill. A word names a subcommand of command_table.ts; its flags are read, and it runs from a module of
 * its own in commands/, the only one of them that is loaded.
 *
 * stdout carries the result alone (an accepted answer, or JSON); everything that is said about it goes to stderr.
 */
import type { Command, Io } from "./command_line.ts";

// Kept beside the code, since it is code. Bun believes no bytecode that is torn, of other sources or of another Bun, nor
// in a folder that somebody else owns or may write to, and does without where it cannot keep it.
const BYTECODE = `${import.meta.dir}/../../node_modules/.cache/distill`;

// Most of what a short command takes is reading code that runs once, and a fifth of it goes with its bytecode. What is imported by
// a statement would be read before.
if (import.meta.main) process.getBuiltinModule?.("node:module").enableCompileCache(BYTECODE);
const { didYouMean, EXIT, Flags, fromHere, printable, printed, usage } = await import("./command_line.ts");
const { COMMANDS } = await import("./command_table.ts");
const { DistillError, errorCode, shown } = await import("./replay.ts");

/** The first with everything that is used here. */
const OLDEST_BUN = ">=1.4.5";

/** Runs one command line and returns its exit code. */
export async function main(argv: string[], given?: Io): Promise<number> {
  let io = given;
  try {
    // Together: what the output is has to be asked of the system, and is wanted last.
    const [run, opened] = await Promise.all([commandOf(argv), given ?? realIo()]);
    io = opened;
    return await run(io);
  } catch (error) {
    const { stderr, cwd } = io ?? { stderr: writeStderr, cwd: "/" };
    if (!(error instanceof DistillError)) {
      stderr(
        `distill: this is a bug in distill, please report it with the command you ran.\n${describeBug(error)}\n`,
      );
      return EXIT.bug;
    }
    stderr(`distill: ${printable(fromHere(error.message, { cwd }))}\n`);
    return EXIT[error.code];
  }
}

const describeBug = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** What a command line asks for. @throws DistillError `usage` where there is no such thing */
async function commandOf(argv: string[]): Promise<(io: Io) => Promise<number>> {
  if (!Bun.semver.satisfies(Bun.version, OLDEST_BUN)) {
    throw usage(`this Bun is ${Bun.version}, and distill needs ${OLDEST_BUN}. Run: bun upgrade`);
  }
  const [name, ...rest] = argv;
  if (name === undefined) return async (io) => (io.stderr(await overview()), EXIT.usage);
  if (["--help", "-h"].includes(name)) return printing(overview);
  if (["--version", "-V"].includes(name)) return printing(version);
  if (name === "help") return printing(rest[0] === undefined ? overview : helpOn(rest[0]));
  const command = commandNamed(name);
  const flags = new Flags(name, command, rest);
  if (flags.on("help")) return printing(helpOn(name));
  if (flags.on("version")) return printing(version);
  const { run } = await command.load();
  return (io) => run(flags, io);
}

const printing =
  (text: () => Promise<string>) =>
  async (io: Io): Promise<number> =>
    printed(io, await text());

const help = (): Promise<typeof import("./commands/help.ts")> => import("./commands/help.ts");
const overview = async (): Promise<string> => (await help()).overview(COMMANDS);
const version = async (): Promise<string> => (await help()).versionLine();

function helpOn(name: string): () => Promise<string> {
  const command = commandNamed(name);
  return async () => (await help()).helpFor(name, command);
}

function commandNamed(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  const isOption = name.startsWith("-");
  const near = didYouMean(name, isOption ? ["-V", "--version", "-h", "--help"] : Object.keys(COMMANDS));
  throw usage(`unknown ${isOption ? "option" : "command"} ${shown(name)}.${near} See distill --help.`);
}

/** Ctrl-C, what `timeout` and a service manager send, and a terminal that is closed: the run is recorded as far as it is. */
const STOPPING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** `timeout` signals the process and then its group, so the same wish comes twice at once; nobody asks again as fast as this. */
const AGAIN_MS = 300;

async function realIo(): Promise<Io> {
  const [stdoutIsTty, stderrIsTty] = await Promise.all([isDevice(Bun.stdout), isDevice(Bun.stderr)]);
  return {
    stdout: writeStdout,
    stderr: writeStderr,
    stdoutIsTty,
    stderrIsTty,
    env: process.env,
    cwd: workingFolder(),
    interruptible: async (work) => {
      const interrupt = new AbortController();
      const stopListening = (): void => {
        for (const signal of STOPPING) process.off(signal, onInterrupt);
      };
      // Whoever asks again ends the process whatever it is doing.
      const onInterrupt = (): void => {
        interrupt.abort();
        setTimeout(stopListening, AGAIN_MS).unref();
      };
      for (const signal of STOPPING) process.on(signal, onInterrupt);
      return work(interrupt.signal).finally(stopListening);
    },
    deps: {},
  };
}

/** @throws DistillError `input` where somebody has removed it */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new DistillError("input", "the working directory is gone. Change to another.", { cause });
  }
}

/** A character device is a terminal, or /dev/null, which does not mind. node:tty would cost twice an empty script to load. */
async function isDevice(stream: Bun.BunFile): Promise<boolean> {
  return stream
    .stat()
    .then((stat) => stat.isCharacterDevice())
    .catch(() => false);
}

async function writeStdout(text: string): Promise<boolean> {
  try {
    await Bun.write(Bun.stdout, text);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return false;
    throw new DistillError("evidence", `stdout: cannot be written (${errorCode(error)}). Make room for it.`, {
      cause: error,
    });
  }
}

/** Nothing can be said about a stderr that cannot be written, so that is no reason to fail. */
function writeStderr(text: string): void {
  try {
    // Loaded where something is said: a retrieval says nothing. A Bun that is too old has no process.getBuiltinModule.
    const fs: typeof import("node:fs") = import.meta.require("node:fs");
    fs.writeSync(2, text);
  } catch {}
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
