//! Scenarios, and a property test of the promises in [`AnnounceSchedule`]'s documentation.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::origin::origin;

const MINUTE: Duration = Duration::from_secs(60);

fn tiers(tiers: &[&[&str]]) -> Vec<Vec<String>> {
    let urls = |tier: &&[&str]| tier.iter().map(|url| (*url).to_owned()).collect();
    tiers.iter().map(urls).collect()
}

fn answer(interval: Duration) -> AnnounceResponse {
    AnnounceResponse::new(interval)
}

fn failure() -> TrackerError {
    TrackerError::Timeout { after: MINUTE }
}

/// A schedule and its clock.
struct Bench {
    schedule: AnnounceSchedule,
    now: Instant,
}

impl Bench {
    fn new(trackers: &[&[&str]]) -> Self {
        Self::with(trackers, false, ScheduleConfig::default())
    }

    fn with(trackers: &[&[&str]], complete: bool, config: ScheduleConfig) -> Self {
        let now = origin();
        Self {
            schedule: AnnounceSchedule::new(now, &tiers(trackers), complete, config),
            now,
        }
    }

    fn poll(&mut self) -> Option<Announce> {
        self.schedule.poll_announce(self.now)
    }

    #[track_caller]
    fn expect(&mut self, url: &str, event: Option<Event>) -> AnnounceId {
        let announce = self.poll().expect("an announce is due");
        assert_eq!((&*announce.url, announce.event), (url, event));
        announce.id
    }

    #[track_caller]
    fn expect_none(&mut self) {
        assert_eq!(self.poll(), None);
    }

    fn answer(&mut self, id: AnnounceId) {
        self.schedule
            .handle_response(self.now, id, &answer(30 * MINUTE));
    }

    fn fail(&mut self, id: AnnounceId) {
        self.schedule.handle_failure(self.now, id, &failure());
    }

    /// Goes to the next deadline and says how far it was.
    #[track_caller]
    fn skip(&mut self) -> Duration {
        let next = self.schedule.poll_timeout().expect("a deadline");
        let passed = next.saturating_duration_since(self.now);
        self.now = self.now.max(next);
        passed
    }
}

#[test]
fn started_first_then_regular_announces_at_the_interval() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.expect_none();
    assert_eq!(
        bench.schedule.poll_timeout(),
        None,
        "nothing to do before the answer"
    );
    bench.answer(id);
    bench.expect_none();
    assert_eq!(bench.skip(), 30 * MINUTE);
    let id = bench.expect("a", None);
    bench.answer(id);
    assert_eq!(bench.skip(), 30 * MINUTE);
}

