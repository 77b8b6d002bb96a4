//! Ranges: what `tailwater stream` answers is what nginx answers for the same file, but for a list of differences.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::answers::{Answer, Server};
use crate::enabled;
use crate::nginx::Nginx;
use crate::place::{Place, Setup};

const FILE_LEN: usize = 300_007;

/// Which version of the file the range is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfRange {
    Always,
    /// The server's own entity tag.
    SameTag,
    /// The same tag as a weak one, which must not be used for ranges.
    WeakTag,
    OtherTag,
    /// The server's own `Last-Modified`.
    SameDate,
    EarlierDate,
    Nonsense,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    /// The `Range` header; none if empty.
    range: &'static str,
    if_range: IfRange,
}

const fn range(name: &'static str, range: &'static str) -> Case {
    let if_range = IfRange::Always;
    Case {
        name,
        range,
        if_range,
    }
}

const fn if_range(name: &'static str, if_range: IfRange) -> Case {
    let range = "bytes=100-199";
    Case {
        name,
        range,
        if_range,
    }
}

const CASES: &[Case] = &[
    range("no range", ""),
    range("the first byte", "bytes=0-0"),
    range("all, open end", "bytes=0-"),
    range("all, both ends", "bytes=0-300006"),
    range("ten bytes", "bytes=0-9"),
    range("a hundred bytes", "bytes=100-199"),
    range("the last byte", "bytes=-1"),
    range("the last byte by its number", "bytes=300006-"),
    range("the last 500 bytes", "bytes=-500"),
    range("more last bytes than there are", "bytes=-300008"),
    range("an end beyond the file", "bytes=300000-400000"),
    range(
        "an end beyond 64 bits",
        "bytes=300000-99999999999999999999999",
    ),
    range("a start right behind the file", "bytes=300007-"),
    range("a start beyond the file", "bytes=400000-500000"),
    range("a start beyond 64 bits", "bytes=99999999999999999999999-"),
    range("the last 0 bytes", "bytes=-0"),
    range("the end before the start", "bytes=5-2"),
    range("no numbers", "bytes=-"),
    range("nothing", "bytes="),
    range("no equals sign", "bytes 0-5"),
    range("letters", "bytes=a-b"),
    range("a sign", "bytes=+1-5"),
    range("a number without a dash", "bytes=5"),
    range("more behind the range", "bytes=0-5x"),
    range("another unit", "seconds=0-5"),
    range("a unit in capitals", "BYTES=0-5"),
    range("spaces around the numbers", "bytes= 0 - 5 "),
    range("a space before the equals sign", "bytes =0-5"),
    range("two ranges", "bytes=0-9,20-29"),
    range("two ranges, the later one first", "bytes=20-29,0-9"),
    range("two ranges with spaces", "bytes=0-9 , 20-29"),
    range("two ranges that touch", "bytes=0-9,10-19"),
    range("two ranges that overlap", "bytes=0-19,10-29"),
    range("the same range twice", "bytes=0-9,0-9"),
    range(
        "one range that can be met and one that cannot",
        "bytes=0-9,400000-",
    ),
    range(
        "one range that cannot be met and one that can",
        "bytes=400000-,0-9",
    ),
    range("two ranges that cannot be met", "bytes=400000-,500000-"),
    range("one good range and one bad", "bytes=0-9,5-2"),
    range("one good range and nonsense", "bytes=0-9,x"),
    range("an empty element before", "bytes=,0-9"),
    range("an empty element after", "bytes=0-9,"),
    range("an empty element between", "bytes=0-9,,20-29"),
    range("ranges of more bytes than the file", "bytes=0-,0-,0-"),
    range("a start and an end", "bytes=0-99,-100"),
    range(
        "sixteen ranges",
        "bytes=0-0,10-10,20-20,30-30,40-40,50-50,60-60,70-70,80-80,90-90,100-100,110-110,120-120,130-130,140-140,150-150",
    ),
    if_range("if the tag is the same", IfRange::SameTag),
    if_range("if the tag is the same, weakly", IfRange::WeakTag),
    if_range("if the tag is another", IfRange::OtherTag),
    if_range("if the date is the same", IfRange::SameDate),
    if_range("if the date is an earlier one", IfRange::EarlierDate),
    if_range("if something is that is no condition", IfRange::Nonsense),
];

/// Where we mean to differ: the case, the case that we answer alike, and why. An agreement fails too.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "an end beyond 64 bits",
        "an end beyond the file",
        "a number that is too large for a variable is a number all the same",
    ),
    (
        "an empty element before",
        "ten bytes",
        "RFC 9110, 5.6.1.2: empty elements of a list are to be ignored",
    ),
    ("an empty element after", "ten bytes", "the same"),
    ("an empty element between", "two ranges", "the same"),
    (
        "if the date is the same",
        "no range",
        "a torrent's file has no date of change, so no date can be its own",
    ),
];

