//! What the daemon says, taken over into what is shown.

use super::super::model::dialog::{Choice, Dialog, Stage};
use super::super::model::{Link, Model, Screen};
use super::order::{Found, News, Order, Seen};
use super::watch;

/// Takes over what the daemon says.
pub(crate) fn handle_news(model: &mut Model, news: News) -> Vec<Order> {
    let before = watch(model);
    take_news(model, news);
    model.settle();
    match watch(model) == before {
        true => Vec::new(),
        false => vec![Order::Watch(watch(model))],
    }
}

fn take_news(model: &mut Model, news: News) {
    match news {
        News::Down(reason) => model.daemon.link = Link::Down(reason),
        News::Changes {
            is_whole,
            torrents,
            removed,
        } => {
            if let Link::Down(_) = model.daemon.link {
                model.say("the daemon is there again");
            }
            model.daemon.link = Link::Up;
            model.torrents.take(is_whole, torrents, &removed);
            leave_what_is_gone(model);
        }
        News::Stats(stats) => model.stats = stats,
        News::Seen(id, seen) => take_seen(model, &id, seen),
        News::Rates(new) => {
            if let Screen::Rates { span, rates } = &mut model.screen
                && new.as_ref().map_or(true, |new| new.step == span.step())
            {
                *rates = Some(new);
            }
        }
        News::Inspected { number, outcome } => take_inspection(model, number, outcome),
        News::Done(text) => model.say(text),
        News::Failed(text) => model.complain(text),
    }
}

/// A torrent that was removed is not looked at any more.
fn leave_what_is_gone(model: &mut Model) {
    if let Screen::Details(details) = &model.screen
        && model.torrents.get(&details.id).is_none()
    {
        model.screen = Screen::List;
        model.say("the torrent was removed");
    }
}

fn take_seen(model: &mut Model, id: &str, seen: Seen) {
    let Screen::Details(details) = &mut model.screen else {
        return;
    };
    if &*details.id != id {
        return;
    }
    match seen {
        Seen::Info(info) => details.info = Some(info),
        Seen::Files(files) => details.files = Some(files),
        Seen::Peers(peers) => details.peers = Some(peers),
        Seen::Trackers(trackers) => details.trackers = Some(trackers),
        Seen::Pieces(pieces) => details.pieces = Some(pieces),
        Seen::Rates(Ok(rates)) if rates.step != details.span.step() => {}
        Seen::Rates(rates) => details.rates = Some(rates),
    }
}

fn take_inspection(model: &mut Model, number: u64, outcome: Result<Found, String>) {
    let Some(Dialog::Add(add)) = &mut model.dialog else {
        return;
    };
    if add.stage != Stage::Inspecting(number) {
        return;
    }
    match outcome {
        Ok(found) => {
            let choice = Choice::new(found.inspection, found.content);
            add.stage = Stage::Choosing(Box::new(choice));
        }
        Err(reason) => {
            add.stage = Stage::Typing;
            add.error = Some(reason);
        }
    }
}
