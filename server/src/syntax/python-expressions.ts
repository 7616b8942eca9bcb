import type { SyntaxNode } from '@lezer/common';
import { compared, computed, numberOf, stringOf } from './python-literals';
import {
  copied,
  doubted,
  lookUp,
  made,
  unknown,
  type Literal,
  type Made,
  type Scope,
  type Value,
} from './python-values';
import type { Span } from './tree';

/** Arguments of one call, in the order in which they stand. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, { readonly keySpan: Span; readonly value: Value }>;
  /** Something was handed on (`*args`, `**options`) that is not known. */
  readonly open: boolean;
}

/** One reading of a file. It counts its steps, so that every file ends. */
export interface Machine {
  readonly text: string;
  left: number;
  depth: number;
  /** Above zero in branches that may not run: what they write is unknown afterwards. */
  uncertain: number;
  readonly call: (routine: Value & { kind: 'routine' }, args: Arguments, span: Span) => Value;
}

const DEEPEST = 120;

export function spanOf({ from, to }: SyntaxNode): Span {
  return { start: from, end: to };
}

export function wordOf(machine: Machine, { from, to }: SyntaxNode): string {
  return machine.text.slice(from, to);
}

export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const out: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling)
    if (child.name !== 'Comment') out.push(child);
  return out;
}

/** Whether Python takes a value for true. */
export function truthOf(value: Value): boolean | undefined {
  if (value.kind === 'literal') return value.value !== '' && value.value !== null && Boolean(value.value);
  if (value.kind === 'list') return value.open ? undefined : value.items.length > 0;
  return value.kind === 'object' && value.callee !== '' ? true : undefined;
}

function literal(value: Literal['value'] | undefined, span: Span): Value {
  return value === undefined ? unknown(span) : { kind: 'literal', value, span };
}

/** A literal that a name stands for keeps where it was written; everything else is the thing itself. */
function referred(value: Value, span: Span): Value {
  return value.kind === 'literal' ? { ...value, span, definition: value.definition ?? value.span } : value;
}

/**
 * Attribute of a value. A default that the text does not show is an empty object, which disappears again unless something is
 * written to it.
 */
export function memberOf(owner: Value, name: string, keySpan: Span, span: Span): Value {
  if (owner.kind === 'name') return { kind: 'name', path: `${owner.path}.${name}` };
  if (owner.kind !== 'object') return unknown(span);
  const field = owner.fields.get(name);
  if (field !== undefined) return field.value;
  const value: Made = { ...made('', span, owner.open), implicit: true };
  owner.fields.set(name, { keySpan, value });
  return value;
}

function binary(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const parts = childrenOf(node);
  const [left, right] = [parts[0], parts.at(-1)];
  const span = spanOf(node);
  if (left === undefined || right === undefined || parts.length < 3) return unknown(span);
  const operator = parts
    .slice(1, -1)
    .map((part) => wordOf(machine, part))
    .join(' ');
  const a = evaluate(machine, left, scope);
  if (operator === 'and' || operator === 'or') {
    const truth = truthOf(a);
    if (truth === undefined) return unknown(span);
    return truth === (operator === 'and') ? evaluate(machine, right, scope) : a;
  }
  const b = evaluate(machine, right, scope);
  if ((operator === 'is' || operator === 'is not') && b.kind === 'literal' && b.value === null && a.kind === 'object')
    return a.callee === '' ? unknown(span) : literal(operator === 'is not', span);
  if (operator === 'in' && b.kind === 'list' && !b.open && a.kind === 'literal')
    return b.items.every((item) => item.kind === 'literal')
      ? literal(
          b.items.some((item) => item.kind === 'literal' && item.value === a.value),
          span,
        )
      : unknown(span);
  if (operator === '+' && a.kind === 'list' && b.kind === 'list')
    return { kind: 'list', items: [...a.items, ...b.items], span, open: a.open || b.open };
  if (a.kind !== 'literal' || b.kind !== 'literal') return unknown(span);
  return literal(computed(operator, a.value, b.value) ?? compared(operator, a.value, b.value), span);
}

