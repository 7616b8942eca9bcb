import type { SyntaxNode } from '@lezer/common';
import { computed } from './python-literals';
import { doubted, unknown, type Made, type Routine, type Scope, type Value } from './python-values';
import {
  childrenOf,
  elementsOf,
  evaluate,
  spanOf,
  truthOf,
  wordOf,
  type Arguments,
  type Machine,
} from './python-expressions';
import type { Span } from './tree';

/** One function as it runs. */
interface Frame {
  readonly scope: Scope;
  returned: Value | undefined;
  /** A branch that may not run has returned: what comes back is not known. */
  doubt: boolean;
}

/** True when the block has ended: nothing behind it runs. */
type Ended = boolean;

/** Calls that only look at what they are given. */
const LOOKS_ONLY = /^(?:print|len|isinstance|str|repr|id|sorted|super)$|(?:^|\.)(?:log\w*|warnings)\.\w+$/;

function assignName(machine: Machine, frame: Frame, name: string, value: Value, span: Span): void {
  frame.scope.names.set(name, machine.uncertain > 0 ? unknown(span) : value);
}

/** Gives one target a value: a name, an attribute, an item of a dict. */
function assign(machine: Machine, frame: Frame, target: SyntaxNode, value: Value): void {
  if (target.name === 'VariableName') {
    assignName(machine, frame, wordOf(machine, target), value, spanOf(target));
    return;
  }
  if (target.name === 'MemberExpression') {
    const [first, sign, key] = childrenOf(target);
    if (first === undefined || key === undefined) return;
    const owner = evaluate(machine, first, frame.scope);
    if (owner.kind === 'list') owner.open = true;
    if (owner.kind !== 'object') return;
    const index = sign?.name === '.' ? undefined : evaluate(machine, key, frame.scope);
    const name =
      index === undefined ? wordOf(machine, key) : index.kind === 'literal' ? String(index.value) : undefined;
    if (name === undefined) owner.open = true;
    else owner.fields.set(name, { keySpan: spanOf(key), value: machine.uncertain > 0 ? unknown(spanOf(key)) : value });
    return;
  }
  for (const part of elementsOf(target)) for (const node of part) assign(machine, frame, node, unknown(spanOf(node)));
}

/** Nodes between the equal signs, cut at their commas. */
function sides(node: SyntaxNode): SyntaxNode[][] {
  const out: SyntaxNode[][] = [[]];
  for (const child of childrenOf(node)) {
    if (child.name === 'AssignOp') out.push([]);
    else if (child.name !== 'TypeDef' && child.name !== ',') out.at(-1)?.push(child);
  }
  return out;
}

function assignment(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const all = sides(node);
  const right = all.at(-1) ?? [];
  if (all.length < 2) return false;
  const values = right.map((part) => evaluate(machine, part, frame.scope));
  const [only] = values;
  for (const targets of all.slice(0, -1)) {
    const [target] = targets;
    if (target === undefined) continue;
    if (targets.length === 1) {
      const whole: Value =
        values.length === 1 && only !== undefined
          ? only
          : { kind: 'list', items: values, span: spanOf(node), open: false };
      assign(machine, frame, target, whole);
    } else
      targets.forEach((one, index) => {
        const value =
          values.length === targets.length ? values[index] : only?.kind === 'list' ? only.items[index] : undefined;
        assign(machine, frame, one, value ?? unknown(spanOf(one)));
      });
  }
  return false;
}

function update(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const [target, operator, source] = childrenOf(node);
  if (target === undefined || operator === undefined || source === undefined) return false;
  const now = evaluate(machine, target, frame.scope);
  const by = evaluate(machine, source, frame.scope);
  const sum =
    now.kind === 'literal' && by.kind === 'literal'
      ? computed(wordOf(machine, operator).slice(0, -1), now.value, by.value)
      : undefined;
  doubted(now);
  assign(
    machine,
    frame,
    target,
    sum === undefined ? unknown(spanOf(source)) : { kind: 'literal', value: sum, span: spanOf(source) },
  );
  return false;
}

