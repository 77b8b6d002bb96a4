//! `rqbit-client` of PyPI runs its methods, and libtorrent seeds.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::calls::Rqbit;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

const CLIENT: &str = r#"
import sys, time
from rqbit_client import RQBitClient, RQBitHTTPError

url, show, magnet, data = sys.argv[1:]

def until(is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.05)

def stats(torrent):
    return client._request("get", f"/torrents/{torrent}/stats/v1").json()

with RQBitClient(url) as client:
    assert client.get_server_info()["server"] == "rqbit"
    looked = client.add_torrent(open(show, "rb").read(), list_only=True)
    assert looked.id is None and [it.name for it in looked.details.files] == ["a.mkv", "b.mkv"], looked
    assert client.get_torrents() == []
    added = client.add_torrent(magnet)
    assert added.details.info_hash in magnet
    until(lambda: stats(added.id)["finished"])
    print("downloaded")
    film = client.get_torrent(added.id)
    assert film.files[0].name == "film.mp4" and film.files[0].included, film
    other = client.add_torrent(open(show, "rb").read(), overwrite=True, output_folder=data + "/tv")
    assert other.output_folder == data + "/tv/Show", other
    client.update_only_files(other.id, [1])
    files = client.get_torrent(other.id).files
    assert [it.included for it in files] == [False, True], files
    client.pause_torrent(other.id)
    until(lambda: stats(other.id)["state"] == "paused")
    client.start_torrent(other.id)
    until(lambda: stats(other.id)["state"] == "live")
    assert [it.name for it in client.get_torrents()] == ["film.mp4", "Show"]
    print("changed")
    assert client.forget_torrent(other.id) == {}
    assert client.delete_torrent(film.info_hash) == {}
    assert client.get_torrents() == []
    try:
        client.get_torrent(added.id)
    except RQBitHTTPError as error:
        assert "404" in str(error), error
    else:
        raise AssertionError("it is still there")
    print("removed")
"#;

/// The interpreter that has the clients: that of `scripts/install-clients.sh`, or the one named by `TAILWATER_CLIENTS_PYTHON`.
fn clients_python() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../clients-venv/bin/python");
    std::env::var_os("TAILWATER_CLIENTS_PYTHON").map_or_else(installed, PathBuf::from)
}

#[test]
fn rqbit_client_of_pypi_runs_its_methods() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show/a.mkv", &noise(1, 40_000));
    place.write("here/Show/b.mkv", &noise(2, 30_000));
    place.write("here/film.mp4", &noise(3, 2_000_000));
    let [show, film] = ["here/Show", "here/film.mp4"].map(|name| place.create(name, &[]));
    let command = Command::new(python());
    let seeder = Seeder::start(
        command,
        &place.path(&film),
        &place.path("here"),
        "127.0.0.1",
        0,
    );
    let rqbit = Rqbit::start(&place, &[]);
    let inspected: Value = serde_json::from_str(&place.ok(&["inspect", "--json", &film])).unwrap();
    let magnet = format!(
        "{}&x.pe={}",
        inspected["magnet"].as_str().unwrap(),
        seeder.addr
    );
    let mut client = Command::new(clients_python());
    client
        .args(["-u", "-c", CLIENT])
        .arg(format!("http://{}", rqbit.addr));
    client
        .arg(place.path(&show))
        .arg(magnet)
        .arg(place.path("data"));
    let said = process::run("rqbit-client", &mut client);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["downloaded", "changed", "removed"]
    );
    assert!(!place.path("data/film.mp4").exists());
    rqbit.daemon.stop();
}
