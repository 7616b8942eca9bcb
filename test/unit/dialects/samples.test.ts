import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/src/features/analyze';
import type { Analysis } from '../../../server/src/features/analysis';

const SAMPLES = join(import.meta.dirname, '../../../samples');

function lookup(uri: string): string | null {
  const path = fileURLToPath(uri);
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : null;
}

function analysisOf(path: string): Analysis {
  const file = join(SAMPLES, path);
  return analyze({
    uri: pathToFileURL(file).href,
    version: 1,
    text: readFileSync(file, 'utf8'),
    settings: { rules: {} },
    files: lookup,
  });
}

/** What each broken sample is there to show. */
const BROKEN: Readonly<Record<string, readonly string[]>> = {
  'broken/heads.shardlens.yaml': ['heads-not-divisible'],
  'broken/dualpipe-microbatches.shardlens.yaml': ['schedule-constraint'],
  'broken/sglang-fp8-blocks.yaml': ['fp8-block-misaligned'],
  'broken/sglang-spelling.yaml': [
    'misspelled-key',
    'ambiguous-key',
    'unknown-key',
    'wrong-value',
    'dp-attention-not-divisible',
    'experts-not-divisible',
  ],
  'broken/megatron-expert-grid/model_config.yaml': [
    'exclusive-keys',
    'expert-world-not-divisible',
    'interleaving-needs-pipeline',
  ],
  'broken/kv-heads/config.json': ['kv-heads-not-dividing-heads'],
};

const all = readdirSync(SAMPLES, { recursive: true, withFileTypes: true })
  .filter(
    (entry) =>
      entry.isFile() &&
      /\.(ya?ml|json)$/.test(entry.name) &&
      !entry.name.startsWith('.') &&
      !entry.name.includes('loads'),
  )
  .map((entry) => join(entry.parentPath, entry.name).slice(SAMPLES.length + 1));

describe('samples', () => {
  it.each(all.filter((path) => BROKEN[path] === undefined))(
    '%s is recognised, complete and without an error',
    (path) => {
      const { detection, resolved, findings } = analysisOf(path);
      expect(detection?.confidence).toBeGreaterThan(0.8);
      expect(resolved?.model).toBeDefined();
      expect(resolved?.missing).toEqual([]);
      expect(findings.filter(({ severity }) => severity === 'error' || severity === 'warning')).toEqual([]);
    },
  );
  it.each(Object.entries(BROKEN))('%s shows its fault', (path, rules) => {
    const { findings } = analysisOf(path);
    const errors = findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule);
    expect(new Set(errors)).toEqual(new Set(rules));
  });
  it('fit on the GPUs that they name', () => {
    for (const path of [
      'deepseek-v3-2048xH800.shardlens.yaml',
      'megatron-mixtral/model_config.yaml',
      'sglang-deepseek-v3.yaml',
    ]) {
      const { memory, resolved } = analysisOf(path);
      const peak = memory?.classes[memory.peak.classIndex];
      expect(peak?.total).toBeLessThan(resolved?.cluster?.memoryBytes ?? 0);
      expect(resolved?.assumptions.filter(({ origin }) => origin === 'assumed')).toEqual([]);
    }
  });
});
