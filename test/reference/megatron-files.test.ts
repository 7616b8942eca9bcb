import { expect, it } from 'vitest';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { estimateAnswer } from '../../server/src/features/estimate';
import { describeShared } from '../shared';
import { analyzeText } from '../unit/features/support';
import { ciInput, ciRows, leftOut, withoutFusedAttention, type CiRow } from './support/megatron-ci';

/** The GPU that the row's own model of the machine stands for. */
function gpuOf(row: CiRow): string {
  const capability = ciInput(row).cluster?.computeCapability ?? 90;
  return capability >= 100 ? 'GB200' : capability >= 90 ? 'H100' : 'A100 80GB';
}

/** The run as the suite keeps it on disk: a model_config.yaml with environment and arguments. */
function fileOf(row: CiRow): string {
  const lines = (values: Readonly<Record<string, unknown>>, mark: string): string[] =>
    Object.entries(values).map(([key, value]) => `  ${mark}${key}: ${JSON.stringify(value)}`);
  return [
    `# shardlens: gpu=${gpuOf(row)} gpus=${String(row.world_size)}`,
    'ENV_VARS:',
    ...lines(row.env, ''),
    'MODEL_ARGS:',
    ...lines(row.args, '--'),
    '',
  ].join('\n');
}

describeShared('Megatron-LM runs read from their files', ['truth', 'measured-memory.json'], () => {
  // The shorter records leave out the tokenizer's file, without which no file says how large the vocabulary is.
  const rows = ciRows().filter((row) => leftOut(row) === undefined && row.args['vocab-file'] !== undefined);

  it('gives through file, dialect and plan what the engine gives for the arguments', () => {
    // What an old container lacked stands in no file.
    const apart = rows.flatMap((row) => {
      if (withoutFusedAttention(row)) return [];
      const answer = estimateAnswer(analyzeText(fileOf(row), { name: 'model_config.yaml' }));
      const last = 'memory' in answer ? answer.memory?.rankClasses.at(-1)?.allocated : undefined;
      const direct = estimateTraining(ciInput(row)).classes.at(-1)?.allocated ?? Number.NaN;
      const difference = last === undefined ? Number.NaN : Math.abs(last / direct - 1);
      return difference <= 0.001 ? [] : [`${row.id} ${String(last)} for ${String(direct)}`];
    });
    expect(rows.length).toBeGreaterThan(150);
    expect(apart).toEqual([]);
  });
  it('finds no error in runs that ran', () => {
    const wrong = rows.flatMap((row) => {
      const { findings } = analyzeText(fileOf(row), { name: 'model_config.yaml' });
      return findings.filter(({ severity }) => severity === 'error').map(({ message }) => `${row.id}: ${message}`);
    });
    expect(wrong).toEqual([]);
  });
});
