import { isIP } from 'node:net';
import { SlipwayError } from '../errors/index.ts';
import { goQuote } from './go-text.ts';

/** What one word of EXPOSE stands for. */
export interface ExposedPorts {
  /** `80/tcp`, in the order of the range. */
  ports: string[];
  /** The protocol was not written in lower case. */
  upperCaseProtocol: boolean;
  /** An address or a host port stood before the port; it means nothing here. */
  hasHostPart: boolean;
}

const PROTOCOLS = ['tcp', 'udp', 'sctp'];

/**
 * Reads `[[address:]host-port:]port[-port][/protocol]` (SPEC 1.14 EXPOSE).
 *
 * @throws SlipwayError `EXPOSE_INVALID` with Docker's texts.
 */
export function parseExposedPort(text: string): ExposedPorts {
  const parts = text.split(':');
  const container = parts.at(-1)!;
  const hostPort = parts.at(-2) ?? '';
  const address = parts.slice(0, -2).join(':');
  const slash = container.indexOf('/');
  const range = slash === -1 ? container : container.slice(0, slash);
  const writtenProtocol = slash === -1 ? '' : container.slice(slash + 1);
  if (range === '') throw invalid(`invalid port: ${goQuote(text)}: no port specified`);
  const protocol = writtenProtocol === '' ? 'tcp' : writtenProtocol.toLowerCase();
  if (!PROTOCOLS.includes(protocol)) {
    throw invalid(`invalid port: ${goQuote(text)}: invalid proto: ${writtenProtocol}`);
  }
  if (address !== '' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0) {
    throw invalid(`invalid IP address: ${address}`);
  }
  const ports = parseRange(range);
  if (ports === undefined) throw invalid(`invalid containerPort: ${range}`);
  if (hostPort !== '') {
    const host = parseRange(hostPort);
    if (host === undefined) throw invalid(`invalid hostPort: ${hostPort}`);
    if (ports.end > ports.start && host.end - host.start !== ports.end - ports.start) {
      throw invalid(`invalid ranges specified for container and host Ports: ${range} and ${hostPort}`);
    }
  }
  const list: string[] = [];
  for (let port = ports.start; port <= ports.end; port++) list.push(`${port}/${protocol}`);
  return {
    ports: list,
    upperCaseProtocol: writtenProtocol !== writtenProtocol.toLowerCase(),
    hasHostPart: parts.length > 1 && (hostPort !== '' || address !== ''),
  };
}

function parseRange(text: string): { start: number; end: number } | undefined {
  const dash = text.indexOf('-');
  const start = parsePort(dash === -1 ? text : text.slice(0, dash));
  const end = dash === -1 ? start : parsePort(text.slice(dash + 1));
  return start === undefined || end === undefined || end < start ? undefined : { start, end };
}

function parsePort(text: string): number | undefined {
  if (!/^\+?[0-9]{1,10}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'EXPOSE_INVALID',
    hint: 'A port is a number from 0 to 65535 or a range like 8000-8010, optionally with /tcp, /udp or /sctp.',
  });
}
