import type { Finding } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import type { MegatronArguments } from '../megatron/arguments';
import { megatronFindings } from '../megatron/rules';

export function bridgeFindings(_root: MapNode, args: MegatronArguments): readonly Finding[] {
  return megatronFindings(args);
}
