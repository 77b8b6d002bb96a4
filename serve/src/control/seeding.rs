//! When a complete torrent stops to seed: at a ratio, after a time without a transfer, after a time in all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::ChangeKind;
use super::check::{ratio, seconds};
use super::entry::{Entry, EntryState};
use super::error::ControlError;
use super::service::Inner;

/// A ratio up to this is reached by a torrent that has sent nothing: programs of others say 0 for torrents that are not to seed.
const AT_ONCE: f64 = 0.000_001;

/// A limit of one torrent or label: a value, or `"none"`. Where neither is said, that of the label or daemon holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a number, \"none\" or null")]
pub enum Limit<T> {
    /// So much.
    At(T),
    /// No limit, whatever the label and the daemon say.
    Lifted(Lifted),
}

/// The word for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifted {
    /// No limit.
    None,
}

impl<T: Copy> Limit<T> {
    /// No limit, whatever the label and the daemon say.
    pub const NONE: Self = Self::Lifted(Lifted::None);

    /// The value, if it is one.
    #[must_use]
    pub const fn value(self) -> Option<T> {
        match self {
            Self::At(value) => Some(value),
            Self::Lifted(Lifted::None) => None,
        }
    }
}

/// When torrents stop to seed, as the daemon's settings say it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SeedingLimits {
    pub(super) ratio: Option<f64>,
    /// In seconds.
    pub(super) idle: Option<u64>,
    /// In seconds.
    pub(super) seeding_time: Option<u64>,
}

/// When one torrent, or those of one label, stop to seed; what is missing is inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct OwnLimits {
    /// When it is complete and has uploaded so many times its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_limit: Option<Limit<f64>>,
    /// When it has sent and received nothing for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_limit: Option<Limit<u64>>,
    /// When it has seeded for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeding_time_limit: Option<Limit<u64>>,
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReachedLimit {
    /// It has uploaded enough.
    Ratio,
    /// It has been idle for long enough.
    Idle,
    /// It has seeded for long enough.
    SeedingTime,
}

/// What limits are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeded {
    pub(super) ratio: f64,
    pub(super) idle_seconds: u64,
    pub(super) seeding_seconds: u64,
}

impl SeedingLimits {
    pub(super) fn check(&self) -> Result<(), ControlError> {
        ratio("ratio_limit", self.ratio)?;
        seconds("idle_limit", self.idle)?;
        seconds("seeding_time_limit", self.seeding_time)
    }

    /// The first that is reached.
    pub(super) fn reached(&self, seeded: &Seeded) -> Option<ReachedLimit> {
        let ratio = self
            .ratio
            .is_some_and(|limit| limit <= AT_ONCE || seeded.ratio >= limit);
        let idle = self.idle.is_some_and(|limit| seeded.idle_seconds >= limit);
        let time = self.seeding_time;
        let time = time.is_some_and(|limit| seeded.seeding_seconds >= limit);
        match (ratio, idle, time) {
            (true, ..) => Some(ReachedLimit::Ratio),
            (_, true, _) => Some(ReachedLimit::Idle),
            (.., true) => Some(ReachedLimit::SeedingTime),
            _ => None,
        }
    }
}

impl OwnLimits {
    pub(super) fn check(&self) -> Result<(), ControlError> {
        self.over(SeedingLimits::default()).check()
    }

    /// Those that hold where these inherit from others.
    pub(super) fn over(&self, inherited: SeedingLimits) -> SeedingLimits {
        SeedingLimits {
            ratio: self.ratio_limit.map_or(inherited.ratio, Limit::value),
            idle: self.idle_limit.map_or(inherited.idle, Limit::value),
            seeding_time: self
                .seeding_time_limit
                .map_or(inherited.seeding_time, Limit::value),
        }
    }

    /// These, and what others say where these say nothing.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            ratio_limit: self.ratio_limit.or(others.ratio_limit),
            idle_limit: self.idle_limit.or(others.idle_limit),
            seeding_time_limit: self.seeding_time_limit.or(others.seeding_time_limit),
        }
    }

    /// Lifts a limit.
    fn lift(&mut self, limit: ReachedLimit) {
        match limit {
            ReachedLimit::Ratio => self.ratio_limit = Some(Limit::NONE),
            ReachedLimit::Idle => self.idle_limit = Some(Limit::NONE),
            ReachedLimit::SeedingTime => self.seeding_time_limit = Some(Limit::NONE),
        }
    }
}

