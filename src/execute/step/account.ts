import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { ownerNumber } from '../../plan/owner-number.ts';
import { type BytePath, bufferOf } from '../../sys/bytes.ts';
import { joinRoot, resolveInRoot } from './root-path.ts';

/** Larger account files are refused (as BuildKit does): nobody has them, and they are read whole. */
const MAX_ACCOUNT_FILE = 10 * 1024 * 1024;

const KERNEL_DIRECTORIES: ReadonlySet<string> = new Set(['dev', 'proc', 'sys']);

/** Who a process of the image runs as. */
export interface Account {
  uid: number;
  gid: number;
  /** The process's group first, as engines have it: whoever gives it up with setgid must not get round a denial. */
  additionalGids: number[];
  /** From /etc/passwd; `/` when there is no entry. */
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/**
 * `USER` for a RUN or a container: names through the root file system's own /etc/passwd and /etc/group; a number
 * without an entry has group 0; an explicit group drops the supplementary ones (SPEC 1.8, as runc's libcontainer).
 *
 * Throws `invalid` for a name that is not there.
 */
export function resolveUser(root: BytePath, text: string): Account {
  const [userPart = '', groupPart] = splitUser(text);
  const passwd = readPasswd(root);
  const groups = readGroups(root);
  const number = parseId(userPart);
  const entry = userPart === '' ? passwd.find((e) => e.uid === 0) : findUser(passwd, userPart, number);
  if (!entry && userPart !== '' && number === undefined) {
    throw new SlipwayError('invalid', `unable to find user ${userPart}: no matching entries in passwd file`, {
      code: 'USER_NOT_FOUND',
      subject: { part: 'user' },
      hint: 'USER takes a name of /etc/passwd in this stage, or a number.',
    });
  }
  const uid = entry?.uid ?? number ?? 0;
  const home = entry?.home || '/';
  if (groupPart !== undefined) {
    const gid = parseId(groupPart) ?? groups.find((g) => g.name === groupPart)?.gid;
    if (gid === undefined) {
      throw new SlipwayError(
        'invalid',
        `unable to find group ${groupPart}: no matching entries in group file`,
        {
          code: 'GROUP_NOT_FOUND',
          subject: { part: 'user' },
          hint: 'The part after the colon is a name of /etc/group in this stage, or a number.',
        },
      );
    }
    return { uid, gid, additionalGids: [gid], home };
  }
  const gid = entry?.gid ?? 0;
  const additional = entry ? groups.filter((g) => g.members.includes(entry.name)).map((g) => g.gid) : [];
  return { uid, gid, additionalGids: [...new Set([gid, ...additional.sort((a, b) => a - b)])], home };
}

/**
 * Owner for `--chown` and WORKDIR: a user number alone stands for the group too; a user name brings its primary
 * group; a name that is not found gives 0, silently, as BuildKit's code does (SPEC 1.11). An empty group is 0.
 */
export function resolveOwner(root: BytePath, text: string): { uid: number; gid: number } {
  const colon = text.indexOf(':');
  const userPart = colon === -1 ? text : text.slice(0, colon);
  const number = parseOwnerId(userPart);
  const entry = number === undefined ? readPasswd(root).find((e) => e.name === userPart) : undefined;
  const uid = number ?? entry?.uid ?? 0;
  const primary = number ?? entry?.gid ?? 0;
  if (colon === -1) return { uid, gid: primary };
  const groupPart = text.slice(colon + 1);
  if (groupPart === '') return { uid, gid: 0 };
  const gid = parseOwnerId(groupPart) ?? readGroups(root).find((g) => g.name === groupPart)?.gid;
  return { uid, gid: gid ?? primary };
}

function parseOwnerId(text: string): number | undefined {
  const id = ownerNumber(text);
  if (id !== undefined) checkId(id, text);
  return id;
}

function splitUser(text: string): [string, string | undefined] {
  const colon = text.indexOf(':');
  if (colon === -1) return [text, undefined];
  return [text.slice(0, colon), text.slice(colon + 1) || undefined];
}

function parseId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  checkId(id, text);
  return id;
}

function checkId(id: number, text: string): void {
  if (id > 0xffff_fffe) {
    throw new SlipwayError('invalid', `the id ${text} is too large`, { code: 'ID_RANGE' });
  }
}

function findUser(passwd: PasswdEntry[], name: string, number: number | undefined): PasswdEntry | undefined {
  return passwd.find((e) => e.name === name) ?? passwd.find((e) => e.uid === number);
}

function readPasswd(root: BytePath): PasswdEntry[] {
  return readAccountFile(root, 'etc/passwd').flatMap((f) => {
    const [name = '', , uid = '', gid = '', , home = ''] = f;
    return /^\d+$/.test(uid) ? [{ name, uid: Number(uid), gid: Number(gid) || 0, home }] : [];
  });
}

function readGroups(root: BytePath): GroupEntry[] {
  return readAccountFile(root, 'etc/group').flatMap((f) => {
    const [name = '', , gid = '', members = ''] = f;
    return /^\d+$/.test(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : [];
  });
}

/** Lines split at colons; a missing file has none. Never follows a link out of the root, never waits on a fifo. */
function readAccountFile(root: BytePath, path: BytePath): string[][] {
  const { existing, missing } = resolveInRoot(root, path);
  // Absent here, and in the container the kernel's: an OCI runtime would read /dev/zero to the end.
  const end = [...existing, ...missing];
  if (KERNEL_DIRECTORIES.has(end[0] ?? '') && end.join('/') !== 'dev/null') throw notAFile(path);
  if (missing.length > 0) return [];
  const file = bufferOf(joinRoot(root, existing));
  // Nothing else is opened: a socket or device would fail with an error of its own.
  if (!lstatSync(file).isFile()) throw notAFile(path);
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_ACCOUNT_FILE) {
      throw notAFile(path);
    }
    return readFileSync(fd, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.trimEnd().split(':'));
  } finally {
    closeSync(fd);
  }
}

function notAFile(path: BytePath): SlipwayError {
  return new SlipwayError('invalid', `/${path} of the image is not a regular file of at most 10 MiB`, {
    code: 'ACCOUNT_FILE',
  });
}
