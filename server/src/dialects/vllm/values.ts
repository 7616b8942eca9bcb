import { parseJson } from '../../syntax/json';
import { placeText, type PlacedText } from '../../syntax/scalar-text';
import { scalar } from '../../syntax/scalars';
import type { ConfigNode, Entry, MapNode, ScalarNode, Span } from '../../syntax/tree';
import { entryOf, numberOf, pythonBoolean, textOf } from '../common/nodes';
import { valuesFrom, type ConfigValues } from '../common/values';
import { suffixedInteger } from '../sglang/arguments';
import { matchVllmKey } from './keys';

/**
 * Where arguments stand: in a `--config` file, where every key becomes `--key`, on a command line, or on that of a program which has options
 * of its own and hands the rest to vLLM.
 */
export type VllmForm = 'file' | 'command' | 'wrapped';

/** Arguments by option name, such as `tensor-parallel-size` or `speculative-config.method`. The last spelling of an option wins. */
export interface VllmArguments extends ConfigValues {
  readonly form: VllmForm;
  /** An integer that may be written with a unit: `32k` is 32,000 and `32K` is 32,768. */
  readonly size: (name: string) => number | undefined;
  /** The mapping that a JSON argument holds. */
  readonly map: (name: string) => MapNode | undefined;
}

function moved(node: ConfigNode, placed: PlacedText): ConfigNode {
  const at = ({ start, end }: Span): Span => {
    const from = placed.starts[start] ?? placed.ends.at(-1) ?? 0;
    return { start: from, end: Math.max(from, placed.ends[end - 1] ?? from) };
  };
  if (node.kind === 'scalar') return { ...node, span: at(node.span) };
  if (node.kind === 'list')
    return { ...node, span: at(node.span), items: node.items.map((item) => moved(item, placed)) };
  return {
    ...node,
    span: at(node.span),
    entries: node.entries.map(({ key, keySpan, value }) => ({
      key,
      keySpan: at(keySpan),
      value: moved(value, placed),
    })),
  };
}

/** JSON inside a text scalar, with places in the document. Undefined where the text is no JSON collection or cannot be known. */
export function embeddedJson(node: ScalarNode, text: string): ConfigNode | undefined {
  if (node.unresolved || typeof node.value !== 'string' || !/^\s*[{[]/.test(node.value)) return undefined;
  const placed = placeText(node, text);
  const { documents, issues } = parseJson(placed.text);
  const [root] = documents;
  return root === undefined || root.kind === 'scalar' || issues.length > 0 ? undefined : moved(root, placed);
}

function withJson(entry: Entry, text: string): Entry {
  if (entry.value.kind !== 'scalar') return entry;
  const json = embeddedJson(entry.value, text);
  return json === undefined ? entry : { ...entry, value: json };
}

/** Puts `a.b: value` into the mapping of `a`. */
function into(map: ConfigNode | undefined, path: readonly string[], entry: Entry): ConfigNode {
  const [step, ...rest] = path;
  if (step === undefined) return entry.value;
  const entries = map?.kind === 'map' ? map.entries : [];
  const inner = into(entries.find(({ key }) => key === step)?.value, rest, entry);
  return {
    kind: 'map',
    span: entry.value.span,
    entries: [...entries.filter(({ key }) => key !== step), { key: step, keySpan: entry.keySpan, value: inner }],
  };
}

/** A switch in snake_case that is turned off in a file: vLLM looks for `--no-key` as it is spelled, finds none, and drops it. */
export function isDroppedSwitch(entry: Entry, form: VllmForm): boolean {
  return (
    form === 'file' &&
    /_/.test(entry.key) &&
    entry.value.kind === 'scalar' &&
    !entry.value.unresolved &&
    pythonBoolean(entry.value) === false
  );
}

/** Options of a mapping by name, with the mappings that JSON arguments hold. */
export function collectVllm(root: MapNode, text: string, form: VllmForm): Map<string, Entry> {
  const found = new Map<string, Entry>();
  for (const entry of root.entries) {
    const match = matchVllmKey(entry.key);
    if (isDroppedSwitch(entry, form)) continue;
    if (match.kind === 'off') found.set(match.flag, { ...entry, value: scalar(false, 'false', entry.value.span) });
    if (match.kind === 'short') {
      const value =
        match.level === undefined ? entry.value : scalar(match.level, String(match.level), entry.value.span);
      found.set(match.flag, { ...entry, value });
    }
    // What earlier releases had still says what was meant, such as a scaling of positions.
    if (match.kind === 'removed') found.set(match.flag, withJson(entry, text));
    if (match.kind === 'known') {
      const read = match.schema.type === 'object' ? withJson(entry, text) : entry;
      const value = match.rest.length === 0 ? read.value : into(found.get(match.flag)?.value, match.rest, read);
      found.set(match.flag, { ...entry, value });
    }
  }
  return found;
}

/**
 * Arguments of one engine. `complete` is false where others may stand elsewhere: then nothing follows from an absent one. `below` are those
 * of a file that a command names: what the command says itself wins.
 */
export function vllmValues(
  root: MapNode,
  text: string,
  form: VllmForm,
  {
    complete = true,
    below = [],
  }: { readonly complete?: boolean; readonly below?: Iterable<readonly [string, Entry]> } = {},
): VllmArguments {
  const found = new Map([...below, ...collectVllm(root, text, form)]);
  const entry = (name: string): Entry | undefined => {
    const [flag = '', ...path] = name.split('.');
    let current = found.get(flag);
    for (const step of path)
      current = entryOf(current?.value, step) ?? entryOf(current?.value, step.replaceAll('-', '_'));
    // Python's None is as good as nothing.
    return current?.value.kind === 'scalar' && current.value.value === null ? undefined : current;
  };
  const values = valuesFrom(entry, complete);
  return {
    ...values,
    form,
    size: (name) => {
      const node = values.node(name);
      const number = numberOf(node);
      const written = textOf(node);
      const sized = written === undefined ? undefined : suffixedInteger(written);
      return sized ?? (number !== undefined && Number.isInteger(number) ? number : undefined);
    },
    map: (name) => {
      const node = values.node(name);
      return node?.kind === 'map' ? node : undefined;
    },
  };
}
