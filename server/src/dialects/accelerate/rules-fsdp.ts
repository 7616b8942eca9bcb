import { isOn, type Condition } from '../common/conditions';
import { placeIn, type Source } from '../deepspeed/source';
import { replaceFix } from '../common/findings';
import { accelerateFile } from './framework';
import { fsdpKey, fsdpVersion, strategyOf, type FsdpNames } from './fsdp';

const PLUGIN = accelerateFile('src/accelerate/utils/dataclasses.py', 'FullyShardedDataParallelPlugin.__post_init__');
const NAMES: FsdpNames = { section: 'fsdp_config', version: ['fsdp_config.fsdp_version', 'fsdp_config.version'] };
const VERSION = 'fsdp_config.fsdp_version';
const error = { severity: 'error' } as const;

const key = (s: Source, option: string): string => fsdpKey(s, NAMES, option);

function sharded(s: Source): 1 | 2 | undefined {
  return s.text('distributed_type')?.toUpperCase() === 'FSDP' && s.entry('fsdp_config') !== undefined
    ? fsdpVersion(s, NAMES)
    : undefined;
}

/** Options that FSDP2 drops, and why each is not needed there. */
const DROPPED: readonly (readonly [string, string])[] = [
  ['sharding_strategy', 'fsdp_reshard_after_forward takes its place'],
  ['backward_prefetch', 'FSDP2 always prefetches'],
  ['use_orig_params', 'FSDP2 always keeps the original parameters'],
  ['sync_module_states', 'FSDP2 needs no broadcast'],
];

const VERSIONS = NAMES.version;

/** A version as written that is neither 1 nor 2. */
function otherVersion(s: Source): { readonly name: string; readonly word: string } | undefined {
  const name = VERSIONS.find((option) => s.entry(option) !== undefined) ?? VERSION;
  const word = s.text(name);
  if (s.text('distributed_type')?.toUpperCase() !== 'FSDP' || word === undefined || /^[12]$/.test(word.trim())) return;
  return { name, word };
}

/**
 * What becomes of a version that is neither 1 nor 2. A file's value passes by the choices of the command line; the plugin then takes
 * FSDP1's way in some places and neither way in others.
 */
function ofOtherVersion(s: Source, word: string): string | undefined {
  if (!/^[-+]?\d+$/.test(word.trim())) return 'which is no whole number';
  const reshard = key(s, 'reshard_after_forward');
  const given = s.entry(reshard) === undefined ? 'true' : (s.text(reshard) ?? '');
  if (s.unknown(reshard)) return undefined;
  if (strategyOf(given) === undefined)
    return `where fsdp_reshard_after_forward ${given} is looked up among FSDP1's sharding strategies`;
  const precision = s.text('mixed_precision')?.toLowerCase() ?? 'no';
  return precision === 'no' || precision === 'false' ? undefined : `which has no mixed precision policy to build`;
}

/** A version that stops the launch, and one that runs as FSDP1. */
const version = (stops: boolean): Condition<Source> => ({
  severity: stops ? 'error' : 'warning',
  rule: 'wrong-value',
  covers: [],
  keys: [...VERSIONS, 'distributed_type', 'mixed_precision'],
  source: PLUGIN,
  says: (s) => {
    const other = otherVersion(s);
    const why = other === undefined ? undefined : ofOtherVersion(s, other.word);
    if (other === undefined || (why !== undefined) !== stops) return undefined;
    return why === undefined
      ? `There is no FSDP version ${other.word}: Accelerate says nothing and runs FSDP1; write 1 or 2.`
      : `There is no FSDP version ${other.word}: Accelerate knows 1 and 2 and stops on another, ${why}.`;
  },
  fixes: (s) => {
    const entry = s.entry(otherVersion(s)?.name ?? VERSION);
    return entry === undefined ? [] : [replaceFix('Change to 2', entry.value.span, '2', false)];
  },
});

