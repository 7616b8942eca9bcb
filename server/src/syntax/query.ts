import type { ConfigNode, ConfigTree, Entry, MapNode, Span } from './tree';

/** The entry of `key`, or undefined. */
export function entryOf(map: MapNode, key: string): Entry | undefined {
  return map.entries.find((entry) => entry.key === key);
}

/** The node at a path of keys and list positions. */
export function getPath(root: ConfigNode | undefined, path: readonly (string | number)[]): ConfigNode | undefined {
  let node = root;
  for (const step of path) {
    if (node?.kind === 'map') node = entryOf(node, String(step))?.value;
    else if (node?.kind === 'list') node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}

/** What stands at an offset: the deepest node with its path, and whether the offset is on a key. */
export interface NodeAt {
  readonly path: readonly string[];
  readonly node: ConfigNode;
  readonly onKey: boolean;
  /** The key or the value under the offset. */
  readonly span: Span;
}

function covers(span: Span, offset: number): boolean {
  return offset >= span.start && offset <= span.end;
}

/** True for what an alias, a merge key or a reference brought here: its children stand elsewhere in the text. */
function isBorrowed(node: ConfigNode): boolean {
  return node.definition !== undefined;
}

function searchValue(node: ConfigNode, offset: number, path: readonly string[]): NodeAt | undefined {
  if (!isBorrowed(node)) return search(node, offset, path);
  return covers(node.span, offset) ? { path, node, onKey: false, span: node.span } : undefined;
}

function search(node: ConfigNode, offset: number, path: readonly string[]): NodeAt | undefined {
  if (node.kind === 'scalar')
    return covers(node.span, offset) ? { path, node, onKey: false, span: node.span } : undefined;
  if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) {
      const found = searchValue(item, offset, [...path, String(index)]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const { key, keySpan, value } of node.entries) {
    const inner = [...path, key];
    // An empty value stands right behind its key, and it is the key that a person points at.
    if (covers(keySpan, offset) && (!isBorrowed(value) || keySpan !== value.span)) {
      return { path: inner, node: value, onKey: true, span: keySpan };
    }
    const found = searchValue(value, offset, inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The deepest key or scalar at an offset of any document of the tree. */
export function nodeAt(tree: ConfigTree, offset: number): NodeAt | undefined {
  for (const root of tree.documents) {
    const found = search(root, offset, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Visits every node with its path, parents first. */
export function walk(
  node: ConfigNode,
  visit: (node: ConfigNode, path: readonly string[]) => void,
  path: readonly string[] = [],
): void {
  visit(node, path);
  if (node.kind === 'map') for (const entry of node.entries) walk(entry.value, visit, [...path, entry.key]);
  if (node.kind === 'list')
    node.items.forEach((item, index) => {
      walk(item, visit, [...path, String(index)]);
    });
}

/** Keys and list positions from `root` to `wanted`, found by identity; undefined when it is not below. */
export function pathOf(root: ConfigNode, wanted: ConfigNode): readonly string[] | undefined {
  if (root === wanted) return [];
  const children =
    root.kind === 'map'
      ? root.entries.map(({ key, value }) => [key, value] as const)
      : root.kind === 'list'
        ? root.items.map((item, index) => [String(index), item] as const)
        : [];
  for (const [step, child] of children) {
    const below = pathOf(child, wanted);
    if (below !== undefined) return [step, ...below];
  }
  return undefined;
}

const PYTHON_NUMBER = /^\s*[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?\s*$/;

/**
 * The finite number that a scalar is, or that Python's `int()` or `float()` makes of its text: `1e-5`, which PyYAML leaves as text,
 * and quoted digits. Undefined for unknown values, booleans and everything else. Integers beyond 2^53 are rounded.
 */
export function scalarNumber(node: ConfigNode | undefined): number | undefined {
  if (node?.kind !== 'scalar' || node.unresolved) return undefined;
  const { value } = node;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || !PYTHON_NUMBER.test(value)) return undefined;
  const number = Number(value.replaceAll('_', ''));
  return Number.isFinite(number) ? number : undefined;
}