/** A call whose result nobody takes is there for what it does to its arguments, or to what it is a method of. */
function expression(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const [call] = childrenOf(node);
  if (call === undefined) return false;
  const [target, list] = childrenOf(call);
  if (call.name !== 'CallExpression' || target === undefined || list === undefined) return false;
  const callee = evaluate(machine, target, frame.scope);
  const result = evaluate(machine, call, frame.scope);
  if (callee.kind === 'routine' || (callee.kind === 'name' && LOOKS_ONLY.test(callee.path))) return false;
  const [owner] = target.name === 'MemberExpression' ? childrenOf(target) : [];
  if (owner !== undefined) doubted(evaluate(machine, owner, frame.scope));
  if (result.kind === 'object') for (const { value } of result.fields.values()) doubted(value);
  return false;
}

function imports(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const words = childrenOf(node).map((child) => wordOf(machine, child));
  const at = words.indexOf('import');
  const from = words[0] === 'from' ? words.slice(1, at).join('') : undefined;
  let path = '';
  let alias: string | undefined;
  const bind = (): void => {
    if (path === '') return;
    // `import a.b` makes `a` known, `import a.b as c` makes `c` mean `a.b`.
    const name = alias ?? (from === undefined ? (path.split('.')[0] ?? path) : path);
    const whole =
      from === undefined ? (alias === undefined ? name : path) : `${from}${from.endsWith('.') ? '' : '.'}${path}`;
    frame.scope.names.set(name, { kind: 'name', path: whole });
    path = '';
    alias = undefined;
  };
  for (let index = at + 1; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === ',') bind();
    else if (word === 'as') {
      alias = words[index + 1] ?? '';
      index += 1;
    } else if (!'()*'.includes(word)) path += word;
  }
  bind();
  return false;
}

/** Runs a block whose effects may not happen: everything it writes is unknown afterwards. */
function maybe(machine: Machine, body: SyntaxNode, frame: Frame): void {
  machine.uncertain += 1;
  runBlock(machine, body, frame);
  machine.uncertain -= 1;
}

function branching(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const parts = childrenOf(node);
  let decided = true;
  for (const [index, part] of parts.entries()) {
    if (part.name !== 'Body') continue;
    const isElse = parts[index - 1]?.name === 'else';
    const condition = parts[index - 1];
    const truth = isElse
      ? true
      : condition === undefined
        ? undefined
        : truthOf(evaluate(machine, condition, frame.scope));
    if (truth === false) continue;
    if (truth === true && decided) return runBlock(machine, part, frame);
    decided = false;
    maybe(machine, part, frame);
    if (truth === true) return false;
  }
  return false;
}

/** Loops, `try` and `match`: whatever they write is unknown, the names that they bind too. */
function uncertain(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const parts = childrenOf(node);
  const isLoop = node.name === 'ForStatement';
  for (const part of parts) {
    if (part.name === 'Body' || part.name === 'MatchBody') maybe(machine, part, frame);
    else if (isLoop && part.name === 'in') break;
    else if (isLoop && part.name === 'VariableName')
      frame.scope.names.set(wordOf(machine, part), unknown(spanOf(part)));
  }
  if (isLoop) for (const part of parts) if (part.name === 'Body') maybe(machine, part, frame);
  return false;
}

function within(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const parts = childrenOf(node);
  parts.forEach((part, index) => {
    if (parts[index - 1]?.name === 'as' && part.name === 'VariableName')
      frame.scope.names.set(wordOf(machine, part), unknown(spanOf(part)));
  });
  const body = parts.at(-1);
  return body?.name === 'Body' && runBlock(machine, body, frame);
}

function define(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const name = childrenOf(node).find((child) => child.name === 'VariableName');
  if (name === undefined) return false;
  const word = wordOf(machine, name);
  const value: Value =
    node.name === 'FunctionDefinition'
      ? { kind: 'routine', node, scope: frame.scope }
      : { kind: 'name', path: `<class>.${word}` };
  assignName(machine, frame, word, value, spanOf(name));
  return false;
}

function returning(machine: Machine, node: SyntaxNode, frame: Frame): Ended {
  const value = childrenOf(node)[1];
  const result = value === undefined ? undefined : evaluate(machine, value, frame.scope);
  if (machine.uncertain > 0) frame.doubt = true;
  else frame.returned = result;
  return machine.uncertain === 0;
}