impl Inner {
    /// The limits of a torrent: its own, then those of its labels in their order, then the daemon's.
    pub(super) fn seeding_limits(&self, state: &EntryState) -> SeedingLimits {
        let settings = self.settings.lock().seeding();
        let labels = self.labels.lock();
        let of_labels = state.labels.iter().filter_map(|label| labels.get(label));
        let own = of_labels.fold(state.options.seeding, |own, label| own.or(label.seeding));
        own.over(settings)
    }

    /// Pauses a torrent that has reached a limit.
    pub(super) async fn stop_seeding(self: &Arc<Self>, entry: &Entry, limit: ReachedLimit) {
        let _changing = entry.changing.lock().await;
        // The user may have paused or removed it meanwhile.
        if entry.unpaused().is_none() {
            return;
        }
        self.log
            .push(Some(entry.id), ChangeKind::SeedingDone { limit });
        if let Err(error) = self.pause(entry).await {
            tracing::warn!(
                "cannot pause {}, which has seeded enough: {error}",
                entry.id
            );
        }
    }

    /// A user who has a torrent go on that has seeded enough wants it to go on: the limits that it has reached hold for it
    /// no more.
    pub(super) fn lift_reached(&self, entry: &Entry, seeded: impl Fn(&EntryState) -> Seeded) {
        let mut state = entry.state();
        while let Some(limit) = self.seeding_limits(&state).reached(&seeded(&state)) {
            state.options.seeding.lift(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(json: &str) -> OwnLimits {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_limit_is_a_value_none_or_inherited() {
        let daemon = SeedingLimits {
            ratio: Some(2.0),
            idle: Some(60),
            seeding_time: None,
        };
        let held = own(r#"{"ratio_limit":"none","seeding_time_limit":5,"idle_limit":null}"#);
        let held = held.over(daemon);
        assert_eq!(
            (held.ratio, held.idle, held.seeding_time),
            (None, Some(60), Some(5))
        );
        // A torrent's own come before those of a label, "none" too.
        let label = own(r#"{"ratio_limit":3,"idle_limit":7}"#);
        let held = own(r#"{"ratio_limit":"none"}"#).or(label).over(daemon);
        assert_eq!((held.ratio, held.idle), (None, Some(7)));
        for json in [
            r#"{"ratio_limit":"all"}"#,
            r#"{"idle_limit":-1}"#,
            r#"{"idle_limit":1.5}"#,
        ] {
            let wrong = serde_json::from_str::<OwnLimits>(json).unwrap_err();
            assert!(wrong.to_string().contains("\"none\""), "{wrong}");
        }
        assert!(own(r#"{"ratio_limit":0}"#).check().is_err());
        assert!(own(r#"{"idle_limit":0}"#).check().is_err());
        let text = serde_json::to_string(&own(r#"{"idle_limit":"none","ratio_limit":1.5}"#));
        assert_eq!(text.unwrap(), r#"{"ratio_limit":1.5,"idle_limit":"none"}"#);
    }

    #[test]
    fn each_limit_is_reached_by_its_own_figure() {
        use ReachedLimit::{Idle, Ratio, SeedingTime};
        let seeded = Seeded {
            ratio: 2.0,
            idle_seconds: 60,
            seeding_seconds: 3_600,
        };
        let reached = |ratio, idle, seeding_time| {
            let limits = SeedingLimits {
                ratio,
                idle,
                seeding_time,
            };
            limits.reached(&seeded)
        };
        assert_eq!(reached(None, None, None), None);
        assert_eq!(reached(Some(2.01), Some(61), Some(3_601)), None);
        assert_eq!(reached(Some(2.0), None, None), Some(Ratio));
        assert_eq!(reached(Some(3.0), Some(60), None), Some(Idle));
        assert_eq!(reached(None, None, Some(3_600)), Some(SeedingTime));
        let nothing = Seeded {
            ratio: 0.0,
            ..seeded
        };
        let at = |ratio| SeedingLimits {
            ratio: Some(ratio),
            ..SeedingLimits::default()
        };
        assert_eq!(at(AT_ONCE).reached(&nothing), Some(Ratio));
        assert_eq!(at(0.01).reached(&nothing), None);
    }
}
