import {
  type CstNode,
  CstParser,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
} from 'chevrotain';
import {
  As,
  allTokens,
  ChainedOnbuild,
  Destination,
  Directive,
  Flag,
  FlagsEnd,
  HealthCmd,
  HealthNone,
  HeredocBody,
  HeredocOpener,
  HeredocWord,
  JsonClose,
  JsonComma,
  JsonOpen,
  JsonOther,
  JsonString,
  keywordTokens,
  LegacyKey,
  LegacyValue,
  LineEnd,
  PairEquals,
  PairKey,
  PairValue,
  Text,
  UnknownKeyword,
  Word,
} from './tokens.ts';

/** The grammar of Dockerfiles over the tokens of the lexer. One token of lookahead decides everywhere. */
class DockerfileParser extends CstParser {
  dockerfile = this.RULE('dockerfile', () => {
    this.MANY(() => this.CONSUME(Directive));
    this.MANY2(() => this.SUBRULE(this.line));
  });

  /** One instruction with all its lines: what is parsed at once. */
  line = this.RULE('line', () => {
    this.OR([{ ALT: () => this.SUBRULE(this.instruction) }, { ALT: () => this.SUBRULE(this.onbuild) }]);
  });

  /** Everything but ONBUILD: also what may follow it. */
  instruction = this.RULE('instruction', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.from) },
      { ALT: () => this.SUBRULE(this.run) },
      { ALT: () => this.SUBRULE(this.command) },
      { ALT: () => this.SUBRULE(this.shell) },
      { ALT: () => this.SUBRULE(this.healthcheck) },
      { ALT: () => this.SUBRULE(this.copy) },
      { ALT: () => this.SUBRULE(this.variables) },
      { ALT: () => this.SUBRULE(this.arg) },
      { ALT: () => this.SUBRULE(this.expose) },
      { ALT: () => this.SUBRULE(this.volume) },
      { ALT: () => this.SUBRULE(this.value) },
      { ALT: () => this.SUBRULE(this.unknown) },
    ]);
  });

  onbuild = this.RULE('onbuild', () => {
    this.CONSUME(keywordTokens.ONBUILD);
    this.SUBRULE(this.flags);
    this.OR([{ ALT: () => this.SUBRULE(this.instruction) }, { ALT: () => this.SUBRULE(this.chained) }]);
  });

  /** A second ONBUILD, which is refused: so nesting has no depth. */
  chained = this.RULE('chained', () => {
    this.CONSUME(ChainedOnbuild);
    this.SUBRULE(this.flags);
    this.OPTION(() => this.CONSUME(Text));
    this.CONSUME(LineEnd);
  });

  from = this.RULE('from', () => {
    this.CONSUME(keywordTokens.FROM);
    this.SUBRULE(this.flags);
    this.CONSUME(Word);
    this.OPTION(() => {
      this.CONSUME(As);
      this.CONSUME2(Word);
    });
    this.CONSUME(LineEnd);
  });

  run = this.RULE('run', () => {
    this.CONSUME(keywordTokens.RUN);
    this.SUBRULE(this.flags);
    this.OR([
      { ALT: () => this.SUBRULE(this.jsonArray) },
      {
        ALT: () =>
          this.MANY(() =>
            this.OR2([{ ALT: () => this.CONSUME(Text) }, { ALT: () => this.CONSUME(HeredocOpener) }]),
          ),
      },
    ]);
    this.SUBRULE(this.endWithBodies);
  });

  command = this.RULE('command', () => {
    this.OR([
      { ALT: () => this.CONSUME(keywordTokens.CMD) },
      { ALT: () => this.CONSUME(keywordTokens.ENTRYPOINT) },
    ]);
    this.SUBRULE(this.flags);
    this.OPTION(() =>
      this.OR2([{ ALT: () => this.SUBRULE(this.jsonArray) }, { ALT: () => this.CONSUME(Text) }]),
    );
    this.CONSUME(LineEnd);
  });

  shell = this.RULE('shell', () => {
    this.CONSUME(keywordTokens.SHELL);
    this.SUBRULE(this.flags);
    this.SUBRULE(this.jsonArray);
    this.CONSUME(LineEnd);
  });

  healthcheck = this.RULE('healthcheck', () => {
    this.CONSUME(keywordTokens.HEALTHCHECK);
    this.SUBRULE(this.flags);
    this.OR([
      { ALT: () => this.CONSUME(HealthNone) },
      {
        ALT: () => {
          this.CONSUME(HealthCmd);
          this.OR2([{ ALT: () => this.SUBRULE(this.jsonArray) }, { ALT: () => this.CONSUME(Text) }]);
        },
      },
    ]);
    this.CONSUME(LineEnd);
  });

  copy = this.RULE('copy', () => {
    this.OR([
      { ALT: () => this.CONSUME(keywordTokens.COPY) },
      { ALT: () => this.CONSUME(keywordTokens.ADD) },
    ]);
    this.SUBRULE(this.flags);
    this.OR2([
      { ALT: () => this.SUBRULE(this.jsonArray) },
      {
        ALT: () => {
          this.AT_LEAST_ONE(() =>
            this.OR3([{ ALT: () => this.CONSUME(Word) }, { ALT: () => this.CONSUME(HeredocWord) }]),
          );
          this.CONSUME(Destination);
        },
      },
    ]);
    this.SUBRULE(this.endWithBodies);
  });

  /** ENV and LABEL. */
  variables = this.RULE('variables', () => {
    this.OR([
      { ALT: () => this.CONSUME(keywordTokens.ENV) },
      { ALT: () => this.CONSUME(keywordTokens.LABEL) },
    ]);
    this.SUBRULE(this.flags);
    this.OR2([
      { ALT: () => this.AT_LEAST_ONE(() => this.SUBRULE(this.pair)) },
      {
        ALT: () => {
          this.CONSUME(LegacyKey);
          this.CONSUME(LegacyValue);
        },
      },
    ]);
    this.CONSUME(LineEnd);
  });

  pair = this.RULE('pair', () => {
    this.CONSUME(PairKey);
    this.CONSUME(PairEquals);
    this.OPTION(() => this.CONSUME(PairValue));
  });

  arg = this.RULE('arg', () => {
    this.CONSUME(keywordTokens.ARG);
    this.SUBRULE(this.flags);
    this.AT_LEAST_ONE(() => this.SUBRULE(this.declaration));
    this.CONSUME(LineEnd);
  });

  declaration = this.RULE('declaration', () => {
    this.CONSUME(PairKey);
    this.OPTION(() => {
      this.CONSUME(PairEquals);
      this.OPTION2(() => this.CONSUME(PairValue));
    });
  });

  expose = this.RULE('expose', () => {
    this.CONSUME(keywordTokens.EXPOSE);
    this.SUBRULE(this.flags);
    this.AT_LEAST_ONE(() => this.CONSUME(Word));
    this.CONSUME(LineEnd);
  });

  volume = this.RULE('volume', () => {
    this.CONSUME(keywordTokens.VOLUME);
    this.SUBRULE(this.flags);
    this.OR([
      { ALT: () => this.SUBRULE(this.jsonArray) },
      { ALT: () => this.AT_LEAST_ONE(() => this.CONSUME(Word)) },
    ]);
    this.CONSUME(LineEnd);
  });

  /** Instructions whose whole rest is one value. */
  value = this.RULE('value', () => {
    this.OR([
      { ALT: () => this.CONSUME(keywordTokens.USER) },
      { ALT: () => this.CONSUME(keywordTokens.WORKDIR) },
      { ALT: () => this.CONSUME(keywordTokens.STOPSIGNAL) },
      { ALT: () => this.CONSUME(keywordTokens.MAINTAINER) },
    ]);
    this.SUBRULE(this.flags);
    this.CONSUME(Text);
    this.CONSUME(LineEnd);
  });

  unknown = this.RULE('unknown', () => {
    this.CONSUME(UnknownKeyword);
    this.SUBRULE(this.flags);
    this.OPTION(() => this.CONSUME(Text));
    this.CONSUME(LineEnd);
  });

  flags = this.RULE('flags', () => {
    this.MANY(() => this.CONSUME(Flag));
    this.OPTION(() => this.CONSUME(FlagsEnd));
  });

  jsonArray = this.RULE('jsonArray', () => {
    this.CONSUME(JsonOpen);
    this.MANY_SEP({
      SEP: JsonComma,
      DEF: () => this.OR([{ ALT: () => this.CONSUME(JsonString) }, { ALT: () => this.CONSUME(JsonOther) }]),
    });
    this.CONSUME(JsonClose);
  });

  endWithBodies = this.RULE('endWithBodies', () => {
    this.CONSUME(LineEnd);
    this.MANY(() => this.CONSUME(HeredocBody));
  });

  constructor(skipValidations: boolean) {
    super(allTokens, { maxLookahead: 1, skipValidations, errorMessageProvider });
    this.performSelfAnalysis();
  }
}

