/** NeMo's names for Megatron's arguments. */
export const NEMO_NAMES: Readonly<Record<string, string>> = {
  encoder_seq_length: 'seq_length',
  activations_checkpoint_granularity: 'recompute_granularity',
  activations_checkpoint_method: 'recompute_method',
  activations_checkpoint_num_layers: 'recompute_num_layers',
  ub_tp_comm_overlap: 'tp_comm_overlap',
  num_layers_in_first_pipeline_stage: 'decoder_first_pipeline_num_layers',
  num_layers_in_last_pipeline_stage: 'decoder_last_pipeline_num_layers',
  rotary_percentage: 'rotary_percent',
};
