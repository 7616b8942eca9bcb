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
  return weigh('sglang-cookbook', [
    when(models.length > 0, 0.3, '`vendor` with `families` of models'),
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

function settingsOf(root: MapNode): Setting[] {
  return modelsOf(root).flatMap((model) =>
    (mapOf(model, 'hardware')?.entries ?? []).flatMap((gpu) =>
      mapsOf(childOf(gpu.value, 'configurations')).map((configuration) => {
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
