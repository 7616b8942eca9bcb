import { readFileSync } from 'node:fs';
import { modelFromConfig, specOf } from '../../../server/src/dialects/hf-config/model';
import { findModel } from '../../../server/src/dialects/presets';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { Planned } from '../../../server/src/plan/plan';
import { parseConfig } from '../../../server/src/syntax/parse';
import { sharedPath } from '../../shared';

function specified(model: Planned<ModelSpec>, name: string): ModelSpec {
  const { spec, missing } = specOf(model);
  if (spec === undefined) throw new Error(`${name} lacks ${missing.join(', ')}`);
  return { ...spec, name };
}

/** The full spec of a model that ships as a preset. */
export function presetSpec(name: string): ModelSpec {
  const preset = findModel(name);
  if (preset === undefined) throw new Error(`${name} is no preset`);
  return specified(preset.model, name);
}

/** The spec of a `config.json` below the shared folder; undefined where it is not there. */
export function sharedSpec(name: string, ...parts: string[]): ModelSpec | undefined {
  const path = sharedPath(...parts);
  if (path === undefined) return undefined;
  const { root } = parseConfig(readFileSync(path, 'utf8'), 'json');
  if (root === undefined) throw new Error(`${path} is empty`);
  return specified(modelFromConfig(root).model, name);
}
