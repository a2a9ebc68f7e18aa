//! An example, or several, under the help of every verb.

use clap::Command;
use clap::CommandFactory;
use clap::FromArgMatches;

use super::Cli;

/// Verb, command line, and what it is for.
#[rustfmt::skip] // a table is read by its columns
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("demo", "melonsync demo --once", "one whole cycle over sample servers, and its summary"),
    ("sandbox", "melonsync sandbox --users 100", "sample servers for trying a config"),
    ("init", "melonsync init", "asks, and writes config/melonsync.toml"),
    ("check", "melonsync check", "each thing that a cycle needs, one line each"),
    ("plan", "melonsync plan --only removals", "who loses access in the next cycle"),
    ("plan", "melonsync plan --full --details --only user=ada@corp.example", "everything that is planned for one user"),
    ("explain", "melonsync explain ada@corp.example", "whether she is at the target, and why"),
    ("explain", "melonsync explain ada@corp.example --in Staff", "whether a group holds her on both sides, and why"),
    ("drift", "melonsync drift --refresh", "what is different at the target now"),
    ("sync", "melonsync sync", "one cycle now"),
    ("sync", "melonsync sync --allow-deletions 12", "one cycle that may remove twelve users"),
    ("run", "melonsync run", "every enabled job on its schedule"),
    ("resync", "melonsync resync --user ada@corp.example", "one user, at once"),
    ("withheld list", "melonsync withheld list", "what the guard holds back, by cause"),
    ("withheld release", "melonsync withheld release --all --expect 12 --comment 'closed office'", "lets exactly these twelve through, once"),
    ("withheld reject", "melonsync withheld reject ada@corp.example", "puts her on hold"),
    ("hold", "melonsync hold ada@corp.example --until 2030-01-31 --comment 'on leave'", "plans what concerns her, and does not send it"),
    ("hold list", "melonsync hold list", "what is on hold, by whom and until when"),
    ("hold release", "melonsync hold release ada@corp.example", "lets her go on"),
    ("pause", "melonsync pause --for 4h --comment maintenance", "writes off for four hours"),
    ("resume", "melonsync resume", "writes on again"),
    ("link", "melonsync link ada@corp.example 4411", "pairs her with the resource 4411"),
    ("unlink", "melonsync unlink ada@corp.example", "forgets her resource"),
    ("status", "melonsync status", "what needs a person, job by job"),
    ("status", "melonsync status --exit-code -q", "for monitoring"),
    ("list", "melonsync list users --state escrow", "who is set aside after a failure"),
    ("cancel", "melonsync cancel 01920000-0000-7000-8000-000000000000", "ends that order after the requests in flight"),
    ("quarantine release", "melonsync quarantine release", "lets a stopped job go on"),
    ("escrow list", "melonsync escrow list", "who is set aside, why, and when it is tried again"),
    ("escrow retry", "melonsync escrow retry", "tries all of them in the next cycle"),
    ("escrow drop", "melonsync escrow drop ada@corp.example", "leaves her until something changes"),
    ("entra-job status", "melonsync entra-job status", "whether Azure's own job writes"),
    ("entra-job logs", "melonsync entra-job logs --since 2h", "what Azure's own job did"),
    ("entra-job verdict", "melonsync entra-job verdict", "whether it is safe to switch from Azure's own job to this one"),
    ("entra-job pause", "melonsync entra-job pause --wait --login", "for the switch: paused, and what ran has ended"),
    ("entra-job resume", "melonsync entra-job resume --login", "the way back"),
    ("mapping show", "melonsync mapping show --toml", "the mapping in force, as a file to begin with"),
    ("mapping test", "melonsync mapping test 'ToUpper([surname])' --user ada@corp.example", "what an expression comes to for one user"),
    ("mapping import-entra", "melonsync mapping import-entra schema.json", "turns Entra's synchronization schema into a mapping"),
    ("undo", "melonsync undo last --dry-run", "what taking the last cycle back would do"),
    ("history", "melonsync history --object ada@corp.example", "everything that was done to her, memberships included"),
    ("history", "melonsync history --cycle last", "what the last cycle did, and to whom"),
    ("history export", "melonsync history export --since 2030-01-01 --out audit", "for an auditor, with its proof"),
    ("history cycles", "melonsync history cycles", "the cycles, newest first"),
    ("history active", "melonsync history active --on 2030-01-01", "who was active at the target on that day"),
    ("history summary", "melonsync history summary --since 24h", "what changed since yesterday, counted"),
    ("history verify", "melonsync history verify audit", "checks an export anywhere"),
    ("state export", "melonsync state export", "the snapshot as JSON Lines"),
    ("state import", "melonsync state import --from state.jsonl", "takes an export into an empty state"),
    ("state verify", "melonsync state verify", "checks the snapshot and its chain"),
    ("state compact", "melonsync state compact", "gives unused space back"),
    ("state backup", "melonsync state backup --out melonsync.backup", "a copy to restore from"),
    ("state restore", "melonsync state restore --from melonsync.backup --force", "puts a copy in place of the state"),
    ("state forget", "melonsync state forget ada@corp.example", "erases the values of somebody who is gone"),
    ("notify test", "melonsync notify test", "a sample to every receiver"),
    ("man", "melonsync man man1", "the man pages, for a package"),
    ("completions", "melonsync completions bash", "a script for the shell"),
];