/** What Accelerate's FSDP options refuse, drop or change. */
export const fsdpConditions: readonly Condition<Source>[] = [
  version(true),
  version(false),
  {
    ...error,
    rule: 'reshard-kind',
    covers: ['ACC-013'],
    keys: ['fsdp_config.fsdp_reshard_after_forward', VERSION],
    source: PLUGIN,
    says: (s) => {
      const version = sharded(s);
      const name = key(s, 'reshard_after_forward');
      const word = s.text(name);
      if (version === undefined || word === undefined) return undefined;
      const flag = s.flag(name);
      if (version === 2)
        return flag === undefined && strategyOf(word) !== undefined
          ? `FSDP2 takes true or false for fsdp_reshard_after_forward, not ${word}.`
          : undefined;
      return flag !== undefined && s.entry(key(s, 'sharding_strategy')) === undefined
        ? `FSDP1 takes a sharding strategy for fsdp_reshard_after_forward, not ${word}; write FULL_SHARD or SHARD_GRAD_OP, or set fsdp_version to 2.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'forward-prefetch-in-fsdp2',
    covers: ['ACC-014'],
    keys: ['fsdp_config.fsdp_forward_prefetch', VERSION],
    source: PLUGIN,
    says: (s) =>
      sharded(s) === 2 && s.entry(key(s, 'forward_prefetch')) !== undefined
        ? 'FSDP2 has no forward prefetch and Accelerate stops on the key; remove fsdp_forward_prefetch or use fsdp_version 1.'
        : undefined,
  },
  {
    ...error,
    rule: 'state-dict-kind',
    covers: ['ACC-015'],
    keys: ['fsdp_config.fsdp_state_dict_type', VERSION],
    source: accelerateFile('src/accelerate/utils/dataclasses.py', 'FullyShardedDataParallelPlugin.set_state_dict_type'),
    says: (s) =>
      sharded(s) === 2 && s.text(key(s, 'state_dict_type'))?.toUpperCase() === 'LOCAL_STATE_DICT'
        ? 'FSDP2 has no LOCAL_STATE_DICT; use SHARDED_STATE_DICT or FULL_STATE_DICT.'
        : undefined,
  },
  {
    ...error,
    rule: 'wrap-policy-unknown',
    covers: ['ACC-016'],
    keys: ['fsdp_config.fsdp_auto_wrap_policy'],
    source: PLUGIN,
    says: (s) => {
      const word = s.text(key(s, 'auto_wrap_policy'));
      const known = ['TRANSFORMER_BASED_WRAP', 'SIZE_BASED_WRAP', 'NO_WRAP'];
      return sharded(s) !== undefined && word !== undefined && !known.includes(word.toUpperCase())
        ? `fsdp_auto_wrap_policy ${word} is none of ${known.join(', ')}.`
        : undefined;
    },
  },
  {
    severity: 'warning',
    rule: 'module-states-synchronised',
    covers: ['ACC-018'],
    keys: ['fsdp_config.fsdp_sync_module_states', 'fsdp_config.fsdp_cpu_ram_efficient_loading'],
    source: PLUGIN,
    says: (s) =>
      sharded(s) === 1 && isOn(s, key(s, 'cpu_ram_efficient_loading')) && s.flag(key(s, 'sync_module_states')) === false
        ? 'fsdp_cpu_ram_efficient_loading needs fsdp_sync_module_states: Accelerate sets it to true, and releases before 0.27 stopped.'
        : undefined,
    fixes: (s) => {
      const at = placeIn(s, key(s, 'sync_module_states'));
      return at === undefined || at.uri !== undefined ? [] : [replaceFix('Set to true', at.span, 'true')];
    },
  },
  ...DROPPED.map(([option, why]): Condition<Source> => ({
    severity: 'information',
    rule: 'dropped-by-fsdp2',
    covers: ['ACC-019'],
    keys: [`fsdp_config.fsdp_${option}`, VERSION],
    onKey: true,
    source: PLUGIN,
    says: (s) =>
      sharded(s) === 2 && s.entry(key(s, option)) !== undefined
        ? `FSDP2 does not read fsdp_${option}: ${why}. Accelerate warns and drops it.`
        : undefined,
  })),
  {
    severity: 'warning',
    rule: 'hybrid-group-too-large',
    covers: ['FSDP-HYBRID'],
    keys: ['fsdp_config.fsdp_sharding_strategy', 'num_processes'],
    source: PLUGIN,
    says: (s) => {
      const strategy = strategyOf(s.text(key(s, 'sharding_strategy')));
      const count = s.integer('num_processes');
      const hybrid = strategy === 'HYBRID_SHARD' || strategy === 'HYBRID_SHARD_ZERO2';
      return sharded(s) === 1 &&
        hybrid &&
        count !== undefined &&
        count > 0 &&
        count < 8 &&
        (s.integer('num_machines') ?? 1) === 1
        ? `${strategy} shards within a node and copies between nodes: with ${count} processes on a node of more GPUs the group exceeds the world and torch stops. FULL_SHARD does what is meant on one node.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'fp8-recipe-unknown',
    covers: ['ACC-020'],
    keys: ['fp8_config.fp8_format', 'fp8_config.amax_compute_algo'],
    source: accelerateFile('src/accelerate/utils/dataclasses.py', 'TERecipeKwargs.__post_init__'),
    says: (s) => {
      const format = s.text('fp8_config.fp8_format') ?? s.text('fp8_config.fp8_fp8_format');
      const algorithm = s.text('fp8_config.amax_compute_algo') ?? s.text('fp8_config.amax_compute_algorithm');
      if (format !== undefined && !['HYBRID', 'E4M3', 'E5M2'].includes(format.toUpperCase()))
        return `fp8_format ${format} is none of HYBRID, E4M3, E5M2.`;
      return algorithm !== undefined && !['max', 'most_recent'].includes(algorithm.toLowerCase())
        ? `amax_compute_algo ${algorithm} is none of max, most_recent.`
        : undefined;
    },
  },
];