type Statement = (machine: Machine, node: SyntaxNode, frame: Frame) => Ended;

const STATEMENTS: Readonly<Record<string, Statement>> = {
  AssignStatement: assignment,
  UpdateStatement: update,
  ExpressionStatement: expression,
  ImportStatement: imports,
  IfStatement: branching,
  ForStatement: uncertain,
  WhileStatement: uncertain,
  TryStatement: uncertain,
  MatchStatement: uncertain,
  WithStatement: within,
  FunctionDefinition: define,
  ClassDefinition: define,
  ReturnStatement: returning,
  RaiseStatement: (machine) => machine.uncertain === 0,
  DecoratedStatement: (machine, node, frame) => {
    // A decorator may put anything in place of what it decorates; registries only write it down.
    const inner = childrenOf(node).at(-1);
    return inner !== undefined && define(machine, inner, frame);
  },
  StatementGroup: (machine, node, frame) => runBlock(machine, node, frame),
};

export function runBlock(machine: Machine, body: SyntaxNode, frame: Frame): Ended {
  for (const node of childrenOf(body)) {
    if (machine.left < 0) return true;
    const run = Object.hasOwn(STATEMENTS, node.name) ? STATEMENTS[node.name] : undefined;
    if (run?.(machine, node, frame) === true) return true;
  }
  return false;
}

export function frameIn(scope: Scope): Frame {
  return { scope, returned: undefined, doubt: false };
}

/** Parameters of a function with what the call gives them. */
function bind(machine: Machine, { node, scope }: Routine, args: Arguments, into: Scope): void {
  const list = childrenOf(node).find(({ name }) => name === 'ParamList');
  if (list === undefined) return;
  let index = 0;
  let keywordOnly = false;
  for (const part of elementsOf(list)) {
    const sign = part[0]?.name === '*' || part[0]?.name === '**' ? part[0].name : undefined;
    const name = part.find((child) => child.name === 'VariableName');
    if (sign !== undefined) {
      keywordOnly = true;
      if (name !== undefined) into.names.set(wordOf(machine, name), unknown(spanOf(name)));
      continue;
    }
    if (name === undefined) continue;
    const word = wordOf(machine, name);
    const at = part.findIndex((child) => child.name === 'AssignOp');
    const otherwise = at < 0 ? undefined : part[at + 1];
    const given = args.named.get(word)?.value ?? (keywordOnly ? undefined : args.positional[index]);
    index += 1;
    into.names.set(
      word,
      given ?? (otherwise === undefined || args.open ? unknown(spanOf(name)) : evaluate(machine, otherwise, scope)),
    );
  }
}

const DEEPEST_CALL = 16;

/** What a function of the file gives back. Recursion ends soon; what it would give is unknown. */
export function callRoutine(
  machine: Machine,
  routine: Routine,
  args: Arguments,
  span: Span,
  calls: { depth: number },
): Value {
  const outcome = runRoutine(machine, routine, args, calls);
  return outcome?.returned === undefined || outcome.doubt ? unknown(span) : outcome.returned;
}

export function runRoutine(
  machine: Machine,
  routine: Routine,
  args: Arguments,
  calls: { depth: number },
): Frame | undefined {
  const body = childrenOf(routine.node).at(-1);
  const whole = machine.text.slice(routine.node.from, routine.node.from + 5);
  if (body?.name !== 'Body' || calls.depth >= DEEPEST_CALL || whole === 'async') return undefined;
  const frame = frameIn({ names: new Map(), outer: routine.scope });
  bind(machine, routine, args, frame.scope);
  calls.depth += 1;
  runBlock(machine, body, frame);
  calls.depth -= 1;
  return frame;
}

/** Objects among values that no other of them holds: the whole configurations of a scope. */
export function wholeObjects(values: Iterable<Value>): Made[] {
  const all = [...values].filter((value): value is Made => value.kind === 'object' && value.callee !== '');
  const inside = new Set<Value>();
  for (const { fields } of all) for (const { value } of fields.values()) inside.add(value);
  return [...new Set(all)].filter((value) => !inside.has(value));
}
