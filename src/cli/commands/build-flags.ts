import type { FlagTable } from '../flags/definition.ts';
import { imageFlags } from './build-image-flags.ts';
import { stepFlags } from './build-step-flags.ts';

const NO_ATTESTATIONS = 'this version makes no attestations';
const NO_DAEMON = 'there is no daemon';

/**
 * The flags of `build`: Docker's and buildx's whole set, so that none is ever silently ignored, and `--jobs` of
 * buildah. What cannot be had says why.
 */
export const buildFlags = {
  allow: {
    type: 'list',
    usage: 'Allow extra privileged entitlement ("network.host", "security.insecure", "device")',
  },
  'all-stages': { type: 'bool', usage: 'Build all stages, also those that the target does not need' },
  ...stepFlags,
  ...imageFlags,
  'build-arg': { type: 'list', usage: 'Set build-time variables' },
  'build-context': {
    type: 'list',
    usage: 'Additional build contexts (e.g., name=path, name=target:path#stage)',
  },
  'cache-from': {
    type: 'list',
    usage: 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")',
  },
  'cache-to': {
    type: 'list',
    usage: 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")',
  },
  'build-arg-file': { type: 'list', usage: 'Read build-time variables from a file of "key=value" lines' },
  debug: { type: 'bool', short: 'D', usage: 'Enable debug logging' },
  explain: {
    type: 'string',
    alone: 'text',
    valueName: 'string',
    usage: 'Say at the end why steps ran ("text" on standard error, "json" on standard output)',
  },
  file: { type: 'string', short: 'f', usage: 'Name of the Dockerfile (default: "PATH/Dockerfile")' },
  'ignore-from': {
    type: 'string',
    usage: 'Also leave out of the context what these rules hide ("gitignore")',
  },
  iidfile: { type: 'string', usage: 'Write the image ID to a file' },
  'ignore-syntax': {
    type: 'bool',
    usage: 'Read the file as a Dockerfile whatever frontend its "syntax" line asks for',
  },
  isolation: {
    type: 'string',
    usage: 'Isolation of the "RUN" instructions ("auto", "none"); none is for the root of a container',
  },
  jobs: { type: 'int', usage: 'Steps to run at the same time (default: by the number of processors)' },
  load: { type: 'bool', usage: 'Shorthand for "--output=type=docker"' },
  push: { type: 'bool', usage: 'Shorthand for "--output=type=registry"' },
  'memory-budget': {
    type: 'string',
    usage: 'Memory that steps at the same time may need together, by earlier runs (format: "4g")',
  },
  'metadata-file': { type: 'string', usage: 'Write build result metadata to a file' },
  network: {
    type: 'string',
    default: 'default',
    usage: 'Set the networking mode for the "RUN" instructions during build ("default", "host", "none")',
  },
  'no-cache': { type: 'bool', usage: 'Do not use cache when building the image' },
  'no-cache-filter': { type: 'list', usage: 'Do not cache specified stages' },
  'normalize-modes': {
    type: 'bool',
    usage:
      'Copy files of the context with mode 0644 or 0755 and directories with 0755, whatever the umask was',
  },
  output: {
    type: 'list',
    short: 'o',
    usage: 'Output destination (format: "type=local,dest=path")',
  },
  platform: { type: 'strings', usage: 'Set target platform for build' },
  progress: {
    type: 'string',
    default: 'auto',
    usage: 'Set type of progress output ("auto", "classic", "none", "plain", "quiet", "rawjson", "tty")',
  },
  pull: {
    type: 'bool',
    usage: 'Always attempt to pull all referenced images',
  },
  quiet: { type: 'bool', short: 'q', usage: 'Suppress the build output and print image ID on success' },
  runtime: {
    type: 'string',
    default: 'auto',
    usage: 'Runtime of the "RUN" instructions ("auto", "crun", "embedded", "runc")',
  },
  'reset-cache-mounts': {
    type: 'bool',
    usage: 'Empty cache mounts before the build first uses them ("--no-cache" keeps them)',
  },
  secret: {
    type: 'list',
    usage: 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")',
  },
  ssh: {
    type: 'list',
    usage:
      'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")',
  },
  tag: { type: 'list', short: 't', usage: 'Name and optionally a tag (format: "name:tag")' },
  target: {
    type: 'list',
    valueName: 'string',
    usage: 'Set the target build stage to build; of several, each has the --tag and --output that follow it',
  },

  'force-rm': bool('a build leaves no intermediate containers'),
  compress: bool('there is no daemon to send the context to'),
  'disable-content-trust': { ...bool('there is no content trust to disable'), default: 'true' },
  'security-opt': {
    ...bool('write "RUN --security=insecure" and give --allow security.insecure'),
    type: 'list',
  },
  rm: { ...bool('a build leaves no intermediate containers'), default: 'true' },

  attest: { ...refusedList(NO_ATTESTATIONS), unless: turnsOff },
  builder: { ...refused(NO_DAEMON), unless: (value) => value === 'default' || value === '' },
  call: refused('this version only builds'),
  check: refusedBool('this version only builds'),
  policy: refusedList('this version knows no policies about sources'),
  provenance: { ...refused(NO_ATTESTATIONS), alone: 'true', unless: turnsOff },
  sbom: { ...refused(NO_ATTESTATIONS), alone: 'true', unless: turnsOff },
} as const satisfies FlagTable;

/** `false`, and `disabled=true` among the keys of an attestation. */
function turnsOff(value: string): boolean {
  return isFalse(value) || /(?:^|,)\s*disabled=(?:true|1)\s*(?:,|$)/.test(value);
}

function isFalse(value: string): boolean {
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value);
}

function bool(ineffective: string) {
  return { type: 'bool', usage: '', hidden: true, ineffective } as const;
}

function refused(why: string) {
  return { type: 'string', usage: '', refused: why } as const;
}

function refusedBool(why: string) {
  return { type: 'bool', usage: '', refused: why } as const;
}

function refusedList(why: string) {
  return { type: 'list', usage: '', refused: why } as const;
}
