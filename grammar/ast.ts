import type { SourcePosition, SourceRange } from '../src/errors/index.ts';

/**
 * The syntax tree of a Dockerfile: plain data that survives JSON. Every node has its exact place in the source
 * (offsets and columns in UTF-16 units, lines and columns from 1, `end` exclusive). Nothing is expanded, and no
 * quote is removed except where the syntax itself does so (flags and JSON strings).
 */

/** The character that escapes and that continues lines. */
export type EscapeCharacter = '\\' | '`';

/** A whole file. `instructions` leaves out what the grammar could not read; `errors` of `parse` says why. */
export interface Dockerfile {
  kind: 'dockerfile';
  range: SourceRange;
  escape: EscapeCharacter;
  directives: Directive[];
  instructions: Instruction[];
  /** Every comment of the file in order, those inside continued instructions too. */
  comments: Comment[];
}

export type DirectiveName = 'syntax' | 'escape' | 'check';

/** A parser directive: `# name=value`. */
export interface Directive {
  kind: 'directive';
  name: DirectiveName;
  value: string;
  range: SourceRange;
  valueRange: SourceRange;
}

/** A comment line; `text` is what follows `#`, trimmed. The range covers `#` to the end of the line. */
export interface Comment {
  kind: 'comment';
  text: string;
  range: SourceRange;
}

/**
 * A piece of an instruction's text as written, with continuations taken out. In the JSON form `text` is the
 * decoded string and the range covers the literal with its quotes.
 */
export interface Word {
  text: string;
  range: SourceRange;
  /** Where the word (or its JSON literal) begins in the `text` of its instruction, in UTF-16 units. */
  offset: number;
}

/** `--name`, `--name=value`: quotes and escapes are removed from both; `value` is absent without `=`. */
export interface Flag {
  name: string;
  value: string | undefined;
  range: SourceRange;
  /** The raw text behind `=`, quotes included. */
  valueRange?: SourceRange;
}

/** A here-document. */
export interface Heredoc {
  name: string;
  /** The descriptor number before `<<`, when written. */
  fd?: number;
  /** `<<-`: leading tabs are dropped. `content` still has them: a shell strips them by itself, COPY needs `stripTabs`. */
  stripTabs: boolean;
  /** Some part of the name was quoted: the content is not expanded. */
  quoted: boolean;
  /** The lines between opener and terminator exactly as in the file, carriage returns and the last line break included. */
  content: string;
  contentRange: SourceRange;
  /** The word with `<<` on the instruction's line. */
  openerRange: SourceRange;
  /** Where the opener begins in the instruction's `text`, and how long it is there. */
  opener: { offset: number; length: number };
}

/** `text` from `offset` on lies at `position` in the file, up to the next segment. A segment lies on one line. */
export interface TextSegment {
  offset: number;
  position: SourcePosition;
}

/** What all instructions have. */
export interface InstructionBase {
  kind: 'instruction';
  /** From the keyword to the end of the last line, here-documents and their terminators included. */
  range: SourceRange;
  keywordRange: SourceRange;
  /** The instruction word as written: `run`, `Run`. */
  word: string;
  flags: Flag[];
  /** The logical rest behind the flags, trimmed: lines joined, continuations and comments gone, spacing kept. */
  text: string;
  /** The whole logical line, trimmed, without here-document bodies: for titles and history. */
  original: string;
  /** Places of `text` in the file; see `rangeInText`. */
  textMap: TextSegment[];
  /** The comment block that belongs to the instruction (since the previous instruction, or the last bare `#`). */
  comments: Comment[];
  heredocs: Heredoc[];
  /** Blank lines inside the continued instruction (deprecated by Docker). */
  emptyContinuations: SourceRange[];
}

/** The two ways to write a command. `argRanges` are the literals of `args`. */
export type CommandForm =
  | { form: 'exec'; args: string[]; argRanges: SourceRange[] }
  /** The command is the instruction's `text` (for HEALTHCHECK: `command`), plus its here-documents. */
  | { form: 'shell' };

/** A key with its value, as written: neither expanded nor unquoted. */
export interface Pair {
  key: Word;
  /** Absent only in `ARG name`. An empty value (`a=`) is a word with empty text. */
  value?: Word;
  range: SourceRange;
}

export interface FromInstruction extends InstructionBase {
  keyword: 'FROM';
  image: Word;
  /** The word `AS` as written, with `alias`. */
  as?: Word;
  /** The stage name as written (Docker lower-cases it). */
  alias?: Word;
}

