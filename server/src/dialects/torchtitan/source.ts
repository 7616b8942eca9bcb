import type { SourceReference } from '../../plan/finding';

/** torchtitan source reference at the release that the rules were read from (v0.2.2). */
export function titan(file: string, fn: string): SourceReference {
  return {
    framework: 'torchtitan',
    repository: 'pytorch/torchtitan',
    file: `torchtitan/${file}`,
    function: fn,
    commit: '73a0e697',
  };
}
