/** A parsed template: what to print and do, in order. */
export type Node = TextNode | ActionNode | IfNode | WithNode | RangeNode | TemplateNode | JumpNode;

export interface TextNode {
  kind: 'text';
  text: string;
}

/** `{{pipeline}}` */
export interface ActionNode {
  kind: 'action';
  pipeline: Pipeline;
}

export interface IfNode {
  kind: 'if';
  pipeline: Pipeline;
  body: Node[];
  otherwise: Node[];
}

export interface WithNode {
  kind: 'with';
  pipeline: Pipeline;
  body: Node[];
  otherwise: Node[];
}

export interface RangeNode {
  kind: 'range';
  pipeline: Pipeline;
  body: Node[];
  otherwise: Node[];
}

/** `{{template "name" pipeline}}`, and what `{{block}}` leaves behind. */
export interface TemplateNode {
  kind: 'template';
  name: string;
  pipeline: Pipeline | undefined;
  place: Place;
}

export interface JumpNode {
  kind: 'break' | 'continue';
}

/** Where an error lies: line from 1, bytes before it in its line. */
export interface Place {
  line: number;
  column: number;
}

export interface Pipeline {
  /** Names with their dollar sign. */
  variables: string[];
  /** `:=` makes variables, `=` changes them. */
  assigns: boolean;
  commands: Command[];
  place: Place;
  /** As Go prints it in messages. */
  text: string;
}

/** One command of a pipeline: a function or method with its arguments, or one operand. */
export interface Command {
  operands: Operand[];
  place: Place;
  text: string;
}

export type Operand =
  | { kind: 'dot'; place: Place; text: string }
  | { kind: 'nil'; place: Place; text: string }
  | { kind: 'bool'; value: boolean; place: Place; text: string }
  | { kind: 'number'; integer: bigint | undefined; float: number; place: Place; text: string }
  | { kind: 'string'; value: string; place: Place; text: string }
  | { kind: 'function'; name: string; place: Place; text: string }
  | { kind: 'field'; names: string[]; place: Place; text: string }
  | { kind: 'variable'; name: string; names: string[]; place: Place; text: string }
  | { kind: 'chain'; base: Operand; names: string[]; place: Place; text: string }
  | { kind: 'pipeline'; pipeline: Pipeline; place: Place; text: string };
