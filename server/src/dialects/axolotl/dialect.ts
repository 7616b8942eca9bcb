import type { Dialect } from '../dialect';
import { detectAxolotl } from './detect';
import { readAxolotl } from './read';
import { axolotlVocabulary } from './vocabulary';

export const axolotl: Dialect = {
  id: 'axolotl',
  title: 'Axolotl training',
  detect: detectAxolotl,
  read: readAxolotl,
  vocabulary: axolotlVocabulary,
};
