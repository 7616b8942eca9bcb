import type { ConfigNode, ConfigTree, MapNode } from '../../syntax/tree';
import type { Detection } from '../dialect';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, rootMap, textOf, childOf } from '../common/nodes';
import { PRESET_SCHEMES } from '../common/quantization-args';

/** True for a mapping that holds a modifier: `QuantizationModifier: {…}`. */
export function holdsModifier(node: ConfigNode | undefined): boolean {
  return node?.kind === 'map' && node.entries.some(({ key }) => /^[A-Z]\w*Modifier$/.test(key));
}

/** Mappings of modifiers anywhere in the two levels that a recipe has. */
export function modifierMaps(root: MapNode): MapNode[] {
  const maps = [root, ...root.entries.map(({ value }) => value)].flatMap((node) =>
    node.kind === 'map' ? [node, ...node.entries.map(({ value }) => value)] : [],
  );
  return [...new Set(maps)].filter((node): node is MapNode => node.kind === 'map' && holdsModifier(node));
}

function recipe(root: MapNode): Detection | undefined {
  if (modifierMaps(root).length === 0) return undefined;
  return weigh('llm-compressor', [
    when(true, 0.6, 'a mapping of modifiers'),
    when(
      root.entries.some(({ key }) => /_stage$|_modifiers$/.test(key)),
      0.3,
      'a stage',
    ),
  ]);
}

/** A run of llm-compressor's own end-to-end tests: a model and the scheme or the recipe it is given. */
function run(root: MapNode): Detection | undefined {
  const keys = new Set(root.entries.map(({ key }) => key));
  if (!keys.has('model') || !keys.has('cadence')) return undefined;
  const scheme = textOf(childOf(root, 'scheme'))?.toUpperCase() ?? '';
  return weigh('llm-compressor', [
    when(PRESET_SCHEMES.includes(scheme), 0.6, '`scheme` is a ready-made one'),
    when(hasKey(root, 'recipe') && hasKey(root, 'dataset_id'), 0.6, '`recipe` with the data to calibrate on'),
    when(
      /recipe|Converter$|Dequantizer$/.test(textOf(childOf(root, 'recipe')) ?? ''),
      0.5,
      '`recipe` names a recipe or a converter',
    ),
    keysSeen(
      keys,
      ['recipe', 'scheme', 'dataset_id', 'dataset_split', 'quant_type', 'num_calibration_samples', 'lmeval'],
      0.15,
      0.3,
    ),
  ]);
}

export function detectRecipe(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || hasKey(root, 'apiVersion')) return undefined;
  return recipe(root) ?? run(root);
}
