import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { SlipwayResult } from '../support/slipway.ts';
import { fingerprintOf, programFiles } from '../support/ssh.ts';

/** What a step is given beyond files: an agent, secrets, rights. Makes the context in `folder`; gives its path. */
function contextOfRights(folder: string): { context: string; key: string } {
  const context = join(folder, 'rights');
  const key = join(folder, 'rights-key');
  for (const [path, content] of Object.entries(programFiles(['ssh-add']))) {
    mkdirSync(dirname(join(context, 'tree', path)), { recursive: true });
    writeFileSync(join(context, 'tree', path), content);
  }
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  // Whose it is does not matter: the builder reads it, and not the agent.
  execFileSync('chmod', ['0644', key]);
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM test/base
COPY --chmod=755 tree /
RUN --mount=type=ssh,mode=0660 ssh-add -l; stat -c 'agent %a %u:%g' $SSH_AUTH_SOCK
RUN --mount=type=ssh,id=none ssh-add -l 2>&1; ls /run/buildkit 2>&1; find / -xdev -type s
RUN --mount=type=secret,id=s,env=S --mount=type=secret,id=s,target=/s,mode=0440 [ "$S" = "$(cat /s)" ] && stat -c 'secret %a %u:%g' /s
RUN --security=insecure mkdir -p /mnt && if mount -t tmpfs none /mnt; then echo insecure: mounted; else echo insecure: refused; fi
RUN mount -t tmpfs none /mnt 2>/dev/null || echo sandbox: refused
RUN ls -d /s /run/buildkit 2>&1; true
`,
  );
  return { context, key };
}

/**
 * Builds it with the command line of a tier and compares what its steps printed. `store` is looked through for what
 * must not be there.
 */
export async function expectRights(
  { folder, store, insecure }: { folder: string; store: string; insecure: 'mounted' | 'refused' },
  run: (args: readonly string[], env: Record<string, string>) => Promise<SlipwayResult>,
): Promise<void> {
  const { context, key } = contextOfRights(folder);
  const secret = 'a-secret-of-tiers';
  const { exitCode, stderr } = await run(
    [
      ...['build', '--progress=plain', '--ssh', `default=${key}`, '--secret', 'id=s,env=SECRET'],
      ...['--allow', 'security.insecure', context],
    ],
    { SECRET: secret },
  );
  expect(stderr).toContain(fingerprintOf(`${key}.pub`));
  expect(exitCode, stderr).toBe(0);
  const printed = stderr.matchAll(/^#\d+ [\d.]+ ((?:agent|secret|insecure|sandbox)[ :].*)$/gm);
  const said = [...printed].map(([, text]) => text);
  expect(said).toEqual(['agent 660 0:0', 'secret 440 0:0', `insecure: ${insecure}`, 'sandbox: refused']);
  expect(stderr.match(/The agent has no identities|SHA256:/g)).toHaveLength(1);
  expect(stderr).toContain('/run/buildkit: No such file');
  const body = execFileSync('cat', [key], { encoding: 'utf8' }).split('\n')[1]!;
  for (const text of [secret, body]) {
    expect(stderr).not.toContain(text);
    const found = execFileSync('sh', ['-c', 'grep -rlF -- "$1" "$2" || true', 'sh', text, store]);
    expect(found.toString()).toBe('');
  }
}
