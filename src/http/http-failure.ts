import { SlipwayError } from '../errors/index.ts';
import { redactUrl } from '../errors/redact-url.ts';

/** What people read for the codes of Node and undici. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'no way to the host',
  ENETUNREACH: 'no way to the network',
  ETIMEDOUT: 'the host does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'the host does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'the host does not answer',
  UND_ERR_BODY_TIMEOUT: 'no more data comes',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'less data came than was announced',
};

/** Codes that stay as they are however often one asks. */
const FINAL = new Set(['ENOTFOUND', 'UND_ERR_INVALID_ARG', 'UND_ERR_ABORTED']);

/** True for faults of the network that another attempt may not meet; certificates are none. */
export function isTransient(error: unknown): boolean {
  if (error instanceof SlipwayError) return false;
  const code = codeOf(error);
  return code !== undefined && code in REASONS && !FINAL.has(code);
}

/** A fault of the network as an error for people: the address without credentials, and what happened in words. */
export function failure(url: string, error: unknown, signal?: AbortSignal): SlipwayError {
  if (error instanceof SlipwayError) return error;
  if (signal?.aborted) return new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause: error });
  const code = codeOf(error);
  const reason = (code === undefined ? undefined : REASONS[code]) ?? messageOf(error);
  return new SlipwayError('unavailable', `cannot fetch ${redactUrl(url)}: ${reason}`, {
    code: 'HTTP_UNREACHABLE',
    hint: certificateHint(code),
    cause: error,
  });
}

/** The error for an answer that is none of those that were hoped for. */
export function statusError(url: string, status: number): SlipwayError {
  const kind =
    status === 404 || status === 410
      ? 'not-found'
      : status === 401 || status === 403
        ? 'denied'
        : 'unavailable';
  const { hostname } = new URL(url);
  return new SlipwayError(kind, `cannot fetch ${redactUrl(url)}: invalid response status ${status}`, {
    code: 'HTTP_STATUS',
    hint:
      kind === 'denied'
        ? `Give a token with --secret id=HTTP_AUTH_TOKEN_${hostname},env=NAME, or a whole header with HTTP_AUTH_HEADER_${hostname}.`
        : undefined,
  });
}

function certificateHint(code: string | undefined): string | undefined {
  if (code === undefined || !/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) return undefined;
  return 'Name the authority that signed it with NODE_EXTRA_CA_CERTS=FILE.';
}

/** Of the error or what lies under it: several addresses that were tried come as an AggregateError. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error.cause === undefined ? undefined : codeOf(error.cause);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || (error.cause instanceof Error ? error.cause.message : 'it failed');
}
