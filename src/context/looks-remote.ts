/** True when an argument may be the address of something; says no for nearly all paths, without looking at any. */
export function looksRemote(argument: string): boolean {
  return /^[a-zA-Z0-9]+:\/\/|^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:|^github\.com\/|\.git(?:[?#]|$)/.test(argument);
}
