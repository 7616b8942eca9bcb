import type { ConfigNode, Entry, MapNode, ScalarNode } from '../../syntax/tree';
import { candidates } from '../deepspeed/companion';
import { layered, type Layer, type Source } from '../deepspeed/source';
import type { ReadCompanion, Reference } from '../dialect';
import { valuesFrom } from './values';
import { entryOf, isList, isScalar, rootMap, textOf } from './nodes';

/** A configuration with every base that could be read below it. */
export interface Composition {
  /** Weakest first: later files override earlier ones. */
  readonly layers: readonly Layer[];
  /** False while a base is not at hand: then nothing follows from the absence of a key. */
  readonly complete: boolean;
  readonly references: readonly Reference[];
}

/** More files than any composition has; a ring of bases ends here too. */
const MOST_FILES = 60;

interface Base {
  /** File relative to the configuration's own folder, its extension included. */
  readonly path: string;
  readonly prefix: string;
  readonly node: ConfigNode;
}

function joined(...parts: readonly string[]): string {
  const out: string[] = [];
  for (const part of parts.join('/').split('/')) {
    if (part === '..' && out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part);
  }
  return out.join('/');
}

function below(prefix: string, part: string): string {
  return [prefix, part].filter((piece) => piece !== '').join('.');
}

/** One entry of a defaults list: `group@package: name`, `name`, `/group/name`, or a file with its extension. */
function baseOf(group: string, name: string, dir: string, prefix: string, node: ConfigNode): Base | undefined {
  const [where = '', into] = group.replace(/^(?:optional |override )+/, '').split('@');
  if (where.startsWith('override')) return undefined;
  const [folder, last] = name === '' ? ['', where] : [where, name.split('@')[0] ?? name];
  const packageOf = into ?? (name === '' ? '' : where);
  const global = packageOf === '_global_';
  const own = packageOf
    .replace(/^(?:\.\.\/|\/)+/, '')
    .replaceAll('/', '.')
    .replace(/^_here_\.?/, '');
  const from = where.startsWith('/') ? '' : dir;
  const file = /\.ya?ml$/.test(last) ? last : `${last}.yaml`;
  return { path: joined(from, folder, file), prefix: global ? '' : below(prefix, own), node };
}

/** Bases of one file in order; `self` is where the file itself stands among them. */
function basesOf(
  root: MapNode,
  dir: string,
  prefix: string,
): { readonly bases: readonly Base[]; readonly self: number } {
  const listed = entryOf(root, 'defaults')?.value;
  const nodes = isList(listed) ? listed.items : listed === undefined ? [] : [listed];
  const bases: Base[] = [];
  let self: number | undefined;
  for (const node of nodes) {
    if (isScalar(node)) {
      const text = textOf(node);
      if (text === '_self_') self = bases.length;
      else if (text !== undefined) bases.push(...present(baseOf(text, '', dir, prefix, node)));
    } else if (node.kind === 'map') {
      for (const { key, value } of node.entries)
        for (const name of isList(value) ? value.items.map(textOf) : [textOf(value)])
          if (name !== undefined) bases.push(...present(baseOf(key, name, dir, prefix, value)));
    }
  }
  return { bases, self: self ?? bases.length };
}

function present<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

function searchRoots(root: MapNode): readonly string[] {
  const listed = entryOf(entryOf(root, 'hydra')?.value, 'searchpath')?.value;
  return (isList(listed) ? listed.items : []).flatMap((node) => {
    const text = textOf(node);
    return text?.startsWith('file://') === true ? [text.slice('file://'.length)] : [];
  });
}

/**
 * A file with the bases of its `defaults`, merged as Hydra does (also the plain list of files that NeMo-RL takes).
 * Source: facebookresearch/hydra 1.3, hydra/_internal/defaults_list.py.
 */
export function composed(root: MapNode, read: ReadCompanion): Composition {
  const roots = searchRoots(root);
  const references: Reference[] = [];
  let complete = true;
  let files = 0;
  const open = (path: string): { readonly path: string; readonly uri: string; readonly root: MapNode } | undefined => {
    for (const place of [path, ...roots.flatMap((start) => candidates(`${start}/${path}`))]) {
      const found = read(place);
      const map = found === undefined ? undefined : rootMap(found.tree);
      if (found !== undefined && map !== undefined) return { path: place, uri: found.uri, root: map };
    }
    return undefined;
  };
  const visit = (map: MapNode, dir: string, prefix: string, uri?: string): Layer[] => {
    const { bases, self } = basesOf(map, dir, prefix);
    const own: Layer = { root: map, prefix, ...(uri === undefined ? {} : { uri }) };
    const layers = bases.map((base): Layer[] => {
      files += 1;
      const found = files > MOST_FILES ? undefined : open(base.path);
      if (uri === undefined)
        references.push({
          at: { span: base.node.span },
          target: found?.path ?? base.path,
          kind: 'config',
        });
      if (found === undefined) {
        complete = false;
        return [];
      }
      return visit(found.root, found.path.split('/').slice(0, -1).join('/'), base.prefix, found.uri);
    });
    return [...layers.slice(0, self).flat(), own, ...layers.slice(self).flat()];
  };
  const layers = visit(root, '', '');
  return { layers, complete, references };
}

/** `${a.b}`, or OmegaConf's `${oc.select:a.b,default}`, from the root of the whole configuration. */
const REFERENCE = /^\$\{(?:oc\.select:)?([A-Za-z_][\w-]*(?:\.[\w-]+)*)(?:,([^${}]*))?\}$/;
const MOST_STEPS = 8;

function plainValue(text: string): string | number | boolean | null {
  const word = text.trim();
  if (/^(null|none|)$/i.test(word)) return null;
  if (/^(true|false)$/i.test(word)) return word.toLowerCase() === 'true';
  return Number.isFinite(Number(word)) ? Number(word) : word;
}

/**
 * One view on all layers of a composition. References are followed in the merged whole, not in the file that holds them: a base's
 * `${policy.precision}` means what the file above it set.
 */
export function mergedView(layers: readonly Layer[], complete: boolean): Source {
  const plain = layered(layers, complete);
  const single = layers.length === 1 && complete;
  const follow = (entry: Entry | undefined, steps: number): Entry | undefined => {
    if (entry?.value.kind !== 'scalar') return entry;
    const { value } = entry;
    const raw = value.raw.replaceAll(/^['"]|['"]$/g, '');
    const match = REFERENCE.exec(raw);
    if (match === null) {
      // What a base put together from its own values may have changed since.
      const stale = raw.includes('${') && !single;
      return stale ? { ...entry, value: { ...value, unresolved: true } } : entry;
    }
    const target = steps > MOST_STEPS ? undefined : follow(plain.entry(match[1] ?? ''), steps + 1);
    if (target?.value.kind === 'scalar')
      return { ...entry, value: { ...value, value: target.value.value, unresolved: target.value.unresolved } };
    const otherwise: ScalarNode | undefined =
      match[2] === undefined || !complete || target !== undefined
        ? undefined
        : { ...value, value: plainValue(match[2]), unresolved: false };
    if (otherwise?.value === null) return undefined;
    return { ...entry, value: otherwise ?? { ...value, unresolved: true } };
  };
  return { ...valuesFrom((name) => follow(plain.entry(name), 0), complete), uriOf: plain.uriOf };
}
