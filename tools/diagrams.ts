import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ISerializedGast } from 'chevrotain';
import { grammarRules } from '../grammar/parser.ts';
import { box, choice, diagram, optional, repeated, sequence, type Track } from './railroad.ts';

/** What a diagram cannot show, per rule. */
const notes: Readonly<Record<string, string>> = {
  dockerfile: 'Directives stand at the head only. Comments and blank lines may stand between lines anywhere.',
  line: 'One instruction with all its continued lines and the bodies of its here-documents.',
  onbuild: 'What follows is judged only when it runs: until then any instruction word will do.',
  chained: 'Read, and then refused.',
  from: '`AS` in any case.',
  run: 'The JSON form is taken only when the whole rest is JSON; anything else is text.',
  command: 'Text may be missing.',
  shell: 'JSON form only.',
  healthcheck: '`NONE` and `CMD` in any case. `NONE` does not look at flags.',
  copy: 'Plain words are parted by blanks alone: paths with blanks need the JSON form.',
  variables:
    'The old form is chosen when the first word has no `=`. Quotes and escapes keep blanks inside a word.',
  arg: 'Flags are not looked at.',
  value: 'The whole rest of the line is one value. `STOPSIGNAL` does not look at flags.',
  unknown: 'Read, and then refused with the nearest known word.',
  flags: 'Words that begin with two hyphens. Quotes and escapes in them are removed. `--` alone ends them.',
  jsonArray: 'Anything but strings is refused.',
  endWithBodies:
    'Bodies follow in the order of their openers. Each ends with a line that holds its name alone.',
};

type Node = ISerializedGast & {
  name?: string;
  label?: string;
  nonTerminalName?: string;
  separator?: Node;
  definition?: Node[];
};

function track(node: Node): Track {
  const inner = (): Track => sequence((node.definition ?? []).map(track));
  switch (node.type) {
    case 'Terminal':
      return box(node.label ?? node.name ?? '', 'token');
    case 'NonTerminal':
      return box(node.name ?? '', 'rule');
    case 'Alternation':
      return choice((node.definition ?? []).map(track));
    case 'Option':
      return optional(inner());
    case 'Repetition':
      return optional(repeated(inner()));
    case 'RepetitionMandatory':
      return repeated(inner());
    case 'RepetitionWithSeparator':
      return optional(repeated(inner(), track(node.separator!)));
    case 'RepetitionMandatoryWithSeparator':
      return repeated(inner(), track(node.separator!));
    default:
      return inner();
  }
}

/** The files of the grammar's documentation, by path below docs/. */
export function diagramFiles(): Map<string, string> {
  const rules = grammarRules() as Node[];
  const files = new Map<string, string>();
  const sections = rules.map((rule) => {
    const name = rule.name!;
    files.set(`grammar/${name}.svg`, diagram(track(rule)));
    const note = notes[name];
    return `## ${name}\n\n${note === undefined ? '' : `${note}\n\n`}![${name}](grammar/${name}.svg)\n`;
  });
  const head = `# The grammar of Dockerfiles

Made from the parser by \`npm run diagrams\`; a test fails when it is not up to date. Round boxes are words as they
stand in the file, square boxes are rules of this page. Before the grammar sees a line, its continuations are joined
and the comments and blank lines inside it are taken out; blanks between words are not shown.
`;
  files.set('grammar.md', [head, ...sections].join('\n'));
  return files;
}

if (import.meta.main) {
  const docs = join(import.meta.dirname, '../docs');
  mkdirSync(join(docs, 'grammar'), { recursive: true });
  for (const name of readdirSync(join(docs, 'grammar'))) rmSync(join(docs, 'grammar', name));
  for (const [path, text] of diagramFiles()) writeFileSync(join(docs, path), text);
}