function unary(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const [operator, operand] = childrenOf(node);
  if (operator === undefined || operand === undefined) return unknown(spanOf(node));
  const value = evaluate(machine, operand, scope);
  const word = wordOf(machine, operator);
  if (word === 'not') {
    const truth = truthOf(value);
    return literal(truth === undefined ? undefined : !truth, spanOf(node));
  }
  if (value.kind !== 'literal' || (typeof value.value !== 'number' && typeof value.value !== 'bigint'))
    return unknown(spanOf(node));
  return literal(word === '-' ? -value.value : word === '+' ? value.value : undefined, spanOf(node));
}

/** Elements of a list, a tuple or an argument list, cut at the commas. */
export function elementsOf(node: SyntaxNode): SyntaxNode[][] {
  const out: SyntaxNode[][] = [[]];
  for (const child of childrenOf(node)) {
    if (child.name === ',') out.push([]);
    else if (!/^[()[\]{}]$/.test(child.name)) out.at(-1)?.push(child);
  }
  return out.filter((part) => part.length > 0);
}

function sequence(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const parts = elementsOf(node);
  const [only] = parts;
  const open = parts.some((part) => part.length !== 1);
  const items = parts.map(([first]) => (first === undefined ? unknown(spanOf(node)) : evaluate(machine, first, scope)));
  // `(8)` is no tuple; the grammar has a name of its own for it, but half-typed text may look so.
  if (node.name === 'TupleExpression' && parts.length === 1 && only?.length === 1 && !open && items[0] !== undefined)
    return machine.text.slice(node.from, node.to).includes(',')
      ? { kind: 'list', items, span: spanOf(node), open }
      : items[0];
  return { kind: 'list', items, span: spanOf(node), open };
}

function spread(target: Made, source: Value): void {
  if (source.kind !== 'object' || source.callee !== '') target.open = true;
  else {
    target.open ||= source.open;
    for (const [key, field] of source.fields) target.fields.set(key, field);
  }
}

function dictionary(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const out = made('', spanOf(node));
  for (const part of elementsOf(node)) {
    const [key, , value] = part;
    if (key?.name === '**' && part[1] !== undefined) spread(out, evaluate(machine, part[1], scope));
    else if (key !== undefined && value !== undefined && part[1]?.name === ':') {
      const name = evaluate(machine, key, scope);
      if (name.kind !== 'literal') out.open = true;
      else out.fields.set(String(name.value), { keySpan: spanOf(key), value: evaluate(machine, value, scope) });
    } else out.open = true;
  }
  return out;
}

export function argumentsOf(machine: Machine, list: SyntaxNode, scope: Scope): Arguments {
  const positional: Value[] = [];
  const named = new Map<string, { keySpan: Span; value: Value }>();
  let open = false;
  for (const part of elementsOf(list)) {
    const [first, second, third] = part;
    if (first === undefined) continue;
    if (second?.name === 'AssignOp')
      named.set(wordOf(machine, first), {
        keySpan: spanOf(first),
        value: third === undefined ? unknown(spanOf(second)) : evaluate(machine, third, scope),
      });
    else if (wordOf(machine, first) === '**' && second !== undefined) {
      const all = made('', spanOf(second));
      spread(all, evaluate(machine, second, scope));
      open ||= all.open;
      for (const [key, field] of all.fields) named.set(key, field);
    } else if (part.length === 1) positional.push(evaluate(machine, first, scope));
    else open = true;
  }
  return { positional, named, open };
}

/** Functions of the standard library that hand on what they are given. */
const COPIES = /^(?:copy\.)?(?:deepcopy|copy)$/;
const REPLACES = /^(?:dataclasses\.|copy\.)?replace$/;

function builtIn(path: string, args: Arguments, span: Span): Value | undefined {
  const [first, second] = args.positional;
  if (COPIES.test(path) && first !== undefined) return path.endsWith('deepcopy') ? copied(first) : shallow(first);
  if (REPLACES.test(path) && first !== undefined) {
    const copy = shallow(first);
    if (copy.kind !== 'object') return unknown(span);
    for (const [key, field] of args.named) copy.fields.set(key, field);
    if (args.open) doubted(copy);
    return copy;
  }
  if (/^(?:typing\.)?cast$/.test(path) && second !== undefined) return second;
  if ((path === 'int' || path === 'float') && first?.kind === 'literal' && typeof first.value === 'number')
    return literal(path === 'int' ? Math.trunc(first.value) : first.value, span);
  return undefined;
}

function shallow(value: Value): Value {
  return value.kind === 'object' ? { ...value, fields: new Map(value.fields) } : value;
}

