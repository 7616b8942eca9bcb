import type { JSX } from 'preact';
import type { SourceLink } from '../../../server/src/protocol/common';
import type { PlacementView } from '../../../server/src/protocol/placement';
import { Facts, OtherLinks } from '../kit/chrome';
import type { Fact } from '../kit/chrome';
import { bytesText, integer } from '../kit/format';
import { Swatch } from '../kit/swatch';
import type { Theme } from '../kit/theme';
import { balanceText, firstDuplicate, meanOf, redundantText, times } from './describe';
import { colorFor, loadColors } from './draw-heatmap';
import { EVEN_PLACE, layerName, valueAt } from './model';
import type { PlacementModel, Scale } from './model';

type LinkRole = 'slots' | 'gpus' | 'policy' | 'experts';

const SPELLINGS: readonly (readonly [LinkRole, RegExp])[] = [
  ['slots', /redundan|num_slots|replica/i],
  ['policy', /policy|algorithm|location|placement|eplb/i],
  ['gpus', /expert.*parallel|ep_size|\bep\b|gpus/i],
  ['experts', /experts/i],
];

export function placementRole(link: SourceLink): LinkRole | undefined {
  return SPELLINGS.find(([, pattern]) => pattern.test(link.label))?.[0];
}

export interface PolicyPickerProps {
  readonly view: PlacementView;
  /** A policy that was asked for and refused. */
  readonly asked: string | undefined;
  readonly onPolicy: (policy: string) => void;
}

/** Shows the same experts under another placement; the file is not touched. */
export function PolicyPicker({ view, asked, onPolicy }: PolicyPickerProps): JSX.Element {
  const chosen = asked ?? view.policy;
  const policies = view.policies.includes(view.policy) ? view.policies : [view.policy, ...view.policies];
  return (
    <label class="picker">
      <span class="label">Placement</span>
      <select value={chosen} onChange={(event) => onPolicy(event.currentTarget.value)}>
        {policies.map((policy) => (
          <option key={policy} value={policy} selected={policy === chosen}>
            {policy}
          </option>
        ))}
      </select>
    </label>
  );
}

const DISPATCH = { static: 'static dispatch', dynamic: 'random copies', lp: 'best split' } as const;

/** Balance under the dispatch of the file, traffic, and what the frameworks themselves would print. */
function measureFacts({ view }: PlacementModel): Fact[] {
  const { evenness, traffic, dispatch, fixed, lp } = view;
  const facts: Fact[] = [];
  const sent = dispatch === 'static' ? fixed : dispatch === 'lp' ? lp : undefined;
  if (dispatch !== undefined && sent !== undefined)
    facts.push({ label: 'As dispatched', value: balanceText(sent), note: DISPATCH[dispatch] });
  if (evenness !== undefined)
    facts.push({
      label: 'Printed',
      value: evenness.sglang.toFixed(3),
      note: `by SGLang; ${evenness.vllm.toFixed(3)} by vLLM; imbalance ${evenness.tensorrtLlm.toFixed(3)} by TensorRT-LLM`,
    });
  if (traffic !== undefined) {
    const sent = traffic.dispatchBytes + traffic.combineBytes;
    const over = sent > 0 ? `${bytesText(sent)} there and back` : 'all joined by NVLink';
    const network = view.nodes === 1 ? '' : `, ${traffic.remoteNodes.toFixed(2)} other nodes, ${over}`;
    facts.push({ label: 'A token reaches', value: `${traffic.gpus.toFixed(1)} GPUs`, note: `a layer${network}` });
  }
  if (view.expertBytes !== undefined) {
    const { slotLayers: layers = view.layers } = view;
    const note = layers < view.layers ? `a GPU, the ${layers} MoE layers of its stages` : 'a GPU, all layers';
    facts.push({ label: 'One slot', value: bytesText(view.expertBytes * layers), note });
  }
  return facts;
}

export interface PlacementFactsProps {
  readonly model: PlacementModel;
  readonly onReveal: (link: SourceLink) => void;
  readonly onLayer: (layer: number) => void;
}

