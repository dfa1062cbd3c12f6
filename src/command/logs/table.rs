//! Rows as text: the line of the documentation, a wide table, JSON, CSV.

use oktsec_audit::Row;
use oktsec_model::Timestamp;

use crate::cli::LogsOutput;
use crate::output::{Tone, paint};

/// How rows are printed.
pub(super) struct Format {
    pub(super) output: LogsOutput,
    pub(super) local: bool,
}

/// The widest agent and host so far, so that a followed log stays aligned.
pub(super) struct Widths {
    agent: usize,
    host: usize,
}

const EVENT_CHARS: usize = 8;
const CSV_HEADER: &str = "time,id,agent,identity,method,scheme,host,port,path,status,http_status,reason,rules,request_bytes,response_bytes,total_ms\n";

// === impl Widths ===

impl Default for Widths {
    /// The floors: short batches look like long ones.
    fn default() -> Self {
        Self {
            agent: 10,
            host: 18,
        }
    }
}

impl Widths {
    fn grow(&mut self, rows: &[Row]) {
        let widest = |text: fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
        self.agent = self.agent.max(widest(|row| agent(row).chars().count()));
        self.host = self
            .host
            .max(widest(|row| row.request.host.as_str().chars().count()));
    }
}

// === impl Format ===

impl Format {
    /// The rows; `first` for the batch that a header stands above.
    pub(super) fn rows(&self, rows: &[Row], widths: &mut Widths, first: bool) -> String {
        widths.grow(rows);
        let line = |row: &Row| match self.output {
            LogsOutput::Csv => csv(row),
            LogsOutput::Json => format!("{}\n", row.to_json()),
            LogsOutput::Line => self.line(row, widths),
            LogsOutput::Wide => self.wide(row, widths),
        };
        let header = match self.output {
            LogsOutput::Csv if first => CSV_HEADER.to_owned(),
            LogsOutput::Wide if first => wide_header(widths),
            _ => String::new(),
        };
        header + &rows.iter().map(line).collect::<String>()
    }

    fn line(&self, row: &Row, widths: &Widths) -> String {
        let (a, h) = (widths.agent, widths.host);
        let status = status_painted(row, 8);
        format!(
            "{}  {:<a$} -> {:<h$} {status} {}\n",
            self.time(row.time),
            agent(row),
            row.request.host.as_str(),
            row.reason
        )
    }

    fn wide(&self, row: &Row, widths: &Widths) -> String {
        let (a, h) = (widths.agent, widths.host);
        let rule = row
            .findings
            .first()
            .map_or("-", |finding| finding.rule.as_str());
        let http = row
            .http_status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        let millis = row
            .timing
            .total_us
            .map_or_else(|| "-".to_owned(), |us| (us / 1000).to_string());
        let id = row.id.to_string();
        format!(
            "{}  {:<a$}  {}   {:<7}  {:<h$}  {:<24}  {} {http:>4}  {:<24} {rule:<24} {:>9} {millis:>6}  {}\n",
            self.time(row.time),
            agent(row),
            identity(row),
            row.request.method.as_str(),
            row.request.host.as_str(),
            oktsec_model::truncate_chars(row.request.path.as_str(), 23),
            status_painted(row, 9),
            row.reason,
            row.request.bytes.unwrap_or(0),
            id.get(..EVENT_CHARS).unwrap_or(&id),
        )
    }

    fn time(&self, time: Timestamp) -> String {
        if !self.local {
            return time.to_seconds_string();
        }
        let moment = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
        let zoned = moment.to_zoned_datetime(jiff::tz::TimeZone::system());
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

fn agent(row: &Row) -> &str {
    row.agent.as_deref().unwrap_or("-")
}

/// T token, L listener, A address, H header, - anonymous.
fn identity(row: &Row) -> &'static str {
    match row.identity.source.as_str() {
        "token" => "T",
        "listener" => "L",
        "address" => "A",
        "header" => "H",
        _ => "-",
    }
}

fn status_painted(row: &Row, width: usize) -> String {
    let padding = " ".repeat(width.saturating_sub(row.status.len()));
    let tone = match row.status.as_str() {
        "blocked" => Some(Tone::Bad),
        "flagged" | "failed" => Some(Tone::Doubtful),
        _ => None,
    };
    match tone {
        Some(tone) => format!("{}{padding}", paint(tone, &row.status)),
        None => format!("{}{padding}", row.status),
    }
}

fn wide_header(widths: &Widths) -> String {
    let (a, h) = (widths.agent, widths.host);
    format!(
        "{:<20}  {:<a$}  ID  {:<7}  {:<h$}  {:<24}  {:<9} {:>4}  {:<24} {:<24} {:>9} {:>6}  EVENT\n",
        "TIME",
        "AGENT",
        "METHOD",
        "HOST",
        "PATH",
        "STATUS",
        "HTTP",
        "REASON",
        "RULE",
        "BYTES",
        "MS"
    )
}

fn csv(row: &Row) -> String {
    let rules: Vec<&str> = row
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .collect();
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let cells = [
        row.time.to_millis_string(),
        row.id.to_string(),
        row.agent.clone().unwrap_or_default(),
        row.identity.source.to_string(),
        row.request.method.to_string(),
        row.request.scheme.to_string(),
        row.request.host.to_string(),
        row.request.port.to_string(),
        row.request.path.to_string(),
        row.status.clone(),
        number(row.http_status.map(u64::from)),
        row.reason.clone(),
        rules.join(" "),
        number(row.request.bytes),
        number(row.response_bytes),
        number(row.timing.total_us.map(|us| us / 1000)),
    ];
    let line: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    format!("{}\n", line.join(","))
}

/// Quoted where needed, and with a quote in front where a spreadsheet would run it as a formula.
fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_become_formulas() {
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("/path"), "/path");
    }
}
