/** The element that holds the panel: the page's `#root`, or a new one in a page without. */
export function rootOf(document: Document): HTMLElement {
  const found = document.getElementById('root');
  if (found !== null) return found;
  const made = document.createElement('div');
  made.id = 'root';
  document.body.append(made);
  return made;
}