/** Sizes as buttons to their lines, the balance with its definition, and what is wrong. */
export function PlacementFacts({ model, onReveal, onLayer }: PlacementFactsProps): JSX.Element {
  const { view } = model;
  const links = new Map<LinkRole, SourceLink>();
  for (const link of view.links) {
    const role = placementRole(link);
    if (role !== undefined && !links.has(role)) links.set(role, link);
  }
  const chip = (role: LinkRole, fact: Fact): Fact => {
    const link = links.get(role);
    return link === undefined ? fact : { ...fact, onReveal: () => onReveal(link) };
  };
  const worst = model.worstFirst[0] ?? 0;
  const twice = firstDuplicate(model);
  const facts: Fact[] = [
    chip('experts', { label: 'Experts', value: integer(view.experts), note: `in ${view.layers} layers` }),
    chip('slots', { label: 'Slots', value: integer(view.slots), note: redundantText(model) }),
    chip('gpus', {
      label: 'GPUs',
      value: integer(view.gpus),
      note: view.nodes === 1 ? 'on 1 node' : `on ${view.nodes} nodes`,
    }),
    {
      label: 'Balance',
      value: balanceText(meanOf(view.meanOverMax)),
      note: `mean/max, mean over layers; best possible ${balanceText(meanOf(view.lowerBound))}`,
    },
    ...measureFacts(model),
    {
      label: 'Worst layer',
      value: String(layerName(model, worst)),
      note: balanceText(view.meanOverMax[worst]),
      onReveal: () => onLayer(worst),
      hint: 'Show this layer',
    },
    ...(twice === undefined
      ? []
      : [
          {
            label: 'Duplicates',
            value: integer(model.duplicates.length),
            note: twice.text,
            tone: 'bad',
            onReveal: () => onLayer(twice.layer),
            hint: 'Show this layer',
          } as const,
        ]),
  ];
  const shown = new Set(links.values());
  return (
    <>
      <Facts facts={facts} />
      <OtherLinks links={view.links.filter((link) => !shown.has(link))} onReveal={onReveal} />
    </>
  );
}

/** What the loads were and what happened that nobody asked for; changes that are in no file yet. */
export function PlacementNotes({
  view,
  changed,
  onUndo,
}: {
  readonly view: PlacementView;
  readonly changed: number;
  readonly onUndo: () => void;
}): JSX.Element {
  const loads = view.uniformLoads
    ? 'No loads are given: every expert is taken as equally busy. Name a recording in the file: # shardlens: loads=…'
    : view.loadsName === undefined
      ? undefined
      : `Loads: ${view.loadsName}`;
  return (
    <>
      {[loads, ...(view.notes ?? [])].map((note) =>
        note === undefined ? null : (
          <p key={note} class="formula note">
            {note}
          </p>
        ),
      )}
      {changed === 0 ? null : (
        <p class="formula" role="status">
          <span class="badge">{changed === 1 ? '1 change' : `${changed} changes`}</span> of slots, in no file yet; save
          the placement to keep them.{' '}
          <button type="button" class="link" onClick={onUndo}>
            Undo
          </button>
        </p>
      )}
    </>
  );
}

interface ScaleProps {
  readonly theme: Theme;
  readonly label: string;
  readonly scale: Scale;
}

/** The colour ramp with its ends in figures. */
function ScaleLegend({ theme, label, scale }: ScaleProps): JSX.Element {
  const colors = loadColors(theme);
  return (
    <li>
      {label} {times(scale.low)}
      <Swatch
        theme={theme}
        wide
        draw={(pen, width, height) => {
          for (let x = 0; x < width; x += 2)
            pen.rect(x, 0, 2, height, colorFor(colors, scale, valueAt(scale, x / width)));
          pen.rect(Math.round(EVEN_PLACE * width), 0, 1, height, theme.background);
        }}
      />
      {times(scale.high)}
    </li>
  );
}

export function PlacementLegend({
  model,
  theme,
}: {
  readonly model: PlacementModel;
  readonly theme: Theme;
}): JSX.Element {
  return (
    <ul class="legend" aria-label="Legend">
      <ScaleLegend theme={theme} label="GPU load / mean" scale={model.gpuScale} />
      <ScaleLegend theme={theme} label="slot load / mean" scale={model.slotScale} />
      <li>tick: even share, 1.00×</li>
      <li>dot: balance of the layer, tick: best possible</li>
      <li>underlined: more than one replica</li>
      {model.duplicates.length === 0 ? null : <li>corner: twice on one GPU</li>}
    </ul>
  );
}
