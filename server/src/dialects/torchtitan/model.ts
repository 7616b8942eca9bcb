import type { ModelSpec } from '../../engine/model/spec';
import type { Planned, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { placeOf } from '../common/nodes';
import { derived, written } from '../common/sourced';
import type { TitanJob } from './job';
import type { Flavor } from './schema-data';

const SIZES = [
  'layers',
  'hiddenSize',
  'heads',
  'kvHeads',
  'headDim',
  'intermediateSize',
  'vocabSize',
  'experts',
  'expertsPerToken',
  'expertIntermediateSize',
  'sharedExperts',
  'sharedExpertIntermediateSize',
  'qLoraRank',
  'kvLoraRank',
  'qkNopeHeadDim',
  'qkRopeHeadDim',
  'vHeadDim',
  'maxPositions',
  'attention',
  'qkNorm',
  'tiedEmbeddings',
] as const satisfies readonly (keyof ModelSpec)[];

/** Which layers have experts: all but the first few (DeepSeek), or every n-th (Llama 4, from the n-th on). */
function expertLayers(flavor: Flavor): readonly boolean[] | undefined {
  const layers = flavor['layers'];
  if (typeof layers !== 'number' || flavor['experts'] === undefined) return undefined;
  const dense = flavor['denseFirst'];
  const step = typeof flavor['moeStep'] === 'number' ? flavor['moeStep'] : 1;
  return Array.from({ length: layers }, (_, layer) =>
    typeof dense === 'number' ? layer >= dense : (layer + 1) % step === 0,
  );
}

/** A size that stands at the flavor but is not called so: messages name it by what it is. */
function sized(value: unknown, note: string, entry: Entry): Sourced<unknown> {
  return { ...derived(value, note), at: placeOf(entry) };
}

/** The model that family and flavor name, in the sizes of torchtitan's own table. */
export function readTitanModel(job: TitanJob): Planned<ModelSpec> {
  const entry = job.entry('model.flavor') ?? job.entry('model.name');
  if (job.family === undefined || entry === undefined) return {};
  const word = job.text('model.flavor') ?? 'debugmodel';
  const title = `${job.family} ${word}`;
  // Another backend reads the model of a Hugging Face repository that the file names.
  const hub = job.entry('hf_transformers.model');
  const hubName = job.text('hf_transformers.model');
  if (hub !== undefined && hubName !== undefined) return { name: written(hubName, hub) };
  if (job.flavor === undefined) return {};
  const flavor = job.flavor;
  const note = `torchtitan's table of ${title}`;
  const sizes = SIZES.flatMap((key): [string, Sourced<unknown>][] => {
    const value = flavor[key];
    return value === undefined ? [] : [[key, sized(value, note, entry)]];
  });
  const moe = expertLayers(flavor);
  return {
    name: derived(title, note, entry),
    ...(Object.fromEntries(sizes) as Planned<ModelSpec>),
    ...(moe === undefined ? {} : { moeLayers: derived(moe, note, entry) }),
  };
}
