import { goQuote } from './go-text.ts';
import { didYouMean } from './suggest.ts';

/** A rule of the build checks (SPEC section 2). */
export interface CheckRule {
  description: string;
  /** Off unless asked for. */
  experimental?: true;
}

const DOCS = 'https://docs.docker.com/go/dockerfile/rule/';

/** Every rule by its name. */
export const CHECKS = {
  StageNameCasing: { description: 'Stage names should be lowercase' },
  FromAsCasing: { description: "The 'as' keyword should match the case of the 'from' keyword" },
  NoEmptyContinuation: { description: 'Empty continuation lines will become errors in a future release' },
  ConsistentInstructionCasing: {
    description: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  },
  DuplicateStageName: { description: 'Stage names should be unique' },
  ReservedStageName: { description: 'Reserved words should not be used as stage names' },
  JSONArgsRecommended: {
    description:
      'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  },
  MaintainerDeprecated: {
    description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  },
  UndefinedArgInFrom: { description: 'FROM command must use declared ARGs' },
  WorkdirRelativePath: {
    description:
      'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  },
  UndefinedVar: { description: 'Variables should be defined before their use' },
  MultipleInstructionsDisallowed: {
    description: 'Multiple instructions of the same type should not be used in the same stage',
  },
  LegacyKeyValueFormat: {
    description: 'Legacy key/value format with whitespace separator should not be used',
  },
  InvalidBaseImagePlatform: { description: 'Base image platform does not match expected target platform' },
  RedundantTargetPlatform: {
    description:
      'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  },
  SecretsUsedInArgOrEnv: { description: 'Sensitive data should not be used in the ARG or ENV commands' },
  InvalidDefaultArgInFrom: {
    description: 'Default value for global ARG results in an empty or invalid base image name',
  },
  FromPlatformFlagConstDisallowed: {
    description: 'FROM --platform flag should not use a constant value',
  },
  CopyIgnoredFile: { description: 'Attempting to Copy file that is excluded by .dockerignore' },
  InvalidDefinitionDescription: {
    description:
      'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
    experimental: true,
  },
  ExposeProtoCasing: { description: 'Protocol in EXPOSE instruction should be lowercase' },
  ExposeInvalidFormat: {
    description:
      'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
  },
} as const satisfies Record<string, CheckRule>;

export type CheckName = keyof typeof CHECKS;

/** Address of a rule's page in Docker's documentation. */
export function checkUrl(name: CheckName): string {
  const slug = name.replace(/^JSON/, 'Json').replace(/(?!^)([A-Z])/g, '-$1');
  return `${DOCS}${slug.toLowerCase()}/`;
}

/** The text of a finding, in Docker's words. */
export const checkMessage = {
  StageNameCasing: (name: string) => `Stage name '${name}' should be lowercase`,
  FromAsCasing: (from: string, as: string) => `'${as}' and '${from}' keywords' casing do not match`,
  NoEmptyContinuation: () => 'Empty continuation line',
  ConsistentInstructionCasing: (word: string, majority: 'lowercase' | 'uppercase') =>
    `Command '${word}' should match the case of the command majority (${majority})`,
  DuplicateStageName: (name: string) => `Duplicate stage name ${goQuote(name)}, stage names should be unique`,
  ReservedStageName: (name: string) =>
    `Stage name should not use the same name as reserved stage ${goQuote(name)}`,
  JSONArgsRecommended: (keyword: string) =>
    `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`,
  MaintainerDeprecated: () => 'Maintainer instruction is deprecated in favor of using label',
  UndefinedArgInFrom: (name: string, near: string | undefined) =>
    `FROM argument '${name}' is not declared${didYouMean(near)}`,
  WorkdirRelativePath: (path: string) =>
    `Relative workdir ${goQuote(path)} can have unexpected results if the base image changes`,
  UndefinedVar: (name: string, near: string | undefined) =>
    `Usage of undefined variable '$${name}'${didYouMean(near === undefined ? undefined : `$${near}`)}`,
  MultipleInstructionsDisallowed: (keyword: string) =>
    `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
  LegacyKeyValueFormat: (keyword: string) =>
    `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
  InvalidBaseImagePlatform: (image: string, actual: string, expected: string) =>
    `Base image ${image} was pulled with platform ${goQuote(actual)}, expected ${goQuote(expected)} for current build`,
  RedundantTargetPlatform: (expression: string) =>
    `Setting platform to predefined ${expression} in FROM is redundant as this is the default behavior`,
  SecretsUsedInArgOrEnv: (keyword: string, key: string) =>
    `Do not use ARG or ENV instructions for sensitive data (${keyword} ${goQuote(key)})`,
  InvalidDefaultArgInFrom: (name: string) =>
    `Default value for ARG ${name} results in empty or invalid base image name`,
  FromPlatformFlagConstDisallowed: (platform: string) =>
    `FROM --platform flag should not use constant value ${goQuote(platform)}`,
  CopyIgnoredFile: (command: 'Copy' | 'Add', path: string) =>
    `Attempting to ${command} file ${goQuote(path)} that is excluded by .dockerignore`,
  InvalidDefinitionDescription: (keyword: string, name: string) =>
    `Comment for ${keyword} should follow the format: \`# ${name} <description>\``,
  ExposeProtoCasing: (port: string) => `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
  ExposeInvalidFormat: (port: string) =>
    `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
} satisfies Record<CheckName, (...parts: never[]) => string>;

const SECRET_WORD =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS_WORD = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** True for names like `API_KEY` or `db_password`, false for `PUBLIC_KEY`. */
export function looksSecret(name: string): boolean {
  return SECRET_WORD.test(name) && !HARMLESS_WORD.test(name);
}
