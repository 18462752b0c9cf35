//! The `landfall` program.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use landfall_server::config::Config;
use landfall_server::{cli, telemetry};
use mimalloc::MiMalloc;

/// A look at five hundred accounts comes and goes in small pieces: glibc's allocator takes a sixth of the time that this
/// costs, and keeps the memory.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(error) => {
            // A usage error is 1 like every other: 2 is kept for drift. Asking for help is no error.
            let asked = !error.use_stderr();
            let _ = error.print();
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
    };
    match run(config) {
        Ok(status) => status,
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("landfall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<ExitCode> {
    telemetry::log(&config.log.filter, config.log.format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(cli::run(config.command))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
