import { describe, expect, it } from 'vitest';
import { defaultHost, defaultHosts } from '../../src/registry/default-hosts.ts';

const usual = { scheme: 'https', pathPrefix: '', capabilities: ['resolve', 'pull', 'push'], isMirror: false };

describe('hosts of a registry that nothing is configured for', () => {
  it.each([
    ['docker.io', { host: 'registry-1.docker.io', insecure: false }],
    ['ghcr.io', { host: 'ghcr.io', insecure: false }],
    ['example.com:8443', { host: 'example.com', port: 8443, insecure: false }],
    ['localhost', { host: 'localhost', insecure: true }],
    ['localhost:5000', { host: 'localhost', port: 5000, insecure: true }],
    ['127.0.0.2:5000', { host: '127.0.0.2', port: 5000, insecure: true }],
    ['[::1]:5000', { host: '[::1]', port: 5000, insecure: true }],
    ['[fe80::1]:5000', { host: '[fe80::1]', port: 5000, insecure: false }],
    ['localhost.example.com', { host: 'localhost.example.com', insecure: false }],
    ['127.0.0.1.example.com', { host: '127.0.0.1.example.com', insecure: false }],
  ])('%s', async (registry, expected) => {
    const host = { name: registry, ...usual, ...expected };
    expect(defaultHost(registry)).toEqual(host);
    expect(await defaultHosts.hostsFor(registry)).toEqual([host]);
  });
});
