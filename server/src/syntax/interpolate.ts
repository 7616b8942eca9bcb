import { getPath } from './query';
import { isInterpolated } from './scalars';
import type { ConfigNode, ScalarNode } from './tree';

const REFERENCE = /\$\{([^${}]*)\}/g;
/** `a.b`, `a[0].b`, and with leading dots a path that starts beside the value. */
const PATH = /^(\.*)([A-Za-z_][\w-]*(?:\.[\w-]+|\[[\w-]+\])*)$/;
const MAX_STEPS = 8;

type Path = readonly string[];

function target(root: ConfigNode, from: Path, reference: string): { node: ConfigNode; path: Path } | undefined {
  const [, dots = '', name = ''] = PATH.exec(reference.trim()) ?? [];
  if (name === '' || dots.length > from.length) return undefined;
  const steps = name.replaceAll(']', '').split(/[.[]/);
  const path = dots === '' ? steps : [...from.slice(0, from.length - dots.length), ...steps];
  const node = getPath(root, path);
  return node === undefined ? undefined : { node, path };
}

/** The scalar that one reference stands for, followed through other references; undefined where the document does not say. */
function follow(root: ConfigNode, from: Path, reference: string, steps: number): ScalarNode | undefined {
  const found = target(root, from, reference);
  if (found?.node.kind !== 'scalar') return undefined;
  return found.node.unresolved ? resolveScalar(root, found.node, found.path, steps + 1) : found.node;
}

function resolveScalar(root: ConfigNode, node: ScalarNode, path: Path, steps = 0): ScalarNode | undefined {
  if (steps > MAX_STEPS || typeof node.value !== 'string') return undefined;
  const text = node.value;
  const references = [...text.matchAll(REFERENCE)];
  const parts = references.map((match) => follow(root, path, match[1] ?? '', steps));
  const [only] = parts;
  if (only !== undefined && references.length === 1 && references[0]?.[0] === text) {
    return { ...node, value: only.value, unresolved: false, definition: only.definition ?? only.span };
  }
  if (parts.length === 0 || parts.some((part) => part === undefined)) return undefined;
  let next = 0;
  const value = text.replace(REFERENCE, () => String(parts[next++]?.value));
  return isInterpolated(value) ? undefined : { ...node, value, unresolved: false };
}

function resolveNode(root: ConfigNode, node: ConfigNode, path: Path): ConfigNode {
  if (node.kind === 'scalar') return (node.unresolved ? resolveScalar(root, node, path) : undefined) ?? node;
  if (node.kind === 'list') {
    const items = node.items.map((item, index) => resolveNode(root, item, [...path, String(index)]));
    return items.every((item, index) => item === node.items[index]) ? node : { ...node, items };
  }
  let changed = false;
  const entries = node.entries.map((entry) => {
    const value = resolveNode(root, entry.value, [...path, entry.key]);
    if (value === entry.value) return entry;
    changed = true;
    return { ...entry, value };
  });
  return changed ? { ...node, entries } : node;
}

/**
 * Resolves `${a.b}`, `${.sibling}` and texts around them where the same document defines the scalar that is meant;
 * everything else (environment, resolvers, other files) stays unknown.
 * Source of the notation: OmegaConf 2.3, "Variable interpolation".
 */
export function resolveReferences(root: ConfigNode, text: string): ConfigNode {
  return text.includes('${') ? resolveNode(root, root, []) : root;
}
