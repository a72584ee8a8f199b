import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Need } from './need.ts';

const ARCHIVE_KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
];
const CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

/** Where this machine gets its packages from: what its own apt is configured for, nothing else. */
interface AptSource {
  uri: string;
  codename: string;
  keyring: string;
}

/** An apt that is configured for an archive of Debian or Ubuntu whose keys are here. */
export function aptSource(): Need {
  return () =>
    configuredSource() === undefined ? 'needs apt, configured for an archive of Debian or Ubuntu' : undefined;
}

function configuredSource(): AptSource | undefined {
  const keyring = ARCHIVE_KEYRINGS.find((path) => existsSync(path));
  if (keyring === undefined || !existsSync('/etc/os-release')) return undefined;
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (codename === undefined) return undefined;
  try {
    const filter = [`Codename: ${codename}`, 'Component: main', 'Created-By: Packages'];
    const uris = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', ...filter], {
      encoding: 'utf8',
    });
    const uri = uris.split('\n')[0];
    return uri === undefined || uri === '' ? undefined : { uri, codename, keyring };
  } catch {
    return undefined;
  }
}

/** Makes a minimal Debian with apt from Debian's packages, as a tar at `file`. As root, within a minute. */
export function makeDebianRootfs(file: string): void {
  const source = configuredSource()!;
  const line = `deb [signed-by=${source.keyring}] ${source.uri} ${source.codename} main`;
  execFileSync('mmdebstrap', ['--quiet', '--variant=apt', '--mode=root', source.codename, file, line], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/**
 * Fills `folder` with what /etc/apt has to be for packages to come from where this machine gets them: source, keys,
 * and the settings of the host's apt that concern fetching (proxies, certificates, checks).
 */
export function writeAptConfiguration(folder: string): void {
  const source = configuredSource()!;
  for (const name of ['apt.conf.d', 'preferences.d', 'sources.list.d', 'trusted.gpg.d', 'auth.conf.d']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'keyring.gpg'), readFileSync(source.keyring));
  writeFileSync(
    join(folder, 'sources.list'),
    `deb [signed-by=/etc/apt/keyring.gpg] ${source.uri} ${source.codename} main\n`,
  );
  const settings = execFileSync('apt-config', ['dump', 'Acquire'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => !line.startsWith('Acquire::IndexTargets'));
  if (existsSync(CA_BUNDLE)) {
    writeFileSync(join(folder, 'ca.crt'), readFileSync(CA_BUNDLE));
    settings.unshift('Acquire::https::CAInfo "/etc/apt/ca.crt";');
  }
  writeFileSync(join(folder, 'apt.conf.d', '50host'), `${settings.join('\n')}\n`);
}
