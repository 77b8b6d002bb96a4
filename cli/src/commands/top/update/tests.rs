//! Keys and news, as a person and a daemon send them.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use serde_json::{Map, json};

use super::super::model::Link;
use super::super::model::dialog::{InspectedFile, Inspection};
use super::super::model::parts::{File, Peer, Pieces, Priority, Rates, Tracker};
use super::super::model::torrent::{State, Torrent};
use super::super::view;
use super::super::view::theme::Theme;
use super::order::{Deed, Found, News, Seen};
use super::*;

fn torrent(number: u8, name: &str, state: State) -> Torrent {
    Torrent {
        id: format!("{number:040}").into(),
        number: i64::from(number),
        name: name.to_owned(),
        state,
        queue_position: u64::from(number),
        labels: vec!["linux".to_owned()],
        ..Torrent::default()
    }
}

fn changes(torrents: Vec<Torrent>) -> News {
    News::Changes {
        is_whole: true,
        torrents,
        removed: Vec::new(),
    }
}

fn model() -> Model {
    let mut model = Model {
        size: (80, 24),
        ..Model::default()
    };
    let torrents = vec![
        torrent(1, "alpha", State::Seeding),
        torrent(2, "beta", State::Paused),
        torrent(3, "gamma", State::Downloading),
    ];
    handle_news(&mut model, changes(torrents));
    model
}

fn press(model: &mut Model, code: KeyCode) -> Vec<Order> {
    let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    handle_event(model, &event)
}

fn type_text(model: &mut Model, text: &str) -> Vec<Order> {
    let typed = text.chars().flat_map(|c| press(model, KeyCode::Char(c)));
    typed.collect()
}

fn id(number: u8) -> super::super::model::torrent::Id {
    format!("{number:040}").into()
}

#[test]
fn a_torrent_is_paused_and_goes_on_and_so_are_all_that_are_marked() {
    let mut model = model();
    let pause = |ids| vec![Order::Do(Deed::Pause, ids)];
    assert_eq!(type_text(&mut model, "p"), pause(vec![id(1)]));
    press(&mut model, KeyCode::Down);
    assert_eq!(
        type_text(&mut model, "p"),
        [Order::Do(Deed::Resume, vec![id(2)])]
    );
    press(&mut model, KeyCode::Home);
    type_text(&mut model, "  ");
    assert_eq!(model.marked.len(), 2);
    assert_eq!(
        type_text(&mut model, "p"),
        pause(vec![id(1)]),
        "what is paused stays so"
    );
    assert_eq!(
        type_text(&mut model, "c"),
        [Order::Do(Deed::Recheck, vec![id(1), id(2)])]
    );
    type_text(&mut model, "*");
    assert_eq!(model.marked.len(), 3);
    type_text(&mut model, "*");
    assert!(model.marked.is_empty());
}

#[test]
fn files_are_deleted_only_when_that_was_said_twice() {
    let mut model = model();
    let remove = |with_files| vec![Order::Do(Deed::Remove { with_files }, vec![id(1)])];
    assert_eq!(type_text(&mut model, "dn"), []);
    assert_eq!(type_text(&mut model, "dy"), remove(false));
    assert_eq!(
        type_text(&mut model, "dDy"),
        [],
        "y is no answer to the second question"
    );
    assert_eq!(type_text(&mut model, "D"), remove(true));
    assert_eq!(model.dialog, None);
    press(&mut model, KeyCode::Enter);
    assert_eq!(
        type_text(&mut model, "dDD"),
        [remove(true), vec![Order::Watch(Watch::Nothing)]].concat()
    );
}

#[test]
fn the_cursor_stays_at_its_torrent() {
    let mut model = model();
    press(&mut model, KeyCode::End);
    assert_eq!(model.selected, Some(id(3)));
    let more = News::Changes {
        is_whole: false,
        torrents: vec![torrent(9, "new", State::Seeding)],
        removed: vec![id(1)],
    };
    handle_news(&mut model, more);
    assert_eq!((model.selected.clone(), model.cursor.at), (Some(id(3)), 1));
    let gone = News::Changes {
        is_whole: false,
        torrents: Vec::new(),
        removed: vec![id(3)],
    };
    handle_news(&mut model, gone);
    assert_eq!((model.selected.clone(), model.cursor.at), (Some(id(9)), 1));
}

