import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCacheFrom, parseCacheTo } from '../../src/cli/cache-spec.ts';

describe('--cache-from and --cache-to', () => {
  it.each([
    [['user/app'], [{ type: 'registry', ref: 'user/app' }]],
    [
      ['a,b:tag'],
      [
        { type: 'registry', ref: 'a' },
        { type: 'registry', ref: 'b:tag' },
      ],
    ],
    [['type=registry,ref=a:b,registry.insecure=1'], [{ type: 'registry', ref: 'a:b', insecure: true }]],
    [['type=local,src=c,tag=t'], [{ type: 'local', src: resolve('c'), tag: 't' }]],
    [
      [`type=local,src=/c,digest=sha256:${'a'.repeat(64)}`],
      [{ type: 'local', src: '/c', digest: `sha256:${'a'.repeat(64)}` }],
    ],
  ])('from %j', (texts, specs) => {
    expect(parseCacheFrom(texts)).toEqual(specs);
  });

  it.each([
    ['user/app', { type: 'registry', ref: 'user/app', mode: 'min' }],
    ['type=inline', { type: 'inline' }],
    ['type=inline,mode=min', { type: 'inline' }],
    [
      'type=registry,ref=a,mode=max,image-manifest=true,oci-mediatypes=false,compression=zstd,compression-level=3,force-compression=true,ignore-error=true',
      {
        type: 'registry',
        ref: 'a',
        mode: 'max',
        mediaTypes: 'docker',
        compression: 'zstd',
        compressionLevel: 3,
        forceCompression: true,
        ignoreError: true,
      },
    ],
    [
      'type=local,dest=/d,reset=true,mode=min,"mounts=npm,/root/.cache",mounts=go,mount-limit=1g',
      {
        type: 'local',
        dest: '/d',
        mode: 'min',
        mounts: ['npm', '/root/.cache', 'go'],
        mountLimit: 2 ** 30,
      },
    ],
  ])('to %j', (text, spec) => {
    expect(parseCacheTo([text])).toEqual([spec]);
  });

  it.each([
    ['from', 'foo=bar', 'type required form> "foo=bar"'],
    ['from', 'type=local', 'local cache importer requires src'],
    ['from', 'type=registry', 'registry cache importer requires ref'],
    ['from', 'type=inline', 'an inline cache is read with type=registry'],
    [
      'from',
      'type=local,src=x,dest=y',
      'cache key dest is not supported: the local cache importer does not know it',
    ],
    [
      'from',
      'UPPER',
      'invalid reference "UPPER": invalid reference format: repository name (library/UPPER) must be lowercase',
    ],
    ['from', 'type=x', 'unknown cache importer: "x"'],
    ['to', 'type=local', 'local cache exporter requires dest'],
    ['to', 'type=registry,ref=a,mode=med', 'unsupported cache mode med'],
    [
      'to',
      'type=inline,mode=max',
      'an inline cache has mode=min: an image holds the layers of its result alone',
    ],
    [
      'to',
      'type=registry,ref=a,image-manifest=false',
      'image-manifest=false is not supported: a cache here is one image manifest, which all registries keep',
    ],
    [
      'to',
      'type=registry,ref=a,compression-level=12',
      'compression-level 12 is out of range for gzip: 0 to 9',
    ],
    [
      'to',
      'type=registry,ref=a,compression=estargz',
      'compression=estargz is not supported: layers are written uncompressed or with gzip or zstd',
    ],
    ['to', 'type=registry,ref=a,ignore-error=maybe', 'non-bool value specified for ignore-error'],
    ['to', 'type=registry,ref', 'invalid value ref'],
    [
      'to',
      'type=gha',
      "cache type gha is not supported: GitHub's cache service cannot be had outside of its runners; type=registry with ghcr.io keeps a cache there",
    ],
    [
      'to',
      'type=s3,bucket=x',
      'cache type s3 is not supported: write the cache with type=local and copy the directory, or use type=registry',
    ],
    [
      'from',
      'type=azblob',
      'cache type azblob is not supported: write the cache with type=local and copy the directory, or use type=registry',
    ],
  ])('%s %j is refused', (way, text, message) => {
    const parse = way === 'from' ? parseCacheFrom : parseCacheTo;
    expect(() => parse([text])).toThrow(expect.objectContaining({ message }));
  });
});
