import { type ErrorKind, isErrno, SlipwayError } from '../errors/index.ts';
import { hideUrls, redactUrl } from '../errors/redact-url.ts';
import type { HttpResponse } from '../http/http-client.ts';

/** One of the errors in a registry's answer (distribution-spec, "Error Codes"). */
export interface RegistryDiagnostic {
  /** `MANIFEST_UNKNOWN`, …; empty where the answer had none. */
  code: string;
  message: string;
}

/** What a registry answered that was no success. */
export interface RegistryFailure {
  status: number;
  errors: readonly RegistryDiagnostic[];
}

/** More of an error's body is not read. */
const MAX_BODY = 64 << 10;
/** Shown of a body that is not what the specification says. */
const MAX_SHOWN = 200;

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'denied',
  403: 'denied',
  404: 'not-found',
  405: 'unsupported',
  409: 'conflict',
  413: 'exhausted',
  416: 'conflict',
  429: 'unavailable',
};

/** The registry's answer behind an error, if that is what it comes from. */
export function registryFailure(error: unknown): RegistryFailure | undefined {
  const cause = error instanceof SlipwayError ? error.cause : undefined;
  return cause instanceof Failure ? cause : undefined;
}

class Failure implements RegistryFailure {
  readonly status: number;
  readonly errors: readonly RegistryDiagnostic[];

  constructor(status: number, errors: readonly RegistryDiagnostic[]) {
    this.status = status;
    this.errors = errors;
  }
}

/**
 * The error for an answer, in Docker's words: `manifest unknown: manifest unknown`. At most 64 KiB of its body are
 * read; addresses lose their secrets, and `secrets` are not shown wherever the server repeats them.
 */
export async function registryError(
  request: { method: string; url: string },
  answer: HttpResponse,
  secrets: readonly string[] = [],
): Promise<SlipwayError> {
  const { status } = answer;
  const body = await readSome(answer);
  const errors = diagnosticsOf(body);
  const hidden = (text: string): string =>
    secrets.reduce(
      (shown, secret) => (secret === '' ? shown : shown.replaceAll(secret, 'xxxxx')),
      hideUrls(text),
    );
  const known = errors.find(({ code }) => /^[A-Z_]{1,40}$/.test(code));
  return new SlipwayError(kindOf(status), hidden(messageOf(request, status, { errors, body })), {
    code: known === undefined ? 'REGISTRY_STATUS' : `REGISTRY_${known.code}`,
    hint:
      status === 429
        ? 'The registry limits how often it may be asked: log in, or try again later.'
        : undefined,
    cause: new Failure(
      status,
      errors.map(({ code, message }) => ({ code, message: hidden(message) })),
    ),
  });
}

function kindOf(status: number): ErrorKind {
  return KINDS[status] ?? 'unavailable';
}

function messageOf(
  { method, url }: { method: string; url: string },
  status: number,
  { errors, body }: { errors: readonly RegistryDiagnostic[]; body: string },
): string {
  const texts = errors.map(({ code, message }) => {
    const name = code.toLowerCase().replaceAll('_', ' ');
    return [name, message].filter((part) => part !== '').join(': ');
  });
  if (texts.length === 1) return texts[0]!;
  if (texts.length > 1) return `errors:\n${texts.join('\n')}`;
  const said = body.trim().replace(/\s+/g, ' ').slice(0, MAX_SHOWN);
  const name = method === 'GET' ? 'Get' : method === 'HEAD' ? 'Head' : method;
  return `${name} ${JSON.stringify(redactUrl(url))}: unexpected status ${status}${said === '' ? '' : `: ${said}`}`;
}

function diagnosticsOf(body: string): RegistryDiagnostic[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [];
  }
  const { errors, details } = (value ?? {}) as { errors?: unknown; details?: unknown };
  // Token servers of some say it their own way.
  if (!Array.isArray(errors)) return typeof details === 'string' ? [{ code: '', message: details }] : [];
  return errors.slice(0, 10).flatMap((error: unknown) => {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    const parts = {
      code: typeof code === 'string' ? code : '',
      message: typeof message === 'string' ? message : '',
    };
    return parts.code === '' && parts.message === '' ? [] : [parts];
  });
}

async function readSome({ body }: HttpResponse): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_BODY) break;
    }
  } catch {
    // What has come says enough.
  } finally {
    body.destroy();
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY).toString('utf8');
}

/** A failure of the network in the words that Docker has for it. Others come back as they are. */
export function networkError(request: { method: string; url: string }, error: unknown): unknown {
  if (!(error instanceof SlipwayError) || error.code !== 'HTTP_UNREACHABLE') return error;
  const what = goReason(error.cause, new URL(request.url));
  if (what === undefined) return error;
  const name = request.method === 'HEAD' ? 'Head' : request.method === 'GET' ? 'Get' : request.method;
  return new SlipwayError('unavailable', `${name} ${JSON.stringify(redactUrl(request.url))}: ${what}`, {
    code: 'REGISTRY_UNREACHABLE',
    hint: what.startsWith('tls:')
      ? 'Name the authority that signed it with NODE_EXTRA_CA_CERTS=FILE.'
      : error.hint,
    cause: error.cause,
  });
}

function goReason(cause: unknown, url: URL): string | undefined {
  if (cause instanceof AggregateError) return goReason(cause.errors.at(-1), url);
  if (!(cause instanceof Error)) return undefined;
  const { code = '', address, port } = cause as NodeJS.ErrnoException & { address?: string; port?: number };
  const at = address === undefined ? url.host : `${address.includes(':') ? `[${address}]` : address}:${port}`;
  if (isErrno(cause, 'ECONNREFUSED')) return `dial tcp ${at}: connect: connection refused`;
  if (isErrno(cause, 'ENOTFOUND')) return `dial tcp: lookup ${url.hostname}: no such host`;
  if (isErrno(cause, 'EHOSTUNREACH')) return `dial tcp ${at}: connect: no route to host`;
  if (isErrno(cause, 'ENETUNREACH')) return `dial tcp ${at}: connect: network is unreachable`;
  if (/^(?:UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_UNTRUSTED)/.test(code))
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  if (code === 'CERT_HAS_EXPIRED')
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return 'http: server gave HTTP response to HTTPS client';
  return cause.cause === undefined ? undefined : goReason(cause.cause, url);
}
