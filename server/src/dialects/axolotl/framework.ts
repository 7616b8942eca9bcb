import type { SourceReference } from '../../plan/finding';

/** A place in Axolotl's own source. */
export function axolotlFile(inFunction: string, file = 'utils/schemas/validation.py'): SourceReference {
  return {
    framework: 'Axolotl',
    repository: 'https://github.com/axolotl-ai-cloud/axolotl',
    file: `src/axolotl/${file}`,
    function: inFunction,
    commit: '067b021c8b87a9e5e380b9173c704cf7340e30f5',
  };
}
