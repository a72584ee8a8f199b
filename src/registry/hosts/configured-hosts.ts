import { SlipwayError } from '../../errors/index.ts';
import { defaultHost } from '../default-hosts.ts';
import type { HostCapability, HostSource, RegistryHost } from '../types.ts';
import { certificatesFor } from './certificates.ts';
import { configPaths } from './config-paths.ts';
import { readDaemonConfig } from './daemon-config.ts';
import { type MirrorUse, type RegistryRule, readRegistriesConf } from './registries-conf.ts';

/** A mirror says what a digest is; what a tag is only where it may be asked for tags. */
const MIRROR_CAPABILITIES: Readonly<Record<MirrorUse, readonly HostCapability[]>> = {
  all: ['resolve', 'pull'],
  'digest-only': ['pull'],
  'tag-only': ['resolve', 'pull'],
};

/**
 * The hosts of registries as this machine and user have them configured: registries.conf of the containers' tools,
 * Docker's daemon.json, certificates in certs.d. Files are read at the first question and then kept.
 *
 * @throws SlipwayError from `hostsFor`: `denied` REGISTRY_BLOCKED, `invalid` REGISTRY_CONFIG
 */
export function configuredHosts(env: NodeJS.ProcessEnv): HostSource {
  const paths = configPaths(env);
  let rules: Promise<RegistryRule[]> | undefined;
  let daemon: ReturnType<typeof readDaemonConfig> | undefined;

  /** With what is known of the host itself. A host for which an authority is named must be signed by it. */
  function host(name: string, insecure: boolean): RegistryHost {
    const plain = defaultHost(name);
    const bareName = plain.port === undefined ? plain.host : `${plain.host}:${plain.port}`;
    daemon ??= readDaemonConfig(paths.daemon);
    const certificates = certificatesFor(paths.certs, name);
    const found =
      Object.keys(certificates).length === 0 && bareName !== name
        ? certificatesFor(paths.certs, bareName)
        : certificates;
    const listed = insecure || daemon.isInsecure(name);
    return { ...plain, ...found, insecure: listed || (plain.insecure && found.ca === undefined) };
  }

  /** `host[:port]/path` with the name that the repository has there. */
  function at(full: string, insecure: boolean, asked: string): RegistryHost {
    const slash = full.indexOf('/');
    const name = slash === -1 ? full : full.slice(0, slash);
    const repository = slash === -1 ? '' : full.slice(slash + 1);
    return { ...host(name, insecure), ...(repository === asked ? {} : { repository }) };
  }

  return {
    async hostsFor(registry, repository = '') {
      rules ??= readRegistriesConf(paths);
      const full = repository === '' ? registry : `${registry}/${repository}`;
      const rule = bestRule(await rules, full);
      if (rule === undefined) return [...hubMirrors(registry), host(registry, false)];
      if (rule.blocked) throw blocked(rule);
      const moved = (location: string | undefined): string => move(full, rule.prefix, location);
      const mirrors = rule.mirrors.map((mirror) => ({
        ...at(moved(mirror.location), mirror.insecure, repository),
        capabilities: MIRROR_CAPABILITIES[mirror.use],
        isMirror: true,
      }));
      const primary = at(moved(rule.location), rule.insecure, repository);
      if (moved(rule.location) === full) return [...mirrors, primary];
      // As the containers' tools: another location is for what is pulled, pushes go where the name says.
      const named: RegistryHost = { ...host(registry, rule.insecure), capabilities: ['push'] };
      return [...mirrors, { ...primary, capabilities: ['resolve', 'pull'] }, named];
    },
  };

  function hubMirrors(registry: string): RegistryHost[] {
    if (registry !== 'docker.io') return [];
    daemon ??= readDaemonConfig(paths.daemon);
    return daemon.mirrors.map((url) => ({
      ...host(url.host, false),
      scheme: url.protocol === 'http:' ? 'http' : 'https',
      pathPrefix: url.pathname.replace(/\/+$/, ''),
      capabilities: ['resolve', 'pull'],
      isMirror: true,
    }));
  }
}

/** The rule with the longest prefix of a name, at the borders of its parts. */
function bestRule(rules: readonly RegistryRule[], full: string): RegistryRule | undefined {
  let best: RegistryRule | undefined;
  for (const rule of rules) {
    if (applies(rule.prefix, full) && (best === undefined || rule.prefix.length > best.prefix.length))
      best = rule;
  }
  return best;
}

function applies(prefix: string, full: string): boolean {
  if (prefix.startsWith('*.')) return full.split('/', 1)[0]!.endsWith(prefix.slice(1));
  return full === prefix || full.startsWith(`${prefix}/`);
}

function move(full: string, prefix: string, location: string | undefined): string {
  if (location === undefined) return full;
  const kept = prefix.startsWith('*.')
    ? full.slice(full.split('/', 1)[0]!.length)
    : full.slice(prefix.length);
  return `${location}${kept}`;
}

function blocked({ prefix, file }: RegistryRule): SlipwayError {
  return new SlipwayError('denied', `registry ${prefix} is blocked in ${file}`, { code: 'REGISTRY_BLOCKED' });
}
