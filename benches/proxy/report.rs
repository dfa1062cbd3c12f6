//! The report: a table of what was seen, the latency that each proxy adds, the gateway beside
//! Squid, and the same as JSON.

use std::io::{self, Write};
use std::num::NonZero;

use serde_json::{Value, json};

use crate::load::Sample;
use crate::payload::Payload;
use crate::plan::{Carrier, Case};

/// All cases with their samples, in the order they were run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(Case, Sample)>,
}

const JSON_SCHEMA: u32 = 1;
const NOTHING: &str = "-";

// === impl Report ===

impl Report {
    pub(crate) fn add(&mut self, case: Case, sample: Sample) {
        match self.rows.iter_mut().find(|(known, _)| *known == case) {
            Some((_, known)) => known.merge(sample),
            None => self.rows.push((case, sample)),
        }
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{} cores, shared by proxy, load generator and upstream\n",
            cores()
        )?;
        self.write_cases(out)?;
        self.write_added_latency(out)?;
        self.write_ratios(out)?;
        self.write_errors(out)
    }

    pub(crate) fn json(&self) -> Value {
        let cases: Vec<Value> = self
            .rows
            .iter()
            .map(|(case, sample)| row(*case, sample))
            .collect();
        json!({ "schema": JSON_SCHEMA, "cores": cores(), "cases": cases })
    }

    fn write_cases(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "{:<13}{:<11}{:<8}{:>5}{:>10}{:>10}{:>10}{:>12}{:>8}",
            "BODY",
            "TRAFFIC",
            "CARRIER",
            "CONN",
            "REQ/S",
            "P50 us",
            "P99 us",
            "CPU us/REQ",
            "ERRORS"
        )?;
        for (case, sample) in &self.rows {
            writeln!(
                out,
                "{:<13}{:<11}{:<8}{:>5}{:>10.0}{:>10}{:>10}{:>12}{:>8}",
                case.payload.name(),
                case.traffic.name(),
                case.carrier.name(),
                case.connections,
                sample.requests_per_second(),
                text(sample.percentile_us(50)),
                text(sample.percentile_us(99)),
                sample
                    .cpu_us_per_request()
                    .map_or(NOTHING.to_owned(), |us| format!("{us:.1}")),
                sample.error_count(),
            )?;
        }
        Ok(())
    }

    /// How much later the median answer comes than without a proxy, on an idle machine.
    fn write_added_latency(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.ran(Carrier::Oktsec) && !self.ran(Carrier::Squid) {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<13}{:<11}{:<8}{:>10}",
            "BODY", "TRAFFIC", "CARRIER", "ADDED us"
        )?;
        for (case, sample) in self.rows.iter().filter(|(case, _)| case.connections == 1) {
            let direct = Case {
                carrier: Carrier::Direct,
                traffic: case.traffic.baseline(),
                ..*case
            };
            let baseline = self
                .sample(direct)
                .and_then(|direct| direct.percentile_us(50));
            let (Some(ours), Some(baseline)) = (sample.percentile_us(50), baseline) else {
                continue;
            };
            if case.carrier != Carrier::Direct {
                let added = i64::from(ours) - i64::from(baseline);
                let (body, traffic) = (case.payload.name(), case.traffic.name());
                writeln!(
                    out,
                    "{body:<13}{traffic:<11}{:<8}{added:>10}",
                    case.carrier.name()
                )?;
            }
        }
        Ok(())
    }

    /// How many times Squid's throughput the gateway reaches, and what it spends beside it.
    fn write_ratios(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self
            .rows
            .iter()
            .any(|(case, _)| case.carrier == Carrier::Squid)
        {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<24}{:>5}{:>10}{:>10}",
            "OKTSEC / SQUID", "CONN", "REQ/S", "CPU/REQ"
        )?;
        for (case, ours) in self
            .rows
            .iter()
            .filter(|(case, _)| case.carrier == Carrier::Oktsec)
        {
            let Some(theirs) = self.sample(Case {
                carrier: Carrier::Squid,
                ..*case
            }) else {
                continue;
            };
            let speed = ours.requests_per_second() / theirs.requests_per_second();
            let cost = ours.cpu_us_per_request().zip(theirs.cpu_us_per_request());
            let cost = cost.map_or(NOTHING.to_owned(), |(a, b)| format!("{:.2}", a / b));
            let name = format!("{} {}", case.payload.name(), case.traffic.name());
            writeln!(
                out,
                "{name:<24}{:>5}{speed:>10.2}{cost:>10}",
                case.connections
            )?;
        }
        Ok(())
    }

    fn write_errors(&self, out: &mut dyn Write) -> io::Result<()> {
        for (case, sample) in &self.rows {
            for (what, count) in &sample.errors {
                writeln!(out, "error: {}: {count} x {what}", case.name())?;
            }
        }
        Ok(())
    }

    fn ran(&self, carrier: Carrier) -> bool {
        self.rows.iter().any(|(case, _)| case.carrier == carrier)
    }

    fn sample(&self, case: Case) -> Option<&Sample> {
        self.rows
            .iter()
            .find(|(known, _)| *known == case)
            .map(|(_, sample)| sample)
    }
}

fn row(case: Case, sample: &Sample) -> Value {
    let body_bytes = match case.payload {
        Payload::Get => 0,
        Payload::Post { bytes, .. } => bytes,
    };
    json!({
        "method": case.payload.method(),
        "body_bytes": body_bytes,
        "traffic": case.traffic.name(),
        "carrier": case.carrier.name(),
        "connections": case.connections,
        "seconds": sample.duration.as_secs_f64(),
        "requests": sample.latencies_us.len(),
        "requests_per_second": sample.requests_per_second(),
        "p50_us": sample.percentile_us(50),
        "p99_us": sample.percentile_us(99),
        "cpu_us_per_request": sample.cpu_us_per_request(),
        "errors": sample.errors,
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn text(value: Option<u32>) -> String {
    value.map_or(NOTHING.to_owned(), |value| value.to_string())
}