#[test]
fn names_are_searched_while_they_are_typed() {
    let mut model = model();
    type_text(&mut model, "/ET");
    assert_eq!(model.torrents.len(), 1);
    assert_eq!(model.selected, Some(id(2)));
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.search, None);
    assert_eq!(model.torrents.len(), 1);
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.torrents.len(), 3);
    type_text(&mut model, "/x");
    assert_eq!((model.torrents.len(), model.selected.clone()), (0, None));
    for code in [
        KeyCode::Enter,
        KeyCode::Down,
        KeyCode::Enter,
        KeyCode::Char('p'),
    ] {
        assert_eq!(
            press(&mut model, code),
            [],
            "nothing is there to do anything with"
        );
    }
}

#[test]
fn a_torrent_is_looked_at_until_it_is_gone() {
    let mut model = model();
    let watch = |tab| {
        Order::Watch(Watch::Torrent {
            id: id(1),
            tab,
            span: Span::default(),
        })
    };
    assert_eq!(press(&mut model, KeyCode::Enter), [watch(Tab::Overview)]);
    assert_eq!(press(&mut model, KeyCode::Tab), [watch(Tab::Files)]);
    assert_eq!(type_text(&mut model, "5"), [watch(Tab::Pieces)]);
    assert_eq!(press(&mut model, KeyCode::BackTab), [watch(Tab::Trackers)]);
    let stray = News::Seen(id(2), Seen::Trackers(Ok(vec![Tracker::default()])));
    assert_eq!(handle_news(&mut model, stray), []);
    let Screen::Details(details) = &model.screen else {
        panic!("it is looked at");
    };
    assert_eq!(details.trackers, None, "that of another torrent");
    let orders = handle_news(
        &mut model,
        changes(vec![torrent(2, "beta", State::Seeding)]),
    );
    assert_eq!(orders, [Order::Watch(Watch::Nothing)]);
    assert_eq!(model.screen, Screen::List);
}

#[test]
fn how_much_a_file_is_wanted_is_changed() {
    let mut model = model();
    press(&mut model, KeyCode::Enter);
    type_text(&mut model, "2");
    let file = |index, priority| File {
        index,
        priority,
        ..File::default()
    };
    let files = vec![file(0, Priority::Skip), file(7, Priority::High)];
    handle_news(&mut model, News::Seen(id(1), Seen::Files(Ok(files))));
    let order = |index, priority| Order::Prioritise {
        id: id(1),
        index,
        priority,
    };
    assert_eq!(type_text(&mut model, "+"), [order(0, "low")]);
    assert_eq!(type_text(&mut model, " "), [order(0, "normal")]);
    assert_eq!(type_text(&mut model, "-"), [], "it is skipped already");
    press(&mut model, KeyCode::Down);
    assert_eq!(type_text(&mut model, "-"), [order(7, "normal")]);
    assert_eq!(type_text(&mut model, "+"), []);
    assert_eq!(type_text(&mut model, " "), [order(7, "skip")]);
}

fn found() -> Found {
    let file = |index, path: &str| InspectedFile {
        index,
        path: path.to_owned(),
        size: 5,
    };
    Found {
        inspection: Inspection {
            name: "film".to_owned(),
            size: 10,
            files: vec![file(0, "a"), file(1, "b")],
            ..Inspection::default()
        },
        content: Map::from_iter([("link".to_owned(), json!("magnet:?x"))]),
    }
}

#[test]
fn a_torrent_is_added_after_a_look_at_its_files() {
    let mut model = model();
    type_text(&mut model, "a");
    press(&mut model, KeyCode::Enter);
    let Some(Dialog::Add(add)) = &model.dialog else {
        panic!("it is open");
    };
    assert!(add.error.is_some(), "nothing was typed");
    type_text(&mut model, "magnet:?x");
    let source = "magnet:?x".to_owned();
    let inspect = |number| {
        vec![Order::Inspect {
            number,
            source: source.clone(),
        }]
    };
    assert_eq!(press(&mut model, KeyCode::Enter), inspect(1));
    assert_eq!(press(&mut model, KeyCode::Esc), [Order::EndInspection]);
    assert_eq!(press(&mut model, KeyCode::Enter), inspect(2));
    let answer = |number, outcome| News::Inspected { number, outcome };
    handle_news(&mut model, answer(1, Ok(found())));
    assert_eq!(
        super::keys::context(&model),
        super::keys::Context::Inspecting
    );
    handle_news(&mut model, answer(2, Err("no peer".to_owned())));
    assert_eq!(press(&mut model, KeyCode::Enter), inspect(3));
    handle_news(&mut model, answer(3, Ok(found())));
    type_text(&mut model, "* p");
    press(&mut model, KeyCode::BackTab);
    type_text(&mut model, "a, b");
    let request = json!({
        "link": "magnet:?x", "files": [0], "labels": ["a", "b"], "paused": true,
    });
    let request = request.as_object().cloned().unwrap_or_default();
    assert_eq!(press(&mut model, KeyCode::Enter), [Order::Add(request)]);
    assert_eq!(model.dialog, None);
}

