import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** What the environment says of proxies. */
export interface ProxySettings {
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
}

type Rule = (target: { host: string; port: string; family: 0 | 4 | 6 }) => boolean;

/**
 * Says which proxy an address is asked through, by the rules of Go's golang.org/x/net/http/httpproxy and so of Docker:
 * `NO_PROXY` lists addresses, ranges of them (`10.0.0.0/8`), domains with all below (`example.com`) and those below
 * alone (`.example.com`, `*.example.com`), each but ranges with a port or without, or `*`. `localhost` and what is an
 * address of this machine are never asked through one, and https not through that of http. Other than in Go an address
 * of IPv6 may have its brackets without a port too.
 *
 * @returns Gives the proxy's address, undefined for none.
 */
export function proxyChoice({
  httpProxy,
  httpsProxy,
  noProxy,
}: ProxySettings): (url: URL) => string | undefined {
  const rules = noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .flatMap((entry) => readRule(entry) ?? []);
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8);
  loopback.addAddress('::1', 'ipv6');
  return (url) => {
    const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
    if (proxy === '') return undefined;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/(.)\.$/, '$1');
    const family = isIP(host) as 0 | 4 | 6;
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    if (host === 'localhost' || (family !== 0 && loopback.check(host, nameOf(family)))) return undefined;
    if (rules.some((rule) => rule({ host, port, family }))) return undefined;
    return /^[a-z0-9+.-]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  };
}

function readRule(entry: string): Rule | undefined {
  if (entry === '') return undefined;
  if (entry === '*') return () => true;
  const range = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry);
  if (range !== null) return rangeRule(range[1]!, Number(range[2]));
  const [host, port] = splitPort(entry);
  if (host === '') return undefined;
  const fits = (other: string): boolean => port === '' || port === other;
  const family = isIP(host);
  if (family !== 0) {
    const addresses = new BlockList();
    addresses.addAddress(host, nameOf(family as 4 | 6));
    return (target) =>
      target.family !== 0 && fits(target.port) && addresses.check(target.host, nameOf(target.family));
  }
  const name = domainToASCII(host.replace(/^\*?\./, ''));
  const alsoItself = !/^\*?\./.test(host);
  return (target) =>
    fits(target.port) && (target.host.endsWith(`.${name}`) || (alsoItself && target.host === name));
}

function rangeRule(address: string, bits: number): Rule | undefined {
  const family = isIP(address);
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return undefined;
  const range = new BlockList();
  range.addSubnet(address, bits, nameOf(family as 4 | 6));
  return (target) => target.family !== 0 && range.check(target.host, nameOf(target.family));
}

function splitPort(entry: string): [host: string, port: string] {
  const [, inBrackets, ofBrackets] = /^\[(.*)\](?::(\d+))?$/.exec(entry) ?? [];
  if (inBrackets !== undefined) return [inBrackets, ofBrackets ?? ''];
  const [, host, port] = /^([^:]*):(\d+)$/.exec(entry) ?? [];
  return host === undefined ? [entry, ''] : [host, port!];
}

function nameOf(family: 4 | 6): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
