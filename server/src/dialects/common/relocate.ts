import type { ConfigNode, Span } from '../../syntax/tree';

/** Every place inside `node` becomes `span`: values of another file stand where this one names that file. */
export function relocated<T extends ConfigNode>(node: T, span: Span): T;
export function relocated(node: ConfigNode, span: Span): ConfigNode {
  if (node.kind === 'scalar') return { ...node, span };
  if (node.kind === 'list') return { ...node, span, items: node.items.map((item) => relocated(item, span)) };
  return {
    ...node,
    span,
    entries: node.entries.map(({ key, value }) => ({ key, keySpan: span, value: relocated(value, span) })),
  };
}