/// Reads the command line.
///
/// # Errors
/// A wrong use, help, or version.
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The command line, with the examples.
#[must_use]
pub fn command() -> Command {
    with_examples(Cli::command(), "")
}

fn with_examples(mut command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect();
    for name in names {
        let path = format!("{path} {name}").trim_start().to_owned();
        command = command.mut_subcommand(&name, |one| with_examples(one, &path));
    }
    let lines: Vec<String> = EXAMPLES
        .iter()
        .filter(|(of, _, _)| *of == path)
        .map(|(_, line, what)| format!("  {line}\n      {what}"))
        .collect();
    match lines.len() {
        0 => command,
        1 => command.after_help(format!("Example:\n{}", lines.concat())),
        _ => command.after_help(format!("Examples:\n{}", lines.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every verb that does something itself, by its path.
    fn verbs(command: &Command, path: &str, all: &mut Vec<String>) {
        let below: Vec<&Command> = command.get_subcommands().collect();
        if !path.is_empty() && (below.is_empty() || !command.is_subcommand_required_set()) {
            all.push(path.to_owned());
        }
        for one in below {
            verbs(one, format!("{path} {}", one.get_name()).trim_start(), all);
        }
    }

    /// As a shell splits it: at blanks, but for those between apostrophes.
    fn split(line: &str) -> Vec<String> {
        let parts = line.split('\'').enumerate();
        parts
            .flat_map(|(at, part)| match at % 2 {
                1 => vec![part.to_owned()],
                _ => part.split_whitespace().map(str::to_owned).collect(),
            })
            .collect()
    }

    #[test]
    fn every_verb_has_an_example_and_every_example_is_understood() {
        let mut all = Vec::new();
        verbs(&Cli::command(), "", &mut all);
        for verb in &all {
            assert!(
                EXAMPLES.iter().any(|(of, _, _)| of == verb),
                "`{verb}` has no example"
            );
        }
        for (of, line, _) in EXAMPLES {
            assert!(all.iter().any(|verb| verb == of), "`{of}` is no verb");
            let begins = format!("melonsync {of}");
            assert!(
                line == &begins || line.starts_with(&format!("{begins} ")),
                "`{line}` is of `{of}`"
            );
            let read = command().try_get_matches_from(split(line));
            assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
        }
    }

    #[test]
    fn help_ends_with_the_example() {
        let help = command().try_get_matches_from(["melonsync", "pause", "--help"]);
        let help = help.unwrap_err().to_string();
        assert!(help.contains("Example:\n  melonsync pause --for 4h"), "{help}");
    }
}
