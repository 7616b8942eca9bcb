import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layerSet, readDurations } from '../../../server/src/dialects/shardlens/values';
import { parseConfig } from '../../../server/src/syntax/parse';
import type { ConfigNode } from '../../../server/src/syntax/tree';
import { dialectOf, fixed, readAs, textAt, told } from './reading';

const SAMPLES = join(import.meta.dirname, '../../../samples');

function node(text: string): ConfigNode {
  const root = parseConfig(text, 'yaml').documents[0];
  if (root === undefined) throw new Error('no document');
  return root;
}

describe('detection', () => {
  it('takes any file that says its plan version', () => {
    expect(dialectOf('shardlens: 1\nmodel: deepseek-v3\n', 'train.yaml')).toBe('shardlens');
    expect(dialectOf('{"shardlens": 1}', 'x.json', 'json')).toBe('shardlens');
    expect(dialectOf('shardlens = 1\n[parallelism]\ntensor = 2\n', 'x.toml', 'toml')).toBe('shardlens');
  });
  it('takes a file by name only with the sections of a plan, and the workspace file never', () => {
    expect(dialectOf('model: m\ncluster: { gpu: H100 }\n', 'a.shardlens.yaml')).toBe('shardlens');
    expect(dialectOf('"**/*.yaml": { gpu: H100 }\n', '.shardlens.yaml')).toBeUndefined();
    expect(dialectOf('shardlens: is great\n', 'notes.yaml')).toBeUndefined();
  });
});

describe('reading', () => {
  const text = readFileSync(join(SAMPLES, 'deepseek-v3-2048xH800.shardlens.yaml'), 'utf8');
  const { plan, findings } = readAs('shardlens', text);

  it('fills every section of the plan with places and labels', () => {
    expect(findings).toEqual([]);
    expect(plan.task).toBe('training');
    expect(plan.model.name).toMatchObject({ value: 'deepseek-v3', origin: 'file', label: 'model' });
    expect(plan.cluster.nodes?.value).toBe(256);
    expect(plan.layout.pipeline?.value).toBe(16);
    expect(plan.layout.stageLayers?.value).toHaveLength(16);
    expect(plan.pipeline.kind?.value).toBe('dualpipe');
    expect(plan.precision).toMatchObject({
      compute: { value: 'F8_E4M3', origin: 'derived' },
      firstMoment: { value: 'BF16', label: 'first_moment' },
      fp8Recipe: { value: 'blockwise' },
    });
    expect(plan.recompute.granularity).toMatchObject({ value: 'selective', origin: 'derived' });
    const place = plan.batch.globalBatch?.at;
    expect(text.slice(place?.span.start, place?.span.end)).toBe('15360');
    expect(text.slice(place?.keySpan?.start, place?.keySpan?.end)).toBe('global');
  });

  it('reads YAML, JSON and TOML alike', () => {
    const yaml = readAs(
      'shardlens',
      'shardlens: 1\ncluster: { gpu: H100, memory_gib: 80 }\nschedule: { kind: zb-h1 }\n',
    );
    const json = readAs(
      'shardlens',
      '{"shardlens":1,"cluster":{"gpu":"H100","memory_gib":80},"schedule":{"kind":"zb-h1"}}',
      'json',
    );
    const toml = readAs(
      'shardlens',
      'shardlens = 1\n[cluster]\ngpu = "H100"\nmemory_gib = 80\n[schedule]\nkind = "zb-h1"\n',
      'toml',
    );
    for (const { plan: one, findings: said } of [yaml, json, toml]) {
      expect(said).toEqual([]);
      expect(one.cluster.memoryBytes?.value).toBe(80 * 2 ** 30);
      expect(one.pipeline.kind?.value).toBe('zb-h1');
    }
  });

  it('turns units into bytes and rates', () => {
    const { plan: p } = readAs(
      'shardlens',
      'shardlens: 1\ncluster: { fp8_tflops: 1979, nvlink_gb_s: 450, memory_gib: 141 }\n',
    );
    expect(p.cluster.fp8Flops?.value).toBe(1.979e15);
    expect(p.cluster.nvlinkBandwidth?.value).toBe(4.5e11);
    expect(p.cluster.memoryBytes?.value).toBe(141 * 2 ** 30);
  });

  it('reads serving plans', () => {
    const { plan: p, references } = readAs(
      'shardlens',
      'shardlens: 1\nmodel: ./m/config.json\nparallelism: { tensor: 8, attention_data: 8 }\nserving: { stack: sglang, kv_dtype: fp8_e4m3, page_size: 64, memory_fraction: 0.8 }\nexperts: { redundant: 32, loads: loads.json, placement: place.json }\nquantization: { method: fp8-block, block: [128, 128] }\n',
    );
    expect(p.task).toBe('serving');
    expect(p.serving).toMatchObject({
      stack: { value: 'sglang' },
      kvDType: { value: 'F8_E4M3' },
      pageSize: { value: 64 },
    });
    expect(p.experts).toMatchObject({
      redundant: { value: 32 },
      locationFile: { value: 'place.json' },
      algorithm: { value: 'custom' },
    });
    expect(p.quantization).toMatchObject({ blockRows: { value: 128 }, blockColumns: { value: 128 } });
    expect(references.map(({ target, kind }) => `${kind} ${target}`)).toEqual([
      'model-config ./m/config.json',
      'placement loads.json',
      'placement place.json',
    ]);
  });

  it('reads inline models with sets of layers', () => {
    const { plan: p } = readAs(
      'shardlens',
      'shardlens: 1\nmodel: { layers: 5, hidden_size: 64, heads: 4, vocab_size: 100, experts: 8, first_dense_layers: 2, sliding_layers: "0,2-3" }\n',
    );
    expect(p.model.moeLayers?.value).toEqual([false, false, true, true, true]);
    expect(p.model.slidingLayers?.value).toEqual([true, false, true, true, false]);
  });

  it('reads Megatron layouts and takes chunks from them', () => {
    const { plan: p } = readAs(
      'shardlens',
      'shardlens: 1\nparallelism: { pipeline: 4, layout: "Et*2|(tt|)*5t|tmL" }\n',
    );
    expect(p.layout.stageLayers?.value).toEqual([2, 2, 2, 2, 2, 2, 1, 1]);
    expect(p.layout.virtualPipeline).toMatchObject({ value: 2, origin: 'derived' });
    expect(p.pipeline.kind).toMatchObject({ value: 'interleaved', origin: 'derived' });
  });

  it('fills the defaults of the format, and leaves preset sections alone', () => {
    const { plan: p } = readAs('shardlens', 'shardlens: 1\nmodel: deepseek-v3\n');
    expect(p.layout.tensor).toMatchObject({ value: 1, origin: 'default' });
    expect(p.precision.gradients).toMatchObject({ value: 'F32', origin: 'default' });
    expect(Object.keys(p.cluster)).toEqual([]);
    expect(Object.keys(p.model)).toEqual(['name']);
  });

  it('keeps interpolations unknown', () => {
    const { plan: p, findings: said } = readAs('shardlens', 'shardlens: 1\nparallelism:\n  tensor: ${TP}\n');
    expect(p.layout.tensor).toBeUndefined();
    expect(p.unresolved.map(({ path }) => path)).toEqual(['layout.tensor']);
    expect(said).toEqual([]);
  });
});

