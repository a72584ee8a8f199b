import { join } from 'node:path';
import { readText } from './process-facts.ts';

/** A setting of the machine that stands against user namespaces, and what to do about it. */
export interface Obstacle {
  what: string;
  advice: string;
}

/**
 * Settings that keep an ordinary user from making a user namespace, or from using it, as far as `settings` (/proc/sys)
 * shows them. With AppArmor's a profile may make an exception.
 */
export function userNamespaceObstacle(settings = '/proc/sys'): Obstacle | undefined {
  const read = (name: string): string => readText(join(settings, name)).trim();
  if (read('user/max_user_namespaces') === '0') {
    return {
      what: 'user namespaces are switched off (user.max_user_namespaces is 0)',
      advice: 'As root: sysctl user.max_user_namespaces=65536.',
    };
  }
  if (read('kernel/unprivileged_userns_clone') === '0') {
    return {
      what: 'user namespaces are for root only (kernel.unprivileged_userns_clone is 0)',
      advice: 'As root: sysctl kernel.unprivileged_userns_clone=1.',
    };
  }
  if (read('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return {
      what: 'AppArmor takes the rights of user namespaces away (kernel.apparmor_restrict_unprivileged_userns is 1)',
      advice:
        'As root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the Node that runs Slipway an AppArmor profile with the rule "userns,".',
    };
  }
  return undefined;
}
