import type { Finding } from '../../plan/finding';
import type { MegatronArguments } from '../megatron/arguments';
import { coreFindings } from '../megatron/rules';
import { NEMO_NAMES } from './names';

const OWN_NAMES = Object.fromEntries(Object.entries(NEMO_NAMES).map(([own, megatron]) => [megatron, own]));

/** What Megatron-Core says to the model that NeMo builds, in NeMo's names. */
export function nemoFindings(args: MegatronArguments): readonly Finding[] {
  return coreFindings(args, OWN_NAMES);
}
