import { type CstNode, CstParser, type IRecognitionException, type IToken, type TokenType } from 'chevrotain';
import {
  AnyKeyword,
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

/**
 * The grammar of Dockerfiles over the tokens of the lexer. One token of lookahead decides everywhere. After an error
 * the parser goes on with the next instruction.
 */
class DockerfileParser extends CstParser {
  dockerfile = this.RULE('dockerfile', () => {
    this.MANY(() =>
      this.OR([
        { ALT: () => this.CONSUME(Directive) },
        { ALT: () => this.SUBRULE(this.instruction) },
        { ALT: () => this.SUBRULE(this.onbuild) },
      ]),
    );
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
    super(allTokens, { recoveryEnabled: true, maxLookahead: 1, skipValidations });
    this.performSelfAnalysis();
  }

  /** A made-up token would give an instruction words that nobody wrote. */
  protected override canTokenTypeBeInsertedInRecovery(_type: TokenType): boolean {
    return false;
  }
}

let parser: DockerfileParser | undefined;

/** A complaint of the grammar; all of chevrotain's kinds know the token before. */
export type GrammarError = IRecognitionException & { previousToken?: IToken };

/** The concrete tree of a file with the grammar's complaints. */
export interface ConcreteTree {
  tree: CstNode;
  errors: GrammarError[];
}

/** Runs the grammar over the tokens of a file. The parser is made once and used again. */
export function parseTokens(tokens: IToken[]): ConcreteTree {
  parser ??= new DockerfileParser(true);
  parser.input = tokens;
  const tree = parser.dockerfile();
  return { tree, errors: parser.errors };
}

/** The rules of the grammar as data, checked by chevrotain; for diagrams and tests. */
export function grammarRules(): ReturnType<CstParser['getSerializedGastProductions']> {
  return new DockerfileParser(false).getSerializedGastProductions();
}

/** True for the token that begins an instruction. */
export function isKeyword(token: IToken): boolean {
  return token.tokenType === UnknownKeyword || (token.tokenType.CATEGORIES ?? []).includes(AnyKeyword);
}
