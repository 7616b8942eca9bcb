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

function search(node: ConfigNode, offset: number, path: readonly string[]): NodeAt | undefined {
  if (node.kind === 'map') {
    for (const entry of node.entries) {
      const inner = [...path, entry.key];
      // Values brought by aliases stand at the alias, whose own children lie elsewhere in the text.
      const found = entry.value.definition === undefined ? search(entry.value, offset, inner) : undefined;
      if (found !== undefined) return found;
      if (covers(entry.keySpan, offset)) return { path: inner, node: entry.value, onKey: true, span: entry.keySpan };
      if (entry.value.definition !== undefined && covers(entry.value.span, offset))
        return { path: inner, node: entry.value, onKey: false, span: entry.value.span };
    }
    return undefined;
  }
  if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) {
      const found = search(item, offset, [...path, String(index)]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return covers(node.span, offset) ? { path, node, onKey: false, span: node.span } : undefined;
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
