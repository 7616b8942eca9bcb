import { describe, expect, it } from 'vitest';
import { mayBeConfig } from '../../../server/src/protocol/candidate';
import { dialectOf, readAs } from './reading';

function service(model: string, kind = 'InferenceService'): string {
  return `apiVersion: serving.kserve.io/v1beta1\nkind: ${kind}\nmetadata: { name: llm }\nspec:\n  predictor:\n    model:\n      modelFormat: { name: huggingface }\n${model
    .split('\n')
    .map((line) => `      ${line}\n`)
    .join('')}`;
}

const GPUS = 'resources: { limits: { nvidia.com/gpu: "2" } }';

describe("KServe's server of language models", () => {
  it.each([
    ['model_id', 'args: [--model_name=llama3, --model_id=meta-llama/Llama-3.1-8B]', 'meta-llama/Llama-3.1-8B'],
    ['model-id apart', 'args: ["--model_name", "x", "--model-id", "Qwen/Qwen3-32B"]', 'Qwen/Qwen3-32B'],
    [
      'model_id before a folder',
      'args: [--model_dir=/mnt/models, --model_id=Qwen/Qwen3-32B]\nstorageUri: s3://b/other',
      'Qwen/Qwen3-32B',
    ],
    ['a repository of the hub', 'storageUri: hf://Qwen/Qwen3-32B:main\nargs: [--model_name=qwen]', 'Qwen/Qwen3-32B'],
    ['a folder of a bucket', 'storageUri: s3://models/qwen/Qwen3-32B/\nargs: [--model_name=qwen]', 'Qwen3-32B'],
    ['a folder', 'args: [--model_dir=/mnt/models/Qwen3-32B]', 'Qwen3-32B'],
  ])('takes the model of %s', (_name, model, expected) => {
    const text = service(`${model}\n${GPUS}`);
    expect(dialectOf(text, 'isvc.yaml')).toBe('kubernetes');
    expect(mayBeConfig('isvc.yaml', text)).toBe(true);
    const { plan, findings } = readAs('kubernetes', text);
    expect(plan.model.name?.value).toBe(expected);
    expect(plan.cluster.gpusPerNode?.value).toBe(2);
    expect(findings).toEqual([]);
  });

  it('reads vLLM arguments under either name', () => {
    const text = service(`args: [--model_id=Qwen/Qwen3-32B, --max_length=4096, --tensor_parallel_size=2]\n${GPUS}`);
    const { plan } = readAs('kubernetes', text);
    expect(plan.serving.contextLength?.value).toBe(4096);
    expect(plan.layout.tensor?.value).toBe(2);
  });

  it('points at the place of the model', () => {
    const text = service('storageUri: hf://Qwen/Qwen3-32B\nargs: [--model_name=qwen]');
    const span = readAs('kubernetes', text).plan.model.name?.at?.span;
    expect(text.slice(span?.start, span?.end)).toBe('hf://Qwen/Qwen3-32B');
  });

  it('reads a runtime that starts the module', () => {
    const text =
      'apiVersion: serving.kserve.io/v1alpha1\nkind: ClusterServingRuntime\nmetadata: { name: r }\nspec:\n  containers:\n    - name: c\n      image: kserve/huggingfaceserver:v0.15\n      command: [python3, -m, huggingfaceserver]\n      args: [--model_id=Qwen/Qwen3-32B, --tensor-parallel-size=2]\n';
    const { plan } = readAs('kubernetes', text);
    expect(plan.model.name?.value).toBe('Qwen/Qwen3-32B');
    expect(plan.layout.tensor?.value).toBe(2);
  });

  it.each([
    ['--backend=huggingface', 'args: [--model_id=google-bert/bert-base-uncased, --backend=huggingface]'],
    ['--backend huggingface', 'args: [--model_id=google-bert/bert-base-uncased, "--backend", "huggingface"]'],
  ])('leaves the other backend alone: %s', (_name, model) => {
    const text = service(model);
    expect(dialectOf(text, 'isvc.yaml')).toBeUndefined();
  });
});
