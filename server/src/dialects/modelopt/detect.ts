import type { ConfigNode, ConfigTree } from '../../syntax/tree';
import type { Detection } from '../dialect';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, isList, mapOf } from '../common/nodes';

const MARK = /^modelopt-schema:/;
const ATTRIBUTES = [
  'num_bits',
  'block_sizes',
  'axis',
  'effective_bits',
  'fake_quant',
  'narrow_range',
  'unsigned',
  'rotate',
  'trt_high_precision_dtype',
  'use_constant_amax',
  'type',
  'enable',
  'bias',
];

/** True for a list of `quantizer_name` and `$import` entries. */
export function isQuantizerList(node: ConfigNode | undefined): boolean {
  return (
    isList(node) &&
    node.items.length > 0 &&
    node.items.every((item) => hasKey(item, 'quantizer_name') || hasKey(item, '$import'))
  );
}

function attributes(root: ConfigNode): Detection | undefined {
  if (root.kind !== 'map' || !hasKey(root, 'num_bits')) return undefined;
  const all = root.entries.every(({ key }) => ATTRIBUTES.includes(key));
  return all && (hasKey(root, 'block_sizes') || hasKey(root, 'axis'))
    ? weigh('modelopt', [when(true, 0.7, 'attributes of one quantizer')])
    : undefined;
}

/** A quantization config of ModelOpt, one of its fragments, or a recipe that holds one. */
export function detectModelopt(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = tree.documents[0];
  if (root === undefined || tree.language !== 'yaml') return undefined;
  const marked = tree.comments.some(({ text }) => MARK.test(text));
  if (isQuantizerList(root)) return weigh('modelopt', [when(true, 0.8, 'a list of quantizers')]);
  if (root.kind !== 'map')
    return marked ? weigh('modelopt', [when(true, 0.8, 'a modelopt-schema comment')]) : undefined;
  const inner = mapOf(root, 'quantize') ?? root;
  const quantizers = isQuantizerList(childOf(inner, 'quant_cfg'));
  const keys = new Set(inner.entries.map(({ key }) => key));
  const found = weigh('modelopt', [
    when(marked, 0.8, 'a modelopt-schema comment'),
    when(quantizers, 0.7, '`quant_cfg` lists quantizers'),
    keysSeen(keys, quantizers || marked ? ['imports', 'algorithm', 'quant_cfg'] : [], 0.05, 0.15),
  ]);
  return found ?? attributes(root);
}
