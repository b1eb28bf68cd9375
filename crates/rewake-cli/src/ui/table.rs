//! A table of box-drawing characters that fits a width: columns that may shrink do, long texts end in an ellipsis.
//! Plain strings into one buffer: the list is the most frequent command there is.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Colour, Styles};

/// One column, whole.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) title: &'static str,
    pub(super) cells: Vec<Cell<'a>>,
    /// The width, in terminal columns, below which it does not shrink; `None`: it never shrinks.
    pub(super) shrinks_to: Option<usize>,
}

/// One text with its colour.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) colour: Option<Colour>,
}

impl<'a> Cell<'a> {
    pub(super) fn plain(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), colour: None }
    }

    pub(super) fn coloured(text: impl Into<Cow<'a, str>>, colour: Colour) -> Self {
        Self { text: text.into(), colour: Some(colour) }
    }
}

/// A border and a space on each side of a column's text, without the last border.
const FRAME: usize = 3;

/// Columns of the terminal that these take at least.
pub(super) fn least_width(columns: &[Column<'_>]) -> usize {
    columns.iter().map(|column| least(column, natural(column)) + FRAME).sum::<usize>() + 1
}

/// Columns of the terminal that these take when nothing is cut.
pub(super) fn natural_width(columns: &[Column<'_>]) -> usize {
    columns.iter().map(|column| natural(column) + FRAME).sum::<usize>() + 1
}

/// The table as text, with its header unless `bare`.
pub(super) fn render(columns: &[Column<'_>], width: usize, styles: Styles, bare: bool) -> String {
    let widths = fit(columns, width);
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    let line = widths.iter().map(|width| width + FRAME).sum::<usize>() + 1;
    // Box-drawing characters are three bytes each; colours come on top.
    let mut text = String::with_capacity((rows + 4) * (line * 2 + 32));
    rule(&mut text, &widths, ['┌', '┬', '┐']);
    if !bare {
        let titles = columns.iter().map(|column| (column.title, Some(Colour::Cyan)));
        row(&mut text, &widths, titles, styles);
        rule(&mut text, &widths, ['├', '┼', '┤']);
    }
    for at in 0..rows {
        let cells = columns
            .iter()
            .map(|column| column.cells.get(at).map_or(("", None), |cell| (cell.text.as_ref(), cell.colour)));
        row(&mut text, &widths, cells, styles);
    }
    rule(&mut text, &widths, ['└', '┴', '┘']);
    text
}

/// Terminal columns of a text.
pub(super) fn width_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text, or as much of it as fits with an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if width_of(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut left = width.saturating_sub(1);
    for char in text.chars() {
        let wide = char.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        kept.push(char);
    }
    if width > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

fn natural(column: &Column<'_>) -> usize {
    let cells = column.cells.iter().map(|cell| width_of(&cell.text));
    cells.max().unwrap_or(0).max(width_of(column.title))
}

fn least(column: &Column<'_>, natural: usize) -> usize {
    column.shrinks_to.map_or(natural, |least| natural.min(least.max(width_of(column.title))))
}

/// Widths of all columns: the widest of those that may shrink gives first.
fn fit(columns: &[Column<'_>], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(natural).collect();
    let least: Vec<usize> = columns.iter().zip(&widths).map(|(column, natural)| least(column, *natural)).collect();
    let mut over = (widths.iter().map(|width| width + FRAME).sum::<usize>() + 1).saturating_sub(width);
    while over > 0 {
        let shrinkable = (0..widths.len()).filter(|at| widths[*at] > least[*at]);
        let Some(widest) = shrinkable.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
        over -= 1;
    }
    widths
}

fn rule(text: &mut String, widths: &[usize], [left, middle, right]: [char; 3]) {
    text.push(left);
    for (at, width) in widths.iter().enumerate() {
        if at > 0 {
            text.push(middle);
        }
        text.extend(std::iter::repeat_n('─', width + 2));
    }
    text.push(right);
    text.push('\n');
}

fn row<'a>(
    text: &mut String,
    widths: &[usize],
    cells: impl Iterator<Item = (&'a str, Option<Colour>)>,
    styles: Styles,
) {
    for ((cell, colour), width) in cells.zip(widths) {
        let cell = cut(cell, *width);
        text.push_str("│ ");
        match colour {
            Some(colour) if styles.colours => {
                text.push_str(styles.begin(colour));
                text.push_str(&cell);
                text.push_str(styles.end());
            }
            Some(_) | None => text.push_str(&cell),
        }
        text.extend(std::iter::repeat_n(' ', (width + 1).saturating_sub(width_of(&cell))));
    }
    text.push_str("│\n");
}
