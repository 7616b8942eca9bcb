import type { LayerMixer } from '../../engine/model/spec';
import type { Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { placeOf } from '../common/nodes';
import { byDefault, derived } from '../common/sourced';
import type { NamedFamily } from './families';
import { integersOf, textsOf, type Fields } from './fields';
import { transformers, type Notes } from './findings';

/** Lists with one entry a layer are not built for more layers than any model has. */
const MOST_LAYERS = 4096;

function flags(count: number, test: (layer: number) => boolean): boolean[] {
  return Array.from({ length: Math.min(count, MOST_LAYERS) }, (_, layer) => test(layer));
}

/** Tells of a list whose length is not the number of layers; true when it fits. */
function fits(entry: Entry, length: number, count: number, notes: Notes): boolean {
  if (length === count) return true;
  notes.add(
    'layer-pattern-length',
    'error',
    placeOf(entry),
    `\`${entry.key}\` has ${length} entries for ${count} layers; it needs one entry a layer, ${count} in all.`,
    transformers('src/transformers/configuration_utils.py', 'layer_type_validation'),
  );
  return false;
}

function fromList(fields: Fields, count: number, notes: Notes): Sourced<readonly boolean[]> | undefined {
  const types = fields.list('mlp_layer_types');
  if (types !== undefined) {
    const words = textsOf(types.node);
    if (words !== undefined && fits(types.entry, words.length, count, notes)) {
      return derived(
        words.map((word) => word === 'sparse' || word === 'moe'),
        'listed layer by layer',
        types.entry,
      );
    }
  }
  const frequency = fields.list('moe_layer_freq');
  if (frequency === undefined) return undefined;
  const numbers = integersOf(frequency.node);
  if (numbers === undefined || !fits(frequency.entry, numbers.length, count, notes)) return undefined;
  return derived(
    numbers.map((number) => number !== 0),
    'listed layer by layer',
    frequency.entry,
  );
}

/** Qwen: every `decoder_sparse_step`-th layer except those of `mlp_only_layers`. */
function sparseStep(fields: Fields, count: number): Sourced<readonly boolean[]> | undefined {
  const step = fields.size(['decoder_sparse_step']);
  const only = fields.list('mlp_only_layers');
  if (step === undefined && only === undefined) return undefined;
  const dense = new Set(only === undefined ? [] : (integersOf(only.node) ?? []));
  const every = step?.value ?? 1;
  const entry = step === undefined ? only?.entry : fields.entry('decoder_sparse_step');
  return derived(
    flags(count, (layer) => (layer + 1) % every === 0 && !dense.has(layer)),
    'decoder_sparse_step and mlp_only_layers',
    entry,
  );
}

/** DeepSeek: layers from `first_k_dense_replace` on, every `moe_layer_freq`-th of them. */
function afterDense(
  fields: Fields,
  family: NamedFamily,
  count: number,
  notes: Notes,
): Sourced<readonly boolean[]> | undefined {
  const keys = ['first_k_dense_replace', 'n_dense_layers', 'moe_layer_start_index'];
  const first = fields.size(keys, 0);
  const entry = fields.entry(...keys);
  if (first !== undefined && entry !== undefined && first.value > count) {
    notes.add(
      'dense-layers-beyond-model',
      'warning',
      placeOf(entry),
      `\`${entry.key}: ${first.value}\` leaves none of the ${count} layers with experts; at most ${Math.max(0, count - 1)} layers can be dense before one that has them.`,
    );
  }
  const start = first?.value ?? family.firstDense;
  if (start === undefined) return undefined;
  const frequency =
    fields.list('moe_layer_freq') === undefined ? fields.size(['moe_layer_freq', 'moe_layer_interval']) : undefined;
  const every = frequency?.value ?? 1;
  const pattern = flags(count, (layer) => layer >= start && layer % every === 0);
  return entry === undefined
    ? byDefault(pattern, `${family.name} keeps ${start} dense layers unless told`)
    : derived(pattern, start >= count ? 'no layer has experts' : `layers ${start} to ${count - 1} have experts`, entry);
}

function interleaved(fields: Fields, count: number): Sourced<readonly boolean[]> | undefined {
  const listed = fields.list('moe_layers');
  const numbers = listed === undefined ? undefined : integersOf(listed.node);
  if (listed !== undefined && numbers !== undefined && numbers.length > 0) {
    const moe = new Set(numbers);
    return derived(
      flags(count, (layer) => moe.has(layer)),
      'listed layers',
      listed.entry,
    );
  }
  const step = fields.size(['interleave_moe_layer_step']);
  const entry = fields.entry('interleave_moe_layer_step');
  if (step === undefined) return undefined;
  return derived(
    flags(count, (layer) => (layer + 1) % step.value === 0),
    `every ${step.value}. layer has experts`,
    entry,
  );
}

/** Which decoder layers have experts, by whichever of the families' keys the config has; all of them where none is there. */
export function moeLayersOf(
  fields: Fields,
  family: NamedFamily,
  count: number,
  notes: Notes,
): Sourced<readonly boolean[]> {
  return (
    fromList(fields, count, notes) ??
    interleaved(fields, count) ??
    (family.name === 'llama4' ? undefined : (sparseStep(fields, count) ?? afterDense(fields, family, count, notes))) ??
    byDefault(
      flags(count, () => true),
      `every layer of ${family.name} has experts unless told`,
    )
  );
}

const SLIDING_TYPES = new Set(['sliding_attention', 'chunked_attention', 'sliding', 'local']);

/** Layers that attend within a window: the list of layer types, or the family's pattern where the config names a window. */
export function slidingLayersOf(
  fields: Fields,
  family: NamedFamily,
  count: number,
  windowed: boolean,
): Sourced<readonly boolean[]> | undefined {
  const types = fields.list('layer_types');
  const words = types === undefined ? undefined : textsOf(types.node);
  if (types !== undefined && words?.length === count) {
    return words.some((word) => SLIDING_TYPES.has(word))
      ? derived(
          words.map((word) => SLIDING_TYPES.has(word)),
          'listed layer by layer',
          types.entry,
        )
      : undefined;
  }
  if (!windowed) return undefined;
  const every = fields.size(['sliding_window_pattern', '_sliding_window_pattern']);
  const note = `the pattern of ${family.name}`;
  if (every !== undefined)
    return derived(
      flags(count, (layer) => (layer + 1) % every.value !== 0),
      note,
      fields.entry(...['sliding_window_pattern', '_sliding_window_pattern']),
    );
  const { sliding } = family;
  if (sliding === undefined) return undefined;
  if (sliding === 'all')
    return byDefault(
      flags(count, () => true),
      note,
    );
  if (sliding === 'even')
    return byDefault(
      flags(count, (layer) => layer % 2 === 0),
      note,
    );
  if (sliding === 'qwen') {
    const from = fields.size(['max_window_layers'], 0)?.value ?? 28;
    return byDefault(
      flags(count, (layer) => layer >= from),
      `layers from max_window_layers (${from}) on`,
    );
  }
  return byDefault(
    flags(count, (layer) => (layer + 1) % sliding.fullEvery !== 0),
    note,
  );
}

/** Says a list of layer types of the wrong length, which transformers refuses. */
export function checkLayerTypes(fields: Fields, count: number, notes: Notes): void {
  const types = fields.list('layer_types');
  if (types !== undefined) fits(types.entry, types.node.items.length, count, notes);
}

/** Token mixer of every layer of a hybrid, and which layers have a feed-forward; undefined where all are attention. */
export interface Hybrid {
  readonly mixers: Sourced<readonly LayerMixer[]>;
  readonly feedForwardLayers?: Sourced<readonly boolean[]>;
  readonly moeLayers?: Sourced<readonly boolean[]>;
}

const BLOCK_WORDS: Readonly<Record<string, string>> = { mamba: 'M', attention: '*', mlp: '-', moe: 'E' };

/** Nemotron-H says each layer by a letter or a word: M Mamba-2, * attention, - feed-forward, E experts. */
function blockLetters(fields: Fields): { readonly entry: Entry; readonly letters: readonly string[] } | undefined {
  const pattern = fields.text('hybrid_override_pattern');
  const entry = fields.entry('hybrid_override_pattern');
  if (pattern !== undefined && entry !== undefined) return { entry, letters: [...pattern.value] };
  const list = fields.list('layers_block_type');
  const words = list === undefined ? undefined : textsOf(list.node);
  return list === undefined || words === undefined
    ? undefined
    : { entry: list.entry, letters: words.map((word) => BLOCK_WORDS[word] ?? word) };
}

/** Layers of a model that only lists them: newer Nemotron-H configs give no count. */
export function listedLayerCount(fields: Fields): Sourced<number> | undefined {
  const blocks = blockLetters(fields);
  return blocks === undefined || blocks.letters.length === 0
    ? undefined
    : derived(blocks.letters.length, 'one entry a layer', blocks.entry);
}

function lettered(fields: Fields, count: number, notes: Notes): Hybrid | undefined {
  const blocks = blockLetters(fields);
  if (blocks === undefined || !fits(blocks.entry, blocks.letters.length, count, notes)) return undefined;
  const { entry, letters } = blocks;
  const note = 'listed layer by layer';
  return {
    mixers: derived(
      letters.map((letter): LayerMixer => (letter === 'M' ? 'mamba2' : letter === '*' ? 'attention' : 'none')),
      note,
      entry,
    ),
    feedForwardLayers: derived(
      letters.map((letter) => letter === '-' || letter === 'E'),
      note,
      entry,
    ),
    moeLayers: derived(
      letters.map((letter) => letter === 'E'),
      note,
      entry,
    ),
  };
}

/** Hybrids of attention and recurrent layers. */
export function hybridOf(fields: Fields, family: NamedFamily, count: number, notes: Notes): Hybrid | undefined {
  if (family.name === 'nemotron_h') return lettered(fields, count, notes);
  const types = fields.list('layer_types');
  const words = types === undefined ? undefined : textsOf(types.node);
  if (types !== undefined && words?.length === count) {
    if (!words.includes('linear_attention')) return undefined;
    return {
      mixers: derived(
        words.map((word): LayerMixer => (word === 'linear_attention' ? 'delta' : 'attention')),
        'listed layer by layer',
        types.entry,
      ),
    };
  }
  const every = fields.size(['full_attention_interval']);
  const recurrent = fields.entry('linear_num_value_heads') !== undefined;
  if (!recurrent) return undefined;
  const interval = every?.value ?? 4;
  const mixers = Array.from({ length: Math.min(count, MOST_LAYERS) }, (_, layer): LayerMixer =>
    (layer + 1) % interval === 0 ? 'attention' : 'delta',
  );
  return {
    mixers: derived(mixers, `every ${interval}. layer has full attention`, fields.entry('full_attention_interval')),
  };
}
