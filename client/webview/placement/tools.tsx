import type { JSX } from 'preact';
import { PLACEMENT_TEXTS, placementText, type PlacementTextFormat } from '../../../server/src/protocol/placement-text';
import type { PlacementView } from '../../../server/src/protocol/placement';
import { ExportMenu, PinTool, Tool } from '../kit/chrome';
import type { ExportChoice } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import type { Host } from '../kit/host';
import type { Panel } from '../kit/panel';
import { toCsv } from '../kit/table';
import type { Theme } from '../kit/theme';
import { heatScene } from './draw-heatmap';
import { layerScene } from './draw-layer';
import { layerName } from './model';
import type { PlacementModel } from './model';
import { allColumns } from './table';

export interface PlacementToolsProps {
  readonly host: Host;
  readonly panel: Panel<PlacementView>;
  readonly model: PlacementModel;
  readonly theme: Theme;
  readonly layer: number;
  readonly table: boolean;
  readonly compare: boolean;
  readonly onTable: (on: boolean) => void;
  readonly onCompare: (on: boolean) => void;
  readonly onHelp: () => void;
}

/** The placement as the frameworks read it, changes of this panel included. */
function saveAs({ host, model }: PlacementToolsProps, format: PlacementTextFormat): void {
  const { uri, policy, experts, gpus, firstLayer, modelLayers, layers, slots } = model.view;
  const rows = Array.from({ length: layers }, (_, row) => model.map.subarray(row * slots, (row + 1) * slots));
  const placed = { rows, experts, gpus, firstLayer, ...(modelLayers === undefined ? {} : { layers: modelLayers }) };
  saveText(
    host,
    exportName(uri, `experts-${policy}`, PLACEMENT_TEXTS[format].extension),
    placementText(format, placed),
  );
}

function pictures({ host, model, theme, layer }: PlacementToolsProps): readonly ExportChoice[] {
  const { uri, policy, layers, slots } = model.view;
  const name = (what: string, extension: string): string => exportName(uri, `placement-${policy}-${what}`, extension);
  const one = `layer-${layerName(model, layer)}`;
  return [
    {
      label: 'All layers as SVG',
      run: () => saveSvg(host, name('layers', 'svg'), heatScene(model, theme, layer), theme),
    },
    {
      label: 'All layers as PNG',
      run: () => savePng(host, name('layers', 'png'), heatScene(model, theme, layer), theme),
    },
    { label: 'This layer as SVG', run: () => saveSvg(host, name(one, 'svg'), layerScene(model, theme, layer), theme) },
    { label: 'This layer as PNG', run: () => savePng(host, name(one, 'png'), layerScene(model, theme, layer), theme) },
    {
      label: 'All slots as CSV',
      run: () => saveText(host, name('slots', 'csv'), toCsv(layers * slots, allColumns(model))),
    },
  ];
}

export function PlacementTools(props: PlacementToolsProps): JSX.Element {
  const { panel, table, compare, onTable, onCompare, onHelp } = props;
  const files = (Object.keys(PLACEMENT_TEXTS) as PlacementTextFormat[]).filter((format) => format !== 'csv');
  return (
    <div class="tools">
      <Tool
        icon="compare"
        label="Compare with other placements (c)"
        pressed={compare}
        onClick={() => onCompare(!compare)}
      />
      <Tool icon="table" label="Show as table (t)" pressed={table} onClick={() => onTable(!table)} />
      <ExportMenu
        choices={[
          ...pictures(props),
          ...files.map((format) => ({
            label: `Save placement for ${PLACEMENT_TEXTS[format].title}`,
            run: () => saveAs(props, format),
          })),
        ]}
      />
      <Tool icon="keys" label="Keys (?)" onClick={onHelp} />
      <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
    </div>
  );
}
