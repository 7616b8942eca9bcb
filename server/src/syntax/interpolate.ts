import { entryOf } from './query';
import type { ConfigNode, ScalarNode } from './tree';

const REFERENCE = /^\$\{([A-Za-z_][\w-]*(?:\.[\w-]+)*)\}$/;
const MAX_STEPS = 8;

function follow(root: ConfigNode, path: readonly string[]): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const key of path) {
    if (node === undefined) return undefined;
    if (node.kind === 'list') node = node.items[Number(key)];
    else node = node.kind === 'map' ? entryOf(node, key)?.value : undefined;
  }
  return node;
}

function resolveScalar(root: ConfigNode, node: ScalarNode): ScalarNode {
  let target: ScalarNode = node;
  for (let step = 0; step < MAX_STEPS && target.unresolved; step += 1) {
    const path = typeof target.value === 'string' ? REFERENCE.exec(target.value)?.[1] : undefined;
    const found = path === undefined ? undefined : follow(root, path.split('.'));
    if (found?.kind !== 'scalar') return node;
    target = found;
  }
  return target.unresolved ? node : { ...node, value: target.value, unresolved: false, definition: target.span };
}

/** Resolves `${a.b}` (OmegaConf) where `a.b` is a scalar of the same document; everything else stays unknown. */
export function resolveReferences(root: ConfigNode, node: ConfigNode = root): ConfigNode {
  if (node.kind === 'scalar') return node.unresolved ? resolveScalar(root, node) : node;
  if (node.kind === 'list') {
    const items = node.items.map((item) => resolveReferences(root, item));
    return items.every((item, index) => item === node.items[index]) ? node : { ...node, items };
  }
  let changed = false;
  const entries = node.entries.map((entry) => {
    const value = resolveReferences(root, entry.value);
    if (value === entry.value) return entry;
    changed = true;
    return { ...entry, value };
  });
  return changed ? { ...node, entries } : node;
}
