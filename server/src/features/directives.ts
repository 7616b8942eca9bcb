import type { Sourced } from '../plan/plan';
import type { Comment, ConfigNode, ConfigTree, Span } from '../syntax/tree';

/** What a person told Shardlens about a file: in a comment, in the workspace's `.shardlens.yaml`, or in settings. */
export interface Directive {
  readonly model?: Sourced<string>;
  readonly gpu?: Sourced<string>;
  readonly nodes?: Sourced<number>;
  readonly gpus?: Sourced<number>;
  readonly gpusPerNode?: Sourced<number>;
  /** Recording of expert loads that placements are judged on. */
  readonly loads?: Sourced<string>;
  /** Money a GPU-hour, in the user's currency. */
  readonly price?: Sourced<number>;
  /** Watts of one GPU. */
  readonly watts?: Sourced<number>;
  /** Tokens of the whole run, such as `14.8T`. */
  readonly tokens?: Sourced<number>;
  /** Tokens of one request's prompt and answer, for serving. */
  readonly prompt?: Sourced<number>;
  readonly output?: Sourced<number>;
  /** A file of the user's own measurements. */
  readonly calibration?: Sourced<string>;
  readonly dialect?: string;
  /** Rules not to report in this file; `all` silences it. */
  readonly ignore: readonly string[];
}

const NAMES: Readonly<Record<string, keyof Omit<Directive, 'ignore'>>> = {
  model: 'model',
  gpu: 'gpu',
  loads: 'loads',
  nodes: 'nodes',
  gpus: 'gpus',
  gpus_per_node: 'gpusPerNode',
  gpusPerNode: 'gpusPerNode',
  'gpus-per-node': 'gpusPerNode',
  price: 'price',
  watts: 'watts',
  tokens: 'tokens',
  prompt: 'prompt',
  output: 'output',
  calibration: 'calibration',
  dialect: 'dialect',
};

const COMMENT = /^shardlens:\s*(.*)$/;
const PAIR = /([A-Za-z_-]+)\s*=\s*("[^"]*"|\S+)/g;

function numberOf(text: string): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

const SCALES: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 };

/** An amount as people write it: `2`, `1.75`, `14.8T`, `300B`. */
export function amountOf(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?(?:e\d{1,2})?)([kmbt]?)$/i.exec(text.replaceAll('_', ''));
  if (found === null) return undefined;
  const value = Number(found[1]) * (SCALES[(found[2] ?? '').toLowerCase()] ?? 1);
  return value > 0 && value <= 1e18 ? value : undefined;
}

type Draft = { -readonly [K in keyof Omit<Directive, 'ignore'>]: Directive[K] };

function assign(draft: Draft, key: string, text: string, source: Omit<Sourced<string>, 'value'>): void {
  const name = NAMES[key];
  if (name === undefined) return;
  if (name === 'dialect') draft.dialect ??= text;
  else if (name === 'model' || name === 'gpu' || name === 'calibration' || name === 'loads')
    draft[name] ??= { value: text, ...source };
  else if (name === 'price' || name === 'watts' || name === 'tokens' || name === 'prompt' || name === 'output') {
    const value = amountOf(text);
    if (value !== undefined) draft[name] ??= { value, ...source };
  } else {
    const value = numberOf(text);
    if (value !== undefined) draft[name] ??= { value, ...source };
  }
}

function readComment(comment: Comment, text: string, draft: Draft, ignore: string[]): void {
  const body = COMMENT.exec(comment.text)?.[1];
  if (body === undefined) return;
  const ignored = /^ignore(?:\s+(.*))?$/.exec(body);
  if (ignored !== null) {
    ignore.push(...(ignored[1]?.split(/[\s,]+/).filter((rule) => rule.length > 0) ?? ['all']));
    return;
  }
  // The comment's text is trimmed, so offsets are found again in the source.
  const offset = text.indexOf(body, comment.span.start);
  for (const match of body.matchAll(PAIR)) {
    const raw = match[2] ?? '';
    const start = offset + match.index + match[0].length - raw.length;
    const at = { span: { start, end: start + raw.length } };
    assign(draft, match[1] ?? '', raw.replaceAll('"', ''), {
      origin: 'file',
      at,
      label: match[1] ?? '',
      note: 'the shardlens comment',
    });
  }
}

/** Directives of the `# shardlens: …` comments of a document; the first mention of a key wins. */
export function commentDirective(tree: ConfigTree): Directive {
  const draft: Draft = {};
  const ignore: string[] = [];
  for (const comment of tree.comments) readComment(comment, tree.text, draft, ignore);
  return { ...draft, ignore };
}

/** Where the first shardlens comment stands, for commands that change it. */
export function directiveSpan(tree: ConfigTree): Span | undefined {
  return tree.comments.find((comment) => COMMENT.test(comment.text))?.span;
}

/** Directive of the workspace file for one document: the last matching glob wins a key, as in `.gitignore`. */
export function workspaceDirective(
  root: ConfigNode | undefined,
  uri: string,
  matches: (glob: string) => boolean,
): Directive {
  const draft: Draft = {};
  const ignore: string[] = [];
  if (root?.kind !== 'map') return { ignore };
  for (const entry of [...root.entries].reverse()) {
    if (entry.value.kind !== 'map' || !matches(entry.key)) continue;
    for (const field of entry.value.entries) {
      if (field.value.kind === 'list' && field.key === 'ignore') {
        ignore.push(...field.value.items.flatMap((item) => (item.kind === 'scalar' ? [String(item.value)] : [])));
      }
      if (field.value.kind !== 'scalar' || field.value.unresolved || field.value.value === null) continue;
      const at = { uri, span: field.value.span, keySpan: field.keySpan };
      assign(draft, field.key, String(field.value.value), {
        origin: 'companion',
        at,
        label: field.key,
        note: '.shardlens.yaml',
      });
    }
  }
  return { ...draft, ignore };
}

/** Directive made of settings. */
export function settingsDirective(settings: {
  readonly model?: string;
  readonly gpu?: string;
  readonly nodes?: number;
  readonly gpus?: number;
  readonly price?: number;
  readonly watts?: number;
  readonly tokens?: number;
  readonly prompt?: number;
  readonly output?: number;
  readonly calibration?: string;
  readonly dialect?: string;
}): Directive {
  const sourced = <T>(value: T | undefined, label: string): Sourced<T> | undefined =>
    value === undefined || value === '' ? undefined : { value, origin: 'companion', label, note: 'settings' };
  const fields = {
    model: sourced(settings.model, 'shardlens.model'),
    gpu: sourced(settings.gpu, 'shardlens.gpu'),
    nodes: sourced(settings.nodes, 'shardlens.nodes'),
    gpus: sourced(settings.gpus, 'shardlens.gpus'),
    price: sourced(settings.price, 'shardlens.price'),
    watts: sourced(settings.watts, 'shardlens.watts'),
    tokens: sourced(settings.tokens, 'shardlens.tokens'),
    prompt: sourced(settings.prompt, 'prompt'),
    output: sourced(settings.output, 'output'),
    calibration: sourced(settings.calibration, 'shardlens.calibration'),
    dialect: settings.dialect === '' ? undefined : settings.dialect,
  };
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Omit<
    Directive,
    'ignore'
  >;
  return { ...known, ignore: [] };
}
