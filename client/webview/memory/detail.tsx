import type { JSX, RefObject } from 'preact';
import { useMemo } from 'preact/hooks';
import type { SourceLink } from '../../../server/src/protocol/common';
import type { MemoryClassView, MemoryItemView, MemoryPartName, MemoryView } from '../../../server/src/protocol/memory';
import { inkOn } from '../kit/color';
import { bytesText, count, gib, integer, percent } from '../kit/format';
import type { Pen } from '../kit/pen';
import { Swatch } from '../kit/swatch';
import type { Theme } from '../kit/theme';
import { roomText } from './describe';
import { PART_TEXTURES, PART_TITLES, PARTS } from './model';
import type { Selection } from './model';

/** A sample of a part as the bars show it. */
export function partSample(theme: Theme, part: MemoryPartName): (pen: Pen, width: number, height: number) => void {
  return (pen, width, height) => {
    const fill = theme.data.parts[part];
    pen.rect(0, 0, width, height, fill);
    pen.texture(
      0,
      0,
      width,
      height,
      PART_TEXTURES[part],
      inkOn(fill) === '#000000' ? theme.data.hatchOnLight : theme.data.hatchOnDark,
    );
  };
}

export interface DetailProps {
  readonly view: MemoryView;
  readonly theme: Theme;
  readonly selection: Selection;
  readonly region: RefObject<HTMLElement | null>;
  readonly onReveal: (link: SourceLink) => void;
  readonly onAll: () => void;
}

/** What the selected bar, or one part of it, is made of: bytes, the formula with its numbers, the config lines behind it. */
export function Detail({ view, theme, selection, region, onReveal, onAll }: DetailProps): JSX.Element | null {
  const entry = view.classes[selection.index];
  const samples = useMemo(() => new Map(PARTS.map((part) => [part, partSample(theme, part)])), [theme]);
  if (entry === undefined) return null;
  const items = itemsOf(entry, selection);
  const title = selection.part === undefined ? entry.label : `${PART_TITLES[selection.part]} · ${entry.label}`;
  return (
    <section class="detail" ref={region} tabIndex={-1} aria-label={title}>
      <div class="detail-head">
        <h2>{title}</h2>
        {selection.part === undefined ? null : (
          <button type="button" class="plain" onClick={onAll}>
            All parts
          </button>
        )}
      </div>
      {items.length === 0 ? <p class="note">{restNote(view, entry, selection)}</p> : null}
      {items.length === 0 ? null : (
        <table>
          <thead>
            <tr>
              <th scope="col">Part</th>
              <th scope="col">Tensors</th>
              <th scope="col" class="num">
                GiB
              </th>
              <th scope="col" class="num share">
                Share
              </th>
              <th scope="col">Formula</th>
              <th scope="col">Config</th>
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <ItemRow
                key={`${item.part} ${item.group}`}
                item={item}
                entry={entry}
                theme={theme}
                sample={samples.get(item.part)}
                onReveal={onReveal}
              />
            ))}
          </tbody>
        </table>
      )}
      <Totals view={view} entry={entry} />
    </section>
  );
}

function itemsOf(entry: MemoryClassView, selection: Selection): readonly MemoryItemView[] {
  const order = (item: MemoryItemView): number => PARTS.indexOf(item.part);
  return entry.items
    .filter((item) => selection.part === undefined || item.part === selection.part)
    .toSorted((a, b) => order(a) - order(b) || b.bytes - a.bytes);
}

function restNote(view: MemoryView, entry: MemoryClassView, selection: Selection): string {
  if (selection.part === 'slack') {
    const most =
      entry.reservedMost === undefined
        ? ''
        : ` That is the middle of measured runs; the most was ${bytesText(entry.reservedMost - entry.allocated)}.`;
    return `The allocator holds ${bytesText(entry.reserved - entry.allocated)} more than is in use at the peak.${most}`;
  }
  if (selection.part === 'outside')
    return `${bytesText(entry.total - entry.reserved)} lie outside the allocator: the context of the process and the communication library${view.outside === undefined ? '' : ` (${view.outside})`}.`;
  return 'No tensors are listed for this part.';
}

/** Large numbers of a formula in groups of three digits. */
export function formulaText(formula: string): string {
  return formula.replace(/(?<![\d.])\d{5,}/g, (digits) => integer(Number(digits)));
}

interface ItemRowProps {
  readonly item: MemoryItemView;
  readonly entry: MemoryClassView;
  readonly theme: Theme;
  readonly sample: ReturnType<typeof partSample> | undefined;
  readonly onReveal: (link: SourceLink) => void;
}

function ItemRow({ item, entry, theme, sample, onReveal }: ItemRowProps): JSX.Element {
  return (
    <tr>
      <td class="part">
        {sample === undefined ? null : <Swatch theme={theme} draw={sample} />}{' '}
        <span class="part-name">{PART_TITLES[item.part]}</span>
      </td>
      <td class="wrapped">{item.group}</td>
      <td class="num strong" title={`${integer(item.bytes)} bytes`}>
        {gib(item.bytes)}
      </td>
      <td class="num share">{percent(item.bytes / entry.total)}</td>
      <td class="formula-cell">
        <code>{formulaText(item.formula)}</code>
      </td>
      <td class="wrapped">
        {item.links.map((link) => (
          <button
            key={link.label}
            type="button"
            class="link"
            title={`Show ${link.label} in the file`}
            onClick={() => onReveal(link)}
          >
            {link.label}
          </button>
        ))}
      </td>
    </tr>
  );
}

function Totals({ view, entry }: { readonly view: MemoryView; readonly entry: MemoryClassView }): JSX.Element {
  const room = roomText(view, entry);
  return (
    <p class="totals">
      <span class="label">allocated</span> {gib(entry.allocated)} <span class="label">reserved</span>{' '}
      {gib(entry.reserved)} <span class="label">total</span> <strong>{gib(entry.total)} GiB</strong>
      {room === undefined ? null : (
        <span class={entry.total > (view.gpu?.capacityBytes ?? Infinity) ? 'over-limit' : 'note'}> · {room}</span>
      )}
    </p>
  );
}

/** The checkpoint by number format, and the KV cache of a serving config. */
export function Summaries({ view }: { readonly view: MemoryView }): JSX.Element {
  const { checkpoint, kvCache } = view;
  const kinds = Object.entries(checkpoint.elementsByDtype)
    .filter(([, elements]) => elements > 0)
    .sort(([, a], [, b]) => b - a);
  return (
    <div class="summaries">
      <p>
        <span class="label">Checkpoint</span> <strong>{bytesText(checkpoint.bytes)}</strong>{' '}
        <span class="note" title={`${integer(checkpoint.bytes)} bytes, ${integer(checkpoint.elements)} elements`}>
          {integer(checkpoint.elements)} elements:{' '}
          {kinds.map(([name, elements]) => `${name} ${count(elements)}`).join(', ')}
        </span>
      </p>
      {kvCache === undefined ? null : (
        <p>
          <span class="label">KV cache</span> <strong>{integer(kvCache.bytesPerToken)} B/token</strong>
          <span class="note">
            {kvCache.tokens === undefined ? '' : ` · ${integer(kvCache.tokens)} tokens fit`}
            {kvCache.maxConcurrency === undefined
              ? ''
              : ` · ${integer(Math.floor(kvCache.maxConcurrency))} requests at full length`}
          </span>
        </p>
      )}
    </div>
  );
}
