import type { ScheduleKind } from '../spec/training';
import type { DurationsInput } from './durations';
import type { P2pMode } from './p2p-mode';

/** What `buildOrder` needs. Sizes are counts; durations matter to sail's cost-driven kinds only. */
export interface ScheduleSpec {
  readonly kind: ScheduleKind;
  /** Pipeline ranks P. */
  readonly ranks: number;
  /** Microbatches M of one step; for DualPipe both directions together. */
  readonly microbatches: number;
  /** Stages a rank V; absent: the kind's own (2 for interleaved and V-shaped kinds, else 1). */
  readonly chunks?: number | undefined;
  /** Megatron `microbatch_group_size_per_vp_stage` N; absent: P. */
  readonly groupSize?: number | undefined;
  readonly durations?: DurationsInput | undefined;
  /** How transfers are made; only Megatron's PP = 2 rule looks at it here. */
  readonly p2p?: P2pMode | undefined;
}

/** A spec whose optional sizes are filled in and whose sizes are whole positive numbers. */
export interface SizedSpec {
  readonly kind: ScheduleKind;
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks: number;
  readonly groupSize: number;
  readonly p2p: P2pMode | undefined;
}
