import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Tool } from './chrome';

/** Keys and what they do, in the order in which they are learnt. */
export type KeyRow = readonly [keys: string, meaning: string];

/** The list of keys as a modal dialog; the browser keeps the focus inside and closes it on Escape. */
export function KeyHelp({
  rows,
  onClose,
}: {
  readonly rows: readonly KeyRow[];
  readonly onClose: () => void;
}): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog ref={ref} class="keys" aria-labelledby="keys-title" onClose={onClose}>
      <div class="keys-head">
        <h2 id="keys-title">Keys</h2>
        <Tool icon="close" label="Close" onClick={() => ref.current?.close()} />
      </div>
      <table>
        <tbody>
          {rows.map(([keys, meaning]) => (
            <tr key={keys}>
              <th scope="row">
                {keys.split(' ').map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </th>
              <td>{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </dialog>
  );
}
