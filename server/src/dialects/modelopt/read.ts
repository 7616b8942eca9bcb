import type { QuantizationSpec } from '../../engine/spec/numbers';
import type { Finding } from '../../plan/finding';
import type { Planned } from '../../plan/plan';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import { emptyPlanOf } from '../common/empty-plan';
import { childOf, entryOf, isList, mapOf, placeOf, textOf } from '../common/nodes';
import { closest } from '../common/spelling';
import { derived, present } from '../common/sourced';
import type { DialectReading } from '../dialect';

type Part = Planned<QuantizationSpec>;

const EMPTY = emptyPlanOf('modelopt', 'model');

/** Storage of weights by the attributes of their quantizer. Source: modelopt/torch/quantization/config.py. */
function attributesPart(map: MapNode, at: Entry): Part {
  const bits = textOf(childOf(map, 'num_bits'));
  const blocks = mapOf(map, 'block_sizes');
  const size = Number(textOf(childOf(blocks, '-1')));
  const scale = textOf(childOf(blocks, 'scale_bits'));
  const group = Number.isInteger(size) && size > 0 ? size : undefined;
  const method = methodOf(bits, group, scale, map);
  if (method === undefined) return {};
  return present<Part>({
    method: derived(method, 'the weight quantizer', at),
    groupSize:
      group !== undefined && (method === 'nvfp4' || method === 'int4-group')
        ? derived(group, 'values that share a scale', at)
        : undefined,
  });
}

function methodOf(
  bits: string | undefined,
  group: number | undefined,
  scale: string | undefined,
  map: MapNode,
): QuantizationSpec['method'] | undefined {
  switch (bits) {
    case 'e2m1':
      return scale === 'e8m0' ? 'mxfp4' : 'nvfp4';
    case 'e4m3':
      if (scale === 'e8m0') return 'mxfp8';
      if (group !== undefined && childOf(mapOf(map, 'block_sizes'), '-2') !== undefined) return 'fp8-block';
      return textOf(childOf(map, 'axis')) === undefined ? 'fp8-tensor' : 'fp8-channel';
    case '8':
      return group === undefined ? 'int8' : undefined;
    case '4':
      return 'int4-group';
    default:
      return undefined;
  }
}

/** Formats by the names of ModelOpt's own fragments. */
const BY_NAME: readonly (readonly [RegExp, QuantizationSpec['method']])[] = [
  [/nvfp4/, 'nvfp4'],
  [/mxfp4/, 'mxfp4'],
  [/mxfp8/, 'mxfp8'],
  [/^(?!kv).*fp8/, 'fp8-tensor'],
  [/int4/, 'int4-group'],
  [/int8/, 'int8'],
];

function namedPart(name: string, at: Entry): Part {
  const method = /^kv_|attention/.test(name) ? undefined : BY_NAME.find(([pattern]) => pattern.test(name))?.[1];
  return method === undefined ? {} : { method: derived(method, `the fragment ${name}`, at) };
}

/** Weights: the quantizer that names them, or the first fragment whose name says a format. */
function quantizationOf(items: readonly ConfigNode[]): Part {
  for (const item of items) {
    const name = textOf(childOf(item, 'quantizer_name')) ?? '';
    const cfg = entryOf(item, 'cfg');
    if (!name.endsWith('weight_quantizer') || cfg === undefined) continue;
    const map = isList(cfg.value) ? cfg.value.items[0] : cfg.value;
    const fragment = textOf(childOf(map, '$import'));
    const own = map?.kind === 'map' ? attributesPart(map, cfg) : {};
    if (own.method !== undefined) return own;
    if (fragment !== undefined) return namedPart(fragment, cfg);
  }
  for (const item of items) {
    const entry = entryOf(item, '$import');
    const name = textOf(entry?.value);
    const part = entry === undefined || name === undefined ? {} : namedPart(name, entry);
    if (part.method !== undefined) return part;
  }
  return {};
}

/** Every `$import` below `node`. */
function importsBelow(node: ConfigNode): Entry[] {
  if (node.kind === 'list') return node.items.flatMap(importsBelow);
  if (node.kind !== 'map') return [];
  return node.entries.flatMap((entry) =>
    entry.key === '$import' ? [entry] : entry.key === 'imports' ? [] : importsBelow(entry.value),
  );
}

/** Fragments that are used and not named in `imports`. */
function importFindings(root: MapNode): Finding[] {
  const imports = mapOf(root, 'imports');
  const known = imports?.entries.map(({ key }) => key) ?? [];
  return importsBelow(root).flatMap((entry): Finding[] => {
    const nodes = isList(entry.value) ? entry.value.items : [entry.value];
    const missing = nodes.map(textOf).find((name) => name !== undefined && !known.includes(name));
    if (missing === undefined) return [];
    const meant = closest(missing, known);
    return [
      {
        rule: 'import-not-named',
        severity: 'warning',
        at: placeOf(entry),
        source: { framework: 'ModelOpt', repository: 'NVIDIA/Model-Optimizer', file: 'modelopt/recipe/loader.py' },
        message: `\`${missing}\` is not among \`imports\` of this file${meant === undefined ? ', so there is nothing to put here.' : `; did you mean \`${meant}\`?`}`,
      },
    ];
  });
}

/** Reads a quantization config of ModelOpt or one of its fragments: what weights will be stored as. */
export function readModelopt(tree: ConfigTree): DialectReading {
  const root = tree.documents[0];
  if (root === undefined || root.kind === 'scalar') return { plan: EMPTY, findings: [], references: [] };
  if (root.kind === 'list')
    return { plan: { ...EMPTY, quantization: quantizationOf(root.items) }, findings: [], references: [] };
  const inner = mapOf(root, 'quantize') ?? root;
  const quantizers = childOf(inner, 'quant_cfg');
  const bits = entryOf(root, 'num_bits');
  const quantization = isList(quantizers)
    ? quantizationOf(quantizers.items)
    : bits === undefined
      ? {}
      : attributesPart(root, bits);
  return { plan: { ...EMPTY, quantization }, findings: importFindings(root), references: [] };
}
