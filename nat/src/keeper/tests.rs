//! The keeper over simulated hours, with a function as its gateway.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::testing::epoch;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const HOME: Route = Route {
    gateway: GATEWAY,
    local: Ipv4Addr::new(192, 168, 1, 20),
};
const OUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const BOTH: Wanted = Wanted {
    tcp: Some(6881),
    udp: Some(6882),
};

/// A keeper, and what it did.
struct Bench {
    keeper: Keeper,
    start: Instant,
    now: Instant,
    route: Option<Route>,
    asked: Vec<Request>,
}

impl Bench {
    fn new(wanted: Wanted) -> Self {
        let start = epoch();
        Self {
            keeper: Keeper::new(start, wanted, Config::default(), 1),
            start,
            now: start,
            route: Some(HOME),
            asked: Vec::new(),
        }
    }

    /// Runs the round that is due until the keeper rests.
    fn round(&mut self, mut answer: impl FnMut(Request) -> Result<Grant, Failure>) {
        self.asked.clear();
        self.keeper.handle_timeout(self.now);
        while let Some(task) = self.keeper.poll_task() {
            assert_eq!(self.keeper.poll_task(), None, "a task is given once");
            match task {
                Task::FindRoute => self.keeper.handle_route(self.now, self.route),
                Task::Map(request) => {
                    self.asked.push(request);
                    self.keeper.handle_mapped(self.now, answer(request));
                }
                Task::AskAddress(_) => self.keeper.handle_address(self.now, Some(OUTER.into())),
            }
        }
        assert!(self.asked.len() <= 3 * 2 * 7, "a round ends");
    }

    /// Goes to the time of the next round; how long that was.
    fn rest(&mut self) -> Duration {
        let until = self.keeper.poll_timeout().unwrap();
        let rested = until - self.now;
        self.now = until;
        rested
    }

    fn protocols(&self) -> Vec<Protocol> {
        let mut protocols: Vec<_> = self.asked.iter().map(|request| request.protocol).collect();
        protocols.dedup();
        protocols
    }

    /// Seconds since the gateway began.
    fn uptime(&self) -> u32 {
        u32::try_from((self.now - self.start).as_secs()).unwrap()
    }
}

/// Grants whatever is requested.
fn generous(request: Request) -> Result<Grant, Failure> {
    Ok(Grant {
        external: request.external,
        address: (request.protocol == Protocol::Pcp).then_some(OUTER.into()),
        lease: request.lease,
        epoch: (request.protocol != Protocol::Upnp).then_some(0),
    })
}

fn only(spoken: Protocol) -> impl Fn(Request) -> Result<Grant, Failure> {
    move |request| match request.protocol == spoken {
        true => generous(request),
        false => Err(Failure::Silent),
    }
}

fn silent(_: Request) -> Result<Grant, Failure> {
    Err(Failure::Silent)
}

fn status(protocol: Protocol, tcp: u16, udp: u16) -> PortMapStatus {
    PortMapStatus {
        protocol: Some(protocol),
        address: Some(OUTER.into()),
        tcp: Some(tcp),
        udp: Some(udp),
    }
}

#[test]
fn the_first_protocol_that_is_spoken_serves() {
    use Protocol::{NatPmp, Pcp, Upnp};
    for (spoken, tried) in [
        (Pcp, vec![Pcp]),
        (NatPmp, vec![Pcp, NatPmp]),
        (Upnp, vec![Pcp, NatPmp, Upnp]),
    ] {
        let mut bench = Bench::new(BOTH);
        bench.round(only(spoken));
        assert_eq!(bench.protocols(), tried);
        assert_eq!(bench.keeper.status(), status(spoken, 6881, 6882));
        let external = bench.keeper.status().external().unwrap();
        assert_eq!(external, "203.0.113.7:6881".parse().unwrap());
    }
}

#[test]
fn a_silent_protocol_is_asked_for_one_port_only() {
    let mut bench = Bench::new(BOTH);
    bench.round(silent);
    assert_eq!(bench.asked.len(), 3);
    assert_eq!(bench.keeper.status(), PortMapStatus::default());
}

#[test]
fn nothing_wanted_is_nothing_done() {
    let none = Wanted::default();
    let zero = Wanted {
        tcp: Some(0),
        udp: None,
    };
    for wanted in [none, zero] {
        let mut bench = Bench::new(wanted);
        bench.round(generous);
        assert!(bench.asked.is_empty());
        assert_eq!(bench.keeper.poll_timeout(), None);
    }
}

