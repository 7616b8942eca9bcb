import { parseConfig } from '../../syntax/parse';
import type { ConfigNode, MapNode, Span } from '../../syntax/tree';

/** `cat > file <<EOF`, `cat <<'EOF' > file`, `tee file <<EOF`: the file, the end word, and whether the shell looks into the text. */
const HEREDOC =
  /^[ \t]*(?:cat|tee)\b(?:[ \t]+-a)?(?:[ \t]*>>?[ \t]*|[ \t]+)?("?[^\s<>"']*"?)[ \t]*<<(-?)[ \t]*(['"]?)(\w+)\3[ \t]*(?:>>?[ \t]*("?[^\s<>"']+"?))?[^\n]*\n/gm;

export interface WrittenFile {
  /** As the script names it, variables and all. */
  readonly name: string;
  readonly root: MapNode;
}

function moved(node: ConfigNode, by: number, open: boolean): ConfigNode {
  const span = { start: node.span.start + by, end: node.span.end + by };
  if (node.kind === 'scalar')
    return { ...node, span, unresolved: node.unresolved || (open && /\$[\w{(]/.test(node.raw)) };
  if (node.kind === 'list') return { ...node, span, items: node.items.map((item) => moved(item, by, open)) };
  const at = ({ start, end }: Span): Span => ({ start: start + by, end: end + by });
  const entries = node.entries.map((entry) => ({
    ...entry,
    keySpan: at(entry.keySpan),
    value: moved(entry.value, by, open),
  }));
  return { ...node, span, entries };
}

/** YAML files that a script writes before it starts something with them, with their places in the script. */
export function writtenFiles(text: string): WrittenFile[] {
  return [...text.matchAll(HEREDOC)].flatMap((match): WrittenFile[] => {
    const [all, before = '', dash, quote, end = '', after] = match;
    const start = match.index + all.length;
    const close = new RegExp(`^${dash === '-' ? '\\t*' : ''}${end}[ \\t]*$`, 'm').exec(text.slice(start));
    const body = text.slice(start, close === null ? text.length : start + close.index);
    const [root] = parseConfig(body, 'yaml').documents;
    const name = (after ?? before).replaceAll('"', '');
    if (root?.kind !== 'map' || name === '') return [];
    return [{ name, root: moved(root, start, quote === '') as MapNode }];
  });
}
