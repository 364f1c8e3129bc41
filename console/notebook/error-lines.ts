/** Marks the lines of the editor that an error points to. */
import { RangeSet, StateEffect, StateField, type EditorState, type Extension, type Range } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, gutterLineClass, type DecorationSet } from "@codemirror/view";

/** Sets the marked lines, from 1; those before are taken away. */
export const markErrorLines = StateEffect.define<readonly number[]>();

const lineMark = Decoration.line({ class: "cm-error-line" });
const numberMark = new (class extends GutterMarker {
  override elementClass = "cm-error-number";
})();

interface Marks {
  lines: DecorationSet;
  numbers: RangeSet<GutterMarker>;
}

const NONE: Marks = { lines: Decoration.set([]), numbers: RangeSet.of<GutterMarker>([]) };

const marks = StateField.define<Marks>({
  create: () => NONE,
  update(value, transaction) {
    const effect = transaction.effects.findLast((one) => one.is(markErrorLines));
    if (effect !== undefined) return marksFor(transaction.state, effect.value);
    // Marks stay with their lines while the code around them is mended.
    return transaction.docChanged
      ? { lines: value.lines.map(transaction.changes), numbers: value.numbers.map(transaction.changes) }
      : value;
  },
  provide: (field) => [EditorView.decorations.from(field, (value) => value.lines), gutterLineClass.from(field, (value) => value.numbers)],
});

/** Shows what {@link markErrorLines} sets. */
export const errorLines: Extension = marks;

function marksFor(state: EditorState, lineNumbers: readonly number[]): Marks {
  const starts = lineNumbers
    .filter((number) => number >= 1 && number <= state.doc.lines)
    .map((number) => state.doc.line(number).from)
    .toSorted((one, other) => one - other);
  const lines: Range<Decoration>[] = starts.map((start) => lineMark.range(start));
  const numbers: Range<GutterMarker>[] = starts.map((start) => numberMark.range(start));
  return { lines: Decoration.set(lines), numbers: RangeSet.of(numbers) };
}
