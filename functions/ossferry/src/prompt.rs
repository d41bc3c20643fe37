//! Asks a person, where there is one.

use std::io::{self, BufRead as _, IsTerminal as _};

use tokio::sync::oneshot;

use crate::command_error::CommandError;

/// Asks before something is done. Without a terminal nobody can answer: then `--yes` has to.
pub(crate) async fn confirm(question: &str, yes: bool) -> Result<bool, CommandError> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(CommandError::NobodyToAsk { question: question.to_owned() });
    }
    eprint!("{question} [y/N] ");
    let (tell, told) = oneshot::channel();
    // A thread that nobody waits for: whoever interrupts need not press Enter first.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let _ = tell.send(read.map(|_| answer));
    });
    let answer = told.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()));
    let answer = answer.map_err(|error| {
        let path = "standard input".into();
        CommandError::File { what: "read", path, error }
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
