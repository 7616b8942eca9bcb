import type { JSX, RefObject } from 'preact';
import { ExportMenu, PinTool, Tool } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import type { Scene } from '../kit/export';
import { withLegend } from '../kit/legend-scene';
import { toCsv } from '../kit/table';
import type { TableColumn } from '../kit/table';
import type { Theme } from '../kit/theme';
import { fitAxis } from '../kit/viewport';
import type { TimelineProps } from './app';
import type { Choices } from './choices';
import { ComparePicker } from './compare';
import type { Extras } from './extras';
import type { Command } from './keys';
import type { LanesHandle } from './lanes';
import { shadeNote, timelineLegend } from './head';
import { timelineScene } from './scene';

interface TimelineToolsProps extends TimelineProps {
  readonly theme: Theme;
  readonly choices: Choices;
  readonly extras: Extras;
  readonly columns: readonly TableColumn[];
  readonly handle: RefObject<LanesHandle | null>;
  readonly onHelp: () => void;
}

/** The panel's buttons, in the order of a look: move, explain, compare, save. */
export function TimelineTools(props: TimelineToolsProps): JSX.Element {
  const { host, panel, model, theme, choices, columns, handle, extras } = props;
  const run = (command: Command) => (): void => handle.current?.run(command);
  const name = (extension: string): string => exportName(model.view.uri, `schedule-${model.view.kind}`, extension);
  const scene = (): Scene => {
    const axis = handle.current?.axis() ?? fitAxis(model.view.makespan, 900);
    const picture = timelineScene(model, axis, choices.rank, choices.memory, theme);
    return withLegend(picture, timelineLegend(model, theme), theme, shadeNote(model));
  };
  return (
    <div class="tools">
      <ComparePicker view={model.view} extras={extras} />
      <Tool icon="minus" label="Zoom out (-)" onClick={run({ type: 'zoom', factor: 1 / 1.5 })} />
      <Tool icon="plus" label="Zoom in (+)" onClick={run({ type: 'zoom', factor: 1.5 })} />
      <Tool icon="fit" label="Fit the whole schedule (f)" onClick={run({ type: 'fit' })} />
      <Tool icon="play" label="Play the step, stop (Space)" onClick={run({ type: 'play' })} />
      <Tool
        icon="path"
        label="Mark the chain that decides the end (k)"
        pressed={choices.critical}
        onClick={run({ type: 'chain' })}
      />
      <Tool
        icon="why"
        label="Why the step takes as long as it does (w)"
        pressed={choices.side === 'why'}
        onClick={run({ type: 'why' })}
      />
      <Tool
        icon="chart"
        label="Schedules compared: chart and table (s)"
        pressed={choices.side === 'sweep'}
        onClick={run({ type: 'sweep' })}
      />
      <Tool
        icon="table"
        label="Show as table (t)"
        pressed={choices.table}
        onClick={() => choices.setTable(!choices.table)}
      />
      <ExportMenu
        choices={[
          { label: 'Picture as SVG', run: () => saveSvg(host, name('svg'), scene(), theme) },
          { label: 'Picture as PNG', run: () => savePng(host, name('png'), scene(), theme) },
          { label: 'Blocks as CSV', run: () => saveText(host, name('csv'), toCsv(model.blocks.count, columns)) },
          { label: 'Trace for Perfetto', run: () => host.post({ type: 'trace' }) },
          { label: 'Lay a measured run over it …', run: () => host.post({ type: 'measure' }) },
        ]}
      />
      <Tool icon="keys" label="Keys (?)" onClick={props.onHelp} />
      <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
    </div>
  );
}
