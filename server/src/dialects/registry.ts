import type { ConfigTree } from '../syntax/tree';
import { strongest } from './detect';
import type { Detection, Dialect } from './dialect';
import { detectHfConfig } from './hf-config/detect';
import { readHfConfig } from './hf-config/read';
import { detectMegatron } from './megatron/detect';
import { readMegatron } from './megatron/read';
import { detectSglang } from './sglang/detect';
import { readSglang } from './sglang/read';
import { detectShardlens } from './shardlens/detect';
import { readShardlens } from './shardlens/read';

/** Every file format that is read, the most specific first. Adding a framework adds one line here and one folder beside. */
export const dialects: readonly Dialect[] = [
  { id: 'shardlens', title: 'Shardlens plan', detect: detectShardlens, read: readShardlens },
  { id: 'hf-config', title: 'Hugging Face config', detect: detectHfConfig, read: readHfConfig },
  { id: 'megatron', title: 'Megatron-LM', detect: detectMegatron, read: readMegatron },
  { id: 'sglang', title: 'SGLang server', detect: detectSglang, read: readSglang },
];

/**
 * What a file is, with the evidence: content first, names only in addition. Undefined for files that are not ours.
 * `forced` is a dialect somebody chose for the file; an unknown one is ignored.
 */
export function detectDialect(tree: ConfigTree, fileName: string, forced?: string): Detection | undefined {
  if (forced !== undefined && dialects.some(({ id }) => id === forced))
    return { dialect: forced, confidence: 1, reasons: ['chosen for this file'] };
  return strongest(dialects, tree, fileName);
}
