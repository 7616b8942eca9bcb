import type { SyntaxNode } from '@lezer/common';
import { isInterpolated } from './scalars';
import type { ConfigNode, Entry, MapNode, ScalarNode, Span } from './tree';

/** What an expression is known to be without running the program. */
export type Value = Unknown | Literal | Sequence | Made | Routine | Name;

export interface Unknown {
  readonly kind: 'unknown';
  readonly span: Span;
}

export interface Literal {
  readonly kind: 'literal';
  readonly value: ScalarNode['value'];
  readonly span: Span;
  /** Where the value was written, when a name brought it here. */
  readonly definition?: Span;
}

/** A list or tuple; `open` once something may have been added. Shared by every name that refers to it, as in Python. */
export interface Sequence {
  readonly kind: 'list';
  readonly items: Value[];
  readonly span: Span;
  open: boolean;
}

export interface Field {
  readonly keySpan: Span;
  readonly value: Value;
}

/** What a call or a dict literal made. Shared by every name that refers to it, as in Python. */
export interface Made {
  readonly kind: 'object';
  readonly callee: string;
  readonly fields: Map<string, Field>;
  readonly span: Span;
  open: boolean;
  /** A default that the text only refers to. */
  readonly implicit?: true;
}

/** A function of the same file. */
export interface Routine {
  readonly kind: 'routine';
  readonly node: SyntaxNode;
  readonly scope: Scope;
}

/** Something that this file does not define, by the dotted name of its import. */
export interface Name {
  readonly kind: 'name';
  readonly path: string;
}

export interface Scope {
  readonly names: Map<string, Value>;
  readonly outer?: Scope;
}

export function lookUp(scope: Scope | undefined, name: string): Value | undefined {
  for (let at = scope; at !== undefined; at = at.outer) {
    const value = at.names.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

export function unknown(span: Span): Unknown {
  return { kind: 'unknown', span };
}

export function made(callee: string, span: Span, open = false): Made {
  return { kind: 'object', callee, fields: new Map(), span, open };
}

/** A copy down to the literals, as `copy.deepcopy` makes one. `left` counts down over the whole copy, so that it always ends. */
export function copied(value: Value, left = { nodes: 20_000 }, depth = 0): Value {
  left.nodes -= 1;
  if (value.kind === 'list') {
    if (left.nodes < 0 || depth > 40) return unknown(value.span);
    return { ...value, items: value.items.map((item) => copied(item, left, depth + 1)) };
  }
  if (value.kind !== 'object') return value;
  if (left.nodes < 0 || depth > 40) return unknown(value.span);
  const fields = [...value.fields].map(
    ([key, field]) => [key, { ...field, value: copied(field.value, left, depth + 1) }] as const,
  );
  return { ...value, fields: new Map(fields) };
}

/** A value that was known until something that cannot be followed got hold of it. */
export function doubted(value: Value): void {
  if (value.kind !== 'list' && value.kind !== 'object') return;
  value.open = true;
  if (value.kind === 'list') return;
  const below = [...value.fields.values()];
  value.fields.clear();
  for (const field of below) doubted(field.value);
}

const DEEPEST = 24;

/** A default of which nothing was written. */
function isEmpty(value: Value): value is Made {
  return (
    value.kind === 'object' &&
    value.implicit === true &&
    [...value.fields.values()].every((field) => isEmpty(field.value))
  );
}

/** Turns values into nodes; gives up on what is nested too deep or too large, such as an object that holds itself. */
export function createNodes(text: string): (value: Value) => ConfigNode {
  let left = 20_000;
  const hidden = (span: Span): ScalarNode => {
    const raw = text.slice(span.start, span.end);
    return { kind: 'scalar', value: raw, raw, span, unresolved: true };
  };
  const scalarOf = ({ value, span, definition }: Literal): ScalarNode => ({
    kind: 'scalar',
    value,
    raw: text.slice((definition ?? span).start, (definition ?? span).end),
    span,
    unresolved: typeof value === 'string' && isInterpolated(value) && value.length < 4096 && /^\{\{|\$\{/.test(value),
    ...(definition === undefined ? {} : { definition }),
  });
  const mapOf = ({ callee, fields, span, open }: Made, depth: number): MapNode => {
    const shown = [...fields].filter(([, { value }]) => !isEmpty(value) || value.open);
    const entries = shown.map(([key, { keySpan, value }]): Entry => ({
      key,
      keySpan,
      value: isEmpty(value) ? hidden(value.span) : nodeOf(value, depth + 1, keySpan),
    }));
    return { kind: 'map', span, entries, call: { callee, open } };
  };
  const nodeOf = (value: Value, depth: number, place: Span): ConfigNode => {
    left -= 1;
    if (value.kind === 'literal') return scalarOf(value);
    const span = 'span' in value ? value.span : place;
    if (depth > DEEPEST || left < 0) return hidden(span);
    if (value.kind === 'list')
      return value.open
        ? hidden(span)
        : { kind: 'list', span, items: value.items.map((item) => nodeOf(item, depth + 1, span)) };
    return value.kind === 'object' ? mapOf(value, depth) : hidden(span);
  };
  return (value) => nodeOf(value, 0, { start: 0, end: 0 });
}
