import { useCallback, useEffect, useRef } from 'preact/hooks';
import type { RefObject } from 'preact';
import { canvasPen, createPatternCache } from './canvas-pen';
import type { Pen } from './pen';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A canvas that is as sharp as the screen and is painted at most once a frame, however often it is asked to. */
export interface Surface {
  readonly ref: RefObject<HTMLCanvasElement | null>;
  /** Asks for a new picture in the next frame. */
  readonly invalidate: () => void;
}

export type Paint = (pen: Pen, size: Size) => void;

interface Attached {
  readonly invalidate: () => void;
  readonly detach: () => void;
}

/** Matches the bitmap to the element's size on the screen; true when it had to change. */
function fitBitmap(canvas: HTMLCanvasElement, size: Size, ratio: number): boolean {
  const width = Math.max(1, Math.round(size.width * ratio));
  const height = Math.max(1, Math.round(size.height * ratio));
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

function attach(canvas: HTMLCanvasElement, family: () => string, paint: Paint): Attached {
  const context = canvas.getContext('2d');
  if (context === null) return { invalidate: () => undefined, detach: () => undefined };
  const patterns = createPatternCache(context);
  // The size is asked for when it changes and not a frame: asking makes the browser lay out the page.
  let size: Size | undefined;
  let frame = 0;
  const draw = (): void => {
    frame = 0;
    size ??= { width: canvas.clientWidth, height: canvas.clientHeight };
    const ratio = window.devicePixelRatio || 1;
    fitBitmap(canvas, size, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    paint(canvasPen(context, family(), ratio, patterns), size);
  };
  const invalidate = (): void => {
    if (frame === 0) frame = requestAnimationFrame(draw);
  };
  const observer = new ResizeObserver(() => {
    size = { width: canvas.clientWidth, height: canvas.clientHeight };
    // A changed bitmap is empty: painting it in the same frame keeps the picture from blinking while a window is resized.
    if (fitBitmap(canvas, size, window.devicePixelRatio || 1)) draw();
  });
  observer.observe(canvas);
  window.addEventListener('resize', invalidate);
  invalidate();
  return {
    invalidate,
    detach: () => {
      observer.disconnect();
      window.removeEventListener('resize', invalidate);
      if (frame !== 0) cancelAnimationFrame(frame);
    },
  };
}

/** A surface whose picture is `paint`; it is painted again when one of `inputs` changes and whenever it is asked to. */
export function useSurface(family: string, paint: Paint, inputs: readonly unknown[]): Surface {
  const ref = useRef<HTMLCanvasElement>(null);
  const latest = useRef({ paint, family });
  const attached = useRef<Attached | undefined>(undefined);
  latest.current = { paint, family };
  useEffect(() => {
    if (ref.current === null) return undefined;
    const made = attach(
      ref.current,
      () => latest.current.family,
      (pen, size) => latest.current.paint(pen, size),
    );
    attached.current = made;
    return () => {
      attached.current = undefined;
      made.detach();
    };
  }, []);
  useEffect(() => attached.current?.invalidate(), [family, ...inputs]);
  const invalidate = useCallback(() => attached.current?.invalidate(), []);
  return { ref, invalidate };
}
