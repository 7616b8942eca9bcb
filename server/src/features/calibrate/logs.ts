/** What a run's log, or a person, says that was measured. Seconds, bytes, tokens a second. */
export interface Measurements {
  /** Where the numbers come from, for people. */
  readonly from: string;
  readonly stepSeconds?: number;
  readonly tokensPerSecondPerGpu?: number;
  /** Peak of the allocator on one rank. */
  readonly peakBytes?: number;
  /** Output tokens a second of the whole server at so many running requests. */
  readonly decode?: { readonly sequences: number; readonly tokensPerSecond: number };
  /** Bus bandwidth of collectives, bytes a second: within a node and across nodes. */
  readonly inside?: number;
  readonly outside?: number;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** The median of the steps after the first ones, which compile and warm caches up. */
function steady(values: readonly number[]): number | undefined {
  return median(values.slice(Math.min(values.length - 1, Math.max(2, Math.floor(values.length / 5)))));
}

function numbers(text: string, pattern: RegExp, group = 1): number[] {
  return [...text.matchAll(pattern)]
    .map((match) => Number((match[group] ?? '').replaceAll(',', '')))
    .filter((value) => Number.isFinite(value) && value > 0);
}

/** What was found, without the rest; undefined where nothing was. */
function present(
  from: string,
  values: { readonly [K in Exclude<keyof Measurements, 'from'>]?: Measurements[K] | undefined },
): Measurements | undefined {
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : { from, ...Object.fromEntries(known) };
}

function scale(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value * by;
}

type Reader = (text: string) => Measurements | undefined;

/** Megatron-LM megatron/training/training.py (training_log) and utils.py (report_memory). */
const megatron: Reader = (text) =>
  present('a Megatron-LM log', {
    stepSeconds: scale(steady(numbers(text, /elapsed time per iteration \(ms\):\s*([\d.]+)/g)), 1e-3),
    peakBytes: scale(numbers(text, /max allocated:\s*([\d.]+)/g).at(-1), MIB),
  });

/** torchtitan components/metrics.py (MetricsProcessor.log). */
const torchtitan: Reader = (text) => {
  const tokens = steady(numbers(text, /\btps:\s*([\d,]+)/g));
  if (tokens === undefined) return undefined;
  return present('a torchtitan log', {
    tokensPerSecondPerGpu: tokens,
    peakBytes: scale(Math.max(0, ...numbers(text, /\bmemory:\s*([\d.]+)GiB/g)) || undefined, GIB),
  });
};

interface Batch {
  readonly sequences: number;
  readonly tokensPerSecond: number;
}

/** The busiest half of what a server logged: few requests tell of the traffic, not of the server. */
function busiest(batches: readonly Batch[]): Batch | undefined {
  const most = Math.max(0, ...batches.map(({ sequences }) => sequences));
  const busy = batches.filter(({ sequences, tokensPerSecond }) => sequences >= most / 2 && tokensPerSecond > 0);
  const sequences = median(busy.map((batch) => batch.sequences));
  const tokensPerSecond = median(busy.map((batch) => batch.tokensPerSecond));
  return sequences === undefined || tokensPerSecond === undefined || sequences < 1
    ? undefined
    : { sequences, tokensPerSecond };
}

function batches(text: string, pattern: RegExp, sequences: number, rate: number): Batch[] {
  return [...text.matchAll(pattern)].map((match) => ({
    sequences: Number(match[sequences]),
    tokensPerSecond: Number(match[rate]),
  }));
}

/** vLLM vllm/v1/metrics/loggers.py (LoggingStatLogger.log). */
const vllm: Reader = (text) =>
  present('a vLLM log', {
    decode: busiest(batches(text, /Avg generation throughput: ([\d.]+) tokens\/s, Running: (\d+) reqs/g, 2, 1)),
  });

/** SGLang python/sglang/srt/managers/scheduler_metrics_mixin.py (log_decode_stats). */
const sglang: Reader = (text) =>
  present('an SGLang log', {
    decode: busiest(batches(text, /#running-req: (\d+)[^\n]*?gen throughput \(token\/s\): ([\d.]+)/g, 1, 2)),
  });

/** nccl-tests: the last line names the mean, the table's rows the largest sizes; hosts stand in its head. */
const nccl: Reader = (text) => {
  if (!/busbw|Avg bus bandwidth/.test(text)) return undefined;
  const row = /^\s*\d+\s+\d+\s+\w+\s+\w+\s+-?\d+\s+[\d.]+\s+[\d.]+\s+([\d.]+)/gm;
  const best = Math.max(0, ...numbers(text, row));
  const mean = numbers(text, /Avg bus bandwidth\s*:\s*([\d.]+)/g).at(-1);
  const measured = scale(best > 0 ? best : mean, 1e9);
  const hosts = new Set([...text.matchAll(/^#\s+Rank\s+\d+.*?\bon\s+(\S+)/gm)].map((match) => match[1]));
  return present('an nccl-tests report', hosts.size > 1 ? { outside: measured } : { inside: measured });
};

const READERS: readonly Reader[] = [megatron, torchtitan, vllm, sglang, nccl];

/** Escape sequences of colours, which loggers write into files. */
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** What a log says that was measured; undefined for a text of none of the known kinds. */
export function readLog(text: string): Measurements | undefined {
  const plain = text.replace(COLOURS, '');
  return READERS.map((reader) => reader(plain)).find((found) => found !== undefined);
}
