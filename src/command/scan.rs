//! `oktsec scan`: the gateway's detector over files and stdin. What was found goes to stdout, in a stable
//! order; what could not be read or looked into is said on stderr. Secrets are never printed.

mod list;
mod read;
mod sarif;
mod show;
mod work;

use std::fmt::Write as _;

use oktsec_detect::{Detector, FingerprintKey, Limits};
use oktsec_model::{Finding, Severity};

use self::list::Listing;
use self::read::Report;
use self::sarif::Sarif;
use crate::cli::{ScanArgs, ScanFormat};
use crate::command::{Context, NoConfig, fingerprint, rules};
use crate::config::{Environment, search};
use crate::exit::ExitCode;
use crate::output::{Tone, paint};

/// What is taken from the installation, where there is one.
struct Installation {
    key: FingerprintKey,
    /// Whether fingerprints mean the same in the next run.
    is_key_kept: bool,
    limits: Limits,
}

/// Which findings are wanted.
struct Filter {
    severity: Option<Severity>,
    categories: Vec<String>,
    rules: Vec<String>,
}

/// What all reports come to.
#[derive(Default)]
struct Totals {
    files: usize,
    bytes: u64,
    found_in: usize,
    /// From low to critical.
    findings: [usize; 4],
    errors: usize,
    blind: usize,
}

pub(super) fn run(args: &ScanArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let installation = Installation::of(context, args.max_size)?;
    let own = args.own.rules_dir.as_deref();
    let detector = rules::detector(own, installation.key, installation.limits)?;
    let filter = Filter::new(args, &detector)?;
    let format = if args.json {
        ScanFormat::Json
    } else {
        args.format
    };
    let mut sarif = Sarif::new(&detector, installation.is_key_kept);
    let listing = Listing::of(&args.paths);
    let mut totals = Totals::default();
    for (name, problem) in &listing.problems {
        totals.errors += 1;
        say_problem(context, name, problem);
        sarif.problem(name, problem);
    }
    for name in &listing.special {
        totals.blind += 1;
        let reason = "no regular file";
        say_blind(context, name, reason);
        sarif.blind(name, reason);
    }
    let total = listing.sources.len();
    work::each(
        &listing.sources,
        &detector,
        args.max_size,
        |report, done| {
            let Some(mut report) = report else {
                totals.progress(context, done, total);
                return Ok(());
            };
            report.rows.retain(|row| filter.wants(&row.finding));
            context.output.progress("");
            totals.add(&report);
            say(context, &report);
            sarif.add(&report);
            match format {
                ScanFormat::Human => context.output.data(&show::human(&report)),
                ScanFormat::Json => context.output.data(&show::json(&report)),
                ScanFormat::Sarif => Ok(()),
            }
        },
    )?;
    context.output.progress("");
    if format == ScanFormat::Sarif {
        context.output.data(&sarif.document(totals.errors == 0))?;
    }
    context.output.say(&totals.summary(listing.links));
    Ok(totals.exit_code())
}

fn say_problem(context: &Context, name: &str, problem: &str) {
    let word = paint(Tone::Bad, "error");
    context.output.say(&format!("{word}: {name}: {problem}"));
}

fn say_blind(context: &Context, name: &str, reason: &str) {
    let word = paint(Tone::Doubtful, "uninspectable");
    context.output.say(&format!("{word}: {name}: {reason}"));
}

/// What is no finding, to stderr.
fn say(context: &Context, report: &Report) {
    if let Some(problem) = &report.problem {
        say_problem(context, &report.name, problem);
    }
    for reason in &report.blind {
        say_blind(context, &report.name, reason);
    }
}

// === impl Installation ===

