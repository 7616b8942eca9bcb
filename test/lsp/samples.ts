import { readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../../samples');

/** Text of a file below `samples/`. */
export function sample(...parts: string[]): string {
  return readFileSync(path.join(ROOT, ...parts), 'utf8');
}

/** A small training plan that is fine as it stands. */
export const PLAN = `shardlens: 1
task: training
model: llama-3.1-8b
cluster: { gpu: H100, nodes: 2, gpus_per_node: 8 }
parallelism:
  tensor: 2
  pipeline: 4
schedule:
  kind: 1f1b
batch:
  micro: 1
  global: 64
  sequence: 4096
`;