/** The texts are made from the errors themselves, in Docker's words; chevrotain's own would only cost time. */
const errorMessageProvider: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: () => '',
  buildNotAllInputParsedMessage: () => '',
  buildNoViableAltMessage: () => '',
  buildEarlyExitMessage: () => '',
};

let parser: DockerfileParser | undefined;

/** A complaint of the grammar; all of chevrotain's kinds know the token before. */
export type GrammarError = IRecognitionException & { previousToken?: IToken };

/** The concrete tree of one instruction, or why there is none. */
export type ConcreteTree = { node: CstNode } | { error: GrammarError };

/**
 * Runs the grammar over the tokens of one instruction. As each instruction is read by itself, an error in one cannot
 * spread to the next. The parser is made once and used again.
 */
export function parseInstruction(tokens: IToken[]): ConcreteTree {
  parser ??= new DockerfileParser(true);
  const { stackTraceLimit } = Error;
  // A file can have an error on each of a hundred thousand lines, and nobody reads where in the parser they arose.
  Error.stackTraceLimit = 0;
  try {
    parser.input = tokens;
    const node = parser.line();
    const error = parser.errors[0];
    return error === undefined ? { node } : { error };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The rules of the grammar as data, checked by chevrotain; for diagrams and tests. */
export function grammarRules(): ReturnType<CstParser['getSerializedGastProductions']> {
  return new DockerfileParser(false).getSerializedGastProductions();
}
