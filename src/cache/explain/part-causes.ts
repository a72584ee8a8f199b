import type { KeyParts } from '../keys.ts';
import type { Cause, Change, ListCause, ValueCause } from './cause.ts';

/** How a part that a step has once is called. */
const VALUES: Record<string, ValueCause['kind']> = {
  instruction: 'instruction',
  user: 'user',
  cwd: 'workdir',
  path: 'workdir',
  network: 'network',
  security: 'security',
  hostname: 'hostname',
  platform: 'platform',
  epoch: 'source-date-epoch',
  destination: 'destination',
  chown: 'chown',
  chmod: 'chmod',
  link: 'link',
  parents: 'parents',
  unpack: 'unpack',
};

/** Values are shown up to this length, in UTF-16 units. */
const SHOWN = 200;
/** What `readableParts` puts in place of a value. */
const HIDDEN = /^sha256:[0-9a-f]{64}$/;

/** What the causes need to know beside the parts. */
export interface PartContext {
  /** Variables that come from ARG, before and after. */
  argNames: { before: readonly string[]; after: readonly string[] };
  /** Whether the command has a shell in front, before and after. */
  shellForm: { before: boolean; after: boolean };
  /** Says which files of a selection changed. */
  files: (selection: SelectionChange) => Cause[];
}

/** A selection whose digest is another. */
export interface SelectionChange {
  /** The names of its parts, before and after. */
  before: string;
  after: string;
  /** Target of the mount that shows it. */
  mount?: string;
  /** What a flag makes the digest see on one side only: that it differs says nothing. */
  ignore?: { owner: boolean; mode: boolean; directories: boolean };
}

/** What differs between the parts of two keys, in the words of the Dockerfile. Equal parts give nothing. */
export function partCauses(before: KeyParts, after: KeyParts, context: PartContext): Cause[] {
  const causes: Cause[] = [];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  for (const name of names) {
    const [old, now] = [orAbsent(name, before[name]), orAbsent(name, after[name])];
    if (old === now) continue;
    if (name === 'args') causes.push(...commandCauses(old, now, context));
    else if (name in VALUES) {
      // A flag without a value is there or not.
      const { change, ...values } = valueChange(old, now);
      causes.push({ kind: VALUES[name]!, change, ...(name === 'link' || name === 'parents' ? {} : values) });
    } else if (name === 'content')
      causes.push(...context.files({ before: name, after: name, ...ignored(before, after) }));
    else if (!isListed(name)) causes.push({ kind: 'other', name, ...valueChange(old, now) });
  }
  causes.push(...variableCauses(before, after, context));
  causes.push(...heredocCauses(before, after));
  causes.push(...mountCauses(before, after, context));
  return causes;
}

/** `--chown` and `--chmod` take owners and modes out of the digest, `--parents` puts directories in. */
function ignored(before: KeyParts, after: KeyParts): Pick<SelectionChange, 'ignore'> {
  const toggled = (name: string): boolean => (before[name] === undefined) !== (after[name] === undefined);
  const ignore = { owner: toggled('chown'), mode: toggled('chmod'), directories: toggled('parents') };
  return ignore.owner || ignore.mode || ignore.directories ? { ignore } : {};
}

/** Parts that are dealt with together. */
function isListed(name: string): boolean {
  return /^(?:env|script|file|mount) /.test(name);
}

function commandCauses(old: string | undefined, now: string | undefined, context: PartContext): Cause[] {
  const [before, after] = [words(old), words(now)];
  const { shellForm } = context;
  if (before === undefined || after === undefined || !shellForm.before || !shellForm.after) {
    return [{ kind: 'command', ...valueChange(shown(before, old), shown(after, now)) }];
  }
  const causes: Cause[] = [];
  const [oldShell, newShell] = [before.slice(0, -1).join(' '), after.slice(0, -1).join(' ')];
  if (before.at(-1) !== after.at(-1))
    causes.push({ kind: 'command', ...valueChange(before.at(-1), after.at(-1)) });
  if (oldShell !== newShell) causes.push({ kind: 'shell', ...valueChange(oldShell, newShell) });
  return causes;
}

/** The list in a part; undefined where it was too long to be kept. */
function words(text: string | undefined): string[] | undefined {
  return text?.startsWith('[') ? (JSON.parse(text) as string[]) : undefined;
}

function shown(list: string[] | undefined, text: string | undefined): string | undefined {
  return list === undefined ? text : list.join(' ');
}

function variableCauses(before: KeyParts, after: KeyParts, { argNames }: PartContext): Cause[] {
  const causes: Cause[] = [];
  const [old, now] = [variables(before), variables(after)];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    if (old.get(name) === now.get(name)) continue;
    const change = valueChange(old.get(name), now.get(name));
    const isArgument = (change.change === 'removed' ? argNames.before : argNames.after).includes(name);
    causes.push({ kind: isArgument ? 'argument' : 'environment', name, ...change });
  }
  // The same names in another order; names that came or went change the order anyway.
  const sameNames = old.size === now.size && [...old.keys()].every((name) => now.has(name));
  if (sameNames && before['env order'] !== after['env order']) causes.push({ kind: 'variable-order' });
  return causes;
}

