import { describe, expect, it } from 'vitest';
import { readAs } from './reading';

function deployment(selector: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: llm }
spec:
  template:
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:latest
          args: [--model=Qwen/Qwen3-8B, --tensor-parallel-size=2]
          resources: { limits: { nvidia.com/gpu: 2 } }
      nodeSelector:
        ${selector}
`;
}

describe('the GPU that a node selector asks for', () => {
  it.each([
    ['cloud.google.com/gke-accelerator: nvidia-a100-80gb', 'A100 80GB'],
    ['cloud.google.com/gke-accelerator: nvidia-tesla-a100', 'A100 40GB'],
    ['cloud.google.com/gke-accelerator: nvidia-h100-80gb', 'H100'],
    ['cloud.google.com/gke-accelerator: nvidia-h100-mega-80gb', 'H100'],
    ['cloud.google.com/gke-accelerator: nvidia-h200-141gb', 'H200'],
    ['nvidia.com/gpu.product: NVIDIA-B200', 'B200'],
    ['nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3', 'H100'],
    ['cloud.google.com/gke-accelerator: nvidia-no-such-gpu', undefined],
    ['kubernetes.io/hostname: h100', undefined],
  ])('%s', (selector, gpu) => {
    const { cluster } = readAs('kubernetes', deployment(selector)).plan;
    expect(cluster.gpu?.value).toBe(gpu);
    expect(cluster.gpusPerNode?.value).toBe(2);
  });
});
