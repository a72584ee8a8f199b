import type { Keyword } from './ast.ts';

/** How the arguments of an instruction are read: the lexer mode that its keyword opens. */
export type ArgumentMode =
  | 'words'
  | 'paths'
  | 'volumes'
  | 'pairs'
  | 'command'
  | 'health'
  | 'value'
  | 'trigger';

/** Every instruction with its lexer mode. */
export const argumentModes: Readonly<Record<Keyword, ArgumentMode>> = {
  FROM: 'words',
  RUN: 'command',
  CMD: 'command',
  LABEL: 'pairs',
  MAINTAINER: 'value',
  EXPOSE: 'words',
  ENV: 'pairs',
  ADD: 'paths',
  COPY: 'paths',
  ENTRYPOINT: 'command',
  VOLUME: 'volumes',
  USER: 'value',
  WORKDIR: 'value',
  ARG: 'pairs',
  ONBUILD: 'trigger',
  STOPSIGNAL: 'value',
  HEALTHCHECK: 'health',
  SHELL: 'command',
};

export const keywords = Object.keys(argumentModes) as Keyword[];

/** A string flag may stand once, a list flag often; a boolean one may lack its value. */
export type FlagType = 'string' | 'boolean' | 'list';

/** The flags of each instruction; the others have none (SPEC 1.3, 1.8, 1.11, 1.14). */
export const flagTypes: Readonly<Partial<Record<Keyword, Readonly<Record<string, FlagType>>>>> = {
  FROM: { platform: 'string' },
  RUN: { mount: 'list', network: 'string', security: 'string', device: 'list' },
  COPY: {
    from: 'string',
    chown: 'string',
    chmod: 'string',
    link: 'boolean',
    parents: 'boolean',
    exclude: 'list',
  },
  ADD: {
    chown: 'string',
    chmod: 'string',
    link: 'boolean',
    'keep-git-dir': 'boolean',
    checksum: 'string',
    unpack: 'boolean',
    exclude: 'list',
  },
  HEALTHCHECK: {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  },
};

/** These never look at their flags (SPEC 1.3); HEALTHCHECK NONE neither. */
export const flagBlind: ReadonlySet<Keyword> = new Set<Keyword>(['ARG', 'STOPSIGNAL']);
