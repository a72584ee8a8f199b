import { xattrTravels } from '../../layer/xattr-rules.ts';
import { loadSys } from '../../sys/linux.ts';

/** Only called for files that the fingerprint index does not know, so that a cached build loads no system calls. */
export function readXattrs(path: string): Map<string, Buffer> | undefined {
  const sys = loadSys();
  const bytes = Buffer.from(path, 'latin1');
  const values = new Map<string, Buffer>();
  for (const name of sys.llistxattr(bytes)) {
    const value = xattrTravels(name) ? sys.lgetxattr(bytes, name) : undefined;
    if (value) values.set(name, value);
  }
  return values.size === 0 ? undefined : values;
}
