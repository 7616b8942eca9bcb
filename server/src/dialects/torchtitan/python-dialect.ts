import type { ConfigTree } from '../../syntax/tree';
import { weigh, when } from '../common/evidence';
import type { Detection, Dialect } from '../dialect';
import { nestedVocabulary } from '../vocabulary';
import { pythonConfigs } from './python-config';
import { readPython } from './python-read';
import { pythonSchema } from './schema-data';

/** A Python file that imports from torchtitan and builds configurations of its trainer. */
function detect(tree: ConfigTree): Detection | undefined {
  const configs = pythonConfigs(tree);
  const count = configs.length === 1 ? 'one configuration' : `${configs.length} configurations`;
  return weigh('torchtitan-python', [when(configs.length > 0, 0.95, `builds ${count} of torchtitan's trainer`)]);
}

export const torchtitanPython: Dialect = {
  id: 'torchtitan-python',
  title: 'torchtitan config registry',
  languages: ['python'],
  detect,
  read: readPython,
  vocabulary: nestedVocabulary(pythonSchema),
};
