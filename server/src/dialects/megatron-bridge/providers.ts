import providersJson from '../../../../schemas/megatron-bridge-providers.json';
import { scalar } from '../../syntax/scalars';
import type { Entry, MapNode } from '../../syntax/tree';
import { entryOf, mapOf, textOf } from '../common/nodes';

type Argument = string | number | boolean;
type Shape = readonly [family: string, tied: number, ...sizes: number[]];

const { families, presets, shapes } = providersJson as unknown as {
  readonly families: Readonly<Record<string, Readonly<Record<string, Argument>>>>;
  readonly presets: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, Shape>>;
};

const SIZES = [
  'num_layers',
  'hidden_size',
  'ffn_hidden_size',
  'num_attention_heads',
  'num_query_groups',
  'vocab_size',
  'kv_channels',
];

/** A provider whose class fixes the model's sizes. */
export interface Provider {
  /** `_target_` of the model. */
  readonly entry: Entry;
  readonly name: string;
  /** A model that ships with the tool and has the same sizes. */
  readonly preset?: string;
  /** Megatron's arguments that the class sets, as entries that stand where the class is named. */
  readonly arguments: readonly Entry[];
}

function argumentsOf([family, tied, ...sizes]: Shape, { value }: Entry): Entry[] {
  const numbers = SIZES.flatMap((key, i): [string, Argument][] => {
    const size = sizes[i] ?? 0;
    return size === 0 ? [] : [[key, size]];
  });
  const all = [...Object.entries(families[family] ?? {}), ...numbers];
  return [...all, ['untie_embeddings_and_output_weights', tied === 0] as const].map(([key, argument]) => ({
    key,
    keySpan: value.span,
    value: scalar(argument, String(argument), value.span),
  }));
}

/** The provider that `model._target_` names, where its class says how large the model is. */
export function providerOf(root: MapNode): Provider | undefined {
  const entry = entryOf(mapOf(root, 'model'), '_target_');
  const name = textOf(entry?.value)?.split('.').at(-1);
  if (entry === undefined || name === undefined) return undefined;
  const preset = Object.entries(presets).find(([, names]) => names.split(' ').includes(name))?.[0];
  const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (preset === undefined && shape === undefined) return undefined;
  return {
    entry,
    name,
    ...(preset === undefined ? {} : { preset }),
    arguments: shape === undefined ? [] : argumentsOf(shape, entry),
  };
}
