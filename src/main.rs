//! oktsec: an egress DLP gateway for AI agents. Parse, dispatch, exit code.

mod cli;
mod command;
mod config;
mod exit;
mod output;
mod telemetry;
mod when;

use std::process;

use clap::Parser as _;

fn main() -> process::ExitCode {
    command::run(cli::Cli::parse()).into()
}
