import { parser } from '@lezer/python';
import type { SyntaxNode, Tree } from '@lezer/common';
import { childrenOf, spanOf, type Machine } from './python-expressions';
import { callRoutine, frameIn, runBlock, runRoutine, wholeObjects } from './python-run';
import { createNodes, type Made, type Routine, type Value } from './python-values';
import type { Comment, ConfigTree, MapNode, Span } from './tree';

/** Expressions and names that one file may take to be read; a registry of fifty jobs takes some ten thousand. */
const MOST_STEPS = 400_000;
const MOST_DOCUMENTS = 256;

interface Found {
  readonly name: string;
  readonly nameSpan: Span;
  readonly span: Span;
  readonly value: Made;
}

function commentsOf(text: string, tree: Tree): Comment[] {
  const comments: Comment[] = [];
  tree.iterate({
    enter: ({ name, from, to }) => {
      if (name === 'Comment') comments.push({ text: text.slice(from + 1, to).trim(), span: { start: from, end: to } });
    },
  });
  return comments;
}

function createMachine(text: string, calls: { depth: number }): Machine {
  const machine: Machine = {
    text,
    left: MOST_STEPS,
    depth: 0,
    uncertain: 0,
    call: (routine, args, span) => callRoutine(machine, routine, args, span, calls),
  };
  return machine;
}

function nameOf({ node }: Routine, text: string): { name: string; nameSpan: Span } | undefined {
  const name = childrenOf(node).find((child) => child.name === 'VariableName');
  return name === undefined ? undefined : { name: text.slice(name.from, name.to), nameSpan: spanOf(name) };
}

/** What a function builds: the object that it returns, else those that it leaves in its variables. */
function builtBy(machine: Machine, routine: Routine, calls: { depth: number }): Made[] {
  const frame = runRoutine(machine, routine, { positional: [], named: new Map(), open: false }, calls);
  if (frame === undefined || frame.doubt) return [];
  if (frame.returned !== undefined) return frame.returned.kind === 'object' ? [frame.returned] : [];
  return wholeObjects(frame.scope.names.values());
}

/** A root without the entries that a program never wrote. */
function rootOf(
  { name, nameSpan, span, value }: Found,
  nodes: (value: Value) => ReturnType<ReturnType<typeof createNodes>>,
): MapNode | undefined {
  const node = nodes(value);
  if (node.kind !== 'map') return undefined;
  return { ...node, call: { callee: value.callee, open: value.open, owner: { name, nameSpan, span } } };
}

function foundIn(text: string, script: SyntaxNode): Found[] {
  const calls = { depth: 0 };
  const machine = createMachine(text, calls);
  const scope = { names: new Map<string, Value>() };
  runBlock(machine, script, frameIn(scope));
  const out: Found[] = [];
  for (const [word, value] of scope.names) {
    if (out.length >= MOST_DOCUMENTS || machine.left < 0) break;
    // A leading underscore marks a helper of the functions that are meant to be called.
    if (value.kind !== 'routine' || word.startsWith('_')) continue;
    const owner = nameOf(value, text);
    if (owner === undefined) continue;
    for (const object of builtBy(machine, value, calls))
      out.push({ ...owner, span: spanOf(value.node), value: object });
  }
  const names = new Map([...scope.names].map(([word, value]) => [value, word]));
  for (const object of wholeObjects(scope.names.values()))
    out.push({ name: names.get(object) ?? '', nameSpan: object.span, span: object.span, value: object });
  return out.slice(0, MOST_DOCUMENTS);
}

/**
 * Configurations that a Python file builds, one document a function or variable, read without running anything: keyword arguments,
 * literals, arithmetic on them, functions of the same file and what is assigned afterwards. Everything else is unresolved.
 */
export function parsePython(text: string): ConfigTree {
  const tree = parser.parse(text);
  const found = foundIn(text, tree.topNode);
  const nodes = createNodes(text);
  const documents = found.flatMap((one) => rootOf(one, nodes) ?? []);
  return { language: 'python', text, documents, comments: commentsOf(text, tree), issues: [] };
}
