import { source } from './spelling';

const CORE = 'megatron/core';

/** `validate_args` of the launcher: checked before anything is built. */
export const LAUNCHER = source();
/** The configuration of every Megatron-Core model, whoever builds it. */
export const CONFIG = source('TransformerConfig.__post_init__', `${CORE}/transformer/transformer_config.py`);
export const PARALLEL_CONFIG = source('ModelParallelConfig.__post_init__', `${CORE}/model_parallel_config.py`);
export const OPTIMIZER_CONFIG = source('OptimizerConfig.__post_init__', `${CORE}/optimizer/optimizer_config.py`);
export const PARALLEL_STATE = source('initialize_model_parallel', `${CORE}/parallel_state.py`);
export const YAML_LAUNCHER = source('validate_yaml', 'megatron/training/yaml_arguments.py');