#[test]
fn a_link_that_is_pasted_is_added_and_not_taken_for_keys() {
    let mut model = model();
    let paste = Event::Paste("magnet:?xt=urn:btih:dq\n".to_owned());
    assert_eq!(handle_event(&mut model, &paste), []);
    let added = Order::AddUnseen {
        source: "magnet:?xt=urn:btih:dq".to_owned(),
    };
    press(&mut model, KeyCode::Enter);
    assert_eq!(
        press(&mut model, KeyCode::Enter),
        [Order::EndInspection, added]
    );
    press(&mut model, KeyCode::Enter);
    assert_eq!(handle_event(&mut model, &paste), []);
    assert_eq!(
        model.dialog, None,
        "where a torrent is looked at it means nothing"
    );
}

#[test]
fn the_cursor_is_on_what_a_pasted_text_finds() {
    let mut model = model();
    press(&mut model, KeyCode::Down);
    type_text(&mut model, "/");
    handle_event(&mut model, &Event::Paste("gam".to_owned()));
    assert_eq!((model.torrents.len(), model.cursor.at), (1, 0));
    assert_eq!(model.selected, Some(id(3)));
}

#[test]
fn limits_and_labels_are_filled_in() {
    let mut model = model();
    type_text(&mut model, "mfast");
    assert_eq!(press(&mut model, KeyCode::Enter), []);
    let Some(Dialog::Form(form)) = &model.dialog else {
        panic!("it is open");
    };
    assert!(form.error.is_some());
    let clear = Event::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    handle_event(&mut model, &clear);
    type_text(&mut model, "2MiB");
    press(&mut model, KeyCode::Up);
    type_text(&mut model, "none");
    let patch = json!({"download_limit": 2_097_152, "ratio_limit": "none"});
    let patch = patch.as_object().cloned().unwrap_or_default();
    assert_eq!(
        press(&mut model, KeyCode::Enter),
        [Order::Patch(vec![id(1)], patch)]
    );
    type_text(&mut model, "l, b");
    let patch = json!({"labels": ["linux", "b"]});
    let patch = patch.as_object().cloned().unwrap_or_default();
    assert_eq!(
        press(&mut model, KeyCode::Enter),
        [Order::Patch(vec![id(1)], patch)]
    );
}

#[test]
fn a_daemon_that_comes_back_is_told_of() {
    let mut model = model();
    handle_news(&mut model, News::Down("connection refused".to_owned()));
    assert_eq!(
        model.daemon.link,
        Link::Down("connection refused".to_owned())
    );
    assert_eq!(model.torrents.total(), 3, "what is known stays");
    handle_news(&mut model, changes(Vec::new()));
    assert_eq!(model.daemon.link, Link::Up);
    let text = model.message.as_ref().map(|it| it.text.as_str());
    assert_eq!(text, Some("the daemon is there again"));
    assert!(model.set_time(100), "it goes again");
    assert_eq!(model.message, None);
    assert!(!model.set_time(101));
}

fn keys() -> impl Strategy<Value = Event> {
    use KeyCode::*;
    let codes = prop_oneof![
        4 => prop::sample::select(" *+-<>=/?aAcCdDeEfFgGjklmMnNpPqrsStTvyY123456#".chars().map(Char).collect::<Vec<_>>()),
        3 => prop::sample::select(vec![
            Enter, Esc, Up, Down, Left, Right, Home, End, PageUp, PageDown, Tab, BackTab, Backspace, Delete, F(1),
        ]),
        1 => any::<char>().prop_map(Char),
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::SHIFT,
        KeyModifiers::CONTROL,
    ]);
    (codes, modifiers).prop_map(|(code, modifiers)| Event::Key(KeyEvent::new(code, modifiers)))
}

fn text() -> impl Strategy<Value = String> {
    "(\\PC|[日本👩🇩🇪e\u{301}\u{200d}]){0,40}"
}

