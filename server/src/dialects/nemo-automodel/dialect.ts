import type { Dialect } from '../dialect';
import { detectAutomodel } from './detect';
import { readAutomodel } from './read';

export const nemoAutomodel: Dialect = {
  id: 'nemo-automodel',
  title: 'NeMo Automodel recipe',
  detect: detectAutomodel,
  read: readAutomodel,
};
