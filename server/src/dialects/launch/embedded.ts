import { parseConfig } from '../../syntax/parse';
import { placeText, type PlacedText } from '../../syntax/scalar-text';
import type { ConfigNode, MapNode, ScalarNode, Span } from '../../syntax/tree';

/** A tree that was read from the text of a scalar, with its places in the document of that scalar. */
export function movedInto(node: ConfigNode, placed: PlacedText): ConfigNode {
  const at = ({ start, end }: Span): Span => {
    const from = placed.starts[start] ?? placed.ends.at(-1) ?? 0;
    return { start: from, end: Math.max(from, placed.ends[end - 1] ?? from) };
  };
  const own = { span: at(node.span), ...(node.definition === undefined ? {} : { definition: at(node.definition) }) };
  if (node.kind === 'scalar') return { ...node, ...own };
  if (node.kind === 'list') return { ...node, ...own, items: node.items.map((item) => movedInto(item, placed)) };
  const entries = node.entries.map(({ key, keySpan, value }) => ({
    key,
    keySpan: at(keySpan),
    value: movedInto(value, placed),
  }));
  return { ...node, ...own, entries };
}

/** The mapping that a block of YAML inside a document holds, as a ConfigMap carries files. Undefined where it is none. */
export function embeddedYaml(node: ScalarNode, text: string): MapNode | undefined {
  if (typeof node.value !== 'string') return undefined;
  const placed = placeText(node, text);
  const { documents, issues } = parseConfig(placed.text, 'yaml');
  const [root] = documents;
  if (root?.kind !== 'map' || issues.some(({ code }) => code !== 'duplicate-key')) return undefined;
  return movedInto(root, placed) as MapNode;
}
