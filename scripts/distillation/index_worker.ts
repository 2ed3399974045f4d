/** The Worker that reads ranges of a corpus for build_index.ts, which starts it and says what the messages mean. */
import { RangeReader } from "./build_index.ts";
import type { FromReader, ToReader } from "./build_index.ts";

declare const self: Worker;

let reader: RangeReader | null = null;

const tell = (message: FromReader): void => self.postMessage(message);

async function answer(message: ToReader): Promise<void> {
  if ("open" in message) {
    const { corpusPath, runsPath } = message.open;
    reader = new RangeReader(corpusPath, runsPath, async (progress) => tell({ progress }));
  } else if ("read" in message) tell({ read: await reader!.read(message.read) });
  else tell({ finished: await reader!.finish(message.finish) });
}

self.onmessage = ({ data }: MessageEvent<ToReader>) => {
  answer(data).catch((error: unknown) => {
    const { code, syscall } = error as { code?: unknown; syscall?: unknown };
    tell({ error: { message: String(error), code, syscall } });
  });
};