/// Any news; those of torrents name the three of [`model`], or others.
fn news() -> impl Strategy<Value = News> {
    let torrents = (1_u8..6, text(), 0.0..2.0_f64, any::<u64>());
    let torrents = torrents.prop_map(|(number, name, progress, size)| Torrent {
        size,
        left: size,
        have: size,
        progress,
        down_rate: size,
        eta: Some(size),
        error: Some(name.clone()),
        ..torrent(number, &name, State::Error)
    });
    let changes = (
        any::<bool>(),
        prop::collection::vec(torrents, 0..5),
        prop::collection::vec(1_u8..6, 0..2),
    );
    let changes = changes.prop_map(|(is_whole, torrents, removed)| News::Changes {
        is_whole,
        torrents,
        removed: removed.into_iter().map(id).collect(),
    });
    let seen = (1_u8..6, seen()).prop_map(|(number, seen)| News::Seen(id(number), seen));
    prop_oneof![
        changes,
        seen,
        (0..300_usize, prop::collection::vec(any::<u64>(), 0..300)).prop_map(|(capacity, down)| {
            News::Rates(Ok(Rates {
                step: 1,
                capacity,
                up: down.clone(),
                down,
            }))
        }),
        text().prop_map(News::Down),
        text().prop_map(News::Failed),
        (1_u64..4).prop_map(|number| News::Inspected {
            number,
            outcome: Ok(found())
        }),
        (1_u64..4, text()).prop_map(|(number, why)| News::Inspected {
            number,
            outcome: Err(why)
        }),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        text().prop_map(|why| Seen::Files(Err(why))),
        prop::collection::vec((text(), any::<u64>()), 0..9).prop_map(|files| {
            let files = files.into_iter().enumerate();
            let files = files.map(|(index, (path, size))| File {
                index,
                path,
                size,
                have: size / 2,
                ..File::default()
            });
            Seen::Files(Ok(files.collect()))
        }),
        prop::collection::vec(text(), 0..9).prop_map(|names| {
            let peers = names.into_iter();
            let peers = peers.map(|addr| Peer {
                client: Some(addr.clone()),
                addr,
                progress: f64::NAN,
                ..Peer::default()
            });
            Seen::Peers(Ok(peers.collect()))
        }),
        prop::collection::vec(text(), 0..9).prop_map(|names| {
            let trackers = names.into_iter();
            let trackers = trackers.map(|url| Tracker {
                error: Some(url.clone()),
                url,
                next_announce: Some(u64::MAX),
                ..Tracker::default()
            });
            Seen::Trackers(Ok(trackers.collect()))
        }),
        // What it says of its length need not be so.
        (0..5_000_usize, prop::collection::vec(any::<u8>(), 0..600)).prop_map(|(count, have)| {
            Seen::Pieces(Ok(Pieces {
                count,
                partial: have.clone(),
                availability: have.clone(),
                have,
                ..Pieces::default()
            }))
        }),
        (0..300_usize, prop::collection::vec(any::<u64>(), 0..300)).prop_map(|(capacity, up)| {
            Seen::Rates(Ok(Rates {
                step: 1,
                capacity,
                down: up.clone(),
                up,
            }))
        }),
    ]
}

/// What happens to the screens.
#[derive(Clone, Debug)]
enum Happening {
    Event(Event),
    News(Box<News>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_size_and_no_sequence_of_keys_and_news_panics(
        steps in prop::collection::vec(
            prop_oneof![
                6 => keys().prop_map(Happening::Event),
                1 => (1_u16..=250, 1_u16..=80).prop_map(|(columns, rows)| Happening::Event(Event::Resize(columns, rows))),
                1 => text().prop_map(|text| Happening::Event(Event::Paste(text))),
                2 => news().prop_map(|news| Happening::News(Box::new(news))),
            ],
            1..60,
        ),
        has_colours in any::<bool>(),
    ) {
        let mut model = model();
        let theme = Theme::new(has_colours);
        for step in steps {
            match step {
                Happening::Event(event) => drop(handle_event(&mut model, &event)),
                Happening::News(news) => drop(handle_news(&mut model, *news)),
            }
            model.is_done = false;
            let area = Rect::new(0, 0, model.size.0, model.size.1);
            let mut buffer = Buffer::empty(area);
            let cursor = view::draw(&model, theme, area, &mut buffer);
            if let Some((x, y)) = cursor {
                prop_assert!(area.contains((x, y).into()), "the cursor is on the screen");
            }
            let at = model.cursor.at;
            prop_assert!(at == 0 || at < model.torrents.len());
        }
    }
}