describe('structure', () => {
  const broken =
    'shardlens: 1\nparallelism:\n  tensor: two\n  pipline: 4\n  expert: 0\nschedule: dualpip\noptimizer: { zero: 5 }\nbatch: [1]\n';
  const { findings } = readAs('shardlens', broken);
  const of = (start: string): (typeof findings)[number] | undefined =>
    findings.find(({ message }) => message.includes(start));

  it('says one thing a place', () => {
    expect(told(findings).sort()).toEqual([
      'error wrong-type',
      'error wrong-type',
      'error wrong-value',
      'error wrong-value',
      'error wrong-value',
      'warning unknown-key',
    ]);
    expect(textAt(broken, of('`tensor'))).toBe('two');
    expect(textAt(broken, of('`pipline'))).toBe('pipline');
  });
  it('offers the word that was meant', () => {
    expect(of('`pipline')?.message).toContain('did you mean `pipeline`?');
    expect(fixed(broken, of('`pipline'))).toContain('  pipeline: 4');
    expect(fixed(broken, of('`schedule'))).toContain('schedule: dualpipe\n');
  });
  it('says what a size must be', () => {
    expect(of('`expert: 0`')?.message).toContain('at least 1');
  });
  it('tells a version it does not know', () => {
    expect(told(readAs('shardlens', 'shardlens: 2\nmodel: m\n').findings)).toEqual(['warning schema-version']);
  });
  it('tells a layout that cannot be built', () => {
    expect(told(readAs('shardlens', 'shardlens: 1\nparallelism: { pipeline: 3, layout: "Et|tL" }\n').findings)).toEqual(
      ['error pipeline-layout'],
    );
  });
  it('says nothing about an empty section', () => {
    expect(readAs('shardlens', 'shardlens: 1\nparallelism:\nbatch:\n  micro:\n').findings).toEqual([]);
  });
});

describe('values', () => {
  it('reads sets of layers', () => {
    expect(layerSet(node('"2-"'), 4)).toEqual([false, false, true, true]);
    expect(layerSet(node('[0, 3]'), 4)).toEqual([true, false, false, true]);
    expect(layerSet(node('[true, false]'), 2)).toEqual([true, false]);
    expect(layerSet(node('"0-9"'), 4)).toBeUndefined();
    expect(layerSet(node('[true]'), 2)).toBeUndefined();
  });
  it('completes durations', () => {
    expect(readDurations(node('{ F: 1, I: 1, W: 0.5 }'))).toEqual({ F: 1, I: 1, W: 0.5, B: 1.5, FB: 2.5, comm: 0 });
    expect(readDurations(node('{ F: 1, B: 2 }'))).toEqual({ F: 1, B: 2, I: 1, W: 1, FB: 3, comm: 0 });
    expect(readDurations(node('{ I: 1, W: 1 }'))).toBeUndefined();
    expect(readDurations(node('{ F: -1, B: 2 }'))).toBeUndefined();
  });
});
