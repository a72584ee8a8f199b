import { GoMap, GoStruct, type GoValue } from '../../template/index.ts';

/** Members that are maps in Go: their keys are whatever people wrote. */
const MAPS = new Set(['annotations', 'Labels', 'ExposedPorts', 'Volumes']);
/** Words that Go writes in capitals. */
const CAPITALS: Readonly<Record<string, string>> = {
  os: 'OS',
  diff_ids: 'DiffIDs',
  'os.version': 'OSVersion',
  rootfs: 'RootFS',
};

/** A JSON document of the image specification as Go's structs have it: `mediaType` is `MediaType`. */
export function goStruct(value: unknown, name = ''): GoValue {
  if (typeof value === 'number') return BigInt(Math.trunc(value));
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === null || value === undefined || typeof value !== 'object') return null;
  if (Array.isArray(value)) return value.map((one) => goStruct(one));
  const entries = Object.entries(value);
  if (MAPS.has(name) || entries.some(([key]) => key.includes('/')))
    return new GoMap(entries.map(([key, member]) => [key, goStruct(member)]));
  return new GoStruct({
    typeName: 'struct',
    fields: entries.map(([key, member]) => [goName(key), goStruct(member, key)]),
    json: () => value,
  });
}

function goName(key: string): string {
  const known = Object.hasOwn(CAPITALS, key) ? CAPITALS[key] : undefined;
  return known ?? key.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
