//! Settings of the daemon that can be changed while it runs, and outlast it.

use serde::{Deserialize, Serialize};
use tailwater_session::{Session, limits};
use utoipa::ToSchema;

use super::check::{count, rate};
use super::error::ControlError;
use super::patch::patch;
use super::schedule::{self, AlternativeMode, ScheduleRule};
use super::seeding::SeedingLimits;

/// Makes the settings, and their changes.
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr,)*) => {
        /// The settings of the daemon.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct Settings {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        patch! {
            /// A change of settings: what is missing stays.
            pub struct SettingsPatch {
                $($(#[$doc])* $field: $type,)*
            }
        }

        impl SettingsPatch {
            fn merged(&self, settings: &Settings) -> Settings {
                let settings = settings.clone();
                Settings { $($field: self.$field.clone().unwrap_or(settings.$field),)* }
            }

            /// Adds a later change.
            pub(super) fn then(self, later: Self) -> Self {
                Self { $($field: later.$field.or(self.$field),)* }
            }
        }
    };
}

settings! {
    /// The download rate limit over all torrents, in bytes a second; null for none.
    download_limit: Option<u64> = None,
    /// The upload rate limit over all torrents, in bytes a second; null for none.
    upload_limit: Option<u64> = None,
    /// The download rate limit while the alternative limits hold; null for none.
    alternative_download_limit: Option<u64> = None,
    /// The upload rate limit while the alternative limits hold; null for none.
    alternative_upload_limit: Option<u64> = None,
    /// When the alternative limits hold in place of the others.
    alternative_mode: AlternativeMode = AlternativeMode::Off,
    /// The hours at which they hold if the mode says so, in the daemon's local time.
    schedule: Vec<ScheduleRule> = Vec::new(),
    /// The most connections to peers, over all torrents.
    max_connections: usize = 1_000,
    /// The most connected peers of a torrent without a limit of its own.
    max_peers: usize = limits::DEFAULT_MAX_PEERS,
    /// Upload slots of a torrent without a number of its own.
    upload_slots: usize = limits::DEFAULT_UPLOAD_SLOTS,
    /// A torrent is paused when it is complete and has uploaded so many times its size; null for never.
    ratio_limit: Option<f64> = None,
    /// A complete torrent is paused when it has sent and received nothing for so many seconds; null for never.
    idle_limit: Option<u64> = None,
    /// A torrent is paused when it has seeded for so many seconds; null for never.
    seeding_time_limit: Option<u64> = None,
    /// The most torrents that download at once, in the order of the queue; null for all. One that has got nothing for a
    /// minute does not count.
    max_downloads: Option<usize> = None,
    /// The most torrents that seed at once, in the order of the queue; null for all.
    max_seeds: Option<usize> = None,
    /// The folder to which the files of a torrent are moved when it is complete, as for `folder` when it is added; null for
    /// none.
    completed_folder: Option<String> = None,
}

impl Settings {
    /// Those of a session as it was started.
    pub(super) fn of(session: &Session) -> Self {
        Self {
            download_limit: session.download_limit(),
            upload_limit: session.upload_limit(),
            max_connections: session.max_connections(),
            max_peers: session.max_peers(),
            upload_slots: session.upload_slots(),
            ..Self::default()
        }
    }

    /// Has the session keep to them; the rate limits are applied by themselves, as they depend on the hour.
    pub(super) fn apply(&self, session: &Session) -> Result<(), ControlError> {
        session.set_max_connections(self.max_connections)?;
        session.set_max_peers(self.max_peers)?;
        session.set_upload_slots(self.upload_slots)?;
        Ok(())
    }

    /// When torrents stop to seed that have no limits of their own.
    pub(super) fn seeding(&self) -> SeedingLimits {
        SeedingLimits {
            ratio: self.ratio_limit,
            idle: self.idle_limit,
            seeding_time: self.seeding_time_limit,
        }
    }
}

impl SettingsPatch {
    /// The settings with this change.
    ///
    /// # Errors
    ///
    /// When a value makes no sense.
    pub(crate) fn on(&self, settings: &Settings) -> Result<Settings, ControlError> {
        let changed = self.merged(settings);
        rate("download_limit", changed.download_limit)?;
        rate("upload_limit", changed.upload_limit)?;
        rate(
            "alternative_download_limit",
            changed.alternative_download_limit,
        )?;
        rate("alternative_upload_limit", changed.alternative_upload_limit)?;
        schedule::check(&changed.schedule)?;
        count("max_connections", Some(changed.max_connections))?;
        count("max_peers", Some(changed.max_peers))?;
        count("upload_slots", Some(changed.upload_slots))?;
        changed.seeding().check()?;
        count("max_downloads", changed.max_downloads)?;
        count("max_seeds", changed.max_seeds)?;
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(json: &str) -> SettingsPatch {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_lifts_a_limit_and_what_is_missing_stays() {
        let settings = Settings {
            download_limit: Some(1),
            upload_limit: Some(2),
            ..Settings::default()
        };
        let changed = patch(r#"{"download_limit":null,"max_peers":7}"#).on(&settings);
        let changed = changed.unwrap();
        assert_eq!(
            (changed.download_limit, changed.upload_limit),
            (None, Some(2))
        );
        assert_eq!(changed.max_peers, 7);
        let both = patch(r#"{"download_limit":5}"#).then(patch(r#"{"download_limit":null}"#));
        assert_eq!(both.download_limit, Some(None));
        assert_eq!(
            serde_json::to_string(&both).unwrap(),
            r#"{"download_limit":null}"#
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for json in [
            r#"{"download_limit":0}"#,
            r#"{"alternative_upload_limit":0}"#,
            r#"{"max_peers":0}"#,
            r#"{"max_connections":9000000}"#,
            r#"{"ratio_limit":0}"#,
            r#"{"ratio_limit":-1}"#,
            r#"{"ratio_limit":1e300}"#,
            r#"{"idle_limit":0}"#,
            r#"{"seeding_time_limit":99999999999}"#,
            r#"{"schedule":[{"days":[],"from":"08:00","to":"09:00"}]}"#,
        ] {
            let refused = patch(json).on(&Settings::default());
            assert!(matches!(refused, Err(ControlError::Invalid(_))), "{json}");
        }
        for json in [
            r#"{"max_peers":-1}"#,
            r#"{"max_peers":null}"#,
            r#"{"max_peer":1}"#,
            r#"{"alternative_mode":"maybe"}"#,
            "{",
        ] {
            assert!(
                serde_json::from_str::<SettingsPatch>(json).is_err(),
                "{json}"
            );
        }
    }
}
