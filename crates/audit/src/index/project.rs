//! From records to rows of the index.

use oktsec_model::ExchangeId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chain::Head;
use crate::event::{Decided, Event, FindingRecord, TunnelOpened};

/// Enters one record. With `over_base`, rows that a record changes are first copied from the
/// attached index `base`, which itself is never written.
pub(super) fn project(
    connection: &Connection,
    over_base: bool,
    head: Head,
    event: &[u8],
) -> rusqlite::Result<()> {
    let projection = Projection {
        connection,
        over_base,
    };
    match Event::decode(event) {
        Some(Event::Decided(decided)) => projection.decided(&decided, head, event),
        Some(Event::Ended(ended)) => {
            let seq = projection.ended(
                ended.id,
                ended.status.as_str(),
                ended.reason.as_str(),
                head,
                event,
            )?;
            match seq {
                // After those of the decision, of which there are so many at most.
                Some(seq) => projection.findings(seq, Decided::FINDINGS_MAX, &ended.findings),
                None => Ok(()),
            }
        }
        Some(Event::TunnelOpened(opened)) => projection.opened(&opened, head, event),
        Some(Event::TunnelClosed(closed)) => projection
            .ended(
                closed.id,
                closed.status.as_str(),
                closed.reason.as_str(),
                head,
                event,
            )
            .map(drop),
        // The others belong to no exchange, or come from a newer version.
        _ => Ok(()),
    }
}

struct Projection<'c> {
    connection: &'c Connection,
    over_base: bool,
}

// === impl Projection ===

impl Projection<'_> {
    fn decided(&self, decided: &Decided, head: Head, event: &[u8]) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO exchanges (seq, id, at, agent, session, source, status, reason, host,
                     method, is_tunnel, spoken_for, is_final)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                head.seq,
                decided.id.to_string(),
                decided.at.as_micros(),
                decided.agent.as_ref().map(|agent| agent.as_str()),
                decided.session.as_ref().map(|session| session.as_str()),
                decided.identity.source.as_str(),
                decided.status.as_str(),
                decided.reason.as_str(),
                decided.request.host.as_str(),
                decided.request.method.as_str(),
                decided.last,
            ])?;
        self.body(head, event)?;
        self.findings(head.seq, 0, &decided.findings)?;
        match decided.tunnel {
            Some(tunnel) => self.speak_for(tunnel),
            None => Ok(()),
        }
    }

    /// Findings of the exchange that began with a record, numbered from `first` on.
    fn findings(&self, seq: u64, first: usize, list: &[FindingRecord]) -> rusqlite::Result<()> {
        for (place, finding) in (first..).zip(list) {
            self.connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO findings (seq, place, rule, category, fingerprint)
                     VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    seq,
                    place,
                    finding.rule.as_str(),
                    finding.category.as_str(),
                    finding.fingerprint.as_str()
                ])?;
        }
        Ok(())
    }

    fn opened(&self, opened: &TunnelOpened, head: Head, event: &[u8]) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO exchanges (seq, id, at, agent, session, source, status, reason, host,
                     method, is_tunnel, spoken_for, is_final)
                 VALUES (?, ?, ?, ?, NULL, ?, ?, ?, ?, 'CONNECT', 1, 0, 0)
                 ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                head.seq,
                opened.id.to_string(),
                opened.at.as_micros(),
                opened.agent.as_ref().map(|agent| agent.as_str()),
                opened.identity.source.as_str(),
                opened.status.as_str(),
                opened.reason.as_str(),
                opened.host.as_str(),
            ])?;
        self.body(head, event)
    }

    fn body(&self, head: Head, event: &[u8]) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO bodies (seq, hash, event) VALUES (?, ?, ?)")?
            .execute(params![head.seq, head.hash.0, event])?;
        Ok(())
    }

    fn ended(
        &self,
        id: ExchangeId,
        status: &str,
        reason: &str,
        head: Head,
        event: &[u8],
    ) -> rusqlite::Result<Option<u64>> {
        self.copy(id)?;
        let seq: Option<u64> = self
            .connection
            .prepare_cached(
                "UPDATE exchanges SET status = ?, reason = ?, is_final = 1
                 WHERE id = ? AND is_final = 0 RETURNING seq",
            )?
            .query_row(params![status, reason, id.to_string()], |row| row.get(0))
            .optional()?;
        if let Some(seq) = seq {
            self.connection
                .prepare_cached(
                    "UPDATE bodies SET end_seq = ?, end_hash = ?, end_event = ? WHERE seq = ?",
                )?
                .execute(params![head.seq, head.hash.0, event, seq])?;
        }
        Ok(seq)
    }

    /// An exchange shows that the tunnel is there; the tunnel's own row is no longer listed.
    fn speak_for(&self, tunnel: ExchangeId) -> rusqlite::Result<()> {
        self.copy(tunnel)?;
        self.connection
            .prepare_cached("UPDATE exchanges SET spoken_for = 1 WHERE id = ? AND spoken_for = 0")?
            .execute([tunnel.to_string()])?;
        Ok(())
    }

    fn copy(&self, id: ExchangeId) -> rusqlite::Result<()> {
        if !self.over_base {
            return Ok(());
        }
        for sql in [
            "INSERT OR IGNORE INTO main.exchanges SELECT * FROM base.exchanges WHERE id = ?",
            "INSERT OR IGNORE INTO main.bodies SELECT * FROM base.bodies
             WHERE seq = (SELECT seq FROM base.exchanges WHERE id = ?)",
            "INSERT OR IGNORE INTO main.findings SELECT * FROM base.findings
             WHERE seq = (SELECT seq FROM base.exchanges WHERE id = ?)",
        ] {
            self.connection
                .prepare_cached(sql)?
                .execute([id.to_string()])?;
        }
        Ok(())
    }
}