function variables(parts: KeyParts): Map<string, string> {
  const entries = Object.entries(parts).filter(([name]) => name.startsWith('env ') && name !== 'env order');
  return new Map(entries.map(([name, value]) => [name.slice('env '.length), value]));
}

function heredocCauses(before: KeyParts, after: KeyParts): Cause[] {
  const causes: Cause[] = [];
  const isHeredoc = (name: string): boolean => /^(?:script|file) /.test(name) && name !== 'file order';
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(isHeredoc).sort();
  for (const name of names) {
    if (before[name] === after[name]) continue;
    const label = name.slice(name.indexOf(' ') + 1);
    causes.push({ kind: 'heredoc', name: label, change: valueChange(before[name], after[name]).change });
  }
  if (causes.length === 0 && before['file order'] !== after['file order'])
    causes.push({
      kind: 'other',
      name: 'file order',
      ...valueChange(before['file order'], after['file order']),
    });
  return causes;
}

interface Mount {
  /** Its part, and that of what it shows. */
  part: string;
  contentPart: string;
  text: string;
  content: string | undefined;
  kind: ListCause['kind'];
  target: string;
}

/** Mounts are compared as what they are, wherever they stand on the line. */
function mountCauses(before: KeyParts, after: KeyParts, context: PartContext): Cause[] {
  const old = mounts(before);
  const now = mounts(after);
  const causes: Cause[] = [];
  const pair = (same: (a: Mount, b: Mount) => boolean): [Mount, Mount][] => {
    const pairs: [Mount, Mount][] = [];
    for (const mount of [...now]) {
      const index = old.findIndex((other) => same(other, mount));
      if (index < 0) continue;
      pairs.push([old[index]!, mount]);
      old.splice(index, 1);
      now.splice(now.indexOf(mount), 1);
    }
    return pairs;
  };
  const equal = pair((a, b) => a.text === b.text);
  const changed = [
    ...pair((a, b) => a.kind === b.kind && a.target === b.target),
    ...pair((a, b) => a.kind === b.kind && a.kind !== 'mount'),
  ];
  for (const [a, b] of changed)
    causes.push({ kind: b.kind, change: 'changed', before: a.text, after: b.text });
  for (const [a, b] of [...equal, ...changed]) {
    if (a.content === b.content || a.content === undefined || b.content === undefined) continue;
    causes.push(...context.files({ before: a.contentPart, after: b.contentPart, mount: b.target }));
  }
  for (const mount of now) causes.push({ kind: mount.kind, change: 'added', after: mount.text });
  for (const mount of old) causes.push({ kind: mount.kind, change: 'removed', before: mount.text });
  return causes;
}

function mounts(parts: KeyParts): Mount[] {
  return Object.keys(parts).flatMap((part) => {
    if (!/^mount \d+$/.test(part)) return [];
    const contentPart = `${part} content`;
    return [{ part, contentPart, content: parts[contentPart], ...mountText(parts[part]!) }];
  });
}

/** A mount's part as `RUN --mount` has it. The formats are those of `runParts`. */
function mountText(value: string): Pick<Mount, 'text' | 'kind' | 'target'> {
  const type = value.slice(0, value.indexOf(' '));
  const rest = value.slice(type.length + 1);
  const last = rest.lastIndexOf(' ');
  const secret = /^(.*?) (\S*) (\S*) (\d+) (\d+) (\d+)$/s.exec(rest);
  const ssh = /^(.*?) (.*) (\d+) (\d+) (\d+)$/s.exec(rest);
  if (type === 'secret' && secret) {
    const [, id = '', target = '', env = '', mode = '', uid = '', gid = ''] = secret;
    const text = [`id=${id}`, ...given({ target, env }), ...ownership(mode, uid, gid)].join(',');
    return { text, kind: 'secret', target: id };
  }
  if (type === 'ssh' && ssh) {
    const [, id = '', target = '', mode = '', uid = '', gid = ''] = ssh;
    const text = [`id=${id}`, `target=${target}`, ...ownership(mode, uid, gid)].join(',');
    return { text, kind: 'ssh', target: id };
  }
  const target = rest.slice(0, last);
  const option = rest.slice(last + 1);
  const extra = option === '' ? '' : type === 'tmpfs' ? `,size=${option}` : `,${option}`;
  return { text: `type=${type},target=${target}${extra}`, kind: 'mount', target };
}

function given(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === '' ? [] : [`${name}=${value}`]));
}

function ownership(mode: string, uid: string, gid: string): string[] {
  return [`mode=${Number(mode).toString(8).padStart(4, '0')}`, `uid=${uid}`, `gid=${gid}`];
}

function valueChange(
  before: string | undefined,
  after: string | undefined,
): { change: Change; before?: string; after?: string } {
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return {
    change,
    ...(change === 'added' || !isShown(before!) ? {} : { before: clip(before!) }),
    ...(change === 'removed' || !isShown(after!) ? {} : { after: clip(after!) }),
  };
}

/** USER that was never given is recorded as empty; any other value may be empty. */
function orAbsent(name: string, value: string | undefined): string | undefined {
  return name === 'user' && value === '' ? undefined : value;
}

function isShown(value: string): boolean {
  return !HIDDEN.test(value);
}

function clip(value: string): string {
  return value.length <= SHOWN ? value : `${value.slice(0, SHOWN - 1)}…`;
}
