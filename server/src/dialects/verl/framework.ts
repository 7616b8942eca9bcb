import type { SourceReference } from '../../plan/finding';

/** A place in verl's own source. */
export function verlFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'verl',
    repository: 'https://github.com/volcengine/verl',
    file: `verl/${file}`,
    function: inFunction,
    commit: 'b178a3cd56f58b2d502255daba591e92833930a7',
  };
}