/** A call of something that is defined elsewhere: a class keeps its arguments as fields, of a function nothing else is known. */
function construct(path: string, args: Arguments, span: Span): Value {
  const last = path.split('.').at(-1) ?? '';
  const out = made(path === 'dict' ? '' : path, span, args.open || (path !== 'dict' && !/^[A-Z]/.test(last)));
  args.positional.forEach((value, index) => {
    out.fields.set(String(index), { keySpan: 'span' in value ? value.span : span, value });
  });
  for (const [key, field] of args.named) out.fields.set(key, field);
  return out;
}

function calling(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const [target, list] = childrenOf(node);
  const span = spanOf(node);
  if (target === undefined || list?.name !== 'ArgList') return unknown(span);
  const callee = evaluate(machine, target, scope);
  const args = argumentsOf(machine, list, scope);
  if (callee.kind === 'routine') return machine.call(callee, args, span);
  if (callee.kind !== 'name') return unknown(span);
  return builtIn(callee.path, args, span) ?? construct(callee.path, args, span);
}

function member(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const parts = childrenOf(node);
  const [first, sign, key] = parts;
  const span = spanOf(node);
  if (first === undefined || key === undefined) return unknown(span);
  const owner = evaluate(machine, first, scope);
  if (sign?.name === '.') return referred(memberOf(owner, wordOf(machine, key), spanOf(key), span), span);
  const index = parts.length === 4 ? evaluate(machine, key, scope) : unknown(span);
  if (index.kind !== 'literal') return unknown(span);
  if (owner.kind === 'object') return referred(owner.fields.get(String(index.value))?.value ?? unknown(span), span);
  if (owner.kind !== 'list' || owner.open || typeof index.value !== 'number') return unknown(span);
  return referred(owner.items.at(index.value) ?? unknown(span), span);
}

function named(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const word = wordOf(machine, node);
  if (word === '__name__') return literal('__main__', spanOf(node));
  const value = lookUp(scope, word);
  // What no statement defines is a name of the language itself, or of a star import.
  return value === undefined ? { kind: 'name', path: word } : referred(value, spanOf(node));
}

function choice(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  const [yes, , condition, , no] = childrenOf(node);
  if (yes === undefined || condition === undefined || no === undefined) return unknown(spanOf(node));
  const truth = truthOf(evaluate(machine, condition, scope));
  return truth === undefined ? unknown(spanOf(node)) : evaluate(machine, truth ? yes : no, scope);
}

function text(machine: Machine, node: SyntaxNode): Value {
  const parts = node.name === 'ContinuedString' ? childrenOf(node) : [node];
  const texts = parts.map((part) => (part.name === 'String' ? stringOf(wordOf(machine, part)) : undefined));
  return literal(texts.some((part) => part === undefined) ? undefined : texts.join(''), spanOf(node));
}

type Reader = (machine: Machine, node: SyntaxNode, scope: Scope) => Value;

const READERS: Readonly<Record<string, Reader>> = {
  Number: (machine, node) => literal(numberOf(wordOf(machine, node)), spanOf(node)),
  Boolean: (machine, node) => literal(wordOf(machine, node) === 'True', spanOf(node)),
  None: (_, node) => literal(null, spanOf(node)),
  String: text,
  ContinuedString: text,
  VariableName: named,
  MemberExpression: member,
  CallExpression: calling,
  BinaryExpression: binary,
  UnaryExpression: unary,
  ConditionalExpression: choice,
  ArrayExpression: sequence,
  TupleExpression: sequence,
  DictionaryExpression: dictionary,
  ParenthesizedExpression: (machine, node, scope) => {
    const inner = childrenOf(node)[1];
    return inner === undefined ? unknown(spanOf(node)) : evaluate(machine, inner, scope);
  },
};

/** What an expression is, as far as the file says it; everything else is unknown. */
export function evaluate(machine: Machine, node: SyntaxNode, scope: Scope): Value {
  machine.left -= 1;
  const read = Object.hasOwn(READERS, node.name) ? READERS[node.name] : undefined;
  if (read === undefined || machine.left < 0 || machine.depth > DEEPEST) return unknown(spanOf(node));
  machine.depth += 1;
  const value = read(machine, node, scope);
  machine.depth -= 1;
  return value;
}
