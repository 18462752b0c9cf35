//! What a command says to its user: lines on standard output, coloured where a terminal reads them.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;

/// One line. A closed pipe (`landfall account list | head`) is an error of the kind `BrokenPipe`, which `main` takes
/// for a good end.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    writeln!(anstream::stdout(), "{text}")
}

/// A value as JSON for programs.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string_pretty(value).map_err(io::Error::other)?)
}

/// A table without borders: a header and rows.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    for text in table.lines() {
        line(text.trim_end())?;
    }
    Ok(())
}

/// Whether a person sees the output as it comes.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Named values, one a line.
pub(super) fn fields(fields: &[(&str, String)]) -> io::Result<()> {
    for (name, value) in fields {
        line(format_args!("{name:12} {value}"))?;
    }
    Ok(())
}

/// How many characters a line of the terminal has; 100 where there is none.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| width.0.into())
}
