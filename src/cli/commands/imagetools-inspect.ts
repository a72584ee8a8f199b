import type { RemoteInspection } from '../../engine/imagetools/inspect.ts';
import { formatPlatform } from '../../image/platform.ts';
import { formatReference } from '../../image/reference.ts';
import type { Descriptor } from '../../image/types.ts';
import { safeLines } from '../../progress/safe-text.ts';
import { defineCommand } from '../command.ts';

/** `slipway imagetools inspect` */
export const imagetoolsInspect = defineCommand({
  usage: '[OPTIONS] NAME',
  flags: {
    builder: { type: 'string', usage: '', hidden: true, ineffective: 'there is no daemon' },
    format: { type: 'string', usage: 'Format the output using the given Go template' },
    raw: { type: 'bool', usage: 'Show original, unformatted JSON manifest' },
  },
  args: { least: 1, most: 1 },
  async run({ env, signal, stdout }, { values, args }) {
    const [name] = args as [string];
    const { inspectRemote } = await import('../../engine/imagetools/inspect.ts');
    const { format, raw } = values;
    const images = format !== '';
    const inspection = await inspectRemote(name, { env, signal, images });
    if (raw) stdout.write(inspection.document.bytes);
    else if (format === '') stdout.write(safeLines(summary(inspection)));
    else stdout.write(await formatted(inspection, format));
    return 0;
  },
});

/** As buildx prints it, its lists aligned each for itself. */
function summary({ document, manifests }: RemoteInspection): string {
  const { reference, mediaType, digest } = document;
  const name = formatReference(reference);
  const head: [string, string][] = [
    ['Name:', name],
    ['MediaType:', mediaType],
    ['Digest:', digest],
  ];
  if (manifests === undefined) return aligned(head, '');
  const repository = formatReference({ domain: reference.domain, path: reference.path });
  const entries = manifests.map((descriptor, index) => [
    ...(index === 0 ? [] : [['', ''] as [string, string]]),
    ...describe(descriptor, repository),
  ]);
  return `${aligned([...head, ['', ''], ['Manifests:', '']], '')}${aligned(entries.flat(), '  ')}`;
}

function describe(descriptor: Descriptor, repository: string): [string, string][] {
  const { mediaType, digest, platform, annotations = {} } = descriptor;
  const keys = Object.keys(annotations).sort();
  return [
    ['Name:', `${repository}@${digest}`],
    ['MediaType:', mediaType],
    ...(platform === undefined ? [] : [['Platform:', formatPlatform(platform)] as [string, string]]),
    ...(keys.length === 0 ? [] : [['Annotations:', ''] as [string, string]]),
    ...keys.map((key): [string, string] => [`  ${key}:`, annotations[key]!]),
  ];
}

function aligned(lines: readonly [string, string][], indent: string): string {
  const width = Math.max(...lines.map(([key]) => key.length)) + 1;
  return lines.map(([key, value]) => `${indent}${key.padEnd(width)}${value}\n`).join('');
}

async function formatted({ document, manifests, images }: RemoteInspection, format: string): Promise<string> {
  const { GoStruct, parseFormat, renderIndented } = await import('../../template/index.ts');
  const { goStruct } = await import('../render/go-struct.ts');
  const { reference, mediaType, digest, bytes } = document;
  const own = JSON.parse(bytes.toString('utf8')) as { schemaVersion?: number; annotations?: object };
  const descriptor = { mediaType, digest, size: bytes.length };
  const manifest =
    manifests === undefined
      ? descriptor
      : {
          schemaVersion: own.schemaVersion,
          ...descriptor,
          manifests,
          ...(own.annotations && { annotations: own.annotations }),
        };
  const configs = images.flatMap(({ descriptor, config }) =>
    config === undefined ? [] : [[platformName(descriptor), JSON.parse(config.toString('utf8'))] as const],
  );
  // One image is itself, several are a map by platform.
  const image: unknown = configs.length === 1 ? configs[0]![1] : Object.fromEntries(configs);
  const members = { Name: formatReference(reference), Manifest: manifest, Image: image };
  const value = new GoStruct({
    typeName: '*imagetools.tplInputs',
    fields: Object.entries(members).map(([name, member]) => [name, goStruct(member)]),
    json: () => ({ name: members.Name, manifest, image }),
  });
  return renderIndented(parseFormat(format), value);
}

function platformName({ platform }: Descriptor): string {
  return platform === undefined ? 'unknown' : formatPlatform(platform);
}