#[test]
fn failures_are_followed_by_rests_from_a_minute_to_an_hour() {
    let mut bench = Bench::new(BOTH);
    let mut rests = Vec::new();
    for _ in 0..9 {
        bench.round(silent);
        rests.push(bench.rest().as_secs() / 60);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    bench.round(generous);
    bench.now += 2 * HOUR;
    bench.round(silent);
    assert_eq!(bench.rest(), MINUTE, "a success begins them anew");
}

#[test]
fn the_route_is_looked_for_every_minute() {
    let mut bench = Bench::new(BOTH);
    bench.route = None;
    for _ in 0..5 {
        bench.round(generous);
        assert!(bench.asked.is_empty());
        assert_eq!(bench.rest(), MINUTE);
    }
    bench.route = Some(HOME);
    bench.round(generous);
    assert_eq!(bench.keeper.status(), status(Protocol::Pcp, 6881, 6882));
}

#[test]
fn half_of_the_lease_is_the_time_to_renew() {
    for (granted, rest) in [
        (HOUR, HOUR / 2),
        (2 * MINUTE, MINUTE),
        (Duration::from_secs(1), Duration::from_secs(10)),
        (Duration::from_secs(u64::from(u32::MAX)), 12 * HOUR),
    ] {
        let mut bench = Bench::new(BOTH);
        for _ in 0..3 {
            bench.round(|request| {
                let lease = Some(granted);
                generous(request).map(|grant| Grant { lease, ..grant })
            });
            assert_eq!(bench.asked.len(), 2);
            assert_eq!(bench.rest(), rest, "{granted:?}");
        }
    }
}

#[test]
fn a_upnp_gateway_is_asked_again_before_half_of_the_lease() {
    let mut bench = Bench::new(BOTH);
    bench.round(only(Protocol::Upnp));
    assert_eq!(bench.rest(), 10 * MINUTE);
    bench.round(only(Protocol::Upnp));
    assert_eq!(bench.protocols(), [Protocol::Upnp]);
}

#[test]
fn a_renewal_asks_for_the_port_that_was_given() {
    let mut bench = Bench::new(BOTH);
    bench.round(|request| {
        let external = request.external + 1000;
        generous(request).map(|grant| Grant { external, ..grant })
    });
    assert_eq!(bench.keeper.status(), status(Protocol::Pcp, 7881, 7882));
    bench.rest();
    bench.round(generous);
    let ports: Vec<_> = bench.asked.iter().map(|request| request.external).collect();
    assert_eq!(ports, [7881, 7882]);
    assert_eq!(bench.keeper.status(), status(Protocol::Pcp, 7881, 7882));
}

#[test]
fn a_silent_renewal_costs_nothing_until_the_lease_ends() {
    let mut bench = Bench::new(BOTH);
    bench.round(only(Protocol::Pcp));
    let mut rests = Vec::new();
    while rests.len() < 6 {
        rests.push(bench.rest().as_secs() / 60);
        bench.round(silent);
        let is_mapped = bench.keeper.status() == status(Protocol::Pcp, 6881, 6882);
        let is_valid = bench.now < bench.start + HOUR;
        assert_eq!(is_mapped, is_valid, "{rests:?}");
        let tried = if is_valid { 1 } else { 3 };
        assert_eq!(bench.protocols().len(), tried, "{rests:?}");
    }
    assert_eq!(rests, [30, 1, 2, 4, 8, 15]);
    assert_eq!(bench.keeper.mappings(), []);
}

#[test]
fn what_worked_last_is_tried_first() {
    let mut bench = Bench::new(BOTH);
    bench.round(only(Protocol::Upnp));
    bench.now += 2 * HOUR;
    bench.round(silent);
    assert_eq!(
        bench.protocols(),
        [Protocol::Upnp, Protocol::Pcp, Protocol::NatPmp]
    );
}

#[test]
fn a_conflict_is_answered_with_other_ports() {
    let mut bench = Bench::new(BOTH);
    bench.round(|request| match request {
        Request {
            protocol: Protocol::Upnp,
            ..
        } if request.external != 6881 => generous(request),
        Request {
            protocol: Protocol::Upnp,
            ..
        } => Err(Failure::Conflict),
        _ => Err(Failure::Silent),
    });
    let told = bench.keeper.status();
    assert_eq!(
        (told.protocol, told.udp),
        (Some(Protocol::Upnp), Some(6882))
    );
    let tcp = told.tcp.unwrap();
    assert!(tcp != 6881 && tcp >= 1024, "{tcp}");
    bench.rest();
    bench.round(only(Protocol::Upnp));
    assert_eq!(bench.keeper.status().tcp, Some(tcp), "and it is kept");
}

#[test]
fn endless_conflicts_end() {
    let mut bench = Bench::new(BOTH);
    bench.round(|_| Err(Failure::Conflict));
    assert_eq!(bench.asked.len(), 3 * 2 * 6);
    assert_eq!(bench.keeper.status(), PortMapStatus::default());
    assert_eq!(bench.rest(), MINUTE);
}

#[test]
fn a_gateway_without_leases_gets_none() {
    let mut bench = Bench::new(BOTH);
    let permanent = |request: Request| match (request.protocol, request.lease) {
        (Protocol::Upnp, None) => generous(request),
        (Protocol::Upnp, Some(_)) => Err(Failure::PermanentOnly),
        _ => Err(Failure::Silent),
    };
    bench.round(permanent);
    assert_eq!(bench.keeper.status(), status(Protocol::Upnp, 6881, 6882));
    assert_eq!(bench.keeper.mappings().len(), 2);
    assert_eq!(bench.rest(), 10 * MINUTE);
    bench.round(permanent);
    assert!(bench.asked.iter().all(|request| request.lease.is_none()));
}

#[test]
fn one_port_of_two_is_better_than_none() {
    let mut bench = Bench::new(BOTH);
    bench.round(|request| match request.transport {
        Transport::Tcp => Err(Failure::Refused),
        Transport::Udp => generous(request),
    });
    let told = bench.keeper.status();
    assert_eq!((told.tcp, told.udp), (None, Some(6882)));
    assert_eq!(told.external(), None);
    bench.rest();
    bench.round(generous);
    assert_eq!(bench.keeper.status(), status(Protocol::Pcp, 6881, 6882));
}

#[test]
fn a_grant_of_nothing_is_a_refusal() {
    for (external, lease) in [(0, HOUR), (6881, Duration::ZERO)] {
        let mut bench = Bench::new(BOTH);
        bench.round(|request| {
            let lease = Some(lease);
            let nothing = Grant {
                external,
                lease,
                ..generous(request)?
            };
            Ok(nothing)
        });
        assert_eq!(bench.keeper.status(), PortMapStatus::default());
    }
}

#[test]
fn another_gateway_holds_nothing_for_us() {
    let mut bench = Bench::new(BOTH);
    bench.round(only(Protocol::Pcp));
    bench.rest();
    let elsewhere = Route {
        gateway: Ipv4Addr::new(10, 0, 0, 1),
        local: Ipv4Addr::new(10, 0, 0, 9),
    };
    bench.route = Some(elsewhere);
    bench.round(silent);
    assert_eq!(bench.protocols().len(), 3);
    assert_eq!(bench.keeper.status(), PortMapStatus::default());
    assert_eq!(bench.keeper.mappings(), []);
}

#[test]
fn a_gateway_that_restarts_is_asked_soon() {
    let restarted = |_| Notice {
        from: GATEWAY,
        epoch: 0,
        address: None,
    };
    let moved = |uptime| Notice {
        from: GATEWAY,
        epoch: uptime,
        address: Some(Ipv4Addr::new(203, 0, 113, 99)),
    };
    let notices: [fn(u32) -> Notice; 2] = [restarted, moved];
    for notice in notices {
        let mut bench = Bench::new(BOTH);
        bench.round(only(Protocol::Pcp));
        bench.now += 5 * MINUTE;
        let uptime = bench.uptime();
        bench.keeper.handle_notice(bench.now, notice(uptime));
        assert!(bench.rest() <= NOTICE_SPREAD);
        bench.round(generous);
        assert_eq!(bench.asked.len(), 2);
    }
}

#[test]
fn notices_that_say_nothing_new_are_ignored() {
    let ours = |uptime| Notice {
        from: GATEWAY,
        epoch: uptime,
        address: Some(OUTER),
    };
    let others = |_| Notice {
        from: Ipv4Addr::new(192, 168, 1, 66),
        epoch: 0,
        address: None,
    };
    let notices: [fn(u32) -> Notice; 2] = [ours, others];
    for notice in notices {
        let mut bench = Bench::new(BOTH);
        bench.round(only(Protocol::Pcp));
        bench.now += 5 * MINUTE;
        let uptime = bench.uptime();
        bench.keeper.handle_notice(bench.now, notice(uptime));
        assert_eq!(bench.rest(), 25 * MINUTE);
    }
}

#[test]
fn forged_notices_make_us_ask_once_in_ten_seconds() {
    let mut bench = Bench::new(BOTH);
    bench.round(only(Protocol::NatPmp));
    let mut rounds = 0_u32;
    let end = bench.now + 10 * MINUTE;
    while bench.now < end {
        bench.now += Duration::from_millis(100);
        let forged = Notice {
            from: GATEWAY,
            epoch: 0,
            address: Some(Ipv4Addr::from(rounds)),
        };
        bench.keeper.handle_notice(bench.now, forged);
        bench.round(only(Protocol::NatPmp));
        rounds += u32::from(!bench.asked.is_empty());
    }
    assert!((2..=60).contains(&rounds), "{rounds}");
}

#[test]
fn a_gateway_that_comes_up_ends_the_rest() {
    let mut bench = Bench::new(BOTH);
    for _ in 0..8 {
        bench.round(silent);
        bench.rest();
    }
    bench.round(silent);
    bench.now += MINUTE;
    let notice = Notice {
        from: GATEWAY,
        epoch: 1,
        address: None,
    };
    bench.keeper.handle_notice(bench.now, notice);
    assert!(bench.rest() <= NOTICE_SPREAD);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Route(Option<u8>),
    Mapped(Result<(u16, Option<u32>, u32), u8>),
    Address(Option<u32>),
    Notice(u8, u32, Option<u32>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..10_000_u64).prop_map(Step::Wait),
        prop::option::weighted(0.9, 0..2_u8).prop_map(Step::Route),
        any::<Result<(u16, Option<u32>, u32), u8>>().prop_map(Step::Mapped),
        any::<Option<u32>>().prop_map(Step::Address),
        (0..2_u8, any::<u32>(), any::<Option<u32>>())
            .prop_map(|(from, epoch, address)| Step::Notice(from, epoch, address)),
    ]
}

