import type { QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned } from '../../plan/plan';
import type { ConfigTree, Entry, MapNode } from '../../syntax/tree';
import { emptyPlanOf } from '../common/empty-plan';
import { entryOf, mapOf, placeOf, rootMap, textOf } from '../common/nodes';
import { presetFindings } from '../common/quantization-args';
import { derived, present } from '../common/sourced';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { readCompressedTensors } from '../hf-config/compressed-tensors';
import { fieldsOf } from '../hf-config/fields';
import { notes } from '../hf-config/findings';
import { namedModel } from '../vllm/arguments';
import { modifierMaps } from './detect';
import { recipeChecks } from './checks';
import { modifierFindings, stageFindings } from './rules';

type Part = Planned<QuantizationSpec>;

const EMPTY = emptyPlanOf('llm-compressor', 'model');

interface Preset {
  readonly method: QuantizationSpec['method'];
  readonly groupSize?: number;
  readonly zeroPoints?: boolean;
  readonly bits?: number;
}

/** What a ready-made scheme stores. Source: compressed-tensors quantization/quant_scheme.py. */
function presetOf(name: string): Preset | undefined {
  const scheme = name.toUpperCase();
  if (scheme === 'UNQUANTIZED') return { method: 'none' };
  if (scheme === 'FP8') return { method: 'fp8-tensor' };
  if (scheme === 'FP8_DYNAMIC') return { method: 'fp8-channel' };
  if (scheme === 'FP8_BLOCK') return { method: 'fp8-block' };
  if (scheme.startsWith('NVFP4')) return { method: 'nvfp4', groupSize: 16 };
  if (scheme.startsWith('MXFP4')) return { method: 'mxfp4' };
  if (scheme.startsWith('MXFP8')) return { method: 'mxfp8' };
  if (scheme === 'INT8') return { method: 'int8' };
  const bits = Number(/^W([2-8])A/.exec(scheme)?.[1]);
  if (bits === 8) return { method: 'int8' };
  return Number.isInteger(bits)
    ? { method: 'int4-group', groupSize: 128, zeroPoints: scheme.endsWith('ASYM'), bits }
    : undefined;
}

function presetPart(entry: Entry, name: string): Part {
  const preset = presetOf(name);
  if (preset === undefined) return {};
  const says = `the scheme ${name}`;
  return present<Part>({
    source: derived(name, says, entry),
    method: derived(preset.method, says, entry),
    groupSize: preset.groupSize === undefined ? undefined : derived(preset.groupSize, says, entry),
    zeroPoints: preset.zeroPoints === true ? derived(true, says, entry) : undefined,
    weightBits: preset.bits === undefined || preset.bits === 4 ? undefined : derived(preset.bits, says, entry),
  });
}

/** The first modifier that quantizes weights decides what the checkpoint will be. */
function quantizationOf(root: MapNode): Part {
  for (const { value } of modifierMaps(root).flatMap(({ entries }) => entries)) {
    if (value.kind !== 'map') continue;
    const scheme = entryOf(value, 'scheme');
    const name = textOf(scheme?.value) ?? mapOf(value, 'scheme')?.entries[0]?.key;
    if (scheme !== undefined && name !== undefined) return presetPart(scheme, name);
    if (mapOf(value, 'config_groups') === undefined) continue;
    const found = notes();
    return readCompressedTensors(fieldsOf(value, found, []), found).quantization;
  }
  return {};
}

/** A run of the framework's own tests: the model, and a scheme or the recipe's file. */
function readRun(root: MapNode, read: ReadCompanion): DialectReading {
  const named = namedModel(entryOf(root, 'model'), read);
  const scheme = entryOf(root, 'scheme');
  const name = textOf(scheme?.value);
  const recipe = entryOf(root, 'recipe');
  const path = textOf(recipe?.value);
  const file: Reference[] =
    recipe === undefined || path === undefined ? [] : [{ at: placeOf(recipe), target: path, kind: 'quantization' }];
  return {
    plan: {
      ...EMPTY,
      model: named.model,
      quantization: scheme === undefined || name === undefined ? {} : presetPart(scheme, name),
    },
    // Beside a recipe the scheme is only what the run is called.
    findings:
      scheme === undefined || name === undefined || entryOf(root, 'recipe') !== undefined
        ? []
        : presetFindings(name, scheme, true),
    check: recipeChecks(root),
    references: [...named.references, ...file],
  };
}

/** Reads a recipe of llm-compressor: what the checkpoint it makes will hold, and what the framework refuses. */
export function readRecipe(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: EMPTY, findings: [], references: [] };
  const maps = modifierMaps(root);
  if (maps.length === 0) return readRun(root, read);
  return {
    plan: { ...EMPTY, quantization: quantizationOf(root) },
    findings: [...stageFindings(root), ...maps.flatMap(modifierFindings)],
    check: recipeChecks(root),
    references: [],
  };
}
