/**
 * How the job is split. Degrees follow Megatron's meaning: expert parallelism is carved out of the
 * data x context x tensor ranks and does not multiply the world.
 */
export interface LayoutSpec {
  readonly worldSize: number;
  readonly tensor: number;
  readonly pipeline: number;
  /** Model chunks (virtual stages) on each pipeline rank. */
  readonly virtualPipeline: number;
  readonly context: number;
  readonly expert: number;
  readonly expertTensor: number;
  /** Data-parallel replicas of the dense part: world / (tensor x pipeline x context). */
  readonly data: number;
  /** FSDP/HSDP: ranks that share one copy, and copies. `shard x replicate = data x context` for FSDP stacks. */
  readonly dataShard?: number;
  readonly dataReplicate?: number;
  readonly sequenceParallel: boolean;
  /** Serving: data-parallel attention groups inside the tensor-parallel world (1 = off). */
  readonly attentionData: number;
  /** Decoder layers of each global stage (pipeline x virtualPipeline entries, in stage order) where the file fixes them. */
  readonly stageLayers?: readonly number[];
}
