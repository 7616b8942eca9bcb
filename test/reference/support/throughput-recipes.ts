import type { Calibration } from '../../../server/src/engine/cost/rates';
import { DEFAULT_EFFICIENCIES } from '../../../server/src/engine/cost/rates';
import type { RecomputeSpec } from '../../../server/src/engine/spec/training';
import type { MeasuredRow } from './throughput-plans';

/**
 * What tables of throughput leave out and Megatron-Bridge's performance recipes say (src/megatron/bridge/perf_recipes at 067f987df), and what
 * is known of the software that other rows ran on.
 */

/** Models whose MXFP8 recipes capture a whole step in one graph and run experts' traffic beside another microbatch, and since when. */
const WHOLE_STEP: readonly (readonly [model: RegExp, gpu: RegExp])[] = [
  [/^Qwen3[ _]30B/i, /^(?:B300|GB[23]00)$/],
  [/^Qwen3[ _]235B/i, /^G?B[23]00$/],
  [/^DeepSeekV3/i, /^(?:B300|GB[23]00)$/],
  [/^GPT OSS 120B/i, /^GB[23]00$/],
];
const WHOLE_STEP_SINCE = 26 * 12 + 6;
const NEWEST = 26 * 12 + 8;

/** True where a row's recipe runs experts' traffic beside another microbatch; Megatron does so between model chunks of a pipeline. */
export function overlapsTraffic(row: MeasuredRow): boolean {
  const large = row.group === 'megatron-bridge' && /^Qwen3[ _]235B/i.test(row.model) && row.gpu === 'H100';
  return (large || capturesStep(row)) && (row.pipeline === 1 || row.virtual > 1);
}

/** True where a row's recipe captures the whole step: no kernel waits for the host, and experts' traffic is overlapped. */
export function capturesStep({ model, gpu, precision, release, group }: MeasuredRow): boolean {
  return (
    group === 'megatron-bridge' &&
    precision === 'MXFP8' &&
    (release ?? NEWEST) >= WHOLE_STEP_SINCE &&
    WHOLE_STEP.some(([name, kind]) => name.test(model) && kind.test(gpu))
  );
}

const RECOMPUTED: readonly (readonly [model: RegExp, gpu: RegExp, precision: RegExp, modules: readonly string[]])[] = [
  [/^(?:DeepSeekV3|Kimi)/, /./, /./, ['mla_up_proj']],
  [/^Nemotron_3_Nano/, /H100/, /./, ['layernorm']],
  [/^Nemotron_3_Super/, /^B200/, /MXFP8/, ['moe_act', 'layernorm']],
  [/^Nemotron_3_Super/, /^B300/, /NVFP4/, ['moe_act', 'layernorm']],
  [/^Nemotron_3_Ultra/, /./, /./, ['moe_act', 'layernorm']],
];

/** Recomputation as a row states it, or else its recipe; none where neither does. */
export function statedRecompute({ model, gpu, precision, group }: MeasuredRow): RecomputeSpec | undefined {
  if (group !== 'megatron-bridge') return undefined;
  if (/^LLAMA3_8B/.test(model) && gpu === 'H100') return { granularity: 'full', method: 'block', layers: 5 };
  const found = RECOMPUTED.find(([name, kind, format]) => name.test(model) && kind.test(gpu) && format.test(precision));
  return found === undefined ? undefined : { granularity: 'selective', modules: found[3] };
}

/** Models whose recipes left experts' traffic to plain all-to-alls of NCCL, and until when. */
const ALL_TO_ALL: readonly (readonly [model: RegExp, gpu: RegExp, before: number])[] = [
  [/^Qwen3[ _]235B/i, /^H100$/, Infinity],
  [/^Qwen3[ _]235B/i, /^B200$/, WHOLE_STEP_SINCE],
];

/** How experts' traffic is sent, where a recipe says so. */
export function statedDispatcher({ model, gpu, release, group }: MeasuredRow): { readonly dispatcher?: 'alltoall' } {
  const plain = ALL_TO_ALL.some(
    ([name, kind, before]) => name.test(model) && kind.test(gpu) && (release ?? NEWEST) < before,
  );
  return plain && group === 'megatron-bridge' ? { dispatcher: 'alltoall' } : {};
}

/**
 * Passes over routed tokens by release of the software: Megatron-Bridge's releases fused permutation, padding and quantization step by
 * step, which is why one plan's throughput rises from one container to the next. Fitted on the rows of Qwen3-30B; the newest is the default.
 */
const ROUTED_PASSES: readonly (readonly [before: number, passes: number])[] = [
  [26 * 12, 13],
  [26 * 12 + 5, 9],
];
/** What one plan gains a month from newer kernels, where nothing else changes (median of repeated dense plans), up to the newest release. */
const MONTHLY_GAIN = 0.01;
/** Host time of MoE layers before the releases of 2026, against theirs. Set by the rows of Qwen3 on B200. */
const OLD_HOST = 1.6;

/** torch's own flash attention on an H100, which context parallelism of torchtitan in 2024 ran on: shares of the BF16 peak. */
const FLASH_2 = { attentionForward: 0.31, attentionBackward: 0.27 };

/** What is known of the software that a row ran on; rows that do not say count as the newest. */
export function calibrationOf(row: MeasuredRow): Calibration {
  const { release, group } = row;
  if (group === 'torchtitan') return { efficiency: FLASH_2 };
  // BigScience's fork is older than Megatron-LM's asynchronous all-reduce of input gradients.
  if (group === 'bigscience') return { efficiency: { tensorBackward: 1 } };
  const captured = capturesStep(row) ? { routingSync: 0, hostMoe: 0, biasedPasses: 12 } : {};
  if (release === undefined) return { efficiency: captured };
  const passes = ROUTED_PASSES.find(([before]) => release < before)?.[1];
  const gained = 1 - MONTHLY_GAIN * Math.max(0, NEWEST - release);
  const { gemmBf16, gemmFp8, gemmFp4, attentionForward, attentionBackward, elementwise } = DEFAULT_EFFICIENCIES;
  const { hostMoe, routingSync } = DEFAULT_EFFICIENCIES;
  const rack = /^GB/.test(row.gpu);
  const old =
    release < 26 * 12 ? { hostMoe: hostMoe * OLD_HOST, ...(rack ? {} : { routingSync: routingSync * OLD_HOST }) } : {};
  return {
    efficiency: {
      gemmBf16: gemmBf16 * gained,
      gemmFp8: gemmFp8 * gained,
      gemmFp4: gemmFp4 * gained,
      attentionForward: attentionForward * gained,
      attentionBackward: attentionBackward * gained,
      elementwise: elementwise * gained,
      ...(passes === undefined ? {} : { routedPasses: passes }),
      ...old,
      ...captured,
    },
  };
}
