//! The torrent's web seeds: a task for each that is used.

use std::sync::Arc;
use std::time::Instant;

use super::Running;
use super::links::{COMMAND_LIMIT, Link, Who};
use crate::driver::web_seed::status::WebSeedState;
use crate::driver::web_seed::{WebSeedSettings, WebSeedTask, WebSeedUrl};
use crate::mailbox::Mailbox;
use crate::torrent::{Refusal, WebSeedId};

/// Web seeds that a torrent uses at once. The next one is used when one of them fails.
const MAX_AT_ONCE: usize = 8;

impl Running {
    /// Uses web seeds, as many as may be used at once, unless the torrent is only shared.
    pub(super) fn start_web_seeds(&mut self, now: Instant) {
        if self.task.wants_nothing || self.task.web_seeds.is_empty() {
            return;
        }
        let used = self.links.values().filter(|link| link.who.is_web_seed());
        for _ in used.count()..MAX_AT_ONCE {
            let Some((id, url)) = self.task.web_seeds.start_next() else {
                return;
            };
            self.start_web_seed(now, id, url);
        }
    }

    fn start_web_seed(&mut self, now: Instant, id: WebSeedId, url: WebSeedUrl) {
        let key = match self.engine.handle_web_seed(now, id) {
            Ok(key) => key,
            Err(refusal) => {
                if refusal == Refusal::Banned {
                    let status = &self.task.web_seeds;
                    status.set_state(id, WebSeedState::Banned, None);
                }
                return;
            }
        };
        let who = Who::WebSeed(url.shown());
        let mailbox = Arc::new(Mailbox::new(COMMAND_LIMIT));
        self.links.insert(
            key,
            Link {
                mailbox: Arc::clone(&mailbox),
                commands: Vec::new(),
                who,
            },
        );
        let task = WebSeedTask::new(WebSeedSettings {
            key,
            id,
            url,
            info: self.task.metainfo.info().clone(),
            info_hash: self.task.config.info_hash,
            client: self.task.shared.http.clone(),
            link: self.task.shared.link.clone(),
            storage: Arc::clone(&self.task.storage),
            mailbox,
            messages: self.task.messages_in.clone(),
            down_limit: self.task.shared.down_limit.clone(),
            status: Arc::clone(&self.task.web_seeds),
        });
        self.tasks.spawn(task.run());
    }

    /// Whether no peer is connected, and nothing is transferred.
    pub(super) fn is_quiet(&self) -> bool {
        let published = {
            let status = self.task.status.borrow();
            (status.stats.downloaded, status.stats.uploaded)
        };
        self.links.values().all(|link| link.who.is_web_seed())
            && self.is_still()
            && self.before.with(self.engine.transferred()) == published
    }

    /// Publishes the rates of web seeds.
    pub(super) fn publish_web_seeds(&self, now: Instant) {
        if !self.task.web_seeds.is_empty() {
            let suppliers = self.engine.supplier_stats(now);
            self.task.web_seeds.set_rates(&suppliers);
        }
    }
}
