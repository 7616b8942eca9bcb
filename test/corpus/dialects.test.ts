import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { detectDialect, dialects } from '../../server/src/dialects/registry';
import { analyze } from '../../server/src/features/analyze';
import { parseConfig } from '../../server/src/syntax/parse';
import type { ConfigTree } from '../../server/src/syntax/tree';
import { describeShared } from '../shared';

interface Exception {
  readonly file: string;
  readonly rule: string;
  /** The framework's own check that really rejects the file. */
  readonly check: string;
}

/** Corpus folders whose files one of the dialects reads; files of every other folder belong to none of them. */
const OWNER: Readonly<Record<string, string>> = {
  'inference/sglang-yaml': 'sglang',
  'inference/hf-config': 'hf-config',
  'inference/hf-draft-config': 'hf-config',
  'inference/hf-quant-config': 'hf-config',
  'inference/hf-gptq-quantize-config': 'hf-config',
  'inference/deepseek-inference': 'hf-config',
  'inference/vllm-yaml': 'vllm',
  'inference/vllm-eval-yaml': 'vllm',
  'inference/vllm-recipes-site': 'vllm',
  'inference/trtllm-yaml': 'tensorrt-llm',
  'inference/trtllm-moe-load-balancer': 'placement',
  'inference/llmcompressor-recipe': 'llm-compressor',
  'inference/llmcompressor-e2e': 'llm-compressor',
  'inference/modelopt-recipe': 'modelopt',
  'inference/dynamo': 'dynamo',
  'inference/srt-slurm': 'srt-slurm',
  'inference/sglang-cookbook': 'sglang-cookbook',
  'inference/k8s-aibrix': 'kubernetes',
  'inference/k8s-gke': 'kubernetes',
  'inference/k8s-helm-values': 'kubernetes',
  'inference/k8s-kserve': 'kubernetes',
  'inference/k8s-lws': 'kubernetes',
  'inference/k8s-ome-runtime': 'kubernetes',
  'inference/k8s-production-stack': 'kubernetes',
  'inference/k8s-rbg': 'kubernetes',
  'inference/k8s-sglang': 'kubernetes',
  'training/megatron-modelconfig': 'megatron',
  'training/megatron-yaml-swift': 'megatron',
  'training/megatron-yaml-cfg': 'megatron',
  'training/torchtitan-toml': 'torchtitan',
  'training/nanotron-yaml': 'nanotron',
  'training/megatron-bridge-yaml': 'megatron-bridge',
  'training/nemo1-yaml': 'nemo',
  'training/nemo-automodel-yaml': 'nemo-automodel',
  'training/neox-yml': 'gpt-neox',
  'training/deepspeed-json': 'deepspeed',
  'training/deepspeed-json-template': 'deepspeed',
  'training/nemo-rl-yaml': 'nemo-rl',
  'training/trl-yaml': 'trl',
  'training/verl-yaml': 'verl',
  'training/axolotl-yaml': 'axolotl',
  'training/llamafactory-yaml': 'llama-factory',
  'training/accelerate-yaml': 'accelerate',
};

/** What stands beside placements and is none. */
const NO_PLACEMENT = /meta_info|EXPECTED/;

/** Dynamo hands these files to SGLang's own argument parser: they hold nothing but its arguments. */
const SGLANG_BY_DYNAMO = /dynamo-configs__deepseek-?r1-fp8/;
/** And these to vLLM's. */
const VLLM_BY_DYNAMO = /dynamo-configs__llama-3/;

function ownerOf(folder: string, name: string): string {
  if (folder === 'placement' && name.startsWith('trtllm_extra_llm_api_options')) return 'tensorrt-llm';
  if (folder === 'inference/dynamo' && VLLM_BY_DYNAMO.test(name)) return 'vllm';
  if (folder.startsWith('placement')) return NO_PLACEMENT.test(name) ? 'none' : 'placement';
  if (folder === 'inference/dynamo' && SGLANG_BY_DYNAMO.test(name)) return 'sglang';
  if (name.endsWith('qwen3.6-35b__deploy__vllm-serve.yaml')) return 'kubernetes';
  // A benchmark of AIBrix that deploys a graph of Dynamo.
  if (folder === 'inference/k8s-aibrix' && name.includes('__dynamo__')) return 'dynamo';
  // Definitions of object types describe objects and are none.
  if (name.endsWith('operator__config__default.yaml')) return 'none';
  return OWNER[folder] ?? 'none';
}

interface CorpusFile {
  readonly folder: string;
  readonly name: string;
  readonly tree: ConfigTree;
}

