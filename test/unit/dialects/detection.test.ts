import { describe, expect, it } from 'vitest';
import { detectDialect } from '../../../server/src/dialects/registry';
import { parseConfig } from '../../../server/src/syntax/parse';
import { dialectOf } from './reading';
import { UNRELATED } from './unrelated';

describe('detectDialect', () => {
  it.each(UNRELATED)('leaves %s (%s) alone', (name, language, text) => {
    expect(dialectOf(text, name, language)).toBeUndefined();
  });
  it('says what speaks for a dialect, in words', () => {
    const tree = parseConfig('MODEL_ARGS:\n  --num-layers: 2\nENV_VARS: {}\n', 'yaml');
    expect(detectDialect(tree, 'x.yaml')).toEqual({
      dialect: 'megatron',
      confidence: 0.99,
      reasons: ['top-level key `MODEL_ARGS`', '1 of its keys are flags', 'top-level key `ENV_VARS`'],
    });
  });
  it('does not go by the file name alone', () => {
    expect(dialectOf('a: 1\n', 'model_config.yaml')).toBeUndefined();
    expect(dialectOf('a: 1\n', 'sglang.yaml')).toBeUndefined();
    expect(dialectOf('a: 1\n', 'x.shardlens.yaml')).toBeUndefined();
  });
  it('takes a chosen dialect for granted, and ignores one that does not exist', () => {
    const tree = parseConfig('a: 1\n', 'yaml');
    expect(detectDialect(tree, 'x.yaml', 'sglang')).toMatchObject({ dialect: 'sglang', confidence: 1 });
    expect(detectDialect(tree, 'x.yaml', 'nonsense')).toBeUndefined();
  });
});
