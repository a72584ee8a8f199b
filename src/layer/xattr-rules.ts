/** The attribute that overlayfs puts on a directory that hides the lower ones. */
export function opaqueName(userxattr: boolean): string {
  return userxattr ? 'user.overlay.opaque' : 'trusted.overlay.opaque';
}

const travelling = new Set(['security.capability', 'system.posix_acl_access', 'system.posix_acl_default']);

/**
 * Whether an attribute belongs to an image: `user.*`, file capabilities and ACLs. Overlayfs's own, `trusted.*` and
 * the labels of security modules belong to the machine, and are neither packed nor unpacked.
 */
export function xattrTravels(name: string): boolean {
  if (name.startsWith('user.')) return !name.startsWith('user.overlay.');
  return travelling.has(name);
}

/** Whether overlayfs says with it that a file's content or metadata lies in a lower layer. */
export function isRedirect(name: string): boolean {
  return name.endsWith('.overlay.redirect') || name.endsWith('.overlay.metacopy');
}

const revisionMask = 0xff000000;
const revision2 = 0x02000000;
const revision3 = 0x03000000;

/**
 * `security.capability` in its version-2 form: without the root id of the user namespace that version 3 adds, which
 * means nothing on another machine. linux/capability.h, struct vfs_ns_cap_data.
 */
export function portableCapability(value: Buffer): Buffer {
  if (value.length !== 24) return value;
  const magic = value.readUInt32LE(0);
  if ((magic & revisionMask) !== revision3) return value;
  const portable = Buffer.from(value.subarray(0, 20));
  portable.writeUInt32LE((magic & ~revisionMask) | revision2, 0);
  return portable;
}
