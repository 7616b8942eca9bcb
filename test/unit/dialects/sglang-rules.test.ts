import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sglangCoverage } from '../../../server/src/dialects/sglang/rules';
import type { Finding } from '../../../server/src/plan/finding';
import { analyzeServing, expertsJson, modelJson } from './served';

const MLA = {
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  num_attention_heads: 128,
  num_key_value_heads: 128,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  n_routed_experts: 256,
  num_experts_per_tok: 8,
  moe_intermediate_size: 2048,
  n_group: 8,
  topk_group: 4,
  num_nextn_predict_layers: 1,
};
const SPARSE = { index_topk: 2048, index_n_heads: 64, index_head_dim: 128 };
/** config.json of the models that cases name. */
const MODELS: Readonly<Record<string, string>> = {
  dense: modelJson(),
  mla: modelJson(MLA),
  dsa: modelJson({ ...MLA, ...SPARSE, architectures: ['DeepseekV32ForCausalLM'], model_type: 'deepseek_v32' }),
  'deepseek-v4': modelJson({ architectures: ['DeepseekV4ForCausalLM'], model_type: 'deepseek_v4' }),
  'wide-heads': expertsJson({ num_attention_heads: 256, num_key_value_heads: 256, head_dim: 16 }),
  'gpt-oss': expertsJson({
    model_type: 'gpt_oss',
    architectures: ['GptOssForCausalLM'],
    quantization_config: { quant_method: 'mxfp4' },
  }),
  fp8: modelJson({
    quantization_config: { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
  }),
};

/** What every case starts from, unless it says otherwise. */
const BASE = ['mem-fraction-static: 0.8', 'tp-size: 8'];

/** `a: 1; b: 2` as lines after the base; comments go first. */
function fileOf(text: string): string {
  const own = text.split(';').map((line) => line.trim());
  const keys = new Set(own.map((line) => line.split(':')[0]));
  const base = BASE.filter((line) => !keys.has(line.split(':')[0]));
  const [comments, settings] = [
    own.filter((line) => line.startsWith('#')),
    own.filter((line) => !line.startsWith('#')),
  ];
  return [...comments, ...base, ...settings, ''].join('\n');
}

function found(text: string, model: string): readonly Finding[] {
  if (model === '') return analyzeServing(fileOf(text)).findings;
  return analyzeServing(fileOf(`${text}; model-path: ./m`), { 'm/config.json': MODELS[model] ?? '' }).findings;
}

const CASES = readFileSync(join(import.meta.dirname, '../../fixtures/dialects/sglang/rules.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line.length > 0 && !line.startsWith('#'))
  .map((line) => line.split('\t'));

describe('what SGLang refuses or changes', () => {
  it.each(CASES)('%s %s', (_id, rule, severity, fires = '', silent = '', says = '', model = '') => {
    const hits = found(fires, model).filter((finding) => finding.rule === rule);
    expect(hits.map((finding) => finding.severity)).toContain(severity);
    expect(hits.map(({ message }) => message).join('\n')).toMatch(new RegExp(says));
    const others = found(fires, model).filter((finding) => finding.rule !== rule && finding.severity === 'error');
    expect(others.map((finding) => finding.rule)).toEqual([]);
    const quiet = found(silent, model);
    expect(quiet.filter((finding) => finding.rule === rule && finding.severity === severity)).toEqual([]);
    const errors = quiet.filter((finding) => finding.severity === 'error' && finding.rule !== 'out-of-memory');
    expect(errors.map(({ message }) => message)).toEqual([]);
  });

  it('reads the layers of stages from the environment of a script', () => {
    const script = (partition: string): string =>
      `export SGLANG_PP_LAYER_PARTITION=${partition}\npython -m sglang.launch_server --model-path ./m --tp 4 --pp-size 2\n`;
    const told = (partition: string): string[] =>
      analyzeServing(script(partition), { 'm/config.json': modelJson() }, 'run.sh').findings.map(({ rule }) => rule);
    expect(told('16,15')).toContain('stage-layers-mismatch');
    expect(told('16,8,8')).toContain('stage-layers-mismatch');
    expect(told('17,15')).not.toContain('stage-layers-mismatch');
  });

  it('says what the cache becomes where the checkpoint asks for FP8', () => {
    const quant = JSON.stringify({
      producer: { name: 'modelopt' },
      quantization: { quant_algo: 'FP8', kv_cache_quant_algo: 'FP8' },
    });
    const told = (text: string): string[] =>
      analyzeServing(fileOf(`${text}; model-path: ./m`), {
        'm/config.json': modelJson(),
        'm/hf_quant_config.json': quant,
      }).findings.map(({ rule }) => rule);
    expect(told('kv-cache-dtype: auto')).toContain('cache-format-replaced');
    expect(told('kv-cache-dtype: bf16')).not.toContain('cache-format-replaced');
  });

  it.each([
    ['nnodes: 3', '', ['nnodes: 2', 'nnodes: 4']],
    ['kv-cache-dtype: fp4_e2m1', '', ['kv-cache-dtype: fp4_mx_block16']],
    ['attention-backend: trtllm_mla; kv-cache-dtype: bfloat16', '', ['kv-cache-dtype: bf16']],
    ['chunked-prefill-size: 1000; page-size: 64', '', ['chunked-prefill-size: 960', 'chunked-prefill-size: 1024']],
  ])('settles %s by a fix', (text, model, answers) => {
    const body = fileOf(text);
    const fixes = found(text, model).flatMap((finding) => finding.fixes ?? []);
    const after = fixes.map(({ edits: [edit] }) =>
      edit === undefined ? '' : body.slice(0, edit.at.span.start) + edit.newText + body.slice(edit.at.span.end),
    );
    for (const answer of answers) expect(after.some((file) => file.includes(`${answer}\n`))).toBe(true);
  });

  it('says where a placement has other slots than the server', () => {
    const told = (redundant: number): string[] =>
      analyzeServing(
        fileOf(`ep-size: 8; ep-num-redundant-experts: ${redundant}; init-expert-location: ./map.json; model-path: ./m`),
        {
          'm/config.json': expertsJson(),
          'map.json': JSON.stringify({
            physical_to_logical_map: Array.from({ length: 32 }, () =>
              Array.from({ length: 136 }, (_, slot) => slot % 128),
            ),
          }),
        },
      )
        .findings.filter(({ rule }) => rule === 'expert-balancing-conflict')
        .map(({ message }) => message);
    expect(told(16).join('')).toMatch(/136 slots a layer; 128 experts .* make 144/);
    expect(told(8)).toEqual([]);
  });

  it('takes an empty list for an option that is left out', () => {
    const { findings, resolved } = analyzeServing('mem-fraction-static: 0.8\ntp-size: []\nmodel-path: a/b\n');
    expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toContain('warning setting-dropped');
    expect(resolved?.plan.layout.tensor).toMatchObject({ value: 1, origin: 'default' });
  });

  it.each([
    ['tp-size: 6; nnodes: "${NODES}"', 'nodes-not-dividing-world'],
    ['chunked-prefill-size: 1000; page-size: ${PAGE}', 'page-not-dividing-chunk'],
    ['enable-eplb: true; tp-size: ${TP}; moe-a2a-backend: deepep', 'expert-balancing-conflict'],
  ])('stays silent where something is hidden: %s', (text, rule) => {
    expect(found(text, '').filter((finding) => finding.rule === rule)).toEqual([]);
  });
});

describe('the table of covered rules', () => {
  it('has a case for every gathered rule that one of these rules stands for', () => {
    const cased = new Map(CASES.map(([id = '', rule = '']) => [`${rule} ${id}`, true]));
    cased.set('cache-format-replaced SG-Q08', true);
    cased.set('expert-balancing-conflict SG-EPLB06', true);
    const own = new Set(CASES.map(([, rule]) => rule));
    const wanted = sglangCoverage
      .filter(({ rule }) => own.has(rule))
      .flatMap(({ rule, covers }) => covers.map((id) => `${rule} ${id}`));
    expect(wanted.filter((key) => !cased.has(key))).toEqual([]);
  });

  it('names gathered rules, and most of the 124', () => {
    const covered = new Set(sglangCoverage.flatMap(({ covers }) => covers));
    expect(covered.size).toBeGreaterThanOrEqual(115);
    expect([...covered].every((id) => /^SG-[A-Z]+\d\d$/.test(id))).toBe(true);
  });
});
