import { SlipwayError } from '../../errors/index.ts';
import { familiarName, parseReference } from '../../image/reference.ts';
import { BuildHistory } from '../../record/history.ts';
import { listImages } from '../../store/images.ts';
import { defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';

/** `slipway completion` */
export const completion = defineCommand({
  usage: 'bash|fish|zsh',
  flags: {},
  args: { least: 1, most: 1 },
  async run(context, { args }) {
    const { completionScript, SHELLS } = await import('../completion/scripts.ts');
    const shell = SHELLS.find((name) => name === args[0]);
    if (shell === undefined) {
      throw new SlipwayError('usage', `no completion for ${JSON.stringify(args[0])}`, {
        code: 'SHELL_UNKNOWN',
        hint: `Shells: ${SHELLS.join(', ')}.`,
      });
    }
    context.stdout.write(completionScript(shell));
    return 0;
  },
});

/** What the scripts of `slipway completion` ask; see there for its output. */
export const completeWords = defineCommand({
  usage: '-- WORD...',
  flags: {},
  args: { least: 1 },
  async run({ root, stdout }, { args }) {
    const { complete } = await import('../completion/complete.ts');
    const { candidates, files } = await complete(args, {
      images: () => imageNames(root),
      builds: () => buildIds(root),
    });
    const lines = candidates.map(({ word, about }) => (about === '' ? word : `${word}\t${about}`));
    stdout.write([files ? 'files' : 'words', ...lines].map((line) => `${line}\n`).join(''));
    return 0;
  },
});

/** As people write them: without the tag that is meant anyway too. */
function imageNames(root: string): string[] {
  return quietly(() => {
    const images = withExistingStore(root, (store) => (store === undefined ? [] : listImages(store)));
    const names = images.flatMap(({ tags }) => tags.map((tag) => parseReference(tag)));
    const words = names.flatMap((name) => {
      const short = familiarName(name);
      return name.tag === 'latest' ? [short, `${short}:latest`] : [`${short}:${name.tag}`];
    });
    return [...new Set(words)].sort();
  });
}

function buildIds(root: string): string[] {
  return quietly(() => new BuildHistory(root).all().map(({ id }) => id));
}

/** A store that cannot be read has nothing to offer, and a shell no place for an error. */
function quietly(list: () => string[]): string[] {
  try {
    return list();
  } catch {
    return [];
  }
}
