import { join } from 'node:path';
import type { RegistryHost } from '../types.ts';
import { badConfig, listOptional, readOptional } from './read-optional.ts';

/** What the certificates' folders say about a host. */
export type Certificates = Pick<RegistryHost, 'ca' | 'clientCertificates'>;

/**
 * Reads `FOLDER/HOST[:PORT]/`: `*.crt` are authorities, `*.cert` with `*.key` are our own certificates, as Docker has
 * it. Of several folders that have the host, all count.
 *
 * @throws SlipwayError `REGISTRY_CONFIG` for a certificate without its key, or a file that is none.
 */
export function certificatesFor(folders: readonly string[], host: string): Certificates {
  const ca: string[] = [];
  const clientCertificates: { certificate: string; key: string }[] = [];
  for (const folder of folders.map((one) => join(one, host))) {
    const names = listOptional(folder);
    for (const name of names.filter((one) => one.endsWith('.crt'))) ca.push(pem(join(folder, name)));
    for (const name of names.filter((one) => one.endsWith('.cert'))) {
      const key = name.replace(/cert$/, 'key');
      if (!names.includes(key)) {
        throw badConfig(
          folder,
          `missing key ${key} for client certificate ${name}. CA certificates must use the extension .crt`,
        );
      }
      clientCertificates.push({ certificate: pem(join(folder, name)), key: pem(join(folder, key)) });
    }
    for (const name of names.filter((one) => one.endsWith('.key'))) {
      const cert = name.replace(/key$/, 'cert');
      if (!names.includes(cert)) {
        throw badConfig(folder, `missing client certificate ${cert} for key ${name}`);
      }
    }
  }
  return {
    ...(ca.length === 0 ? {} : { ca }),
    ...(clientCertificates.length === 0 ? {} : { clientCertificates }),
  };
}

function pem(path: string): string {
  const text = readOptional(path) ?? '';
  if (!text.includes('-----BEGIN ')) throw badConfig(path, 'it holds nothing in PEM');
  return text;
}
