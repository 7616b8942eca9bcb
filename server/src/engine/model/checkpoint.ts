import type { CheckpointReport } from '../memory/report';
import type { DType, QuantizationSpec } from '../spec/numbers';
import { DTYPE_BITS } from '../spec/numbers';
import { formatTable, type FormatTable } from './formats';
import { layerKinds, modelTensors, modulePath, repeatedTables, type LayerKind } from './inventory';
import type { ModelSpec } from './spec';
import { storedParts, type StoredPart } from './stored-parts';
import { matrix, size, type TensorShape } from './tensors';

type Totals = Map<DType, number>;

function add(totals: Totals, parts: readonly StoredPart[], times: number): void {
  for (const { dtype, elements } of parts) totals.set(dtype, (totals.get(dtype) ?? 0) + elements * times);
}

function addTensor(
  totals: Totals,
  model: ModelSpec,
  formats: FormatTable,
  tensor: TensorShape,
  layer: number | undefined,
  times: number,
): void {
  const format = formats.formatOf(tensor, modulePath(model, tensor, layer));
  add(totals, storedParts(tensor.rows, tensor.columns, format), tensor.copies * times);
}

function addKind(totals: Totals, model: ModelSpec, formats: FormatTable, kind: LayerKind): void {
  const tensors = kind.mtp ? [...kind.tensors, ...repeatedTables(model)] : kind.tensors;
  for (const tensor of tensors) {
    if (formats.uniform) addTensor(totals, model, formats, tensor, kind.layers[0], kind.layers.length);
    else for (const layer of kind.layers) addTensor(totals, model, formats, tensor, layer, 1);
  }
}

/**
 * Elements and bytes of the tensors in a published checkpoint, exact to the byte: what is quantized, its scales, and what families
 * store beyond the parameters (MTP's copies of embedding and head, a tied head, rotary buffers). Headers of the files are not counted.
 * Packed formats count the elements as stored: two 4-bit weights are one U8, eight are one I32.
 */
export function checkpoint(model: ModelSpec, quantization: QuantizationSpec): CheckpointReport {
  const totals: Totals = new Map();
  const formats = formatTable(quantization);
  for (const tensor of modelTensors(model)) addTensor(totals, model, formats, tensor, undefined, 1);
  if (model.tiedEmbeddings && model.storesTiedHead === true) {
    const head = matrix('head', 'lm_head', size(model.vocabSize), size(model.hiddenSize), 'vocab', { storage: 'head' });
    addTensor(totals, model, formats, head, undefined, 1);
  }
  for (const kind of layerKinds(model)) addKind(totals, model, formats, kind);
  let elements = 0;
  let bytes = 0;
  for (const [dtype, count] of totals) {
    elements += count;
    bytes += (count * DTYPE_BITS[dtype]) / 8;
  }
  return { elements, bytes, elementsByDtype: Object.fromEntries([...totals].filter(([, count]) => count > 0)) };
}
