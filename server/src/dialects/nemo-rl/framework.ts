import type { SourceReference } from '../../plan/finding';

/** A place in NeMo-RL's own source. */
export function nemoRlFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'NeMo-RL',
    repository: 'https://github.com/NVIDIA-NeMo/RL',
    file: `nemo_rl/${file}`,
    function: inFunction,
    commit: '7ea279abfbeb698b092856d0dab61e7cf39bc909',
  };
}