impl Installation {
    /// The installation that the configuration describes; one of this run only, where there is none.
    fn of(context: &Context, size_max: usize) -> anyhow::Result<Self> {
        let mut limits = Limits::default();
        let audit_dir = match context.load(&[]) {
            Ok(loaded) => {
                limits.decode_depth_max = loaded.settings.decode_depth_max;
                limits.decode_bytes_max = loaded.settings.decode_bytes_max;
                loaded.boot.audit_dir
            }
            // What was asked for by name must be there, and sound.
            Err(error) if context.config.is_some() => return Err(error),
            Err(error) => {
                if error.downcast_ref::<NoConfig>().is_none() {
                    let word = paint(Tone::Doubtful, "warning");
                    context
                        .output
                        .say(&format!("{word}: the configuration is not used: {error:#}"));
                }
                search::data_dir(Environment(&context.env)).join("audit")
            }
        };
        // Nobody waits for an answer here: what one file may become is bounded by its size only.
        let decoded = size_max
            .saturating_mul(DECODED_PER_BYTE)
            .saturating_add(64 * 1024);
        limits.decode_bytes_max = limits.decode_bytes_max.max(decoded);
        let (key, is_key_kept) = match fingerprint::installed(&audit_dir) {
            Ok(Some(key)) => (key, true),
            Ok(None) => (fingerprint::random()?, false),
            Err(error) => {
                let word = paint(Tone::Doubtful, "warning");
                context.output.say(&format!(
                    "{word}: {error:#}; fingerprints are those of this run only"
                ));
                (fingerprint::random()?, false)
            }
        };
        Ok(Self {
            key,
            is_key_kept,
            limits,
        })
    }
}

const DECODED_PER_BYTE: usize = 4;

// === impl Filter ===

impl Filter {
    fn new(args: &ScanArgs, detector: &Detector) -> anyhow::Result<Self> {
        for id in &args.rule {
            rules::known_rule(detector, id)?;
        }
        let categories = args
            .category
            .iter()
            .map(|word| rules::known_category(detector, word));
        Ok(Self {
            severity: args.severity,
            categories: categories.collect::<anyhow::Result<_>>()?,
            rules: args.rule.clone(),
        })
    }

    fn wants(&self, finding: &Finding) -> bool {
        let is_one_of = |words: &[String], word: &str| {
            words.is_empty() || words.iter().any(|wanted| wanted == word)
        };
        self.severity.is_none_or(|min| finding.severity >= min)
            && is_one_of(&self.categories, finding.category.as_str())
            && is_one_of(&self.rules, finding.rule.as_str())
    }
}

// === impl Totals ===

impl Totals {
    fn add(&mut self, report: &Report) {
        self.bytes += report.bytes;
        self.blind += usize::from(!report.blind.is_empty());
        self.errors += usize::from(report.problem.is_some());
        self.files += usize::from(report.problem.is_none());
        self.found_in += usize::from(!report.rows.is_empty());
        for row in &report.rows {
            self.findings[row.finding.severity as usize] += 1;
        }
    }

    fn progress(&self, context: &Context, done: usize, total: usize) {
        context.output.progress(&format!(
            "{done} of {}, {}",
            rules::counted(total, "file"),
            rules::counted(self.findings.iter().sum(), "finding")
        ));
    }

    fn summary(&self, links: usize) -> String {
        let found: usize = self.findings.iter().sum();
        let mut text = match found {
            0 => "nothing found".to_owned(),
            _ => format!(
                "{} in {}",
                rules::counted(found, "finding"),
                rules::counted(self.found_in, "file")
            ),
        };
        let words = ["low", "medium", "high", "critical"];
        let kinds: Vec<String> = words
            .iter()
            .zip(self.findings)
            .rev()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        if !kinds.is_empty() {
            let _ = write!(text, " ({})", kinds.join(", "));
        }
        let scanned = rules::counted(self.files, "file");
        let _ = write!(text, "; {scanned} scanned, {}", show::size(self.bytes));
        for (count, what) in [
            (self.errors, "not read"),
            (self.blind, "not wholly looked into"),
            (links, "symbolic links not followed"),
        ] {
            if count > 0 {
                let _ = write!(text, "; {count} {what}");
            }
        }
        text
    }

    fn exit_code(&self) -> ExitCode {
        if self.findings.iter().any(|&count| count > 0) {
            ExitCode::No
        } else if self.errors > 0 {
            ExitCode::Failed
        } else {
            ExitCode::Done
        }
    }
}
