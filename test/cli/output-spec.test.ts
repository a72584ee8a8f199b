import { describe, expect, it } from 'vitest';
import { parseOutput } from '../../src/cli/output-spec.ts';

const BARE = { dest: undefined, tar: true, names: [] };

describe('parseOutput', () => {
  it.each([
    ['out', { ...BARE, type: 'local', dest: 'out' }],
    ['./a=b', { ...BARE, type: 'local', dest: './a=b' }],
    ['-', { ...BARE, type: 'tar', dest: '-' }],
    ['type=local,dest=out', { ...BARE, type: 'local', dest: 'out' }],
    ['type=tar', { ...BARE, type: 'tar' }],
    ['type=tar,dest=-', { ...BARE, type: 'tar', dest: '-' }],
    ['type=oci,dest=a.tar', { ...BARE, type: 'oci', dest: 'a.tar' }],
    ['dest=dir,type=oci,tar=false', { ...BARE, type: 'oci', dest: 'dir', tar: false }],
    ['type=docker', { ...BARE, type: 'docker' }],
    ['type=docker,"dest=a,b.tar"', { ...BARE, type: 'docker', dest: 'a,b.tar' }],
    ['type=docker,"name=a:1,b:2"', { ...BARE, type: 'docker', names: ['a:1', 'b:2'] }],
    [
      'type=oci,compression=zstd,compression-level=19,force-compression=true,oci-mediatypes=1',
      {
        ...BARE,
        type: 'oci',
        compression: 'zstd',
        compressionLevel: 19,
        forceCompression: true,
        mediaTypes: 'oci',
      },
    ],
    [
      'type=image,name=a,push=false,push-by-digest=false,unpack=true,store=false,compatibility-version=30',
      { ...BARE, type: 'image', names: ['a'], push: false, pushByDigest: false, store: false },
    ],
    [
      'type=local,dest=x,mode=delete,platform-split=true,rewrite-timestamp=false',
      { ...BARE, type: 'local', dest: 'x', mode: 'delete', platformSplit: true, rewriteTimestamp: false },
    ],
    [
      'type=docker,annotation.A.b=c=d,annotation-manifest-descriptor.e=f',
      {
        ...BARE,
        type: 'docker',
        annotations: { manifest: { 'A.b': 'c=d' }, manifestDescriptor: { e: 'f' } },
      },
    ],
    ['type=registry,name=x', { ...BARE, type: 'image', names: ['x'], push: true }],
    [
      'type=image,push=true,unpack=false,name=x,push-by-digest=true,name-canonical=true,registry.insecure=true,compression-level=9',
      {
        ...BARE,
        type: 'image',
        names: ['x'],
        push: true,
        pushByDigest: true,
        nameCanonical: true,
        insecure: true,
        compressionLevel: 9,
      },
    ],
  ])('%s', (text, spec) => {
    expect(parseOutput(text)).toEqual(spec);
  });

  it.each([
    ['', 'type is required for output'],
    ['dest=x,tar=true', 'type is required for output'],
    ['type=tar,bogus', 'invalid value bogus'],
    ['type=foo', 'exporter "foo" could not be found'],
    ['type=local', 'dest is required for local exporter'],
    ['type=local,dest=-', 'dest cannot be stdout for local exporter'],
    ['type=oci,tar=false', 'dest is required for oci exporter with tar=false'],
    ['type=oci,tar=maybe', 'non-bool value specified for tar'],
    [
      'type=oci,compression=estargz',
      'output key compression=estargz is not supported: layers are written uncompressed or with gzip or zstd',
    ],
    [
      'type=image,compression=gzip',
      'output key compression=gzip is not supported: layers in the store are directories, compressed when they leave it',
    ],
    ['type=oci,compression=lz4', 'unsupported compression type lz4'],
    ['type=oci,compression-level=x', 'non-integer value x specified for compression-level'],
    ['type=oci,compression-level=1', 'compression-level needs compression=gzip or compression=zstd'],
    [
      'type=oci,compression=gzip,compression-level=10',
      'compression-level 10 is out of range for gzip: 0 to 9',
    ],
    [
      'type=oci,compression=zstd,oci-mediatypes=false',
      'compression=zstd needs oci-mediatypes=true: Docker has no media type for it',
    ],
    ['type=local,dest=x,mode=move', 'invalid mode move for local exporter'],
    ['type=local,dest=x,bogus=1', 'output key bogus is not supported: no output type knows it'],
    [
      'type=local,dest=x,name=a',
      'output key name is not supported: the output types that know it do not include local',
    ],
    [
      'type=image,dangling-name-prefix=x',
      'output key dangling-name-prefix is not supported: an image without a name is known by its id',
    ],
    [
      'type=oci,compatibility-version=10',
      'output key compatibility-version is not supported: only 30 can be had; oci-mediatypes=false gives older media types',
    ],
    ['type=docker,context=x', 'output key context is not supported: there is no daemon'],
    ['type=oci,annotation-foo.a=b', 'unknown annotation type "foo"'],
    ['type=docker,"dest=a', 'parse error on line 1, column 20: extraneous or missing " in quoted-field'],
  ])('%j is refused', (text, message) => {
    expect(() => parseOutput(text)).toThrow(expect.objectContaining({ kind: 'usage', message }));
  });
});
