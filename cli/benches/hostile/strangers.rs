//! Strangers that are no peers yet: encrypted handshakes and datagrams that ask for work before we know who asks.

use std::time::Duration;

use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::udp::Barrage;
use tailwater_hostile::{DatagramAttack, HandshakeAttack};

use crate::bed::{Bed, attacker};
use crate::cases::{Case, case};
use crate::floods::{Attackers, LASTS, Side, beside};
use crate::victim::Victim;

/// Connections at a time, of all hosts together.
const CONNECTIONS: usize = 1_000;
/// A connection that was hung up on is made again after this.
const AGAIN: Duration = Duration::from_millis(50);
/// Ports that datagrams come from, of all hosts together.
const PORTS: usize = 400;

/// Every attack of strangers, on either side, from one host and from twenty.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for side in [Side::Seed, Side::Download] {
        for hosts in [1, 20] {
            for attack in HandshakeAttack::ALL {
                cases.push(of_handshakes(attack, side, hosts));
            }
            for attack in DatagramAttack::ALL {
                cases.push(of_datagrams(attack, side, hosts));
            }
        }
    }
    cases
}

fn of_handshakes(attack: HandshakeAttack, side: Side, hosts: usize) -> Case {
    let name = format!("mse/{}/{}/{hosts}", attack.name(), side.name());
    let about = format!(
        "{CONNECTIONS} encrypted handshakes at once ({}) from {hosts} of our addresses",
        attack.name()
    );
    case(&name, &about, move |bed| {
        beside(bed, side, |victim| call(attack, victim, hosts))
    })
}

fn call(attack: HandshakeAttack, victim: &Victim, hosts: usize) -> Box<dyn Attackers> {
    let bounds = Bounds {
        connections: 1_000_000,
        ..Bounds::lasting(LASTS)
    };
    let crowd = Crowd::start(bounds).unwrap();
    for number in 0..CONNECTIONS {
        let dial = Dial::to(victim.addr)
            .from(attacker(number % hosts))
            .again_after(AGAIN);
        let mut name = number as u64;
        let script = move || {
            name += CONNECTIONS as u64;
            attack.script(name)
        };
        crowd.dial(dial, script).unwrap();
    }
    Box::new(crowd)
}

fn of_datagrams(attack: DatagramAttack, side: Side, hosts: usize) -> Case {
    let name = format!("utp/{}/{}/{hosts}", attack.name(), side.name());
    let about = format!(
        "datagrams ({}) from {PORTS} ports of {hosts} of our addresses, as fast as they are sent",
        attack.name()
    );
    case(&name, &about, move |bed| {
        beside(bed, side, |victim| send(attack, victim, bed, hosts))
    })
}

fn send(attack: DatagramAttack, victim: &Victim, bed: &Bed, hosts: usize) -> Box<dyn Attackers> {
    let content = &bed.fine(0).content;
    let script = |number: usize| {
        let script = attack.script(content, number as u64);
        (attacker(number % hosts), script)
    };
    let barrage = Barrage::start(victim.addr, (0..PORTS).map(script), Bounds::lasting(LASTS));
    Box::new(barrage.unwrap())
}
