//! How a request is shown while it becomes an account: its steps, and its grid of Regions and controls.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_model::account::Phase;
use owo_colors::OwoColorize;

use super::standing;
use crate::api::cells::CellState;
use crate::api::events::Event;
use crate::api::requests::AccountRequest;

/// What is known of a request that is followed.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) request: AccountRequest,
    pub(super) cells: Vec<CellState>,
    /// When it entered each phase, as its events tell.
    entered: Vec<(Phase, Timestamp)>,
}

/// The steps that every request takes.
const STEPS: [Phase; 5] = [
    Phase::Requested,
    Phase::Creating,
    Phase::Placing,
    Phase::Baselining,
    Phase::Governed,
];

impl Progress {
    pub(super) fn new(request: AccountRequest) -> Self {
        let entered = vec![(Phase::Requested, request.requested_at)];
        Progress {
            request,
            cells: Vec::new(),
            entered,
        }
    }

    /// Takes note of what an event says of the request's phase. A request that is tried again begins anew.
    pub(super) fn note(&mut self, event: &Event) {
        let entered = event.detail["phase"].as_str().and_then(Phase::from_name);
        match (event.kind.as_str(), entered) {
            ("retried", _) => self.entered = vec![(Phase::Requested, event.at)],
            ("approved", None) => self.enter(Phase::Creating, event.at),
            (_, Some(phase)) => self.enter(phase, event.at),
            (_, None) => {}
        }
    }

    /// Takes what the server says now. It may be ahead of the events that were read so far.
    pub(super) fn update(&mut self, request: AccountRequest) {
        self.enter(request.phase, request.phase_since);
        self.request = request;
    }

    /// In the order of time, whatever is heard first; a phase counts from when it was entered last.
    fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.entered.retain(|(entered, _)| *entered != phase);
        let place = self.entered.partition_point(|(_, since)| *since <= at);
        self.entered.insert(place, (phase, at));
    }

    /// The whole display, line by line, for a terminal of this size.
    pub(super) fn draw(&self, now: Timestamp, width: usize, height: usize) -> Vec<String> {
        let account = self
            .request
            .account_id
            .as_deref()
            .unwrap_or("no account yet");
        let mut lines = vec![format!(
            "{} · {account} · {}",
            self.request.name.bold(),
            self.request.organizational_unit
        )];
        lines.extend(self.steps(now));
        lines.extend(standing::lines(&self.request.standing, now));
        let grid = grid(&self.cells, width);
        if lines.len() + grid.len() + 2 < height {
            lines.extend(grid);
        } else {
            lines.push(counts(&self.cells));
        }
        lines
    }

    fn steps(&self, now: Timestamp) -> Vec<String> {
        let mut phases: Vec<Phase> = self.entered.iter().map(|(phase, _)| *phase).collect();
        let reached = phases.last().copied();
        if !reached.is_some_and(Phase::is_final) {
            let next = STEPS
                .iter()
                .position(|step| phases.contains(step) && Some(*step) >= reached)
                .unwrap_or_else(|| STEPS.iter().filter(|step| phases.contains(step)).count() - 1);
            phases.extend(&STEPS[next + 1..]);
        }
        phases
            .into_iter()
            .enumerate()
            .map(|(index, phase)| self.step(index, phase, now))
            .collect()
    }

    fn step(&self, index: usize, phase: Phase, now: Timestamp) -> String {
        let name = phase.name().replace('_', " ");
        let Some((_, since)) = self.entered.get(index) else {
            return format!("  {} {name}", "·".dimmed());
        };
        let until = self.entered.get(index + 1).map(|(_, at)| *at);
        let seconds = |from: &Timestamp, to: Timestamp| {
            format!("{:.1} s", to.duration_since(*from).as_secs_f64().max(0.0))
        };
        match (phase, until) {
            (Phase::Governed, None) => {
                let begun = self.entered.first().map_or(*since, |(_, at)| *at);
                format!(
                    "  {} {name:18} {} in all",
                    "✓".green(),
                    seconds(&begun, *since)
                )
            }
            (Phase::Failed | Phase::Rejected, None) => format!("  {} {name}", "✗".red()),
            (_, Some(end)) => format!("  {} {name:18} {}", "✓".green(), seconds(since, end)),
            (_, None) => {
                let cells = if phase == Phase::Baselining {
                    counts(&self.cells)
                } else {
                    String::new()
                };
                format!(
                    "  {} {name:18} {}  {cells}",
                    "▸".cyan(),
                    seconds(since, now)
                )
            }
        }
    }
}

