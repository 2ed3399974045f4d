/**
 * What only one process at a time may do, such as adding pages to one corpus.
 *
 * SQLite holds the lock, and through it the system, so that it ends with the process however that ends. The empty file in the
 * folder for temporary files stays: who removed it might remove another's lock.
 */
import { Database, SQLiteError } from "bun:sqlite";
import fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";

import { sha256 } from "./replay.ts";

const ASK_AGAIN_MS = 50;

/** Null where another run of this user has the lock. Where no lock can be had at all, the run goes on without. */
export function takeLock(what: string, path: string): Disposable | null {
  const name = sha256(`${what}\0${realPath(path)}`).slice(0, 16);
  let database: Database | null = null;
  try {
    const { uid } = userInfo();
    const file = join(tmpdir(), `distill-${uid}-${name}.lock`);
    if (mayBeOf(uid, file)) database = new Database(file);
    database?.run("PRAGMA busy_timeout = 0");
    database?.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return null;
    database = null;
  }
  return { [Symbol.dispose]: () => database?.close() };
}

/** Whether no other user has put a file or a link there, by which to hold the lock for good, or to lock something else. */
function mayBeOf(uid: number, path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined || (stat.isFile() && stat.uid === uid);
}

/** The lock, as soon as it is free, null where that takes longer than this; `onWait` is called once where it is not at once. */
export async function waitForLock(
  what: string,
  path: string,
  { onWait, patienceMs }: { onWait: () => void; patienceMs: number },
): Promise<Disposable | null> {
  const waitedSince = performance.now();
  for (let asked = 0; ; asked++) {
    const lock = takeLock(what, path);
    if (lock || performance.now() - waitedSince > patienceMs) return lock;
    if (asked === 0) onWait();
    await Bun.sleep(ASK_AGAIN_MS);
  }
}

/** The same for all names of one file, be it there or not. */
function realPath(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path === dirname(path) ? path : join(realPath(dirname(path)), basename(path));
  }
}
