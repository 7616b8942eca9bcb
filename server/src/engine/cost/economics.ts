/** What a run of known throughput takes. Tokens, tokens a second and GPU, money a GPU-hour, watts a GPU. */
export interface RunInput {
  readonly tokens: number;
  readonly tokensPerSecondPerGpu: number;
  readonly gpus: number;
  readonly pricePerGpuHour?: number;
  readonly wattsPerGpu?: number;
}

export interface RunCost {
  readonly seconds: number;
  readonly days: number;
  readonly gpuHours: number;
  /** In the currency of the price; absent without one. */
  readonly money?: number;
  /** Energy of the GPUs alone; absent without a power. */
  readonly kilowattHours?: number;
}

/** Time, GPU-hours, money and energy of a run; undefined where a number is not positive. */
export function runCost(input: RunInput): RunCost | undefined {
  const { tokens, tokensPerSecondPerGpu, gpus, pricePerGpuHour, wattsPerGpu } = input;
  const seconds = tokens / (tokensPerSecondPerGpu * gpus);
  if (!(tokens > 0 && tokensPerSecondPerGpu > 0 && gpus > 0) || !Number.isFinite(seconds)) return undefined;
  const gpuHours = (seconds * gpus) / 3600;
  return {
    seconds,
    days: seconds / 86_400,
    gpuHours,
    ...(pricePerGpuHour === undefined ? {} : { money: gpuHours * pricePerGpuHour }),
    ...(wattsPerGpu === undefined ? {} : { kilowattHours: (gpuHours * wattsPerGpu) / 1000 }),
  };
}

/** Which peak a utilisation is measured against: never a number without it. */
export type PeakName = 'BF16' | 'FP8' | 'FP4';

export interface Utilisation {
  /** Model FLOP/s over the dense peak. */
  readonly mfu: number;
  readonly peak: PeakName;
  /** Whether attention was counted as causal kernels compute it. */
  readonly causal: boolean;
  /** Model FLOP/s of one GPU. */
  readonly flops: number;
}

/** Model FLOPs utilisation of a throughput, with the convention it is counted by. */
export function utilisation(
  tokensPerSecondPerGpu: number,
  flopsPerToken: number,
  peakFlops: number,
  peak: PeakName,
  causal: boolean,
): Utilisation {
  const flops = tokensPerSecondPerGpu * flopsPerToken;
  return { mfu: peakFlops > 0 ? flops / peakFlops : 0, peak, causal, flops };
}