/// How many cells are in sync, and how many of the others there are of each sort.
fn counts(cells: &[CellState]) -> String {
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *by_status.entry(&cell.status).or_default() += 1;
    }
    let in_sync = by_status.remove("in_sync").unwrap_or(0);
    let mut text = format!("{in_sync} of {} cells in sync", cells.len());
    for (status, count) in by_status {
        text.push_str(&format!(", {count} {status}"));
    }
    text
}

/// Rows are Regions, columns are controls. Each column is headed by service and noun, or, where the terminal is too
/// narrow for that, by a letter that is explained below.
pub(super) fn grid(cells: &[CellState], width: usize) -> Vec<String> {
    if cells.is_empty() {
        return Vec::new();
    }
    let controls: BTreeSet<&str> = cells.iter().map(|cell| cell.control.as_str()).collect();
    let regions: BTreeSet<&str> = cells.iter().map(|cell| cell.region.as_str()).collect();
    let by_key: BTreeMap<(&str, &str), &CellState> = cells
        .iter()
        .map(|cell| ((cell.region.as_str(), cell.control.as_str()), cell))
        .collect();
    let side = regions.iter().map(|region| region.len()).max().unwrap_or(0) + 2;
    let named: Vec<(&str, &str)> = controls
        .iter()
        .map(|control| control.split_once('.').unwrap_or((control, "")))
        .collect();
    let widths: Vec<usize> = named
        .iter()
        .map(|(service, noun)| service.len().max(noun.len()) + 2)
        .collect();
    let wide = side + widths.iter().sum::<usize>() <= width;
    let letters = || ('a'..='z').chain('A'..='Z').cycle();

    let mut lines = vec![String::new()];
    let widths = if wide {
        for part in [0, 1] {
            let mut line = " ".repeat(side);
            for ((service, noun), width) in named.iter().zip(&widths) {
                let word = if part == 0 { service } else { noun };
                line.push_str(&format!("{word:width$}"));
            }
            lines.push(line.trim_end().dimmed().to_string());
        }
        widths
    } else {
        let mut line = " ".repeat(side);
        for letter in letters().take(controls.len()) {
            line.push(letter);
            line.push(' ');
        }
        lines.push(line.trim_end().dimmed().to_string());
        vec![2; controls.len()]
    };
    for region in &regions {
        let mut line = format!("{region:side$}");
        for (control, width) in controls.iter().zip(&widths) {
            match by_key.get(&(*region, *control)) {
                Some(cell) => line.push_str(&coloured(cell)),
                None => line.push(' '),
            }
            line.push_str(&" ".repeat(width - 1));
        }
        lines.push(line.trim_end().to_owned());
    }
    if !wide {
        let legend: Vec<String> = letters()
            .zip(&controls)
            .map(|(letter, control)| format!("{letter} {control}"))
            .collect();
        lines.push(legend.join("  ").dimmed().to_string());
    }
    lines
}

