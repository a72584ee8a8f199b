import { expect, test } from 'vitest';
import { proxyChoice } from '../../src/http/proxy-choice.ts';

/** NO_PROXY, an address, and whether a proxy is asked; what Go's httpproxy does was looked up there. */
const CASES: readonly [noProxy: string, url: string, proxied: 'direct' | 'proxied'][] = [
  ['', 'http://example.com/', 'proxied'],
  ['', 'http://localhost/', 'direct'],
  ['', 'http://localhost:5000/', 'direct'],
  ['', 'http://127.0.0.1:5000/', 'direct'],
  ['', 'http://127.9.9.9/', 'direct'],
  ['', 'http://[::1]:5000/', 'direct'],
  ['', 'http://localhost.example.com/', 'proxied'],
  ['*', 'http://example.com/', 'direct'],
  ['*', 'http://10.1.2.3/', 'direct'],
  ['a.com, *', 'http://example.com/', 'direct'],
  ['example.com', 'http://example.com/', 'direct'],
  ['example.com', 'http://EXAMPLE.com:8080/', 'direct'],
  ['EXAMPLE.COM', 'http://example.com/', 'direct'],
  ['example.com', 'http://www.example.com/', 'direct'],
  ['example.com', 'http://notexample.com/', 'proxied'],
  ['example.com', 'http://example.com.org/', 'proxied'],
  ['.example.com', 'http://example.com/', 'proxied'],
  ['.example.com', 'http://www.example.com/', 'direct'],
  ['*.example.com', 'http://example.com/', 'proxied'],
  ['*.example.com', 'http://a.b.example.com/', 'direct'],
  ['bücher.example', 'http://xn--bcher-kva.example/', 'direct'],
  ['example.com:80', 'http://example.com/', 'direct'],
  ['example.com:8080', 'http://example.com/', 'proxied'],
  ['example.com:443', 'https://example.com/', 'direct'],
  ['.example.com:8080', 'http://www.example.com:8080/', 'direct'],
  ['a.com,,  b.com ', 'http://b.com/', 'direct'],
  [' , ', 'http://b.com/', 'proxied'],
  [':80', 'http://b.com/', 'proxied'],
  ['10.0.0.0/8', 'http://10.250.0.1/', 'direct'],
  ['10.0.0.0/8', 'http://10.250.0.1:5000/', 'direct'],
  ['10.0.0.0/8', 'http://11.0.0.1/', 'proxied'],
  ['10.0.0.0/8', 'http://host-in-10.example/', 'proxied'],
  ['10.1.2.3/8', 'http://10.9.9.9/', 'direct'],
  ['192.168.1.0/33', 'http://192.168.1.1/', 'proxied'],
  ['0.0.0.0/0', 'http://8.8.8.8/', 'direct'],
  ['192.168.1.7', 'http://192.168.1.7:5000/', 'direct'],
  ['192.168.1.7', 'http://192.168.1.70/', 'proxied'],
  ['192.168.1.7:5000', 'http://192.168.1.7:5000/', 'direct'],
  ['192.168.1.7:5000', 'http://192.168.1.7/', 'proxied'],
  ['fd00::/8', 'http://[fd12::1]/', 'direct'],
  ['fd00::/8', 'http://[fe80::1]/', 'proxied'],
  ['fd12::1', 'http://[fd12:0:0::1]/', 'direct'],
  ['[fd12::1]:5000', 'http://[fd12::1]:5000/', 'direct'],
  ['[fd12::1]:5000', 'http://[fd12::1]/', 'proxied'],
  ['[fd12::1]', 'http://[fd12::1]/', 'direct'],
];

test.each(CASES)('NO_PROXY=%s, %s: %s', (noProxy, url, proxied) => {
  const choose = proxyChoice({ httpProxy: 'http://proxy:1', httpsProxy: 'http://proxy:2', noProxy });
  expect(choose(new URL(url)) === undefined ? 'direct' : 'proxied').toBe(proxied);
});

test('each protocol has its own proxy, http without being said', () => {
  const choose = proxyChoice({ httpProxy: 'proxy:1', httpsProxy: 'https://u:p@proxy:2', noProxy: '' });
  expect([choose(new URL('http://a/')), choose(new URL('https://a/'))]).toEqual([
    'http://proxy:1',
    'https://u:p@proxy:2',
  ]);
  const http = proxyChoice({ httpProxy: 'http://proxy:1', httpsProxy: '', noProxy: '' });
  expect(http(new URL('https://a/'))).toBeUndefined();
});
