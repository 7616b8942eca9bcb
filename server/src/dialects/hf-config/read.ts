import { emptyPlanOf } from '../common/empty-plan';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import type { QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned, Sourced } from '../../plan/plan';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { childOf, mapOf, rootMap } from '../common/nodes';
import { agreement, agreementWithConfig } from './agreement';
import { fieldsOf } from './fields';
import { notes } from './findings';
import { modelFromConfig } from './model';
import { readQuantization, type QuantizationReading } from './quantization';

const EMPTY = emptyPlanOf('hf-config', 'model');

/** The same values, at their places in another file. */
function fromFile(section: Planned<QuantizationSpec>, uri: string, note: string): Planned<QuantizationSpec> {
  const entries = Object.entries(section as Readonly<Record<string, Sourced<unknown>>>).map(([key, value]) => [
    key,
    {
      ...value,
      origin: value.origin === 'file' || value.origin === 'derived' ? 'companion' : value.origin,
      note: value.note ?? note,
      ...(value.at === undefined ? {} : { at: { ...value.at, uri } }),
    },
  ]);
  return Object.fromEntries(entries) as Planned<QuantizationSpec>;
}

/** Reads a file that holds only quantization: ModelOpt's `hf_quant_config.json`, GPTQ's `quantize_config.json`, a bare `quantization_config`. */
export function quantizationFromFile(
  root: MapNode,
): QuantizationReading & { readonly findings: DialectReading['findings'] } {
  const inner = mapOf(root, 'quantization') ?? root;
  const found = notes();
  const reading = readQuantization(fieldsOf(inner, found, []), '', found);
  return { ...reading, findings: found.findings };
}

function isQuantizationFile(root: MapNode): boolean {
  const sizes = ['model_type', 'architectures', 'hidden_size', 'dim', 'text_config', 'language_config', 'llm_config'];
  return sizes.every((key) => childOf(root, key) === undefined);
}

function readQuantizationFile(root: MapNode, companion: ReadCompanion): DialectReading {
  const { quantization, findings } = quantizationFromFile(root);
  const first = root.entries[0];
  const references: Reference[] =
    first === undefined ? [] : [{ at: { span: first.keySpan }, target: 'config.json', kind: 'model-config' }];
  return {
    plan: { ...EMPTY, quantization },
    findings: [...findings, ...agreementWithConfig(root, companion)],
    references,
  };
}

/** ModelOpt puts its quantization in a file beside the config; engines read it when the config itself has none. */
function beside(companion: ReadCompanion): Planned<QuantizationSpec> | undefined {
  const file = companion('hf_quant_config.json');
  const root = file === undefined ? undefined : rootMap(file.tree);
  if (file === undefined || root === undefined) return undefined;
  return fromFile(quantizationFromFile(root).quantization, file.uri, 'hf_quant_config.json');
}

/** Reads a model config: what the model is and how its weights are stored. */
export function readHfConfig(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: EMPTY, findings: [], references: [] };
  if (isQuantizationFile(root)) return readQuantizationFile(root, companion);
  const { model, quantization, findings, unresolved } = modelFromConfig(root);
  const other = quantization.method === undefined && quantization.source === undefined ? beside(companion) : undefined;
  return {
    plan: { ...EMPTY, model, quantization: { ...other, ...quantization }, unresolved },
    findings: [...findings, ...agreement(mapOf(root, 'quantization_config'), companion)],
    references: [],
  };
}
