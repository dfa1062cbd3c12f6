//! `oktsec ca`: the local certificate authority.

use anyhow::bail;
use oktsec_proxy::AuthorityFiles;

use crate::cli::CaCommand;
use crate::command::Context;
use crate::exit::ExitCode;

pub(super) fn run(command: &CaCommand, context: &Context) -> anyhow::Result<ExitCode> {
    match command {
        CaCommand::Path => {
            let loaded = context.load(&[])?;
            let path = AuthorityFiles {
                dir: loaded.boot.ca_dir,
            }
            .certificate();
            if !path.exists() {
                bail!(
                    "{} is not there yet; `oktsec start` makes it",
                    path.display()
                );
            }
            context.output.line(&path.display().to_string())?;
            Ok(ExitCode::Done)
        }
    }
}
