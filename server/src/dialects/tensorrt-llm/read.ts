import type { ConfigTree } from '../../syntax/tree';
import type { DialectReading, ReadCompanion } from '../dialect';
import { remark } from '../common/findings';
import { rootMap } from '../common/nodes';
import { NO_TRT_PLAN, readTrtValues } from './arguments';
import { isDisaggregated, readDisaggregated } from './disaggregated';
import { trtSpelling } from './spelling';
import { apiMap, isWrapper, trtValues } from './values';

/** Reads LLM API options in YAML, bare or inside a benchmark wrapper, with TensorRT-LLM's own meaning. */
export function readTrt(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) {
    const first = tree.documents[0];
    const empty = first === undefined || (first.kind === 'scalar' && first.value === null);
    return {
      plan: NO_TRT_PLAN,
      references: [],
      findings: empty
        ? []
        : [
            remark({
              rule: 'not-a-map',
              severity: 'error',
              at: { span: first.span },
              message: 'TensorRT-LLM wants a mapping of options to values at the top of its YAML file.',
            }),
          ],
    };
  }
  if (isDisaggregated(root)) return readDisaggregated(root, read);
  const api = apiMap(root);
  const reading = readTrtValues(trtValues(api === root ? [root] : [api, root], false), read);
  const bare = api !== root || !isWrapper(root);
  return { ...reading, findings: [...trtSpelling(api, bare), ...reading.findings] };
}
