//! What a call costs that has nothing around it: no cell, no token, no line, no database. The SDK's clients are the
//! server's, so what a call of the server costs beyond this is the server's own work.

use std::time::Duration;

use anyhow::{Context, ensure};
use awsim::MANAGEMENT_ACCESS_KEY;
use landfall_controls::cloud::{Access, Cloud};
use landfall_model::landing_zone::LandingZone;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::measure::cpu_time;
use crate::world::LANDING_ZONE;

/// The argument that makes a bench's program the one that calls: it must have a process of its own.
pub const ARGUMENT: &str = "--bare-calls-to";

/// How many calls each caller makes.
const ROUNDS: usize = 80;

/// A call's CPU time, measured in a process of its own that makes as many at once.
///
/// # Errors
///
/// Where this program cannot be started again, or does not say.
pub async fn measure(url: &str, at_once: usize) -> anyhow::Result<Duration> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    let output = command.args([ARGUMENT, url, &at_once.to_string()]).output();
    let output = output.await?;
    ensure!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    let micros: f64 = text.trim().parse().context(text.clone())?;
    Ok(Duration::from_secs_f64(micros / 1e6))
}

/// Makes the calls, `at_once` at a time, and says how many microseconds of CPU each took.
///
/// # Errors
///
/// Where AWS refuses one.
pub async fn call(url: String, at_once: usize) -> anyhow::Result<f64> {
    let access = Access {
        endpoint_url: Some(url),
        credentials: Some((MANAGEMENT_ACCESS_KEY.to_owned(), "any".to_owned())),
    };
    let zone = LandingZone::parse("landing-zone.toml", LANDING_ZONE)?;
    let cloud = Cloud::open(&zone, at_once, access).await;
    // Connections and clients are made once.
    calls(&cloud, at_once, 1).await?;
    let before = cpu_time(std::process::id())?;
    calls(&cloud, at_once, ROUNDS).await?;
    let took = cpu_time(std::process::id())? - before;
    Ok(took.as_secs_f64() * 1e6 / (at_once * ROUNDS) as f64)
}

async fn calls(cloud: &Cloud, at_once: usize, rounds: usize) -> anyhow::Result<()> {
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let aws = cloud.own([].into());
        callers.spawn(async move {
            for _ in 0..rounds {
                let call = aws.config().describe_configuration_recorder_status();
                Box::pin(call.send()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(())
}
