import type { Dialect } from '../dialect';
import { detectNeox } from './detect';
import { readNeox } from './read';

export const gptNeox: Dialect = { id: 'gpt-neox', title: 'GPT-NeoX configuration', detect: detectNeox, read: readNeox };
