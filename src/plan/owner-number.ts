/**
 * What a part of `--chown` means without an /etc/passwd: digits, with a plus before them or without, and `root`, which
 * is 0 whatever that file says (BuildKit's parseUID). Undefined for a name.
 */
export function ownerNumber(text: string): number | undefined {
  if (text === 'root') return 0;
  return /^\+?\d+$/.test(text) ? Number(text) : undefined;
}
