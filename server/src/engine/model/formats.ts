import type { QuantizationSpec } from '../spec/numbers';
import { moduleMatcher } from './module-patterns';
import type { MatrixFormat } from './stored-parts';
import type { TensorShape } from './tensors';

/** The stored format of each module of a model under one quantization. */
export interface FormatTable {
  /** The format of a tensor; `name` is the full name of its module in the checkpoint. */
  readonly formatOf: (tensor: TensorShape, name: string) => MatrixFormat;
  /** True when every layer of a kind has the same formats, so that one look at a kind is enough. */
  readonly uniform: boolean;
}

function hasLayerNumber(patterns: readonly string[]): boolean {
  return patterns.some((pattern) => /layers\W{1,2}[\d[(]/.test(pattern));
}

/** Formats that only experts have: gpt-oss quantizes nothing else, whatever its list of kept modules says. */
function expertsOnly({ method, source }: QuantizationSpec): boolean {
  return method === 'mxfp4' && source === 'mxfp4';
}

/** compressed-tensors and ModelOpt treat the head as one more Linear unless it is listed; the others never touch it. */
function headToo({ source }: QuantizationSpec): boolean {
  return source === 'compressed-tensors' || source === 'modelopt';
}

/**
 * Which format each module of a checkpoint is stored in: only Linear weights are quantized, never embeddings, routers, norms or
 * biases; correction biases and old rotary buffers are FP32 in every checkpoint.
 */
export function formatTable(quantization: QuantizationSpec): FormatTable {
  const { excluded = [], included, overrides = [], ...own } = quantization;
  const plain: MatrixFormat = { method: 'none', baseDType: own.baseDType };
  const full: MatrixFormat = { method: 'none', baseDType: 'F32' };
  const isExcluded = moduleMatcher(excluded);
  const isIncluded = included === undefined ? () => true : moduleMatcher(included);
  const special = overrides.map(({ modules, ...rest }) => ({
    covers: moduleMatcher(modules),
    format: { ...own, ...rest },
  }));
  const lists = [excluded, included ?? [], ...overrides.map(({ modules }) => modules)];
  const head = headToo(quantization);
  return {
    uniform: !lists.some(hasLayerNumber),
    formatOf: (tensor, name) => {
      const { storage, part } = tensor;
      if (storage === 'routerCorrectionBias' || storage === 'buffer') return full;
      if (own.method === 'none' && special.length === 0) return plain;
      // The copy of the head in an MTP layer is left as it is by every exporter.
      if (storage !== 'linear' && !(storage === 'head' && head && tensor.path === 'lm_head')) return plain;
      if (expertsOnly(quantization) && part !== 'experts') return plain;
      const override = special.find(({ covers }) => covers(name));
      if (override !== undefined) return override.format;
      return isIncluded(name) && !isExcluded(name) ? own : plain;
    },
  };
}