/// What is compared of an answer, in a line: all but what each server chooses for itself, which is the boundary, and with
/// it the length, of a body of several parts, and the words of an error.
fn picture(answer: &Answer) -> String {
    let Answer { status, body, .. } = answer;
    let length = answer.header("content-length");
    assert_eq!(length, body.len().to_string(), "{answer:?}");
    let range = answer.header("content-range");
    if status.starts_with('4') {
        assert!(!body.is_empty(), "an error without words");
        return format!("{status} {range:?}");
    }
    let (accept, kind) = (answer.header("accept-ranges"), answer.content_type());
    format!("{status} {range:?} {accept:?} {kind:?} {}", answer.body())
}

/// What `HEAD` shows, in a line.
fn outline(answer: &Answer) -> String {
    let names = ["content-range", "accept-ranges", "content-length"];
    let values = names.map(|name| answer.header(name));
    format!("{} {values:?} {}", answer.status, answer.content_type())
}

fn headers(server: &Server, scratch: &Path, case: &Case) -> Vec<String> {
    let own = |name: &str| {
        let answer = server.ask(scratch, true, &[]);
        let value = answer.header(name);
        // A date that cannot be compared, where a server gives none.
        match value {
            "" => "Sat, 21 Nov 2026 10:00:00 GMT".to_owned(),
            value => value.to_owned(),
        }
    };
    let condition = match case.if_range {
        IfRange::Always => None,
        IfRange::SameTag => Some(own("etag")),
        IfRange::WeakTag => Some(format!("W/{}", own("etag"))),
        IfRange::OtherTag => Some("\"another\"".to_owned()),
        IfRange::SameDate => Some(own("last-modified")),
        IfRange::EarlierDate => Some("Sat, 01 Jan 2000 00:00:00 GMT".to_owned()),
        IfRange::Nonsense => Some("nonsense".to_owned()),
    };
    let condition = condition.map(|value| format!("If-Range: {value}"));
    let range = (!case.range.is_empty()).then(|| format!("Range: {}", case.range));
    range.into_iter().chain(condition).collect()
}

/// nginx and ours, with the same file.
struct Both {
    dir: TempDir,
    theirs: Nginx,
    place: Place,
}

impl Both {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let file = data.join("film.mp4");
        let mut bytes = vec![0; FILE_LEN];
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        let theirs = Nginx::start(dir.path(), &file);
        let setup = Setup {
            memory: "32MiB",
            max_up: 0,
        };
        let place = Place::new(&file, setup);
        let both = Self { dir, theirs, place };
        let whole = both.ask(both.theirs(), false, &CASES[0]);
        assert!(whole.body == bytes, "nginx serves another file");
        both
    }

    fn theirs(&self) -> &Server {
        &self.theirs.server
    }

    fn ours(&self) -> Server {
        Server {
            socket: None,
            url: self.place.ours.file.clone(),
        }
    }

    fn ask(&self, server: &Server, head: bool, case: &Case) -> Answer {
        let headers = headers(server, self.dir.path(), case);
        server.ask(self.dir.path(), head, &headers)
    }
}

#[test]
fn ranges_are_answered_as_nginx_answers_them() {
    if !enabled() {
        return;
    }
    let both = Both::start();
    let get = |server: &Server| {
        let answers = CASES
            .iter()
            .map(|case| (case.name, picture(&both.ask(server, false, case))));
        answers.collect::<BTreeMap<_, _>>()
    };
    let (theirs, ours) = (get(both.theirs()), get(&both.ours()));
    let mut wrong = Vec::new();
    for Case { name, .. } in CASES {
        let (theirs, answer) = (&theirs[name], &ours[name]);
        let meant = DIFFERENCES.iter().find(|(case, ..)| case == name);
        match meant {
            None if answer == theirs => {}
            Some((_, like, _)) if answer == &ours[like] && answer != theirs => {}
            _ => wrong.push(format!(
                "{name}: {meant:?}\n  ours  {answer}\n  nginx {theirs}"
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// RFC 9110, 14.2: a range means something for `GET` only. nginx answers `HEAD` as if it were `GET`.
#[test]
fn ranges_mean_nothing_for_head_where_nginx_heeds_them() {
    if !enabled() {
        return;
    }
    let both = Both::start();
    let (theirs, ours) = (both.theirs(), &both.ours());
    let whole = outline(&both.ask(ours, false, &CASES[0]));
    for case in CASES {
        assert_eq!(outline(&both.ask(ours, true, case)), whole, "{case:?}");
        let get = outline(&both.ask(theirs, false, case));
        assert_eq!(outline(&both.ask(theirs, true, case)), get, "{case:?}");
    }
}