proptest! {
    /// Any call at any time is safe, the keeper is never stuck, and never rests for less than a forged notice may make it.
    #[test]
    fn any_order_of_calls_is_safe(steps in prop::collection::vec(step(), 1..200), seed: u64) {
        let mut now = epoch();
        let mut keeper = Keeper::new(now, BOTH, Config::default(), seed);
        let gateway = |last| Ipv4Addr::new(10, 0, 0, last);
        for step in steps {
            match step {
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    keeper.handle_timeout(now);
                }
                Step::Route(last) => keeper.handle_route(now, last.map(|last| Route {
                    gateway: gateway(last),
                    local: gateway(last + 10),
                })),
                Step::Mapped(Ok((external, lease, epoch))) => keeper.handle_mapped(now, Ok(Grant {
                    external,
                    address: None,
                    lease: lease.map(|lease| Duration::from_secs(u64::from(lease))),
                    epoch: Some(epoch),
                })),
                Step::Mapped(Err(failure)) => keeper.handle_mapped(now, Err(match failure % 4 {
                    0 => Failure::Silent,
                    1 => Failure::Refused,
                    2 => Failure::Conflict,
                    _ => Failure::PermanentOnly,
                })),
                Step::Address(address) => {
                    keeper.handle_address(now, address.map(|address| Ipv4Addr::from(address).into()));
                }
                Step::Notice(from, epoch, address) => keeper.handle_notice(now, Notice {
                    from: gateway(from),
                    epoch,
                    address: address.map(Ipv4Addr::from),
                }),
            }
            let _ = keeper.poll_task();
            let is_busy = !matches!(keeper.state, State::Resting { .. });
            prop_assert_eq!(keeper.poll_timeout().is_none(), is_busy);
            let told = keeper.status();
            let ports = usize::from(told.tcp.is_some()) + usize::from(told.udp.is_some());
            prop_assert_eq!(keeper.mappings().len(), ports);
            prop_assert_eq!(told.protocol.is_some(), ports > 0);
            prop_assert!(told.tcp != Some(0) && told.udp != Some(0));
            if let Some(until) = keeper.poll_timeout() {
                prop_assert!(until <= now + 12 * HOUR);
            }
        }
    }
}
