import type { Finding } from '../../plan/finding';
import type { MapNode } from '../../syntax/tree';
import { nestedKeyFindings } from '../common/nested-keys';
import { nanotronSchema } from './schema-data';
import { nano } from './source';

/** nanotron fills its classes strictly: an unknown key stops it, though releases differ in which keys there are. */
export function nanotronKeyFindings(root: MapNode): Finding[] {
  return nestedKeyFindings(root, nanotronSchema, {
    framework: 'nanotron',
    source: nano('config/config.py', 'get_config_from_dict'),
    refuses: 'which fills its classes strictly and stops at unknown keys',
    near: 'warning',
    far: 'hint',
    value: 'warning',
    leave: new Set(['parallelism.pp_engine', 'parallelism.tp_mode']),
  });
}
