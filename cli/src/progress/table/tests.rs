use std::time::Duration;

use proptest::prelude::*;

use super::super::row::State;
use super::*;

fn torrent(name: &str, state: State, percent: u64) -> Row {
    let is_active = state == State::Downloading;
    Row::Torrent(Box::new(Transfer {
        name: name.to_owned(),
        state,
        done: (percent << 20) * 10,
        total: 1_000 << 20,
        down: Some(u64::from(is_active) * 1_500_000),
        up: Some(0),
        uploaded: 5 << 20,
        peers: 12,
        utp_peers: 4,
        encrypted_peers: 5,
        eta: is_active.then_some(Duration::from_secs(65)),
        details: Vec::new(),
    }))
}

fn shown(rows: &[Row], columns: usize, lines: usize) -> Vec<String> {
    let table = table(rows, columns, lines);
    table.into_iter().map(|line| line.text).collect()
}

fn episodes() -> Vec<Row> {
    vec![
        torrent(
            "A.Very.Long.Series.Name.S01E01.1080p.mkv",
            State::Downloading,
            45,
        ),
        torrent(
            "A.Very.Long.Series.Name.S01E02.1080p.mkv",
            State::Stalled,
            7,
        ),
    ]
}

#[test]
fn a_wide_terminal_is_used_up() {
    let lines = shown(&episodes(), 200, 50);
    let expected = [
        "A.Very.Long.Series.Name.S01E01.1080p.mkv                       [=================>                    ]   45 %   450 MiB/1000 MiB  ↓ 1.43 MiB/s       ↑ 0 B/s  5.00 MiB sent  12 peers  ETA 1 min 5 s",
        "A.Very.Long.Series.Name.S01E02.1080p.mkv                       [==>                                   ]    7 %  70.0 MiB/1000 MiB       ↓ 0 B/s       ↑ 0 B/s  5.00 MiB sent  12 peers  stalled",
        "total of 2                                                     [=========>                            ]   26 %   520 MiB/1.95 GiB  ↓ 1.43 MiB/s       ↑ 0 B/s  10.0 MiB sent  24 peers  ETA 1 min 5 s",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn at_80_columns_what_matters_less_is_left_out() {
    let expected = [
        "A.Very…01E01.1080p.mkv   45 %   450 MiB/1000 MiB  ↓ 1.43 MiB/s  ETA 1 min 5 s",
        "A.Very…01E02.1080p.mkv    7 %  70.0 MiB/1000 MiB       ↓ 0 B/s  stalled",
        "total of 2               26 %   520 MiB/1.95 GiB  ↓ 1.43 MiB/s  ETA 1 min 5 s",
    ];
    assert_eq!(shown(&episodes(), 80, 24), expected);
}

#[test]
fn on_a_narrow_terminal_name_percent_rate_and_eta_are_left() {
    let at_60 = [
        "A.Very.Long.Ser…01E01.1080p.mkv  45 % 1.43 MiB/s 1 min 5 s",
        "A.Very.Long.Ser…01E02.1080p.mkv   7 %      0 B/s stalled",
        "total of 2                       26 % 1.43 MiB/s 1 min 5 s",
    ];
    assert_eq!(shown(&episodes(), 60, 24), at_60);
    let at_40 = [
        "A.V…01E01.…  45 % 1.43 MiB/s 1 min 5 s",
        "A.V…01E02.…   7 %      0 B/s stalled",
        "total of 2   26 % 1.43 MiB/s 1 min 5 s",
    ];
    assert_eq!(shown(&episodes(), 40, 24), at_40);
    let at_18 = [
        "A.V…01E01.…  45 %",
        "A.V…01E02.…   7 %",
        "total of 2   26 %",
    ];
    assert_eq!(shown(&episodes(), 18, 24), at_18);
}

#[test]
fn more_torrents_than_rows_are_counted_and_the_active_ones_come_first() {
    let mut rows: Vec<_> = (0..9)
        .map(|number| torrent(&format!("waits {number}"), State::LookingForPeers, 0))
        .collect();
    rows.extend((0..3).map(|number| torrent(&format!("done {number}"), State::Complete, 100)));
    rows.extend((0..4).map(|number| torrent(&format!("comes {number}"), State::Downloading, 9)));
    let lines = shown(&rows, 100, 8);
    assert_eq!(lines.len(), 6);
    for (number, line) in lines[..4].iter().enumerate() {
        assert!(line.starts_with(&format!("comes {number}")), "{lines:#?}");
    }
    assert_eq!(lines[4], "… and 12 more (9 waiting, 3 complete)");
    assert!(lines[5].starts_with("total of 16"));
    assert_eq!(shown(&rows, 100, 18).len(), 16);
    assert_eq!(shown(&rows, 100, 19).len(), 17, "all fit");
    assert_eq!(shown(&rows, 100, 1).len(), 1);
}

#[test]
fn wide_characters_keep_the_columns_aligned() {
    let rows = [
        torrent(
            "日本語の長い名前のとても長いファイル.mkv",
            State::Downloading,
            50,
        ),
        torrent(
            "👨‍👩‍👧‍👦🎬🎬🎬 a family film of some length.mkv",
            State::Downloading,
            50,
        ),
        torrent("plain", State::Downloading, 50),
    ];
    let lines = shown(&rows, 80, 24);
    let before_percent = |line: &String| width(line.split(" 50 %").next().unwrap());
    assert!(
        lines.iter().all(|line| line.contains(" 50 %")),
        "{lines:#?}"
    );
    let first = before_percent(&lines[0]);
    assert!(lines.iter().all(|line| before_percent(line) == first));
}

#[test]
fn details_take_what_room_there_is() {
    let mut rows = vec![torrent("film", State::Downloading, 50)];
    if let Row::Torrent(transfer) = &mut rows[0] {
        transfer.details = (0..8)
            .map(|number| vec![format!("10.0.0.{number}:6881"), "a client".to_owned()])
            .collect();
    }
    assert_eq!(shown(&rows, 80, 24).len(), 9);
    let lines = shown(&rows, 80, 7);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1], "  10.0.0.0:6881  a client");
    assert_eq!(lines[4], "  … and 5 more");
    assert_eq!(shown(&rows, 22, 24)[1], "  10.0.0.0:6881");
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Starting),
        Just(State::Checking(7, 9_000)),
        Just(State::LookingForPeers),
        Just(State::Waiting),
        Just(State::Downloading),
        Just(State::Stalled),
        Just(State::Seeding),
        Just(State::Complete),
        Just(State::Paused),
    ]
}

