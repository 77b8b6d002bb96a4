//! Screens as text.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::style::Color;

use super::super::model::dialog::{Dialog, Remove};
use super::super::model::parts::{Details, Pieces, Rates, Tab};
use super::super::model::torrent::{State, Torrent};
use super::super::model::{Daemon, Link, Stats};
use super::super::update::handle_news;
use super::super::update::order::News;
use super::*;

fn torrent(number: u8, name: &str, state: State, progress: f64) -> Torrent {
    Torrent {
        id: format!("{number:040}").into(),
        number: i64::from(number),
        name: name.to_owned(),
        state,
        progress,
        size: 700 << 20,
        have: 350 << 20,
        left: 350 << 20,
        ..Torrent::default()
    }
}

fn model() -> Model {
    let mut model = Model {
        daemon: Daemon {
            name: "127.0.0.1:7870".to_owned(),
            ..Daemon::default()
        },
        stats: Stats {
            down_rate: 3 << 20,
            downloading: 1,
            ..Stats::default()
        },
        ..Model::default()
    };
    let torrents = vec![
        Torrent {
            down_rate: 3 << 20,
            eta: Some(125),
            peers: 7,
            labels: vec!["linux".to_owned()],
            ..torrent(
                1,
                "debian-13.1.0-amd64-netinst.iso",
                State::Downloading,
                0.5,
            )
        },
        torrent(2, "日本語の長い名前のファイル.mkv", State::Paused, 0.0),
        torrent(3, "gone", State::Error, 1.0),
    ];
    let news = News::Changes {
        is_whole: true,
        torrents,
        removed: Vec::new(),
    };
    handle_news(&mut model, news);
    model
}

fn terminal(model: &mut Model, columns: u16, rows: u16, theme: Theme) -> Terminal<TestBackend> {
    model.size = (columns, rows);
    model.settle();
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let drawn = terminal.draw(|frame| {
        let area = frame.area();
        draw(model, theme, area, frame.buffer_mut());
    });
    drawn.unwrap();
    terminal
}

fn lines(model: &mut Model, columns: u16, rows: u16) -> Vec<String> {
    let terminal = terminal(model, columns, rows, Theme::new(false));
    let buffer = terminal.backend().buffer();
    let line = |cells: &[Cell]| {
        let mut text = String::new();
        // A wide letter covers the cell behind it.
        let mut covered = 0;
        for cell in cells {
            if covered == 0 {
                text.push_str(cell.symbol());
                covered = width(cell.symbol());
            }
            covered = covered.saturating_sub(1);
        }
        text.trim_end().to_owned()
    };
    buffer
        .content
        .chunks(usize::from(columns))
        .map(line)
        .collect()
}

#[test]
fn columns_drop_out_and_the_name_stays() {
    let mut model = model();
    let narrow = lines(&mut model, 60, 8);
    assert_eq!(
        narrow[..5],
        [
            "127.0.0.1:7870  down 3.00 MiB/s  up 0 B/s  3 torrents",
            "state        done       down         up name",
            "downloading  50 % 3.00 MiB/s            debian-13.…tinst.iso",
            "paused        0 %                       日本語の長…イル.mkv",
            "error       100 %                       gone",
        ]
    );
    assert_eq!(narrow[6], "1 of 3  by added");
    let wide = lines(&mut model, 200, 8);
    assert!(
        wide[1].contains("labels") && wide[2].contains("2 min 5 s"),
        "{wide:#?}"
    );
    assert!(wide[2].ends_with("debian-13.1.0-amd64-netinst.iso"));
}

#[test]
fn a_daemon_that_does_not_answer_is_said() {
    let mut model = model();
    model.daemon.link = Link::Down("connection refused".to_owned());
    assert_eq!(
        lines(&mut model, 80, 6)[0],
        "127.0.0.1:7870 does not answer: connection refused: trying again"
    );
}

#[test]
fn nothing_is_coloured_without_colours_and_states_are_words() {
    let mut model = model();
    let coloured = terminal(&mut model, 100, 10, Theme::new(true));
    let has_colour = |terminal: &Terminal<TestBackend>| {
        let cells = &terminal.backend().buffer().content;
        cells
            .iter()
            .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(has_colour(&coloured));
    let plain = terminal(&mut model, 100, 10, Theme::new(false));
    assert!(!has_colour(&plain));
    assert_eq!(coloured.backend().to_string(), plain.backend().to_string());
}

#[test]
fn a_question_lies_over_the_list() {
    let mut model = model();
    model.dialog = Some(Dialog::Remove(Remove {
        ids: Vec::new(),
        what: "gone".to_owned(),
        with_files: false,
    }));
    let shown = lines(&mut model, 80, 12).join("\n");
    assert!(
        shown.contains("remove it from the list; its files stay"),
        "{shown}"
    );
    assert!(shown.contains("n no"), "{shown}");
}

#[test]
fn every_key_is_in_the_help() {
    let mut model = model();
    model.help = Some(0);
    let rows = columns(help_len() + 4);
    let shown = lines(&mut model, 80, rows).join("\n");
    for context in [Context::List, Context::Details(Tab::Files), Context::Files] {
        for binding in context.bindings().filter(|it| !it.shown.is_empty()) {
            assert!(
                shown.contains(binding.does),
                "{binding:?} is not in\n{shown}"
            );
        }
    }
}

#[test]
fn the_sides_of_a_torrent_are_drawn() {
    let mut model = model();
    let mut details = Details::new(format!("{:040}", 1).into());
    details.tab = Tab::Pieces;
    details.pieces = Some(Ok(Pieces {
        count: 4,
        have: vec![0b1010_0000],
        partial: vec![0b0001_0000],
        availability: vec![1, 0, 1, 1],
        copies: 0.75,
        piece_length: 1 << 20,
    }));
    model.screen = Screen::Details(Box::new(details.clone()));
    let shown = lines(&mut model, 80, 12);
    assert_eq!(shown[1], "debian-13.1.0-amd64-netinst.iso downloading 50 %");
    assert_eq!(
        shown[3],
        "2 of 4 pieces of 1.00 MiB held; the connected peers have 0.75 copies"
    );
    assert_eq!(shown[6], "█x█+");
    details.tab = Tab::Rates;
    details.rates = Some(Ok(Rates {
        step: 1,
        capacity: 300,
        down: vec![1 << 20, 2 << 20],
        up: vec![0, 0],
    }));
    model.screen = Screen::Details(Box::new(details.clone()));
    let shown = lines(&mut model, 80, 16).join("\n");
    assert!(
        shown.contains("received in 5 minutes: 2.00 MiB/s now, 2.00 MiB/s at most"),
        "{shown}"
    );
    assert!(shown.contains('█'), "{shown}");
    details.tab = Tab::Files;
    details.files = Some(Err("its metadata is not known yet".to_owned()));
    model.screen = Screen::Details(Box::new(details));
    let shown = lines(&mut model, 60, 16);
    assert_eq!(shown[3], "its metadata is not known yet");
}