function languageOf(name: string): 'yaml' | 'json' | 'toml' | undefined {
  if (/\.ya?ml$/.test(name)) return 'yaml';
  if (/\.jsonc?$/.test(name)) return 'json';
  return name.endsWith('.toml') ? 'toml' : undefined;
}

function corpusFiles(root: string): CorpusFile[] {
  return ['inference', 'training', 'placement'].flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, withFileTypes: true }).flatMap((entry): CorpusFile[] => {
      const language = languageOf(entry.name);
      if (!entry.isFile() || language === undefined || entry.name === 'index.json') return [];
      const folder = join(entry.parentPath.slice(root.length + 1));
      const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
      return [{ folder, name: entry.name, tree: parseConfig(text, language) }];
    }),
  );
}

/** The file's own name in its repository: the corpus joins the path with double underscores. */
function ownName(name: string): string {
  return name.split('__').at(-1) ?? name;
}

describeShared('dialects on the corpus', ['corpus'], (root) => {
  const files = corpusFiles(root);
  const named = files.map((file) => ({
    ...file,
    found: detectDialect(file.tree, ownName(file.name))?.dialect ?? 'none',
  }));
  const ready = new Set(dialects.map(({ id }) => id));

  it('knows each file of its own and claims no other', () => {
    const table = new Map<string, Map<string, number>>();
    for (const { folder, found } of named) {
      const row = table.get(folder) ?? new Map<string, number>();
      row.set(found, (row.get(found) ?? 0) + 1);
      table.set(folder, row);
    }
    for (const [folder, row] of [...table].sort()) {
      console.log(`${folder.padEnd(38)} ${[...row].map(([dialect, count]) => `${dialect} ${count}`).join(', ')}`);
    }
    const wrong = named.filter(({ folder, name, found }) => {
      const owner = ownerOf(folder, name);
      return found !== owner && !(owner !== 'none' && !ready.has(owner));
    });
    expect(wrong.map(({ folder, name, found }) => `${folder}/${name}: ${found}`)).toEqual([]);
    expect(files.length).toBeGreaterThan(500);
  });

  it('reads every file without a fault of its own and without an error, but for the listed exceptions', () => {
    const errors = named.flatMap(({ folder, name, tree, found }) => {
      const dialect = dialects.find(({ id }) => id === found);
      const reading = dialect?.read(tree, () => undefined);
      return (reading?.findings ?? [])
        .filter(({ severity }) => severity === 'error')
        .map(({ rule, message }) => ({ file: `${folder}/${name}`, rule, message }));
    });
    const listed = JSON.parse(
      readFileSync(join(import.meta.dirname, 'exceptions.json'), 'utf8'),
    ) as readonly Exception[];
    const unexpected = errors.filter(
      ({ file, rule }) => !listed.some((entry) => entry.file === file && entry.rule === rule),
    );
    expect(unexpected).toEqual([]);
  });

  it('finds no error on the plans that they make either, whatever GPU is taken', () => {
    const listed = JSON.parse(
      readFileSync(join(import.meta.dirname, 'exceptions.json'), 'utf8'),
    ) as readonly Exception[];
    const errors = named.flatMap(({ folder, name, tree, found }) => {
      if (found === 'none' || folder === 'placement/invalid') return [];
      const uri = `file:///corpus/${folder}/${ownName(name)}`;
      const { findings } = analyze({ uri, version: 1, text: tree.text, settings: { rules: {} }, files: () => null });
      return findings
        .filter(({ severity }) => severity === 'error')
        .map(({ rule, message }) => ({ file: `${folder}/${name}`, rule, message }));
    });
    expect(
      errors.filter(({ file, rule }) => !listed.some((entry) => entry.file === file && entry.rule === rule)),
    ).toEqual([]);
    const unused = listed.filter(
      (entry) =>
        ready.has(OWNER[entry.file.split('/').slice(0, 2).join('/')] ?? '') &&
        !errors.some(({ file, rule }) => entry.file === file && entry.rule === rule),
    );
    expect(unused).toEqual([]);
  });

  it('gives no value that is no number', () => {
    const bad = named.flatMap(({ folder, name, tree, found }) => {
      const plan = dialects.find(({ id }) => id === found)?.read(tree, () => undefined).plan;
      const text =
        plan === undefined
          ? ''
          : JSON.stringify(plan, (_, value: unknown) =>
              typeof value === 'number' && !Number.isFinite(value) ? 'NOT-FINITE' : value,
            );
      return text.includes('NOT-FINITE') ? [`${folder}/${name}`] : [];
    });
    expect(bad).toEqual([]);
  });
});
