import { useRef } from 'preact/hooks';
import type { TimelineAnswer } from '../../../server/src/protocol/timeline';
import { isEmpty } from '../kit/panel';
import type { TrialValues } from '../kit/what-if';
import type { TimelineModel } from './model';

export interface Trial {
  /** The picture to show: of what was asked last, or the one before where that cannot be drawn. */
  readonly model: TimelineModel | undefined;
  readonly notDrawn: string | undefined;
  readonly trying: boolean;
  readonly tryValues: (values: TrialValues) => void;
  /** What a request for the picture has to say of them. */
  readonly values: () => { readonly values?: TrialValues };
}

/** Values that are tried; while they cannot be drawn the last picture stays, for the sliders stand below it. */
export function useTrial(drawn: TimelineModel | undefined, answer: TimelineAnswer | undefined): Trial {
  const values = useRef<TrialValues>({});
  const last = useRef<TimelineModel | undefined>(undefined);
  if (answer !== undefined && answer.uri !== last.current?.view.uri) values.current = {};
  if (drawn !== undefined) last.current = drawn;
  const trying = Object.keys(values.current).length > 0;
  const refused = trying && answer !== undefined && isEmpty(answer);
  return {
    model: refused ? last.current : drawn,
    notDrawn: refused ? answer.reason : undefined,
    trying,
    tryValues: (next) => {
      values.current = next;
    },
    values: () => (Object.keys(values.current).length > 0 ? { values: values.current } : {}),
  };
}