prop_compose! {
    fn any_transfer()(
        name in "(\\PC|[日本👩🇩🇪e\u{301}\u{200d}]){0,50}",
        state in any_state(),
        (done, total) in (0..1_u64 << 50, 0..1_u64 << 50),
        down in proptest::option::of(0..1_u64 << 40),
        peers in 0..5_000_usize,
        eta in proptest::option::of(0..10_000_000_u64),
        details in 0..6_usize,
    ) -> Transfer {
        Transfer {
            name,
            state,
            done: done.min(total),
            total,
            down,
            up: down,
            uploaded: done,
            peers,
            utp_peers: peers / 2,
            encrypted_peers: peers / 3,
            eta: eta.map(Duration::from_secs),
            details: vec![vec!["[2001:db8::7]:6881".to_owned(), "qBittorrent 5.0".to_owned()]; details],
        }
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    prop_oneof![
        4 => any_transfer().prop_map(|transfer| Row::Torrent(Box::new(transfer))),
        1 => ("\\PC{0,30}", "[a-z0-9 ,]{0,60}").prop_map(|(name, text)| {
            Row::Text(Text { name, share: Some((5, 9)), text, ..Text::default() })
        }),
    ]
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_number_is_cut(
        rows in proptest::collection::vec(any_row(), 0..20),
        columns in 1..250_usize,
        lines in 1..60_usize,
    ) {
        let table = table(&rows, columns, lines);
        prop_assert!(table.len() <= lines.saturating_sub(LINES_LEFT).max(1));
        for line in &table {
            prop_assert!(width(&line.text) < columns.max(2), "{:?} at {columns}", line.text);
            prop_assert!(line.text.is_char_boundary(line.name));
        }
        // What comes after a torrent's name is made of whole cells.
        let total = total(&rows);
        let transfers: Vec<_> = rows.iter().filter_map(|row| match row {
            Row::Torrent(transfer) => Some(&**transfer),
            Row::Text(_) => None,
        }).chain(&total).collect();
        let layout = Layout::new(transfers.iter().copied(), columns);
        for transfer in transfers {
            let line = layout.line(transfer);
            for (column, _) in &layout.columns {
                prop_assert!(line.text.contains(column.cell(transfer, layout.is_narrow).trim_end()));
            }
        }
    }
}
