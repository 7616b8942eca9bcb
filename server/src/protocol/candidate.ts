/** Only the head of a file is looked at: whoever splits a model says so early, and an editor asks this at every keystroke. */
const HEAD = 64 * 1024;

/** Words that every supported framework has at least one of in its files, in all their spellings (`tp_size`, `tp-size`, `tensorParallelSize`). */
const TELLTALE = new RegExp(
  [
    'shardlens',
    'parallel',
    'num[_-]?(?:hidden[_-]?)?layers|n[_-]layers?\\b',
    'hidden[_-]?(?:size|dim)|d_model|n_embd',
    '\\b(?:tp|pp|ep|dp|cp)(?:[_-]size)?["\']?\\s*[:=]',
    'micro[_-]?batch|gradient[_-]accumulation',
    'zero[_-]optimization|deepspeed|fsdp|megatron',
    'kv[_-]?cache|mem[_-]fraction|gpu[_-]memory|max[_-](?:model|seq|num)[_-](?:len|seqs)',
    'quant|group[_-]size|model[_-]?(?:path|type|id|dir|format)|architectures|experts?\\b|\\bmoe',
    'vllm|sglang|llm[_-]?compressor|dataset_id:|scheme:|dynamo|rolebasedgroup|configFile|tensorrt|trt[_-]?llm|torchtitan|nanotron|distributed_type|num_slots|global_assignments|expert_to_ep|logical_count|physical_to_logical|layer[, ;]+(?:slot|expert)',
  ].join('|'),
  'i',
);

/** Of Python files only those that import the one framework whose configs are Python. */
const PROGRAM = /^[ \t]*(?:from|import)[ \t]+torchtitan\b/m;

/** Whether a Python file could be a config. Every other one is nobody's business here, and is sent nowhere. */
export function mayBeProgram(text: string): boolean {
  const head = text.length > HEAD ? text.slice(0, HEAD) : text;
  return PROGRAM.test(head) && head.includes('Config');
}

/**
 * Whether a language server is worth starting for a document. Far cheaper than recognising a dialect and deliberately wider:
 * a wrong yes costs one idle process, a wrong no would leave a person without answers.
 */
export function mayBeConfig(path: string, text: string): boolean {
  if (path.endsWith('.py')) return mayBeProgram(text);
  return /shardlens[^/]*$/i.test(path) || TELLTALE.test(text.length > HEAD ? text.slice(0, HEAD) : text);
}
