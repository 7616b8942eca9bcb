import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SourceLink, ViewAssumption } from '../../../server/src/protocol/common';
import { Icon } from './icon';
import type { IconName } from './icon';

/** One key figure of the head line. With `onReveal` it is a button that leads to the config line behind it. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  /** What the figure means, in small print after it. */
  readonly note?: string;
  readonly tone?: 'bad';
  readonly onReveal?: () => void;
  /** What the button does, where it is not to show a line. */
  readonly hint?: string;
}

export function Facts({ facts }: { readonly facts: readonly Fact[] }): JSX.Element {
  return (
    <ul class="facts">
      {facts.map((fact) => (
        <li key={fact.label} class={fact.tone === 'bad' ? 'fact bad' : 'fact'}>
          {fact.onReveal === undefined ? (
            <FactText fact={fact} />
          ) : (
            <button
              type="button"
              class="chip"
              title={fact.hint ?? `Show the line that sets ${fact.label}`}
              onClick={fact.onReveal}
            >
              <FactText fact={fact} />
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function FactText({ fact }: { readonly fact: Fact }): JSX.Element {
  return (
    <>
      <span class="label">{fact.label}</span> <span class="value">{fact.value}</span>
      {fact.note === undefined ? null : <span class="note"> {fact.note}</span>}
    </>
  );
}

export interface OtherLinksProps {
  readonly links: readonly SourceLink[];
  readonly onReveal: (link: SourceLink) => void;
}

/** Config lines that take part in the picture but stand behind no single figure of it. */
export function OtherLinks({ links, onReveal }: OtherLinksProps): JSX.Element | null {
  return links.length === 0 ? null : (
    <p class="formula">
      <span class="label">Also decided by</span>{' '}
      {links.map((link) => (
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
    </p>
  );
}

export interface ToolProps {
  readonly icon: IconName;
  readonly label: string;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  readonly onClick: () => void;
}

/** A button of the toolbar. The label is what a screen reader says and what the mouse shows. */
export function Tool({ icon, label, pressed, expanded, onClick }: ToolProps): JSX.Element {
  return (
    <button
      type="button"
      class="tool"
      title={label}
      aria-label={label}
      {...(pressed === undefined ? {} : { 'aria-pressed': pressed })}
      {...(expanded === undefined ? {} : { 'aria-expanded': expanded })}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

export function PinTool({
  pinned,
  onPin,
}: {
  readonly pinned: boolean;
  readonly onPin: (pinned: boolean) => void;
}): JSX.Element {
  const label = pinned ? 'Pinned to this file: follow the active editor again' : 'Pin to this file';
  return <Tool icon="pin" label={label} pressed={pinned} onClick={() => onPin(!pinned)} />;
}

export interface ExportChoice {
  readonly label: string;
  readonly run: () => void;
}

/** A button that opens a short list of file kinds; Escape and a click elsewhere close it. */
export function ExportMenu({ choices }: { readonly choices: readonly ExportChoice[] }): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    box.current?.querySelector<HTMLElement>('.menu button')?.focus();
    const close = (event: Event): void => {
      if (event instanceof KeyboardEvent && event.key !== 'Escape') return;
      if (event.target instanceof Node && event.type === 'pointerdown' && box.current?.contains(event.target) === true)
        return;
      setOpen(false);
      if (event instanceof KeyboardEvent) box.current?.querySelector<HTMLElement>('.tool')?.focus();
    };
    document.addEventListener('pointerdown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);
  const choose = (choice: ExportChoice): void => {
    setOpen(false);
    box.current?.querySelector<HTMLElement>('.tool')?.focus();
    choice.run();
  };
  return (
    <div class="menu-box" ref={box}>
      <Tool icon="save" label="Save the picture or its data" expanded={open} onClick={() => setOpen(!open)} />
      {open ? (
        <div class="menu">
          {choices.map((choice) => (
            <button key={choice.label} type="button" onClick={() => choose(choice)}>
              {choice.label}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

/** Says that the text does not parse, and what the picture is of. */
export function StaleBar({ reason }: { readonly reason: string | undefined }): JSX.Element | null {
  return reason === undefined ? null : (
    <p class="stale" role="status">
      <span class="badge">Text with a fault</span> {reason}
    </p>
  );
}

const ORIGIN_WORDS: Readonly<Record<string, string>> = {
  companion: 'from a companion file',
  default: 'the framework’s default',
  derived: 'computed',
  assumed: 'assumed',
};

/** What no file states: one quiet line, opened into the list with where each value comes from. */
export function Assumptions({ items }: { readonly items: readonly ViewAssumption[] }): JSX.Element | null {
  if (items.length === 0) return null;
  const guessed = items.filter((item) => item.origin === 'assumed');
  const guesses = guessed.length;
  const first = [...guessed, ...items.filter((item) => item.origin !== 'assumed')]
    .slice(0, 3)
    .map((item) => `${item.field} = ${item.value}`);
  const more = items.length > 3 ? ', …' : '';
  const weighed = items.some((item) => item.effect !== undefined);
  return (
    <details class="assumptions">
      <summary>
        <span class="badge">{guesses > 0 ? `${guesses} assumed` : `${items.length} by default`}</span>{' '}
        <span class="note">{first.join(', ') + more}</span>
      </summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Value</th>
            <th scope="col">Origin</th>
            {weighed ? <th scope="col">Effect</th> : null}
            <th scope="col">Note</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.field}>
              <td>{item.field}</td>
              <td>{item.value}</td>
              <td>{ORIGIN_WORDS[item.origin] ?? item.origin}</td>
              {weighed ? <td>{item.effect ?? ''}</td> : null}
              <td>{item.note ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** Nothing to draw: what is missing, said calmly. */
export function EmptyState({
  reason,
  children,
}: {
  readonly reason: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <p>{reason}</p>
      {children}
    </div>
  );
}

/** Speaks to a screen reader without moving the focus. */
export function LiveRegion({ text }: { readonly text: string }): JSX.Element {
  return (
    <div class="sr-only" role="status" aria-live="polite">
      {text}
    </div>
  );
}
