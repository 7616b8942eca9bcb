import { optionsOf, splitCommands } from '../../syntax/arguments';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import { weigh, when } from '../common/evidence';
import { childOf, entryOf, hasKey, isList, mapOf, rootMap, textOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { Detection, Dialect, DialectReading, ReadCompanion } from '../dialect';
import { combine } from '../launch/combine';
import { readHandedOn } from '../launch/handed-on';
import type { Launch } from '../launch/launch';
import { findGpu } from '../presets';
import { sglangArity } from '../sglang/keys';

/** Keys of `engine` and the options that they stand for. */
const OPTIONS = { tp: 'tp-size', dp: 'dp-size', ep: 'ep-size', enable_dp_attention: 'enable-dp-attention' } as const;
const ENGINES = ['engine', 'prefill', 'decode'];

function mapsOf(node: ConfigNode | undefined): MapNode[] {
  return isList(node) ? node.items.filter((item): item is MapNode => item.kind === 'map') : [];
}

/** Every model of every family. */
function modelsOf(root: MapNode): MapNode[] {
  return mapsOf(childOf(root, 'families')).flatMap((family) => mapsOf(childOf(family, 'models')));
}

function detect(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || !hasKey(root, 'vendor')) return undefined;
  const models = modelsOf(root);
  const hardware = models.filter((model) => mapOf(model, 'hardware') !== undefined);
  const source = mapOf(mapOf(root, 'defaults'), 'hardware') !== undefined;
  return weigh('sglang-cookbook', [
    when(models.length > 0, 0.3, '`vendor` with `families` of models'),
    when(models.length > 0 && source, 0.5, '`defaults` with `hardware` and configurations'),
    when(hardware.length > 0, 0.4, '`hardware` of a model with configurations'),
    when(
      hardware.some((model) => hasKey(model, 'model_path')),
      0.2,
      '`model_path` of a model',
    ),
  ]);
}

/** The arguments of one engine: its degrees under their option names, then the words of `extra_args`. */
function optionsIn(engine: MapNode, text: string): MapNode {
  const own = Object.entries(OPTIONS).flatMap(([key, flag]): Entry[] => {
    const entry = entryOf(engine, key);
    return entry === undefined ? [] : [{ ...entry, key: flag }];
  });
  const extra = childOf(engine, 'extra_args');
  const words = extra === undefined ? [] : splitCommands(extra, text).flat();
  return { ...engine, entries: [...own, ...optionsOf(words, text, sglangArity)] };
}

interface Setting {
  readonly model: Entry | undefined;
  readonly gpu: Entry;
  readonly configuration: MapNode;
}

/** What a short configuration and the GPU that it runs on say together, as the one engine of a written-out one. */
function together(gpu: Entry, configuration: MapNode): MapNode {
  const own = gpu.value.kind === 'map' ? gpu.value.entries : [];
  const names = new Set(configuration.entries.map(({ key }) => key));
  const lists = [childOf(gpu.value, 'extra_args'), childOf(configuration, 'extra_args')].filter(isList);
  const [first] = lists;
  const extra: Entry[] =
    first === undefined
      ? []
      : [{ key: 'extra_args', keySpan: first.span, value: { ...first, items: lists.flatMap(({ items }) => items) } }];
  const entries = [...own.filter(({ key }) => !names.has(key)), ...configuration.entries].filter(
    ({ key }) => key !== 'extra_args',
  );
  const engine: MapNode = { ...configuration, entries: [...entries, ...extra] };
  return { ...configuration, entries: [{ key: 'engine', keySpan: configuration.span, value: engine }] };
}

/** Configurations of one GPU: its own, or the short ones of the model or of the file, which every GPU shares. */
function configurationsOf(root: MapNode, model: MapNode, gpu: Entry): MapNode[] {
  const written = mapsOf(childOf(gpu.value, 'configurations'));
  if (written.length > 0) return written;
  const shared = childOf(model, 'configurations') ?? childOf(mapOf(root, 'defaults'), 'configurations');
  return mapsOf(shared).map((configuration) => together(gpu, configuration));
}

function settingsOf(root: MapNode): Setting[] {
  const everywhere = mapOf(mapOf(root, 'defaults'), 'hardware');
  return modelsOf(root).flatMap((model) =>
    ((mapOf(model, 'hardware') ?? everywhere)?.entries ?? []).flatMap((gpu) =>
      configurationsOf(root, model, gpu).map((configuration) => {
        const quantized = entryOf(configuration, 'quantized_model_path');
        const path = textOf(quantized?.value) === undefined ? entryOf(model, 'model_path') : quantized;
        return { model: path, gpu, configuration };
      }),
    ),
  );
}

function launchOf(setting: Setting, key: string, tree: ConfigTree, read: ReadCompanion): Launch[] {
  const { configuration, gpu, model } = setting;
  const engine = mapOf(configuration, key);
  if (engine === undefined) return [];
  const preset = findGpu(gpu.key);
  const named = preset === undefined ? undefined : { ...written(preset.name, gpu), at: { span: gpu.keySpan } };
  return [
    readHandedOn(
      {
        program: 'sglang',
        options: optionsIn(engine, tree.text),
        role: key,
        ...(model === undefined ? {} : { model }),
        ...(named === undefined ? {} : { cluster: { gpu: named } }),
      },
      { text: tree.text, read },
    ),
  ];
}

function read(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  const settings = root === undefined ? [] : settingsOf(root);
  return combine(settings.flatMap((setting) => ENGINES.flatMap((key) => launchOf(setting, key, tree, companion))));
}

/** Deployment tables of the SGLang cookbook: one server for each model, GPU and purpose. */
export const sglangCookbook: Dialect = { id: 'sglang-cookbook', title: 'SGLang cookbook', detect, read };
