// CodeMirror for rule files. It lies in a shadow root: there its styles are sheets and no inline
// elements, which the page's policy refuses.

import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, bracketMatching, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic as Mark } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
  Decoration,
  EditorView,
  MatchDecorator,
  ViewPlugin,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  type DecorationSet,
  type ViewUpdate,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Completion as Known, Diagnostic } from '../api';
import { offers, type Offer } from './offer';

const TYPES: Record<Offer['type'], string> = {
  field: 'property',
  operator: 'keyword',
  transformer: 'function',
  keyword: 'keyword',
  event: 'enum',
  priority: 'enum',
  key: 'keyword',
  macro: 'function',
  list: 'variable',
};

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '0.8125rem', color: 'var(--text)', backgroundColor: 'var(--surface)' },
  // The element around it shows the focus.
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.25rem' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--muted)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 8%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent)',
  },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line)', borderRadius: '6px' },
  '.cm-tooltip-autocomplete > ul > li': { padding: '2px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected] .cm-completionDetail': { color: 'var(--accent-text)' },
  '.cm-completionDetail': { color: 'var(--muted)', fontStyle: 'normal' },
  '.cm-completionInfo': { maxWidth: '28rem', padding: '8px', whiteSpace: 'pre-wrap' },
  '.cm-diagnostic': { padding: '6px 8px', whiteSpace: 'pre-wrap', fontFamily: 'system-ui, sans-serif' },
  '.cm-diagnostic-error': { borderLeft: '4px solid var(--bad)' },
  '.cm-diagnostic-warning': { borderLeft: '4px solid var(--weak)' },
  '.cm-specialChar': { color: 'var(--bad)' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', borderColor: 'var(--line-strong)' },
  '.cm-button': { backgroundImage: 'none', backgroundColor: 'var(--sunken)', borderColor: 'var(--line-strong)', color: 'inherit' },
  '.cm-field': { color: 'var(--notice)' },
  '.cm-joined': { color: 'var(--accent)', fontWeight: '600' },
  '.cm-matchingBracket': { backgroundColor: 'color-mix(in srgb, var(--accent) 20%, transparent) !important' },
});

const ink = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)', fontWeight: '600' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.number, tags.bool], color: 'var(--critical)' },
  { tag: [tags.punctuation, tags.separator], color: 'var(--muted)' },
]);

/** Marks what conditions are made of, which is one text to YAML. */
function conditions(): Extension {
  const field = Decoration.mark({ class: 'cm-field' });
  const joined = Decoration.mark({ class: 'cm-joined' });
  const matcher = new MatchDecorator({
    regexp: /%?\b[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+\b|\b(?:and|or|not|in|intersects|contains|icontains|startswith|endswith|glob|iglob|regex|pmatch|exists)\b/g,
    decoration: (match, view, at) => {
      const line = view.state.doc.lineAt(at);
      if (/^\s*#/.test(line.text) || /^\s*(?:-\s+)?(?:rule|macro|list|desc|tags|name):/.test(line.text)) return null;
      return match[0].includes('.') ? field : joined;
    },
  });
  return ViewPlugin.fromClass(
    class {
      decorations: DecorationSet;
      constructor(view: EditorView) {
        this.decorations = matcher.createDeco(view);
      }
      update(update: ViewUpdate): void {
        this.decorations = matcher.updateDeco(update, this.decorations);
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );
}

/**
 * What is typed in a selection's place. A browser that edits by itself gives the new text the look
 * of the old as an inline style, which the page's policy refuses and reports.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { data, inputType } = event;
    const { from, to, empty } = view.state.selection.main;
    if (inputType !== 'insertText' || !data || empty || view.composing) return false;
    const typed = () => view.state.update(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true });
    const isTaken = view.state.facet(EditorView.inputHandler).some((take) => take(view, from, to, data, typed));
    if (!isTaken) view.dispatch(typed());
    return true;
  },
});

export interface Editor {
  text: () => string;
  replace: (text: string) => void;
  mark: (diagnostics: Diagnostic[]) => void;
  reveal: (diagnostic: Diagnostic) => void;
  destroy: () => void;
}

/** An editor in that element. */
export function edit(host: HTMLElement, text: string, known: () => Known | null, changed: () => void): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const offer = (context: CompletionContext): CompletionResult | null => {
    const all = known();
    const found = all && offers(context.state.sliceDoc(0, context.pos), all);
    if (!found) return null;
    // Where no word is begun, only short lists are offered unasked.
    const isShort = ['event', 'priority'].includes(found.offers[0]?.type ?? '') || context.matchBefore(/%/) !== null;
    if (!context.explicit && found.from === context.pos && !isShort) return null;
    return {
      from: found.from,
      validFor: /^[\w.]*$/,
      options: found.offers.map((one) => ({
        label: one.label,
        type: TYPES[one.type],
        detail: one.detail ?? one.type,
        ...(one.info ? { info: one.info } : {}),
        ...(one.type === 'key' ? { apply: `${one.label}: ` } : {}),
      })),
    };
  };
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightActiveLineGutter(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        indentUnit.of('  '),
        yaml(),
        syntaxHighlighting(ink),
        conditions(),
        bracketMatching(),
        closeBrackets(),
        typedOver,
        autocompletion({ override: [offer], icons: false }),
        highlightActiveLine(),
        highlightSelectionMatches(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'Rules, as YAML', spellcheck: 'false' }),
        // Tab leaves the editor, as keyboards expect it.
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
        EditorView.updateListener.of((update) => update.docChanged && changed()),
        look,
      ],
    }),
  });
  const position = (line: number, column: number): number => {
    const { doc } = view.state;
    const at = doc.line(Math.min(line + 1, doc.lines));
    return Math.min(at.from + column, at.to);
  };
  const told = (one: Diagnostic): string => [one.message, one.label, one.help && `help: ${one.help}`].filter(Boolean).join('\n');
  return {
    text: () => view.state.doc.toString(),
    replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next }, selection: { anchor: 0 } }),
    mark: (diagnostics) => {
      const marks = diagnostics.flatMap((one): Mark[] => {
        if (!one.range) return [];
        const from = position(one.range.line, one.range.column);
        const to = Math.max(from, position(one.range.end_line, one.range.end_column));
        const severity = one.severity === 'error' ? 'error' : 'warning';
        return [{ from, to, severity, source: one.code, message: told(one) }];
      });
      view.dispatch(setDiagnostics(view.state, marks));
    },
    reveal: (one) => {
      if (one.range) {
        const at = position(one.range.line, one.range.column);
        view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
      }
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
