//! The IP filter with 500 000 ranges: how long a list takes to be read, and a lookup.
//!
//! `cargo bench -p tailwater-session --bench ip_filter`

use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, criterion_group, criterion_main};
use tailwater_session::IpFilter;

const RANGES: u32 = 500_000;
/// From one range to the next; an odd number spreads their ends.
const STEP: u32 = 8_191;

/// A PeerGuardian list, in no order.
fn list() -> String {
    let mut list = String::new();
    for number in 0..RANGES {
        // A permutation: the factor has no divisor in common with the number of ranges.
        let first = (number * 7_919 % RANGES) * STEP;
        let [first, last] = [first, first + STEP / 2].map(Ipv4Addr::from);
        writeln!(list, "Some Organisation, {number}:{first}-{last}").expect("a string takes all");
    }
    list
}

fn ip_filter(criterion: &mut Criterion) {
    let list = list();
    let mut group = criterion.benchmark_group("500 000 ranges");
    group.sample_size(10);
    group.bench_function("read a .p2p list", |bencher| {
        bencher.iter(|| IpFilter::parse(black_box(list.as_bytes())));
    });
    let filter = IpFilter::parse(list.as_bytes()).expect("the list is one");
    assert_eq!(filter.len(), 500_000);
    group.sample_size(100);
    group.bench_function("look an address up", |bencher| {
        let mut number = 0u32;
        bencher.iter(|| {
            // All over the address space, so that the processor cannot guess the way.
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            filter.contains(black_box(IpAddr::from(Ipv4Addr::from(number))))
        });
    });
    group.finish();
}

criterion_group!(benches, ip_filter);
criterion_main!(benches);
