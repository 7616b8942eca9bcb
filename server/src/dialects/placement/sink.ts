import type { Finding, Fix, Severity, SourceReference } from '../../plan/finding';
import type { Span } from '../../syntax/tree';
import type { PlacementFormat } from './recognise';

/** What the config that names the file knows; everything absent silences the conditions that need it. */
export interface PlacementContext {
  readonly experts?: number;
  /** Model layers, dense ones included. */
  readonly layers?: number;
  /** Which model layers have experts, one flag a layer. */
  readonly moeLayers?: readonly boolean[];
  readonly gpus?: number;
  readonly slots?: number;
}

/** At most this many findings of one kind: a wrong GPU count makes every row wrong. */
const MOST_OF_A_RULE = 20;

/** Findings written down so far, with a limit a rule. */
export interface Sink {
  readonly list: readonly Finding[];
  readonly add: (rule: string, severity: Severity, message: string, span: Span, fixes?: readonly Fix[]) => void;
}

export function newSink(source: SourceReference | undefined): Sink {
  const list: Finding[] = [];
  const counts = new Map<string, number>();
  return {
    list,
    add: (rule, severity, message, span, fixes = []) => {
      const count = (counts.get(rule) ?? 0) + 1;
      counts.set(rule, count);
      if (count <= MOST_OF_A_RULE)
        list.push({
          rule,
          severity,
          message,
          at: { span },
          ...(source === undefined ? {} : { source }),
          ...(fixes.length === 0 ? {} : { fixes }),
        });
    },
  };
}

function sglang(name: string): SourceReference {
  const file = 'python/sglang/srt/eplb/expert_location.py';
  return { framework: 'SGLang', repository: 'sgl-project/sglang', file, function: name };
}

const VLLM: SourceReference = {
  framework: 'vLLM',
  repository: 'vllm-project/vllm',
  file: 'vllm/distributed/eplb/eplb_state.py',
};

/** Where each framework reads such a file. */
export const SOURCES: Readonly<Partial<Record<PlacementFormat, SourceReference>>> = {
  'sglang-map': sglang('init_by_mapping'),
  'sglang-loads': sglang('init_by_eplb'),
  'sglang-dump': sglang('compute_initial_expert_location_metadata'),
  'sglang-unknown': sglang('compute_initial_expert_location_metadata'),
  'trtllm-map': {
    framework: 'TensorRT-LLM',
    repository: 'NVIDIA/TensorRT-LLM',
    file: 'tensorrt_llm/llmapi/llm_args.py',
    function: 'MoeLoadBalancerConfig',
  },
  'vllm-offline-map': VLLM,
  'vllm-ranks': VLLM,
  'vllm-ascend-map': {
    framework: 'vLLM Ascend',
    repository: 'vllm-project/vllm-ascend',
    file: 'vllm_ascend/eplb/core/eplb_utils.py',
  },
};
