//! A daemon that goes away and comes back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::daemon::Daemon;
use crate::enabled;
use crate::support::{Place, noise};
use crate::tmux::Tmux;

/// An address that stays, for a daemon that has another one each time: no port has to be free again.
struct Door {
    addr: SocketAddr,
    leads_to: Arc<Mutex<Option<String>>>,
}

impl Door {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let leads_to = Arc::new(Mutex::new(None::<String>));
        let known = Arc::clone(&leads_to);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let daemon = known.lock().unwrap().clone();
                let daemon = daemon.and_then(|daemon| TcpStream::connect(daemon).ok());
                if let Some(daemon) = daemon {
                    carry(stream.try_clone().unwrap(), daemon.try_clone().unwrap());
                    carry(daemon, stream);
                }
            }
        });
        Self { addr, leads_to }
    }

    fn lead_to(&self, daemon: Option<&str>) {
        *self.leads_to.lock().unwrap() = daemon.map(str::to_owned);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_daemon_that_goes_away_and_comes_back_is_said_and_found_again() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mkv", &noise(2, 100_000));
    let torrent = place.create("here/film.mkv", &[]);
    let flags = ["--allow-host", "127.0.0.1"];
    let door = Door::open();
    let daemon = Daemon::start(&place, &flags);
    door.lead_to(Some(&daemon.addr));
    let id = daemon.add(&torrent, "paused=true");
    let top = format!("--daemon http://{}", door.addr);
    let tmux = Tmux::top(&place, &top, 100, 12);
    tmux.see("film.mkv");
    door.lead_to(None);
    daemon.kill();
    let lines = tmux.see("does not answer");
    assert!(
        lines.iter().any(|line| line.contains("film.mkv")),
        "{lines:#?}"
    );
    // What cannot be done is said too, in the line above the keys.
    tmux.press(&["p"]);
    tmux.until("why it cannot be resumed", |lines| {
        let line = lines
            .iter()
            .rev()
            .find(|line| !line.is_empty() && !line.starts_with("? keys"));
        line.is_some_and(|line| !line.contains("1 of 1") && !line.contains("film.mkv"))
    });
    let daemon = Daemon::start(&place, &flags);
    door.lead_to(Some(&daemon.addr));
    tmux.see("the daemon is there again");
    tmux.miss("does not answer");
    let removed = daemon.send("DELETE", &format!("/api/v1/torrents/{id}"), "", b"");
    assert_eq!(removed.status, 204);
    tmux.see("no torrents; press a to add one");
    tmux.press(&["q"]);
    tmux.ended();
}
