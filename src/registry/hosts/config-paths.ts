import { homedir } from 'node:os';
import { join } from 'node:path';

/** Files and folders that say how registries are reached, by what reads them. */
export interface ConfigPaths {
  /** Folders of `HOST[:PORT]/` with certificates; all that exist count. */
  certs: readonly string[];
  /** registries.conf(5): the first that exists counts. */
  registriesConf: readonly string[];
  /** Its drop-in folders, later ones over earlier. */
  registriesConfD: readonly string[];
  /** Docker's daemon.json: the first that exists counts. */
  daemon: readonly string[];
}

/** Where Docker and the containers' tools look, the user's own places before those of the machine. */
export function configPaths(env: NodeJS.ProcessEnv): ConfigPaths {
  const home = env.HOME || homedir();
  const config = env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : join(home, '.config');
  const named = env.CONTAINERS_REGISTRIES_CONF;
  return {
    certs: [
      join(env.DOCKER_CONFIG || join(home, '.docker'), 'certs.d'),
      join(config, 'docker/certs.d'),
      join(config, 'containers/certs.d'),
      '/etc/containers/certs.d',
      '/etc/docker/certs.d',
    ],
    registriesConf: named
      ? [named]
      : [join(config, 'containers/registries.conf'), '/etc/containers/registries.conf'],
    registriesConfD: named
      ? []
      : ['/etc/containers/registries.conf.d', join(config, 'containers/registries.conf.d')],
    daemon: [join(config, 'docker/daemon.json'), '/etc/docker/daemon.json'],
  };
}
