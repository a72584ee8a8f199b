import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { describe, test } from 'vitest';
import { findProgram } from '../../tools/base/programs.ts';
import { findPeer, type Peer } from '../../tools/peers.ts';

/** Something that a suite cannot do without: gives the reason to skip when this machine does not have it. */
export type Need = () => string | undefined;

/** A program that must be on this machine; `package` is where Debian has it, when its name is another. */
export function program(name: string, packageName = name): Need {
  return () =>
    findProgram(name) === undefined ? `needs the program ${name} (Debian package ${packageName})` : undefined;
}

/** The tests act as root. */
export function root(): Need {
  return () => (process.getuid?.() === 0 ? undefined : 'needs root');
}

/** Whoever runs the tests can make files of other owners and be other users in a container. */
export function severalIds(): Need {
  return () => {
    if (process.getuid?.() === 0) return undefined;
    const { username } = userInfo();
    const named = ['/etc/subuid', '/etc/subgid'].every(
      (file) => existsSync(file) && readFileSync(file, 'utf8').includes(`${username}:`),
    );
    return named ? program('newuidmap', 'uidmap')() : 'needs root, or a user with subordinate ids';
  };
}

/** A running engine or another builder; suites with this need belong on the list of allowed skips. */
export function peer(name: Peer): Need {
  return () => {
    const found = findPeer(name);
    return 'missing' in found ? `needs a real peer: ${found.missing}` : undefined;
  };
}

/**
 * `describe` for a suite with needs. Where one is missing the suite is skipped, and the reason stands in its name, so
 * that every reporter shows it and the summary of the test command can list it.
 */
export function describeWith(options: { needs: readonly Need[] }, name: string, suite: () => void): void {
  const reason = whyNot(options.needs);
  if (reason === undefined) describe(name, suite);
  else describe.skip(skippedName(name, reason), suite);
}

/** As `describeWith`, for a single test. */
export function testWith(
  options: { needs: readonly Need[] },
  name: string,
  body: () => void | Promise<void>,
): void {
  const reason = whyNot(options.needs);
  if (reason === undefined) test(name, body);
  else test.skip(skippedName(name, reason), body);
}

/** The name of a suite or test that is skipped, with the reason, as the summary of the test command finds it. */
function skippedName(name: string, reason: string): string {
  return `${name} [skipped: ${reason}]`;
}

function whyNot(needs: readonly Need[]): string | undefined {
  const missing = needs.map((need) => need()).filter((reason) => reason !== undefined);
  return missing.length === 0 ? undefined : missing.join('; ');
}
