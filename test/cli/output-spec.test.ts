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
      'type=registry,name=x',
      'output type=registry is not supported: there is no registry client in this version',
    ],
    ['type=image,push=true', 'output key push is not supported: there is no registry client in this version'],
    ['type=docker,"dest=a', 'parse error on line 1, column 20: extraneous or missing " in quoted-field'],
  ])('%j is refused', (text, message) => {
    expect(() => parseOutput(text)).toThrow(expect.objectContaining({ kind: 'usage', message }));
  });
});
