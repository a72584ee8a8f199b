import { SlipwayError } from '../errors/index.ts';

/** What `--chmod` asks for. */
export type ChmodMode = { kind: 'octal'; mode: number } | { kind: 'symbolic'; actions: SymbolicAction[] };

/** One change; `who` are the bits that it may touch. */
export type SymbolicAction =
  | { operator: '+' | '-' | '='; who: number; bits: number }
  /** `X`: execute, for directories and for what already has it. */
  | { operator: 'X'; who: number }
  /** `g=u`: takes over the bits of another class. */
  | { operator: 'copy'; how: '+' | '-' | '='; who: number; from: 'u' | 'g' | 'o' };

const SET_UID = 0o4000;
const SET_GID = 0o2000;
const STICKY = 0o1000;
const CLASS_BITS = { u: SET_UID | 0o700, g: SET_GID | 0o070, o: 0o007, a: SET_UID | SET_GID | 0o777 };
const PERMISSION_BITS = { r: 0o444, w: 0o222, x: 0o111 };
const SHIFTS = { u: 6, g: 3, o: 0 };

/**
 * Reads a mode: octal up to 07777, or symbolic as BSD's setmode(3) has it (`u=rwX,go=rX`, `+x`, `g=u`), with no
 * umask.
 *
 * @throws SlipwayError `CHMOD_INVALID` with Docker's text.
 */
export function parseChmod(text: string): ChmodMode {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > 0o7777) throw invalid(text);
    return { kind: 'octal', mode };
  }
  const actions: SymbolicAction[] = [];
  for (const clause of text.split(',')) actions.push(...parseClause(clause, text));
  return { kind: 'symbolic', actions };
}

/** The permission bits (07777) that a file with `mode` gets. */
export function applyChmod(chmod: ChmodMode, file: { mode: number; isDirectory: boolean }): number {
  if (chmod.kind === 'octal') return chmod.mode;
  const original = file.mode & 0o7777;
  let mode = original;
  for (const action of chmod.actions) {
    switch (action.operator) {
      case '+':
        mode |= action.bits & action.who;
        break;
      case '-':
        mode &= ~(action.bits & action.who);
        break;
      case '=':
        mode = (mode & ~action.who) | (action.bits & action.who);
        break;
      case 'X':
        if (file.isDirectory || (original & 0o111) !== 0) mode |= 0o111 & action.who;
        break;
      case 'copy': {
        const value = (mode >> SHIFTS[action.from]) & 7;
        const bits = (value << 6) | (value << 3) | value;
        if (action.how === '=') mode &= ~(0o777 & action.who);
        mode = action.how === '-' ? mode & ~(bits & action.who) : mode | (bits & action.who);
        break;
      }
    }
  }
  return mode;
}

function parseClause(clause: string, text: string): SymbolicAction[] {
  const match = /^([augo]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause);
  if (match === null) throw invalid(text);
  let given = 0;
  for (const letter of match[1]!) given |= CLASS_BITS[letter as keyof typeof CLASS_BITS];
  const actions: SymbolicAction[] = [];
  for (const [, operator, permissions] of match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g)) {
    actions.push(...parseAction(operator as '+' | '-' | '=', permissions!, given));
  }
  return actions;
}

function parseAction(operator: '+' | '-' | '=', permissions: string, given: number): SymbolicAction[] {
  let who = given === 0 ? CLASS_BITS.a : given;
  // Set-id and sticky bits mean nothing for "others" alone.
  const special = given === 0 || (given & ~0o007) !== 0;
  let bits = 0;
  let conditional = false;
  const copied: ('u' | 'g' | 'o')[] = [];
  for (const letter of permissions) {
    if (letter === 's') bits |= special ? SET_UID | SET_GID : 0;
    else if (letter === 't') {
      if (special) {
        bits |= STICKY;
        who |= STICKY;
      }
    } else if (letter === 'X') {
      if (operator === '-') bits |= 0o111;
      else conditional = true;
    } else if (letter === 'u' || letter === 'g' || letter === 'o') {
      copied.push(letter);
    } else {
      bits |= PERMISSION_BITS[letter as keyof typeof PERMISSION_BITS];
    }
  }
  const writesBits = bits !== 0 || (operator === '=' && copied.length === 0);
  const actions: SymbolicAction[] = writesBits ? [{ operator, who, bits }] : [];
  copied.forEach((from, index) => {
    // Only the first copy may clear, and only after it has read: `u=u` changes nothing.
    const clears = operator === '=' && !writesBits && index === 0;
    actions.push({ operator: 'copy', how: operator === '-' ? '-' : clears ? '=' : '+', who, from });
  });
  if (conditional) actions.push({ operator: 'X', who });
  return actions;
}

function invalid(text: string): SlipwayError {
  return new SlipwayError(
    'syntax',
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    {
      code: 'CHMOD_INVALID',
      hint: 'Symbolic modes like u=rwX,go=rX are accepted too.',
    },
  );
}
