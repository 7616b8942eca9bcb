import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export interface TooltipText {
  readonly title: string;
  /** Label and value pairs. */
  readonly rows: readonly (readonly [string, string])[];
  readonly note?: string;
}

export interface TooltipProps {
  /** A point of the positioned parent that the box stands beside. */
  readonly x: number;
  readonly y: number;
  readonly text: TooltipText | undefined;
}

/** Beside the pointer or the selected mark, kept inside the window. The live region says the same words, so it is hidden from screen readers. */
export function Tooltip({ x, y, text }: TooltipProps): JSX.Element | null {
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = ref.current;
    const parent = box?.offsetParent;
    if (box === null || !(parent instanceof HTMLElement)) return;
    // It may leave its parent but not the window.
    const { left, top } = parent.getBoundingClientRect();
    const right = left + x + 14 + box.offsetWidth <= window.innerWidth - 4;
    const below = top + y + 16 + box.offsetHeight <= window.innerHeight - 4;
    // Written through the style object, which a strict content-security policy allows; a style attribute it does not.
    box.style.left = `${Math.max(2 - left, right ? x + 14 : x - 10 - box.offsetWidth)}px`;
    box.style.top = `${Math.max(2 - top, below ? y + 16 : y - 10 - box.offsetHeight)}px`;
  });
  if (text === undefined) return null;
  return (
    <div ref={ref} class="tooltip" aria-hidden="true">
      <strong>{text.title}</strong>
      <table>
        <tbody>
          {text.rows.map(([label, value]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {text.note === undefined ? null : <p>{text.note}</p>}
    </div>
  );
}

/** One sentence for the live region. */
export function spoken(text: TooltipText): string {
  return [
    text.title,
    ...text.rows.map(([label, value]) => `${label} ${value}`),
    ...(text.note === undefined ? [] : [text.note]),
  ].join(', ');
}
