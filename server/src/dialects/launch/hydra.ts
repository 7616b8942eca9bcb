import { isInterpolated, scalar } from '../../syntax/scalars';
import { parseConfig } from '../../syntax/parse';
import type { Word } from '../../syntax/shell-words';
import type { ConfigNode, Entry, MapNode, Span } from '../../syntax/tree';

/** `key=value`, `+key=value` (new) and `++key=value` (either), as Hydra takes overrides on a command line. */
const OVERRIDE = /^\+{0,2}([A-Za-z_][\w./@-]*)=/;

interface Override {
  readonly path: readonly string[];
  readonly keySpan: Span;
  readonly value: ConfigNode;
}

/** Every place inside `node` becomes `span`. */
function standing(node: ConfigNode, span: Span): ConfigNode {
  if (node.kind === 'scalar') return { ...node, span };
  if (node.kind === 'list') return { ...node, span, items: node.items.map((item) => standing(item, span)) };
  const entries = node.entries.map((entry) => ({ ...entry, keySpan: span, value: standing(entry.value, span) }));
  return { ...node, span, entries };
}

/** The value of an override: YAML but for quotes that the shell took. */
function valueOf(word: Word, from: number): ConfigNode {
  const body = word.text.slice(from);
  const start = word.starts[from] ?? word.span.end;
  const span = { start, end: Math.max(start, word.ends.at(-1) ?? start) };
  if (word.unresolved || isInterpolated(body)) return { ...scalar(body, body, span), unresolved: true };
  const [root] = parseConfig(`v: ${body}`, 'yaml').documents;
  const parsed = root?.kind === 'map' ? root.entries[0]?.value : undefined;
  return parsed === undefined ? scalar(body, body, span) : standing(parsed, span);
}

function overrideOf(word: Word): Override | undefined {
  const [all, name] = OVERRIDE.exec(word.text) ?? [];
  if (all === undefined || name === undefined || /[@/]/.test(name)) return undefined;
  const end = word.ends[all.length - 2] ?? word.span.end;
  return { path: name.split('.'), keySpan: { start: word.span.start, end }, value: valueOf(word, all.length) };
}

function put(map: MapNode, [key = '', ...rest]: readonly string[], override: Override): MapNode {
  const before = map.entries.find((entry) => entry.key === key);
  const below: MapNode =
    before?.value.kind === 'map' ? before.value : { kind: 'map', span: override.keySpan, entries: [] };
  const value = rest.length === 0 ? override.value : put(below, rest, override);
  const entry: Entry = {
    key,
    keySpan: rest.length === 0 ? override.keySpan : (before?.keySpan ?? override.keySpan),
    value,
  };
  return { ...map, entries: [...map.entries.filter((other) => other.key !== key), entry] };
}

/**
 * The overrides of a Hydra command as the mapping that they make, on a base that is not at hand.
 * Source of the grammar: facebookresearch/hydra, hydra/core/override_parser.
 */
export function hydraOverrides(words: readonly Word[], span: Span): MapNode {
  const base = scalar('base', 'base', { start: span.start, end: span.start });
  const defaults: Entry = {
    key: 'defaults',
    keySpan: base.span,
    value: { kind: 'list', span: base.span, items: [base] },
  };
  const overrides = words.flatMap((word) => overrideOf(word) ?? []);
  return overrides.reduce<MapNode>((map, override) => put(map, override.path, override), {
    kind: 'map',
    span,
    entries: [defaults],
  });
}
