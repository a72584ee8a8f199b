import { readText } from './process-facts.ts';

/** A setting of the machine that stands against user namespaces, and what to do about it. */
export interface Obstacle {
  what: string;
  advice: string;
}

/**
 * Settings that keep an ordinary user from making a user namespace, or from using it, as far as /proc shows them.
 * `certain` ones always do; with AppArmor's a profile may make an exception.
 */
export function userNamespaceObstacle(): (Obstacle & { certain: boolean }) | undefined {
  if (readText('/proc/sys/user/max_user_namespaces').trim() === '0') {
    return {
      certain: true,
      what: 'user namespaces are switched off (user.max_user_namespaces is 0)',
      advice: 'As root: sysctl user.max_user_namespaces=65536.',
    };
  }
  if (readText('/proc/sys/kernel/unprivileged_userns_clone').trim() === '0') {
    return {
      certain: true,
      what: 'user namespaces are for root only (kernel.unprivileged_userns_clone is 0)',
      advice: 'As root: sysctl kernel.unprivileged_userns_clone=1.',
    };
  }
  if (readText('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() === '1') {
    return {
      certain: false,
      what: 'AppArmor takes the rights of user namespaces away (kernel.apparmor_restrict_unprivileged_userns is 1)',
      advice:
        'As root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the Node that runs Slipway an AppArmor profile with the rule "userns,".',
    };
  }
  return undefined;
}
