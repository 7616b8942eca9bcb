import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectDialect } from '../../server/src/dialects/registry';
import { specOf } from '../../server/src/dialects/hf-config/model';
import { readHfConfig } from '../../server/src/dialects/hf-config/read';
import { checkpoint } from '../../server/src/engine/model/checkpoint';
import { parameterCounts } from '../../server/src/engine/model/parameters';
import { resolveQuantization } from '../../server/src/plan/resolve-model';
import { parseConfig } from '../../server/src/syntax/parse';
import { describeShared } from '../shared';

const FOLDERS = [
  'hf-config',
  'hf-draft-config',
  'deepseek-inference',
  'hf-quant-config',
  'hf-gptq-quantize-config',
] as const;
const WITHOUT_MODEL: ReadonlySet<string> = new Set(['hf-quant-config', 'hf-gptq-quantize-config']);

/** Configs from which nothing is computed, with the reason: new families whose tensors are not described, and draft heads. */
const NOT_COMPUTED: readonly RegExp[] = [
  /DeepSeek-V4/,
  /[Gg]emma-4/,
  /Kimi-K3/,
  /MiniMax-M3/,
  /Step-3\.7/,
  /Nemotron-Super-49B/,
  /eagle3|ealge3|dflash|dspark/,
  // A quantization section without a model.
  /example_quant_config/,
];

describeShared('model configs from public repositories', ['corpus', 'inference'], (root) => {
  for (const folder of FOLDERS) {
    describe(folder, () => {
      const files = readdirSync(join(root, folder)).filter((file) => file.endsWith('.json'));
      it('has files', () => {
        expect(files.length).toBeGreaterThan(0);
      });
      for (const file of files) {
        it(file, () => {
          const tree = parseConfig(readFileSync(join(root, folder, file), 'utf8'), 'json');
          expect(detectDialect(tree, file)?.dialect).toBe('hf-config');
          const { plan, findings } = readHfConfig(tree, () => undefined);
          expect(findings.filter(({ severity }) => severity === 'error' || severity === 'warning')).toEqual([]);
          const { spec, missing } = specOf(plan.model);
          if (WITHOUT_MODEL.has(folder)) {
            expect(plan.quantization.method).toBeDefined();
            return;
          }
          if (NOT_COMPUTED.some((pattern) => pattern.test(file))) {
            expect(missing.length).toBeGreaterThan(0);
            return;
          }
          if (spec === undefined) throw new Error(`missing: ${missing.join(', ')}`);
          const counts = parameterCounts(spec);
          const report = checkpoint(spec, resolveQuantization(plan.quantization, []));
          for (const value of [...Object.values(counts), report.elements, report.bytes]) {
            expect(Number.isFinite(value)).toBe(true);
          }
          expect(counts.total).toBeGreaterThan(1e8);
          expect(counts.active).toBeLessThanOrEqual(counts.total);
        });
      }
    });
  }
});
