//! What is done with torrents.

use super::super::model::parts::Priority;
use super::super::model::{Model, Screen};
use super::action::Action;
use super::order::{Deed, Order};

/// What is asked of the daemon without a question before.
pub(super) fn order(model: &Model, action: Action) -> Vec<Order> {
    let ids = model.meant();
    let deed = match action {
        Action::TogglePause => return toggle_pause(model),
        Action::Recheck => Deed::Recheck,
        Action::Reannounce => Deed::Reannounce,
        Action::QueueUp => return queue(model, false),
        Action::QueueDown => return queue(model, true),
        Action::Alternative => {
            return vec![Order::Alternative(!model.stats.are_limits_alternative)];
        }
        Action::RaisePriority | Action::LowerPriority | Action::ToggleFile => {
            return prioritise(model, action).into_iter().collect();
        }
        Action::RemoveTracker => return remove_tracker(model).into_iter().collect(),
        _ => return Vec::new(),
    };
    match ids.is_empty() {
        true => Vec::new(),
        false => vec![Order::Do(deed, ids)],
    }
}

/// All go on if all are stopped, and are paused otherwise.
fn toggle_pause(model: &Model) -> Vec<Order> {
    let ids = model.meant();
    let torrents = ids.iter().filter_map(|id| model.torrents.get(id));
    let (stopped, running): (Vec<_>, Vec<_>) = torrents.partition(|torrent| torrent.is_stopped());
    let (deed, meant) = match running.is_empty() {
        true => (Deed::Resume, stopped),
        false => (Deed::Pause, running),
    };
    let ids: Vec<_> = meant
        .into_iter()
        .map(|torrent| torrent.id.clone())
        .collect();
    match ids.is_empty() {
        true => Vec::new(),
        false => vec![Order::Do(deed, ids)],
    }
}

fn queue(model: &Model, is_down: bool) -> Vec<Order> {
    let torrent = model
        .selected
        .as_ref()
        .and_then(|id| model.torrents.get(id));
    let Some(torrent) = torrent else {
        return Vec::new();
    };
    let place = match is_down {
        true => torrent.queue_position.saturating_add(1),
        false => torrent.queue_position.saturating_sub(1).max(1),
    };
    let patch = [("queue_position".to_owned(), place.into())];
    vec![Order::Patch(
        vec![torrent.id.clone()],
        patch.into_iter().collect(),
    )]
}

/// All trackers but the one at the cursor.
fn remove_tracker(model: &Model) -> Option<Order> {
    let Screen::Details(details) = &model.screen else {
        return None;
    };
    let url = details.tracker()?.url.clone();
    let mut tiers = details.tiers();
    for tier in &mut tiers {
        tier.retain(|it| *it != url);
    }
    tiers.retain(|tier| !tier.is_empty());
    Some(Order::Trackers {
        id: details.id.clone(),
        tiers,
    })
}

fn prioritise(model: &Model, action: Action) -> Option<Order> {
    let Screen::Details(details) = &model.screen else {
        return None;
    };
    let file = details.file()?;
    let priority = match action {
        Action::ToggleFile if file.priority == Priority::Skip => Priority::Normal,
        Action::ToggleFile => Priority::Skip,
        Action::RaisePriority => file.priority.next(true),
        _ => file.priority.next(false),
    };
    (priority != file.priority).then(|| Order::Prioritise {
        id: details.id.clone(),
        index: file.index,
        priority: priority.name(),
    })
}