#[test]
fn a_tracker_that_failed_gives_way_to_the_next_tier_and_is_tried_first_again() {
    let mut bench = Bench::new(&[&["a"], &["b"], &["c"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    let id = bench.expect("b", Some(Event::Started));
    bench.answer(id);
    bench.expect_none();
    bench.skip();
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    let id = bench.expect("b", None);
    bench.answer(id);
    bench.skip();
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.expect_none();
}

#[test]
fn a_tracker_is_kept_until_it_fails_if_there_is_to_be_one() {
    let config = ScheduleConfig {
        one_tracker: true,
        ..ScheduleConfig::default()
    };
    let mut bench = Bench::with(&[&["a"], &["b"], &["c"]], false, config);
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    let id = bench.expect("b", Some(Event::Started));
    bench.answer(id);
    // The first one may be back; it is not asked.
    bench.skip();
    let id = bench.expect("b", None);
    bench.answer(id);
    bench.skip();
    let id = bench.expect("b", None);
    bench.fail(id);
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.skip();
    bench.expect("a", None);
}

#[test]
fn who_answers_moves_to_the_front_of_its_tier() {
    let config = |seed| ScheduleConfig {
        seed,
        ..ScheduleConfig::default()
    };
    let mut orders = std::collections::HashSet::new();
    for seed in 0..32 {
        let mut bench = Bench::with(&[&["a", "b", "c"]], false, config(seed));
        let order: Vec<Announce> = (0..3)
            .map(|_| {
                let announce = bench.poll().unwrap();
                if &*announce.url == "b" {
                    bench.answer(announce.id);
                } else {
                    bench.fail(announce.id);
                }
                announce
            })
            .take_while(|announce| &*announce.url != "b")
            .collect();
        orders.insert(
            order
                .iter()
                .map(|announce| announce.url.to_string())
                .collect::<String>(),
        );
        bench.now += 30 * MINUTE;
        bench.expect("b", None);
    }
    assert_eq!(orders.len(), 5, "every order of trying: {orders:?}");
}

#[test]
fn failures_back_off_while_all_are_dead() {
    let mut bench = Bench::new(&[&["a"]]);
    for expected in [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600] {
        let id = bench.expect("a", Some(Event::Started));
        bench.fail(id);
        bench.expect_none();
        let waited = bench.skip().as_secs_f64() / f64::from(expected);
        assert!((0.74..1.26).contains(&waited), "{waited} of {expected} s");
    }
}

#[test]
fn every_tracker_of_a_round_is_tried_before_one_is_tried_again() {
    let mut bench = Bench::new(&[&["a"], &["b"], &["c"]]);
    for url in ["a", "b", "c"] {
        let id = bench.expect(url, Some(Event::Started));
        // Long enough for the first to be out of its back-off.
        bench.now += MINUTE;
        bench.fail(id);
    }
    bench.expect("a", Some(Event::Started));
}

#[test]
fn retry_in_is_obeyed() {
    let refused = |retry_in| TrackerError::Refused {
        reason: "busy".to_owned(),
        retry_in: Some(retry_in),
    };
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench
        .schedule
        .handle_failure(bench.now, id, &refused(RetryIn::After(5 * MINUTE)));
    bench.expect_none();
    assert_eq!(bench.skip(), 5 * MINUTE);
    let id = bench.expect("a", Some(Event::Started));
    bench
        .schedule
        .handle_failure(bench.now, id, &refused(RetryIn::Never));
    bench.expect_none();
    assert_eq!(bench.schedule.poll_timeout(), None);
    assert_eq!(
        bench.schedule.trackers().next().unwrap().state,
        TrackerState::Disabled
    );
    bench.schedule.handle_need_peers(bench.now);
    bench.expect_none();
    assert_eq!(bench.schedule.poll_timeout(), None);
}

#[test]
fn an_absurd_interval_is_brought_within_limits() {
    for (asked, min, kept) in [
        (Duration::ZERO, None, MINUTE),
        (Duration::from_secs(u64::MAX), None, 12 * 60 * MINUTE),
        (5 * MINUTE, Some(10 * MINUTE), 10 * MINUTE),
        (5 * MINUTE, Some(Duration::MAX), 12 * 60 * MINUTE),
    ] {
        let mut bench = Bench::new(&[&["a"]]);
        let id = bench.expect("a", Some(Event::Started));
        let mut response = answer(asked);
        response.min_interval = min;
        bench.schedule.handle_response(bench.now, id, &response);
        bench.expect_none();
        assert_eq!(bench.skip(), kept, "{asked:?} {min:?}");
    }
}

#[test]
fn need_of_peers_waits_for_the_min_interval_and_not_for_backups() {
    let mut bench = Bench::new(&[&["a"], &["b"]]);
    let id = bench.expect("a", Some(Event::Started));
    let mut response = answer(30 * MINUTE);
    response.min_interval = Some(10 * MINUTE);
    bench.schedule.handle_response(bench.now, id, &response);
    bench.now += 2 * MINUTE;
    bench.schedule.handle_need_peers(bench.now);
    bench.expect_none();
    assert_eq!(bench.skip(), 8 * MINUTE);
    bench.expect("a", None);
}

#[test]
fn completed_goes_at_once_to_whom_it_concerns_and_only_once() {
    let mut bench = Bench::new(&[&["a"], &["b"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    let id = bench.expect("b", Some(Event::Started));
    bench.answer(id);
    bench.schedule.handle_completed(bench.now);
    let id = bench.expect("b", Some(Event::Completed));
    bench.expect_none();
    bench.fail(id);
    bench.expect_none();
    bench.skip();
    let id = bench.expect("b", Some(Event::Completed));
    bench.answer(id);
    bench.schedule.handle_completed(bench.now);
    bench.expect_none();
    bench.skip();
    // It never knew the download as incomplete.
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.expect_none();
}

#[test]
fn completion_while_started_is_under_way_is_told_after_it() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.schedule.handle_completed(bench.now);
    bench.expect_none();
    bench.answer(id);
    bench.expect("a", Some(Event::Completed));
}

#[test]
fn a_seed_from_the_start_says_no_completed() {
    let mut bench = Bench::with(&[&["a"]], true, ScheduleConfig::default());
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.schedule.handle_completed(bench.now);
    bench.expect_none();
}

#[test]
fn stopped_goes_to_all_that_were_started_and_to_no_other() {
    let mut bench = Bench::new(&[&["a"], &["b"], &["c"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    let id = bench.expect("b", Some(Event::Started));
    bench.answer(id);
    bench.skip();
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.schedule.handle_stop(bench.now);
    let first = bench.expect("a", Some(Event::Stopped));
    let second = bench.expect("b", Some(Event::Stopped));
    bench.expect_none();
    assert!(!bench.schedule.is_stopped());
    bench.answer(first);
    bench.fail(second);
    bench.expect_none();
    assert!(bench.schedule.is_stopped());
    assert_eq!(bench.schedule.poll_timeout(), None);
}

#[test]
fn a_stop_during_started_waits_for_its_outcome() {
    for answered in [true, false] {
        let mut bench = Bench::new(&[&["a"]]);
        let id = bench.expect("a", Some(Event::Started));
        bench.schedule.handle_stop(bench.now);
        bench.expect_none();
        assert!(!bench.schedule.is_stopped());
        if answered {
            bench.answer(id);
            let id = bench.expect("a", Some(Event::Stopped));
            bench.answer(id);
        } else {
            bench.fail(id);
        }
        bench.expect_none();
        assert!(bench.schedule.is_stopped());
    }
}

#[test]
fn a_stop_overtakes_a_regular_announce() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.skip();
    let overtaken = bench.expect("a", None);
    bench.schedule.handle_stop(bench.now);
    let stop = bench.expect("a", Some(Event::Stopped));
    bench.answer(overtaken);
    assert!(!bench.schedule.is_stopped());
    bench.answer(stop);
    assert!(bench.schedule.is_stopped());
}

#[test]
fn a_restart_begins_with_started() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.schedule.handle_stop(bench.now);
    let id = bench.expect("a", Some(Event::Stopped));
    bench.schedule.handle_start(bench.now);
    bench.answer(id);
    bench.expect("a", Some(Event::Started));
}

#[test]
fn a_restart_owes_no_completed() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.schedule.handle_stop(bench.now);
    bench.schedule.handle_completed(bench.now);
    bench.answer(id);
    bench.schedule.handle_start(bench.now);
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.expect_none();
}

#[test]
fn a_tracker_that_is_replaced_is_told_stopped_and_the_new_one_started() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.answer(id);
    bench.schedule.set_trackers(bench.now, &tiers(&[&["b"]]));
    let urls: Vec<_> = bench
        .schedule
        .trackers()
        .map(|it| it.url.to_owned())
        .collect();
    assert_eq!(urls, ["b"]);
    let stopped = bench.expect("a", Some(Event::Stopped));
    let id = bench.expect("b", Some(Event::Started));
    bench.answer(id);
    bench.answer(stopped);
    bench.expect_none();
    assert_eq!(bench.skip(), 30 * MINUTE);
    bench.schedule.handle_stop(bench.now);
    let id = bench.expect("b", Some(Event::Stopped));
    bench.answer(id);
    assert!(bench.schedule.is_stopped());
}

#[test]
fn a_tracker_that_stays_is_not_asked_before_its_time() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    let mut answer = answer(30 * MINUTE);
    answer.min_interval = Some(20 * MINUTE);
    bench.schedule.handle_response(bench.now, id, &answer);
    bench
        .schedule
        .set_trackers(bench.now, &tiers(&[&["a"], &["b"]]));
    bench.expect_none();
    assert_eq!(bench.skip(), 20 * MINUTE);
    bench.expect("a", None);
}

#[test]
fn a_tracker_that_is_replaced_while_its_started_is_under_way_is_told_stopped_after_it() {
    let mut bench = Bench::new(&[&["a"]]);
    let id = bench.expect("a", Some(Event::Started));
    bench.schedule.set_trackers(bench.now, &tiers(&[]));
    bench.expect_none();
    bench.answer(id);
    let id = bench.expect("a", Some(Event::Stopped));
    bench.fail(id);
    bench.expect_none();
    assert_eq!(bench.schedule.poll_timeout(), None);
}

#[test]
fn all_tiers_are_asked_side_by_side_if_wanted() {
    let config = ScheduleConfig {
        all_tiers: true,
        ..ScheduleConfig::default()
    };
    let mut bench = Bench::with(&[&["a"], &["b"]], false, config);
    let a = bench.expect("a", Some(Event::Started));
    let b = bench.expect("b", Some(Event::Started));
    bench.expect_none();
    bench.answer(a);
    bench.fail(b);
    bench.expect_none();
    bench.skip();
    bench.expect("b", Some(Event::Started));
}

#[test]
fn trackers_are_distinct_and_bounded() {
    let mut bench = Bench::new(&[&["a", "a"], &[], &["a"], &["b"]]);
    let listed: Vec<_> = bench
        .schedule
        .trackers()
        .map(|status| (status.url, status.tier))
        .collect();
    assert_eq!(listed, [("a", 0), ("b", 3)]);
    let id = bench.expect("a", Some(Event::Started));
    bench.fail(id);
    bench.expect("b", Some(Event::Started));

    let many: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let schedule = AnnounceSchedule::new(bench.now, &[many], false, ScheduleConfig::default());
    assert_eq!(schedule.trackers().count(), MAX_TRACKERS);
}

#[test]
fn the_tracker_id_goes_back_to_its_tracker_only() {
    let mut bench = Bench::new(&[&["a"], &["b"]]);
    let id = bench.expect("a", Some(Event::Started));
    let mut response = answer(30 * MINUTE);
    response.tracker_id = Some(b"id".to_vec());
    bench.schedule.handle_response(bench.now, id, &response);
    bench.skip();
    let announce = bench.poll().unwrap();
    assert_eq!(announce.tracker_id.as_deref(), Some(&b"id"[..]));
    bench.fail(announce.id);
    assert_eq!(bench.poll().unwrap().tracker_id, None);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    ToDeadline,
    Answer {
        which: usize,
        interval: u64,
        min: Option<u64>,
    },
    Fail {
        which: usize,
        never: bool,
    },
    NeedPeers,
    Completed,
    Stop,
    Start,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = (any::<usize>(), 0u64..4000, prop::option::of(0u64..2000));
    prop_oneof![
        1 => (0u64..600).prop_map(Step::Pass),
        3 => Just(Step::ToDeadline),
        6 => answer.prop_map(|(which, interval, min)| Step::Answer { which, interval, min }),
        3 => (any::<usize>(), prop::bool::weighted(0.1)).prop_map(|(which, never)| Step::Fail { which, never }),
        2 => Just(Step::NeedPeers),
        1 => Just(Step::Completed),
        1 => Just(Step::Stop),
        1 => Just(Step::Start),
    ]
}

/// What one tracker saw.
#[derive(Default)]
struct Seen {
    registered: bool,
    completed: bool,
    stopped: bool,
    not_before: Option<Instant>,
}

proptest! {
    #[test]
    fn promises_hold_for_any_course(
        layout in prop::collection::vec(1usize..4, 1..4),
        all_tiers: bool,
        seed: u64,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let urls = |(tier, len): (usize, &usize)| (0..*len).map(|number| format!("{tier}/{number}")).collect();
        let layout: Vec<Vec<String>> = layout.iter().enumerate().map(urls).collect();
        let config = ScheduleConfig { seed, all_tiers, ..ScheduleConfig::default() };
        let floor = config.min_interval;
        let mut now = origin();
        let mut schedule = AnnounceSchedule::new(now, &layout, false, config);
        let mut seen: HashMap<Arc<str>, Seen> = HashMap::new();
        let mut flying: Vec<Announce> = Vec::new();
        let mut stopping = false;

        for step in steps {
            match step {
                Step::Pass(seconds) => now += Duration::from_secs(seconds),
                Step::ToDeadline => now = schedule.poll_timeout().map_or(now, |at| at.max(now)),
                Step::Answer { which, interval, min } if !flying.is_empty() => {
                    let announce = flying.swap_remove(which % flying.len());
                    let mut response = answer(Duration::from_secs(interval));
                    response.min_interval = min.map(Duration::from_secs);
                    schedule.handle_response(now, announce.id, &response);
                    let tracker = seen.entry(announce.url).or_default();
                    match announce.event {
                        Some(Event::Started) => tracker.registered = true,
                        Some(Event::Completed) => tracker.completed = true,
                        Some(Event::Stopped) => tracker.registered = false,
                        None => {}
                    }
                    tracker.not_before = Some(now + Duration::from_secs(min.unwrap_or(0)).max(floor));
                }
                Step::Fail { which, never } if !flying.is_empty() => {
                    let announce = flying.swap_remove(which % flying.len());
                    let retry_in = never.then_some(RetryIn::Never);
                    let error = TrackerError::Refused { reason: String::new(), retry_in };
                    schedule.handle_failure(now, announce.id, &error);
                }
                Step::Answer { .. } | Step::Fail { .. } => {}
                Step::NeedPeers => schedule.handle_need_peers(now),
                Step::Completed => schedule.handle_completed(now),
                Step::Stop => {
                    schedule.handle_stop(now);
                    stopping = true;
                    // What the documentation asks of the caller.
                    flying.retain(|announce| matches!(announce.event, Some(Event::Started | Event::Stopped)));
                }
                Step::Start => {
                    schedule.handle_start(now);
                    if std::mem::take(&mut stopping) {
                        flying.retain(|announce| announce.event == Some(Event::Started));
                        for tracker in seen.values_mut() {
                            *tracker = Seen { completed: tracker.completed, ..Seen::default() };
                        }
                    }
                }
            }
            while let Some(announce) = schedule.poll_announce(now) {
                prop_assert!(flying.iter().all(|other| other.url != announce.url), "two at once: {}", announce.url);
                let tracker = seen.entry(Arc::clone(&announce.url)).or_default();
                match announce.event {
                    Some(Event::Started) => prop_assert!(!stopping && !tracker.registered),
                    Some(Event::Completed) => {
                        prop_assert!(!stopping && tracker.registered && !tracker.completed);
                    }
                    Some(Event::Stopped) => {
                        prop_assert!(stopping && tracker.registered && !tracker.stopped);
                        tracker.stopped = true;
                    }
                    None => {
                        prop_assert!(!stopping && tracker.registered);
                        prop_assert!(tracker.not_before.is_none_or(|at| at <= now), "min interval of {}", announce.url);
                    }
                }
                flying.push(announce);
                prop_assert!(flying.len() <= layout.iter().map(Vec::len).sum());
            }
            // A deadline that does not move would be a busy loop.
            prop_assert!(schedule.poll_timeout().is_none_or(|at| at > now), "a deadline in the past");
            if stopping && flying.is_empty() {
                prop_assert!(schedule.is_stopped());
            }
        }
    }
}
