import { describe, expect, it } from 'vitest';
import { globMatches, moduleMatcher } from '../../../server/src/engine/model/module-patterns';

const Q10 = 'model.layers.10.self_attn.q_proj';

describe('module patterns', () => {
  it.each([
    ['lm_head', 'lm_head', true],
    ['self_attn', Q10, true],
    ['mlp.gate', 'model.layers.3.mlp.gate', true],
    ['mlp.gate', 'model.layers.3.mlp.gate_proj', false],
    ['model.layers.1.self_attn', Q10, false],
    ['model.layers.10', Q10, true],
    ['model.layers.1*', Q10, true],
    ['model.layers.1.*', Q10, false],
    ['model.layers.*.self_attn', Q10, true],
    ['*.self_attn.*', Q10, true],
    ['language_model.model.layers.10.self_attn*', Q10, true],
    ['backbone.layers.10.self_attn.q_proj', Q10, true],
    ['vision_tower*', Q10, false],
    ['re:.*self_attn.*', Q10, true],
    ['re:self_attn.*', Q10, false],
    ['re:language_model.*q_proj', Q10, true],
    ['re:.*mlp\\.(gate|up|gate_up|down)_proj.*', 'model.layers.0.mlp.gate_proj', true],
    ['re:.*mlp\\.(gate|up|gate_up|down)_proj.*', 'model.layers.3.mlp.experts.0.gate_proj', false],
    ['re:(', Q10, false],
    ['', Q10, false],
  ])('%s over %s: %s', (pattern, name, covered) => {
    expect(moduleMatcher([pattern])(name)).toBe(covered);
  });

  it('does not run expressions that could take for ever', () => {
    expect(moduleMatcher(['re:((a+)+)+$', 're:(.*)*x', `re:${'.*'.repeat(40)}x`])(Q10)).toBe(false);
  });

  it('matches wildcards as shells do', () => {
    expect(globMatches('layers.[0-9].*', 'layers.7.mlp')).toBe(true);
    expect(globMatches('layers.[!0-9]', 'layers.7')).toBe(false);
    expect(globMatches('a?c', 'abc')).toBe(true);
    expect(globMatches('*a*b*', `${'a'.repeat(5000)}`)).toBe(false);
    expect(globMatches('[', '[')).toBe(true);
  });
});
