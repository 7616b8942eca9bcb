import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { changed, itJudges, ruleLines } from './cases';

/** Tables of cases, each with the good file that its cases change. */
const TABLES: readonly (readonly [dialect: string, table: string, file: string])[] = [
  ['deepspeed', 'deepspeed', 'zero2.json'],
  ['accelerate', 'accelerate', 'fsdp2.yaml'],
  ['accelerate', 'accelerate-fsdp1', 'fsdp1.yaml'],
  ['accelerate', 'accelerate-deepspeed', 'deepspeed.yaml'],
  ['axolotl', 'axolotl', 'qlora-fsdp.yaml'],
  ['axolotl', 'axolotl-full', 'zero3.yaml'],
  ['llama-factory', 'llama-factory', 'lora-zero3.yaml'],
  ['llama-factory', 'llama-factory-bridge', 'bridge.yaml'],
  ['trl', 'trl', 'grpo.yaml'],
  ['verl', 'verl', 'ppo.yaml'],
  ['verl', 'verl-megatron', 'megatron.yaml'],
  ['nemo-rl', 'nemo-rl', 'grpo.yaml'],
];

describe.each(TABLES)('%s: rules of %s', (dialect, table, file) => {
  const base = readFileSync(join(import.meta.dirname, '../../fixtures/dialects', dialect, file), 'utf8');
  const cases = ruleLines(table).map((entry) => ({
    ...entry,
    fires: changed(base, entry.fires),
    silent: changed(base, entry.silent),
  }));
  itJudges(dialect, file.split('.').at(-1) ?? '', cases);
});
