//! `awsim`: the simulated AWS as a program.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use awsim::world::Settings;
use awsim::{Options, Sim};
use clap::{Parser, ValueEnum};
use jiff::SignedDuration;

/// A strict, stateful, multi-account, multi-Region AWS on loopback.
///
/// The access key AWSIMMANAGEMENT0000, with any secret, is the administrator of management account 111111111111.
#[derive(Parser)]
#[command(name = "awsim", version)]
struct Arguments {
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// Seed of every id and every chance: equal seeds and equal calls give equal answers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whether answers take as long as AWS's.
    #[arg(long, value_enum, default_value_t = Latency::None)]
    latency: Latency,
    /// Whether calls beyond AWS's rates are refused.
    #[arg(long, value_enum, default_value_t = Switch::Off)]
    throttle: Switch,
    /// How long an account's creation takes.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    create_seconds: f64,
    /// Divides every simulated wait, for benches.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    time_scale: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Latency {
    None,
    Realistic,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let create_account = SignedDuration::try_from_secs_f64(arguments.create_seconds)
        .context("read --create-seconds")?;
    let settings = Settings {
        seed: arguments.seed,
        create_account,
        time_scale: arguments.time_scale,
    };
    let sim = Sim::start(Options {
        listen: arguments.listen,
        settings,
        latency: arguments.latency == Latency::Realistic,
        throttle: arguments.throttle == Switch::On,
    })?;
    writeln!(std::io::stdout(), "awsim ready at {}", sim.url())
        .context("say that awsim is ready")?;
    loop {
        std::thread::park();
    }
}
