//! Following a request until its account is governed, or until it is clear that it will not be.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use landfall_model::account::Phase;
use landfall_model::cloud_error::Help;
use terminal_size::{Height, Width};
use tokio::time::{Instant, MissedTickBehavior};

use super::client::{Client, Refusal, path};
use super::out;
use super::progress::Progress;
use crate::api::cells::Cells;
use crate::api::events::Event;
use crate::api::requests::AccountRequest;
use crate::engine::clock::{self, Clock, SystemClock};

/// How often the display is drawn anew, and how often the server is asked although no event came.
const DRAW: Duration = Duration::from_millis(250);
const ASK: Duration = Duration::from_secs(3);

/// How often in a row the stream of events may break before we give up.
const BREAKS: u32 = 10;

/// Follows a request to its end; shows it in place on a terminal, and line by line otherwise.
pub(super) async fn watch(
    client: &Client,
    request: AccountRequest,
) -> anyhow::Result<AccountRequest> {
    let events = path(["account-requests", &request.id.to_string(), "events"]);
    let mut display = Display::new(client.json);
    let mut progress = Progress::new(request);
    let mut last_id: Option<String> = None;
    let mut breaks = 0;
    let mut draw = tokio::time::interval(DRAW);
    draw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stream = match client.events(&events, last_id.as_deref()).await {
            Ok(stream) => stream,
            Err(error) if error.is::<Refusal>() || breaks >= BREAKS => return Err(error),
            Err(_) => {
                breaks += 1;
                clock::pause(Duration::from_secs(1)).await;
                continue;
            }
        };
        let mut stream = std::pin::pin!(stream);
        // Asked at once, and then whenever something happened or nothing did for long.
        let mut ask_at = Instant::now();
        loop {
            tokio::select! {
                event = stream.next() => match event {
                    Some(Ok(event)) => {
                        breaks = 0;
                        let told: Event = serde_json::from_str(&event.data)
                            .context("the server's event is not understood; is it of another version?")?;
                        last_id = event.id.or(last_id);
                        progress.note(&told);
                        display.event(&told)?;
                        ask_at = Instant::now();
                    }
                    // The server stopped, or something in between did: take up the thread where it broke.
                    Some(Err(_)) | None => {
                        breaks += 1;
                        clock::pause(Duration::from_secs(1)).await;
                        break;
                    }
                },
                _ = draw.tick() => {
                    if Instant::now() >= ask_at {
                        ask(client, &mut progress).await?;
                        ask_at = Instant::now() + ASK;
                    }
                    display.draw(&progress)?;
                    if is_over(progress.request.phase) {
                        return Ok(progress.request);
                    }
                }
            }
        }
    }
}

async fn ask(client: &Client, progress: &mut Progress) -> anyhow::Result<()> {
    let id = progress.request.id.to_string();
    let request: AccountRequest = client.get(&path(["account-requests", &id])).await?;
    if let Some(account) = request
        .account_id
        .as_deref()
        .filter(|_| request.phase.has_cells())
    {
        let cells: Cells = client.get(&path(["accounts", account, "cells"])).await?;
        progress.cells = cells.items;
    }
    progress.update(request);
    Ok(())
}

/// Whether there is nothing more to wait for.
fn is_over(phase: Phase) -> bool {
    phase == Phase::Governed || phase == Phase::Closing || phase.is_final()
}

/// What became of a request, as an exit status; where it did not become an account it is said who can help.
pub(super) fn verdict(request: &AccountRequest) -> anyhow::Result<ExitCode> {
    if request.phase == Phase::Governed {
        return Ok(ExitCode::SUCCESS);
    }
    let Some(failure) = &request.failure else {
        anyhow::bail!("request {} is {}", request.id, request.phase.name());
    };
    let help = match failure.who_can_help {
        _ if request.phase == Phase::Rejected => "Ask anew with `landfall request create`.",
        Help::Nobody => "Time alone helps.",
        Help::Requester => "You can mend this: `landfall request retry` takes corrections.",
        Help::PlatformTeam => "The platform team can help.",
        Help::AwsSupport => "AWS Support can help.",
    };
    anyhow::bail!(
        "request {} is {}: {}\n  {}\n  {help}",
        request.id,
        request.phase.name(),
        failure.reason,
        failure.message
    )
}

/// Where progress goes.
enum Display {
    /// Drawn over itself; so many lines are there already.
    Terminal { drawn: usize },
    /// A line for each event.
    Plain,
    /// Only the end counts.
    Silent,
}

impl Display {
    fn new(json: bool) -> Self {
        match (json, out::is_terminal()) {
            (true, _) => Display::Silent,
            (false, true) => Display::Terminal { drawn: 0 },
            (false, false) => Display::Plain,
        }
    }

    fn event(&self, event: &Event) -> std::io::Result<()> {
        match self {
            Display::Plain => out::line(format_args!("{:.0}  {}", event.at, event.sentence)),
            Display::Terminal { .. } | Display::Silent => Ok(()),
        }
    }

    fn draw(&mut self, progress: &Progress) -> std::io::Result<()> {
        let Display::Terminal { drawn } = self else {
            return Ok(());
        };
        let (width, height) = terminal_size::terminal_size()
            .map_or((80, 24), |(Width(width), Height(height))| {
                (width.into(), height.into())
            });
        let lines = progress.draw(SystemClock.now(), width, height);
        let mut frame = String::new();
        if *drawn > 0 {
            // Back to the first line, and away with all below it.
            frame.push_str(&format!("\x1b[{drawn}A\x1b[J"));
        }
        for line in &lines {
            frame.push_str(line);
            frame.push('\n');
        }
        *drawn = lines.len();
        let mut stdout = anstream::stdout();
        stdout.write_all(frame.as_bytes())?;
        stdout.flush()
    }
}
