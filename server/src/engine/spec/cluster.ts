/** One homogeneous cluster. Bytes, bytes a second and FLOP/s; peaks are dense, never the 2:4 sparse figure. */
export interface ClusterSpec {
  readonly gpu: string;
  /** Device memory that the driver reports as total. */
  readonly memoryBytes: number;
  /** GPUs the job runs on. */
  readonly gpus: number;
  readonly gpusPerNode: number;
  readonly nodes: number;
  /** CUDA compute capability x 10 (80, 90, 100), or 0 where it does not apply. */
  readonly computeCapability?: number;
  readonly bf16Flops?: number;
  readonly fp8Flops?: number;
  readonly fp4Flops?: number;
  readonly memoryBandwidth?: number;
  /** One direction, a GPU, inside the NVLink/xGMI domain. */
  readonly nvlinkBandwidth?: number;
  /** One direction, a GPU, across nodes. */
  readonly nicBandwidth?: number;
  /** Share of the peaks that the clock holds under sustained load at the board's power; absent: 1. */
  readonly sustainedShare?: number;
  /** GPUs in one NVLink domain (8 in HGX, 72 in NVL72). */
  readonly nvlinkDomain?: number;
}
