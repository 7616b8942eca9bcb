import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { MemoryView } from '../../../server/src/protocol/memory';
import { Stage } from '../kit/stage';
import type { StageHandle } from '../kit/stage';
import type { Pen } from '../kit/pen';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { Tooltip } from '../kit/tooltip';
import { describeBar } from './describe';
import { barAt, barLayout, barsHeight, barTop, drawBars, drawMarks, ROW, TOP } from './draw';
import type { BarLayout, Mark } from './draw';
import { moveSelection } from './model';
import type { MemoryMove, Selection } from './model';

export interface BarsProps {
  readonly view: MemoryView;
  readonly theme: Theme;
  readonly selection: Selection;
  readonly scroll: number;
  readonly onSelect: (selection: Selection) => void;
  readonly onOpen: () => void;
  readonly onScroll: (top: number) => void;
  readonly onKey: (key: string) => boolean;
}

const MOVES: Readonly<Record<string, MemoryMove>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
  Home: 'first',
  End: 'last',
};

/** Keeps the bar of a rank in sight after a key moved there. */
function scrollToBar(stage: StageHandle, index: number): void {
  const top = index * ROW;
  const height = stage.size().height - TOP;
  if (top < stage.scroll()) stage.scrollTo(top);
  else if (top + ROW > stage.scroll() + height) stage.scrollTo(top + ROW - height);
}

/** Bars that stay in sight however small the panel is. */
const LEAST_BARS = 6;

/** As high as all bars where there is room; never below a few, the list beneath scrolls instead. */
function barsStyle(view: MemoryView): Record<string, string> {
  const all = barsHeight(view);
  const least = Math.min(all, TOP + LEAST_BARS * ROW);
  return { flexBasis: `${all}px`, maxHeight: `${all}px`, minHeight: `${least}px` };
}

/** The bars: one a rank class, on a stage that scrolls. */
export function Bars(props: BarsProps): JSX.Element {
  const { view, theme, selection } = props;
  const stage = useRef<StageHandle>(null);
  const seen = useRef<BarLayout | undefined>(undefined);
  const [hovered, setHovered] = useState<
    { readonly at: Selection; readonly x: number; readonly y: number } | undefined
  >(undefined);
  const [focused, setFocused] = useState(false);
  const layout = (pen: Pen, size: Size): BarLayout =>
    (seen.current = barLayout(pen, view, size, stage.current?.scroll() ?? 0));
  useEffect(() => stage.current?.scrollTo(props.scroll), []);
  const select = (next: Selection): void => {
    props.onSelect(next);
    setHovered(undefined);
    if (stage.current !== null) scrollToBar(stage.current, next.index);
  };
  const at = (event: MouseEvent): Selection =>
    seen.current === undefined ? { index: -1 } : barAt(view, seen.current, event.offsetX, event.offsetY);
  const marks: Mark[] = [
    ...(hovered === undefined || hovered.at.index < 0
      ? []
      : [{ selection: hovered.at, color: theme.foreground, width: 1 }]),
    ...(selection.index < 0 ? [] : [{ selection, color: focused ? theme.focus : theme.foreground, width: 2 }]),
  ];
  const pointed = hovered?.at ?? (focused ? selection : undefined);
  const place = tipPlace(hovered, selection, seen.current);
  return (
    <div class="bars" style={barsStyle(view)}>
      <Stage
        family={theme.font}
        label={`Memory of ${view.classes.length} groups of ranks. Arrow keys move between ranks and parts, Enter lists what a part is made of, question mark lists all keys.`}
        handle={stage}
        overflow={(size) => barsHeight(view) - size.height}
        inputs={[view, theme, selection.index]}
        paint={(pen, size) => drawBars(pen, view, layout(pen, size), theme, selection.index)}
        overInputs={[selection, hovered, focused]}
        paintOver={(pen, size) => drawMarks(pen, view, layout(pen, size), theme, marks)}
        onScroll={props.onScroll}
        events={{
          onPointerMove: (event) => setHovered({ at: at(event), x: event.offsetX, y: event.offsetY }),
          onPointerLeave: () => setHovered(undefined),
          onPointerDown: (event) => {
            const next = at(event);
            if (next.index >= 0) props.onSelect(next);
          },
          onFocus: () => setFocused(true),
          onBlur: () => setFocused(false),
          onKeyDown: (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const move = MOVES[event.key];
            if (move !== undefined) select(moveSelection(view, selection, move));
            else if (event.key === 'Escape') select({ index: selection.index });
            else if (event.key === 'Enter') props.onOpen();
            else if (!props.onKey(event.key)) return;
            event.preventDefault();
          },
        }}
      />
      <Tooltip x={place.x} y={place.y} text={pointed === undefined ? undefined : describeBar(view, pointed)} />
    </div>
  );
}

function tipPlace(
  hovered: { readonly x: number; readonly y: number } | undefined,
  selection: Selection,
  layout: BarLayout | undefined,
): { readonly x: number; readonly y: number } {
  if (hovered !== undefined) return hovered;
  return layout === undefined
    ? { x: 0, y: 0 }
    : { x: layout.left + layout.width / 2, y: barTop(layout, selection.index) + ROW };
}
