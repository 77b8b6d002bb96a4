//! The flags that a peer sets by one-byte messages, of which the last counts.

use super::Fact;

/// A peer's choke, interest and upload-only flags. A peer may toggle them as often as it likes: the torrent is told of a
/// state only when it differs from what it was told last.
#[derive(Debug)]
pub(super) struct Flags {
    choking: Flag,
    interested: Flag,
    upload_only: Flag,
}

#[derive(Debug)]
struct Flag {
    now: bool,
    told: bool,
}

impl Default for Flags {
    /// The flags of a new connection (BEP 3).
    fn default() -> Self {
        Self {
            choking: Flag::new(true),
            interested: Flag::new(false),
            upload_only: Flag::new(false),
        }
    }
}

impl Flags {
    pub(super) const fn set_choking(&mut self, choking: bool) {
        self.choking.now = choking;
    }

    pub(super) const fn set_interested(&mut self, interested: bool) {
        self.interested.now = interested;
    }

    pub(super) const fn set_upload_only(&mut self, upload_only: bool) {
        self.upload_only.now = upload_only;
    }

    /// Records the upload-only flag of an extension handshake, of which the torrent is told as a whole (BEP 21).
    pub(super) const fn tell_upload_only(&mut self, upload_only: bool) {
        self.upload_only = Flag::new(upload_only);
    }

    /// Adds what has changed since the last time. Choke and interest come before the other facts, which are judged by them;
    /// upload-only comes behind, as an extension handshake among those facts says it too.
    pub(super) fn add_news(&mut self, mut facts: Vec<Fact>) -> Vec<Fact> {
        let choking = self.choking.take().map(|choking| match choking {
            true => Fact::Choked,
            false => Fact::Unchoked,
        });
        let interested = self.interested.take().map(|interested| match interested {
            true => Fact::Interested,
            false => Fact::NotInterested,
        });
        facts.extend(self.upload_only.take().map(Fact::UploadOnly));
        if choking.is_some() || interested.is_some() {
            facts.splice(0..0, choking.into_iter().chain(interested));
        }
        facts
    }
}

impl Flag {
    const fn new(value: bool) -> Self {
        Self {
            now: value,
            told: value,
        }
    }

    fn take(&mut self) -> Option<bool> {
        let news = (self.now != self.told).then_some(self.now);
        self.told = self.now;
        news
    }
}
