import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import type { MeasuredAnswer, SweepAnswer, TimelineAnswer } from '../../../server/src/protocol/timeline';
import type { ScheduleRequest } from '../../../server/src/protocol/panels';
import type { Host } from '../kit/host';
import { isEmpty } from '../kit/panel';
import { decodeTimeline } from './model';
import type { TimelineModel } from './model';

/** What stands beside the picture of the file's schedule, as far as somebody asked for it. */
export interface Extras {
  readonly compared: TimelineModel | undefined;
  /** Whose schedule is compared: another file's name, or empty for this file's own. */
  readonly comparedLabel: string;
  /** Why a comparison, a sweep or a measured run could not be had. */
  readonly refusal: string | undefined;
  readonly sweep: SweepAnswer | undefined;
  readonly sweeping: boolean;
  readonly measured: MeasuredAnswer | undefined;
  readonly compare: (ask: ScheduleRequest | 'file' | undefined) => void;
  readonly askSweep: () => void;
  readonly stopSweep: () => void;
  readonly dropMeasured: () => void;
}

interface Compared {
  readonly answer: TimelineAnswer;
  readonly label: string;
}

/** Listens for the answers that come besides the picture; a new text of the file makes an old sweep stale, so it goes. */
export function useExtras(host: Host, version: number): Extras {
  const [compared, setCompared] = useState<Compared | undefined>(undefined);
  const [sweep, setSweep] = useState<SweepAnswer | undefined>(undefined);
  const [sweeping, setSweeping] = useState(false);
  const [measured, setMeasured] = useState<MeasuredAnswer | undefined>(undefined);
  useEffect(
    () =>
      host.listen((message) => {
        if (message.type === 'compare') setCompared({ answer: message.answer, label: message.label });
        else if (message.type === 'measured') setMeasured(message.answer);
        else if (message.type === 'sweep') {
          setSweep(message.answer);
          setSweeping(false);
        }
      }),
    [host],
  );
  useEffect(() => setSweep(undefined), [version]);
  const compare = useCallback(
    (ask: ScheduleRequest | 'file' | undefined) => {
      if (ask === undefined) setCompared(undefined);
      host.post(
        ask === 'file' ? { type: 'compare', file: true } : { type: 'compare', ...(ask === undefined ? {} : { ask }) },
      );
    },
    [host],
  );
  const model = useMemo(
    () => (compared === undefined || isEmpty(compared.answer) ? undefined : decodeTimeline(compared.answer)),
    [compared],
  );
  const refused = compared !== undefined && isEmpty(compared.answer) ? compared.answer.reason : undefined;
  return {
    compared: model,
    comparedLabel: compared?.label ?? '',
    refusal: refused ?? (measured !== undefined && 'empty' in measured ? measured.reason : undefined),
    sweep,
    sweeping,
    measured,
    compare,
    askSweep: () => {
      setSweeping(true);
      host.post({ type: 'sweep' });
    },
    stopSweep: () => {
      setSweeping(false);
      host.post({ type: 'sweep', stop: true });
    },
    dropMeasured: () => setMeasured(undefined),
  };
}
