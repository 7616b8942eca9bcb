/**
 * How a schedule's transfers behave.
 * - `ideal`: a consumer on another rank starts one latency after its producer ended; nobody waits to send.
 * - `batched`: each rank posts its sends and receives as one group and resumes when all of it is done
 *   (DualPipe `_commit_and_wait_comm`, Megatron without `overlap_p2p_comm`).
 * - `overlap`: Megatron `overlap_p2p_comm`: receives are posted early, waited for when needed.
 * - `overlap-flush`: the same with `overlap_p2p_comm_warmup_flush`.
 * - `torch`: torch.distributed.pipelining's runtime, receives posted as early as the sender's order allows.
 * - `torch-deferred`: the same with `defer_pp_recv`.
 */
export type P2pMode = 'ideal' | 'batched' | 'overlap' | 'overlap-flush' | 'torch' | 'torch-deferred';
