//! A network in namespaces: a client's machine, a router on which Debian's `miniupnpd` runs, and the Internet.
//!
//! ```text
//! client 192.168.77.2 ──── 192.168.77.1 router 9.9.9.1 ──── 9.9.9.2 outside
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);
/// A second address of the client's machine, from which it is another client.
pub(super) const SOMEBODY: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 3);
/// The daemon maps nothing if the outer address is private, or reserved for documentation.
pub(super) const OUTER: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 1);
const DESCRIPTION: &str = "http://192.168.77.1:5000/rootDesc.xml";
/// Nothing here takes as long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

const RULES: &str = "table inet filter {
    chain forward { type filter hook forward priority 0; policy drop; jump miniupnpd; }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain postrouting { type nat hook postrouting priority 100; jump postrouting_miniupnpd; }
    chain miniupnpd { ct state established accept; }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}";
const DAEMON: &str = "ext_ifname=outer
listening_ip=inner
http_port=5000
enable_upnp=yes
min_lifetime=2
max_lifetime=86400
ipv6_disable=yes
system_uptime=no
uuid=00000000-0000-0000-0000-000000000077
allow 1024-65535 192.168.77.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
";

/// One line of the daemon's table of mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) protocol: String,
    pub(super) external: u16,
    /// Address and port.
    pub(super) internal: String,
    pub(super) lease_s: u32,
}

/// The network; it is gone when dropped.
pub(super) struct Router {
    names: [String; 3],
    dir: TempDir,
    daemon: Option<Child>,
}

impl Router {
    /// Builds the network, and starts the daemon with these lines in its configuration besides the usual.
    pub(super) fn start(configuration: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let own = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let names = ["client", "router", "outside"].map(|place| format!("pm-{place}-{own}"));
        let dir = tempfile::tempdir().unwrap();
        let mut router = Self {
            names,
            dir,
            daemon: None,
        };
        router.build();
        let file = format!("{DAEMON}{configuration}\n");
        fs::write(router.dir.path().join("daemon.conf"), file).unwrap();
        router.start_daemon();
        router
    }

    fn build(&self) {
        let [client, router, outside] = &self.names;
        for name in &self.names {
            ip(&["netns", "add", name]);
            // As on any machine: the search for UPnP devices goes through it.
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        for (device, other, outer) in [("inner", client, false), ("outer", outside, true)] {
            ip(&[
                "link", "add", device, "netns", router, "type", "veth", "peer", "name", "wire",
                "netns", other,
            ]);
            let [here, there] = match outer {
                true => ["9.9.9.1/24", "9.9.9.2/24"],
                false => ["192.168.77.1/24", "192.168.77.2/24"],
            };
            ip(&["-n", router, "addr", "add", here, "dev", device]);
            ip(&["-n", other, "addr", "add", there, "dev", "wire"]);
            ip(&["-n", router, "link", "set", device, "up"]);
            ip(&["-n", other, "link", "set", "wire", "up"]);
        }
        ip(&[
            "-n",
            client,
            "addr",
            "add",
            "192.168.77.3/24",
            "dev",
            "wire",
        ]);
        ip(&[
            "-n",
            client,
            "route",
            "add",
            "default",
            "via",
            "192.168.77.1",
        ]);
        self.run(router, "sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
        self.run(router, "nft", &[RULES]);
    }

    /// The daemon has forgotten all after this, and says so to the network.
    pub(super) fn restart_daemon(&mut self) {
        self.stop_daemon();
        self.run(
            &self.names[1],
            "nft",
            &["delete", "table", "inet", "filter"],
        );
        self.run(&self.names[1], "nft", &[RULES]);
        self.start_daemon();
    }

    fn start_daemon(&mut self) {
        let mut command = self.command(&self.names[1], "miniupnpd");
        let dir = self.dir.path();
        command.arg("-d").arg("-f").arg(dir.join("daemon.conf"));
        command.arg("-P").arg(dir.join("daemon.pid"));
        let said = File::create(dir.join("daemon.log")).unwrap();
        let said = command.stdout(said.try_clone().unwrap()).stderr(said);
        self.daemon = Some(said.spawn().unwrap());
        self.until("the daemon listens", || {
            let said = fs::read_to_string(self.dir.path().join("daemon.log"));
            said.is_ok_and(|said| said.contains("HTTP listening"))
        });
    }

    fn stop_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// The daemon's mappings, as it reports them to another program.
    pub(super) fn table(&self) -> Vec<Line> {
        self.ask().lines().filter_map(line).collect()
    }

    /// How long the daemon has run.
    pub(super) fn uptime(&self) -> Duration {
        let said = self.ask();
        let after = said.split("uptime=").nth(1).unwrap();
        let seconds = after.split('s').next().unwrap().parse().unwrap();
        Duration::from_secs(seconds)
    }

    fn ask(&self) -> String {
        let mut command = self.command(&self.names[0], "upnpc");
        let asked = command.args(["-u", DESCRIPTION, "-l"]).output().unwrap();
        let said = String::from_utf8(asked.stdout).unwrap();
        assert!(said.contains("i protocol exPort"), "{said}");
        said
    }

    /// Makes the daemon map a port for another client.
    pub(super) fn map_for_somebody(&self, port: u16) {
        let (somebody, port) = (SOMEBODY.to_string(), port.to_string());
        let arguments = ["-u", DESCRIPTION, "-a", &somebody, &port, &port, "tcp"];
        self.run(&self.names[0], "upnpc", &arguments);
    }

    /// Runs `work` on a thread of the client's machine; what it starts is there too.
    pub(super) fn at_client<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        at(&self.names[0], work)
    }

    /// The same, outside.
    pub(super) fn outside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        at(&self.names[2], work)
    }

    /// Looks again and again, until it is so.
    #[track_caller]
    pub(super) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so() {
            if Instant::now() > end {
                let said = fs::read_to_string(self.dir.path().join("daemon.log"));
                let said = said.unwrap_or_default();
                let lines: Vec<_> = said.lines().filter(|line| !is_noise(line)).collect();
                panic!("never: {what}; the daemon said:\n{}", lines.join("\n"));
            }
            thread::yield_now();
        }
    }

    fn command(&self, name: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", name, program])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, name: &str, program: &str, arguments: &[&str]) {
        succeed(self.command(name, program).args(arguments));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop_daemon();
        for name in &self.names {
            // It may not have come so far.
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// Whether a line is the daemon's log of our own questions.
fn is_noise(said: &str) -> bool {
    let noise = [
        "HTTP REQUEST",
        "Host: ",
        "SOAPAction: ",
        "UPnPError 713",
        "index=",
    ];
    noise.iter().any(|noise| said.contains(noise))
}

fn line(text: &str) -> Option<Line> {
    // Number, protocol, ports and addresses, then quoted texts, then the lease.
    let mut words = text.split_whitespace();
    let _number: u32 = words.next()?.parse().ok()?;
    let protocol = words.next()?.to_owned();
    let (external, internal) = words.next()?.split_once("->")?;
    Some(Line {
        protocol,
        external: external.parse().ok()?,
        internal: internal.to_owned(),
        lease_s: words.next_back()?.parse().ok()?,
    })
}

fn at<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let namespace = File::open(format!("/run/netns/{name}")).unwrap();
    thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    })
}

fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

fn succeed(command: &mut Command) {
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success(), "{command:?}: {said}");
}

/// Whether the tests are to run; says so if not.
pub(super) fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").as_deref() == Some(OsStr::new("1"));
    if !enabled {
        eprintln!(
            "skipped: set TAILWATER_INTEROP=1, as root (and run scripts/install-clients.sh first)"
        );
    }
    enabled
}
