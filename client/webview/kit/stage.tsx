import type { HTMLAttributes, JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Pen } from './pen';
import { useSurface } from './surface';
import type { Size } from './surface';

/** What the owner of a stage may ask of it. */
export interface StageHandle {
  /** Paints the picture and what lies over it again. */
  readonly refresh: () => void;
  /** Paints only what lies over the picture: hover, selection, focus. */
  readonly refreshOver: () => void;
  readonly scrollTo: (top: number) => void;
  readonly scroll: () => number;
  readonly size: () => Size;
  readonly focus: () => void;
}

type CanvasEvents = Pick<
  HTMLAttributes<HTMLCanvasElement>,
  | 'onPointerDown'
  | 'onPointerMove'
  | 'onPointerUp'
  | 'onPointerLeave'
  | 'onPointerCancel'
  | 'onDblClick'
  | 'onWheel'
  | 'onKeyDown'
  | 'onFocus'
  | 'onBlur'
>;

export interface StageProps {
  readonly family: string;
  readonly label: string;
  /** Pixels that the content is higher than a window of this size. */
  readonly overflow: (size: Size) => number;
  readonly paint: (pen: Pen, size: Size) => void;
  /** The picture is painted again when one of these changes. */
  readonly inputs: readonly unknown[];
  readonly paintOver: (pen: Pen, size: Size) => void;
  readonly overInputs: readonly unknown[];
  readonly handle: RefObject<StageHandle | null>;
  readonly onScroll?: (top: number) => void;
  readonly events: CanvasEvents;
}

/** Scroll position and window size as the last layout left them. */
interface Window {
  top: number;
  size: Size;
}

/**
 * A picture in a vertically scrolling window with a native scrollbar: two canvases as large as the window stay in place while an empty
 * element beside them is as high as the content, so that a picture may be higher than any canvas. The upper canvas takes focus and pointer.
 */
export function Stage(props: StageProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const spacer = useRef<HTMLDivElement>(null);
  const seen = useRef<Window>({ top: 0, size: { width: 1, height: 1 } }).current;
  const base = useSurface(props.family, props.paint, [...props.inputs]);
  const over = useSurface(props.family, props.paintOver, [...props.inputs, ...props.overInputs]);
  const refresh = (): void => {
    base.invalidate();
    over.invalidate();
  };
  props.handle.current = {
    refresh,
    refreshOver: over.invalidate,
    scrollTo: (top) => {
      if (scroller.current === null) return;
      scroller.current.scrollTop = top;
      // The scroll event comes a frame later; whoever measures right now needs the new place.
      seen.top = scroller.current.scrollTop;
    },
    scroll: () => seen.top,
    size: () => seen.size,
    focus: () => over.ref.current?.focus(),
  };
  useMeasured(scroller, () => {
    if (scroller.current === null || spacer.current === null) return;
    seen.size = { width: scroller.current.clientWidth, height: scroller.current.clientHeight };
    spacer.current.style.height = `${Math.max(0, props.overflow(seen.size))}px`;
    seen.top = scroller.current.scrollTop;
  });
  return (
    <div
      class="stage"
      ref={scroller}
      onScroll={(event) => {
        seen.top = event.currentTarget.scrollTop;
        refresh();
        props.onScroll?.(seen.top);
      }}
    >
      <div class="stage-window">
        <canvas ref={base.ref} aria-hidden="true" data-layer="base" />
        <canvas
          ref={over.ref}
          class="over"
          tabIndex={0}
          role="application"
          aria-label={props.label}
          {...props.events}
        />
      </div>
      <div ref={spacer} />
    </div>
  );
}

/** Runs `measure` after each render and whenever the element changes its size. */
function useMeasured(element: RefObject<HTMLElement | null>, measure: () => void): void {
  const latest = useRef(measure);
  latest.current = measure;
  useLayoutEffect(measure);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new ResizeObserver(() => latest.current());
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
}
