import { describe, expect, it } from 'vitest';
import { analyzeText } from '../features/support';

const SERVER = 'model-path: Qwen/Qwen3-32B\ntensor-parallel-size: 2\nmem-fraction-static: 0.8\n';

function started(command: string, files: Readonly<Record<string, string>> = { 'server.yaml': SERVER }) {
  const { findings, resolved } = analyzeText(`${command}\n`, { name: 'start.sh', files });
  return {
    findings: findings.map(({ rule }) => rule),
    layout: resolved?.layout,
    model: resolved?.model?.name,
  };
}

describe('the file that an SGLang command names', () => {
  it('is read below the command, whose own options win', () => {
    expect(started('python -m sglang.launch_server --config server.yaml').layout?.tensor).toBe(2);
    const { findings, layout, model } = started('python -m sglang.launch_server --config server.yaml --tp 4');
    expect(findings).toEqual([]);
    expect(layout?.tensor).toBe(4);
    expect(model).toContain('Qwen3-32B');
  });

  it('is judged by its options at the word that names it', () => {
    const wrong = { 'server.yaml': SERVER.replace('size: 2', 'size: 3') };
    expect(started('python -m sglang.launch_server --config server.yaml', wrong).findings).toContain(
      'heads-not-divisible',
    );
  });

  it('may say anything where it cannot be read', () => {
    expect(started('python -m sglang.launch_server --config other.yaml --tp 3').findings).toEqual([]);
  });

  it('is no option of the file itself', () => {
    const { findings } = analyzeText(`${SERVER}config: other.yaml\n`, { name: 'server.yaml' });
    expect(findings.map(({ rule }) => rule)).toContain('unknown-key');
  });
});
