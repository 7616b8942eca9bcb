import type { PlacementFile } from './loads';

/** One expert count of TensorRT-LLM's statistics: iteration, model layer, counts a logical expert. */
interface Counted {
  readonly layer: number;
  readonly values: Float64Array;
}

const HEADER_BYTES = 8;
const MOST_HEADER = 64 * 1024 * 1024;

type Read = (view: DataView, at: number) => number;

const READERS: Readonly<Record<string, { readonly size: number; readonly read: Read }>> = {
  I32: { size: 4, read: (view, at) => view.getInt32(at, true) },
  I64: { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  F32: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  F64: { size: 8, read: (view, at) => view.getFloat64(at, true) },
};

function headerOf(view: DataView): Readonly<Record<string, unknown>> | undefined {
  if (view.byteLength < HEADER_BYTES) return undefined;
  const length = Number(view.getBigUint64(0, true));
  if (length > MOST_HEADER || HEADER_BYTES + length > view.byteLength) return undefined;
  // Keys and types are ASCII; anything else is no header of ours and fails to parse.
  const parts: string[] = [];
  for (let at = 0; at < length; at += 1) parts.push(String.fromCharCode(view.getUint8(HEADER_BYTES + at)));
  try {
    const header: unknown = JSON.parse(parts.join(''));
    return typeof header === 'object' && header !== null ? (header as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function valuesOf(view: DataView, start: number, entry: unknown): Float64Array | undefined {
  const { dtype, data_offsets: offsets } = entry as { dtype?: unknown; data_offsets?: unknown };
  const reader = typeof dtype === 'string' ? READERS[dtype] : undefined;
  if (reader === undefined || !Array.isArray(offsets)) return undefined;
  const [from, to] = offsets as number[];
  if (from === undefined || to === undefined || from < 0 || to < from || start + to > view.byteLength) return undefined;
  const count = Math.floor((to - from) / reader.size);
  return Float64Array.from({ length: count }, (_, index) => reader.read(view, start + from + index * reader.size));
}

/**
 * Counts of one `rank*.safetensors`, or what is wrong with it; keys other than `<iteration>_<layer>` (raw and co-occurrence counts) are
 * passed over.
 */
function countsOf(bytes: Uint8Array): Counted[] | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = headerOf(view);
  if (header === undefined) return 'the header of a safetensors file is broken or longer than the file';
  const start = HEADER_BYTES + Number(view.getBigUint64(0, true));
  const out: Counted[] = [];
  for (const [key, entry] of Object.entries(header)) {
    const layer = /^\d+_(\d+)$/.exec(key)?.[1];
    if (layer === undefined || typeof entry !== 'object' || entry === null) continue;
    const values = valuesOf(view, start, entry);
    if (values === undefined)
      return `the tensor ${key} of a safetensors file ends after the file or is none of ${Object.keys(READERS).join(', ')}`;
    out.push({ layer: Number(layer), values });
  }
  return out;
}

function refused(reason: string): PlacementFile {
  return { kind: 'refused', reason };
}

/**
 * Loads from a TensorRT-LLM statistics folder: the counts of every rank and iteration are added up, a row a MoE layer in
 * ascending order. Source: NVIDIA/TensorRT-LLM, examples/ep_load_balancer/generate_eplb_config.py.
 */
export function readTrtStatistics(metaInfo: string, ranks: readonly Uint8Array[]): PlacementFile {
  let experts: unknown;
  try {
    experts = (JSON.parse(metaInfo) as { num_experts?: unknown } | null)?.num_experts;
  } catch {
    return refused('meta_info.json is not JSON');
  }
  return sumRanks(experts, ranks);
}

/** One safetensors file of counts on its own: the number of experts is what its first count holds. */
export function readSafetensors(bytes: Uint8Array): PlacementFile {
  const counts = countsOf(bytes);
  return typeof counts === 'string' ? refused(counts) : sumRanks(counts[0]?.values.length ?? 1, [bytes]);
}

function sumRanks(experts: unknown, ranks: readonly Uint8Array[]): PlacementFile {
  if (typeof experts !== 'number' || !Number.isSafeInteger(experts) || experts <= 0 || experts > 65_536)
    return refused('meta_info.json has no usable num_experts');
  if (ranks.length === 0) return refused('the folder has no rank*.safetensors');
  const sums = new Map<number, Float64Array>();
  for (const bytes of ranks) {
    const counts = countsOf(bytes);
    if (typeof counts === 'string') return refused(counts);
    for (const { layer, values } of counts) {
      if (values.length !== experts)
        return refused(`layer ${layer} has ${values.length} counts where num_experts is ${experts}`);
      if (values.some((value) => !(value >= 0 && value < Infinity)))
        return refused(`layer ${layer} has a count that is negative or not a number`);
      const sum = sums.get(layer) ?? new Float64Array(experts);
      values.forEach((value, expert) => {
        sum[expert] = (sum[expert] ?? 0) + value;
      });
      sums.set(layer, sum);
    }
  }
  if (sums.size === 0) return refused('no rank*.safetensors holds counts named <iteration>_<layer>');
  const rows = [...sums].sort(([a], [b]) => a - b);
  return { kind: 'loads', loads: rows.map(([, row]) => row), firstLayer: rows[0]?.[0] ?? 0 };
}