export type RunInstruction = InstructionBase & { keyword: 'RUN' } & CommandForm;
export type CmdInstruction = InstructionBase & { keyword: 'CMD' } & CommandForm;
export type EntrypointInstruction = InstructionBase & { keyword: 'ENTRYPOINT' } & CommandForm;

/** SHELL has the JSON form only. */
export interface ShellInstruction extends InstructionBase {
  keyword: 'SHELL';
  form: 'exec';
  args: string[];
  argRanges: SourceRange[];
}

export type HealthcheckInstruction = InstructionBase & { keyword: 'HEALTHCHECK' } & (
    | { none: true }
    | ({
        none: false;
        /** What follows `CMD`, as a word of `text`. */
        command: Word;
      } & CommandForm)
  );

/** A source of COPY or ADD: a path, or a here-document (index into `heredocs`). */
export type CopySource = (Word & { heredoc?: undefined }) | (Word & { heredoc: number });

export interface CopyInstruction extends InstructionBase {
  keyword: 'COPY' | 'ADD';
  form: 'json' | 'plain';
  /** In the order written. */
  sources: CopySource[];
  destination: Word;
}

export interface PairsInstruction extends InstructionBase {
  keyword: 'ENV' | 'LABEL' | 'ARG';
  pairs: Pair[];
  /** The old form `ENV key rest of the line`: one pair. Never for ARG. */
  legacy: boolean;
}

export interface ExposeInstruction extends InstructionBase {
  keyword: 'EXPOSE';
  words: Word[];
}

export interface VolumeInstruction extends InstructionBase {
  keyword: 'VOLUME';
  form: 'json' | 'plain';
  words: Word[];
}

export interface ValueInstruction extends InstructionBase {
  keyword: 'USER' | 'WORKDIR' | 'STOPSIGNAL' | 'MAINTAINER';
  /** The whole rest of the line. */
  value: Word;
}

export interface OnbuildInstruction extends InstructionBase {
  keyword: 'ONBUILD';
  /** What the image stores: the trigger with the bodies of its here-documents. `parseTrigger` reads it back. */
  trigger: string;
  /** The trigger, parsed; absent when it has errors, which Docker reports only when the trigger runs. */
  instruction?: Instruction;
  /** Those errors. */
  triggerErrors: ParseError[];
}

/** Discriminated by `keyword`. */
export type Instruction =
  | FromInstruction
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | ShellInstruction
  | HealthcheckInstruction
  | CopyInstruction
  | PairsInstruction
  | ExposeInstruction
  | VolumeInstruction
  | ValueInstruction
  | OnbuildInstruction;

export type Keyword = Instruction['keyword'];

/** An error of a Dockerfile, as data. `message` has Docker's text without its prefix and without the suggestion. */
export interface ParseError {
  message: string;
  code: ParseErrorCode;
  /** What to do about it, as a sentence. */
  hint?: string;
  /** The nearest known word, for "did you mean". */
  suggestion?: string;
  /** The words that are wrong. */
  range: SourceRange;
  /** The line on which the instruction (or directive) begins: the one that Docker's message names. */
  line: number;
}

/** Stable codes of everything that `parse` can report. */
export type ParseErrorCode =
  | 'EMPTY_FILE'
  | 'NO_INSTRUCTIONS'
  | 'NO_STAGES'
  | 'NO_BUILD_STAGE'
  | 'LINE_TOO_LONG'
  | 'DUPLICATE_DIRECTIVE'
  | 'INVALID_ESCAPE'
  | 'UNKNOWN_INSTRUCTION'
  | 'UNKNOWN_FLAG'
  | 'DUPLICATE_FLAG'
  | 'MISSING_FLAG_VALUE'
  | 'INVALID_BOOLEAN_FLAG'
  | 'WRONG_ARGUMENT_COUNT'
  | 'INVALID_STAGE_NAME'
  | 'MISSING_EQUALS'
  | 'MISSING_SECOND_ARGUMENT'
  | 'BLANK_NAME'
  | 'NOT_JSON'
  | 'JSON_NOT_STRINGS'
  | 'HEALTHCHECK_TYPE'
  | 'HEALTHCHECK_COMMAND'
  | 'FORBIDDEN_TRIGGER'
  | 'HEREDOC_DESTINATION'
  | 'UNTERMINATED_HEREDOC'
  | 'EMPTY_VOLUME'
  | 'SYNTAX';
