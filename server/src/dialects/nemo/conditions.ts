import type { Finding } from '../../plan/finding';
import type { MegatronArguments } from '../megatron/arguments';
import { coreFindings } from '../megatron/rules';

export function nemoFindings(args: MegatronArguments): readonly Finding[] {
  return coreFindings(args);
}
