import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A key with its certificate: paths of PEM files. */
export interface KeyPair {
  cert: string;
  key: string;
}

/** A certificate authority of the tests' own, in a folder. */
export interface Authority {
  /** Its certificate: what a client has to trust. */
  readonly ca: string;
  /** Signs a certificate for a server on the loopback (`localhost`, `registry.test`, 127.0.0.1, ::1), or for a client named so. */
  issue(name: string): KeyPair;
}

/** Makes an authority with openssl (Debian package openssl). */
export function makeAuthority(folder: string): Authority {
  const ca = join(folder, 'ca.crt');
  const caKey = join(folder, 'ca.key');
  openssl('req', '-x509', ...newKey(caKey), '-days', '2', '-subj', '/CN=Test authority', '-out', ca);
  return {
    ca,
    issue(name) {
      const pair = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
      const extensions = join(folder, `${name}.ext`);
      const request = join(folder, `${name}.csr`);
      const names = 'subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1,IP:::1';
      writeFileSync(extensions, `${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      openssl('req', ...newKey(pair.key), '-subj', `/CN=${name}`, '-out', request);
      const signer = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial'];
      openssl(
        'x509',
        '-req',
        '-in',
        request,
        ...signer,
        '-days',
        '2',
        '-extfile',
        extensions,
        '-out',
        pair.cert,
      );
      return pair;
    },
  };
}

/** The DER bytes of a certificate, as `x5c` of a JSON web signature has them. */
export function derOf(cert: string): string {
  return readFileSync(cert, 'utf8').replace(/-----[^-]+-----|\s/g, '');
}

/** Elliptic curves: an RSA key takes a tenth of a second. */
function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