fn coloured(cell: &CellState) -> String {
    let symbol = cell.symbol;
    match cell.status.as_str() {
        "in_sync" => symbol.green().to_string(),
        "drifted" => symbol.yellow().to_string(),
        "converging" => symbol.cyan().to_string(),
        "blocked" | "stuck" => symbol.red().bold().to_string(),
        _ => symbol.dimmed().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(phase: &str) -> AccountRequest {
        serde_json::from_value(json!({
            "id": "00000000-0000-0000-0000-000000000001", "phase": phase,
            "phase_since": "2026-11-22T10:00:09Z", "name": "Payments", "owner_email": "a@example.com",
            "email": "b@example.com", "organizational_unit": "Applications/Production", "cost_center": "1",
            "environment": "production", "justification": "x", "tags": {}, "requested_by": "ann",
            "requested_at": "2026-11-22T10:00:00Z",
        }))
        .unwrap()
    }

    fn entered(phase: &str, at: &str) -> Event {
        serde_json::from_value(json!({
            "seq": 1, "at": at, "kind": "phase_entered", "actor": "landfall", "sentence": "", "detail": { "phase": phase },
        }))
        .unwrap()
    }

    fn cell(region: &str, control: &str, status: &str, symbol: char) -> CellState {
        serde_json::from_value(json!({
            "region": region, "control": control, "status": status, "symbol": symbol, "drift": [],
            "attempts": 0, "due_at": "2026-11-22T10:00:00Z", "revision": "1",
        }))
        .unwrap()
    }

    /// What a terminal without colours shows.
    fn plain(lines: &[String]) -> Vec<String> {
        lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect()
    }

    #[test]
    fn steps_tell_how_long_each_took() {
        let mut progress = Progress::new(request("requested"));
        progress.note(&entered("creating", "2026-11-22T10:00:01Z"));
        progress.note(&entered("placing", "2026-11-22T10:00:06.5Z"));
        let now = "2026-11-22T10:00:07Z".parse().unwrap();
        assert_eq!(
            plain(&progress.draw(now, 100, 40))[1..6],
            [
                "  ✓ requested          1.0 s",
                "  ✓ creating           5.5 s",
                "  ▸ placing            0.5 s  ",
                "  · baselining",
                "  · governed",
            ]
        );
        progress.note(&entered("baselining", "2026-11-22T10:00:07Z"));
        progress.update(request("governed"));
        let last = plain(&progress.draw(now, 100, 40))[5].clone();
        assert_eq!(last, "  ✓ governed           9.0 s in all");
    }

    #[test]
    fn who_comes_late_sees_all_steps() {
        let mut progress = Progress::new(request("requested"));
        progress.update(request("baselining"));
        progress.note(&entered("creating", "2026-11-22T10:00:01Z"));
        progress.note(&entered("placing", "2026-11-22T10:00:05Z"));
        progress.note(&entered("baselining", "2026-11-22T10:00:09Z"));
        let now = "2026-11-22T10:00:10Z".parse().unwrap();
        let lines = plain(&progress.draw(now, 100, 40));
        assert_eq!(lines[2], "  ✓ creating           4.0 s");
        assert_eq!(lines[3], "  ✓ placing            4.0 s");
        assert!(
            lines[4].starts_with("  ▸ baselining         1.0 s"),
            "{}",
            lines[4]
        );
    }

    #[test]
    fn a_failed_request_has_no_further_steps_and_a_retried_one_begins_anew() {
        let mut progress = Progress::new(request("requested"));
        progress.note(&entered("creating", "2026-11-22T10:00:01Z"));
        progress.update(request("failed"));
        let now = "2026-11-22T10:00:20Z".parse().unwrap();
        let lines = plain(&progress.draw(now, 100, 40));
        assert_eq!(lines[3], "  ✗ failed");
        assert!(
            !lines.iter().any(|line| line.contains("placing")),
            "{lines:?}"
        );
        let retried = Event {
            kind: "retried".to_owned(),
            ..entered("failed", "2026-11-22T10:00:15Z")
        };
        progress.note(&retried);
        assert_eq!(plain(&progress.draw(now, 100, 40))[2], "  · creating");
    }

    #[test]
    fn the_grid_has_a_row_for_each_region_and_fits_the_terminal() {
        let cells = [
            cell("eu-west-1", "guardduty.detector", "in_sync", '●'),
            cell("us-east-1", "guardduty.detector", "blocked", '✗'),
            cell("us-east-1", "iam.password-policy", "waiting", '○'),
        ];
        assert_eq!(
            plain(&grid(&cells, 100)),
            [
                "",
                "           guardduty  iam",
                "           detector   password-policy",
                "eu-west-1  ●",
                "us-east-1  ✗          ○",
            ]
        );
        assert_eq!(
            plain(&grid(&cells, 30)),
            [
                "",
                "           a b",
                "eu-west-1  ●",
                "us-east-1  ✗ ○",
                "a guardduty.detector  b iam.password-policy",
            ]
        );
    }

    #[test]
    fn a_low_terminal_gets_numbers_for_the_grid() {
        let mut progress = Progress::new(request("baselining"));
        progress.cells = vec![cell("eu-west-1", "guardduty.detector", "in_sync", '●')];
        let now = "2026-11-22T10:00:20Z".parse().unwrap();
        let lines = plain(&progress.draw(now, 100, 8));
        assert_eq!(lines.last().unwrap(), "1 of 1 cells in sync");
    }
}
