import type { Finding } from '../../plan/finding';
import { formFindings } from './exclusive';
import type { MegatronArguments } from './arguments';

/**
 * What Megatron-LM says about combinations of its arguments, for every file that carries them.
 * Arguments that may be set elsewhere (`complete: false`) are not concluded from.
 */
export function megatronFindings(args: MegatronArguments): readonly Finding[] {
  return formFindings(args);
}
