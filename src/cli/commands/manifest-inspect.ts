import type { RemoteImage } from '../../engine/imagetools/inspect.ts';
import { SlipwayError } from '../../errors/index.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { defineCommand } from '../command.ts';

/** `slipway manifest inspect` */
export const manifestInspect = defineCommand({
  usage: '[OPTIONS] MANIFEST',
  flags: {
    insecure: { type: 'bool', usage: 'Allow communication with an insecure registry' },
    verbose: { type: 'bool', short: 'v', usage: 'Output additional info including layers and platform' },
  },
  args: { least: 1, most: 1 },
  async run({ env, signal, stdout }, { values, args }) {
    const [name] = args as [string];
    const { inspectRemote } = await import('../../engine/imagetools/inspect.ts');
    const insecure = values.insecure ? { insecure: () => true } : {};
    try {
      const { document, manifests, images } = await inspectRemote(name, {
        env,
        signal,
        images: values.verbose,
        ...insecure,
      });
      if (!values.verbose) {
        // As Docker indents the one and the other.
        const indent = manifests === undefined ? '\t' : 3;
        stdout.write(`${safeJson(JSON.parse(document.bytes.toString('utf8')), indent)}\n`);
        return 0;
      }
      const entries = images.map((image) => verboseEntry(name, image));
      stdout.write(`${safeJson(manifests === undefined ? entries[0] : entries, '\t')}\n`);
      return 0;
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.kind !== 'not-found') throw error;
      throw new SlipwayError('not-found', `no such manifest: ${name}`, {
        code: 'MANIFEST_NOT_FOUND',
        cause: error,
      });
    }
  },
});

function verboseEntry(name: string, { descriptor, manifest, config }: RemoteImage): Record<string, unknown> {
  const text = manifest.toString('utf8');
  const { os, architecture, variant } = (config === undefined ? {} : JSON.parse(config.toString('utf8'))) as {
    os?: string;
    architecture?: string;
    variant?: string;
  };
  const platform = descriptor.platform ?? { architecture, os, ...(variant && { variant }) };
  const { mediaType, digest, size } = descriptor;
  const isOci = mediaType.includes('oci');
  return {
    Ref: descriptor.platform === undefined ? name : `${name.replace(/(?:@.*|:[^/:]*)$/, '')}@${digest}`,
    Descriptor: { mediaType, digest, size, platform },
    Raw: manifest.toString('base64'),
    [isOci ? 'OCIManifest' : 'SchemaV2Manifest']: JSON.parse(text),
  };
}
